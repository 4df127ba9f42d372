//! `swarm gateway` between orchestrators that come and go.

use std::io::Read;

use serde_json::Value;

use super::place::{Place, Service, free_port, wait};
use super::production::{HELLO, release};
use crate::http::{Answer, ask, connect, get, head, send, try_ask};

const GATEWAY: &str = "[hosts.altair]\naddress = '127.0.0.1'\n\
                       [gateway]\nhost = 'altair'\nlisten = '127.0.0.1:0'\ncheck_interval = '100ms'\n";

/// An orchestrator with a port of its own, which it keeps when it is started again.
struct Orchestrator {
    place: Place,
    name: &'static str,
    port: u16,
}

impl Orchestrator {
    fn new(name: &'static str, swarm: &str) -> Self {
        let place = Place::new("", "");
        let token = if swarm.is_empty() { String::new() } else { place.token(swarm, 0o600) };
        let own = format!("[orchestrators.{name}]\naddress = '127.0.0.1'\nbinhost = 'http://{name}.test/packages'\n");
        place.write_inventory(&token, &own);
        release(&place.production(), 1, b"one");
        Self { place, name, port: free_port() }
    }

    fn start(&self) -> Service {
        self.place.serve(&["orchestrator", "--listen", &format!("127.0.0.1:{}", self.port)])
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its entry in the gateway's inventory.
    fn entry(&self, priority: u32) -> String {
        let (name, url) = (self.name, self.url());
        format!(
            "[orchestrators.{name}]\naddress = '127.0.0.1'\npriority = {priority}\nbinhost = '{url}/packages'\napi = '{url}'\n"
        )
    }
}

fn status(gateway: &Service) -> Value {
    get(&gateway.url, "/status").json()
}

fn one_of<'a>(status: &'a Value, name: &str) -> &'a Value {
    let all = status["orchestrators"].as_array().unwrap();
    all.iter().find(|each| each["name"] == name).unwrap()
}

fn wait_for(gateway: &Service, what: &str, holds: impl Fn(&Value) -> bool) {
    wait(what, || holds(&status(gateway)));
}

fn redirect(gateway: &Service) -> Answer {
    get(&gateway.url, &format!("/packages/{HELLO}?x=1&y"))
}

#[test]
fn clients_get_the_first_that_is_healthy_at_once_when_it_dies_and_not_an_old_one_that_comes_back() {
    let (a, b) = (Orchestrator::new("a", ""), Orchestrator::new("b", ""));
    let (first, second) = (a.start(), b.start());
    let place = Place::new("", &format!("{GATEWAY}{}{}", a.entry(100), b.entry(200)));
    let gateway = place.serve(&["gateway"]);
    wait_for(&gateway, "both were looked at", |status| status["active"] == "a" && status["controller"] == "a");
    assert_eq!(get(&gateway.url, "/binhost").gives(200, "").text(), format!("{}/packages", a.url()));
    let json = ask(&gateway.url, "GET /binhost", &["accept: text/html, application/json"], b"").json();
    assert_eq!((&json["name"], &json["url"]), (&"a".into(), &format!("{}/packages", a.url()).into()));
    let answer = redirect(&gateway);
    assert_eq!(answer.header("location"), Some(format!("{}/packages/{HELLO}?x=1&y", a.url()).as_str()));
    assert_eq!((answer.status, answer.header("cache-control")), (302, Some("no-store")));
    assert_eq!(ask(&gateway.url, "HEAD /packages/Packages.gz", &[], b"").status, 302);
    let plus = get(&gateway.url, "/packages/dev-libs/libsigc++/x");
    assert_eq!(plus.header("location"), Some(format!("{}/packages/dev-libs/libsigc%2B%2B/x", a.url()).as_str()));
    for path in ["/packages/../x", "/packages/%2e%2e/x", "/packages/.x", "/packages/"] {
        assert_eq!(get(&gateway.url, path).status, 404, "{path}");
    }
    get(&gateway.url, "/health").gives(200, "ok");
    let seen = status(&gateway);
    for name in ["a", "b"] {
        let one = one_of(&seen, name);
        assert_eq!(
            (&one["healthy"], &one["active"], &one["error"]),
            (&true.into(), &(name == "a").into(), &Value::Null)
        );
        assert!(one["release"].is_string() && one["last_check"].is_string() && one["address"] == "127.0.0.1", "{one}");
    }

    first.kill();
    // Clients are sent where they are taken, whether or not a check has noticed.
    wait("clients are sent to the other one", || redirect(&gateway).header("location").unwrap().starts_with(&b.url()));
    wait_for(&gateway, "the other one is active", |status| status["active"] == "b" && status["controller"] == "b");
    assert_eq!(get(&gateway.url, "/binhost").text(), format!("{}/packages", b.url()));
    assert!(one_of(&status(&gateway), "a")["error"].as_str().unwrap().contains("cannot be reached"));

    // The other one goes on to another release, and the first comes back with the old one.
    release(&b.place.production(), 2, b"two");
    wait_for(&gateway, "the new release is seen", |status| {
        one_of(status, "b")["release"] != one_of(status, "a")["release"]
    });
    let first = a.start();
    let behind =
        |status: &Value| one_of(status, "a")["error"].as_str().is_some_and(|error| error.starts_with("is behind"));
    wait_for(&gateway, "it is seen that it is behind", behind);
    let checked = one_of(&status(&gateway), "a").clone();
    assert_eq!((&checked["healthy"], &status(&gateway)["active"]), (&false.into(), &"b".into()));
    // Its API answers, and it has the lower number.
    wait_for(&gateway, "it is asked about builds", |status| status["controller"] == "a");
    assert_eq!(status(&gateway)["active"], "b");
    release(&a.place.production(), 2, b"two");
    wait_for(&gateway, "it is back", |status| status["active"] == "a");

    // With none there is none, until one is back.
    first.kill();
    second.kill();
    wait_for(&gateway, "nobody is left", |status| status["active"].is_null() && status["controller"].is_null());
    for path in ["/binhost", "/packages/Packages.gz", "/swarm", "/events", "/"] {
        let answer = get(&gateway.url, path);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{path}");
    }
    let _second = b.start();
    wait_for(&gateway, "one is back", |status| status["active"] == "b");
    let metrics = get(&gateway.url, "/metrics").text();
    for line in [
        r#"swarm_gateway_active{orchestrator="b"} 1"#,
        r#"swarm_gateway_healthy{orchestrator="a"} 0"#,
        r#"swarm_gateway_api_up{orchestrator="a"} 0"#,
    ] {
        assert!(metrics.lines().any(|each| each == line), "{line} is not in:\n{metrics}");
    }
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn an_empty_or_broken_index_is_no_binhost_and_files_alone_are_one() {
    let (a, b) = (Orchestrator::new("a", ""), Orchestrator::new("b", ""));
    let _running = (a.start(), b.start());
    // As seen from here neither has an API: only their files count.
    let entries = format!("{}{}", a.entry(100), b.entry(200)).replace("api = ", "# ");
    let place = Place::new("fall = 1\nrise = 1\n", &format!("{GATEWAY}{entries}"));
    let gateway = place.serve(&["gateway"]);
    wait_for(&gateway, "both were looked at", |status| status["active"] == "a");
    assert!(status(&gateway)["controller"].is_null());
    let root = release(&a.place.production(), 2, b"two");
    std::fs::write(root.join("Packages.gz"), "no index").unwrap();
    wait_for(&gateway, "it is seen", |status| status["active"] == "b");
    assert!(one_of(&status(&gateway), "a")["error"].as_str().unwrap().contains("it does not unpack"));
    std::fs::remove_file(root.join("Packages.gz")).unwrap();
    wait_for(&gateway, "Packages alone is enough", |status| status["active"] == "a");
    release(&b.place.production(), 2, b"two");
    wait_for(&gateway, "both are healthy", |status| one_of(status, "b")["healthy"] == true);
    std::fs::write(root.join("Packages"), "PACKAGES: 0\nTIMESTAMP: 1795505160\nVERSION: 0\n\n").unwrap();
    wait_for(&gateway, "an empty one is none", |status| status["active"] == "b");
}

#[test]
fn the_inventory_is_read_again_at_the_word_and_a_broken_one_is_refused() {
    let (a, b) = (Orchestrator::new("a", ""), Orchestrator::new("b", ""));
    let _running = (a.start(), b.start());
    let place = Place::new("", &format!("{GATEWAY}{}", a.entry(100)));
    let gateway = place.serve(&["gateway"]);
    wait_for(&gateway, "the first is active", |status| status["active"] == "a");
    let good = format!("{GATEWAY}{}{}", a.entry(100), b.entry(50));
    for (broken, part) in [
        (good.replace("priority = 50", "priotity = 50"), "did you mean `priority`?"),
        (GATEWAY.to_owned(), "there is nothing to point to"),
        (format!("{}[hosts.altair]\naddress = '127.0.0.1'", a.entry(100)), "has no `[gateway]`"),
    ] {
        place.write_inventory("", &broken);
        gateway.signal("HUP");
        gateway.says(part);
        assert!(gateway.log().contains("ERROR swarm::gateway: the inventory was not taken"), "{}", gateway.log());
        assert_eq!(status(&gateway)["active"], "a");
    }
    place.write_inventory(&place.token("opensesame", 0o604), &good);
    gateway.signal("HUP");
    gateway.says("is open to others");
    place.write_inventory("", &good);
    gateway.signal("HUP");
    gateway.says("it has 2 orchestrators");
    wait_for(&gateway, "the new one is active", |status| status["active"] == "b");
    place.write_inventory("", &format!("{GATEWAY}{}", a.entry(100)));
    gateway.signal("HUP");
    wait_for(&gateway, "the first alone is left", |status| status["orchestrators"].as_array().unwrap().len() == 1);
    wait_for(&gateway, "it is active", |status| status["active"] == "a");
}

#[test]
fn with_failback_by_hand_clients_go_back_when_the_inventory_says_so() {
    let (a, b) = (Orchestrator::new("a", ""), Orchestrator::new("b", ""));
    let (first, _second) = (a.start(), b.start());
    let entries = format!("{GATEWAY}{}{}", a.entry(100), b.entry(200));
    let place = Place::new("failback = 'manual'\nfall = 1\nrise = 1\n", &entries);
    let gateway = place.serve(&["gateway"]);
    wait_for(&gateway, "the first is active", |status| status["active"] == "a");
    first.kill();
    wait_for(&gateway, "the other one is active", |status| status["active"] == "b");
    let _first = a.start();
    wait_for(&gateway, "the first is back", |status| one_of(status, "a")["healthy"] == true);
    let say = |failback: &str| {
        place.write_inventory(&format!("failback = '{failback}'\nfall = 1\nrise = 1\n"), &entries);
        gateway.signal("HUP");
    };
    // Read again as it is, it moves nobody.
    say("manual");
    gateway.says("was read again");
    assert_eq!(status(&gateway)["active"], "b");
    say("auto");
    wait_for(&gateway, "clients are back", |status| status["active"] == "a");
}

#[test]
fn what_concerns_builds_is_passed_on_to_the_controller_with_the_token_that_it_came_with() {
    let a = Orchestrator::new("a", "opensesame");
    let running = a.start();
    let place = Place::new("", "");
    let token = place.token("opensesame", 0o600);
    place.write_inventory(&token, &format!("{GATEWAY}{}", a.entry(100)));
    let gateway = place.serve(&["gateway"]);
    wait_for(&gateway, "it has a controller", |status| status["controller"] == "a");
    assert_eq!(get(&gateway.url, "/swarm").json(), get(&running.url, "/status").json());
    get(&gateway.url, "/").gives(200, "a\n");
    let mut events = connect(&gateway.url).unwrap();
    send(&mut events, "GET /events", &[], b"");
    let (begun, headers) = head(&mut events);
    assert!(begun == 200 && headers.contains(&"content-type: text/event-stream".to_owned()), "{begun} {headers:?}");
    let post = |headers: &[&str], body: &str| {
        let length = format!("content-length: {}", body.len());
        ask(&gateway.url, "POST /build", &[headers, &[&length]].concat(), body.as_bytes())
    };
    post(&[], "{}").gives(401, "this needs the token");
    let right = "authorization: Bearer opensesame";
    post(&[right], "{}").gives(422, "says what to build");
    post(&[right], r#"{"packages":["app-misc/foo"]}"#).gives(422, "capella");
    post(&[right], &" ".repeat((64 << 20) + 1)).gives(413, "has at most");
    running.kill();
    let _broken_off = events.read_to_end(&mut Vec::new());
    wait_for(&gateway, "it has none", |status| status["controller"].is_null());
    post(&[right], "{}").gives(503, "no orchestrator with an API answers");
    // A gateway without a token lets nobody ask.
    place.write_inventory("", &format!("{GATEWAY}{}", a.entry(100)));
    gateway.signal("HUP");
    gateway.says("was read again");
    post(&[right], "{}").gives(403, "no `token_file` is set");
    let log = gateway.log() + &String::from_utf8_lossy(&place.swarm(&["client-config"]).stdout);
    assert!(!log.contains("opensesame"), "{log}");
}

#[test]
fn a_service_that_cannot_start_says_what_to_do() {
    let place = Place::new("", "");
    let said = |arguments: &[&str]| {
        let ended = place.swarm(arguments);
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    let is =
        |(status, said): (Option<i32>, String), part: &str| assert!(status == Some(1) && said.contains(part), "{said}");
    is(said(&["gateway"]), "has no `[gateway]`");
    is(said(&["client-config"]), "neither `[gateway]` nor an orchestrator");
    is(said(&["orchestrator", "izar"]), "has no orchestrator izar, and no other: add `[orchestrators.izar]`");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    is(said(&["orchestrator", "--listen", &address]), "another program, perhaps a web server in front of this one");
    place.write_inventory("", &GATEWAY.replace("127.0.0.1:0", &address));
    is(said(&["gateway"]), "nothing to point to");
    let (a, b) = (Orchestrator::new("a", ""), Orchestrator::new("b", ""));
    place.write_inventory("", &format!("{}{}{}", GATEWAY.replace("127.0.0.1:0", &address), a.entry(1), b.entry(2)));
    is(said(&["gateway"]), "`listen` in `[gateway]` names another address");
    is(said(&["orchestrator", "izar"]), "has no orchestrator izar; there are: a, b");
    is(said(&["orchestrator"]), "2 of the orchestrators of the inventory have an address of this machine");
    place.write_inventory("", &a.entry(1).replace("http:", "https:"));
    is(said(&["orchestrator", "a"]), "no `tls_cert` is set");
    place.write_inventory("", &a.entry(1).replace("/packages", "/elsewhere"));
    is(said(&["orchestrator", "a"]), "it serves the packages below /packages");
    assert!(try_ask(&a.url(), "GET /", &[], b"").is_err());
}

#[test]
fn an_orchestrator_listens_where_the_inventory_says_that_it_is_reached() {
    let place = Place::new("", "");
    let (binhost, api) = (free_port(), free_port());
    place.write_inventory(
        "",
        &format!(
            "[orchestrators.izar]\naddress = '127.0.0.1'\nbinhost = 'http://127.0.0.1:{binhost}/packages'\n\
             api = 'http://127.0.0.1:{api}'\n"
        ),
    );
    release(&place.production(), 1, b"package");
    let _service = place.serve(&["orchestrator"]);
    for port in [binhost, api] {
        let url = format!("http://127.0.0.1:{port}");
        wait("it listens there, too", || try_ask(&url, "GET /health", &[], b"").is_ok());
        get(&url, &format!("/packages/{HELLO}")).gives(200, "package");
    }
}
