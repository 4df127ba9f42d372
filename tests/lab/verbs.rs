//! What an operator says to a build that goes on: in the background, beside it, and where it hangs.

use std::process::Command;

use super::laboratory::Laboratory;

/// Job directories beside the one of a build that runs: its manifest, under another name, makes one ours.
const STRAYS: &str = r#"
cd /var/lib/swarm/jobs || exit
live=$1
of() { mkdir "$1"; sed "s/$live/$1/" "$live/manifest.json" >"$1/manifest.json"; }
of ours-over; echo 0 >ours-over/status
of ours-lost; echo "1 1 another-boot" >ours-lost/pid
of ours-running; cp "$live/pid" ours-running/pid
of theirs; sed -i 's/"controller": "[^"]*"/"controller": "another-1"/' theirs/manifest.json; echo 0 >theirs/status
mkdir nobodys; echo 0 >nobodys/status
"#;

fn signal(process: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, process]).status().unwrap().success());
}

#[test]
fn a_push_in_the_background_goes_on_by_itself_while_it_is_watched_and_strays_are_cleaned_away() {
    let lab = Laboratory::up("background");
    std::fs::write(lab.shared("hold/sleeper"), "").unwrap();
    lab.swarm(&["push", "--detach", "app-lab/masked"]).gives(1, &["the driver capella has no plan for"]);
    let pushed = lab.swarm(&["push", "--detach", "--on", "drone-izar", "app-lab/sleeper"]);
    pushed.gives(0, &["goes on in the background", "`swarm status`", "`swarm logs -f PKG`", "logs/push.log"]);
    let build = lab.status()["build"]["id"].as_str().unwrap().to_owned();
    let process = pushed.said.split_once("by process ").unwrap().1.split_whitespace().next().unwrap();
    assert!(pushed.said.contains(&format!("build {build} goes on")), "{}", pushed.said);

    // It is the leader of its session, and a terminal that is closed does not end it.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    assert_eq!(stat.rsplit(") ").next().unwrap().split(' ').nth(3), Some(process), "{stat}");
    signal(process, "-HUP");
    lab.wait("the build runs", || lab.compiled().contains_key("app-lab/sleeper-1.0"));
    lab.swarm(&["push", "--detach"]).gives(6, &["another controller is at work", process]);

    // Beside it the status is redrawn on a terminal, and nowhere else.
    lab.swarm(&["status", "--watch"]).gives(1, &["--watch redraws a terminal"]);
    let (screen, watcher) = (lab.file("screen"), lab.file("watcher"));
    let program = env!("CARGO_BIN_EXE_swarm");
    let command = format!("echo $$ >{}; exec {program} status --watch", watcher.display());
    let watch = lab.run_beside(&["script", "-qfec", &command, screen.to_str().unwrap()]);
    let shows = |text: &str| std::fs::read_to_string(&screen).is_ok_and(|seen| seen.contains(text));
    lab.wait("the status is drawn", || shows(&format!("build {build} (open)")));
    let follow = lab.swarm_beside(&["logs", "-f", "sleeper"]);

    let job = lab.status()["delegated"]["app-lab/sleeper-1.0"]["job"].as_str().unwrap().to_owned();
    lab.lab(&["exec", "drone-izar", "sh", "-c", STRAYS, "sh", &job]).gives(0, &[]);
    lab.swarm(&["hosts", "check", "drone-izar"]).gives(0, &["ours-over", "nobodys"]);
    lab.swarm(&["hosts", "check", "--clean", "--dry-run", "drone-izar"])
        .gives(0, &["drone-izar: ours-over would be removed", "drone-izar: theirs is left"]);
    lab.swarm(&["hosts", "check", "--clean", "drone-izar"]).gives(
        0,
        &[
            "drone-izar: ours-over is removed",
            "drone-izar: ours-lost is removed",
            "drone-izar: ours-running is left: it still runs",
            "drone-izar: theirs is left: it belongs to the controller another-1",
            "drone-izar: nobodys is left: it has no manifest",
            "`swarm exec --on drone-izar -- rm -r /var/lib/swarm/jobs/nobodys`",
        ],
    );
    let left = lab.on("drone-izar", "cd /var/lib/swarm/jobs; echo *; rm -r ours-running theirs nobodys").said;
    assert_eq!(left.trim(), format!("{job} nobodys ours-running theirs"));
    lab.swarm(&["hosts", "check", "--clean", "drone-izar"]).gives(0, &["No drone has anything that is to be removed"]);

    std::fs::remove_file(lab.shared("hold/sleeper")).unwrap();
    let followed = follow.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&followed.stdout);
    assert!(followed.status.success() && said.contains("app-lab/sleeper-1.0") && said.contains("tick"), "{said}");
    lab.wait("it has ended", || !std::path::Path::new(&format!("/proc/{process}")).exists());
    let log = std::fs::read_to_string(lab.controller("state/logs/push.log")).unwrap();
    assert!(log.contains("1 received, 0 failed"), "{log}");
    lab.wait("the end is drawn", || shows(&format!("build {build} (over)")));
    signal(std::fs::read_to_string(&watcher).unwrap().trim(), "-INT");
    assert!(watch.wait_with_output().unwrap().status.success());
    assert!(shows("\u{1b}[?25h\u{1b}[?1049l"), "the terminal is left as it was");

    lab.swarm(&["finalize"]).gives(0, &["is live"]);
    lab.swarm(&["push", "--detach", "app-lab/sleeper"]).gives(0, &["nothing is to be built: release"]);
    lab.compiled_once(&["app-lab/sleeper-1.0"]);
    lab.on("drone-izar", "test -z \"$(ls /var/lib/swarm/jobs)\"").gives(0, &[]);
}

#[test]
fn a_build_that_hangs_or_lasts_too_long_is_ended_counts_against_its_drone_and_is_built_elsewhere() {
    let lab = Laboratory::up("hanging");
    lab.edit_inventory(|text| {
        let limits = "[packages.'app-lab/sleeper']\nsilence = '15s'\n[packages.'app-lab/hel*']\nlimit = '15s'\n";
        format!("{text}\n{limits}")
    });
    let held = ["app-lab/sleeper-1.0", "app-lab/hello-1.1-r1"];
    for knob in ["hold/sleeper", "hold/hello"] {
        std::fs::write(lab.shared(knob), "").unwrap();
    }
    let push = lab.swarm_beside(&["push", "app-lab/sleeper", "app-lab/hello"]);
    lab.wait("both builds run", || lab.compiled().len() == 2);
    let first: Vec<String> = held.iter().map(|cpv| lab.compiled()[*cpv][0].clone()).collect();
    for (knob, drone) in ["hold/sleeper", "hold/hello"].into_iter().zip(&first) {
        std::fs::write(lab.shared(knob), drone).unwrap();
    }
    for drone in &first {
        lab.wait_for("the drone is grounded", |status| status["drones"][drone]["state"] == "grounded");
    }
    let output = push.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("2 received, 0 failed"), "{said}");
    let reasons = ["timeout: no output for ", "timeout: not done after "];
    for ((cpv, drone), reason) in held.iter().zip(&first).zip(reasons) {
        assert!(said.contains(&format!("not built  {cpv} on {drone}: {reason}")), "{said}");
        lab.swarm(&["explain", cpv]).gives(0, &[&format!("tried on {drone}"), reason]);
        let hosts = &lab.compiled()[*cpv];
        assert!(hosts.len() == 2 && hosts[1] != *drone, "{cpv} was built on {hosts:?}");
    }
    for drone in ["drone-izar", "drone-tarn", "drone-vega"] {
        lab.on(drone, "test -z \"$(ls /var/lib/swarm/jobs 2>/dev/null)\"").gives(0, &[]);
    }
}
