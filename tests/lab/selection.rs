//! The ways to say what is wanted, and the ways to have it installed.

use serde_json::Value;

use super::laboratory::Laboratory;

#[test]
fn a_list_and_a_pretended_emerge_say_what_is_wanted_as_atoms_do() {
    let lab = Laboratory::up("selections");
    let pretended =
        lab.on("capella", "emerge --pretend --verbose dev-lab/libbar 2>/dev/null").gives(0, &[]).said.clone();
    let (pretend, list) = (lab.file("pretend"), lab.file("list"));
    std::fs::write(&pretend, &pretended).unwrap();
    std::fs::write(&list, "# two\ndev-lab/libbase-1.0\ndev-lab/libbar-1.0\n").unwrap();
    let (pretend, list) = (pretend.to_str().unwrap(), list.to_str().unwrap());
    let planned = |output: &str| {
        let plan: Value = serde_json::from_str(output).unwrap();
        let packages = plan["packages"].as_array().unwrap().iter();
        let names = packages.map(|package| package["identity"]["cpv"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        (names, plan["edges"].as_array().unwrap().len())
    };
    let both = (vec!["dev-lab/libbase-1.0".to_owned(), "dev-lab/libbar-1.0".to_owned()], 1);
    let ways: [&[&str]; 6] = [
        &["plan", "dev-lab/libbar"],
        &["plan", "--list", list],
        &["plan", "--pretend", pretend],
        &["plan", "--pretend", "-"],
        &["push", "--dry-run", "dev-lab/libbar"],
        &["push", "--dry-run", "--pretend", "-"],
    ];
    for way in ways {
        let (ran, output) = lab.swarm_fed(&[way, &["--json"]].concat(), &pretended);
        ran.gives(0, &["2 packages, 0 of them live just as wanted, for 3 drones; nothing was started"]);
        assert_eq!(planned(&output), both, "{way:?}");
    }
    assert!(lab.status()["build"].is_null(), "nothing was begun");
    lab.swarm_fed(&["push", "--pretend", "-"], "emerge: command not found\n").0.gives(1, &["--pretend"]);
    std::fs::write(lab.file("bad"), "dev-lab/libbar\n").unwrap();
    let bad = lab.file("bad");
    lab.swarm(&["push", "--list", bad.to_str().unwrap()]).gives(1, &["cannot use", "dev-lab/libbar"]);

    // Queued by hand: just that one, though it needs another.
    std::fs::write(lab.file("one"), "dev-lab/libbar-1.0\n").unwrap();
    let one = lab.file("one");
    lab.swarm(&["init-from-list", one.to_str().unwrap()]).gives(
        0,
        &["needed     1 packages", "not in the list but needed by it: dev-lab/libbase-1.0", "nothing was started"],
    );
    assert_eq!(lab.status()["needed"], serde_json::json!(["dev-lab/libbar-1.0"]));
    lab.swarm(&["push", "app-lab/hello"]).gives(1, &["is open", "--replace"]);
    assert!(lab.compiled().is_empty());
    lab.swarm(&["init-from-list", "--replace", list]).gives(0, &["needed     2 packages"]);

    let (ran, output) = lab.swarm_fed(&["push", "--on", "drone-vega", "--json"], "");
    ran.gives(0, &["2 received, 0 failed"]);
    let events: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("job_started"), count("package_received"), count("build_finished")), (2, 2, 1), "{output}");
    lab.compiled_once(&["dev-lab/libbar-1.0", "dev-lab/libbase-1.0"]);
    assert!(lab.compiled().values().flatten().all(|host| host == "drone-vega"), "{:?}", lab.compiled());
}

#[test]
fn packages_that_need_each_other_are_compiled_once_and_what_is_excluded_is_left_to_the_driver() {
    let lab = Laboratory::up("cycle");
    lab.swarm(&["push", "app-lab/chicken"]).gives(0, &["2 received, 0 failed"]);
    lab.compiled_once(&["app-lab/chicken-1", "app-lab/egg-1"]);
    lab.swarm(&["finalize"]).gives(0, &["2 packages, 2 new"]);

    // A drone that would write the old format writes the new one for us.
    lab.on("drone-vega", "echo 'BINPKG_FORMAT=\"xpak\"' >>/etc/portage/make.conf").gives(0, &[]);
    lab.edit_inventory(|text| text.replace("driver = ", "exclude = [\"dev-lab/libbar\"]\ndriver = "));
    lab.lab(&["forget"]);
    lab.edit_inventory(|text| text.replace("exclude = [", "exclude = [\"app-lab/multi*\", "));
    lab.swarm(&["push", "app-lab/multislot:1"])
        .gives(0, &["build locally", "app-lab/multislot-1.0", "nothing is left for the swarm to build"]);
    lab.swarm(&["push", "--on", "drone-vega", "app-lab/daemon", "app-lab/hello", "--finalize"]).gives(
        0,
        &["build locally", "dev-lab/libbar-1.0", "app-lab/daemon-0.9_beta1", "3 received, 0 failed", "is live"],
    );
    lab.compiled_once(&["app-lab/hello-1.1-r1", "dev-lab/generator-1.0_rc2_p3-r1", "dev-lab/libbase-1.0"]);
}

#[test]
fn the_driver_installs_from_what_was_released_and_compiles_nothing() {
    let lab = Laboratory::up("install");
    lab.on("capella", "printf 'app-lab/hello\\n' >/var/lib/portage/world").gives(0, &[]);
    lab.swarm(&["push", "--finalize"]).gives(0, &["1 received", "is live"]);
    lab.swarm(&["push", "--install"]).gives(0, &[]);
    lab.on("capella", "lab-hello").gives(0, &["app-lab/hello-1.1-r1"]);
    lab.compiled_once(&["app-lab/hello-1.1-r1"]);
    // In one go, and with something that it has already.
    lab.on("capella", "echo app-lab/multislot:1 >>/var/lib/portage/world").gives(0, &[]);
    lab.swarm(&["push", "--install"]).gives(0, &["1 received", "is live"]);
    lab.on("capella", "lab-multislot-1").gives(0, &["app-lab/multislot-1.0"]);
    lab.compiled_once(&["app-lab/hello-1.1-r1", "app-lab/multislot-1.0"]);
    lab.swarm(&["push", "--install"]).gives(0, &["nothing is to be built"]);
}
