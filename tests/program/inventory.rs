//! The inventory and the verbs about hosts, as an operator meets them: the real binary, a real sshd.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::sshd::{Sshd, keygen};
use place::Place;

/// Where an operator calls the real binary.
pub mod place {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use tempfile::TempDir;

    /// An operator's machine with an inventory, or none.
    pub struct Place {
        pub directory: TempDir,
    }

    /// How a command ended.
    pub struct Ended {
        pub status: i32,
        pub stdout: String,
        pub stderr: String,
    }

    impl Place {
        pub fn empty() -> Self {
            Self { directory: tempfile::tempdir().unwrap() }
        }

        pub fn with(inventory: &str) -> Self {
            let place = Self::empty();
            fs::create_dir(place.path().join("inventory")).unwrap();
            fs::write(place.path().join("inventory/fleet.toml"), inventory).unwrap();
            place
        }

        pub fn path(&self) -> &Path {
            self.directory.path()
        }

        pub fn swarm(&self, arguments: &[&str]) -> Ended {
            let output = Command::new(env!("CARGO_BIN_EXE_swarm"))
                .args(arguments)
                .current_dir(self.path())
                .env("HOME", self.path())
                .env_remove("SWARM_INVENTORY")
                .env_remove("SSH_AUTH_SOCK")
                .output()
                .unwrap();
            Ended {
                status: output.status.code().unwrap(),
                stdout: String::from_utf8(output.stdout).unwrap(),
                stderr: String::from_utf8(output.stderr).unwrap(),
            }
        }
    }

    impl Ended {
        #[track_caller]
        pub fn with(&self, status: i32, stdout: &[&str], stderr: &[&str]) {
            let shown = format!("status {}\n--- stdout\n{}--- stderr\n{}", self.status, self.stdout, self.stderr);
            assert_eq!(self.status, status, "{shown}");
            for part in stdout {
                assert!(self.stdout.contains(part), "stdout has no {part:?}: {shown}");
            }
            for part in stderr {
                assert!(self.stderr.contains(part), "stderr has no {part:?}: {shown}");
            }
        }
    }
}

/// A fleet of one drone, `tarn`, behind this sshd, and one, `gone`, where nobody listens.
fn fleet(sshd: &Sshd) -> Place {
    Place::with(&format!(
        "[swarm]\ndriver = 'local'\n[defaults]\nuser = '{user}'\nidentity = '{identity}'\nknown_hosts = '{known_hosts}'\n\
         [drones.tarn]\naddress = '127.0.0.1'\nport = {port}\ntags = ['here']\nworkdir = '/nowhere/swarm'\n\
         [hosts.gone]\naddress = '127.0.0.1'\nport = 1\n",
        user = sshd.destination().user,
        identity = sshd.identity().display(),
        known_hosts = sshd.known_hosts().display(),
        port = sshd.port,
    ))
}

const ARGO: &str = include_str!("../../inventory/argo.toml");

#[test]
fn the_fleet_is_listed_with_roles_addresses_networks_cores_and_tags() {
    let ended = Place::with(ARGO).swarm(&["hosts"]);
    ended.with(0, &["NAME", "orchestrator 100", "gateway", "192.168.20.203, 100.64.0.17", "andromeda via tarn"], &[]);
    let drone = ended.stdout.lines().find(|line| line.starts_with("drone-mizar")).unwrap();
    let words: Vec<&str> = drone.split_whitespace().collect();
    let expected =
        ["drone-mizar", "drone", "192.168.20.204,", "100.64.0.18", "andromeda", "via", "tarn", "20", "remote"];
    assert_eq!(words, expected);
}

#[test]
fn without_an_inventory_it_says_where_it_looked_and_how_to_begin() {
    Place::empty().swarm(&["hosts"]).with(
        1,
        &[],
        &["--inventory: not given", "SWARM_INVENTORY: not set", "./inventory is not there", "[drones.first]"],
    );
    Place::empty().swarm(&["hosts", "--inventory", "fleet"]).with(1, &[], &["fleet (--inventory) is not there"]);
}

#[test]
fn every_fault_of_an_inventory_is_told_at_once() {
    let broken = ARGO.replace("cores   = 8", "coers   = 8").replace("10.42.0.100\",", "10.42.0.100.5\",");
    let place =
        |part: &str| format!("fleet.toml:{}: ", 1 + broken.lines().position(|line| line.contains(part)).unwrap());
    Place::with(&broken).swarm(&["hosts", "check"]).with(
        1,
        &[],
        &[
            "the inventory has 2 faults:",
            &format!("{}hosts.capella.address: \"10.42.0.100.5\" is not an address", place("100.5")),
            &format!("{}drones.drone-vega.coers: unknown key; did you mean `cores`?", place("coers")),
        ],
    );
}

#[test]
fn a_host_that_is_not_there_is_named_with_the_nearest_right_one() {
    let place = Place::with(ARGO);
    place.swarm(&["hosts", "facts", "drone-vga"]).with(1, &[], &["did you mean `drone-vega`?"]);
    place.swarm(&["exec", "--on", "@lna", "--", "true"]).with(
        1,
        &[],
        &["\"@lna\" matches no host; did you mean `lan`?"],
    );
    place.swarm(&["exec", "--on", "a b", "--", "true"]).with(2, &[], &["selects no host"]);
    place.swarm(&["exec", "--on", "drone-vega"]).with(2, &[], &["CMD"]);
    place.swarm(&["exec", "--", "true"]).with(2, &[], &["--on"]);
}

#[test]
fn a_host_is_trusted_once_and_a_changed_key_is_never_replaced() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    fs::remove_file(sshd.known_hosts()).unwrap();
    place.swarm(&["hosts", "check", "tarn"]).with(4, &["refused", "swarm hosts trust tarn"], &[]);
    place.swarm(&["hosts", "trust", "tarn"]).with(1, &[], &["ED25519", "SHA256:", "hosts trust --yes tarn"].map(lower));
    assert!(!sshd.known_hosts().exists(), "nobody agreed");

    place.swarm(&["hosts", "trust", "--yes", "tarn"]).with(0, &[], &["tarn: recorded in"]);
    let recorded = fs::read_to_string(sshd.known_hosts()).unwrap();
    assert!(sshd.host_key().starts_with(recorded.split_once(' ').unwrap().1.trim()), "{recorded}");
    place.swarm(&["hosts", "trust", "--yes", "tarn"]).with(0, &[], &["tarn: trusted already"]);
    place.swarm(&["exec", "--on", "tarn", "--", "true"]).with(0, &[], &[]);

    keygen(&place.path().join("other"));
    let other = fs::read_to_string(place.path().join("other.pub")).unwrap();
    let changed = format!("[127.0.0.1]:{} {other}", sshd.port);
    fs::write(sshd.known_hosts(), &changed).unwrap();
    place.swarm(&["hosts", "trust", "--yes", "tarn"]).with(
        1,
        &[],
        &["refused", "pinned: ", "offered: ", "ssh-keygen -R"],
    );
    assert_eq!(fs::read_to_string(sshd.known_hosts()).unwrap(), changed);
    place.swarm(&["exec", "--on", "tarn", "--", "true"]).with(1, &[], &["tarn", "has changed"]);

    sshd.pin("127.0.0.1", sshd.port);
    place.swarm(&["hosts", "trust", "tarn"]).with(0, &[], &["trusted already"]);
}

/// OpenSSH writes a key's type in its own way.
fn lower(text: &'static str) -> &'static str {
    if text == "ED25519" { "ssh-ed25519" } else { text }
}

#[test]
fn a_key_that_is_pinned_for_the_hosts_name_counts_for_its_addresses() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    sshd.pin("tarn", sshd.port);
    place.swarm(&["hosts", "trust", "tarn"]).with(0, &[], &["trusted already"]);
    place.swarm(&["exec", "--on", "tarn", "--", "true"]).with(0, &[], &[]);
}

#[test]
fn this_machine_needs_no_key_and_an_unreachable_host_is_named() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    place.swarm(&["hosts", "trust", "local"]).with(0, &[], &["this machine itself"]);
    place.swarm(&["hosts", "trust", "--yes", "gone", "local"]).with(1, &[], &["gone: ", "127.0.0.1", "this machine"]);
    place.swarm(&["hosts", "trust"]).with(2, &[], &["<HOSTS>"]);
}

#[test]
fn a_drone_that_is_no_gentoo_is_unwell_and_its_cures_are_told() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    let ended = place.swarm(&["hosts", "check"]);
    ended.with(4, &["tarn", "unwell", "tarn: there is no emerge\n", "0 of 1 drones can be used"], &[]);
    ended.with(4, &["gone   host    -          unreachable", "local  driver  local      "], &[]);
    place.swarm(&["hosts", "check", "gone"]).with(1, &["unreachable"], &[]);
}

#[test]
fn what_lies_in_a_drones_job_directories_is_shown() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    let file = place.path().join("inventory/fleet.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("/nowhere/swarm", place.path().to_str().unwrap())).unwrap();
    assert!(!place.swarm(&["hosts", "check", "tarn"]).stdout.contains("Job directories"));
    fs::create_dir_all(place.path().join("jobs/b7-1")).unwrap();
    fs::write(place.path().join("jobs/b7-1/status"), "0\n").unwrap();
    let ended = place.swarm(&["hosts", "check", "tarn"]);
    let row = ended.stdout.lines().find(|line| line.contains("b7-1")).unwrap_or(&ended.stdout);
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[..5], ["tarn", "b7-1", "ended", "-", "-"], "{row}");
}

#[test]
fn facts_come_as_a_table_and_as_json() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    place.swarm(&["hosts", "facts", "tarn,local"]).with(0, &["HOST", "KERNEL", "tarn", "local"], &[]);
    let ended = place.swarm(&["hosts", "facts", "--json"]);
    ended.with(1, &[], &[]);
    let all: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(all["tarn"]["facts"]["cores"].as_u64().unwrap() > 0, "{all}");
    assert_eq!(all["tarn"]["facts"]["clock_ahead_s"], 0);
    assert_eq!(all["tarn"]["facts"]["boot_id"], all["local"]["facts"]["boot_id"]);
    assert!(all["gone"]["error"].as_str().unwrap().contains("127.0.0.1"), "{all}");
}

#[test]
fn a_host_without_sftp_is_told_so() {
    let sshd = Sshd::configured(|_| {
        "ForceCommand case $SSH_ORIGINAL_COMMAND in *sftp*) exit 1;; *) exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\";; esac"
            .to_owned()
    });
    fleet(&sshd).swarm(&["hosts", "check", "tarn"]).with(
        4,
        &["files cannot be carried there: cannot start SFTP: ", "Subsystem sftp"],
        &[],
    );
}

#[test]
fn arguments_arrive_as_they_are_and_lines_name_their_host() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    let command = [
        "sh",
        "-c",
        "printf '<%s>\\n' \"$@\"; echo oops >&2; printf unfinished",
        "0",
        "a  b",
        "it's $HOME",
        "",
        "`id`",
    ];
    let arguments = [&["exec", "--on", "tarn,local", "--"][..], &command].concat();
    let ended = place.swarm(&arguments);
    for host in ["tarn", "local"] {
        let mine: Vec<&str> = ended.stdout.lines().filter_map(|line| line.strip_prefix(&format!("{host}: "))).collect();
        assert_eq!(mine, ["<a  b>", "<it's $HOME>", "<>", "<`id`>", "unfinished"], "{host}");
        ended.with(0, &[], &[&format!("{host}: oops\n")]);
    }
}

#[test]
fn what_a_command_prints_cannot_move_the_cursor() {
    let ended =
        Place::with("[swarm]\ndriver = 'local'\n").swarm(&["exec", "--on", "local", "--", "printf", "\\033[2J"]);
    ended.with(0, &["local: \\u{1b}[2J\n"], &[]);
}

#[test]
fn a_command_is_done_only_where_every_host_says_so() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    place.swarm(&["exec", "--on", "*,!gone", "--", "true"]).with(0, &[], &[]);
    place.swarm(&["exec", "--on", "tarn", "--", "sh", "-c", "exit 7"]).with(1, &[], &["tarn ended with status 7"]);
    // What it sends to its group does not keep us from telling how it ended.
    place.swarm(&["exec", "--on", "tarn", "--", "sh", "-c", "kill -HUP 0"]).with(
        1,
        &[],
        &["tarn ended with status 129"],
    );
    let deaf = "trap '' TERM; kill 0; exit 5";
    place.swarm(&["exec", "--on", "tarn", "--", "sh", "-c", deaf]).with(1, &[], &["tarn ended with status 5"]);
    // Its parent is the shell that would tell the status.
    let murder = "kill -9 $PPID";
    let ended = place.swarm(&["exec", "--on", "tarn", "--", "sh", "-c", murder]);
    ended.with(1, &[], &["tarn did not run it to its end: the command was ended: signal KILL"]);
    place.swarm(&["exec", "--on", "*", "--", "echo", "here"]).with(
        1,
        &["tarn: here", "local: here"],
        &["gone did not run it"],
    );
}

/// A command that says that it is here and goes on, once it has said so.
pub fn begun_exec(place: &Place, host: &str, command: &[&str]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_swarm"))
        .args(["exec", "--on", host, "--"])
        .args(command)
        .current_dir(place.path())
        .env("HOME", place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, format!("{host}: here\n"));
    child
}

#[test]
fn a_command_ends_with_the_operator_who_started_it() {
    let sshd = Sshd::start();
    let place = fleet(&sshd);
    // What it started holds the lock as long as it lives, whether it minds a polite signal or not.
    let command = "exec 9>\"$1\"; flock 9; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo here; wait";
    let cases =
        [("tarn", "INT", Some(130)), ("local", "TERM", Some(130)), ("tarn", "KILL", None), ("local", "KILL", None)];
    std::thread::scope(|scope| {
        for (host, signal, status) in cases {
            let place = &place;
            scope.spawn(move || {
                let lock = place.path().join(format!("{host}-{signal}"));
                let child = begun_exec(place, host, &["sh", "-c", command, "0", lock.to_str().unwrap()]);
                assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), status, "{host} {signal}: {said}");
                assert!(signal == "KILL" || said.contains(&format!("{host} ended with status 143")), "{said}");
                let free = Command::new("flock").args(["-w", "30"]).arg(&lock).arg("true").status().unwrap();
                assert!(free.success(), "{host} {signal}: something of the command still runs");
            });
        }
    });
}

#[test]
fn exec_speaks_json_with_one_object_a_line() {
    let sshd = Sshd::start();
    let ended = fleet(&sshd).swarm(&["exec", "--json", "--on", "tarn,gone", "--", "sh", "-c", "echo one; exit 3"]);
    ended.with(1, &[], &[]);
    let events: Vec<serde_json::Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |host: &str| events.iter().filter(|event| event["host"] == host).cloned().collect::<Vec<_>>();
    assert_eq!(of("tarn")[0], serde_json::json!({"host": "tarn", "stream": "stdout", "line": "one"}));
    assert_eq!(of("tarn")[1], serde_json::json!({"host": "tarn", "status": 3}));
    assert!(of("gone")[0]["error"].is_string(), "{events:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let place = Place::with(ARGO);
    let mut child = Command::new(env!("CARGO_BIN_EXE_swarm"))
        .args(["hosts"])
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_first_inventory_is_written_of_hosts_that_were_tried() {
    let sshd = Sshd::start();
    let place = Place::empty();
    fs::create_dir(place.path().join(".ssh")).unwrap();
    let known_hosts = place.path().join("known");
    let config = format!(
        "Host tarn\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n",
        sshd.port,
        sshd.identity().display(),
        known_hosts.display()
    );
    fs::write(place.path().join(".ssh/config"), config).unwrap();
    let written = place.path().join("inventory/fleet.toml");
    let drone = "\n[drones.tarn]\naddress = \"tarn\"\n";
    place.swarm(&["init"]).with(1, &[], &["nobody can be asked here: What is the swarm to be called?", "--yes"]);
    place.swarm(&["init", "--yes"]).with(1, &[], &["a swarm needs a drone: name one"]);
    place.swarm(&["init", "--yes", "a/24"]).with(2, &[], &["a/24", "is not [USER@]HOST[:PORT]"]);
    place.swarm(&["init", "--yes", "--dry-run", "tarn"]).with(4, &[drone, "is not known", "inventory/fleet.toml"], &[]);
    assert!(!written.exists() && !known_hosts.exists());

    // Here is no Portage, so it is no drone yet; its key is recorded all the same.
    let words = ["tarn: recorded in", "nothing was written: mend what is said above"];
    place.swarm(&["init", "--yes", "tarn"]).with(4, &["0 of 1 drones can be used"], &words);
    assert!(!written.exists() && known_hosts.exists());
    place.swarm(&["init", "--yes", "--force", "tarn", "--name", "argo"]).with(
        4,
        &["fleet.toml is written"],
        &["tarn: trusted already"],
    );
    assert!(fs::read_to_string(&written).unwrap().contains(drone));
    place.swarm(&["hosts"]).with(0, &["tarn", "drone"], &[]);
    place.swarm(&["exec", "--on", "tarn", "--", "echo", "reached"]).with(0, &["reached"], &[]);
    place.swarm(&["init", "--yes", "tarn"]).with(1, &[], &["there is an inventory already", "--force"]);
}
