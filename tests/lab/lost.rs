//! Links that are lost and drones that go away, while something is built on them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::laboratory::Laboratory;

const SLEEPER: &str = "app-lab/sleeper-1.0";

fn hold(lab: &Laboratory, package: &str) {
    std::fs::create_dir_all(lab.shared("hold")).unwrap();
    std::fs::write(lab.shared("hold").join(package), "").unwrap();
}

fn release(lab: &Laboratory, package: &str) {
    std::fs::remove_file(lab.shared("hold").join(package)).unwrap();
}

fn drone_of(lab: &Laboratory) -> String {
    lab.wait_for("the build runs", |status| status["delegated"][SLEEPER]["drone"].is_string());
    lab.wait("it compiles", || lab.compiled().contains_key(SLEEPER));
    lab.status()["delegated"][SLEEPER]["drone"].as_str().unwrap().to_owned()
}

#[test]
fn a_pulled_cable_is_noticed_within_a_minute_and_costs_no_build() {
    let lab = Laboratory::up("cable");
    hold(&lab, "sleeper");
    let push = lab.swarm_beside(&["push", "app-lab/sleeper"]);
    let drone = drone_of(&lab);
    lab.lab(&["cut", &drone]).gives(0, &[]);
    let cut = Instant::now();
    lab.wait_for("the loss is noticed", |status| status["drones"][&drone]["state"] == "unreachable");
    assert!(cut.elapsed() < Duration::from_secs(60), "noticed after {:?}", cut.elapsed());
    lab.swarm(&["explain", "sleeper"])
        .gives(0, &["is away since", "another drone gets it where that one is not back by"]);
    release(&lab, "sleeper");
    lab.lab(&["heal", &drone]).gives(0, &[]);
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    lab.compiled_once(&[SLEEPER]);
}

#[test]
fn a_drone_that_stays_away_loses_its_build_and_is_cleaned_when_it_is_back_with_its_key_alone() {
    let lab = Laboratory::up("away");
    lab.edit_inventory(|text| text.replacen("state = ", "lost_after = \"5s\"\nstate = ", 1));
    hold(&lab, "sleeper");
    let push = lab.swarm_beside(&["push", "app-lab/sleeper"]);
    let drone = drone_of(&lab);
    // The key that it will have once it is switched on again.
    let renew = "cp -a /etc/ssh /etc/ssh.own && rm /etc/ssh/lab_host_key* && \
                 ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lab_host_key";
    lab.on(&drone, renew).gives(0, &[]);
    lab.lab(&["power-off", &drone]).gives(0, &[]);
    lab.wait("another drone has it", || lab.compiled()[SLEEPER].len() == 2);
    let status = lab.status();
    assert_ne!(status["delegated"][SLEEPER]["drone"], drone.as_str(), "{status}");

    // Back with another key: not a word is spoken with it.
    lab.lab(&["power-on", &drone]).gives(0, &[]);
    lab.wait_for("the key is refused", |status| status["drones"][&drone]["state"] == "refused");
    let left = format!("test -e /var/lib/swarm/jobs/{}", lab.on(&drone, "ls /var/lib/swarm/jobs").said.trim());
    lab.on(&drone, &left).gives(0, &[]);

    release(&lab, "sleeper");
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    lab.on(&drone, "rm -r /etc/ssh && mv /etc/ssh.own /etc/ssh").gives(0, &[]);
    lab.lab(&["power-off", &drone]).gives(0, &[]);
    lab.lab(&["power-on", &drone]).gives(0, &[]);
    // A push cleans a drone as soon as it reaches it, and waits for none: this one lasts until that is done.
    hold(&lab, "hello");
    let push = lab.swarm_beside(&["push", "--replace", "app-lab/hello"]);
    lab.wait("the drone is cleaned", || lab.on(&drone, &left).status == 1);
    release(&lab, "hello");
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn two_controllers_never_build_one_package_twice() {
    let lab = Laboratory::up("rivals");
    let text = std::fs::read_to_string(lab.inventory()).unwrap();
    let other = lab.file("other.toml");
    std::fs::write(&other, text.replace("/controller/", "/other/")).unwrap();
    let other = other.to_str().unwrap();
    hold(&lab, "sleeper");
    let first = lab.swarm_beside(&["push", "app-lab/sleeper"]);
    drone_of(&lab);
    lab.swarm(&["--inventory", other, "push", "app-lab/sleeper"]).gives(6, &["is at work on", "--take-over"]);
    let second = lab.swarm_beside(&["--inventory", other, "push", "--take-over"]);
    let output = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(6) && said.contains("epoch 2"), "{said}");
    release(&lab, "sleeper");
    let output = second.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(0) && said.contains("found there as job"), "{said}");
    lab.compiled_once(&[SLEEPER]);
}

#[test]
fn verbs_reach_the_controller_at_work_and_a_second_interrupt_ends_the_builds() {
    let lab = Laboratory::up("verbs-at-work");
    hold(&lab, "sleeper");
    let mut push = lab.swarm_beside(&["push", "app-lab/sleeper"]);
    let drone = drone_of(&lab);
    lab.swarm(&["drain", &drone]).gives(0, &["gets no new work; 1 of its jobs go on"]);
    assert_eq!(lab.status()["drones"][&drone]["state"], "draining");
    lab.swarm(&["unblock", "sleeper"]).gives(1, &["has neither failed nor is it blocked"]);
    lab.swarm(&["balance"]).gives(0, &["0 packages wait"]);
    let mut said = BufReader::new(push.stderr.take().unwrap());
    let signal = |push: &Child| Command::new("kill").args(["-INT", &push.id().to_string()]).status().unwrap();
    signal(&push);
    // Two signals that wait at the same time are one: the second goes off once the first has been answered.
    read_up_to(&mut said, "interrupted: 1 builds go on");
    signal(&push);
    read_up_to(&mut said, "are being ended");
    assert_eq!(push.wait_with_output().unwrap().status.code(), Some(130));
    let clean = "ls /var/lib/swarm/jobs; grep -lz '^SWARM_JOB=' /proc/[0-9]*/environ 2>/dev/null; :";
    assert_eq!(lab.on(&drone, clean).said, "");
    assert_eq!(lab.status()["needed"].as_array().unwrap().len(), 1);

    // The drained one gets nothing; a reset while another builds ends that build.
    let push = lab.swarm_beside(&["push"]);
    lab.wait("it compiles again", || lab.compiled()[SLEEPER].len() == 2);
    let status = lab.status();
    let second = status["delegated"][SLEEPER]["drone"].as_str().unwrap();
    assert_ne!(second, drone);
    lab.swarm(&["reset"]).gives(1, &["--yes"]);
    lab.swarm(&["reset", "--yes"]).gives(0, &["is forgotten"]);
    assert_eq!(push.wait_with_output().unwrap().status.code(), Some(1));
    assert!(lab.status()["build"].is_null());
    assert_eq!(lab.on(second, clean).said, "");
}

/// Reads what a push says until it has said this.
fn read_up_to(said: &mut impl BufRead, wanted: &str) {
    assert!(said.lines().any(|line| line.unwrap().contains(wanted)), "the push ended without saying {wanted:?}");
}
