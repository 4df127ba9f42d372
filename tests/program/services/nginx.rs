//! Debian's nginx with the configuration that is shipped, in front of the service and instead of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::place::{Place, free_port, has, wait};
use super::production::{FIRST, HELLO, httpdate, release};
use crate::http::{ask, get, try_ask};

/// An nginx of the test's own.
struct Nginx {
    process: Child,
    url: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its first process takes its workers along only where it is asked to.
        let _sent = Command::new("kill").args(["-s", "TERM", &self.process.id().to_string()]).status();
        let _gone = self.process.wait();
    }
}

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/nginx/swarm.conf");
    std::fs::read_to_string(path).unwrap()
}

fn start(place: &Place, server: &str) -> Nginx {
    let port = free_port();
    let server = server
        .replace("listen 80;", &format!("listen 127.0.0.1:{port};"))
        .replace("/var/cache/swarm/production", place.production().to_str().unwrap());
    let below = place.path("nginx");
    std::fs::create_dir(&below).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", below.display()))
        .concat();
    // The test's directories are for its own user alone.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let text = format!(
        "{user}daemon off;\nworker_processes 1;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\n\
         access_log off;\n{temporary}{server}\n}}\n",
        below.display()
    );
    let file = below.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let nginx = |arguments: &[&str]| {
        let mut command = Command::new("nginx");
        command.env("PATH", "/usr/sbin:/usr/bin").arg("-c").arg(&file).args(arguments).stdin(Stdio::null());
        command
    };
    let tested = nginx(&["-t"]).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    let process = nginx(&[]).stderr(Stdio::null()).spawn().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    wait("nginx listens", || try_ask(&url, "HEAD /", &[], b"").is_ok());
    Nginx { process, url }
}

#[test]
fn files_behind_nginx_are_a_binhost_without_the_service() {
    if !has("nginx") {
        return;
    }
    let place = Place::new("", "");
    let root = release(&place.production(), 1, b"package");
    std::fs::write(place.path("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(place.path("secret"), root.join("symlink")).unwrap();
    std::fs::write(root.join(".hidden"), "secret").unwrap();
    let conf = shipped();
    // As its first lines say, where nothing else runs.
    let api = conf.find("    # The service's API").unwrap();
    let nginx = start(&place, &format!("{}}}", &conf[..api]));
    get(&nginx.url, &format!("/packages/{HELLO}")).gives(200, "package");
    assert_eq!(ask(&nginx.url, &format!("GET /packages/{HELLO}"), &["range: bytes=1-3"], b"").text(), "ack");
    for path in ["/packages/", "/packages/symlink", "/packages/.hidden", "/packages/../secret", "/portage/Packages"] {
        let answer = get(&nginx.url, path);
        assert!(answer.status >= 400 && !answer.text().contains("secret"), "{path}: {answer:?}");
    }
    let since = |seconds: i64, agent: &str| {
        let headers = [format!("if-modified-since: {}", httpdate(seconds)), format!("user-agent: {agent}")];
        let answer = ask(&nginx.url, "GET /packages/Packages.gz", &[&headers[0], &headers[1]], b"");
        assert_eq!(answer.header("content-encoding"), None);
        answer.status
    };
    // Whoever asks gets the form that he asks for.
    for name in ["Packages", "Packages.gz"] {
        for agent in ["Gentoo Portage", "Wget", "swarm"] {
            let agent = format!("user-agent: {agent}");
            let index = ask(&nginx.url, &format!("GET /packages/{name}"), &[&agent], b"");
            assert!(index.status == 200 && index.body == std::fs::read(root.join(name)).unwrap(), "{name} for {agent}");
            assert_eq!(index.header("cache-control"), Some("no-cache"), "{name} for {agent}");
        }
    }
    let entries = format!(
        "[hosts.altair]\naddress = '127.0.0.1'\n[gateway]\nhost = 'altair'\nlisten = '127.0.0.1:0'\n\
         [orchestrators.izar]\naddress = '127.0.0.1'\nbinhost = '{}/packages'\n",
        nginx.url
    );
    Place::new("", &entries).serve(&["gateway"]).says("izar is healthy");
    let own = FIRST + 60;
    assert_eq!([since(own, "Wget"), since(own + 60, "Wget"), since(own, "Gentoo Portage")], [304, 200, 200]);
    release(&place.production(), 2, b"another");
    get(&nginx.url, &format!("/packages/{HELLO}")).gives(200, "another");
    assert_eq!(since(own, "Wget"), 200);
}

#[test]
fn behind_nginx_the_service_answers_all_that_is_no_file() {
    if !has("nginx") {
        return;
    }
    let place = Place::new("", "");
    place.write_inventory(&place.token("opensesame", 0o600), "");
    release(&place.production(), 1, b"package");
    let service = place.orchestrator();
    let conf = shipped().replace("http://127.0.0.1:8091", &service.url);
    let nginx = start(&place, &conf);
    get(&nginx.url, &format!("/packages/{HELLO}")).gives(200, "package");
    get(&nginx.url, "/health").gives(200, "release");
    assert_eq!(get(&nginx.url, "/status").json()["build"], serde_json::Value::Null);
    let post = |headers: &[&str]| ask(&nginx.url, "POST /build", &[headers, &["content-length: 2"]].concat(), b"{}");
    post(&[]).gives(401, "this needs the token");
    post(&["authorization: Bearer opensesame"]).gives(422, "says what to build");
}
