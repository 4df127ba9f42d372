//! What is shipped for systemd and OpenRC, held against these themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::has;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// The exposure that systemd may find in a unit at the most, in tenths: from 0 to 100.
const EXPOSURE: &str = "--threshold=20";

#[test]
fn systemd_takes_the_units_as_they_are_and_finds_little_exposed() {
    if !has("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for unit in ["swarm-orchestrator.service", "swarm-gateway.service"] {
        let text = std::fs::read_to_string(shipped("systemd").join(unit)).unwrap();
        let file = directory.path().join(unit);
        std::fs::write(&file, text.replace("/usr/bin/swarm ", concat!(env!("CARGO_BIN_EXE_swarm"), " "))).unwrap();
        for arguments in [&["verify", "--man=no"][..], &["security", "--offline=true", EXPOSURE]] {
            let output = Command::new("systemd-analyze").args(arguments).arg(&file).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(output.status.success(), "{unit}: {said}");
            // It warns of keys that it does not know.
            assert!(arguments[0] != "verify" || said.is_empty(), "{unit}: {said}");
        }
    }
}

#[test]
fn openrc_starts_reloads_and_stops_both_services_and_starts_one_again_that_was_killed_or_hangs() {
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lib/common.sh");
    let script = format!(". {} && printf %s \"$OPENRC\"", common.display());
    let place = Command::new("bash").args(["-c", &script]).output().unwrap().stdout;
    let files = Path::new(&String::from_utf8(place).unwrap()).join("files");
    if !rustix::process::geteuid().is_root() || !files.with_file_name("complete").exists() {
        eprintln!("skipped: it takes root, and {}, which `tests/run` as root puts there", files.display());
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["60", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--propagation", "private"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/services/openrc.sh"))
        .args([files, shipped("openrc"), env!("CARGO_BIN_EXE_swarm").into(), scratch.path().to_owned()])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    for (words, times) in [
        ("http://127.0.0.1:8091/packages", 1),
        ("status: started", 2),
        ("Uid: 65534 65534 65534 65534 CapEff: 0000000000000000 NoNewPrivs: 1", 2),
        ("one that was killed is back", 1),
        ("one that hung is back", 1),
        ("status: stopped", 2),
    ] {
        assert!(said.matches(words).count() >= times, "{words:?} is not in:\n{said}");
    }
    assert!(!said.contains("is still there") && !said.contains("[ !! ]"), "{said}");
}
