//! What the driver's resolver, or production itself, does not allow: said whole, and nothing is started.

use super::laboratory::Laboratory;

#[test]
fn what_the_resolver_refuses_reaches_the_operator_whole_and_starts_nothing() {
    let lab = Laboratory::up("unresolved");
    let cases: [(&[&str], &[&str]); 6] = [
        (&["app-lab/unsatisfied"], &["no ebuilds to satisfy", "dev-lab/nobody-wrote-this", "app-lab/unsatisfied-1.0"]),
        (&["app-lab/flagged"], &["Change USE: +lab_targets_two", "required by \"app-lab/flagged-1.0"]),
        (&["app-lab/choosy"], &["REQUIRED_USE flag constraints are unsatisfied", "exactly-one-of ( left right )"]),
        (&["app-lab/testing"], &["masked by: ~amd64 keyword"]),
        (&["=app-lab/hello-1.0", "=app-lab/hello-1.1-r1"], &["resulting in a slot conflict", "app-lab/hello:0"]),
        (&["app-lab/left-boot"], &["circular dependencies", "app-lab/right-boot-1", "(buildtime)"]),
    ];
    for (atoms, words) in cases {
        let words = [words, &["the driver capella has no plan for", "Nothing was started."]].concat();
        lab.swarm(&[&["push"], atoms].concat()).gives(1, &words);
        lab.swarm(&[&["plan"], atoms].concat()).gives(1, &words);
    }
    assert!(lab.status()["build"].is_null(), "nothing was begun");
    assert!(lab.compiled().is_empty());
}

#[test]
fn production_may_not_be_where_portage_keeps_its_own_packages_but_a_binhost_is_taken_over() {
    let lab = Laboratory::up("production");
    // The driver as the controller, by itself and without sshd: its PKGDIR is no place for releases. It has cores enough
    // that other tests' load does not make it unwell.
    std::fs::copy(env!("CARGO_BIN_EXE_swarm"), lab.shared("swarm")).unwrap();
    let inventory = "[swarm]\nname = 'alone'\ndriver = 'capella'\nproduction = '/var/cache/binpkgs'\n\
        [hosts.capella]\naddress = 'local'\n[drones.itself]\naddress = 'local'\ncores = 32\n";
    std::fs::write(lab.shared("alone.toml"), inventory).unwrap();
    let alone = "/dev/lab/swarm --inventory /dev/lab/alone.toml";
    lab.on("capella", &format!("{alone} push app-lab/hello")).gives(
        1,
        &["production /var/cache/binpkgs overlaps with /var/cache/binpkgs", "PKGDIR", "name another directory"],
    );
    assert!(lab.compiled().is_empty());
    std::fs::write(lab.shared("alone.toml"), inventory.replace("binpkgs", "swarm/production")).unwrap();
    lab.on("capella", &format!("{alone} push app-lab/hello --finalize"))
        .gives(0, &["delegated  app-lab/hello-1.1-r1 to itself", "1 received", "is live"]);

    // A binhost that somebody made by hand: taken over as it is, and the base of what comes next.
    lab.on("drone-vega", "emerge --quiet --buildpkgonly app-lab/multislot:1 dev-lab/libbase").gives(0, &[]);
    let binpkgs = format!("{}/var/cache/binpkgs", lab.root("drone-vega").display());
    let production = lab.controller("production");
    let copied = std::process::Command::new("cp").arg("-a").args([&binpkgs, production.to_str().unwrap()]).status();
    assert!(copied.unwrap().success());
    lab.swarm(&["push", "dev-lab/libbar", "--finalize"]).gives(
        0,
        &[
            "was there already: it is now release 000000-000001",
            "1 of 2 packages are in release 000000-000001 just as wanted",
            "release 000001-000002 is live: 3 packages, 1 new, 0 gone",
        ],
    );
    assert!(production.is_symlink());
    let index = std::fs::read_to_string(production.join("Packages")).unwrap();
    for path in ["multislot/multislot-1.0-1", "libbar/libbar-1.0-1", "libbase/libbase-1.0-1"] {
        assert!(index.contains(&format!("{path}.gpkg.tar")), "{path} is not in\n{index}");
    }

    // A directory that is no binhost at all is left as it is.
    let taken = lab.controller("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("letter"), "").unwrap();
    lab.edit_inventory(|text| text.replace("/controller/production\"", "/controller/taken\""));
    lab.swarm(&["push", "app-lab/hello"]).gives(1, &["no package index", "name a new or empty directory"]);
    assert!(taken.join("letter").exists() && !taken.is_symlink());
}
