//! `POST /build`: who may ask, for what, and what comes of it.

use std::io::Read;

use swarm::controller::socket::{Asked, Socket};
use swarm::core::state::State;
use swarm::core::status::Status;
use tokio::sync::{broadcast, mpsc};

use super::place::{Place, wait};
use crate::http::{ask, connect, get, head, send};

const RIGHT: &str = "authorization: Bearer opensesame";
const ORDER: &[u8] = br#"{"packages":["app-misc/foo"]}"#;

fn length(body: &[u8]) -> String {
    format!("content-length: {}", body.len())
}

fn post(url: &str, headers: &[&str], body: &[u8]) -> crate::http::Answer {
    ask(url, "POST /build", &[headers, &[&length(body)]].concat(), body)
}

#[test]
fn a_build_is_begun_for_who_has_the_token_and_for_nobody_where_there_is_none() {
    let place = Place::new("", "");
    let service = place.orchestrator();
    post(&service.url, &[RIGHT], ORDER).gives(403, "no `token_file` is set");
    drop(service);

    place.write_inventory(&place.token("opensesame\n", 0o600), "");
    let service = place.orchestrator();
    for headers in [&[][..], &["authorization: Bearer opensesam"], &["authorization: Basic opensesame"]] {
        let answer = post(&service.url, headers, ORDER);
        answer.gives(401, "this needs the token");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    post(&service.url, &[RIGHT], b"{").gives(400, "no order of a build");
    post(&service.url, &[RIGHT], br#"{"packages":["--ask"]}"#).gives(400, "is not an atom");
    post(&service.url, &[RIGHT], b"{}").gives(422, "says what to build");
    let long = vec![b' '; (64 << 20) + 1];
    post(&service.url, &[RIGHT], &long).gives(413, "has at most");
    // Nobody listens at the driver's port.
    post(&service.url, &[RIGHT], ORDER).gives(422, "cannot ask the driver for its plan: capella");
    assert!(!service.log().contains("opensesam"), "{}", service.log());
}

#[test]
fn another_token_counts_from_the_word_on_and_one_that_is_open_to_others_never() {
    let place = Place::new("", "");
    place.write_inventory(&place.token("opensesame\n", 0o600), "");
    let service = place.orchestrator();
    let with = |token: &str| post(&service.url, &[&format!("authorization: Bearer {token}")], b"{}").status;
    place.token("abracadabra\n", 0o644);
    service.signal("HUP");
    service.says("stay what they were: the token file");
    assert_eq!((with("opensesame"), with("abracadabra")), (422, 401));
    place.token("abracadabra\n", 0o600);
    service.signal("HUP");
    service.says("were read again");
    assert_eq!((with("opensesame"), with("abracadabra")), (401, 422));
    let log = service.log();
    assert!(!log.contains("opensesame") && !log.contains("abracadabra"), "{log}");
}

#[test]
fn who_tries_too_often_is_told_when_to_try_again() {
    let place = Place::new("", "");
    place.write_inventory(&place.token("opensesame\n", 0o600), "");
    let service = place.orchestrator();
    let refused = std::iter::repeat_with(|| post(&service.url, &["authorization: Bearer guess"], b"{}"))
        .take(1000)
        .find(|answer| answer.status != 401)
        .unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(get(&service.url, "/health").status, 200, "nothing else is refused");
}

#[test]
fn a_token_that_others_can_read_keeps_the_service_from_starting() {
    let place = Place::new("", "");
    place.write_inventory(&place.token("opensesame\n", 0o644), "");
    let refused = place.swarm(&["orchestrator", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("is open to others (mode 0644)"), "{said}");
    assert!(!said.contains("opensesame"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_controller_at_work_tells_is_passed_on() {
    let place = Place::new("", "");
    place.write_inventory(&place.token("opensesame\n", 0o600), "");
    std::fs::create_dir(place.path("state")).unwrap();
    let service = place.orchestrator();
    let url = service.url.clone();
    let (asked, mut asks) = mpsc::channel(1);
    let events = broadcast::Sender::new(16);
    let socket = Socket::open(&place.path("state"), asked, events.clone()).unwrap();
    let answering = tokio::spawn(async move {
        while let Some(Asked::Status(answer)) = asks.recv().await {
            answer.send(Status::of(&State::default(), None, swarm::controller::now())).unwrap();
        }
    });
    let talk = tokio::task::spawn_blocking(move || {
        let mut stream = connect(&url).unwrap();
        send(&mut stream, "GET /events", &[], b"");
        assert_eq!(head(&mut stream).0, 200);
        wait("the service listens to the controller", || events.receiver_count() > 0);
        events.send(r#"{"at":1,"event":"told"}"#.to_owned()).unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(r#"data: {"at":1,"event":"told"}"#) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
    });
    talk.await.unwrap();
    drop(socket);
    answering.abort();
    let url = service.url.clone();
    tokio::task::spawn_blocking(move || get(&url, "/health").gives(200, "").status).await.unwrap();
}
