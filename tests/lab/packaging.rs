//! What `packaging/dist` makes, installed by real Portage.

use std::path::Path;
use std::process::Command;

use super::laboratory::Laboratory;

#[test]
fn the_ebuild_installs_program_manuals_completions_and_services_and_takes_them_away_again() {
    let lab = Laboratory::up("packaging");
    let dist = lab.shared("dist");
    let made = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/dist"))
        .args(["--program", env!("CARGO_BIN_EXE_swarm")])
        .arg(&dist)
        // How small it gets is of no interest here.
        .env("XZ_OPT", "-0")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // Gentoo's tar has that name, too, which Portage unpacks with.
    lab.on("client", "ln -s tar /usr/bin/gtar").gives(0, &[]);
    let known = "mkdir -p /etc/portage/repos.conf /var/cache/distfiles && \
                 printf '[build-swarm]\\nlocation = /dev/lab/dist/repository\\n' >/etc/portage/repos.conf/build-swarm.conf";
    lab.on("client", known).gives(0, &[]);
    // Nobody has it but whoever made it, which is said.
    let install = "emerge --oneshot app-admin/swarm-bin 2>&1";
    lab.on("client", install).gives(1, &["packaging/dist", "Copy that file into"]);
    lab.on("client", "cp /dev/lab/dist/*.tar.xz \"$(portageq envvar DISTDIR)\"").gives(0, &[]);
    let installed = lab.on("client", install);
    installed.gives(0, &["docs/tutorial.md"]);
    for complaint in ["QA Notice", "WARN"] {
        assert!(!installed.said.contains(complaint), "{}", installed.said);
    }
    lab.on("client", "swarm --version && swarm push --help").gives(0, &["swarm 0.1.0", "--finalize"]);
    let files = [
        "/usr/share/man/man1/swarm.1*",
        "/usr/share/man/man1/swarm-push.1*",
        "/usr/share/bash-completion/completions/swarm",
        "/etc/init.d/swarm-gateway",
        "/etc/conf.d/swarm-orchestrator",
        "/usr/lib/systemd/system/swarm-orchestrator.service",
        "/usr/lib/sysusers.d/swarm.conf",
        "/usr/share/swarm/prometheus/swarm.rules.yml",
        "/usr/share/doc/swarm-bin-*/docs/tutorial.md",
        "/etc/build-swarm/inventory",
    ];
    lab.on("client", &format!("ls -d {}", files.join(" "))).gives(0, &[]);
    lab.on("client", "emerge --unmerge app-admin/swarm-bin && ! command -v swarm").gives(0, &[]);
}
