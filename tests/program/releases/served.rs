//! What has become live is read back as clients read it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::farm::{Farm, wanted};

/// A web server that serves one directory after the other; it ends with the test's process.
struct WebServer {
    address: SocketAddr,
    serves: Arc<Mutex<PathBuf>>,
}

impl WebServer {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), serves: Arc::default() };
        let serves = Arc::clone(&server.serves);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
                lines.find(String::is_empty);
                let file = serves.lock().unwrap().join(path.trim_start_matches("/packages/"));
                let (status, body) = match std::fs::read(file) {
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", Vec::new()),
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _gone = (&stream).write_all(&[head.as_bytes(), &body].concat());
            }
        });
        server
    }

    fn serve(&self, directory: &Path) {
        *self.serves.lock().unwrap() = directory.to_owned();
    }
}

fn inventory(binhost: &str) -> String {
    format!("[orchestrators.here]\naddress = 'local'\nbinhost = '{binhost}'")
}

#[test]
fn a_release_that_clients_cannot_read_is_swapped_back_and_waits() {
    let server = WebServer::new();
    let binhost = format!("http://{}/packages", server.address);
    let farm = Farm::new(&inventory(&binhost));
    farm.build(&[wanted("app-lab/foo-1.0", 1)]);
    server.serve(Path::new("/nonexistent"));
    farm.swarm(&["finalize"]).gives(
        1,
        &[
            "release 000001-000001 was taken back, nothing is live as before: here: ",
            "Packages.gz answers 404 Not Found",
        ],
    );
    assert!(farm.path("production").symlink_metadata().is_err());
    server.serve(&farm.path("production"));
    farm.swarm(&["finalize"])
        .gives(0, &[&format!("here: the index was read back from {binhost}"), "000001-000002 is live"]);

    // Another one's index, or an old one: what is here is swapped back, the build waits, its packages are there.
    farm.build(&[wanted("app-lab/bar-1.0", 1)]);
    server.serve(&farm.path("production.releases/000001-000002"));
    farm.swarm(&["finalize"]).gives(
        1,
        &[
            "release 000001-000003 was swapped back, 000001-000002 is live as before: here: ",
            "gives another index, of TIMESTAMP ",
            "the same command makes it live",
        ],
    );
    assert_eq!(farm.listed(), ["app-lab/foo/foo-1.0-1.gpkg.tar"]);
    let status = farm.swarm(&["status", "--json"]).json();
    assert_eq!((&status["release"], &status["received"][0]), (&"000001-000002".into(), &"app-lab/bar-1.0".into()));
    assert!(status["next"].as_str().unwrap().contains("swarm finalize"), "{status}");
    server.serve(&farm.path("production"));
    farm.swarm(&["finalize"]).gives(0, &["release 000001-000004 is live"]);
    assert_eq!(farm.listed().len(), 2);

    // A roll-back is read back, too, and leads past what never was live.
    farm.write_inventory(&inventory("http://127.0.0.1:1/packages"));
    farm.swarm(&["rollback"]).gives(1, &["000001-000004 is live as before", "cannot be reached"]);
    farm.write_inventory(&inventory(&binhost));
    farm.swarm(&["rollback"]).gives(0, &["release 000001-000006 is live: it has the 1 packages of 000001-000002"]);
    let shown = farm.swarm(&["releases"]).stdout;
    let marks: Vec<_> = shown.lines().skip(1).map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(marks[2..], ["never live", "left", "never live", "live"], "{shown}");
}

#[test]
fn without_an_orchestrator_there_is_nothing_to_read_back_from_and_that_is_said() {
    let farm = Farm::new("");
    farm.build(&[wanted("app-lab/foo-1.0", 1)]);
    farm.swarm(&["finalize"]).gives(0, &["the index was not read back over HTTP: the inventory lists no orchestrator"]);
}
