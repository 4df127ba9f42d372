//! Alarms told by the real binary: to programs of the operator's, a mail system's stand-in and a web server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use swarm::core::event::{DroneSpec, Event, JobOutcome, Rooms, Selection};
use swarm::core::failure::{Failure, FailureClass};
use swarm::core::names::Timestamp;
use swarm::core::package::Identity;
use swarm::core::plan::{PackageIndex, Plan, PlannedPackage};
use swarm::core::state::State;
use swarm::store::Journal;

/// An operator's directory with an inventory, a `sendmail` that keeps what it gets, and a journal of a failed build.
struct Place(tempfile::TempDir);

impl Place {
    fn new(channels: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.path("mails")).unwrap();
        // Two at one time have names of their own.
        place.program("sendmail", "cat > mails/$$.part && mv mails/$$.part mails/$$");
        place.write_inventory(channels);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A program that does this in the operator's directory.
    fn program(&self, name: &str, does: &str) {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\ncd {} || exit 1\n{does}\n", self.0.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn write_inventory(&self, channels: &str) {
        std::fs::create_dir_all(self.path("inventory")).unwrap();
        let channels = channels.replace("PLACE", &self.0.path().display().to_string());
        let settings = format!(
            "[swarm]\nname = \"argo\"\ndriver = \"local\"\nstate = {:?}\nstaging = {:?}\nproduction = {:?}\n\
             [drones.izar]\naddress = \"izar.invalid\"\ncores = 4\n{channels}",
            self.text("state"),
            self.text("staging"),
            self.text("production"),
        );
        std::fs::write(self.path("inventory/fleet.toml"), settings).unwrap();
    }

    fn swarm(&self, arguments: &[&str]) -> Output {
        self.swarm_at(None, arguments)
    }

    /// One that a failpoint ends.
    fn swarm_at(&self, failpoint: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarm"));
        command.current_dir(self.0.path()).args(arguments);
        command.envs(failpoint.map(|failpoint| ("SWARM_FAILPOINT", failpoint)));
        command.output().unwrap()
    }

    #[track_caller]
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.swarm(arguments);
        let said = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }

    /// The mails so far, as an independent reader understands them: headers and body, decoded, as JSON.
    fn mails(&self) -> Vec<serde_json::Value> {
        let files = std::fs::read_dir(self.path("mails")).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| parsed(&file)).collect()
    }

    /// A build of one package that has failed on its only drone, written by a controller that is gone.
    fn fail_a_build(&self) {
        let mut journal = Journal::open(&self.path("state")).unwrap();
        let mut state = journal.replay().unwrap();
        for event in failed_build() {
            state.apply(&event).unwrap();
            journal.append(&state, &event, Timestamp(0)).unwrap();
        }
    }

    fn state(&self) -> State {
        Journal::state_of(&self.path("state")).unwrap()
    }
}

/// Python's `email` reads it by the letter of the RFCs.
fn parsed(file: &Path) -> serde_json::Value {
    const READ: &str = "import email, email.policy, json, sys\n\
        mail = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)\n\
        defects = [str(each) for each in mail.defects] + [str(each) for name in mail for each in mail[name].defects]\n\
        print(json.dumps({'headers': {name: str(value) for name, value in mail.items()}, 'defects': defects,\n\
            'date': mail['Date'].datetime.timestamp(), 'body': mail.get_content(),\n\
            'longest': max(len(line) for line in open(sys.argv[1], 'rb'))}))";
    let output = Command::new("python3").args(["-c", READ]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failed_build() -> Vec<Event> {
    let identity = Identity {
        cpv: "app-misc/foo-1.0".parse().unwrap(),
        slot: "0".parse().unwrap(),
        repository: "gentoo".to_owned(),
        ebuild_digest: String::new(),
        use_flags: std::iter::empty::<&str>().collect(),
        chost: "x86_64-pc-linux-gnu".to_owned(),
        compiler: std::iter::empty::<(&str, &str)>().collect(),
        linked: [].into(),
    };
    let plan = Plan {
        driver: "capella".parse().unwrap(),
        packages: vec![PlannedPackage { identity, requested: true, oddities: [].into() }],
        edges: [].into(),
        index_header: [].into(),
        warnings: Vec::new(),
    };
    let (build, at) = ("build1", Timestamp(1_000_000));
    let drone = || "izar".parse().unwrap();
    let job = || "build1-1".parse().unwrap();
    let failure = Failure {
        class: FailureClass::Build,
        reason: "compile phase: emake failed: foo.c:7: error: 'näh' undeclared".to_owned(),
    };
    vec![
        Event::FleetDeclared { drones: vec![DroneSpec { name: drone(), cores: 4, jobs: None, memory_mib: None }] },
        Event::DroneReady {
            drone: drone(),
            address: None,
            rooms: Rooms::Shared,
            memory_mib: None,
            configuration: None,
        },
        Event::BuildOpened {
            build: build.parse().unwrap(),
            selection: Selection::World,
            plan,
            live: [].into(),
            rebuild: false,
            at,
        },
        Event::JobStarted {
            job: job(),
            package: PackageIndex(0),
            drone: drone(),
            build_ids: [].into(),
            width: 4,
            why: None,
            at,
        },
        Event::JobEnded {
            job: job(),
            outcome: JobOutcome::Failed { failure, log: Some("logs/app-misc/foo-1.0/build1-1.log".to_owned()) },
            at,
        },
    ]
}

/// Takes so many requests, one a connection, and answers each with its status; gives what it got.
fn web_server(statuses: &'static [&'static str]) -> (u16, std::thread::JoinHandle<Vec<(String, serde_json::Value)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let serve = |status: &&str| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            loop {
                let mut chunk = [0; 4096];
                let read = stream.read(&mut chunk).unwrap();
                bytes.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
                if body.len() >= length.unwrap() {
                    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\nheard").unwrap();
                    return (head.to_owned(), serde_json::from_str(body).unwrap());
                }
            }
        };
        statuses.iter().map(serve).collect()
    });
    (port, served)
}

const MAIL: &str = "[notify.mail]\nmail = [\"root@example.org\", \"ops@example.org\"]\nsendmail = \"PLACE/sendmail\"\n";

#[test]
fn a_failed_build_is_mailed_once_with_what_lets_one_act() {
    let place = Place::new(MAIL);
    place.fail_a_build();
    for _ in 0..3 {
        place.said(&["notify", "--check"]);
    }
    let mails = place.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail["defects"], serde_json::json!([]), "{mail}");
    assert_eq!(mail["headers"]["Subject"], "[swarm argo] app-misc/foo-1.0 failed: build");
    assert_eq!(mail["headers"]["To"], "root@example.org, ops@example.org");
    assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
    assert!(mail["headers"]["From"].as_str().unwrap().starts_with("swarm@"), "{mail}");
    assert!(mail["headers"]["Message-ID"].as_str().unwrap().ends_with('>'), "{mail}");
    let now = swarm::controller::now().0 as f64;
    assert!((mail["date"].as_f64().unwrap() - now).abs() < 120.0, "{mail}");
    let body = mail["body"].as_str().unwrap();
    for part in [
        "compile phase: emake failed: foo.c:7: error: 'näh' undeclared",
        &format!("log: {}/logs/app-misc/foo-1.0/build1-1.log", place.text("state")),
        "next: swarm logs app-misc/foo-1.0",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let status: serde_json::Value = serde_json::from_str(&place.said(&["status", "--json"])).unwrap();
    assert_eq!(status["alarms"][0]["cause"], "package capella app-misc/foo-1.0", "{status}");
    assert_eq!(status["alarms"][0]["next"], "swarm logs app-misc/foo-1.0", "{status}");
    assert!(place.said(&["status"]).contains("app-misc/foo-1.0 failed: build"));

    place.said(&["reset", "--yes"]);
    let mut subjects: Vec<_> = place.mails().iter().map(|mail| mail["headers"]["Subject"].to_string()).collect();
    subjects.sort();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects[1].contains("recovered: app-misc/foo-1.0 failed"), "{subjects:?}");
}

#[test]
fn all_channels_get_the_same_each_in_its_form_and_those_that_fail_are_named_and_asked_again() {
    let (port, served) = web_server(&["500 No", "204 Good"]);
    let channels = format!(
        "{MAIL}[notify.chat]\nwebhook = \"http://127.0.0.1:{port}/hook/secret?key=1\"\ntoken_file = \"PLACE/token\"\n\
         [notify.pager]\ncommand = [\"PLACE/page\", \"--urgent; touch pwned\"]\non = [\"failure\"]\n\
         [notify.broken]\ncommand = [\"PLACE/none\"]\n"
    );
    let place = Place::new(&channels);
    std::fs::write(place.path("token"), "hunter2\n").unwrap();
    place.program("page", "echo \"$1 $SWARM_NAME $SWARM_SUBJECT $SWARM_RAISED\" > paged; cat >> paged");
    place.fail_a_build();
    let output = place.swarm(&["notify", "--check"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(place.mails().len(), 1);
    let paged = std::fs::read_to_string(place.path("paged")).unwrap();
    assert!(
        paged.starts_with("--urgent; touch pwned argo [swarm argo] app-misc/foo-1.0 failed: build 1\n"),
        "no shell is between: {paged}"
    );
    assert!(paged.contains("next: swarm logs app-misc/foo-1.0"), "{paged}");
    assert!(!place.path("pwned").exists());
    let status: serde_json::Value = serde_json::from_str(&place.said(&["status", "--json"])).unwrap();
    assert_eq!(status["channels"]["chat"]["why"], format!("(at 127.0.0.1:{port}) answers 500: heard"), "{status}");
    assert!(status["channels"]["broken"]["why"].as_str().unwrap().contains("/none"), "{status}");
    let text = place.said(&["status"]);
    assert!(text.contains("not told: chat fails since") && !text.contains("secret"), "{text}");

    // Each is asked again after its pause, and nobody who was told is told again.
    place.said(&["notify", "--check"]);
    assert_eq!(place.mails().len(), 1);
    assert_eq!(place.said(&["notify", "--test", "chat"]), "chat was told\n");
    let got = served.join().unwrap();
    let (head, body) = &got[0];
    assert!(head.starts_with("POST /hook/secret?key=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer hunter2\r\n"), "{head}");
    assert_eq!(body["swarm"], "argo");
    assert_eq!(body["raised"][0]["headline"], "app-misc/foo-1.0 failed: build", "{body}");
    assert_eq!(body["raised"][0]["next"], "swarm logs app-misc/foo-1.0", "{body}");
    assert_eq!(body["cleared"], serde_json::json!([]));
    assert!(body["text"].as_str().unwrap().contains("emake failed"), "{body}");
    assert_eq!(got[1].1["subject"], "[swarm argo] a test");
}

#[cfg(feature = "failpoints")]
#[test]
fn a_controller_that_is_killed_once_a_mail_went_out_sends_it_again_rather_than_never() {
    let place = Place::new(MAIL);
    place.fail_a_build();
    let killed = place.swarm_at(Some("after-telling"), &["notify", "--check"]);
    assert_eq!(killed.status.code(), None, "{killed:?}");
    assert_eq!(place.mails().len(), 1);
    assert!(place.state().alarms.standing().all(|alarm| alarm.told.is_empty()));
    for _ in 0..2 {
        place.said(&["notify", "--check"]);
    }
    assert_eq!(place.mails().len(), 2, "the one of which nothing is known, and never again");
}

#[test]
fn any_text_makes_a_mail_that_reads_as_it_was_written() {
    let place = Place::new(MAIL);
    let long = "x".repeat(3000);
    for (subject, text) in [
        ("plain", "one line"),
        ("Grüße von drüben, und zwar so lange, dass eine Zeile dafür nicht reicht: äöüß äöüß äöüß äöüß", "ä\nß"),
        ("a subject of plain letters that is far too long for one line of a header, and for two as well", &long),
        ("=?utf-8?B?YQ==?=", ".\nFrom here\n.\n"),
        ("two\nBcc: everybody@example.org", "text"),
    ] {
        place.said(&["notify", "--message", text, "--subject", subject]);
        let mails = std::fs::read_dir(place.path("mails")).unwrap().map(|entry| entry.unwrap().path());
        let file = mails.last().unwrap();
        let mail = parsed(&file);
        std::fs::remove_file(file).unwrap();
        assert_eq!(mail["defects"], serde_json::json!([]), "{mail}");
        assert_eq!(mail["headers"]["Subject"], format!("[swarm argo] {}", subject.replace('\n', " ")), "{mail}");
        assert!(mail["headers"].get("Bcc").is_none(), "{mail}");
        assert!(mail["body"].as_str().unwrap().starts_with(text.trim_end()), "{mail}");
        assert!(mail["longest"].as_u64().unwrap() <= 999, "{mail}");
    }
}

#[test]
fn what_cannot_be_told_is_said_with_the_reason() {
    let place = Place::new("");
    let output = place.swarm(&["notify", "--test"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("[notify.NAME]"), "{output:?}");
    place.write_inventory(MAIL);
    let output = place.swarm(&["notify", "--test", "mial"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `mail`?"), "{output:?}");
    place.program("sendmail", "echo no such user >&2; exit 67");
    let output = place.swarm(&["notify", "--test"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("mail was not told: ") && said.contains("exit status: 67: no such user"), "{said}");
    // What a mail system leaves behind in the background is not waited for.
    place.program("sendmail", "sleep 3600 & echo $! > left; cat > /dev/null");
    assert_eq!(place.said(&["notify", "--message", "hello"]), "mail was told\n");
    let left = std::fs::read_to_string(place.path("left")).unwrap();
    assert!(Command::new("kill").arg(left.trim()).status().unwrap().success());
}
