//! Two orchestrators on hosts of their own, a gateway on a third, and a driver that submits its builds to them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::laboratory::{Laboratory, Ran};

/// Where the gateway listens.
pub const GATEWAY: &str = "http://10.42.0.199:8090";
/// The orchestrators, the first one first, and where each listens.
pub const PAIR: [(&str, &str); 2] =
    [("orch-izar", "http://10.42.0.201:8091"), ("orch-tarn", "http://192.168.20.201:8091")];
/// What holds a push of `app-lab/suite` up.
const HELD: [&str; 3] = ["editor", "viewer", "plugins"];
/// How often the gateway looks, in seconds.
pub const INTERVAL: u64 = 2;

/// The whole fleet at work.
pub struct Pair {
    pub lab: Laboratory,
    /// The services; they end with the lab.
    services: Vec<Child>,
}

impl Pair {
    /// Everything up and healthy; nothing has been built.
    pub fn up(name: &str) -> Self {
        let lab = Laboratory::up(name);
        lab.lab(&["up", "altair", "orch-izar", "orch-tarn"]).gives(0, &[]);
        let mut pair = Self { lab, services: Vec::new() };
        pair.write_inventory();
        pair.lab.share_program();
        for host in ["altair", "orch-izar", "orch-tarn"] {
            pair.equip(host);
        }
        for (name, _) in PAIR {
            pair.start(name, &["orchestrator", name]);
        }
        pair.start("altair", &["gateway"]);
        pair.lab.wait("the gateway asks the first about builds", || pair.gateway()["controller"] == PAIR[0].0);
        pair
    }

    /// The fleet as every one of them knows it, and as the driver does.
    fn write_inventory(&self) {
        let token = self.lab.file("token");
        std::fs::write(&token, "opensesame\n").unwrap();
        self.lab.run(&["chmod", "600", token.to_str().unwrap()]).gives(0, &[]);
        let mut entries = format!(
            "\n[hosts.altair]\naddress = \"10.42.0.199\"\n\
             [gateway]\nhost = \"altair\"\nlisten = \"10.42.0.199:8090\"\ncheck_interval = \"{INTERVAL}s\"\n"
        );
        for (number, (name, url)) in PAIR.iter().enumerate() {
            let address = url.trim_start_matches("http://").trim_end_matches(":8091");
            let priority = (number + 1) * 100;
            entries += &format!(
                "[orchestrators.{name}]\naddress = \"{address}\"\npriority = {priority}\nbinhost = \"{url}/packages\"\n\
                 api = \"{url}\"\n"
            );
        }
        let swarm = format!("[swarm]\ntoken_file = {token:?}");
        // One job each, so that each drone has something to do.
        let text = std::fs::read_to_string(self.lab.inventory())
            .unwrap()
            .replace("controller = \"local\"", "controller = \"orchestrator\"")
            .replace("memory = \"2GiB\"", "memory = \"2GiB\"\njobs = 1")
            .replace("[swarm]", &swarm)
            + &entries;
        std::fs::write(self.inventory(), text).unwrap();
    }

    /// The lab writes its own anew with each host that comes up.
    pub fn inventory(&self) -> PathBuf {
        self.lab.file("fleet.toml")
    }

    /// `swarm` as the operator runs it at the driver's side.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.lab.swarm(&[&["--inventory", self.inventory().to_str().unwrap()], arguments].concat())
    }

    /// The same beside the test.
    pub fn run_beside(&self, arguments: &[&str]) -> Child {
        self.lab.swarm_beside(&[&["--inventory", self.inventory().to_str().unwrap()], arguments].concat())
    }

    /// Gives a host what its service needs: the inventory with its own paths, the token, keys.
    fn equip(&self, host: &str) {
        self.lab.equip(host, &std::fs::read_to_string(self.inventory()).unwrap());
        std::fs::copy(self.lab.file("token"), self.lab.root(host).join("root/token")).unwrap();
    }

    /// Starts a service on a host; what it says goes to `HOST.log` in the lab's directory.
    pub fn start(&mut self, host: &str, arguments: &[&str]) {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.lab.file(&format!("{host}.log"))).unwrap();
        let mut command: Command = self.lab.command();
        command.args(["exec", host, "env", "SWARM_LOG=info", "/dev/lab/swarm"]).args(arguments);
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        self.services.push(command.spawn().unwrap());
    }

    /// What a service has said so far.
    pub fn log(&self, host: &str) -> String {
        std::fs::read_to_string(self.lab.file(&format!("{host}.log"))).unwrap_or_default()
    }

    /// A JSON answer of a service; null where there is none.
    pub fn get(&self, url: &str) -> Value {
        let got = self.lab.run(&["wget", "-qO-", "-T", "3", "-t", "1", url]);
        serde_json::from_str(&got.said).unwrap_or_default()
    }

    /// What the gateway says of the fleet.
    pub fn gateway(&self) -> Value {
        self.get(&format!("{GATEWAY}/status"))
    }

    /// How things stand at the controller, as the gateway passes it on.
    pub fn swarm(&self) -> Value {
        self.get(&format!("{GATEWAY}/swarm"))
    }

    /// Waits until the controller, whoever it is, says what is wanted.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        self.lab.wait(what, || wanted(&self.swarm()));
    }

    /// A push that is held up, once every drone builds something of it.
    pub fn push_that_is_held_up(&self) -> Child {
        for held in HELD {
            std::fs::write(self.lab.shared(&format!("hold/{held}")), "").unwrap();
        }
        let push = self.run_beside(&["push", "app-lab/suite", "--finalize"]);
        self.wait_for("every drone builds", |status| {
            let drones = status["drones"].as_object();
            drones.is_some_and(|drones| {
                drones.len() == 3 && drones.values().all(|drone| !drone["building"].as_array().unwrap().is_empty())
            })
        });
        push
    }

    /// Lets it go on.
    pub fn let_go_on(&self) {
        for held in HELD {
            std::fs::remove_file(self.lab.shared(&format!("hold/{held}"))).unwrap();
        }
    }

    /// Lets a client know the gateway and nothing else.
    pub fn configure_client(&self) {
        let printed = self.run(&["client-config"]);
        printed.gives(0, &[&format!("sync-uri = {GATEWAY}/packages")]);
        let configuration = format!(
            "mkdir -p /etc/portage/binrepos.conf && cat >/etc/portage/binrepos.conf/lab.conf <<'END'\n{}END\n",
            printed.said
        );
        self.lab.on("client", &configuration).gives(0, &[]);
    }

    /// The files of a host's production, with their sums, as clients see them.
    pub fn production(&self, host: &str) -> String {
        self.lab.on(host, "cd /var/cache/swarm/production && find . -type f | sort | xargs sha256sum").said
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for host in ["orch-izar", "orch-tarn", "altair"] {
                let pushed = self.lab.root(host).join("var/lib/build-swarm/logs/push.log");
                for log in [self.log(host), std::fs::read_to_string(pushed).unwrap_or_default()] {
                    let from = log.len().saturating_sub(6000);
                    eprintln!("--- {host}\n{}", log.get(from..).unwrap_or(&log));
                }
            }
        }
        for service in &mut self.services {
            // They may have ended with their hosts.
            let _gone = service.kill();
            let _gone = service.wait();
        }
    }
}
