//! What it costs to verify packages: MD5 and SHA1 of each file, BLAKE2B and SHA512 of what it holds.
//!
//! Beside it the four programs of coreutils, each over each file, as many at once as there are processors. Where swarm
//! receives a package it takes all four hashes in one reading of the file; `swarm verify` takes the two that an index
//! has. All files are read once before, so that they come from the page cache for both where there is memory for them.
//!
//! SWARM_BENCH_MEGABYTES takes another size than 10 GB. It ends with status 1 where a figure is beyond its bar.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may end anywhere")]

mod compare;
#[expect(dead_code, reason = "its other half is for other benchmarks")]
mod fleet;
mod index_files;
#[path = "../tests/support/package.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod package;
#[path = "../src/side_by_side.rs"]
#[expect(unused_imports, reason = "its tests are no part of this")]
mod side_by_side;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use swarm::core::names::{BuildId, Epoch, ReleaseName, Timestamp};
use swarm::portage::gpkg;
use swarm::portage::index::{Index, PackagePath, Stanza};
use swarm::release::Release;
use swarm::release::verify::verify;

use compare::{Bar, Figure, Row, median, number, report, timed};
use package::Package;
use side_by_side::{processors, side_by_side};

/// So many megabytes of packages unless SWARM_BENCH_MEGABYTES says otherwise.
const MEGABYTES: usize = 10_000;
/// The image of a package.
const IMAGE_MEGABYTES: usize = 100;
/// So often each is done; the median counts.
const ROUNDS: usize = 3;

const ALL: [&str; 4] = ["md5sum", "sha1sum", "b2sum", "sha512sum"];
/// Those of an index.
const OF_INDEX: [&str; 2] = ["md5sum", "sha1sum"];

fn main() -> ExitCode {
    let megabytes = number("SWARM_BENCH_MEGABYTES", MEGABYTES);
    let directory = tempfile::tempdir().expect("a directory");
    let release = Release { name: ReleaseName::new(Epoch(1), 1), root: directory.path().to_owned() };
    let files = make(&release.root, megabytes.div_ceil(IMAGE_MEGABYTES));
    println!("{} files of {IMAGE_MEGABYTES} MB, {} processors", files.len(), processors());
    files.iter().for_each(|file| drop(std::io::copy(&mut std::fs::File::open(file).unwrap(), &mut std::io::sink())));
    let receive = || drop(side_by_side(&files, processors(), |file| gpkg::read(file).expect("a good package")));
    let check = || assert!(verify(&release, |_| {}, |_| {}).expect("an index").bad.is_empty());
    let rows = [
        row("received, all four hashes", receive, &ALL, &files),
        row("`swarm verify`, the hashes of the index", check, &OF_INDEX, &files),
    ];
    if report(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ours and the programs, in turn.
fn row(what: &str, ours: impl Fn(), programs: &[&str], files: &[PathBuf]) -> Row {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        own.push(timed(&ours).0);
        others.extend(beside(programs, files));
        println!("{what}, round {round}: {:?}, {} {:?}", own.last(), programs.join(", "), others.last());
    }
    let figure = |times: Vec<Duration>| Figure::Time(median(times));
    let bytes: u64 = files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    let what = format!("{:.1} GB of packages {what}", bytes as f64 / 1e9);
    let others = Some(others).filter(|others| !others.is_empty()).map(figure);
    Row::new(&what, figure(own), Bar::Times(1.0)).beside(&format!("{} side by side", programs.join(", ")), others)
}

/// How long each of these takes over each file, as many at once as there are processors; none where one is missing.
fn beside(programs: &[&str], files: &[PathBuf]) -> Option<Duration> {
    let missing = programs.iter().find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(program) = missing {
        println!("no {program}: the Debian package coreutils has it");
        return None;
    }
    let works: Vec<_> = files.iter().flat_map(|file| programs.iter().map(move |program| (program, file))).collect();
    let run = |(program, file): &(&&str, &PathBuf)| Command::new(program).arg(file).stdout(Stdio::null()).status();
    let (time, ends) = timed(|| side_by_side(&works, processors(), run));
    assert!(ends.into_iter().all(|end| end.is_ok_and(|end| end.success())));
    Some(time)
}

/// So many packages, and an index of them. They are builds of one package, byte for byte the same.
fn make(root: &Path, count: usize) -> Vec<PathBuf> {
    let identity = &fleet::plan(1, 1).packages[0].identity;
    let mut package = Package::of(identity, BuildId(1), 1_790_000_000);
    package.image = image();
    let bytes = package.bytes();
    let paths = (1..).map(|id| PackagePath::new(identity.cpv.clone(), Some(BuildId(id)))).take(count);
    let mut index = Index::default();
    let mut read = None;
    let files = paths.map(|path| {
        let file = root.join(path.to_string());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &bytes).expect("there is room for the packages");
        let read = read.get_or_insert_with(|| gpkg::read(&file).expect("a good package"));
        let mtime = Timestamp(std::fs::metadata(&file).unwrap().mtime());
        index.stanzas.push(Stanza::derive(read, &path, mtime).expect("an entry"));
        file
    });
    let files = files.collect();
    index_files::write(&index, root, b"");
    files
}

/// Bytes without a pattern, by xorshift.
fn image() -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(IMAGE_MEGABYTES * 1_000_000 / 8).flatten().collect()
}
