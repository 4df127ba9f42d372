//! What the services tell whoever supervises them, over the socket of sd_notify(3).

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use super::place::{Place, Service, free_port, has};
use super::production::release;
use super::tls::certificate;
use crate::http::{PATIENCE, try_ask};

/// The watchdog's limit.
const LIMIT: Duration = Duration::from_secs(1);

/// Whoever supervises a service.
struct Supervisor {
    socket: UnixDatagram,
}

impl Supervisor {
    fn new(place: &Place) -> Self {
        let socket = UnixDatagram::bind(place.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    fn start(&self, place: &Place, arguments: &[&str]) -> Service {
        let mut command = place.command_by(&[env!("CARGO_BIN_EXE_swarm")], arguments);
        command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", LIMIT.as_micros().to_string());
        Service::start(command)
    }

    /// The next word.
    fn hear(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// The first word with this in it; those before it are passed over.
    fn hears(&self, part: &str) -> String {
        loop {
            let heard = self.hear();
            if heard.lines().any(|line| line == part) {
                return heard;
            }
        }
    }
}

#[test]
fn a_service_is_ready_once_it_answers_keeps_its_watchdog_content_and_says_when_it_ends() {
    for service in ["orchestrator", "gateway"] {
        let port = free_port();
        let place = Place::new("", "");
        release(&place.production(), 1, b"one");
        place.write_inventory(
            "",
            &format!(
                "[hosts.altair]\naddress = '127.0.0.1'\n[gateway]\nhost = 'altair'\nlisten = '127.0.0.1:{port}'\n\
                 [orchestrators.here]\naddress = '127.0.0.1'\nbinhost = 'http://127.0.0.1:{port}/packages'\n"
            ),
        );
        let supervisor = Supervisor::new(&place);
        let running = supervisor.start(&place, &[service]);
        supervisor.hears("READY=1");
        assert_eq!(try_ask(&format!("http://127.0.0.1:{port}"), "GET /health", &[], b"").unwrap().status, 200);
        let mut last = Instant::now();
        for _ in 0..4 {
            supervisor.hears("WATCHDOG=1");
            assert!(last.elapsed() < LIMIT, "{service}: {:?}", last.elapsed());
            last = Instant::now();
        }
        running.signal("HUP");
        let heard = supervisor.hears("RELOADING=1");
        assert!(heard.contains("MONOTONIC_USEC="), "{heard}");
        supervisor.hears("READY=1");
        running.signal("TERM");
        supervisor.hears("STOPPING=1");
        assert_eq!(running.ended().code(), Some(0));
    }
}

#[test]
fn what_a_service_does_is_told_in_a_line() {
    let place = Place::new("", "");
    release(&place.production(), 1, b"one");
    let supervisor = Supervisor::new(&place);
    let _running = supervisor.start(&place, &["orchestrator", "--listen", "127.0.0.1:0"]);
    supervisor.hears(&format!("STATUS=serves {}", place.production().display()));
}

#[test]
fn one_that_speaks_tls_answers_itself_with_the_certificate_that_it_shows_now() {
    if !has("openssl") {
        return;
    }
    let place = Place::new("", "");
    let keys = certificate(&place, "own");
    release(&place.production(), 1, b"one");
    place.write_inventory(&keys, "");
    let supervisor = Supervisor::new(&place);
    let running = supervisor.start(&place, &["orchestrator", "--listen", "127.0.0.1:0"]);
    supervisor.hears("READY=1");
    certificate(&place, "own");
    running.signal("HUP");
    supervisor.hears("RELOADING=1");
    supervisor.hears("READY=1");
    let begun = Instant::now();
    for _ in 0..4 {
        supervisor.hears("WATCHDOG=1");
    }
    // The first question is with the certificate of before, and in vain.
    assert!(begun.elapsed() < LIMIT * 4, "{:?}", begun.elapsed());
}
