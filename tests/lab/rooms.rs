//! Clean rooms: jobs with roots of their own, and jobs that have to share one.

use std::process::{Child, Command};

use super::laboratory::Laboratory;

/// The drone that all of this happens on.
const DRONE: &str = "drone-izar";

/// Files where packages, Portage and the system keep theirs. What shows through from the machine below changes by itself,
/// so nothing of its other directories is looked at.
const LISTING: &str = "find /etc /usr /opt /var -xdev \\( -path /var/log -o -path /var/lib/swarm -o -path /var/cache -o \
                       -path /var/tmp \\) -prune -o -newer /etc/hostname -printf '%p %s %m %U %T@\\n' | sort; \
                       find /var/db/pkg /usr/share/lab /usr/lib/lab | sort";

/// What a job may leave nowhere: files, processes, mounts.
const LEFT: &str = "ls -A /var/lib/swarm/jobs; ls -d /var/lib/swarm/room.?????? 2>/dev/null; \
                    grep -c swarm-room /proc/self/mountinfo | grep -v '^0$'; \
                    for process in /proc/[0-9]*; do \
                    { tr '\\0' '\\n' <$process/environ; } 2>/dev/null | grep -q '^SWARM_JOB=' && echo $process; \
                    grep -l swarm-room $process/mountinfo 2>/dev/null; done; :";

fn hold(lab: &Laboratory, package: &str) {
    std::fs::create_dir_all(lab.shared("hold")).unwrap();
    std::fs::write(lab.shared("hold").join(package), "").unwrap();
}

fn release(lab: &Laboratory, package: &str) {
    std::fs::remove_file(lab.shared("hold").join(package)).unwrap();
}

fn set(lab: &Laboratory, keys: &str) {
    lab.edit_inventory(|text| {
        let header = format!("[drones.{DRONE}]\n");
        assert!(text.contains(&header), "{text}");
        text.replace(&header, &format!("{header}{keys}\n"))
    });
}

fn is_clean(lab: &Laboratory) {
    assert_eq!(lab.on(DRONE, LEFT).said, "");
}

#[test]
fn a_drone_is_the_same_after_a_push_and_jobs_side_by_side_disturb_nobody() {
    let lab = Laboratory::up("rooms-same");
    set(&lab, "jobs = 6\nclean_room = 'always'");
    // An old library, and lock files that somebody has left: they would let Portage inside spin for ever.
    lab.on(DRONE, "emerge --quiet --oneshot =dev-lab/libfoo-1.0").gives(0, &[]);
    let locks = "touch /var/db/.pkg.portage_lockfile /var/db/pkg/dev-lab/.libfoo.portage_lockfile \
                 /var/lib/portage/.config.portage_lockfile /var/lib/portage/.world.portage_lockfile";
    lab.on(DRONE, locks).gives(0, &[]);
    lab.lab(&["forget"]);
    let before = lab.on(DRONE, LISTING).said;
    lab.swarm(&["push", "--on", DRONE, "app-lab/suite"]).gives(0, &["15 received, 0 failed"]);
    assert!(lab.compiled().values().all(|hosts| hosts.len() == 1), "{:?}", lab.compiled());
    similar(&before, &lab.on(DRONE, LISTING).said);
    lab.on(DRONE, "ls -d /var/db/pkg/dev-lab/libfoo-1.0").gives(0, &[]);
    is_clean(&lab);
    lab.swarm(&["finalize"]).gives(0, &["is live"]);
}

fn similar(before: &str, after: &str) {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let gone: Vec<_> = old.iter().filter(|line| !new.contains(line)).collect();
    let come: Vec<_> = new.iter().filter(|line| !old.contains(line)).collect();
    assert!(gone.is_empty() && come.is_empty(), "gone {gone:?}, come {come:?}");
}

/// A package that does not mind which version of a library it has, and one that needs the newer one, both at once.
fn two_versions(lab: &Laboratory, keys: &str) {
    set(lab, keys);
    let ebuild = "EAPI=8\nDESCRIPTION=\"Takes any libfoo\"\nDEPEND=\"dev-lab/libfoo\"\nLAB_SEES=\"dev-lab/libfoo\"\n\
                  inherit lab\n";
    for host in ["capella", DRONE] {
        let directory = "/var/db/repos/gentoo/app-lab/oldie";
        lab.on(host, &format!("mkdir {directory} && printf '%s' '{ebuild}' >{directory}/oldie-1.ebuild")).gives(0, &[]);
    }
    hold(lab, "oldie");
    let mut push = lab.swarm_beside(&["push", "--on", DRONE, "=dev-lab/libfoo-1.0", "app-lab/oldie"]);
    lab.wait("it compiles with the old library", || lab.compiled().contains_key("app-lab/oldie-1"));
    Command::new("kill").args(["-INT", &push.id().to_string()]).status().unwrap();
    assert_eq!(push.wait().unwrap().code(), Some(130));
}

/// What a received package says that it was built with.
fn saw(lab: &Laboratory, pf: &str) -> String {
    let name = pf.split('-').next().unwrap();
    let file = lab.controller("staging").join(format!("app-lab/{name}/{pf}.gpkg.tar"));
    let record = "tar -xOf \"$0\" \"$1/image.tar.zst\" | tar --zstd -xO --wildcards '*/usr/share/lab/*'";
    let output = Command::new("sh").args(["-c", record]).arg(file).arg(pf).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn two_jobs_at_once_in_rooms_have_two_versions_of_a_library() {
    let lab = Laboratory::up("rooms-two");
    two_versions(&lab, "jobs = 2\nclean_room = 'always'");
    hold(&lab, "consumer");
    let push = lab.swarm_beside(&["push", "--replace", "--on", DRONE, "app-lab/oldie", "app-lab/consumer"]);
    lab.wait("both compile", || lab.compiled().contains_key("app-lab/consumer-1.1"));
    assert_eq!(lab.status()["delegated"].as_object().unwrap().len(), 2, "{}", lab.status());
    lab.on(DRONE, "ls /var/db/pkg/*").gives(2, &[]);
    release(&lab, "consumer");
    release(&lab, "oldie");
    well(push);
    assert!(saw(&lab, "oldie-1-1").contains("saw=dev-lab/libfoo-1.0"), "{}", saw(&lab, "oldie-1-1"));
    assert!(saw(&lab, "consumer-1.1-1").contains("dev-lab/libfoo-2.0"), "{}", saw(&lab, "consumer-1.1-1"));
    assert!(lab.compiled().values().all(|hosts| hosts.len() == 1), "{:?}", lab.compiled());
    is_clean(&lab);
}

#[test]
fn without_rooms_what_would_replace_a_running_jobs_library_waits_for_it() {
    let lab = Laboratory::up("rooms-never");
    two_versions(&lab, "jobs = 2\nclean_room = 'never'");
    let push = lab.swarm_beside(&["push", "--replace", "--on", DRONE, "app-lab/oldie", "app-lab/consumer"]);
    lab.wait_for("what harms nobody is built meanwhile", |status| {
        status["received"].as_array().is_some_and(|received| received.len() == 4)
    });
    lab.wait("it says what it waits for", || {
        lab.swarm(&["explain", "consumer"]).said.contains("was linked against what this one would replace")
    });
    lab.on(DRONE, "ls /var/db/pkg/dev-lab").gives(0, &["libfoo-1.0"]);
    release(&lab, "oldie");
    well(push);
    assert!(saw(&lab, "oldie-1-1").contains("saw=dev-lab/libfoo-1.0"), "{}", saw(&lab, "oldie-1-1"));
    assert!(saw(&lab, "consumer-1.1-1").contains("dev-lab/libfoo-2.0"), "{}", saw(&lab, "consumer-1.1-1"));
    lab.on(DRONE, "ls /var/db/pkg/dev-lab").gives(0, &["libfoo-2.0"]);
    is_clean(&lab);
}

/// Has Portage run this, on the drone and on the driver: they would differ else.
fn hook(lab: &Laboratory, text: &str) {
    for host in [DRONE, "capella"] {
        lab.on(host, &format!("mkdir -p /etc/portage && echo '{text}' >/etc/portage/bashrc")).gives(0, &[]);
    }
}

fn well(push: Child) {
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// From the next login on nothing there may mount anything, as in a container.
fn confine(lab: &Laboratory) {
    let shell = "printf '#!/bin/sh\\nexec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin /bin/bash \"$@\"\\n' \
                 >/usr/local/bin/confined && chmod 755 /usr/local/bin/confined && \
                 sed -i '1s|:/bin/bash$|:/usr/local/bin/confined|' /etc/passwd && head -n 1 /etc/passwd";
    lab.on(DRONE, shell).gives(0, &["confined"]);
}

#[test]
fn a_drone_that_can_have_no_rooms_is_left_out_where_they_are_a_must_and_used_with_a_word_where_not() {
    let lab = Laboratory::up("rooms-impossible");
    confine(&lab);
    set(&lab, "clean_room = 'always'");
    let why = "Operation not permitted";
    let must = "wants clean rooms always, and none can be made there";
    lab.swarm(&["push", "--on", DRONE, "app-lab/hello"]).gives(4, &[must, why]);
    lab.swarm(&["explain", "hello"]).gives(0, &[must, why]);
    lab.swarm(&["hosts", "check", DRONE]).gives(4, &["jobs can have no clean rooms", why, "clean_room = \"auto\""]);

    lab.edit_inventory(|text| text.replace("'always'", "'auto'"));
    lab.swarm(&["hosts", "check", DRONE]).gives(0, &["jobs can have no clean rooms", why, "1 of 1 drones can be used"]);
    lab.swarm(&["push", "--on", DRONE]).gives(0, &["without clean rooms", why, "1 received"]);
    lab.swarm(&["status"]).gives(0, &["no clean rooms", why]);
    is_clean(&lab);
}

#[test]
fn a_kill_in_any_step_leaves_nothing_and_costs_no_package() {
    let lab = Laboratory::up("rooms-kill");
    set(&lab, "clean_room = 'always'");
    // The first process of the room, whoever entered it, and the wrapper; the needs are merged, or it compiles.
    let first = "for process in /proc/[0-9]*; do grep -qs swarm-room $process/mountinfo && \
                 kill -KILL ${process#/proc/} && break; done 2>/dev/null; :";
    let entered = "kill -KILL $(cut -d' ' -f1 /var/lib/swarm/jobs/*/child)";
    let wrapper = "kill -KILL $(cut -d' ' -f1 /var/lib/swarm/jobs/*/pid)";
    for (kill, status) in [(first, 0), (entered, 0), (wrapper, 0)] {
        hold(&lab, "sleeper");
        lab.lab(&["forget"]);
        let push = lab.swarm_beside(&["push", "--replace", "--on", DRONE, "app-lab/sleeper"]);
        lab.wait("it compiles", || lab.compiled().contains_key("app-lab/sleeper-1.0"));
        lab.on(DRONE, kill).gives(0, &[]);
        release(&lab, "sleeper");
        // A drone that has failed rests for half a minute; nobody has to wait for that here.
        lab.swarm(&["unblock"]);
        let output = push.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{kill}: {}", String::from_utf8_lossy(&output.stderr));
        is_clean(&lab);
        lab.swarm(&["reset", "--yes"]);
    }
}

#[test]
fn needs_that_are_being_merged_may_be_killed_and_the_drone_may_lose_its_power() {
    let lab = Laboratory::up("rooms-power");
    set(&lab, "clean_room = 'always'");
    // A merge that hangs, in the room.
    hook(&lab, "pkg_preinst() { : >/dev/lab/merging; while [ -e /dev/lab/hold/merge ]; do sleep 0.05; done; }");
    lab.swarm(&["push", "--on", DRONE, "dev-lab/libbase"]).gives(0, &["1 received"]);
    assert!(!lab.shared("merging").exists(), "what a job builds it does not merge");
    hold(&lab, "merge");
    let push = lab.swarm_beside(&["push", "--replace", "--on", DRONE, "dev-lab/libbase", "dev-lab/libfoo"]);
    lab.wait("the needs are merged", || lab.shared("merging").exists());
    lab.on(DRONE, "kill -KILL $(cut -d' ' -f1 /var/lib/swarm/jobs/*/prepare.pid)").gives(0, &[]);
    release(&lab, "merge");
    lab.wait("the job is over", || !lab.swarm(&["explain", "libfoo"]).said.contains("is delegated"));
    is_clean(&lab);

    hold(&lab, "libfoo");
    lab.swarm(&["unblock"]);
    lab.wait("it compiles", || lab.compiled().contains_key("dev-lab/libfoo-2.0"));
    lab.lab(&["power-off", DRONE]).gives(0, &[]);
    lab.lab(&["power-on", DRONE]).gives(0, &[]);
    release(&lab, "libfoo");
    lab.wait("it is tried again", || {
        lab.swarm(&["unblock"]);
        lab.compiled()["dev-lab/libfoo-2.0"].len() > 1
    });
    well(push);
    is_clean(&lab);
}

#[test]
fn a_room_is_in_memory_where_the_work_directory_lies_on_an_overlay() {
    let lab = Laboratory::up("rooms-memory");
    set(&lab, "jobs = 2\nclean_room = 'always'\nworkdir = '/var/lib/elsewhere/swarm'");
    lab.on(DRONE, "emerge --quiet --oneshot =dev-lab/libfoo-1.0").gives(0, &[]);
    lab.lab(&["forget"]);
    lab.swarm(&["push", "--on", DRONE, "app-lab/consumer"]).gives(0, &["5 received, 0 failed"]);
    assert!(lab.compiled().values().all(|hosts| hosts.len() == 1), "{:?}", lab.compiled());
    assert!(saw(&lab, "consumer-1.1-1").contains("dev-lab/libfoo-2.0"), "{}", saw(&lab, "consumer-1.1-1"));
    lab.on(DRONE, "ls /var/db/pkg/*").gives(0, &["libfoo-1.0"]);
    lab.on(DRONE, "test -z \"$(ls /var/lib/elsewhere/swarm/jobs)\"").gives(0, &[]);
}

#[test]
fn file_systems_below_the_root_are_part_of_the_room_and_the_cache_of_sources_is_shared() {
    let lab = Laboratory::up("rooms-mounts");
    set(&lab, "clean_room = 'always'\nuser = 'builder'\nbecome = 'sudo'");
    let mounts = "set -e; for place in /var/db /usr/share/lab /opt; do mkdir -p $place; cp -a $place /root/copy; \
                  mount -t tmpfs -o mode=755 other $place; cp -a /root/copy/. $place; rm -r /root/copy; done; \
                  mount -t tmpfs -o mode=755 temporary /tmp; mkdir -p /home/builder/ccache /home/builder/sources; \
                  mount -t tmpfs -o mode=755 home /home; mkdir -p /home/ccache /home/sources; \
                  mkdir -p /home/builder/.ssh; \
                  printf 'DISTDIR=\"/home/sources\"\\nCCACHE_DIR=\"/home/ccache\"\\n' >>/etc/portage/make.conf; \
                  chmod 755 /tmp";
    lab.on(DRONE, mounts).gives(0, &[]);
    hook(&lab, "pkg_preinst() { : >/home/ccache/seen; : >/home/sources/seen; : >/opt/seen; }");
    let key = "mkdir -p /home/builder/.ssh; cp /root/.ssh/authorized_keys /home/builder/.ssh; : >/home/builder/.bashrc; \
               chown -R 2000:2000 /home/builder; chmod 700 /home/builder/.ssh";
    lab.on(DRONE, key).gives(0, &[]);
    lab.swarm(&["push", "--on", DRONE, "app-lab/consumer"]).gives(0, &["5 received, 0 failed"]);
    lab.on(DRONE, "ls /home/ccache/seen /home/sources/seen").gives(0, &[]);
    lab.on(DRONE, "ls /opt /usr/share/lab /var/db/pkg").gives(0, &[]);
    assert!(!lab.on(DRONE, "ls /opt /usr/share/lab /var/db/pkg /var/db/pkg/*").said.contains("lab/"));
    lab.on(DRONE, "test ! -e /opt/seen").gives(0, &[]);
    is_clean(&lab);
}
