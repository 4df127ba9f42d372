//! Plan, build, collect, verify, release, install.

use swarm::portage::index::{Index, Limits};

use super::laboratory::Laboratory;

#[test]
fn a_world_of_fifteen_packages_is_compiled_once_and_its_index_is_what_emaint_writes() {
    let lab = Laboratory::up("world");
    lab.swarm(&["push", "--world", "--finalize"]).gives(0, &["15 received, 0 failed", "is live"]);
    let counts = lab.compiled();
    assert_eq!(counts.len(), 15, "{counts:?}");
    assert!(counts.values().all(|hosts| hosts.len() == 1), "{counts:?}");

    let production = std::fs::canonicalize(lab.controller("production")).unwrap();
    let ours = Index::parse(&std::fs::read(production.join("Packages")).unwrap(), Limits::default()).unwrap();
    let root = lab.root("client").display().to_string();
    let there = format!("{root}/var/cache/binpkgs");
    std::fs::create_dir_all(&there).unwrap();
    let copy = std::process::Command::new("cp").args(["-a", &format!("{}/.", production.display()), &there]).status();
    assert!(copy.unwrap().success());
    std::fs::remove_file(format!("{there}/Packages")).unwrap();
    std::fs::remove_file(format!("{there}/Packages.gz")).unwrap();
    lab.on("client", "emaint binhost --fix").gives(0, &[]);
    let theirs = Index::parse(&std::fs::read(format!("{there}/Packages")).unwrap(), Limits::default()).unwrap();
    let sorted = |index: Index| {
        let mut stanzas = index.stanzas;
        stanzas.sort_by_cached_key(|stanza| stanza.path().to_string());
        stanzas
    };
    assert_eq!(sorted(ours), sorted(theirs));
    lab.on("client", "emerge --quiet --oneshot --usepkgonly app-lab/suite").gives(0, &[]);
}

#[test]
fn an_older_library_on_a_drone_is_replaced_before_what_needs_the_newer_one_is_built() {
    let lab = Laboratory::up("older");
    for drone in ["drone-izar", "drone-tarn", "drone-vega"] {
        lab.on(drone, "emerge --quiet --oneshot =dev-lab/libfoo-1.0").gives(0, &[]);
    }
    lab.lab(&["forget"]);
    lab.swarm(&["push", "app-lab/consumer"]).gives(0, &["5 received, 0 failed"]);
    assert!(lab.compiled().values().all(|hosts| hosts.len() == 1), "{:?}", lab.compiled());
}

#[test]
fn a_drones_own_binhost_and_options_are_not_used_and_a_job_is_as_wide_as_it_was_decided() {
    let lab = Laboratory::up("foreign");
    let poison = "emerge --quiet --oneshot --buildpkg app-lab/hello && emerge --quiet --unmerge app-lab/hello && \
        printf '[foreign]\\npriority = 9\\nsync-uri = file:///var/cache/binpkgs\\n' >/etc/portage/binrepos.conf && \
        printf '%s\\n' 'FEATURES=\"${FEATURES} getbinpkg\"' 'EMERGE_DEFAULT_OPTS=\"--usepkg --getbinpkg\"' \
        'MAKEOPTS=\"-j77\"' >>/etc/portage/make.conf";
    lab.on("drone-izar", poison).gives(0, &[]);
    lab.lab(&["forget"]);
    // The drone itself would take it.
    lab.on("drone-izar", "emerge --pretend app-lab/hello").gives(0, &["[binary"]);
    lab.swarm(&["push", "app-lab/hello", "--on", "drone-izar"]).gives(0, &["1 received, 0 failed"]);
    lab.compiled_once(&["app-lab/hello-1.1-r1"]);
    let log = lab.swarm(&["logs", "app-lab/hello"]).said;
    assert!(log.contains("MAKEOPTS is -j") && !log.contains("-j77") && log.contains("--load-average="), "{log}");
}

#[test]
fn an_interrupted_push_leaves_its_builds_and_the_next_one_takes_them_up() {
    let lab = Laboratory::up("interrupt");
    std::fs::create_dir_all(lab.shared("hold")).unwrap();
    std::fs::write(lab.shared("hold/sleeper"), "").unwrap();
    let push = lab.swarm_beside(&["push", "app-lab/sleeper"]);
    lab.wait_for("the build runs", |_| lab.compiled().contains_key("app-lab/sleeper-1.0"));

    lab.swarm(&["push", "app-lab/sleeper"]).gives(6, &["another controller is at work"]);
    // The controller at work answers.
    lab.swarm(&["finalize"]).gives(1, &["is not complete: 0 failed, 1 not built"]);

    std::process::Command::new("kill").args(["-INT", &push.id().to_string()]).status().unwrap();
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(lab.shared("hold/sleeper")).unwrap();
    lab.swarm(&["push"]).gives(0, &["taken up again", "1 received"]);
    lab.compiled_once(&["app-lab/sleeper-1.0"]);
    for drone in ["drone-izar", "drone-tarn", "drone-vega"] {
        lab.on(drone, "test -z \"$(ls /var/lib/swarm/jobs 2>/dev/null)\"").gives(0, &[]);
    }
    lab.swarm(&["logs", "sleeper"]).gives(0, &["app-lab/sleeper-1.0"]);
}
