//! `swarm orchestrator` as a binhost.

use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::place::{Place, wait};
use super::production::{FIRST, HELLO, httpdate, release};
use crate::http::{ask, connect, get, head, send};

/// The date of release 1, as HTTP writes it.
fn date() -> String {
    httpdate(FIRST + 60)
}

#[test]
fn a_client_gets_index_and_packages_whole_in_part_or_the_word_that_it_has_them() {
    let place = Place::new("", "");
    let package: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let root = release(&place.production(), 1, &package);
    let service = place.orchestrator();
    let path = format!("GET /packages/{HELLO}");
    let whole = ask(&service.url, &path, &[], b"");
    assert!(whole.status == 200 && whole.body == package);
    assert_eq!(whole.header("content-length"), Some("1200000"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("cache-control"), Some("public, max-age=31536000, immutable"));

    for (header, range, bytes) in [
        ("range: bytes=0-9", "bytes 0-9/1200000", &package[..10]),
        ("range: bytes=1000000-", "bytes 1000000-1199999/1200000", &package[1_000_000..]),
        ("range: bytes=-5", "bytes 1199995-1199999/1200000", &package[1_199_995..]),
    ] {
        let part = ask(&service.url, &path, &[header], b"");
        assert!(part.status == 206 && part.body == bytes, "{header}: {}", part.status);
        assert_eq!(part.header("content-range"), Some(range));
    }
    let beyond = ask(&service.url, &path, &["range: bytes=1200000-"], b"");
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */1200000")));

    for name in ["Packages", "Packages.gz"] {
        let index = get(&service.url, &format!("/packages/{name}"));
        assert!(index.status == 200 && index.body == std::fs::read(root.join(name)).unwrap());
        assert_eq!(index.header("last-modified"), Some(date().as_str()));
        assert_eq!((index.header("content-encoding"), index.header("cache-control")), (None, Some("no-cache")));
        let since = |date: &str, agent: &str| {
            let headers = [format!("if-modified-since: {date}"), format!("user-agent: {agent}")];
            ask(&service.url, &format!("GET /packages/{name}"), &[&headers[0], &headers[1]], b"").status
        };
        assert_eq!(since(&date(), "Wget/1.21"), 304);
        assert_eq!(since(&httpdate(FIRST + 61), "Wget/1.21"), 200, "a later one is another one");
        assert_eq!(since(&httpdate(FIRST + 65), "Gentoo Portage"), 304);
        assert_eq!(since(&date(), "Gentoo Portage"), 200);
    }

    let only_head = ask(&service.url, &format!("HEAD /packages/{HELLO}"), &[], b"");
    assert_eq!((only_head.status, only_head.body.len()), (200, 0));
    assert_eq!(only_head.header("content-length"), Some("1200000"));
    for line in [&format!("PUT /packages/{HELLO}"), &format!("DELETE /packages/{HELLO}"), "GET /build"] {
        assert_eq!(ask(&service.url, line, &[], b"").status, 405, "{line}");
    }
}

#[test]
fn no_path_leads_out_of_the_release_nor_to_anything_but_its_files() {
    let place = Place::new("", "");
    let root = release(&place.production(), 1, b"package");
    std::fs::create_dir(place.path("staging")).unwrap();
    std::fs::write(place.path("staging/secret"), "secret").unwrap();
    std::fs::write(root.join(".hidden"), "secret").unwrap();
    std::fs::write(root.join("a b+c"), "plain").unwrap();
    symlink(place.path("staging/secret"), root.join("absolute")).unwrap();
    symlink("../../staging/secret", root.join("relative")).unwrap();
    symlink("../../staging", root.join("directory")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink(HELLO, root.join("within")).unwrap();
    assert!(Command::new("mkfifo").arg(root.join("fifo")).status().unwrap().success());
    let service = place.orchestrator();
    let long = format!("/packages/{}", "x".repeat(3000));
    for path in [
        "/packages",
        "/packages/",
        "/packages/app-lab",
        "/packages/app-lab/",
        "/packages/nothing",
        "/packages/Packages/x",
        "/packages/../staging/secret",
        "/packages/../../staging/secret",
        "/packages/%2e%2e/%2e%2e/staging/secret",
        "/packages/..%2f..%2fstaging%2fsecret",
        "/packages/app-lab/../../../staging/secret",
        "/packages//etc/passwd",
        "/packages/%2fetc%2fpasswd",
        "/packages/.hidden",
        "/packages/absolute",
        "/packages/relative",
        "/packages/directory/secret",
        "/packages/loop",
        "/packages/fifo",
        "/packages/a%00b",
        "/staging/secret",
        "/production.releases/",
        &long,
    ] {
        let answer = get(&service.url, path);
        assert!(
            answer.status == 404 && !answer.text().contains("secret"),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(get(&service.url, "/packages/%ff").status, 400, "a path is text");
    get(&service.url, "/packages/a%20b%2Bc").gives(200, "plain");
    get(&service.url, "/packages/within").gives(200, "package");

    // Staging where clients would see it is refused at the start.
    let other = Place::new("", "");
    release(&other.production(), 1, b"package");
    let inside = other.path("production.releases/staging");
    let text = std::fs::read_to_string(other.path("fleet.toml")).unwrap();
    let staging = other.path("staging");
    let text = text.replace(staging.to_str().unwrap(), inside.to_str().unwrap());
    std::fs::write(other.path("fleet.toml"), text).unwrap();
    let refused = other.swarm(&["orchestrator", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("staging"), "{said}");
}

#[test]
fn a_download_ends_in_the_release_that_it_began_in_and_the_next_request_sees_the_new_one() {
    let place = Place::new("", "");
    // More than the sockets hold, so that it is still going on when the release is swapped.
    let package = vec![1_u8; 64 << 20];
    let old = release(&place.production(), 1, &package);
    let service = place.orchestrator();
    get(&service.url, "/health").gives(200, r#""release":"000001-000001""#);
    let mut stream = connect(&service.url).unwrap();
    send(&mut stream, &format!("GET /packages/{HELLO}"), &[], b"");
    assert_eq!(head(&mut stream).0, 200);
    release(&place.production(), 2, b"new");
    std::fs::remove_dir_all(old).unwrap();
    get(&service.url, &format!("/packages/{HELLO}")).gives(200, "new");
    get(&service.url, "/packages/Packages").gives(200, &format!("TIMESTAMP: {}", FIRST + 120));
    let mut body = Vec::new();
    stream.read_to_end(&mut body).unwrap();
    assert!(body == package, "{} bytes came", body.len());
}

#[test]
fn without_a_release_there_is_nothing_and_the_first_one_is_there_at_once() {
    let place = Place::new("", "");
    let service = place.orchestrator();
    assert_eq!(get(&service.url, "/packages/Packages.gz").status, 404);
    get(&service.url, "/health").gives(200, r#""release":null"#);
    release(&place.production(), 1, b"first");
    assert_eq!(get(&service.url, "/packages/Packages.gz").status, 200);
}

#[test]
fn at_the_word_to_stop_downloads_come_to_their_end_and_event_streams_end() {
    let place = Place::new("", "");
    let package = vec![1_u8; 64 << 20];
    release(&place.production(), 1, &package);
    let service = place.orchestrator();
    let mut download = connect(&service.url).unwrap();
    send(&mut download, &format!("GET /packages/{HELLO}"), &[], b"");
    assert_eq!(head(&mut download).0, 200);
    // Connections are taken in their order: this one has been taken once the next is answered.
    let mut idle = connect(&service.url).unwrap();
    let mut events = connect(&service.url).unwrap();
    send(&mut events, "GET /events", &[], b"");
    assert_eq!(head(&mut events).0, 200);

    service.signal("TERM");
    let mut rest = Vec::new();
    events.read_to_end(&mut rest).unwrap();
    idle.read_to_end(&mut rest).unwrap();
    wait("nobody is let in any more", || connect(&service.url).is_err());
    download.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(&package), "{} bytes came", rest.len());
    assert_eq!(service.ended().code(), Some(0));
}

#[test]
fn it_says_how_things_stand_and_what_it_did() {
    let place = Place::new("", "[orchestrators.izar]\naddress = '127.0.0.1'\nbinhost = 'http://izar.test/packages'");
    release(&place.production(), 1, b"package");
    let service = place.orchestrator();
    let status = get(&service.url, "/status").json();
    assert_eq!((&status["name"], &status["epoch"], &status["build"]), (&"izar".into(), &0.into(), &().into()));
    assert_eq!(status["release"], "000001-000001");
    assert!(status["needed"].is_array() && status["next"].is_string(), "{status}");
    get(&service.url, &format!("/packages/{HELLO}"));
    let metrics = get(&service.url, "/metrics");
    for line in
        [r#"swarm_packages{state="needed"} 0"#, "swarm_binhost_sent_bytes_total 7", "swarm_http_requests_total 3"]
    {
        assert!(metrics.text().lines().any(|each| each == line), "{line} is not in:\n{}", metrics.text());
    }
    get(&service.url, "/").gives(200, "izar");
}
