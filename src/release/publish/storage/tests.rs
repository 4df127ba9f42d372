//! Releases in object storage: several controllers at once, interruptions, and storages that do not do as they say.

use std::collections::BTreeSet;

use futures::FutureExt;

use super::super::super::testing::{directory, stanza, write, write_index};
use super::*;
use crate::core::names::Epoch;
use crate::portage::index::Index;

mod shared;
use shared::Shared;

/// The TIMESTAMP of the first release.
const FIRST: i64 = 1_700_000_000;

/// A controller with its releases.
struct Controller {
    root: tempfile::TempDir,
    epoch: Epoch,
    kept: Vec<Release>,
    made: u64,
}

/// A package, its build id and what it holds.
type Package = (&'static str, u32, &'static str);

impl Controller {
    fn new(epoch: u64) -> Self {
        Self { root: directory(), epoch: Epoch(epoch), kept: Vec::new(), made: 0 }
    }

    /// A release of these packages; each is later than all before it, whoever made them.
    fn release(&mut self, packages: &[Package]) -> Release {
        self.made += 1;
        let name = ReleaseName::new(self.epoch, self.made);
        let root = self.root.path().join(name.as_str());
        let mut index = Index::default();
        for (cpv, build_id, content) in packages {
            let sum = data_encoding::HEXLOWER.encode(&Sha1::digest(content));
            let stanza = stanza(cpv, *build_id, &[("SIZE", &content.len().to_string()), ("SHA1", &sum)]);
            write(&root.join(stanza.path().to_string()), content);
            index.stanzas.push(stanza);
        }
        std::fs::create_dir_all(&root).unwrap();
        let timestamp = FIRST + i64::try_from(1000 * self.epoch.0 + self.made).unwrap();
        write_index(&index, &root, Timestamp(timestamp));
        let release = Release { name, root };
        self.kept.push(release.clone());
        release
    }

    fn spool(&self) -> Spool {
        Spool::new(self.root.path().join("uploads"))
    }

    async fn publish(&self, bucket: &Bucket, release: &Release) -> Result<Published, StorageError> {
        publish(bucket, &self.spool(), &Shipment::read(release, &self.kept).unwrap()).await
    }
}

const FOO: Package = ("app-misc/foo-1.0", 1, "foo one");
const FOO_LATER: Package = ("app-misc/foo-1.1", 1, "foo two");
const SIGC: Package = ("dev-libs/libsigc++-2.12.1", 3, "signals");

fn path(package: Package) -> String {
    stanza(package.0, package.1, &[]).path().to_string()
}

/// What clients find is this release, and it is said to be live.
async fn shows(bucket: &Bucket, release: &Release) {
    for name in INDEX {
        assert!(bucket.read(name).await.unwrap().unwrap().bytes == std::fs::read(release.root.join(name)).unwrap());
    }
    assert_eq!(live(bucket).await.unwrap().unwrap().0.release, release.name);
    for stanza in release.index().unwrap().stanzas {
        let path = stanza.path().to_string();
        let there = bucket.read(&path).await.unwrap().unwrap_or_else(|| panic!("{path} is not there"));
        assert!(there.bytes == std::fs::read(release.root.join(&path)).unwrap(), "{path}");
        assert_eq!(there.sha1.as_deref(), stanza.sha1());
    }
}

#[tokio::test]
async fn a_release_is_there_whole_and_what_is_there_is_not_sent_again() {
    let bucket = Bucket::in_memory();
    let mut controller = Controller::new(1);
    let first = controller.release(&[FOO, SIGC]);
    let published = controller.publish(&bucket, &first).await.unwrap();
    assert_eq!((published.sent.files, published.sent.bytes, published.before.is_none()), (2, 14, true));
    shows(&bucket, &first).await;
    assert!(controller.publish(&bucket, &first).await.unwrap().sent.was_live);

    let second = controller.release(&[FOO_LATER, SIGC]);
    let published = controller.publish(&bucket, &second).await.unwrap();
    assert_eq!((published.sent.files, published.sent.before), (1, Some(first.name.clone())));
    shows(&bucket, &second).await;
    // Clients in the middle of an update have the index of the one before.
    assert!(bucket.read(&path(FOO)).await.unwrap().is_some());

    // Back to what the first one held: its packages are there, listed nowhere.
    let third = controller.release(&[FOO, SIGC]);
    assert_eq!(controller.publish(&bucket, &third).await.unwrap().sent.files, 0);
    // One that was lost there comes back, though the release is live.
    bucket.remove(&[path(SIGC)]).await.unwrap();
    let sent = controller.publish(&bucket, &third).await.unwrap().sent;
    assert_eq!((sent.was_live, sent.files), (false, 1));
    shows(&bucket, &third).await;
}

#[tokio::test]
async fn after_an_interruption_only_what_is_lacking_is_sent() {
    let bucket = Bucket::in_memory();
    let mut controller = Controller::new(1);
    let release = controller.release(&[FOO, FOO_LATER, SIGC]);
    // One has arrived; one of the same length is something else, and one was cut short by another tool.
    let sum = data_encoding::HEXLOWER.encode(&Sha1::digest(FOO.2));
    let put = |package, content: &'static str, sha1: String| {
        let bucket = bucket.clone();
        async move {
            let nature = Nature { sha1: &sha1, lasts: true };
            bucket
                .write(&path(package), Bytes::from_static(content.as_bytes()), nature, Condition::Always)
                .await
                .unwrap();
        }
    };
    put(FOO, FOO.2, sum.clone()).await;
    put(FOO_LATER, FOO.2, sum).await;
    put(SIGC, "sig", String::new()).await;
    assert_eq!(controller.publish(&bucket, &release).await.unwrap().sent.files, 2);
    shows(&bucket, &release).await;

    // One that broke off after the claim is as good as one that has not begun.
    let second = controller.release(&[SIGC]);
    let shipment = Shipment::read(&second, &controller.kept).unwrap();
    let sight = look(&bucket).await.unwrap();
    claim(&bucket, &OwnIndex::read(&shipment).unwrap().live, &sight).await.unwrap();
    assert!(!controller.publish(&bucket, &second).await.unwrap().sent.was_live);
    shows(&bucket, &second).await;
}

#[tokio::test]
async fn an_older_controller_or_one_with_another_line_of_releases_is_refused() {
    let bucket = Bucket::in_memory();
    let (mut old, mut new) = (Controller::new(1), Controller::new(2));
    let first = old.release(&[FOO]);
    old.publish(&bucket, &first).await.unwrap();
    let taken = new.release(&[SIGC]);
    new.publish(&bucket, &taken).await.unwrap();
    let refused = old.publish(&bucket, &old.kept[0]).await.unwrap_err().to_string();
    assert!(refused.contains("release 000002-000001 is live there, which was not made here"), "{refused}");
    let second = old.release(&[FOO, FOO_LATER]);
    let refused = old.publish(&bucket, &second).await.unwrap_err().to_string();
    assert!(refused.contains("000001-000002 is no later one") && refused.contains(".swarm/live.json"), "{refused}");
    let refused = prune(&bucket, &second, &old.kept, now()).await.unwrap_err().to_string();
    assert!(refused.contains("nothing was removed") && refused.contains("000002-000001 is live there"), "{refused}");
    shows(&bucket, &taken).await;

    // Other content under a path that is listed there is not written over.
    let mut twin = Controller::new(3);
    let other = twin.release(&[("dev-libs/libsigc++-2.12.1", 3, "SIGNALS")]);
    let refused = twin.publish(&bucket, &other).await.unwrap_err().to_string();
    assert!(refused.contains("has other content under the path dev-libs/libsigc++/libsigc++-2.12.1-3"), "{refused}");
    shows(&bucket, &taken).await;
}

#[tokio::test]
async fn an_index_that_clients_would_not_take_for_a_newer_one_is_refused() {
    let bucket = Bucket::in_memory();
    let mut controller = Controller::new(1);
    let first = controller.release(&[FOO]);
    controller.publish(&bucket, &first).await.unwrap();
    let second = controller.release(&[SIGC]);
    write_index(&second.index().unwrap(), &second.root, first.header_timestamp().unwrap().unwrap());
    let refused = controller.publish(&bucket, &second).await.unwrap_err().to_string();
    assert!(refused.contains("has a TIMESTAMP that is not before that of 000001-000002"), "{refused}");
    shows(&bucket, &first).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_waited_until_the_storages_clock_is_past_what_clients_ask_for() {
    let bucket = Bucket::in_memory();
    let mut controller = Controller::new(1);
    // The storage's clock is this machine's: it stands still while the runtime's goes on.
    let now = now().0;
    for (ahead, waits) in [(0, Some(0_u64)), (20, Some(6)), (40, Some(26)), (60, Some(46)), (61, None)] {
        let release = controller.release(&[FOO]);
        write_index(&release.index().unwrap(), &release.root, Timestamp(now + ahead));
        let begun = tokio::time::Instant::now();
        match (controller.publish(&bucket, &release).await, waits) {
            (Ok(_), Some(waits)) => {
                let waited = begun.elapsed().as_secs();
                assert!((waits.saturating_sub(5)..=waits).contains(&waited), "{waited} and not {waits}");
            }
            (Err(error), None) => {
                assert!(error.to_string().contains("behind the index of an earlier release"), "{error}")
            }
            (published, _) => panic!("{ahead}: {published:?}"),
        }
    }
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_second())
}

#[tokio::test]
async fn what_clients_cannot_read_gives_way_to_what_was_live_before() {
    let bucket = Bucket::in_memory();
    let mut controller = Controller::new(1);
    let first = controller.release(&[FOO]);
    controller.publish(&bucket, &first).await.unwrap();
    let second = controller.release(&[SIGC]);
    let before = controller.publish(&bucket, &second).await.unwrap().before.unwrap();
    take_back(&bucket, &second.name, &before).await.unwrap();
    shows(&bucket, &first).await;
    let refused = take_back(&bucket, &second.name, &before).await.unwrap_err().to_string();
    assert!(refused.contains("release 000001-000001 live"), "{refused}");
    controller.publish(&bucket, &second).await.unwrap();
    shows(&bucket, &second).await;
}

#[tokio::test]
async fn a_prune_removes_the_packages_that_no_kept_release_has_and_nothing_else() {
    let bucket = Bucket::in_memory();
    let mut controller = Controller::new(1);
    for packages in [&[FOO][..], &[FOO_LATER], &[SIGC]] {
        let release = controller.release(packages);
        controller.publish(&bucket, &release).await.unwrap();
    }
    let own = Nature { sha1: "", lasts: false };
    bucket.write("index.html", Bytes::from_static(b"mine"), own, Condition::Always).await.unwrap();
    let (live, kept) = (controller.kept[2].clone(), &controller.kept[1..]);
    let now = now();
    assert_eq!(prune(&bucket, &live, kept, now).await.unwrap(), Pruned { removed: 0, young: 1 });
    let tomorrow = Timestamp(now.0 + 25 * 3600);
    assert_eq!(prune(&bucket, &live, kept, tomorrow).await.unwrap(), Pruned { removed: 1, young: 0 });
    assert_eq!(prune(&bucket, &live, kept, tomorrow).await.unwrap(), Pruned::default());
    let left: Vec<String> = bucket.list().await.unwrap().into_keys().filter(|key| !key.starts_with('.')).collect();
    assert_eq!(left, ["Packages", "Packages.gz", &path(FOO_LATER), &path(SIGC), "index.html"].map(str::to_owned));
    shows(&bucket, &live).await;
}

#[tokio::test]
async fn a_storage_that_passes_over_conditions_gets_nothing() {
    let shared = Shared::new(0);
    shared.pass_over_conditions();
    let mut controller = Controller::new(1);
    let release = controller.release(&[FOO]);
    let refused = controller.publish(&shared.bucket(), &release).await.unwrap_err().to_string();
    assert!(refused.contains("does not hold to conditional writes"), "{refused}");
    assert!(shared.bucket().read(INDEX[0]).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_removed_between_the_look_and_the_claim_is_sent_again_before_the_index_lists_it() {
    let shared = Shared::new(0);
    let bucket = shared.bucket();
    let mut controller = Controller::new(1);
    for packages in [&[FOO][..], &[SIGC], &[FOO, SIGC]] {
        let release = controller.release(packages);
        if packages.len() == 2 {
            shared.interfere(LIVE, path(FOO), None);
        }
        controller.publish(&bucket, &release).await.unwrap();
        shows(&bucket, &release).await;
    }
}

#[tokio::test]
async fn whoever_is_overtaken_in_the_last_moment_is_told() {
    let shared = Shared::new(0);
    let mut controller = Controller::new(1);
    let release = controller.release(&[FOO]);
    let other = serde_json::to_vec(&Live { release: ReleaseName::new(Epoch(2), 1), index: String::new() }).unwrap();
    shared.interfere(INDEX[1], LIVE.to_owned(), Some(other.into()));
    let refused = controller.publish(&shared.bucket(), &release).await.unwrap_err().to_string();
    assert!(refused.contains("another controller has made release 000002-000001 live"), "{refused}");
}

/// Two controllers, one of them out of date, publish and prune at once, in hundreds of orders: the later one's release is
/// what is live in the end, and no index ever lists what is not there.
#[test]
fn of_two_controllers_at_once_the_later_one_wins_in_whatever_order_their_requests_arrive() {
    let (mut old, mut new) = (Controller::new(1), Controller::new(2));
    let first = old.release(&[FOO]);
    let stale = old.release(&[FOO, FOO_LATER]);
    let taken = new.release(&[SIGC, FOO_LATER]);
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let shared = Shared::new(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bucket = shared.bucket();
            old.publish(&bucket, &first).await.unwrap();
            let older = async {
                old.publish(&bucket, &stale)
                    .then(|sent| async {
                        let _pruned = prune(&bucket, &stale, &old.kept[1..], now()).await;
                        sent
                    })
                    .await
            };
            let newer = new.publish(&bucket, &taken);
            let (older, newer) = tokio::join!(older, newer);
            newer.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            shows(&bucket, &taken).await;
            if let Err(StorageError::Storage(error)) = &older {
                panic!("seed {seed}: {error}");
            }
            outcomes.insert(older.is_ok());
        });
    }
    assert_eq!(outcomes, BTreeSet::from([false, true]), "both orders were among them");
}
