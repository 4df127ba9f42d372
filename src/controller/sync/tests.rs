//! How a drone comes to have a revision, with the scripts that are run there; this machine is the drone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::archives::pack_own;
use crate::core::names::{HostName, Revision};
use crate::drone::configuration::compose::{Composed, OwnFile, compose};
use crate::drone::configuration::listing::Listing;
use crate::drone::configuration::{self, Applied, DriverTree, Look};
use crate::ssh::{Host, LocalHost};

/// A drone whose work directory is one of its own.
struct Drone {
    host: LocalHost,
    workdir: TempDir,
    driver: HostName,
}

/// What a drone is to have where an overlay has this text.
fn wanted(text: &str) -> Composed {
    let tree: DriverTree =
        serde_json::from_str(r#"{"digest": "", "main": null, "profile": null, "written": [], "repositories": []}"#)
            .unwrap();
    let look = Look { current: None, free: Vec::new(), settings: BTreeMap::new(), features: Vec::new() };
    let overlay = [("a/text", text), ("same", "same")]
        .map(|(path, text)| (path.to_owned(), OwnFile { mode: 0o644, content: text.as_bytes().to_owned() }));
    compose(&tree, Listing::default(), &overlay.into(), &look).unwrap()
}

impl Drone {
    fn new() -> Self {
        let drone =
            Self { host: LocalHost::here(), workdir: tempfile::tempdir().unwrap(), driver: "capella".parse().unwrap() };
        fs_err::create_dir_all(drone.place("incoming")).unwrap();
        drone
    }

    fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        self.workdir.path().join("config/capella").join(path)
    }

    fn text(&self, revision: &Revision) -> String {
        fs_err::read_to_string(self.place(revision.as_str()).join("etc/portage/a/text")).unwrap()
    }

    fn current(&self) -> Revision {
        fs_err::read_link(self.place("current")).unwrap().to_str().unwrap().parse().unwrap()
    }

    /// The revisions that lie there, and what was left behind.
    fn names(&self) -> Vec<String> {
        let names =
            fs_err::read_dir(self.place("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| !["current", "incoming", "lock"].contains(&name.as_str())).collect();
        names.sort();
        names
    }

    async fn give(&self, composed: &Composed, base: Option<&Composed>, digest: Option<&str>) -> Applied {
        let mut steps = composed.steps_from(base.map(|base| (&base.revision, &base.listing)));
        let archive = format!("{}.own", composed.revision);
        let file = self.place("incoming").join(&archive);
        self.host.write(file.to_str().unwrap(), &pack_own(&steps.own).unwrap(), 0o600).await.unwrap();
        steps.patch.archives.push(archive);
        if let Some(digest) = digest {
            steps.patch.digest = digest.to_owned();
        }
        let workdir = self.workdir.path().to_str().unwrap();
        configuration::apply(&self.host, workdir, &self.driver, &steps.patch).await.unwrap()
    }
}

fn sorted(revisions: &[&Composed]) -> Vec<String> {
    let mut names: Vec<String> = revisions.iter().map(|composed| composed.revision.to_string()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_revision_is_never_changed_and_one_that_nothing_uses_becomes_the_next() {
    let drone = Drone::new();
    let [one, two, three, four] = ["one", "two", "three", "four"].map(wanted);
    assert_eq!(drone.give(&one, None, None).await, Applied::Done);
    assert_eq!(drone.give(&two, Some(&one), None).await, Applied::Done);
    assert_eq!((drone.text(&one.revision), drone.text(&two.revision)), ("one".to_owned(), "two".to_owned()));
    assert_eq!((drone.current(), drone.names()), (two.revision.clone(), sorted(&[&one, &two])));

    assert_eq!(drone.give(&three, Some(&one), None).await, Applied::Done);
    assert_eq!((drone.current(), drone.names()), (three.revision.clone(), sorted(&[&two, &three])));
    assert_eq!((drone.text(&two.revision), drone.text(&three.revision)), ("two".to_owned(), "three".to_owned()));

    // A job builds with the second, and a controller may give one to the third.
    let job = drone.workdir.path().join("jobs/job");
    fs_err::create_dir_all(&job).unwrap();
    fs_err::write(job.join("settings"), format!("export MAKEOPTS='-j2'\nbrought='capella/{}'\n", two.revision))
        .unwrap();
    fs_err::write(drone.place(three.revision.as_str()).join("used"), "").unwrap();
    assert_eq!(drone.give(&four, Some(&two), None).await, Applied::Done);
    assert_eq!(drone.give(&one, Some(&four), None).await, Applied::Done);
    assert_eq!(drone.names(), sorted(&[&one, &two, &three, &four]));
    for (revision, text) in [(&one, "one"), (&two, "two"), (&three, "three"), (&four, "four")] {
        assert_eq!(drone.text(&revision.revision), text);
    }

    // One that is there already is only taken up again.
    fs_err::remove_dir_all(job).unwrap();
    fs_err::remove_file(drone.place(three.revision.as_str()).join("used")).unwrap();
    assert_eq!(drone.give(&four, Some(&two), None).await, Applied::Done);
    assert_eq!((drone.current(), drone.names()), (four.revision.clone(), sorted(&[&one, &four])));
}

#[tokio::test]
async fn what_is_not_as_it_was_listed_never_counts_and_what_was_left_behind_is_cleared_away() {
    let drone = Drone::new();
    let [one, two, three] = ["one", "two", "three"].map(wanted);
    assert_eq!(drone.give(&one, None, None).await, Applied::Done);
    assert_eq!(drone.give(&two, Some(&one), Some(&one.listing.digest())).await, Applied::Other);
    assert_eq!(drone.give(&three, Some(&two), None).await, Applied::Gone);
    assert_eq!((drone.current(), drone.names()), (one.revision.clone(), sorted(&[&one])));

    // As a power cut leaves it.
    for name in [format!(".new-{}", two.revision), format!(".old-{}", three.revision)] {
        fs_err::create_dir_all(drone.place(name).join("etc/portage/half")).unwrap();
    }
    assert_eq!(drone.give(&two, Some(&one), None).await, Applied::Done);
    assert_eq!((drone.current(), drone.names()), (two.revision.clone(), sorted(&[&one, &two])));
    assert_eq!(drone.text(&two.revision), "two");
    assert_eq!(fs_err::read_dir(drone.place("incoming")).unwrap().count(), 2, "what may still be taken up");
}
