//! Where an operator calls the real binary, and what listens to it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use swarm::core::event::{DroneSpec, Event, JobOutcome, Rooms, Selection};
use swarm::core::failure::{Failure, FailureClass};
use swarm::core::names::Timestamp;
use swarm::core::plan::{PackageIndex, Plan};
use swarm::core::state::State;
use swarm::store::Journal;

use crate::plans::planned;

/// An operator's directory with an inventory, a `sendmail` that keeps what it gets, and a journal of a failed build.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new(channels: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.path("mails")).unwrap();
        // Two at one time have names of their own.
        place.program("sendmail", "cat > mails/$$.part && mv mails/$$.part mails/$$");
        place.write_inventory(channels);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A program that does this in the operator's directory.
    pub fn program(&self, name: &str, does: &str) {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\ncd {} || exit 1\n{does}\n", self.0.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn write_inventory(&self, channels: &str) {
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

    /// The real binary with these arguments, in the operator's directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarm"));
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    pub fn swarm(&self, arguments: &[&str]) -> Output {
        self.swarm_at(None, arguments)
    }

    /// One that a failpoint ends.
    pub fn swarm_at(&self, failpoint: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.envs(failpoint.map(|failpoint| ("SWARM_FAILPOINT", failpoint)));
        command.output().unwrap()
    }

    #[track_caller]
    pub fn said(&self, arguments: &[&str]) -> String {
        let output = self.swarm(arguments);
        let said = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }

    /// The mails so far, as an independent reader understands them: headers and body, decoded, as JSON.
    pub fn mails(&self) -> Vec<serde_json::Value> {
        let files = std::fs::read_dir(self.path("mails")).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| parsed(&file)).collect()
    }

    /// A build of one package that has failed on its only drone, written by a controller that is gone.
    pub fn fail_a_build(&self) {
        let mut journal = Journal::open(&self.path("state")).unwrap();
        let mut state = journal.replay().unwrap();
        for event in failed_build() {
            state.apply(&event).unwrap();
            journal.append(&state, &event, Timestamp(0)).unwrap();
        }
    }

    pub fn state(&self) -> State {
        Journal::state_of(&self.path("state")).unwrap()
    }
}

/// Python's `email` reads it by the letter of the RFCs.
pub fn parsed(file: &Path) -> serde_json::Value {
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
    let plan = Plan {
        driver: "capella".parse().unwrap(),
        packages: vec![planned("app-misc/foo-1.0", true)],
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
pub fn web_server(
    statuses: &'static [&'static str],
) -> (u16, std::thread::JoinHandle<Vec<(String, serde_json::Value)>>) {
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
