//! The real services, asked for each thing that their documents have: the answers are those that stand there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, ErrorKind};
use std::time::Duration;

use serde_json::{Value, json};
use swarm::controller::now;
use swarm::store::{Lock, name};

use super::Held;
use super::reference::documents;
use crate::http::{Answer, ask, connect, get, head, send};
use crate::plenty;
use crate::services::place::{Place, free_port, wait};
use crate::services::production::{HELLO, httpdate, release};

/// So long nothing comes before something is made to happen again.
const SILENCE: Duration = Duration::from_millis(200);
const TOKEN: &str = "authorization: Bearer opensesame";

/// What a service said, held against its document.
struct Witness {
    document: Value,
    held: Held,
    asked: BTreeMap<(String, String), BTreeSet<u16>>,
}

impl Witness {
    fn of(name: &str) -> Self {
        let (_, document) = documents().into_iter().find(|(each, _)| *each == name).unwrap();
        let mut held = Held::default();
        held.root(&json!({ "components": document["components"] }));
        Self { document, held, asked: BTreeMap::new() }
    }

    /// What the document has of this status.
    fn promised(&mut self, method: &str, path: &str, status: u16) -> Value {
        let operation = &self.document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        let promised = operation["responses"][status.to_string()].clone();
        assert!(promised.is_object(), "{method} {path} answered {status}, which is not in the document");
        self.asked.entry((method.to_owned(), path.to_owned())).or_default().insert(status);
        promised
    }

    /// Asks, and holds the answer against what the document has of `path`.
    fn asks(&mut self, url: &str, line: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let method = line.split(' ').next().unwrap().to_lowercase();
        let length = format!("content-length: {}", body.len());
        let answer = ask(url, line, &[headers, &[length.as_str()]].concat(), body.as_bytes());
        let promised = self.promised(&method, path, answer.status);
        let name = format!("{line}: {}", answer.status);
        let Some(contents) = promised.get("content").and_then(Value::as_object) else {
            assert!(answer.body.is_empty(), "{name}: {}", answer.text());
            return answer;
        };
        let media_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap();
        let content = contents.get(media_type).or_else(|| contents.get("*/*"));
        let content = content.unwrap_or_else(|| panic!("{name}: {media_type} is not in the document"));
        if let (true, Some(schema)) = (media_type == "application/json", content.get("schema")) {
            self.held.hold_besides(&name, schema, answer.json());
        }
        answer
    }

    fn gets(&mut self, url: &str, path: &str) -> Answer {
        self.asks(url, &format!("GET {path}"), path, &[], "")
    }

    fn posts(&mut self, url: &str, path: &str, body: &str) -> Answer {
        self.asks(url, &format!("POST {path}"), path, &[TOKEN], body)
    }

    /// Everything that stands in the document was asked for, and all that came is as it stands there.
    fn assert_all_was_asked(&self) {
        for (path, operations) in self.document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                assert!(self.asked.contains_key(&(method.clone(), path.clone())), "{method} {path} was not asked for");
            }
        }
        self.held.assert_good();
    }

    /// What does not stand in the document is not there: other paths, and other methods of those that do.
    fn assert_nothing_else_is_there(&self, url: &str) {
        for path in ["/nothing", "/status/x", "/packages", "/openapi.json"] {
            assert_eq!(get(url, path).status, 404, "{path}");
        }
        for (path, operations) in self.document["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "delete", "patch"] {
                if operations.get(method).is_none() {
                    let line = format!("{} {}", method.to_uppercase(), path.replace("{path}", "x"));
                    assert_eq!(ask(url, &line, &["content-length: 0"], b"").status, 405, "{line}");
                }
            }
        }
    }
}

/// The stream of a service, for which nothing has come yet.
struct Stream(BufReader<std::net::TcpStream>);

impl Stream {
    fn of(url: &str, witness: &mut Witness) -> Self {
        let mut stream = connect(url).unwrap();
        send(&mut stream, "GET /events", &[], b"");
        let (status, headers) = head(&mut stream);
        let promised = witness.promised("get", "/events", status);
        assert!(headers.contains(&"content-type: text/event-stream".to_owned()), "{headers:?}");
        assert!(promised["content"]["text/event-stream"].is_object());
        Self(BufReader::new(stream))
    }

    /// The next thing that is told, as the document has it. Nothing is told of what happened before the service first
    /// looked at its journal, so something happens again and again.
    fn tells(&mut self, witness: &mut Witness, mut happens: impl FnMut(&mut Witness)) {
        self.0.get_ref().set_read_timeout(Some(SILENCE)).unwrap();
        let mut line = String::new();
        while !(line.starts_with("data: ") && line.ends_with('\n')) {
            if line.ends_with('\n') {
                line.clear();
            }
            match self.0.read_line(&mut line) {
                Ok(length) => assert!(length > 0, "the stream ends"),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => happens(witness),
                Err(error) => panic!("{error}"),
            }
        }
        let data = &witness.document["paths"]["/events"]["get"]["responses"]["200"]["content"]["text/event-stream"];
        let schema = data["schema"]["contentSchema"].clone();
        witness.held.hold_besides("/events", &schema, serde_json::from_str(line.trim_start_matches("data: ")).unwrap());
    }
}

fn with_token(place: &Place, rest: &str) {
    place.write_inventory(&place.token("opensesame", 0o600), rest);
}

const DRONE: &str = "[drones.izar]\naddress = '127.0.0.1'\nport = 1\n";
const NO_PLAN: &str = r#"{"plan":{"driver":"capella","packages":[],"edges":[],"index_header":{},"warnings":[]}}"#;

/// Asks for all that concerns builds, of an orchestrator or through the gateway.
fn ask_for_builds(witness: &mut Witness, url: &str) {
    let mut stream = Stream::of(url, witness);
    for (body, status) in [(r#"{"verb":"drain","drones":["izar"]}"#, 200), (r#"{"verb":"dance"}"#, 400), ("", 400)] {
        assert_eq!(witness.posts(url, "/verb", body).status, status, "{body}");
    }
    let mut drained = true;
    stream.tells(witness, |witness| {
        let verb = if drained { "undrain" } else { "drain" };
        drained = !drained;
        let answer = witness.posts(url, "/verb", &format!(r#"{{"verb":"{verb}","drones":["izar"]}}"#));
        assert_eq!(answer.status, 200);
    });
    assert_eq!(witness.posts(url, "/verb", r#"{"verb":"reset"}"#).status, 409);
    for (body, status) in
        [(NO_PLAN, 200), ("{", 400), (r#"{"world":false}"#, 422), (r#"{"driver":"x","world":true}"#, 422)]
    {
        assert_eq!(witness.posts(url, "/build", body).status, status, "{body}");
    }
    for path in ["/build", "/verb"] {
        assert_eq!(witness.asks(url, &format!("POST {path}"), path, &[], "{}").status, 401);
    }
    assert_eq!(witness.gets(url, "/state").status, 200);
}

#[test]
fn an_orchestrator_answers_as_its_document_says() {
    let place = Place::new("", "");
    with_token(&place, DRONE);
    release(&place.production(), 1, b"package");
    let service = place.orchestrator();
    let (mut witness, url) = (Witness::of("orchestrator"), &service.url);
    for path in ["/health", "/status", "/metrics", "/"] {
        assert_eq!(witness.gets(url, path).status, 200, "{path}");
    }
    let file = format!("GET /packages/{HELLO}");
    let modified = get(url, &format!("/packages/{HELLO}")).header("last-modified").unwrap().to_owned();
    for (line, headers, status) in [
        (file.as_str(), vec![], 200),
        (&file, vec!["range: bytes=0-2".to_owned()], 206),
        (&file, vec![format!("if-modified-since: {modified}")], 304),
        (&file, vec![format!("if-modified-since: {}", httpdate(0))], 200),
        (&file, vec!["range: bytes=100-".to_owned()], 416),
        ("GET /packages/x", vec![], 404),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_eq!(witness.asks(url, line, "/packages/{path}", &headers, "").status, status, "{line} {headers:?}");
    }
    ask_for_builds(&mut witness, url);
    assert_eq!(witness.posts(url, "/promote", "{").status, 400);
    assert_eq!(witness.posts(url, "/promote", "").status, 200);
    witness.assert_nothing_else_is_there(url);
    drop(service);

    // With all that there can be to tell, and a controller at work, which lets the service leave it alone.
    plenty::write(&place.path("state"), now());
    name::own(&place.path("state"), None).unwrap();
    let _at_work = Lock::take(&place.path("state")).unwrap();
    let service = place.orchestrator();
    for path in ["/health", "/status", "/state", "/metrics"] {
        assert_eq!(witness.gets(&service.url, path).status, 200, "{path}");
    }
    let verb = ("post".to_owned(), "/verb".to_owned());
    while !witness.asked[&verb].contains(&429) {
        witness.asks(&service.url, "POST /verb", "/verb", &["authorization: Bearer x"], "{}");
    }
    drop(service);

    place.write_inventory("", "");
    let service = place.orchestrator();
    assert_eq!(witness.posts(&service.url, "/build", NO_PLAN).status, 403);
    std::fs::write(place.path("state").join("journal.db"), "this is no database").unwrap();
    for path in ["/health", "/status", "/state", "/metrics"] {
        wait("it is seen that the journal is damaged", || witness.gets(&service.url, path).status == 500);
    }
    witness.assert_all_was_asked();
}

#[test]
fn a_gateway_answers_as_its_document_says() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let rest = format!(
        "{DRONE}[hosts.altair]\naddress = '127.0.0.1'\n\
         [gateway]\nhost = 'altair'\nlisten = '127.0.0.1:0'\ncheck_interval = '100ms'\n\
         [orchestrators.orch]\naddress = '127.0.0.1'\nbinhost = '{url}/packages'\napi = '{url}'\n"
    );
    let place = Place::new("", "");
    with_token(&place, &rest);
    release(&place.production(), 1, b"package");
    let gateway = place.serve(&["gateway"]);
    let mut witness = Witness::of("gateway");
    let alone = |witness: &mut Witness| {
        for path in ["/binhost", "/state", "/swarm", "/events", "/"] {
            assert_eq!(witness.gets(&gateway.url, path).status, 503, "{path}");
        }
        assert_eq!(witness.posts(&gateway.url, "/build", NO_PLAN).status, 503);
        let line = format!("GET /packages/{HELLO}");
        assert_eq!(witness.asks(&gateway.url, &line, "/packages/{path}", &[], "").status, 503);
    };
    alone(&mut witness);

    let orchestrator = place.serve(&["orchestrator"]);
    wait("the orchestrator is healthy", || {
        let status = get(&gateway.url, "/status").json();
        status["active"] == "orch" && status["controller"] == "orch"
    });
    for path in ["/health", "/status", "/binhost", "/swarm", "/metrics", "/"] {
        assert_eq!(witness.gets(&gateway.url, path).status, 200, "{path}");
    }
    let json = ["accept: application/json"];
    assert!(witness.asks(&gateway.url, "GET /binhost", "/binhost", &json, "").json()["url"].is_string());
    for (line, status) in [(format!("GET /packages/{HELLO}"), 302), ("GET /packages/../x".to_owned(), 404)] {
        assert_eq!(witness.asks(&gateway.url, &line, "/packages/{path}", &[], "").status, status, "{line}");
    }
    ask_for_builds(&mut witness, &gateway.url);
    witness.assert_nothing_else_is_there(&gateway.url);
    orchestrator.kill();
    wait("that it is gone is seen", || get(&gateway.url, "/status").json()["controller"].is_null());
    alone(&mut witness);
    witness.assert_all_was_asked();
}
