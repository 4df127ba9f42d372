//! What strangers can take: the server within bounds that a test can reach.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use swarm::http::server::{Bounds, Listener, Tally, serve};
use swarm::http::stop::{self, Stopper};

use super::place::wait;
use crate::http;

struct Server {
    url: String,
    tally: Arc<Tally>,
    _stopper: Stopper,
    _runtime: tokio::runtime::Runtime,
}

/// More than the sockets hold.
const LARGE: usize = 64 << 20;

fn server(bounds: Bounds) -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let router =
        Router::new().route("/", get(|| async { "here" })).route("/large", get(|| async { vec![0_u8; LARGE] }));
    let listener = runtime.block_on(Listener::bind("127.0.0.1:0".parse().unwrap(), None)).unwrap();
    let (stopper, stop) = stop::channel();
    let (url, tally) = (listener.url(), Arc::new(Tally::default()));
    runtime.spawn(serve(vec![listener], router, bounds, tally.clone(), stop));
    Server { url, tally, _stopper: stopper, _runtime: runtime }
}

const BOUNDS: Bounds = Bounds {
    connections: 8,
    each: 4,
    head: Duration::from_secs(600),
    stall: Duration::from_secs(600),
    grace: Duration::from_secs(1),
};

fn closed(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _reset = stream.read_to_end(&mut rest);
    rest
}

#[test]
fn who_does_not_finish_a_head_or_says_nothing_is_given_up_while_others_are_served() {
    let server = server(Bounds { head: Duration::from_millis(300), ..BOUNDS });
    let silent = http::connect(&server.url).unwrap();
    let mut slow = http::connect(&server.url).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: te").unwrap();
    http::get(&server.url, "/").gives(200, "here");
    closed(silent);
    closed(slow);
}

#[test]
fn a_head_without_end_is_refused() {
    let server = server(BOUNDS);
    let mut stream = http::connect(&server.url).unwrap();
    let header = format!("x: {}\r\n", "y".repeat(64 << 10));
    // It may be refused before all of it is sent.
    let _refused = stream.write_all(format!("GET / HTTP/1.1\r\nhost: test\r\n{header}\r\n").as_bytes());
    let answer = String::from_utf8_lossy(&closed(stream)).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    http::get(&server.url, "/").gives(200, "here");
}

#[test]
fn who_takes_nothing_of_an_answer_is_given_up() {
    let server = server(Bounds { stall: Duration::from_millis(300), each: 1, ..BOUNDS });
    let mut idle = http::connect(&server.url).unwrap();
    http::send(&mut idle, "GET /large", &[], b"");
    // His place is free once he is given up.
    wait("another one is let in", || http::try_get(&server.url, "/").is_some_and(|answer| answer.status == 200));
    let rest = closed(idle);
    assert!(rest.len() < LARGE, "all of it came");
}

#[test]
fn an_address_gets_so_many_connections_and_another_one_when_one_of_them_ends() {
    let server = server(BOUNDS);
    let mut open: Vec<TcpStream> = (0..BOUNDS.each)
        .map(|_| {
            let mut stream = http::connect(&server.url).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
            assert_eq!(http::head(&mut stream).0, 200);
            stream
        })
        .collect();
    assert_eq!(closed(http::connect(&server.url).unwrap()), b"");
    assert_eq!(server.tally.turned_away.load(Ordering::Relaxed), 1);
    drop(open.pop());
    wait("another one is let in", || http::try_get(&server.url, "/").is_some_and(|answer| answer.status == 200));
}
