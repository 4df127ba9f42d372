//! `swarm push --detach` where nothing comes of it: what the process in the background says and how it ends is passed on.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// An inventory whose driver is behind this port of this machine.
fn place(port: u16) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let below = |name: &str| place.path().join(name).display().to_string();
    let inventory = format!(
        "[swarm]\ndriver = 'capella'\nstate = '{}'\nstaging = '{}'\nproduction = '{}'\n\
         [hosts.capella]\naddress = '127.0.0.1'\nport = {port}\n[drones.izar]\naddress = '127.0.0.1'\nport = {port}\n",
        below("state"),
        below("staging"),
        below("production"),
    );
    std::fs::write(place.path().join("fleet.toml"), inventory).unwrap();
    place
}

fn push(place: &TempDir, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_swarm"))
        .args(["--inventory", "fleet.toml", "push", "--detach"])
        .args(arguments)
        .current_dir(place.path())
        .env("HOME", place.path())
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn gives(output: &Output, status: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in:\n{said}");
    }
}

#[test]
fn a_push_that_cannot_begin_ends_as_it_would_in_the_foreground() {
    let place = place(1);
    let output = push(&place, &["app-misc/foo"]).wait_with_output().unwrap();
    gives(&output, 1, &["swarm: ", "capella", "127.0.0.1"]);
    let log = std::fs::read_to_string(place.path().join("state/logs/push.log")).unwrap();
    assert_eq!(log, String::from_utf8_lossy(&output.stderr), "the log has just what was passed on");
    gives(&push(&place, &["--list", "-"]).wait_with_output().unwrap(), 1, &["there is no standard input"]);
    gives(&push(&place, &["--dry-run"]).wait_with_output().unwrap(), 2, &["cannot be used with"]);
}

#[test]
fn an_interrupt_while_it_waits_for_the_plan_ends_the_process_in_the_background_too() {
    // Whoever connects here waits for a word that never comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = place(silent.local_addr().unwrap().port());
    let push = push(&place, &["app-misc/foo"]);
    let (socket, lock) = (place.path().join("state/control.sock"), place.path().join("state/controller.lock"));
    let begun = Instant::now();
    while !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the controller never came up");
        // Not to wait for it, but to leave the processors to what is waited for.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-s", "INT", &push.id().to_string()]).status().unwrap().success());
    gives(&push.wait_with_output().unwrap(), 130, &["the controller in the background has ended, too"]);
    assert!(!socket.exists());
    assert!(Command::new("flock").arg("-n").arg(&lock).arg("true").status().unwrap().success());
}
