//! Releases in object storage: the real binary and a real S3 server.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use swarm::core::names::Epoch;

use super::farm::{Farm, listed, wanted};
use super::moto::{AUTHORIZED, BUCKET, Line, Moto};
use crate::http;

const PREFIX: &str = "amd64";

/// The storage as an inventory has it; clients read it from `server`.
fn entry(farm: &Farm, endpoint: &str, server: &str) -> String {
    let credentials = farm.path("credentials");
    std::fs::write(&credentials, "[default]\naws_access_key_id = key\naws_secret_access_key = secret\n").unwrap();
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[storage.attic]\nurl = 's3://{BUCKET}/{PREFIX}'\nendpoint = '{endpoint}'\ncredentials = '{}'\n\
         binhost = '{server}/{BUCKET}/{PREFIX}'\n",
        credentials.display()
    )
}

fn farm(endpoint: &str, server: &str) -> Farm {
    let farm = Farm::new("");
    let entry = entry(&farm, endpoint, server);
    farm.write_inventory(&entry);
    farm
}

/// What is at this key below the prefix.
fn stored(moto: &Moto, key: &str) -> Option<Vec<u8>> {
    let answer = http::get(&moto.url, &format!("/{BUCKET}/{PREFIX}/{}", key.replace('+', "%2B")));
    (answer.status == 200).then_some(answer.body)
}

/// What clients find there is what is live here.
fn shows(moto: &Moto, farm: &Farm) {
    for name in ["Packages", "Packages.gz"].into_iter().map(str::to_owned).chain(farm.listed()) {
        assert!(stored(moto, &name) == Some(std::fs::read(farm.live(&name)).unwrap()), "{name}");
    }
}

/// Reads the index there again and again, and looks whether all that it lists is there.
struct Reader {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Reader {
    fn start(moto: &Moto) -> Self {
        let (stop, reads, url) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), moto.url.clone());
        let (stopped, counted) = (stop.clone(), reads.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let directory = tempfile::tempdir().unwrap();
                let index = http::get(&url, &format!("/{BUCKET}/{PREFIX}/Packages"));
                if index.status == 200 {
                    std::fs::write(directory.path().join("Packages"), index.body).unwrap();
                    for path in listed(directory.path()) {
                        let line = format!("HEAD /{BUCKET}/{PREFIX}/{}", path.replace('+', "%2B"));
                        assert_eq!(
                            http::ask(&url, &line, &[AUTHORIZED], b"").status,
                            200,
                            "{path} is listed and not there"
                        );
                    }
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, reads, thread: Some(thread) }
    }

    fn ends_well(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        assert!(self.reads.load(Ordering::Relaxed) > 1);
    }
}

#[test]
fn a_release_is_there_whole_the_index_last_and_after_an_interruption_nothing_is_sent_twice() {
    let Some(moto) = Moto::start() else { return };
    let line = Line::to(&moto.url);
    let farm = farm(&line.url, &moto.url);
    let reader = Reader::start(&moto);
    // One of them goes in parts.
    let packages = [wanted("dev-libs/libsigc++-2.12.1", 1), wanted("app-lab/large-1.0", 1).size(40 << 20)];
    farm.build(&packages);
    // The probe's two, and then some of it.
    line.cut_after(Some(5));
    farm.swarm(&["finalize"])
        .gives(1, &["release 000001-000001 is live", "attic: release 000001-000001 did not reach it"]);
    assert_eq!(stored(&moto, "Packages"), None);
    farm.swarm(&["status"]).gives(0, &["release: 000001-000001"]);
    line.cut_after(None);
    farm.swarm(&["finalize"]).gives(0, &["attic: release 000001-000001 is live there; "]);
    shows(&moto, &farm);
    let mut written: Vec<String> = line
        .exchanges()
        .into_iter()
        .filter(|each| each.method == "PUT" && each.status == 200 && !each.path.contains(".swarm/"))
        .map(|each| each.path)
        .collect();
    let count = written.len();
    assert!(count >= 2 + 1 + 5, "{written:?}");
    written.sort();
    written.dedup();
    assert_eq!(written.len(), count, "each of them once");
    farm.swarm(&["finalize"]).gives(0, &["attic: release 000001-000001 is live there already"]);
    assert!(line.exchanges().iter().all(|each| each.method != "PUT"));
    let status = farm.swarm(&["status", "--json"]).json();
    assert_eq!(status["orchestrators"]["attic"], "000001-000001");

    // The next one upon it, and back.
    farm.release(&[wanted("dev-libs/libsigc++-2.12.2", 1)]);
    shows(&moto, &farm);
    assert!(stored(&moto, "dev-libs/libsigc++/libsigc++-2.12.1-1.gpkg.tar").is_some(), "clients may have its index");
    line.exchanges();
    farm.swarm(&["rollback"]).gives(0, &["attic: release 000001-000003 is live there; 0 files were sent"]);
    shows(&moto, &farm);
    farm.swarm(&["prune"]).gives(0, &["attic: 0 packages that no kept release has are removed"]);
    reader.ends_well();
}

#[test]
fn an_older_controller_is_refused_and_says_so() {
    let Some(moto) = Moto::start() else { return };
    let (old, new) = (farm(&moto.url, &moto.url), farm(&moto.url, &moto.url));
    old.release(&[wanted("app-lab/foo-1.0", 1)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { new.session().await.claim(Epoch(2)).unwrap() });
    // Both have one clock, and indexes of one second are one to clients.
    let made = std::fs::metadata(old.live("Packages")).unwrap().modified().unwrap();
    while made.elapsed().is_ok_and(|since| since < std::time::Duration::from_secs(1)) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    new.release(&[wanted("app-lab/bar-1.0", 1)]);
    shows(&moto, &new);
    old.build(&[wanted("app-lab/foo-1.1", 1)]);
    old.swarm(&["finalize"]).gives(
        1,
        &[
            "attic: release 000001-000002 did not reach it",
            "release 000002-000001 is live there, which was not made here",
        ],
    );
    old.swarm(&["prune"]).gives(0, &["attic: nothing was removed", "000002-000001 is live there"]);
    shows(&moto, &new);
}

#[test]
fn what_clients_cannot_read_is_swapped_back_and_a_storage_that_cannot_be_used_says_why() {
    let Some(moto) = Moto::start() else { return };
    let farm = farm(&moto.url, &moto.url);
    farm.release(&[wanted("app-lab/foo-1.0", 1)]);
    let live = stored(&moto, "Packages").unwrap();
    let good = entry(&farm, &moto.url, &moto.url);
    let own = format!("binhost = '{}/{BUCKET}/{PREFIX}'", moto.url);
    farm.write_inventory(&good.replace(&own, &format!("binhost = '{}/{BUCKET}/x86'", moto.url)));
    farm.build(&[wanted("app-lab/bar-1.0", 1)]);
    farm.swarm(&["finalize"])
        .gives(1, &["attic: clients cannot read release 000001-000002 there", "000001-000001 is live there as before"]);
    assert!(stored(&moto, "Packages").unwrap() == live);

    for (what, with, words) in [
        ("s3://argo/", "s3://none/", "NoSuchBucket"),
        (moto.url.as_str(), "http://127.0.0.1:1", "cannot be reached"),
        ("credentials = '", "credentials = '/nowhere", "cannot read the credentials /nowhere"),
    ] {
        farm.write_inventory(&good.replacen(what, with, 1));
        farm.swarm(&["finalize"]).gives(1, &["attic: release 000001-000002 did not reach it", words]);
    }
    farm.write_inventory(&good);
    farm.swarm(&["finalize"]).gives(0, &["attic: release 000001-000002 is live there; 0 files were sent"]);
    shows(&moto, &farm);
}
