//! What an index of packages costs, made from their files: all of it, and one package more.
//!
//! `emaint binhost --fix` stands beside it, with the same number of the same packages. Of ours that is:
//!
//! - all of it: each file is read and verified as one that was received is, on all processors, and `Packages` and
//!   `Packages.gz` are written and brought to the disk;
//! - one package more in the index: that of the release before is read, one file, and both are written anew;
//! - one package more, received: from the file that came to the journal that has it;
//! - one package more, released: all of `swarm finalize`, which makes a tree of links beside the index.
//!
//! Each file has just been written, so that it comes from the page cache for both. SWARM_BENCH_PACKAGES takes fewer
//! packages. It ends with status 1 where a figure is beyond its bar.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may end anywhere")]

mod compare;
mod emaint;
#[expect(dead_code, reason = "its other half is for other benchmarks")]
mod fleet;
mod index_files;
mod one_more;
#[path = "../tests/support/package.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod package;
mod pantry;
#[path = "../src/side_by_side.rs"]
#[expect(unused_imports, reason = "its tests are no part of this")]
mod side_by_side;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use swarm::core::names::{Epoch, ReleaseName};
use swarm::portage::index::{Index, PackagePath, Stanza};
use swarm::release::Release;

use compare::{Bar, Figure, Row, median, number, report, timed};
use emaint::Emaint;
use index_files::write;
use package::read_index;
use pantry::{Pantry, entry};
use side_by_side::{processors, side_by_side};

/// So many packages unless SWARM_BENCH_PACKAGES says otherwise.
const PACKAGES: usize = 10_000;
/// So often each is done, but what `emaint` does once; the median counts.
const ROUNDS: usize = 5;
/// The longest that one package more may take.
const LONGEST: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let packages = number("SWARM_BENCH_PACKAGES", PACKAGES);
    let pantry = Pantry::new(packages, 2 * ROUNDS);
    let (emaint_all, emaint_more) = Emaint::find().map(|emaint| beside(&pantry, &emaint)).unzip();
    let all = index_all(&pantry);
    if emaint_all.is_some() {
        assert_alike(&pantry);
    }
    let more = index_one_more(&pantry);
    let (received, released) = one_more::one_more(&pantry, ROUNDS);
    let row = |what: &str, time, bar| Row::new(&format!("{what} {packages} packages"), Figure::Time(time), bar);
    let with_emaint = |row: Row, figure: Option<Duration>| row.beside("emaint binhost --fix", figure.map(Figure::Time));
    let most = || Bar::Most(Figure::Time(LONGEST));
    let rows = [
        with_emaint(row("index from the files of", all, Bar::Times(20.0)), emaint_all),
        with_emaint(row("one package more in an index of", more, most()), emaint_more),
        row("one package more received beside", received, most()),
        row("one package more released upon", released, Bar::None),
    ];
    if report(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long `emaint` takes for all of them (one round), and for one more.
fn beside(pantry: &Pantry, emaint: &Emaint) -> (Duration, Duration) {
    let files = pantry.path("files");
    let (all, ()) = timed(|| emaint.fix(&files));
    println!("emaint: {:.2} s for all, in one round", all.as_secs_f64());
    std::fs::create_dir(pantry.path("emaint")).unwrap();
    std::fs::copy(files.join("Packages"), pantry.path("emaint/Packages")).unwrap();
    pantry.put(pantry.packages, "files");
    let (more, ()) = timed(|| emaint.fix(&files));
    println!("emaint: {:.2} s for one more, in one round", more.as_secs_f64());
    assert_eq!(read_index(&files).stanzas.len(), pantry.packages + 1);
    pantry.take(pantry.packages, "files");
    (all, more)
}

/// How long the index of all takes, from nothing but the files.
fn index_all(pantry: &Pantry) -> Duration {
    let files = pantry.path("files");
    let rounds = (1..=ROUNDS).map(|round| {
        let _none = std::fs::remove_file(files.join("Packages"));
        let (time, count) = timed(|| index_files(&files, pantry.header()));
        assert_eq!(count, pantry.packages);
        println!("index from the files, round {round}: {:.2} s", time.as_secs_f64());
        time
    });
    median(rounds.collect())
}

/// Every package below a directory is read, and an index of them written; how many there are.
fn index_files(root: &Path, header: BTreeMap<String, String>) -> usize {
    let stanzas = side_by_side(&paths(root), processors(), |path| entry(root, path));
    let index = Index { header, stanzas, ..Index::default() };
    write(&index, root, b"");
    index.stanzas.len()
}

/// The packages below a directory.
fn paths(root: &Path) -> Vec<PackagePath> {
    let names = |below: &str| {
        let entries = std::fs::read_dir(root.join(below)).unwrap().map(Result::unwrap);
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let mut paths = Vec::new();
    for category in names("").iter().filter(|name| root.join(name).is_dir()) {
        for package in names(category) {
            let below = format!("{category}/{package}");
            paths.extend(names(&below).iter().map(|name| format!("{below}/{name}").parse::<PackagePath>().unwrap()));
        }
    }
    paths
}

/// Both have said the same of each package.
fn assert_alike(pantry: &Pantry) {
    let by_path = |directory: &str| -> BTreeMap<PackagePath, Stanza> {
        let stanzas = read_index(&pantry.path(directory)).stanzas;
        stanzas.into_iter().map(|stanza| (stanza.path().clone(), stanza)).collect()
    };
    let (ours, theirs) = (by_path("files"), by_path("emaint"));
    let other = theirs.iter().find(|(path, values)| ours.get(*path) != Some(*values));
    let own = other.and_then(|(path, _)| ours.get(path));
    assert!(other.is_none() && ours.len() == theirs.len(), "emaint says something else: {other:?}\n{own:?}");
}

/// How long it takes to have one more in an index that is there.
fn index_one_more(pantry: &Pantry) -> Duration {
    let release = Release { name: ReleaseName::new(Epoch(1), 1), root: pantry.path("files") };
    let rounds = (pantry.packages..pantry.packages + ROUNDS).map(|number| {
        pantry.put(number, "files");
        let path = pantry.package(number).path;
        // As those of a release are, they are new files beside the ones before.
        let new = pantry.path("new");
        std::fs::create_dir(&new).unwrap();
        let (time, ()) = timed(|| {
            let mut index = release.index().unwrap();
            index.stanzas.push(entry(&release.root, &path));
            write(&index, &new, &std::fs::read(release.root.join("Packages.gz")).unwrap());
        });
        for name in ["Packages", "Packages.gz"] {
            std::fs::rename(new.join(name), release.root.join(name)).unwrap();
        }
        std::fs::remove_dir(new).unwrap();
        println!("one more in the index: {:.1} ms", time.as_secs_f64() * 1e3);
        time
    });
    median(rounds.collect())
}
