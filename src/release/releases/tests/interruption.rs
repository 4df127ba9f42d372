//! Clients read all the time, and controllers are killed.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::*;

/// A directory in memory where there is one: what is tried here are processes that end, not machines, and a disk that
/// others keep busy makes every swap wait.
fn memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { directory() }
}

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
    let root = memory();
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
        let root = memory();
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

/// What the other tests kill: releases that supersede each other, roll-backs and prunings, without end.
#[test]
fn publishes_until_it_is_killed() {
    let Some(root) = std::env::var_os(PUBLISHER).map(PathBuf::from) else { return };
    let site = Site::open(&root);
    let first = site.releases.next_name(Epoch(1)).unwrap().parts().map_or(1, |(_, number)| number);
    for id in u32::try_from(first).unwrap().. {
        let content = format!("foo {id}");
        site.publish(&[("app-misc/foo-1.0", id, &content), ("app-misc/bar-1.0", id, "bar")]).unwrap();
        if let Some(back) = site.releases.chronicle().unwrap().back().filter(|_| id % 3 == 0) {
            site.roll_back(back.parts().unwrap().1).unwrap();
            site.releases.prune(2).unwrap();
        }
        println!("\npublished");
        std::io::stdout().flush().unwrap();
    }
}

fn publisher(root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "release::releases::tests::interruption::publishes_until_it_is_killed", "--nocapture"])
        .env(PUBLISHER, root)
        .stdout(Stdio::piped());
    command
}

#[test]
fn a_controller_that_is_killed_anywhere_leaves_a_whole_release() {
    for kills in 1..=12 {
        let root = memory();
        let mut publisher = publisher(root.path()).spawn().unwrap();
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

/// Which release production is.
#[cfg(feature = "failpoints")]
fn live_number(production: &Path) -> u64 {
    let link = std::fs::read_link(production).unwrap();
    let name: ReleaseName = link.file_name().unwrap().to_str().unwrap().parse().unwrap();
    name.parts().unwrap().1
}

/// Reads index and files by production's path, as a client does, while swaps go on: each file that the index lists has to
/// be there, and be the right one, until the second swap after that. False where that came before it had read all.
#[cfg(feature = "failpoints")]
fn read_under_fire(production: &Path) -> bool {
    let (index, read_from) = loop {
        let before = live_number(production);
        let mut index = String::new();
        let packed = std::fs::File::open(production.join("Packages.gz")).expect("there always is an index");
        flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut index).unwrap();
        if live_number(production) == before {
            break (index, before);
        }
    };
    for entry in entries(&index) {
        match std::fs::read(production.join(&entry.path)) {
            Ok(content) => entry.check(&content),
            Err(error) => {
                let now = live_number(production);
                assert!(now > read_from + 1, "{} of release {read_from} is gone in {now}: {error}", entry.path);
                return false;
            }
        }
    }
    true
}

/// The fail-points of a swap, each passed by every release and every roll-back.
#[cfg(feature = "failpoints")]
#[test]
fn under_fire_a_client_finds_all_that_its_index_lists_until_the_release_after_next() {
    const PLACES: [Failpoint; 4] =
        [Failpoint::BeforeRelease, Failpoint::AfterRelease, Failpoint::BeforeSwap, Failpoint::AfterSwap];
    let root = memory();
    let production = production(root.path());
    Site::open(root.path()).publish(&[("app-misc/foo-1.0", 1, "foo 1"), ("app-misc/bar-1.0", 1, "bar")]).unwrap();
    let over = AtomicBool::new(false);
    let (reads, kills) = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut reads = 0;
                    while !over.load(Ordering::SeqCst) {
                        reads += u32::from(read_under_fire(&production));
                    }
                    reads
                })
            })
            .collect();
        let mut kills = 0;
        for place in PLACES {
            // By then it has released, rolled back and pruned, and each has been what was interrupted.
            for number in 1..=5 {
                let armed = format!("{}:{number}", place.name());
                let status =
                    publisher(root.path()).env("SWARM_FAILPOINT", &armed).stdout(Stdio::null()).status().unwrap();
                assert_eq!(status.code(), None, "{armed} did not end it");
                kills += 1;
            }
        }
        over.store(true, Ordering::SeqCst);
        (readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>(), kills)
    });
    assert_eq!(kills, 20);
    assert!(reads.iter().all(|reads| *reads > kills), "{reads:?}");
    assert!(read_under_fire(&production));
    let site = Site::open(root.path());
    let marked = site.releases.chronicle().unwrap();
    assert!(marked.kept().any(|(_, about)| about.is_some_and(|about| matches!(about.origin, Origin::Rollback(_)))));
}
