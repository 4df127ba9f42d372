//! Drones that are up and yet get no work, and come back by themselves.

use super::laboratory::Laboratory;

const ONE: [&str; 3] = ["push", "--on", "drone-izar"];

#[test]
fn a_drone_on_which_somebody_works_by_hand_gets_nothing_until_that_is_over() {
    let lab = Laboratory::up("by-hand");
    std::fs::create_dir_all(lab.shared("hold")).unwrap();
    std::fs::write(lab.shared("hold/sleeper"), "").unwrap();
    let by_hand = lab.on_beside("drone-izar", &["emerge", "--quiet", "--oneshot", "app-lab/sleeper"]);
    lab.wait("it compiles by hand", || lab.compiled().contains_key("app-lab/sleeper-1.0"));
    lab.swarm(&[&ONE[..], &["app-lab/hello"]].concat()).gives(4, &["unwell", "somebody else's emerge"]);
    assert!(!lab.compiled().contains_key("app-lab/hello-1.1-r1"));

    // A push that has others goes on there meanwhile.
    lab.swarm(&["push"]).gives(0, &["1 received, 0 failed"]);
    assert_ne!(lab.compiled()["app-lab/hello-1.1-r1"], ["drone-izar"]);
    lab.swarm(&["finalize"]).gives(0, &["is live"]);
    std::fs::remove_file(lab.shared("hold/sleeper")).unwrap();
    assert!(by_hand.wait_with_output().unwrap().status.success());
    lab.swarm(&[&ONE[..], &["app-lab/daemon"]].concat()).gives(0, &["4 received, 0 failed"]);
}

#[test]
fn a_drone_whose_clock_is_off_gets_nothing_until_it_is_set() {
    let lab = Laboratory::up("clock");
    // The lab's hosts share one clock; what the drone says of it is what counts.
    let wrong = "printf '#!/bin/sh\\nexec /bin/date -d @$(($(/bin/date +%%s) + 600)) \"$@\"\\n' >/usr/local/bin/date && \
        chmod +x /usr/local/bin/date && date";
    lab.on("drone-izar", wrong).gives(0, &[]);
    lab.swarm(&[&ONE[..], &["app-lab/hello"]].concat()).gives(4, &["unwell", "its clock is off by", "NTP"]);
    lab.on("drone-izar", "rm /usr/local/bin/date").gives(0, &[]);
    lab.swarm(&["push"]).gives(0, &["1 received, 0 failed"]);
}
