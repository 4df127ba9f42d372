//! What `swarm schedule` writes, held against Debian's own cron.

use std::path::Path;
use std::process::Command;

use super::place::{Place, has};

#[test]
fn debians_cron_reads_the_entry_and_refuses_a_bad_one_and_check_says_so() {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/sbin/cron").exists() || !has("python3") {
        eprintln!("skipped: it takes root, cron and python3, which `tests/run` as root installs");
        return;
    }
    let place = Place::new("", "");
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["100", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/services/cron.sh"))
        .args([Path::new(env!("CARGO_BIN_EXE_swarm")), scratch.path(), &place.path("fleet.toml")])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let parts: Vec<&str> = said.split("--- ").collect();
    let expected: [(&str, i32, &[&str]); 8] = [
        ("check\n", 1, &["no playbook is started by an entry of ours here"]),
        ("install nightly-world --cron\n", 0, &["wrote /etc/cron.d/swarm-nightly-world", "next: ", " 02:30 "]),
        ("install nightly-world --cron\n", 0, &["/etc/cron.d/swarm-nightly-world is as it should be"]),
        (
            "check nightly-world\n",
            0,
            &[
                "/etc/cron.d/swarm-nightly-world is as it was written",
                "Debian's cron runs (process ",
                "it is read: the daemon was started after it was written",
                "next: ",
                "one that comes twice fires once",
            ],
        ),
        ("check bad\n", 1, &["\"61\" is no minute", "it is refused: ", "ERROR (Syntax error"]),
        ("check nightly-world\n", 1, &["others may write it (mode 666)"]),
        ("check nightly-world\n", 1, &["Debian's cron does not run: start it"]),
        ("remove nightly-world\n", 0, &["removed /etc/cron.d/swarm-nightly-world"]),
    ];
    for (index, (verb, status, words)) in expected.into_iter().enumerate() {
        let (told, end) = (parts[2 * index + 1], parts[2 * index + 2]);
        assert!(told.starts_with(verb) && end.starts_with(&format!("status {status}\n")), "{verb}{told}{end}");
        for word in words {
            assert!(told.contains(word), "{word:?} is not in {told}");
        }
    }
    assert!(said.ends_with("\nswarm-bad\n"), "{said}");
}
