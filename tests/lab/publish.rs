//! A release on every orchestrator.

use super::laboratory::Laboratory;

const ORCHESTRATORS: &str = r#"
[orchestrators.orch-izar]
address = "10.42.0.201"
priority = 100
binhost = "http://10.42.0.201/packages"

[orchestrators.orch-tarn]
address = "192.168.20.201"
priority = 200
binhost = "http://192.168.20.201/packages"
"#;

/// Puts the orchestrators into the inventory, and a limit that is far from being reached.
fn list(lab: &Laboratory) {
    lab.edit_inventory(|text| text.replacen("state = ", "bandwidth_limit = \"100MB/s\"\nstate = ", 1) + ORCHESTRATORS);
}

/// What is live there is what is live here, to the byte.
fn shows(lab: &Laboratory, orchestrator: &str) -> bool {
    let production = lab.controller("production");
    let root = lab.root(orchestrator).display().to_string();
    let there = format!("{root}{}", std::fs::canonicalize(production.parent().unwrap()).unwrap().display());
    // The symlink is relative: seen from here it leads into the host's own tree.
    let there = format!("{there}/production");
    std::process::Command::new("diff")
        .arg("-r")
        .args([production.to_str().unwrap(), &there])
        .status()
        .unwrap()
        .success()
}

#[test]
fn a_release_goes_to_every_orchestrator_and_to_one_that_was_away_with_the_next_command() {
    let lab = Laboratory::up("publish");
    lab.lab(&["up", "orch-izar", "orch-tarn"]).gives(0, &[]);
    list(&lab);
    lab.swarm(&["push", "app-lab/hello", "--finalize"])
        .gives(0, &["orch-izar: release 000001-000001 is live there; 3 files", "orch-tarn: release 000001-000001"]);
    assert!(shows(&lab, "orch-izar") && shows(&lab, "orch-tarn"));

    // What was lost there behind our back comes again for who asks.
    let production = std::fs::canonicalize(lab.controller("production").parent().unwrap()).unwrap().join("production");
    lab.on("orch-tarn", &format!("rm {}", production.display())).gives(0, &[]);
    lab.swarm(&["finalize"]).gives(
        0,
        &[
            "nothing waits for its release; each orchestrator is looked at",
            "orch-izar: release 000001-000001 is live there already",
            "orch-tarn: release 000001-000001 is live there; 0 files were sent",
        ],
    );
    assert!(shows(&lab, "orch-tarn"));

    lab.lab(&["power-off", "orch-tarn"]).gives(0, &[]);
    lab.swarm(&["push", "app-lab/viewer"]).gives(0, &["all is received"]);
    lab.swarm(&["finalize"])
        .gives(0, &["orch-izar: release 000001-000002 is live", "orch-tarn: release 000001-000002 did not"]);
    lab.swarm(&["status"]).gives(0, &["behind: orch-tarn has 000001-000001"]);
    lab.lab(&["power-off", "orch-izar"]).gives(0, &[]);
    lab.swarm(&["finalize"]).gives(1, &["nothing waits for its release", "orch-tarn: release 000001-000002 did not"]);

    lab.lab(&["power-on", "orch-tarn"]).gives(0, &[]);
    lab.lab(&["power-on", "orch-izar"]).gives(0, &[]);
    // The lab writes its inventory anew for a host that comes up.
    list(&lab);
    lab.swarm(&["push", "app-lab/viewer"]).gives(0, &["orch-tarn: release 000001-000002 is live there"]);
    assert!(shows(&lab, "orch-tarn"));
    assert!(!lab.swarm(&["status"]).said.contains("behind"));
}
