//! A fake host for tests: an SSH server inside the test's own process, without a socket.
//!
//! It answers scripts with steps that the test chose, in any order, and serves a directory by SFTP with faults that
//! the test arms. What a real host does at its best is the real sshd's business; this is for what a real one cannot be
//! made to do. With a paused clock (`#[tokio::test(start_paused = true)]`) hours pass in no time.
//!
//! ```ignore
//! let fake = FakeHost::new("tarn").answer(|script| vec![Step::out("hello\n"), Step::Status(0), Step::Close]);
//! let output = fake.host().run(&Script::new("greet")).await.unwrap();
//! ```

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKeyBase64};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use swarm::ssh::dial::{DialError, Dialer, Lane, Stream};
use swarm::ssh::{Destination, Keys, RemoteHost, Way};
use tempfile::TempDir;

mod console;
mod direct;
pub mod drone;
mod files;
mod line;
pub mod machine;
pub mod mounts;
pub mod package;
pub mod push;
pub mod script;
pub mod workshop;

pub use console::{Answers, Console, Program, Step};
pub use files::{Fault, Sent};
pub use line::Line;

/// What all connections of a fake host share.
pub struct Shared {
    program: Arc<dyn Program>,
    /// The root of its file system.
    root: PathBuf,
    faults: Mutex<Vec<Fault>>,
    /// Every script that ran, in order.
    scripts: Mutex<Vec<String>>,
    forgets_scripts: bool,
    lines: Mutex<Vec<Line>>,
    /// Connections that are open now.
    alive: AtomicUsize,
    key: Mutex<PrivateKey>,
    /// What was read of its files.
    sent: Mutex<Vec<Sent>>,
    /// How many channels a connection may have, as sshd's MaxSessions.
    sessions: usize,
    dead: AtomicBool,
}

impl Shared {
    fn remember(&self, script: &str) {
        if !self.forgets_scripts {
            self.scripts.lock().unwrap().push(script.to_owned());
        }
    }
}

/// A directory in memory, where there is such a place: syncing, which takes most of a push's real time, is free there.
/// Meant for small files; containers give it 64 MiB.
pub fn memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A fake host.
pub struct FakeHost {
    shared: Arc<Shared>,
    name: String,
    directory: TempDir,
    stall_timeout: Duration,
}

impl FakeHost {
    /// One that ends every script with success.
    pub fn new(name: &str) -> Self {
        Self::within(name, tempfile::tempdir().unwrap())
    }

    /// The same, with its files in this directory.
    pub fn within(name: &str, directory: TempDir) -> Self {
        let root = directory.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let random = || PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let (key, identity) = (random(), random());
        std::fs::write(directory.path().join("identity"), identity.to_openssh(LineEnding::LF).unwrap().as_bytes())
            .unwrap();
        let pin = format!("{name}.test {} {}\n", key.algorithm(), key.public_key_base64());
        std::fs::write(directory.path().join("known_hosts"), pin).unwrap();
        let shared = Shared {
            program: Arc::new(Answers(Box::new(|_| Step::all_is_well("", 0)))),
            root,
            faults: Mutex::default(),
            scripts: Mutex::default(),
            forgets_scripts: false,
            lines: Mutex::default(),
            alive: AtomicUsize::new(0),
            key: Mutex::new(key),
            sent: Mutex::default(),
            sessions: 10,
            dead: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), name: name.to_owned(), directory, stall_timeout: Duration::from_secs(60) }
    }

    fn setting(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::get_mut(&mut self.shared).expect("settings come before the first connection"));
        self
    }

    /// Answers each script with the steps that the function gives for its text.
    pub fn answer(self, answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        self.program(Arc::new(Answers(Box::new(answer))))
    }

    /// Lets a program of the test's own run each script.
    pub fn program(self, program: Arc<dyn Program>) -> Self {
        self.setting(|shared| shared.program = program)
    }

    /// Refuses more channels than this on one connection.
    pub fn sessions(self, sessions: usize) -> Self {
        self.setting(|shared| shared.sessions = sessions)
    }

    /// Keeps no script that it was given: where memory is measured they would count.
    pub fn forgetful(self) -> Self {
        self.setting(|shared| shared.forgets_scripts = true)
    }

    /// Accepts connections and never says a word.
    pub fn dead(self) -> Self {
        self.setting(|shared| shared.dead = AtomicBool::new(true))
    }

    /// A transfer that moves no byte for this long has failed.
    pub fn stall_timeout(mut self, stall_timeout: Duration) -> Self {
        self.stall_timeout = stall_timeout;
        self
    }

    /// Arms a fault of its SFTP server.
    pub fn arm(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push(fault);
    }

    /// Disarms all faults.
    pub fn heal(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// The directory that is `/` to its SFTP clients.
    pub fn root(&self) -> PathBuf {
        self.shared.root.clone()
    }

    /// The scripts that it was given so far.
    pub fn scripts(&self) -> Vec<String> {
        self.shared.scripts.lock().unwrap().clone()
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.shared.lines.lock().unwrap().len()
    }

    /// How many connections to it are open.
    pub fn open_connections(&self) -> usize {
        self.shared.alive.load(Ordering::Relaxed)
    }

    /// Breaks all of its connections.
    pub fn cut(&self) {
        self.shared.each_line(Line::cut);
    }

    /// Lets all of its connections stand still.
    pub fn freeze(&self) {
        self.shared.each_line(Line::freeze);
    }

    /// Pulls its cable: nothing moves on any connection, nor on a new one, and nobody is told.
    pub fn vanish(&self) {
        self.shared.dead.store(true, Ordering::Relaxed);
        self.freeze();
    }

    /// Puts the cable back. Connections from before stay dead.
    pub fn come_back(&self) {
        self.shared.dead.store(false, Ordering::Relaxed);
    }

    /// Gives it another host key, which nobody has pinned.
    pub fn change_key(&self) {
        *self.shared.key.lock().unwrap() = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
    }

    /// What was read of its files so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.sent.lock().unwrap().clone()
    }

    /// Where and how it is reached, with its key pinned.
    pub fn destination(&self) -> Destination {
        Destination {
            name: self.name.parse().unwrap(),
            ways: vec![Way::direct(format!("{}.test", self.name))],
            port: 22,
            user: "root".to_owned(),
            become_root: None,
            keys: Keys::Only(vec![self.directory.path().join("identity")]),
            known_hosts: self.directory.path().join("known_hosts"),
            host_key_alias: None,
            ssh_config: None,
            stall_timeout: self.stall_timeout,
        }
    }

    /// How streams to it are made.
    pub fn dialer(&self) -> Arc<dyn Dialer> {
        Arc::new(Door(self.shared.clone()))
    }

    /// A way to it without SSH.
    pub fn direct(&self) -> direct::Direct {
        let line = Line::default();
        self.shared.lines.lock().unwrap().push(line.clone());
        direct::Direct { shared: self.shared.clone(), name: self.name.parse().unwrap(), line: Mutex::new(line) }
    }

    /// It, as the SSH layer sees it.
    pub fn host(&self) -> RemoteHost {
        RemoteHost::with_dialer(&self.destination(), self.dialer())
    }
}

impl Shared {
    fn each_line(&self, change: impl Fn(&Line)) {
        self.lines.lock().unwrap().iter().for_each(change);
    }
}

/// Makes a stream in memory with a server at its other end.
struct Door(Arc<Shared>);

impl std::fmt::Debug for Door {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Door")
    }
}

/// Bytes that one side may write before the other reads.
const PIPE: usize = 1 << 20;

#[async_trait]
impl Dialer for Door {
    async fn dial(&self, _address: &str, _port: u16, _lane: Lane) -> Result<Box<dyn Stream>, DialError> {
        let (near, far) = tokio::io::duplex(PIPE);
        let line = Line::default();
        let number = {
            let mut lines = self.0.lines.lock().unwrap();
            lines.push(line.clone());
            lines.len() - 1
        };
        if self.0.dead.load(Ordering::Relaxed) {
            line.freeze();
        }
        let config = server::Config {
            keys: vec![self.0.key.lock().unwrap().clone()],
            auth_rejection_time: Duration::ZERO,
            inactivity_timeout: None,
            window_size: 32 << 20,
            maximum_packet_size: 65535,
            ..server::Config::default()
        };
        let connection = Connection {
            shared: self.0.clone(),
            line: line.clone(),
            number,
            channels: HashMap::new(),
            open: Arc::default(),
        };
        let shared = self.0.clone();
        tokio::spawn(async move {
            shared.alive.fetch_add(1, Ordering::Relaxed);
            if let Ok(session) = server::run_stream(Arc::new(config), line.over(far), connection).await {
                let _ = session.await;
            }
            shared.alive.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(Box::new(near))
    }
}

/// One connection, as its server sees it.
struct Connection {
    shared: Arc<Shared>,
    line: Line,
    number: usize,
    channels: HashMap<ChannelId, Channel<Msg>>,
    open: Open,
}

/// The channels that are open.
type Open = Arc<Mutex<HashSet<ChannelId>>>;

/// Counts a channel as open for as long as something runs on it. That the client has closed it is no help: where both
/// sides close at the same time russh does not tell its server of it.
struct Occupied(Open, ChannelId);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.lock().unwrap().remove(&self.1);
    }
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _user: &str, _key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.open.lock().unwrap().len() == self.shared.sessions {
            reply.reject(russh::ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.open.lock().unwrap().insert(channel.id());
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        self.open.lock().unwrap().remove(&channel);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(channel) = self.channels.remove(&id) {
            session.channel_success(id)?;
            let (shared, occupied) = (self.shared.clone(), Occupied(self.open.clone(), id));
            tokio::spawn(console::perform(shared, channel, occupied));
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.channels.remove(&id) {
            Some(channel) if name == "sftp" && !self.shared.faults.lock().unwrap().contains(&Fault::NoServer) => {
                session.channel_success(id)?;
                let server = files::Server::new(
                    self.shared.clone(),
                    self.line.clone(),
                    self.number,
                    Occupied(self.open.clone(), id),
                );
                russh_sftp::server::run(channel.into_stream(), server).await;
                Ok(())
            }
            _ => session.channel_failure(id),
        }
    }
}
