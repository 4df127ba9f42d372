//! What is live already is not built again.

use super::laboratory::Laboratory;

#[test]
fn what_is_live_in_just_the_wanted_form_counts_as_received_and_is_fed_to_the_rest() {
    let lab = Laboratory::up("reuse");
    lab.swarm(&["push", "--finalize", "app-lab/daemon"]).gives(0, &["is live"]);
    let live = lab.compiled();
    assert!(live.contains_key("dev-lab/libbar-1.0"), "{live:?}");

    // The rest is built upon it; the next release is complete and the packages are the same files.
    let pushed = lab.swarm(&["push", "app-lab/suite"]);
    pushed.gives(0, &["4 of 15 packages are in release", "count as received", "dev-lab/libbar-1.0"]);
    assert_eq!(lab.status()["received"].as_array().unwrap().len(), 15);
    assert!(lab.compiled().values().all(|hosts| hosts.len() == 1), "{:?}", lab.compiled());
    lab.swarm(&["finalize"]).gives(0, &["is live"]);
    assert_eq!(std::fs::read_dir(lab.controller("staging")).unwrap().count(), 1, "staging holds .incoming alone");

    // A binhost that nobody remembers is asked file by file.
    std::fs::remove_dir_all(lab.controller("state")).unwrap();
    lab.swarm(&["push", "--take-over", "app-lab/suite"]).gives(0, &["has the 15 packages just as wanted"]);
    lab.swarm(&["push", "--take-over", "--rebuild", "app-lab/hello"]).gives(0, &["1 received, 0 failed"]);
    assert_eq!(lab.compiled()["app-lab/hello-1.1-r1"].len(), 2);
    assert_eq!(lab.compiled()["app-lab/daemon-0.9_beta1"].len(), 1);
}
