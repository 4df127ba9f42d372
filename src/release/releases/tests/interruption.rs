//! Clients read all the time, and controllers are killed.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::*;

/// Reads production as a client does while something is done to it, from before its beginning to behind its end.
fn while_a_client_reads(production: &Path, act: impl FnOnce()) {
    let done = AtomicBool::new(false);
    let (begun, wait) = mpsc::channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut entries = 0;
            loop {
                let last = done.load(Ordering::SeqCst);
                let found = read_as_client(production);
                assert!(found >= entries, "{found} entries after {entries}");
                entries = found;
                let _ = begun.send(());
                if last {
                    return;
                }
            }
        });
        wait.recv().unwrap();
        // Whatever happens to what is done, the reader must end.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
        outcome.unwrap();
    });
}

#[test]
fn a_client_finds_every_entrys_file_during_an_adoption_and_200_swaps() {
    let root = directory();
    let mut index = "VERSION: 0\n\n".to_owned();
    for number in 0..30 {
        let path = format!("app-misc/p{number}/p{number}-1-1.gpkg.tar");
        index += &format!("CPV: app-misc/p{number}-1\nPATH: {path}\nSIZE: 7\n\n");
        write(&production(root.path()).join(path), "package");
    }
    write(&production(root.path()).join("Packages"), index);
    while_a_client_reads(&production(root.path()), || {
        let site = Site::open(root.path());
        assert!(site.releases.adopted().is_some());
        for number in 0..200 {
            site.publish(&[(&format!("app-misc/new{number}-1"), 1, "another package")]).unwrap();
        }
    });
    assert_eq!(read_as_client(&production(root.path())), 230);
}

#[test]
fn a_client_finds_every_entrys_file_during_many_adoptions() {
    for _ in 0..20 {
        let root = directory();
        write(&production(root.path()).join("app-misc/foo/foo-1-1.gpkg.tar"), "package");
        let entry = "CPV: app-misc/foo-1\nPATH: app-misc/foo/foo-1-1.gpkg.tar\nSIZE: 7\n\n";
        write(&production(root.path()).join("Packages"), format!("VERSION: 0\n\n{entry}"));
        while_a_client_reads(&production(root.path()), || {
            assert!(Site::open(root.path()).releases.adopted().is_some());
        });
    }
}

#[test]
fn a_release_that_was_half_made_is_removed_and_one_that_was_not_swapped_in_is_not_live() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let incoming = [staged(root.path(), "app-misc/bar-1.0", 2, "bar")];
    let contents = compose(&site.releases.base().unwrap(), &incoming, &header(), |_| false).unwrap();
    let name = site.releases.next_name(Epoch(1)).unwrap();
    let half_made = site.releases.layout.new_release(&name);

    site.releases.make(&contents, &half_made, NOW).unwrap();
    symlink("anything", site.releases.layout.next()).unwrap();
    let site = Site::open(root.path());
    assert!(!half_made.exists() && site.releases.layout.next().symlink_metadata().is_err());
    assert_eq!(read_as_client(&production(root.path())), 1);

    site.releases.make(&contents, &half_made, NOW).unwrap();
    std::fs::rename(&half_made, site.releases.layout.release(&name)).unwrap();
    let site = Site::open(root.path());
    assert_eq!(read_as_client(&production(root.path())), 1);
    assert_eq!(site.releases.publish(&contents, &name, origin(), NOW).unwrap().release.name, name);
    assert_eq!(read_as_client(&production(root.path())), 2);
}

const PUBLISHER: &str = "SWARM_TEST_PUBLISH_IN";

/// What the other test kills.
#[test]
fn publishes_until_it_is_killed() {
    let Some(root) = std::env::var_os(PUBLISHER).map(PathBuf::from) else { return };
    let site = Site::open(&root);
    for id in 1.. {
        let content = format!("foo {id}");
        site.publish(&[("app-misc/foo-1.0", id, &content), ("app-misc/bar-1.0", id, "bar")]).unwrap();
        println!("\npublished");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn a_controller_that_is_killed_anywhere_leaves_a_whole_release() {
    for kills in 1..=12 {
        let root = directory();
        let mut publisher = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "release::releases::tests::interruption::publishes_until_it_is_killed", "--nocapture"])
            .env(PUBLISHER, root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(publisher.stdout.take().unwrap()).lines();
        let published = lines.map_while(Result::ok).filter(|line| line == "published").take(kills).count();
        publisher.kill().unwrap();
        publisher.wait().unwrap();
        assert_eq!(published, kills);
        assert_eq!(read_as_client(&production(root.path())), 2);
        let site = Site::open(root.path());
        let left = tree(root.path());
        assert!(left.iter().all(|path| !path.contains(".new-") && !path.contains(".swarm")), "{left:?}");
        let published = site.publish(&[("app-misc/foo-1.0", 5000, "after the kill")]).unwrap();
        assert!(published.timestamp.0 >= NOW.0 + i64::try_from(kills).unwrap());
        assert_eq!(read_as_client(&production(root.path())), 2);
    }
}
