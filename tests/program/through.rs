//! `swarm exec` beside a controller at work: the real binary, and a controller's socket with ways of its own to the hosts.

use std::path::Path;
use std::process::{Child, Command, Output};
use std::sync::Arc;
use std::time::Duration;

use swarm::controller::exec::through::Ways;
use swarm::controller::muster::Hosts;
use swarm::controller::socket::Socket;
use swarm::inventory::Inventory;
use swarm::ssh::{self, Destination, LOCAL, Way};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc};

use crate::inventory::begun_exec;
use crate::inventory::place::Place;

/// Nobody listens where the inventory has `tarn` and `izar`, and the controller has other ways to them: to this machine.
struct Beside {
    place: Place,
    runtime: Runtime,
    ways: Ways,
    _socket: Socket,
}

fn inventory(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "[swarm]\ndriver = 'local'\nstate = '{directory}/state'\n[defaults]\nknown_hosts = '{directory}/pins'\n\
         ssh_config = false\n[hosts.tarn]\naddress = '127.0.0.1'\nport = 1\n[hosts.izar]\naddress = '127.0.0.1'\n\
         port = {port}\n"
    )
}

fn write(place: &Place, port: u16) {
    std::fs::write(place.path().join("inventory/fleet.toml"), inventory(place.path(), port)).unwrap();
}

impl Beside {
    fn begin() -> Self {
        let place = Place::with("");
        write(&place, 1);
        let known = Arc::new(Inventory::find(Some(&place.path().join("inventory"))).unwrap());
        let state = &known.swarm.state;
        std::fs::create_dir(state).unwrap();
        let runtime = Runtime::new().unwrap();
        let here = |host: &swarm::inventory::Host| {
            let ways = vec![Way::direct(LOCAL)];
            let destination = Destination { ways, ..known.destination_of(host) };
            (host.name.clone(), ssh::host(&destination))
        };
        let hosts: Hosts = known.hosts().map(here).collect();
        let ways = Ways::new(known.clone(), Arc::new(hosts));
        let (asked, _) = mpsc::channel(1);
        let socket = runtime.block_on(async {
            Socket::open_with(state, asked, broadcast::Sender::new(1), Some(ways.clone())).unwrap()
        });
        Self { place, runtime, ways, _socket: socket }
    }

    /// Begins a command that says that it is here, and waits until it has.
    fn long(&self) -> Child {
        let child = begun_exec(&self.place, "tarn", &["sh", "-c", "echo here; sleep 600"]);
        assert!(self.ways.are_used());
        child
    }

    /// Waits until nothing runs through it any more.
    fn rests(&self) {
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(60), self.ways.finish()).await.expect("it is still at work");
        });
    }
}

fn ended(child: Child, status: i32, said: &str) {
    let Output { status: own, stderr, .. } = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(own.code() == Some(status) && stderr.contains(said), "{own}: {stderr}");
}

#[test]
fn a_command_takes_the_ways_that_a_controller_at_work_has() {
    let beside = Beside::begin();
    let command =
        ["exec", "--on", "tarn,izar,local", "--", "sh", "-c", "echo \"<$1>\"; echo oops >&2; exit 3", "0", "a  b"];
    beside.place.swarm(&command).with(
        1,
        &["tarn: <a  b>\n", "izar: <a  b>\n", "local: <a  b>\n"],
        &["tarn: oops\n", "izar ended with status 3"],
    );
    beside.rests();
}

#[test]
fn a_host_that_the_controller_would_reach_otherwise_is_reached_from_here() {
    let beside = Beside::begin();
    write(&beside.place, 2);
    let ended = beside.place.swarm(&["exec", "--on", "tarn,izar", "--", "echo", "here"]);
    ended.with(1, &["tarn: here\n"], &["izar did not run it to its end", "127.0.0.1: Connection refused"]);
    assert!(!ended.stdout.contains("izar"), "{}", ended.stdout);
}

#[test]
fn a_command_through_a_controller_ends_with_the_operator_and_says_how() {
    let beside = Beside::begin();
    for (signal, status, said) in [("INT", Some(130), "tarn ended with status 143"), ("KILL", None, "")] {
        let child = beside.long();
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        match status {
            Some(status) => ended(child, status, said),
            None => drop(child.wait_with_output().unwrap()),
        }
        beside.rests();
    }
}

#[test]
fn a_command_is_told_to_have_ended_where_the_controller_has() {
    let beside = Beside::begin();
    let child = beside.long();
    let Beside { place: _place, runtime, ways: _ways, _socket } = beside;
    drop(_socket);
    // With its process its connections are gone.
    runtime.shutdown_background();
    ended(child, 1, "the controller, through which it ran, has ended");
}
