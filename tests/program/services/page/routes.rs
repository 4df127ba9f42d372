//! What the page's routes answer.

use std::collections::BTreeSet;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::farm::{Farm, REASON, label};
use crate::http::{Answer, ask, connect, get, head, send};
use crate::services::place::{Place, Service, free_port, wait};
use crate::services::production::{HELLO, release};

/// When the builds here began.
pub const BEGUN: i64 = 1_795_600_000;
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn asked(service: &Service, path: &str, headers: &[&str]) -> Answer {
    ask(&service.url, &format!("GET {path}"), headers, b"")
}

fn view(service: &Service, path: &str) -> Value {
    get(&service.url, &format!("/page/{path}")).gives(200, "").json()
}

/// A build of so many packages, so many seconds after it began.
fn farm(place: &Place, size: usize, seconds: i64) -> Farm {
    Farm::open(&place.path("state"), size, BEGUN).failing([0]).play(BEGUN + seconds)
}

#[test]
fn every_answer_of_the_page_lets_nothing_run_but_its_own_files() {
    let place = Place::new("", "");
    let service = place.orchestrator();
    let html = ["accept: text/html,application/xhtml+xml,*/*;q=0.8"];
    for (path, headers, status, kind) in [
        ("/", html.as_slice(), 200, "text/html; charset=utf-8"),
        ("/page/app.js", &[], 200, "text/javascript; charset=utf-8"),
        ("/page/page.css", &[], 200, "text/css; charset=utf-8"),
        ("/page/icon.svg", &[], 200, "image/svg+xml"),
        ("/page/overview", &[], 200, "application/json"),
        ("/page/packages", &[], 200, "application/json"),
        ("/page/nothing", &[], 404, "text/plain; charset=utf-8"),
        ("/page/packages?place=nowhere", &[], 400, "text/plain; charset=utf-8"),
    ] {
        let answer = asked(&service, path, headers);
        assert_eq!((answer.status, answer.header("content-type")), (status, Some(kind)), "{path}");
        assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let Some(tag) = answer.header("etag").map(str::to_owned) else { continue };
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
        if path != "/page/overview" {
            let known = format!("if-none-match: \"x\", {tag}");
            let again = asked(&service, path, &[headers, &[known.as_str()]].concat());
            assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        }
    }
    assert_eq!(asked(&service, "/", &html).header("vary"), Some("accept"));
    let text = get(&service.url, "/");
    text.gives(200, "/packages/  the binhost");
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn the_views_of_a_build_agree_with_one_another() {
    let place = Place::new("", "");
    let farm = farm(&place, 120, 1500);
    let service = place.orchestrator();
    let overview = view(&service, "overview");
    let counts = overview["build"]["packages"].as_object().unwrap().clone();
    assert_eq!(counts.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 120, "{counts:?}");
    assert!(counts.iter().all(|(place, count)| count.as_u64() > Some(0) || place == "blocked"), "{counts:?}");
    assert!(overview["build"]["left_s"].as_u64() > Some(0), "{overview}");
    for (name, count) in &counts {
        assert_eq!(view(&service, &format!("packages?place={name}"))["total"], *count, "{name}");
    }
    let jobs = overview["drones"].as_object().unwrap().values().flat_map(|drone| drone["jobs"].as_array().unwrap());
    assert_eq!(json!(jobs.count()), counts["delegated"]);

    let failed = view(&service, &format!("package/{}", label(0)));
    assert_eq!(
        (&failed["package"], &failed["place"], &failed["attempts_made"][0]["reason"]),
        (&json!(0), &json!("failed"), &json!(REASON))
    );
    assert_eq!(failed, view(&service, "package/0"));
    let blocked = overview["failed"][label(0)]["blocks"].as_u64().unwrap();
    assert!(blocked >= failed["dependents"]["total"].as_u64().unwrap(), "{failed}");
    assert!(
        failed["explanation"].as_array().unwrap().last().unwrap().as_str().unwrap().contains("swarm unblock"),
        "{failed}"
    );

    let timeline = view(&service, "timeline");
    let bars = timeline["bars"].as_array().unwrap();
    let of = |end: &str| bars.iter().filter(|bar| bar["end"] == end || bar["end"].get(end).is_some()).count();
    assert_eq!(
        (json!(of("running")), json!(of("received"))),
        (counts["delegated"].clone(), counts["received"].clone())
    );
    assert_eq!(json!(of("failed")), failed["attempts"]);
    let chain = timeline["was"].as_array().unwrap();
    let last = bars.iter().filter(|bar| bar["end"] == "received").map(|bar| bar["over"].as_i64().unwrap()).max();
    let ended = bars.iter().find(|bar| bar["package"] == *chain.last().unwrap() && bar["end"] == "received").unwrap();
    assert_eq!(ended["over"].as_i64(), last);

    let waiting = view(&service, "waiting");
    assert_eq!(waiting["total"].as_u64().unwrap(), 120 - counts["received"].as_u64().unwrap());
    assert!(waiting["nodes"].as_array().unwrap().len() <= 80);
    assert_eq!(
        timeline["ahead"][0]["package"],
        waiting["nodes"].as_array().unwrap().iter().find(|node| node["critical"] == true).unwrap()["package"]
    );
    let around = view(&service, "waiting?around=0");
    assert!(around["nodes"].as_array().unwrap().iter().any(|node| node["package"] == 0), "{around}");
    let history = view(&service, "history");
    assert_eq!(history["count"], counts["received"]);
    assert!(
        history["median"].as_f64() >= Some(1.0) && history["p90"].as_f64() >= history["median"].as_f64(),
        "{history}"
    );
    drop(farm);
}

#[test]
fn a_list_is_given_in_parts_that_come_to_all_of_it_in_any_order() {
    let place = Place::new("", "");
    let _farm = farm(&place, 250, 900);
    let service = place.orchestrator();
    for sort in ["merge", "label", "place", "attempts", "waits_for", "needed_by", "expected"] {
        for way in ["up", "down"] {
            let (mut offset, mut seen) = (0, Vec::new());
            loop {
                let part = view(&service, &format!("packages?sort={sort}&way={way}&offset={offset}&limit=60"));
                assert_eq!((&part["total"], &part["offset"]), (&json!(250), &json!(offset)));
                let rows = part["packages"].as_array().unwrap().clone();
                if rows.is_empty() {
                    break;
                }
                offset += rows.len();
                seen.extend(rows);
            }
            let numbers: BTreeSet<_> = seen.iter().map(|each| each["package"].as_u64().unwrap()).collect();
            assert_eq!((seen.len(), numbers.len()), (250, 250), "{sort} {way}");
            if ["attempts", "waits_for", "needed_by"].contains(&sort) {
                let values: Vec<_> = seen.iter().map(|each| each[sort].as_u64().unwrap()).collect();
                assert!(if way == "up" { values.is_sorted() } else { values.iter().rev().is_sorted() }, "{sort} {way}");
            }
        }
    }
    let part = view(&service, "packages?filter=PYTHON&limit=500");
    assert!(part["packages"].as_array().unwrap().iter().all(|each| each["label"].as_str().unwrap().contains("python")));
    assert_eq!(part["total"], part["packages"].as_array().unwrap().len());
}

#[test]
fn what_cannot_be_meant_or_is_not_there_is_said_and_nothing_outside_is_reached() {
    let place = Place::new("", "");
    let farm = farm(&place, 20, 100);
    farm.write_logs(0, "a line\n");
    std::fs::write(place.path("state/logs/secret.log"), "no log of a package").unwrap();
    let service = place.orchestrator();
    for (path, status, part) in [
        ("packages?limit=501", 400, "at most 500"),
        ("packages?offset=-1", 400, ""),
        ("packages?limit=many", 400, ""),
        ("packages?sort=colour", 400, "unknown variant"),
        ("packages?what=1", 400, "unknown field"),
        ("package/99999", 404, "no package of number 99999"),
        ("package/app-misc/nothing", 404, "has no package"),
        ("package/1.2", 404, "fits several packages"),
        ("log", 400, "package"),
        ("log?package=0&job=../secret", 400, ""),
        ("log?package=0&job=secret", 404, "has no such log"),
        ("log?package=0&limit=999999", 400, "at most"),
        ("log?package=0&offset=-1", 400, ""),
        ("log?package=19", 404, "has no such log"),
        ("timeline?build=../x", 400, ""),
        ("timeline?build=gone", 404, "nothing is known"),
        ("timeline?after=x", 400, ""),
        ("waiting?around=99", 404, ""),
        ("releases/..%2f..%2fetc/x", 400, ""),
        ("releases/000001-000001/000001-000002", 404, ""),
        ("..%2f..%2fetc%2fpasswd", 404, ""),
        ("../Cargo.toml", 404, ""),
    ] {
        let answer = get(&service.url, &format!("/page/{path}"));
        assert!(answer.status == status && answer.text().contains(part), "{path}: {} {}", answer.status, answer.text());
    }
    for path in ["/", "/page/overview", "/page/app.js", "/page/events"] {
        assert_eq!(ask(&service.url, &format!("POST {path}"), &[], b"{}").status, 405, "{path}");
    }
}

#[test]
fn a_log_is_read_from_its_end_and_piece_by_piece_and_nothing_in_it_acts() {
    let place = Place::new("", "");
    let farm = farm(&place, 20, 200);
    let text = format!("begin\n{}end: äöü\n", format!("{REASON}\n").repeat(2000));
    farm.write_logs(0, &text);
    let service = place.orchestrator();
    let end = view(&service, "log?package=0");
    assert!(end["text"].as_str().unwrap().ends_with("end: äöü\n") && end["running"] == false, "{end}");
    assert_eq!((&end["next"], &end["length"]), (&json!(text.len()), &json!(text.len())));
    let (mut offset, mut whole) = (0, String::new());
    while offset < text.len() as u64 {
        let piece = view(
            &service,
            &format!("log?package={}&job={}&offset={offset}&limit=1000", label(0), end["job"].as_str().unwrap()),
        );
        assert_eq!(piece["offset"], offset);
        whole += piece["text"].as_str().unwrap();
        offset = piece["next"].as_u64().unwrap();
    }
    assert_eq!(whole, swarm::core::text::escaped(&text));
    assert!(!whole.contains('\u{1b}') && !whole.contains('\u{202e}'));
}

#[test]
fn a_timeline_that_is_known_is_told_on_from_there() {
    let place = Place::new("", "");
    let mut farm = farm(&place, 60, 300);
    let service = place.orchestrator();
    let first = view(&service, "timeline");
    let job = farm.job();
    farm.end(&job);
    let after = format!("timeline?after={}", first["sequence"]);
    let then = view(&service, &after);
    let jobs: Vec<_> = then["bars"].as_array().unwrap().iter().map(|bar| bar["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, [job.as_str()]);
    assert_eq!(view(&service, &format!("timeline?after={}", then["sequence"]))["bars"], json!([]));

    // Another journal is put in its place, as a standby does that had gone astray.
    drop(farm);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _absent = std::fs::remove_file(place.path("state").join(name));
    }
    let _other = Farm::open(&place.path("state"), 30, BEGUN + 7).play(BEGUN + 500);
    wait("the other journal is read", || {
        view(&service, "overview")["build"]["packages"]["received"].as_u64() > Some(0) && {
            let timeline = view(&service, "timeline");
            timeline["bars"][0]["begin"] == BEGUN + 7
        }
    });
}

#[test]
fn releases_are_listed_and_compared_as_the_commands_do() {
    let place = Place::new("", "");
    release(&place.production(), 1, b"one");
    release(&place.production(), 2, b"another");
    let service = place.orchestrator();
    let list = view(&service, "releases");
    let command = |arguments: &[&str]| -> Value { serde_json::from_slice(&place.swarm(arguments).stdout).unwrap() };
    assert_eq!(list, command(&["releases", "--json"]));
    assert_eq!(list.as_array().unwrap().len(), 2);
    let (from, to) = ("000001-000001", "000001-000002");
    let difference = view(&service, &format!("releases/{from}/{to}"));
    assert_eq!(difference, command(&["diff", from, to, "--json"]));
    assert!(get(&service.url, &format!("/packages/{HELLO}")).status == 200);
}

/// Listens, and reads the head of the answer.
fn listen(url: &str) -> (TcpStream, u16) {
    let mut stream = connect(url).unwrap();
    send(&mut stream, "GET /page/events", &[], b"");
    let (status, _) = head(&mut stream);
    (stream, status)
}

#[test]
fn so_many_listen_and_no_more_until_one_goes() {
    let place = Place::new("", "");
    let _farm = farm(&place, 5, 10);
    let service = place.orchestrator();
    let mut listeners: Vec<_> = (0..128).map(|_| listen(&service.url)).collect();
    assert!(listeners.iter().all(|(_, status)| *status == 200));
    assert_eq!(listen(&service.url).1, 503);
    get(&service.url, "/health").gives(200, "");
    listeners.pop();
    wait("a place is free", || listen(&service.url).1 == 200);
}

#[test]
fn the_page_is_the_same_by_way_of_a_gateway() {
    let place = Place::new("", "");
    let _farm = farm(&place, 40, 400);
    let port = free_port();
    let orchestrator = place.serve(&["orchestrator", "--listen", &format!("127.0.0.1:{port}")]);
    let inventory = format!(
        "[hosts.altair]\naddress = '127.0.0.1'\n[gateway]\nhost = 'altair'\nlisten = '127.0.0.1:0'\ncheck_interval = '100ms'\n\
         [orchestrators.a]\naddress = '127.0.0.1'\nbinhost = '{0}/packages'\napi = '{0}'\n",
        orchestrator.url
    );
    let front = Place::new("", &inventory);
    let gateway = front.serve(&["gateway"]);
    wait("the orchestrator is known", || get(&gateway.url, "/page/overview").status == 200);
    for path in [
        "/",
        "/page/app.js",
        "/page/packages?place=received&limit=5",
        "/page/package/0",
        "/page/timeline",
        "/page/none",
    ] {
        let [direct, passed] = [&orchestrator, &gateway].map(|service| asked(service, path, &["accept: text/html"]));
        assert_eq!((direct.status, &direct.body), (passed.status, &passed.body), "{path}");
        assert_eq!(passed.header("content-security-policy"), Some(POLICY), "{path}");
        if let Some(tag) = passed.header("etag").map(|tag| format!("if-none-match: {tag}")) {
            assert_eq!(asked(&gateway, path, &["accept: text/html", &tag]).status, 304, "{path}");
        }
    }
    let text = get(&gateway.url, "/");
    text.gives(200, "/status     how things stand");
    assert_eq!(listen(&gateway.url).1, 200);
    for path in ["/page/overview", "/page/log"] {
        assert_eq!(ask(&gateway.url, &format!("POST {path}"), &[], b"").status, 405, "{path}");
    }
    for path in ["/page/../verb", "/page/%2e%2e/state", "/page//state"] {
        assert_eq!(get(&gateway.url, path).status, 404, "{path}");
    }
}
