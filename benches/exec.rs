//! `swarm exec --on '*' -- true` on 50 hosts beside what an operator would use instead: sshd on 50 addresses of the
//! loopback.
//!
//! 1. Cold: each connects anew. Beside `xargs -P50 ssh`, `parallel-ssh`, GNU parallel and `ansible -m raw`; faster than
//!    each of them.
//! 2. Warm: through the socket of a controller that has the hosts connected. Beside ssh and ansible with a ControlMaster
//!    to each host; within [`LONGEST_WARM`].
//!
//! The tools take turns in each round; the figures are medians. SWARM_BENCH_HOSTS and SWARM_BENCH_ROUNDS make it smaller.
//! It ends with status 1 where a figure is beyond its bar. Needs root, sshd and /run/sshd, as the tests of SSH do.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may end anywhere")]

mod compare;
#[path = "../tests/program/sshd.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod sshd;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use compare::{Bar, Figure, Row, median, number, report, timed};
use futures::future::join_all;
use swarm::controller::exec::through::Ways;
use swarm::controller::muster::Hosts;
use swarm::controller::socket::Socket;
use swarm::inventory::Inventory;
use swarm::ssh;
use tokio::sync::{broadcast, mpsc};

use sshd::Sshd;

/// The longest that it may take warm.
const LONGEST_WARM: Duration = Duration::from_millis(150);
/// sshd listens at 16 places at the most, one of which is its own.
const AT_ONE: usize = 15;

/// The hosts, and what is needed to reach them.
struct Fleet {
    /// They run as long as this is here; the first has the keys of all and the files below.
    sshds: Vec<Sshd>,
    hosts: Vec<String>,
}

impl Fleet {
    fn start(count: usize) -> Self {
        let port = TcpListener::bind("127.0.1.1:0").unwrap().local_addr().unwrap().port();
        let hosts: Vec<String> = (1..=count).map(|number| format!("127.0.1.{number}")).collect();
        let mut sshds: Vec<Sshd> = Vec::new();
        for hosts in hosts.chunks(AT_ONE) {
            let first = sshds.first().map(|sshd| sshd.directory.path().to_owned());
            sshds.push(Sshd::configured(|own| {
                for name in ["host_key", "host_key.pub", "identity", "authorized_keys"] {
                    if let Some(first) = &first {
                        fs::copy(first.join(name), own.join(name)).unwrap();
                    }
                }
                let listen = hosts.iter().map(|host| format!("ListenAddress {host}:{port}\n"));
                listen.collect::<String>() + "MaxStartups 1000\n"
            }));
        }
        for host in &hosts {
            while TcpStream::connect((host.as_str(), port)).is_err() {
                std::thread::yield_now();
            }
        }
        let fleet = Self { sshds, hosts };
        fleet.write(port);
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sshds[0].path(name)
    }

    fn text_path(&self, name: &str) -> String {
        self.sshds[0].text_path(name)
    }

    /// What each of the tools has to know of them.
    fn write(&self, port: u16) {
        let key = self.sshds[0].host_key();
        let pins: String = self.hosts.iter().map(|host| format!("[{host}]:{port} {}\n", key.trim())).collect();
        fs::write(self.path("pins"), pins).unwrap();
        fs::write(self.path("hosts"), self.hosts.join("\n") + "\n").unwrap();
        let (identity, pins, user) = (self.text_path("identity"), self.text_path("pins"), sshd::user());
        let config = format!(
            "User {user}\nPort {port}\nIdentityFile {identity}\nIdentitiesOnly yes\nUserKnownHostsFile {pins}\n\
             GlobalKnownHostsFile none\nBatchMode yes\nLogLevel ERROR\nControlPath {}/%h\n",
            self.text_path("masters")
        );
        fs::write(self.path("ssh_config"), config).unwrap();
        // Whatever this machine's says.
        fs::write(self.path("ansible.cfg"), "").unwrap();
        let state = self.text_path("state");
        let mut inventory = format!(
            "[swarm]\ndriver = 'local'\nstate = '{state}'\n[defaults]\nuser = '{user}'\nport = {port}\n\
             identity = '{identity}'\nknown_hosts = '{pins}'\n"
        );
        for (number, host) in self.hosts.iter().enumerate() {
            inventory += &format!("[hosts.host-{number}]\naddress = '{host}'\n");
        }
        fs::write(self.path("inventory.toml"), inventory).unwrap();
        for directory in ["masters", "state"] {
            fs::create_dir(self.path(directory)).unwrap();
        }
    }

    /// A command of `sh`, in which `$CONFIG`, `$HOSTS` and `$COUNT` are known.
    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .env("CONFIG", self.path("ssh_config"))
            .env("HOSTS", self.path("hosts"))
            .env("COUNT", self.hosts.len().to_string())
            .env("HOME", self.path(""))
            .env("ANSIBLE_HOME", self.path("ansible"))
            .env("ANSIBLE_CONFIG", self.path("ansible.cfg"))
            .env_remove("SSH_AUTH_SOCK");
        shell
    }

    fn exec(&self) -> Command {
        let mut swarm = Command::new(compare::program());
        // `local` is in every inventory.
        swarm.args(["exec", "--on", "*,!local", "--inventory"]).arg(self.path("inventory.toml")).args(["--", "true"]);
        swarm.env("HOME", self.path("")).env_remove("SSH_AUTH_SOCK");
        swarm
    }
}

/// How long a command takes, which has to end well.
fn takes(mut command: Command) -> Duration {
    let (took, output) = timed(|| command.stdin(Stdio::null()).output().expect("it starts"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
    took
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| Path::new(&directory).join(program).is_file())
}

/// Something that an operator would use: its name, its program, and the command.
type Other = (&'static str, &'static str, &'static str);

const COLD: [Other; 4] = [
    ("xargs -P50 ssh", "xargs", "xargs -a $HOSTS -P$COUNT -I{} ssh -o ControlPath=none -F $CONFIG {} true"),
    ("parallel-ssh", "parallel-ssh", "parallel-ssh -h $HOSTS -p $COUNT -x \"-F $CONFIG -o ControlPath=none\" true"),
    (
        "GNU parallel",
        "parallel",
        "parallel --will-cite -j$COUNT ssh -o ControlPath=none -F $CONFIG {} true :::: $HOSTS",
    ),
    (
        "ansible -m raw -f 50",
        "ansible",
        "ANSIBLE_SSH_ARGS=\"-F $CONFIG -o ControlPath=none\" ansible all -i $HOSTS -m raw -a true -f $COUNT",
    ),
];

const WARM: [Other; 2] = [
    ("ssh with ControlMaster", "xargs", "xargs -a $HOSTS -P$COUNT -I{} ssh -F $CONFIG {} true"),
    (
        "ansible with ControlMaster",
        "ansible",
        "ANSIBLE_SSH_ARGS=\"-F $CONFIG\" ansible all -i $HOSTS -m raw -a true -f $COUNT",
    ),
];

/// A row of swarm and the others, each once a round.
fn row(fleet: &Fleet, what: &str, others: &[Other], bar: Bar, rounds: usize) -> Row {
    let there: Vec<bool> = others.iter().map(|(_, program, _)| is_installed(program)).collect();
    let (mut own, mut times) = (Vec::new(), vec![Vec::new(); others.len()]);
    for _ in 0..rounds {
        own.push(takes(fleet.exec()));
        for (place, (_, _, command)) in others.iter().enumerate().filter(|(place, _)| there[*place]) {
            times[place].push(takes(fleet.shell(command)));
        }
    }
    let what = format!("`swarm exec --on '*' -- true`, {} hosts, {what}", fleet.hosts.len());
    let row = Row::new(&what, Figure::Time(median(own)), bar);
    others.iter().zip(times).fold(row, |row, ((name, _, _), times)| {
        let figure = (!times.is_empty()).then(|| Figure::Time(median(times)));
        row.beside(name, figure)
    })
}

/// The same, while a controller has the hosts connected, and ssh has a master for each.
fn warm(fleet: &Fleet, rounds: usize) -> Row {
    let inventory = Arc::new(Inventory::find(Some(&fleet.path("inventory.toml"))).expect("an inventory"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (asked, _asks) = mpsc::channel(1);
    let _socket = runtime.block_on(async {
        let remote = inventory.hosts().filter(|host| host.name.as_str() != "local");
        let hosts: Hosts = remote.map(|host| (host.name.clone(), ssh::host(&inventory.destination_of(host)))).collect();
        for connected in join_all(hosts.values().map(|host| host.connect())).await {
            connected.expect("a connection");
        }
        let ways = Ways::new(inventory.clone(), Arc::new(hosts));
        Socket::open_with(&fleet.path("state"), asked, broadcast::Sender::new(1), Some(ways)).expect("a socket")
    });
    takes(
        fleet.shell("xargs -a $HOSTS -P$COUNT -I{} ssh -F $CONFIG -o ControlMaster=yes -o ControlPersist=600 {} true"),
    );
    let row = row(fleet, "warm", &WARM, Bar::Most(Figure::Time(LONGEST_WARM)), rounds);
    takes(fleet.shell("xargs -a $HOSTS -P$COUNT -I{} ssh -F $CONFIG -O exit {}"));
    row
}

fn main() -> ExitCode {
    let rounds = number("SWARM_BENCH_ROUNDS", 5);
    let fleet = Fleet::start(number("SWARM_BENCH_HOSTS", 50));
    let cold = row(&fleet, "cold", &COLD, Bar::Times(1.0), rounds);
    if report(&[cold, warm(&fleet, rounds)]) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
