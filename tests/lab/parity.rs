//! A drone that differs from the driver, and one that comes to differ while a push is under way.

use std::path::Path;

use serde_json::{Value, json};
use swarm::portage::probe::{self, Request};

use super::laboratory::Laboratory;

/// Said on both sides, each in its own form.
const DRIVER: &str = "echo 'app-lab/cat   x -y' >/etc/portage/package.use";
const ALIKE: &str = "mkdir /etc/portage/package.use && cd /etc/portage/package.use && \
    printf '# of cats\\n\\napp-lab/cat x # dear\\n' >one && echo 'app-lab/cat -y' >two && echo 'app-lab/cat z' >.hidden";
/// What a drone can have for itself; what is secret of it says so.
const ODD: &str = r#"cd /etc/portage && mkdir -p env/app-lab patches/dev-lab/libbar profile savedconfig/app-lab gnupg &&
    mkdir -p /var/db/repos/extra/profiles /var/db/repos/extra/metadata && echo extra >/var/db/repos/extra/profiles/repo_name &&
    echo 'masters = gentoo' >/var/db/repos/extra/metadata/layout.conf &&
    printf '[extra]
location = /var/db/repos/extra
sync-uri = https://me:secret@host/
' >repos.conf/extra.conf &&
    echo '[b]
        sync-uri = https://me:secret@host/' >binrepos.conf && echo secret >gnupg/key &&
    echo 'app-lab/testing ~amd64' >package.accept_keywords && echo 'app-lab/dog' >package.mask &&
    echo 'app-lab/hello no-nls' >package.env && echo 'USE="-nls"' >env/no-nls && echo 'echo cat' >env/app-lab/cat &&
    echo 'einfo building' >bashrc && echo '--- a' >patches/dev-lab/libbar/one.patch && echo static >profile/use.mask &&
    echo 'x=y' >savedconfig/app-lab/cat-1.0 && echo '# x' >>/var/db/repos/gentoo/app-lab/cat/cat-1.0.ebuild &&
    echo 'USE="ssl"
        CFLAGS="-O3"
        FEATURES="${FEATURES} splitdebug ccache"
        EXTRA_ECONF="--with-x"
        LAB_TARGETS="two"
        ACCEPT_KEYWORDS="~amd64"
        MY_TOKEN="secret"
        GENTOO_MIRRORS="https://me:secret@host/"' >>make.conf"#;

/// What is said of such a drone: whether it matters, in what it differs, what the driver has and what the drone has.
const SAID: [[&str; 4]; 21] = [
    ["binary", "repository extra", "", ""],
    ["binary", "repository gentoo", "", ""],
    ["binary", "ACCEPT_KEYWORDS", "", "~amd64"],
    ["binary", "EXTRA_ECONF", "", "--with-x"],
    ["binary", "FEATURES", "", "splitdebug"],
    ["binary", "LAB_TARGETS", "one", "two"],
    ["binary", "MY_TOKEN", "", ""],
    ["binary", "USE", "", "ssl"],
    ["binary", "package.accept_keywords app-lab/testing", "", "~amd64"],
    ["binary", "package.env app-lab/hello", "", "no-nls"],
    ["binary", "package.mask app-lab/dog", "", "listed"],
    ["binary", "profile/use.mask static", "", "listed"],
    ["binary", "bashrc", "", ""],
    ["binary", "env/app-lab/cat", "", ""],
    ["binary", "env/no-nls", "", ""],
    ["binary", "patches/dev-lab/libbar/one.patch", "", ""],
    ["binary", "savedconfig/app-lab/cat-1.0", "", ""],
    ["carried", "CFLAGS", "-O2 -pipe", "-O3"],
    ["harmless", "FEATURES", "", "ccache"],
    ["harmless", "GENTOO_MIRRORS", "", ""],
    ["harmless", "MAKEOPTS", "-j4", "-j14"],
];

/// Keeps what Portage told of a host for the unit tests in `src/portage/parity`, where SWARM_RECORD is set.
fn record(lab: &Laboratory, host: &str, name: &str) {
    if std::env::var_os("SWARM_RECORD").is_none() {
        return;
    }
    let said = lab.on(host, &probe::script(&Request::Survey { revisions: true })).said;
    let mut answer: Value = serde_json::from_str(said.split("SWARM-PROBE-ANSWER\n").nth(1).unwrap()).unwrap();
    // Those are this machine's.
    answer["tools"] = json!({});
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/portage/parity/recorded/{name}.json"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, serde_json::to_string_pretty(&answer).unwrap() + "\n").unwrap();
}

fn all_in_what_a_drone_differs_is_shown_line_by_line(lab: &Laboratory) {
    lab.on("capella", DRIVER).gives(0, &[]);
    for drone in ["drone-izar", "drone-vega", "drone-tarn"] {
        lab.on(drone, ALIKE).gives(0, &[]);
    }
    lab.on("drone-tarn", ODD).gives(0, &[]);
    record(lab, "capella", "driver");
    record(lab, "drone-tarn", "odd");
    let alike = "drone-izar: like the driver in what matters, 1 difference that does not\n";
    lab.swarm(&["parity", "--on", "drone-izar,drone-vega"]).gives(0, &[alike, "MAKEOPTS"]);
    let both = lab.swarm(&["parity", "--on", "drone-izar,drone-tarn"]);
    both.gives(1, &[alike, "drone-tarn: 17 differences that matter, 4 that do not\n", "swarm sync --on drone-tarn\n"]);
    let odd = lab.swarm(&["parity", "--json", "--all", "--on", "drone-tarn"]);
    odd.gives(5, &[]);
    for said in [both.said, odd.said.clone()] {
        assert!(!said.contains("secret"), "{said}");
    }
    let answer: Value = serde_json::from_str(&odd.said).unwrap();
    let found: Vec<[&str; 4]> = answer["drones"]["drone-tarn"]["differences"]
        .as_array()
        .unwrap()
        .iter()
        .zip(SAID)
        .map(|(one, said)| {
            // Digests are not held against anything here.
            let value = |key: &str, said: &'static str| if said.is_empty() { "" } else { one[key].as_str().unwrap() };
            let (driver, drone) = (value("driver", said[2]), value("drone", said[3]));
            [one["matter"].as_str().unwrap(), one["point"].as_str().unwrap(), driver, drone]
        })
        .collect();
    assert_eq!(found, SAID, "{answer:#}");
    lab.swarm(&["parity", "--on", "drone-mizar"]).gives(1, &["drone-mizar"]);
}

#[test]
fn a_drone_that_comes_to_differ_is_left_out_by_the_job_that_finds_it() {
    let lab = Laboratory::up("parity");
    all_in_what_a_drone_differs_is_shown_line_by_line(&lab);
    // Now the third one differs in nothing that the packages themselves tell.
    lab.lab(&["reset", "drone-tarn"]).gives(0, &[]);
    let unseen = "mkdir -p /etc/portage/patches/dev-lab/libbar && echo x >/etc/portage/patches/dev-lab/libbar/x.patch";
    lab.on("drone-tarn", &format!("{ALIKE} && {unseen}")).gives(0, &[]);
    for package in ["sleeper", "libbase"] {
        std::fs::write(lab.shared(&format!("hold/{package}")), "").unwrap();
    }
    // Two drones are like the driver when the push begins, and each has a build; libbar waits for libbase.
    let push = lab.swarm_beside(&["push", "dev-lab/libbar", "app-lab/sleeper"]);
    lab.wait("two builds run", || lab.compiled().len() == 2);
    let changed = lab.compiled()["dev-lab/libbase-1.0"][0].clone();
    lab.on(&changed, "echo 'dev-lab/libbar ssl' >>/etc/portage/package.use/one").gives(0, &[]);
    std::fs::remove_file(lab.shared("hold/libbase")).unwrap();
    lab.wait_for("the drone is found to differ", |status| status["drones"][&changed]["state"] == "refused");
    std::fs::remove_file(lab.shared("hold/sleeper")).unwrap();

    let output = push.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let parity = format!("not built  dev-lab/libbar-1.0 on {changed}: parity: dev-lab/libbar-1.0: USE differs");
    let patched = "differs     drone-tarn: patches/dev-lab/libbar/x.patch: ".to_owned();
    for words in [&format!("differs     {changed}"), &patched, &parity, "3 received, 0 failed"] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    lab.compiled_once(&["app-lab/sleeper-1.0", "dev-lab/libbar-1.0", "dev-lab/libbase-1.0"]);
    assert_ne!(lab.compiled()["dev-lab/libbar-1.0"], [changed]);
}
