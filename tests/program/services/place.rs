//! Where a service runs: its directories, its inventory, the process.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use tempfile::TempDir;

use crate::http::PATIENCE;

/// A host.
pub struct Place {
    directory: TempDir,
}

impl Place {
    /// One with this in its inventory besides `[swarm]`, whose keys are the first text.
    pub fn new(swarm: &str, rest: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        place.write_inventory(swarm, rest);
        place
    }

    /// Another inventory.
    pub fn write_inventory(&self, swarm: &str, rest: &str) {
        let below = |name: &str| self.path(name).display().to_string();
        let text = format!(
            "[swarm]\ndriver = 'capella'\nstate = '{}'\nstaging = '{}'\nproduction = '{}'\n{swarm}\n\
             [hosts.capella]\naddress = '127.0.0.1'\nport = 1\n{rest}\n",
            below("state"),
            below("staging"),
            below("production"),
        );
        // In one step: it may be read at any moment.
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path("fleet.toml")).unwrap();
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What production is.
    pub fn production(&self) -> PathBuf {
        self.path("production")
    }

    /// Writes a token file with this mode; gives the key of the inventory for it.
    pub fn token(&self, text: &str, mode: u32) -> String {
        let path = self.path("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        format!("token_file = '{}'\n", path.display())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_by(&[env!("CARGO_BIN_EXE_swarm")], arguments)
    }

    /// `swarm` by way of another program, not yet run.
    pub fn command_by(&self, swarm: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(swarm[0]);
        command
            .args(&swarm[1..])
            .args(["--inventory", "fleet.toml"])
            .args(arguments)
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path())
            .env_remove("SWARM_LOG")
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null());
        command
    }

    /// Runs `swarm` to its end.
    pub fn swarm(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts `swarm` beside the test; what it says on standard error is its log.
    pub fn beside(&self, arguments: &[&str]) -> Service {
        Service::beside(self.command(arguments))
    }

    /// Starts a service and waits until it listens.
    pub fn serve(&self, arguments: &[&str]) -> Service {
        Service::start(self.command(arguments))
    }

    /// An orchestrator on a port that the system chooses.
    pub fn orchestrator(&self) -> Service {
        self.serve(&["orchestrator", "--listen", "127.0.0.1:0"])
    }
}

impl Service {
    /// Starts one; what it says on standard error is its log.
    pub fn beside(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        let (lines, into) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|line| into.add(&line)));
        Self { child, log, url: String::new() }
    }

    /// The same, and waits until it listens.
    pub fn start(command: Command) -> Self {
        let mut service = Self::beside(command);
        let line = service.log.line_with("listening at ");
        service.url = line.split_once("listening at ").unwrap().1.to_owned();
        service
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A service's log, as it comes.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grown: Condvar,
}

impl Log {
    fn add(&self, line: &str) {
        self.text.lock().unwrap().push_str(&format!("{line}\n"));
        self.grown.notify_all();
    }

    fn line_with(&self, part: &str) -> String {
        let found = |text: &str| text.lines().find(|line| line.contains(part)).map(str::to_owned);
        let text = self.text.lock().unwrap();
        let (text, _) = self.grown.wait_timeout_while(text, PATIENCE, |text| found(text).is_none()).unwrap();
        found(&text).unwrap_or_else(|| panic!("{part:?} is not in:\n{text}"))
    }
}

/// A service that runs; it ends with the test.
pub struct Service {
    child: Child,
    log: Arc<Log>,
    /// Where it listens, without a path.
    pub url: String,
}

impl Service {
    /// Waits for a line with this in it.
    pub fn says(&self, part: &str) -> String {
        self.log.line_with(part)
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        self.log.text.lock().unwrap().clone()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &process]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Cuts its power.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Waits until something holds; the limit is there for a test that would never end.
pub fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        // Not to wait for it, but to leave the processors to what is waited for.
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Whether a command is there.
pub fn has(command: &str) -> bool {
    let found = |directory: &str| Path::new(directory).join(command).exists();
    let there = ["/usr/sbin", "/usr/bin"].into_iter().any(found);
    if !there {
        eprintln!("skipped: there is no {command} on this machine");
    }
    there
}
