//! The script on this machine with directories in every state, and answers that are none.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::core::names::{BuildId, Epoch};
use crate::core::package::Identity;
use crate::core::texts::Words;
use crate::ssh::LocalHost;

fn manifest(job: &str) -> Manifest {
    Manifest {
        job: job.parse().unwrap(),
        build: "b1".parse().unwrap(),
        controller: "capella-1".parse().unwrap(),
        epoch: Epoch(7),
        driver: "capella".parse().unwrap(),
        identity: Identity {
            cpv: "app-lab/hello-1.1-r1".parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "lab".to_owned(),
            ebuild_digest: String::new(),
            use_flags: Words::default(),
            chost: "x86_64-pc-linux-gnu".to_owned(),
            compiler: [("CFLAGS", "-O2  -pipe")].into_iter().collect(),
            linked: Default::default(),
        },
        build_id: BuildId(3),
    }
}

#[tokio::test]
async fn every_directory_is_told_with_its_state_size_and_owner() {
    let workdir = tempfile::tempdir().unwrap();
    let jobs = workdir.path().join("jobs");
    let own_start = fs::read_to_string("/proc/self/stat").unwrap();
    let own_start = own_start.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().to_owned();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let own = std::process::id();
    for (job, files) in [
        ("ended", vec![("status", "0\n".to_owned()), ("pid", format!("{own} {own_start} {boot}"))]),
        ("lost", vec![("pid", format!("{own} 1 {boot}"))]),
        ("new", vec![("log", "x".repeat(300_000))]),
        ("rebooted", vec![("pid", format!("{own} {own_start} another-boot\n"))]),
        ("running", vec![("pid", format!("{own} {own_start} {boot}"))]),
        ("odd name", vec![]),
    ] {
        fs::create_dir_all(jobs.join(job)).unwrap();
        for (name, content) in files {
            fs::write(jobs.join(job).join(name), content).unwrap();
        }
    }
    fs::write(jobs.join("file"), "").unwrap();
    symlink("/", jobs.join("link")).unwrap();
    let written = |job: &str, content: &str| fs::write(jobs.join(job).join("manifest.json"), content).unwrap();
    written("ended", &serde_json::to_string_pretty(&manifest("ended")).unwrap());
    written("lost", &serde_json::to_string_pretty(&manifest("another")).unwrap());
    written("new", "{\n\u{1b}[2J");

    let strays = list(&LocalHost::here(), &workdir.path().to_str().unwrap().parse().unwrap(), true).await.unwrap();
    let seen: Vec<_> = strays.iter().map(|stray| (stray.job.as_str(), stray.progress)).collect();
    assert_eq!(
        seen,
        [
            ("ended", Progress::Ended),
            ("lost", Progress::Lost),
            ("new", Progress::New),
            ("rebooted", Progress::Lost),
            ("running", Progress::Running),
        ]
    );
    assert_eq!(strays[0].manifest, Some(manifest("ended")));
    assert!(strays[1..].iter().all(|stray| stray.manifest.is_none()), "{strays:?}");
    assert!((ByteSize::kib(290)..ByteSize::kib(400)).contains(&strays[2].size), "{:?}", strays[2]);
    assert!(strays.iter().all(|stray| stray.age < Duration::from_secs(600)), "{strays:?}");
}

#[test]
fn only_what_is_ours_and_over_and_not_in_the_books_is_removed() {
    let own: ControllerName = "capella-1".parse().unwrap();
    let other: ControllerName = "capella-2".parse().unwrap();
    let no_books = None::<&str>;
    let ours = Some(manifest("b1-1"));
    for (whose, progress, controller, books, fate) in [
        (&ours, Progress::Ended, Some(&own), no_books, Fate::Remove),
        (&ours, Progress::Lost, Some(&own), Some("b1-2"), Fate::Remove),
        (&ours, Progress::New, Some(&own), no_books, Fate::Remove),
        (&ours, Progress::Running, Some(&own), no_books, Fate::Keep(Keeper::Process)),
        (&ours, Progress::Ended, Some(&own), Some("b1-1"), Fate::Keep(Keeper::Books)),
        (&ours, Progress::Ended, Some(&other), no_books, Fate::Keep(Keeper::Controller(own.clone()))),
        (&ours, Progress::Ended, Some(&other), Some("b1-1"), Fate::Keep(Keeper::Books)),
        (&ours, Progress::Ended, None, no_books, Fate::Keep(Keeper::Controller(own.clone()))),
        (&None, Progress::Ended, Some(&own), no_books, Fate::Keep(Keeper::Nobody)),
    ] {
        let manifest = whose.clone();
        let job: JobName = "b1-1".parse().unwrap();
        let stray = Stray { job, manifest, progress, size: ByteSize(0), age: Duration::ZERO };
        assert_eq!(stray.fate(controller, |job| Some(job.as_str()) == books), fate, "{progress:?} {controller:?}");
    }
}

#[tokio::test]
async fn a_drone_that_never_built_has_none() {
    assert_eq!(list(&LocalHost::here(), &"/nowhere/swarm".parse().unwrap(), true).await.unwrap(), []);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(lines in prop::collection::vec("(job|manifest)? ?[a-z{}\".0-9 -]{0,30}", 0..20)) {
        let text: String = lines.iter().map(|line| format!("{MARK} {line}\n")).collect();
        let _ = parse(&text);
    }
}
