//! Builds that wait for their turn at an orchestrator, and the commands of a host where that is the controller.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use serde_json::{Value, json};
use swarm::core::event::Selection;
use swarm::core::order::{Form, Submission};
use swarm::core::package::Identity;
use swarm::core::plan::{Plan, PlannedPackage};

use super::place::{Place, Service, free_port, wait};
use crate::http::{Answer, ask, connect, get, head, send};
use crate::monitor::screen::Screen;

const RIGHT: &str = "authorization: Bearer opensesame";

fn plan(driver: &str, names: &[&str]) -> Plan {
    let package = |name: &&str| PlannedPackage {
        identity: Identity {
            cpv: format!("app-lab/{name}-1.0").parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "gentoo".to_owned(),
            ebuild_digest: String::new(),
            use_flags: ["nls"].into_iter().collect(),
            chost: "x86_64-pc-linux-gnu".to_owned(),
            compiler: [("CFLAGS", "-O2")].into_iter().collect(),
            linked: Default::default(),
        },
        requested: true,
        oddities: BTreeSet::new(),
    };
    Plan {
        driver: driver.parse().unwrap(),
        packages: names.iter().map(package).collect(),
        edges: Vec::new(),
        index_header: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

fn order(atom: &str, plan: Plan) -> String {
    let selection = Selection::Atoms(BTreeSet::from([atom.parse().unwrap()]));
    serde_json::to_string(&Form::from(Submission { selection, plan, finalize: false, rebuild: false })).unwrap()
}

fn post(url: &str, path: &str, body: &str) -> Answer {
    let length = format!("content-length: {}", body.len());
    ask(url, &format!("POST {path}"), &[RIGHT, &length], body.as_bytes())
}

fn accepted(url: &str, order: &str) -> String {
    post(url, "/build", order).gives(202, "build").json()["build"].as_str().unwrap().to_owned()
}

/// An orchestrator with drivers and one drone behind this port, and a host that asks it through a gateway.
struct Site {
    place: Place,
    client: Place,
    orchestrator: Option<Service>,
    _gateway: Service,
    port: u16,
}

impl Site {
    fn new(drone: u16) -> Self {
        let (place, client, port, gateway) = (Place::new("", ""), Place::new("", ""), free_port(), free_port());
        // The orchestrator and the gateway's host vote here; that is a majority.
        let vote = |name: &str| format!("workdir = '{}'\n", place.path(name).display());
        let hosts = format!(
            "[hosts.vega]\naddress = '127.0.0.1'\nport = 1\n[drones.izar]\naddress = '127.0.0.1'\nport = {drone}\n\
             [hosts.altair]\naddress = '127.0.0.1'\n{}\
             [gateway]\nhost = 'altair'\nlisten = '127.0.0.1:{gateway}'\ncheck_interval = '100ms'\n",
            vote("altair")
        );
        let entry = |address: &str| {
            format!(
                "{hosts}[orchestrators.orch]\naddress = '{address}'\n{}\
                 binhost = 'http://127.0.0.1:{port}/packages'\napi = 'http://127.0.0.1:{port}'\n",
                vote("orch")
            )
        };
        let place_of = |place: &Place| format!("controller = 'orchestrator'\n{}", place.token("opensesame", 0o600));
        place.write_inventory(&place_of(&place), &entry("127.0.0.1"));
        client.write_inventory(&place_of(&client), &entry("192.0.2.1"));
        let orchestrator = Some(place.serve(&["orchestrator"]));
        let gateway = client.serve(&["gateway"]);
        wait("the gateway has a controller", || get(&gateway.url, "/status").json()["controller"] == "orch");
        Self { place, client, orchestrator, _gateway: gateway, port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn service(&self) -> &Service {
        self.orchestrator.as_ref().unwrap()
    }

    fn status(&self) -> Value {
        get(&self.url(), "/status").json()
    }

    /// A command on the client: its exit status, and what it says.
    fn swarm(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.client.swarm(arguments);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A controller goes on without its service: it ends when its build is given up or it is told to.
        let state = self.place.path("state");
        if let Ok(text) = std::fs::read_to_string(state.join("controller.lock"))
            && let Some(process) = text.trim().strip_prefix("process ")
            && state.join("control.sock").exists()
        {
            let _gone = std::process::Command::new("kill").arg(process).status();
        }
    }
}

#[test]
fn builds_of_several_drivers_wait_for_their_turn_and_a_service_that_is_started_again_goes_on() {
    let mut site = Site::new(1);
    let url = site.url();
    let mut events = BufReader::new(connect(&url).unwrap());
    send(events.get_mut(), "GET /events", &[], b"");
    assert_eq!(head(events.get_mut()).0, 200);
    let first = order("app-lab/one", plan("capella", &["one", "both"]));
    let build = accepted(&url, &first);
    assert_eq!(accepted(&url, &first), build, "the same is asked for once");
    let other = accepted(&url, &order("app-lab/two", plan("vega", &["two", "both"])));
    assert_ne!(other, build);
    post(&url, "/build", &order("app-lab/x", plan("mizar", &["x"]))).gives(422, "mizar is no host");
    post(&url, "/build", &order("app-lab/x", plan("capella", &[]))).gives(200, "nothing is to be built");
    wait("the first has its turn", || site.status()["build"]["id"] == build.as_str());
    let queue = site.status()["queue"].clone();
    assert_eq!(queue, json!([{"id": other, "driver": "vega", "selection": "app-lab/two", "packages": 2}]));
    // Whoever follows misses none: by number one after the other, up to what the state says.
    wait("no drone can be used", || site.status()["drones"]["izar"]["state"] == "unreachable");
    let until = get(&url, "/state").json()["sequence"].as_i64().unwrap();
    let mut last = 0;
    while last < until {
        let mut line = String::new();
        assert!(events.read_line(&mut line).unwrap() > 0, "the stream ends");
        let Some(told) = line.split_once("data: ").map(|(_, told)| serde_json::from_str::<Value>(told).unwrap()) else {
            continue;
        };
        let Some(sequence) = told["sequence"].as_i64() else { continue };
        assert!(last == 0 || sequence == last + 1, "{last} {told}");
        last = sequence;
    }
    // It is tried again, also by a service that was started meanwhile.
    site.orchestrator = None;
    site.orchestrator = Some(site.place.serve(&["orchestrator"]));
    site.service().says("a controller works off what waits");
    site.service().says("it came no further");
    // Giving up what has its turn lets the next have it.
    let forgotten = format!(r#"{{"verb":"reset","build":"{build}"}}"#);
    post(&url, "/verb", &forgotten).gives(200, "is forgotten");
    wait("the other has its turn", || site.status()["build"]["id"] == other.as_str());
    post(&url, "/verb", r#"{"verb":"reset"}"#).gives(200, "is forgotten");
    post(&url, "/verb", r#"{"verb":"reset"}"#).gives(409, "no build is open");
    post(&url, "/verb", r#"{"verb":"dance"}"#).gives(400, "nothing that can be asked");
    ask(&url, "POST /verb", &["content-length: 2"], b"{}").gives(401, "this needs the token");
}

#[test]
fn a_push_at_a_host_whose_controller_is_an_orchestrator_ends_as_one_of_its_own_would() {
    // Its drone is not refused before the push is there.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new(silent.local_addr().unwrap().port());
    let url = site.url();
    let build = accepted(&url, &order("app-lab/one", plan("capella", &["one", "two"])));
    let push = site.client.beside(&["push", "app-lab/one"]);
    push.says(&format!("needed     2 packages for app-lab/one, build {build}"));
    std::thread::spawn(move || silent.incoming().for_each(drop));
    push.says("no drone can take the rest: `swarm hosts check` says why");
    let said = push.log();
    let places = ["needed     2", "unreachable izar", "0 received, 0 failed, 2 not built", "no drone can take"];
    assert!(places.map(|part| said.find(part)).is_sorted_by(|one, next| one.is_some() && one < next), "{said}");
    assert_eq!(push.ended().code(), Some(4));
    let (status, told) = site.swarm(&["push", "app-lab/one", "--detach"]);
    assert!(status == 0 && told.contains(&build), "{told}");
    let (_, json) = site.swarm(&["status", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), site.status());
    for (arguments, wanted, words) in [
        (&["status"][..], 0, build.as_str()),
        (&["explain", "app-lab/one"], 0, "app-lab/one"),
        (&["drain", "izar"], 0, "izar gets no new work"),
        (&["finalize"], 1, "is not complete"),
        (&["logs", "one"], 1, "run this there"),
        (&["push", "app-lab/one", "--replace"], 1, "--replace is for the host"),
        (&["reset", "--yes"], 0, "is forgotten"),
        (&["reset", "--yes"], 1, "no build is open"),
    ] {
        let (status, said) = site.swarm(arguments);
        assert!(status == wanted && said.contains(words), "{arguments:?}: {status} {said}");
    }
    // Nobody's word counts without the token.
    let text = std::fs::read_to_string(site.client.path("fleet.toml")).unwrap();
    let without: String =
        text.lines().filter(|line| !line.starts_with("token_file")).map(|line| format!("{line}\n")).collect();
    std::fs::write(site.client.path("fleet.toml"), without).unwrap();
    let (status, said) = site.swarm(&["drain", "izar"]);
    assert!(status == 1 && said.contains("set `token_file`"), "{said}");
}

#[test]
fn a_push_that_is_interrupted_lets_the_build_go_on_and_waits_for_an_orchestrator_that_is_away() {
    // Whoever connects to this drone waits for a word that never comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut site = Site::new(silent.local_addr().unwrap().port());
    let build = accepted(&site.url(), &order("app-lab/one", plan("capella", &["one"])));
    let waiting = accepted(&site.url(), &order("app-lab/two", plan("vega", &["two"])));
    wait("the first has its turn", || site.status()["build"]["id"] == build.as_str());
    let follower = site.client.beside(&["push", "app-lab/one"]);
    follower.says("needed     1 packages for app-lab/one");
    site.orchestrator = None;
    follower.says("it is asked again until another answers");
    site.orchestrator = Some(site.place.serve(&["orchestrator"]));
    follower.signal("INT");
    follower.says(&format!("interrupted: build {build} goes on at the orchestrator"));
    assert_eq!(follower.ended().code(), Some(130));
    assert_eq!(site.status()["build"]["id"], build.as_str());
    assert_eq!(site.status()["queue"][0]["id"], waiting.as_str());
}

#[test]
fn a_monitor_at_such_a_host_follows_asks_and_says_when_the_connection_is_away() {
    let mut site = Site::new(1);
    let Some(screen) = Screen::open((200, 60), &site.client.path("")) else { return };
    accepted(&site.url(), &order("app-lab/one", plan("capella", &["one", "two"])));
    screen.write("swarm --inventory fleet.toml monitor\n");
    screen.shows("waits     app-lab/two-1.0");
    screen.shows("at http://127.0.0.1:");
    screen.shows("izar unreachable");
    screen.press("R");
    screen.shows("Forget build");
    screen.press("n");
    site.orchestrator = None;
    screen.shows("connection away for");
    site.orchestrator = Some(site.place.serve(&["orchestrator"]));
    screen.shows("connected again");
    screen.press("R");
    screen.press("y");
    screen.shows("is forgotten");
    screen.shows("no build");
    screen.press("q");
    screen.shows("ready swarm");
}
