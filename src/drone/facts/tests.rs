//! The script on this machine, its answer as a host gives it, and what is said of it.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::check::Place;
use super::*;

const ANSWER: &str = "\
Last login: never
\tswarm-fact:user=7

swarm-fact:time=1000
swarm-fact:user=0
swarm-fact:hostname=drone-izar
swarm-fact:kernel=6.6.1-gentoo
swarm-fact:machine=x86_64
swarm-fact:boot=6ae0cd69-7c2a-4a3f-a9a1-000000000001
swarm-fact:load=0.52
swarm-fact:cores=16
swarm-fact:processor=AMD Ryzen 7 \u{1b}[31mred
swarm-fact:memory_total=12000000
swarm-fact:memory_available=
swarm-fact:workdir_free=2097152
swarm-fact:workdir_writable=yes
swarm-fact:temporary_free=51200000
swarm-fact:program=emerge
swarm-fact:program=portageq
swarm-fact:program=flock
swarm-fact:program=setsid
swarm-fact:program=tar
swarm-fact:program=rm
swarm-fact:portage=3.0.83
swarm-fact:profile=/var/db/repos/gentoo/profiles/default/linux/amd64/23.0
swarm-fact:portage.CHOST=x86_64-pc-linux-gnu
swarm-fact:portage.FEATURES='buildpkg network-sandbox'
swarm-fact:portage.BINPKG_FORMAT=gpkg
swarm-fact:python=/usr/bin/python3.13
some program's chatter
swarm-fact:end=yes
";

fn facts(change: impl Fn(&str) -> String) -> Facts {
    parse(&change(ANSWER), 998..=1003).unwrap()
}

#[test]
fn an_answer_is_read_between_whatever_else_a_host_prints() {
    let facts = facts(str::to_owned);
    let portage = facts.portage.clone().unwrap();
    assert_eq!((facts.root, facts.clock_ahead_s, facts.cores, facts.load), (true, 0, Some(16), Some(0.52)));
    assert_eq!((facts.memory_total_mib, facts.memory_available_mib), (Some(11718), None));
    assert_eq!((facts.workdir_free_mib, facts.workdir_writable), (Some(2048), true));
    assert_eq!(facts.processor.as_deref(), Some("AMD Ryzen 7 [31mred"), "no control characters");
    assert_eq!(facts.programs, BTreeSet::from(Program::ALL));
    assert_eq!(portage.version.as_deref(), Some("3.0.83"));
    assert_eq!(portage.profile.as_deref(), Some("default/linux/amd64/23.0"));
    assert_eq!(portage.features, BTreeSet::from(["buildpkg".to_owned(), "network-sandbox".to_owned()]));
    assert_eq!(portage.package_format, Some(PackageFormat::Gpkg));
    assert_eq!(check(&facts, Duty::Build), []);
    assert_eq!(check(&facts, Duty::Plan), []);
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    for (without, error) in [
        ("swarm-fact:end=yes", FactsError::Incomplete),
        ("swarm-fact:time=1000", FactsError::Missing("the time")),
        ("swarm-fact:user=0", FactsError::Missing("the user id")),
    ] {
        assert_eq!(parse(&ANSWER.replace(without, ""), 0..=1), Err(error));
    }
}

#[test]
fn a_clock_is_only_off_by_more_than_the_way_there_accounts_for() {
    for (theirs, ahead) in [(1000, 0), (1010, 0), (1005, 0), (1011, 1), (999, -1), (4000, 2990), (i64::MIN, i64::MIN)] {
        assert_eq!(super::ahead(theirs, 1000..=1010), ahead);
    }
}

#[test]
fn what_has_to_be_mended_is_found_with_its_cure() {
    for (from, to, finding, cure) in [
        ("user=0", "user=1000", Finding::NotRoot, "become"),
        ("program=emerge\n", "\n", Finding::NoProgram(Program::Emerge), "Gentoo"),
        ("program=flock\n", "\n", Finding::NoProgram(Program::Flock), "sys-apps/util-linux"),
        ("program=setsid\n", "\n", Finding::NoProgram(Program::Setsid), "sys-apps/util-linux"),
        ("portage=3.0.83", "portage=", Finding::BrokenPortage, "emerge --version"),
        ("python=/usr/bin/python3.13", "python=", Finding::NoPython, "sys-apps/portage"),
        ("workdir_writable=yes", "", Finding::WorkdirNotWritable, "workdir"),
        ("workdir_free=2097152", "workdir_free=1024", Finding::LittleDisk(Place::Workdir, 1), "free some space"),
        ("temporary_free=51200000", "temporary_free=0", Finding::LittleDisk(Place::Temporary, 0), "/var/tmp"),
        ("FORMAT=gpkg", "FORMAT=xpak", Finding::PackageFormat, "BINPKG_FORMAT=\"gpkg\""),
        ("time=1000", "time=1100", Finding::Clock(97), "chrony"),
        ("time=1000", "time=900", Finding::Clock(-98), "chrony"),
    ] {
        let findings = check(&facts(|answer| answer.replace(from, to)), Duty::Build);
        assert_eq!(findings, std::slice::from_ref(&finding), "{from} -> {to}");
        assert!(finding.cure().contains(cure), "{}", finding.cure());
    }
}

#[test]
fn one_cause_is_told_once() {
    let user = facts(|answer| answer.replace("user=0", "user=7").replace("workdir_writable=yes", ""));
    assert_eq!(check(&user, Duty::Build), [Finding::NotRoot]);
    let bare = facts(|answer| answer.replace("program=emerge\n", "\n").replace("program=portageq\n", "\n"));
    assert_eq!(check(&bare, Duty::Build), [Finding::NoProgram(Program::Emerge)]);
}

#[test]
fn less_is_asked_of_a_host_that_does_not_build() {
    let bare = facts(|answer| answer.replace("program=emerge\n", "\n").replace("user=0", "user=1000"));
    assert_eq!(check(&bare, Duty::Other), []);
    assert_eq!(check(&bare, Duty::Plan), [Finding::NoProgram(Program::Emerge)]);
}

#[test]
fn the_script_runs_in_this_machines_shell() {
    let script = Script::new(include_str!("facts.sh")).set("workdir", "/nowhere/below/it's");
    let mut shell = Command::new("/bin/sh")
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), script.text().as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let facts = parse(&String::from_utf8(output.stdout).unwrap(), 0..=i64::MAX).unwrap();
    assert!(facts.cores.is_some() && facts.memory_total_mib.is_some() && facts.load.is_some(), "{facts:?}");
    for (path, told) in [("/", facts.workdir_free_mib), ("/var/tmp", facts.temporary_free_mib)] {
        let disk = rustix::fs::statvfs(path).unwrap();
        let free = disk.f_bavail * disk.f_frsize / (1 << 20);
        // Others write to this disk meanwhile.
        assert!((free / 2..=free * 2).contains(&told.unwrap()), "{path}: {free}, {facts:?}");
    }
    assert_eq!(facts.boot_id.len(), 36);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(keys in prop::collection::vec(("[a-z_.A-Z]{1,8}", ".{0,40}"), 0..20), tail in ".*") {
        let noise: String = keys.iter().map(|(key, value)| format!("{MARK}{key}={value}\n")).collect();
        let _ = parse(&format!("{noise}{ANSWER}{tail}"), 0..=10);
        let _ = parse(&tail, 0..=10);
    }
}
