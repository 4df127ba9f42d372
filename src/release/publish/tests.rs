//! Releases on another host, which this machine stands for: what is sent, what is swapped, who is refused.

use std::path::{Path, PathBuf};

use super::super::testing::{directory, in_private_mounts, stanza, tree, write};
use super::*;
use crate::core::names::{Epoch, Timestamp};
use crate::ssh::LocalHost;

/// A controller's releases, and another host's production on this machine.
struct Sites {
    root: tempfile::TempDir,
    kept: Vec<Release>,
    made: u64,
}

impl Sites {
    fn new() -> Self {
        Self { root: directory(), kept: Vec::new(), made: 0 }
    }

    fn production(&self) -> PathBuf {
        self.root.path().join("there/production")
    }

    fn incoming(&self, content: &str) -> PathBuf {
        self.root.path().join("there/production.releases/.incoming").join(sum(content))
    }

    /// A release here of these packages and their contents, with what the one before listed besides.
    fn release(&mut self, packages: &[(&str, u32, &str)]) -> Release {
        self.made += 1;
        let name = ReleaseName::new(Epoch(1), self.made);
        let root = self.root.path().join("here").join(name.as_str());
        write_release(&root, packages);
        if let Some(before) = self.kept.last() {
            let index = Index::parse(&std::fs::read(before.root.join("Packages")).unwrap(), Limits::default()).unwrap();
            let listed = index.stanzas.iter().map(|stanza| stanza.path().to_string());
            for path in listed.filter(|path| !root.join(path).exists()) {
                write(&root.join(&path), std::fs::read(before.root.join(&path)).unwrap());
            }
        }
        let release = Release { name, root };
        self.kept.push(release.clone());
        release
    }

    async fn publish(&self, release: &Release) -> Result<Sent, HostError> {
        self.publish_as(release, &visitor(1, "ours-1")).await
    }

    async fn publish_as(&self, release: &Release, visitor: &Visitor) -> Result<Sent, HostError> {
        let shipment = Shipment::read(release, &self.kept).unwrap();
        let there = |name: &str| self.root.path().join(name).display().to_string();
        let (production, staging, workdir) = (there("there/production"), there("there/staging"), there("work"));
        let place = Place { production: &production, staging: &staging, workdir: &workdir, visitor };
        publish(&LocalHost::here(), &place, &shipment).await
    }

    fn epoch(&self) -> String {
        std::fs::read_to_string(self.root.path().join("work/epoch")).unwrap()
    }

    /// What clients find there is the release, and nothing else lies around.
    fn shows(&self, release: &Release) {
        assert_eq!(tree(&self.production()), tree(&release.root));
        for path in tree(&release.root).iter().filter(|path| !path.ends_with('/')) {
            let read = |root: &Path| std::fs::read(root.join(path)).unwrap();
            assert!(read(&self.production()) == read(&release.root), "{path}");
        }
        let link = std::fs::read_link(self.production()).unwrap();
        assert_eq!(link, Path::new("production.releases").join(release.name.as_str()));
        assert!(!self.root.path().join("there/production.releases/.incoming").exists());
    }
}

fn visitor(epoch: u64, controller: &str) -> Visitor {
    Visitor { epoch: Epoch(epoch), controller: controller.parse().unwrap(), take_over: false, elected: false }
}

fn sum(content: &str) -> String {
    data_encoding::HEXLOWER.encode(&sha1::Sha1::digest(content))
}

fn write_release(root: &Path, packages: &[(&str, u32, &str)]) {
    let mut index = Index::default();
    for (cpv, build_id, content) in packages {
        let values = [("SIZE", content.len().to_string()), ("SHA1", sum(content))];
        let stanza = stanza(cpv, *build_id, &values.each_ref().map(|(key, value)| (*key, value.as_str())));
        write(&root.join(stanza.path().to_string()), content);
        index.stanzas.push(stanza);
    }
    write(&root.join("Packages"), index.to_text(Timestamp(1_700_000_000)));
    write(&root.join("Packages.gz"), "packed");
}

#[tokio::test]
async fn a_host_gets_what_it_lacks_and_shows_the_new_release_whole() {
    let mut sites = Sites::new();
    let first = sites.release(&[("app-misc/foo-1.0", 1, "foo one"), ("app-misc/bar-1.0", 1, "bar one")]);
    assert_eq!(sites.publish(&first).await.unwrap().files, 4, "two packages and the index in two forms");
    sites.shows(&first);
    assert_eq!(sites.publish(&first).await.unwrap(), Sent { was_live: true, ..Sent::default() });
    let second = sites.release(&[("app-misc/foo-1.1", 1, "foo next"), ("app-misc/bar-1.0", 1, "bar one")]);
    let sent = sites.publish(&second).await.unwrap();
    assert_eq!(sent.files, 2, "the new package and the index; its packed form and the other package are there");
    sites.shows(&second);
    assert!(sites.root.path().join("there/production.releases").join(first.name.as_str()).exists());
}

#[tokio::test]
async fn what_an_older_release_there_has_is_not_sent_again_and_releases_that_are_kept_nowhere_go() {
    let mut sites = Sites::new();
    let first = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
    sites.publish(&first).await.unwrap();
    let second = sites.release(&[("app-misc/foo-1.1", 1, "foo two")]);
    sites.publish(&second).await.unwrap();
    let back = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
    assert_eq!(sites.publish(&back).await.unwrap().files, 0);
    sites.shows(&back);
    sites.kept.remove(0);
    let next = sites.release(&[("app-misc/foo-1.2", 1, "foo three")]);
    let next = Release { name: ReleaseName::new(Epoch(2), 9), root: next.root };
    sites.publish(&next).await.unwrap();
    let kept = tree(&sites.root.path().join("there/production.releases"));
    let releases: Vec<&str> =
        kept.iter().filter_map(|path| path.strip_suffix('/')).filter(|path| !path.contains('/')).collect();
    assert_eq!(releases, [second.name.as_str(), back.name.as_str(), next.name.as_str()]);
}

#[tokio::test]
async fn a_host_that_missed_a_release_keeps_what_its_clients_are_on_their_way_to_for_one_more() {
    let mut sites = Sites::new();
    let first = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
    sites.publish(&first).await.unwrap();
    let missed = sites.release(&[("app-misc/foo-1.1", 1, "foo two")]);
    let third = sites.release(&[("app-misc/foo-1.2", 1, "foo three")]);
    // Of what its clients have never seen, only what is kept for those of other hosts.
    assert!(!third.root.join("app-misc/foo/foo-1.0-1.gpkg.tar").exists());
    sites.publish(&third).await.unwrap();
    let file = |path: &str| std::fs::read_to_string(sites.production().join(path)).ok();
    assert_eq!(file("app-misc/foo/foo-1.0-1.gpkg.tar").as_deref(), Some("foo one"));
    assert_eq!(file("Packages"), std::fs::read_to_string(third.root.join("Packages")).ok());
    // The same where the release that is live there is kept here no longer.
    sites.kept.retain(|kept| kept.name != missed.name && kept.name != third.name);
    let fourth = sites.release(&[("app-misc/foo-1.3", 1, "foo four")]);
    sites.publish(&fourth).await.unwrap();
    let file = |path: &str| sites.production().join(path).exists();
    assert!(file("app-misc/foo/foo-1.2-1.gpkg.tar") && !file("app-misc/foo/foo-1.1-1.gpkg.tar"));
    let fifth = sites.release(&[("app-misc/foo-1.3", 1, "foo four")]);
    sites.publish(&fifth).await.unwrap();
    sites.shows(&fifth);
}

#[tokio::test]
async fn a_directory_that_is_there_is_exchanged_and_keeps_what_its_clients_may_still_want() {
    let mut sites = Sites::new();
    write_release(&sites.production(), &[("app-misc/foo-1.0", 1, "foo one"), ("app-misc/own-1.0", 1, "its own")]);
    write(&sites.production().join("app-misc/bar/bar-1.0-1.gpkg.tar"), "another content of this name");
    let release = sites.release(&[("app-misc/foo-1.0", 1, "foo one"), ("app-misc/bar-1.0", 1, "bar one")]);
    let sent = sites.publish(&release).await.unwrap();
    assert_eq!(sent.files, 3, "what its index has by the same sum is not sent");
    let file = |path: &str| std::fs::read_to_string(sites.production().join(path)).unwrap();
    assert_eq!(file("app-misc/bar/bar-1.0-1.gpkg.tar"), "bar one");
    assert_eq!(file("app-misc/own/own-1.0-1.gpkg.tar"), "its own");
    assert!(!file("Packages").contains("own-1.0"));
    assert!(std::fs::read_link(sites.production()).is_ok());
    let next = sites.release(&[("app-misc/bar-1.0", 1, "bar one")]);
    sites.publish(&next).await.unwrap();
    sites.shows(&next);
}

#[tokio::test]
async fn a_file_that_was_sent_in_part_is_completed_and_one_that_arrived_damaged_is_sent_anew() {
    let mut sites = Sites::new();
    let release = sites.release(&[("app-misc/foo-1.0", 1, "half of it"), ("app-misc/bar-1.0", 1, "damaged")]);
    write(&sites.incoming("half of it").with_extension("part"), "half");
    write(&sites.incoming("damaged").with_extension("part"), "dAmaged");
    write(&sites.incoming("of no release"), "of no release");
    sites.publish(&release).await.unwrap();
    sites.shows(&release);
}

#[tokio::test]
async fn what_lies_in_the_staging_of_a_standby_is_not_sent_if_it_is_just_that() {
    let mut sites = Sites::new();
    let release = sites.release(&[
        ("app-misc/foo-1.0", 1, "is there"),
        ("app-misc/bar-1.0", 1, "is other"),
        ("app-misc/baz-1.0", 1, "is not there"),
    ]);
    let staged = |name: &str| sites.root.path().join(format!("there/staging/app-misc/{name}/{name}-1.0-1.gpkg.tar"));
    write(&staged("foo"), "is there");
    write(&staged("bar"), "IS OTHER");
    // Half of it came before the standby had it.
    write(&sites.incoming("is there").with_extension("part"), "is");
    let sent = sites.publish(&release).await.unwrap();
    assert_eq!(sent.files, 4, "two packages, and the index in two forms");
    sites.shows(&release);
    assert_eq!(std::fs::read_to_string(staged("bar")).unwrap(), "IS OTHER");
}

#[tokio::test]
async fn what_is_no_release_is_left_alone_and_named() {
    for (what, words) in [("a file", "other"), ("a link", "elsewhere")] {
        let mut sites = Sites::new();
        let release = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
        std::fs::create_dir_all(sites.production().parent().unwrap()).unwrap();
        match what {
            "a file" => write(&sites.production(), "precious"),
            _ => std::os::unix::fs::symlink("elsewhere", sites.production()).unwrap(),
        }
        let error = sites.publish(&release).await.unwrap_err().to_string();
        assert!(error.contains("move it out of the way"), "{what} ({words}): {error}");
    }
}

#[test]
fn a_mount_point_is_refused_before_anything_is_sent() {
    in_private_mounts(
        "release::publish::tests::a_mount_point_is_refused_before_anything_is_sent",
        "mkdir source production; touch source/Packages; mount --bind source production",
        |root| {
            let release = Release { name: ReleaseName::new(Epoch(1), 1), root: root.join("here") };
            write_release(&release.root, &[("app-misc/foo-1.0", 1, "foo one")]);
            let shipment = Shipment::read(&release, &[]).unwrap();
            let production = root.join("production");
            let (host, visitor) = (LocalHost::here(), visitor(1, "ours-1"));
            let place = Place {
                production: production.to_str().unwrap(),
                staging: "/nowhere",
                workdir: "/nowhere",
                visitor: &visitor,
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let error = runtime.block_on(publish(&host, &place, &shipment)).unwrap_err().to_string();
            assert!(error.contains("is a mount point there") && error.contains("production/packages, say"), "{error}");
            assert_eq!(tree(root).iter().filter(|path| path.contains("incoming/")).count(), 1, "{:?}", tree(root));
        },
    );
}

#[tokio::test]
async fn an_empty_directory_that_was_taken_over_here_keeps_nothing_from_going_out() {
    let mut sites = Sites::new();
    let empty = Release { name: ReleaseName::new(Epoch(0), 1), root: sites.root.path().join("empty") };
    std::fs::create_dir(&empty.root).unwrap();
    let release = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
    sites.kept.insert(0, empty);
    sites.publish(&release).await.unwrap();
    sites.shows(&release);
}

#[tokio::test]
async fn what_another_controller_has_released_since_stays_live() {
    // It has come to the same number, or further.
    for made in [1, 7] {
        let mut sites = Sites::new();
        let first = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
        sites.publish(&first).await.unwrap();
        let second = sites.release(&[("app-misc/foo-1.2", 1, "foo three")]);
        let mut others = Sites { made, ..Sites::new() };
        let later = others.release(&[("app-misc/foo-1.1", 1, "foo two")]);
        sites.publish_as(&later, &visitor(1, "ours-1")).await.unwrap();
        let error = sites.publish(&second).await.unwrap_err().to_string();
        assert!(error.contains("was not made here, and 000001-000002 is no later one"), "{error}");
        let live = std::fs::read_link(sites.production()).unwrap();
        assert_eq!(live.file_name().unwrap(), later.name.as_str());
        if later.name != second.name {
            // One that is kept here was left for what is live now.
            sites.kept.push(later);
            sites.publish(&second).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_release_that_clients_cannot_read_is_taken_back_as_long_as_it_is_what_is_live() {
    let mut sites = Sites::new();
    let first = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
    assert_eq!(sites.publish(&first).await.unwrap().before, None);
    let second = sites.release(&[("app-misc/foo-1.1", 1, "foo two")]);
    assert_eq!(sites.publish(&second).await.unwrap().before.as_ref(), Some(&first.name));
    let (host, production) = (LocalHost::here(), sites.production());
    let back = || take_back(&host, production.to_str().unwrap(), &second.name, &first.name);
    back().await.unwrap();
    sites.shows(&first);
    let error = back().await.unwrap_err();
    assert!(error.message.contains("production.releases/000001-000001 there"), "{error}");
    sites.publish(&second).await.unwrap();
    sites.shows(&second);
}

#[tokio::test]
async fn a_swap_is_refused_where_production_has_changed_since_it_was_looked_at() {
    let mut sites = Sites::new();
    let first = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
    let production = sites.production();
    let production = production.to_str().unwrap();
    let host = LocalHost::here();
    let before = look(&host, production).await.unwrap();
    sites.publish(&first).await.unwrap();
    let second = sites.release(&[("app-misc/foo-1.1", 1, "foo two")]);
    let _now = look(&host, production).await.unwrap();
    let shipment = Shipment::read(&second, &sites.kept).unwrap();
    let visitor = visitor(1, "ours-1");
    let place =
        Place { production, staging: "/nowhere", workdir: sites.root.path().to_str().unwrap(), visitor: &visitor };
    let error = swap(&host, &place, &shipment, &before, &List::default()).await.unwrap_err();
    assert!(error.message.contains("production was none there and is something now"), "{error}");
    assert_eq!(std::fs::read_link(sites.production()).unwrap().file_name().unwrap(), first.name.as_str());
}

#[tokio::test]
async fn whoever_comes_with_less_than_a_host_knows_changes_nothing_there() {
    let mut sites = Sites::new();
    let first = sites.release(&[("app-misc/foo-1.0", 1, "foo one")]);
    let second = sites.release(&[("app-misc/foo-1.0", 2, "foo two")]);
    let elected = Visitor { elected: true, ..visitor(1, "ours-1") };
    let refused = sites.publish_as(&first, &elected).await.unwrap_err().to_string();
    assert!(refused.contains("has lost its record of who may release"), "{refused}");
    write(&sites.root.path().join("work/epoch"), "1 ours-1 99999999999\n");
    sites.publish_as(&first, &elected).await.unwrap();
    for file in ["2 other-2 0\n", "1 other-2 0\n"] {
        write(&sites.root.path().join("work/epoch"), file);
        let refused = sites.publish_as(&second, &elected).await.unwrap_err().to_string();
        assert!(refused.contains("another controller (other-2, epoch ") && refused.contains("taken over"), "{refused}");
        assert_eq!(sites.epoch(), file);
        assert_eq!(tree(&sites.production()), tree(&first.root));
    }
    sites.publish_as(&second, &Visitor { epoch: Epoch(3), ..elected }).await.unwrap();
    sites.shows(&second);
    assert_eq!(sites.epoch(), "3 ours-1 0 3 ours-1\n", "what it has seen is written down");
}
