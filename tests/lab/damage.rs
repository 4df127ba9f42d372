//! Packages that do not come back as they were made, and a controller that has no room for them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use super::laboratory::Laboratory;

/// Stops `swarm`, so that nothing is fetched before it goes on.
fn signal(child: &std::process::Child, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_copy_that_is_damaged_on_the_way_is_fetched_again_and_a_damaged_package_built_elsewhere() {
    let lab = Laboratory::up("damaged");
    std::fs::write(lab.shared("hold/hello"), "").unwrap();
    std::fs::write(lab.shared("hold/multislot"), "").unwrap();
    let push = lab.swarm_beside(&["push", "--on", "drone-izar,drone-vega", "app-lab/hello", "app-lab/multislot:1"]);
    lab.wait("both builds run", || lab.compiled().len() == 2);
    let status = lab.status();
    let of = |package: &str, field: &str| status["delegated"][package][field].as_str().unwrap().to_owned();

    // What came of the one so far is not what is there.
    let incoming = lab.controller("staging/.incoming").join(of("app-lab/hello-1.1-r1", "job"));
    std::fs::create_dir_all(&incoming).unwrap();
    std::fs::write(incoming.join("hello-1.1-r1-1"), [b'x'; 5000]).unwrap();
    // Of the other one there is more than there can be; and it is spoilt where it was made, once it is listed and before
    // it is fetched.
    let (job, drone) = (of("app-lab/multislot-1.0", "job"), of("app-lab/multislot-1.0", "drone"));
    signal(&push, "-STOP");
    std::fs::remove_file(lab.shared("hold/multislot")).unwrap();
    let directory = format!("/var/lib/swarm/jobs/{job}");
    let longer = lab.controller("staging/.incoming").join(&job);
    std::fs::create_dir_all(&longer).unwrap();
    std::fs::write(longer.join("multislot-1.0-1"), [b'x'; 500_000]).unwrap();
    lab.wait("the build has ended", || lab.on(&drone, &format!("test -e {directory}/status")).status == 0);
    let package = format!("{directory}/pkgs/app-lab/multislot/multislot-1.0-1.gpkg.tar");
    lab.on(&drone, &format!("printf spoilt | dd of={package} bs=1 seek=4000 conv=notrunc")).gives(0, &[]);
    signal(&push, "-CONT");
    std::fs::remove_file(lab.shared("hold/hello")).unwrap();

    let output = push.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lost = format!(
        "not built  app-lab/multislot-1.0 on {drone}: transfer: cannot take the file as the drone made it: its MD5 is"
    );
    assert!(said.contains(&lost), "{said}");
    assert!(said.contains("app-lab/hello-1.1-r1 came damaged from"), "{said}");
    assert!(said.contains("2 received, 0 failed"), "{said}");
    let compiled = lab.compiled();
    assert_eq!(compiled["app-lab/hello-1.1-r1"].len(), 1, "{compiled:?}");
    assert_eq!(compiled["app-lab/multislot-1.0"].len(), 2, "{compiled:?}");
    assert_ne!(compiled["app-lab/multislot-1.0"][1], drone);
    lab.swarm(&["finalize"]).gives(0, &["2 packages, 2 new"]);
    assert!(!incoming.exists());
}

/// Kills whoever of sshd has handed out so many bytes of a file with this name, and prints how many there were.
const CUTTER: &str = r#"
import glob, os, sys
name, least = sys.argv[1], int(sys.argv[2])
while True:
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            _, _, process, _, number = link.split("/")
            with open(f"/proc/{process}/comm") as comm:
                if not comm.read().startswith("sshd") or not os.readlink(link).endswith(name):
                    continue
            with open(f"/proc/{process}/fdinfo/{number}") as information:
                position = int(information.readline().split()[1])
            if position >= least:
                os.kill(int(process), 9)
                print(position)
                sys.exit()
        except OSError:
            pass
"#;

#[test]
fn a_copy_that_is_cut_short_is_completed_from_where_it_broke_off() {
    let lab = Laboratory::up("cut");
    let cutter = ["python3", "-c", CUTTER, "/big-1.0-1.gpkg.tar", "20000000"];
    let cutter = lab.on_beside("drone-izar", &cutter);
    lab.swarm(&["push", "--on", "drone-izar", "app-lab/big"]).gives(0, &["1 received, 0 failed"]);
    let cut = String::from_utf8(cutter.wait_with_output().unwrap().stdout).unwrap();
    let cut: u64 = cut.trim().parse().unwrap();
    assert!((20_000_000..100_000_000).contains(&cut), "it was cut at {cut}, not in the middle");
    lab.compiled_once(&["app-lab/big-1.0"]);
    lab.swarm(&["finalize"]).gives(0, &["is live"]);
    lab.on("drone-izar", "test -z \"$(ls /var/lib/swarm/jobs)\"").gives(0, &[]);
}

/// A file system of its own for staging, seen by those alone who enter it; it ends with the lab.
struct SmallStaging<'a> {
    lab: &'a Laboratory,
    keeper: std::process::Child,
}

impl Drop for SmallStaging<'_> {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

impl<'a> SmallStaging<'a> {
    fn mount(lab: &'a Laboratory, size: &str) -> Self {
        let staging = lab.controller("staging");
        std::fs::create_dir_all(&staging).unwrap();
        let script = "mount -t tmpfs -o size=$2 staging \"$1\" && touch \"$1/../mounted\" && exec sleep infinity";
        let arguments = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
        let keeper = lab.run_beside(&[&arguments[..], &[staging.to_str().unwrap(), size]].concat());
        lab.wait("the small file system", || lab.controller("mounted").exists());
        Self { lab, keeper }
    }

    fn run(&self, arguments: &[&str]) -> super::laboratory::Ran {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.keeper.id());
        self.lab.run(&[&["nsenter", &namespace, "--"], arguments].concat())
    }

    fn swarm(&self, arguments: &[&str]) -> super::laboratory::Ran {
        self.run(&[&[env!("CARGO_BIN_EXE_swarm")], arguments].concat())
    }

    fn swarm_beside(&self, arguments: &[&str]) -> std::process::Child {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.keeper.id());
        self.lab.run_beside(&[&["nsenter", &namespace, "--", env!("CARGO_BIN_EXE_swarm")], arguments].concat())
    }
}

#[test]
fn a_package_that_finds_staging_full_waits_on_its_drone_until_there_is_room() {
    let lab = Laboratory::up("full");
    let small = SmallStaging::mount(&lab, "40m");
    let staging: PathBuf = lab.controller("staging");
    let mut push = small.swarm_beside(&["push", "app-lab/big", "app-lab/hello"]);
    let mut said = String::new();
    for line in BufReader::new(push.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("waits on its drone until there is room") {
            assert!(line.contains("staging is full") && line.contains(staging.to_str().unwrap()), "{line}");
            small.run(&["mount", "-o", "remount,size=300m", staging.to_str().unwrap()]).gives(0, &[]);
        }
        said += &format!("{line}\n");
    }
    assert_eq!(push.wait().unwrap().code(), Some(0), "{said}");
    assert!(said.contains("until there is room") && said.contains("2 received, 0 failed"), "{said}");
    lab.compiled_once(&["app-lab/big-1.0", "app-lab/hello-1.1-r1"]);
    small.swarm(&["finalize"]).gives(0, &["2 packages were copied", "is live"]);
}
