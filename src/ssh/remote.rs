//! A host over SSH.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russh::client::Msg;
use russh::{Channel, ChannelOpenFailure};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::core::names::HostName;
use crate::core::text::printable;
use crate::ssh::destination::{Become, Destination, Way};
use crate::ssh::dial::{DialError, Dialer, Lane, Stream, Tcp, first_success};
use crate::ssh::growth::Growth;
use crate::ssh::host::{Host, HostError, HostErrorKind, Output, Running, Script};
use crate::ssh::jump::{Jump, Tunnel};
use crate::ssh::pace::Pace;
use crate::ssh::pool::{Opener, Place, Pool};
use crate::ssh::sftp::{self, Lease, Leftovers, Sessions, Sftp};
use crate::ssh::{exec, shell};

/// An open connection has this long to answer when it is asked whether it is still there.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// So many SFTP sessions serve what is fetched.
const TRANSFERS: usize = 4;

/// The host has this long to open a channel.
const CHANNEL_TIMEOUT: Duration = Duration::from_secs(30);

/// The next way to one address is tried after this long without an answer; a jump host's login takes some round trips.
const NEXT_WAY_AFTER: Duration = Duration::from_secs(1);

/// Channels that are refused while others are open on the same connection lead to another connection; this often.
const REFUSALS: usize = 20;

/// A host over SSH: its connections, opened when they are needed and again when they are lost.
pub struct RemoteHost {
    /// As the inventory has it; the opener knows what OpenSSH's configuration adds.
    destination: Destination,
    opener: Arc<Opener>,
    control: Arc<Pool>,
    bulk: Arc<Pool>,
    /// Sessions for what is fetched; what is sent has one of its own, so that nothing of it is left where it is given up.
    transfers: Sessions,
    /// The session for small files, kept open.
    files: Sessions,
    /// What starts the SFTP server, where it must be started through sudo or doas.
    sftp_command: OnceCell<String>,
    leftovers: Leftovers,
    /// How fast files may go there and come from there; none for as fast as they can.
    pace: Option<Arc<Pace>>,
}

impl fmt::Debug for RemoteHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemoteHost").field("destination", &self.destination).finish_non_exhaustive()
    }
}

/// What a channel is opened for.
#[derive(Debug, Clone, Copy)]
enum Purpose<'a> {
    Session,
    Tunnel { address: &'a str, port: u16 },
    Socket { path: &'a str },
}

impl Purpose<'_> {
    async fn open(self, place: &Place) -> Result<Channel<Msg>, russh::Error> {
        let handle = &place.connection.link.handle;
        match self {
            Self::Session => handle.channel_open_session().await,
            // Where the tunnel begins is of no interest to anybody.
            Self::Tunnel { address, port } => {
                handle.channel_open_direct_tcpip(address, u32::from(port), "127.0.0.1", 0).await
            }
            Self::Socket { path } => handle.channel_open_direct_streamlocal(path).await,
        }
    }

    /// Whether a refusal may mean that the connection has too many channels. sshd answers "connect failed" to a session
    /// beyond MaxSessions; to a tunnel or a socket that is the truth.
    fn is_full(self, failure: &ChannelOpenFailure) -> bool {
        match failure {
            ChannelOpenFailure::ResourceShortage => true,
            ChannelOpenFailure::ConnectFailed => matches!(self, Self::Session),
            _ => false,
        }
    }
}

impl RemoteHost {
    /// A host reached by TCP, or through jump hosts. Nothing is connected yet.
    pub fn new(destination: &Destination) -> Self {
        Self::reached_by(destination, None)
    }

    /// A host reached over streams that `dialer` makes.
    pub fn with_dialer(destination: &Destination, dialer: Arc<dyn Dialer>) -> Self {
        Self::reached_by(destination, Some(dialer))
    }

    fn reached_by(destination: &Destination, dialer: Option<Arc<dyn Dialer>>) -> Self {
        let opener = Arc::new(Opener::new(destination.clone(), dialer));
        Self {
            destination: destination.clone(),
            control: Arc::new(Pool::new(opener.clone(), Lane::Control)),
            bulk: Arc::new(Pool::new(opener.clone(), Lane::Bulk)),
            opener,
            transfers: Sessions::at_most(TRANSFERS),
            files: Sessions::at_most(1),
            sftp_command: OnceCell::new(),
            leftovers: Leftovers::default(),
            pace: None,
        }
    }

    /// The same, with a limit on how fast files go there and come from there.
    pub fn at_pace(self, pace: Option<Arc<Pace>>) -> Self {
        Self { pace, ..self }
    }

    fn error(&self, kind: HostErrorKind, message: impl Into<String>) -> HostError {
        HostError::new(&self.destination.name, kind, message)
    }

    async fn become_root(&self) -> Result<Option<Become>, HostError> {
        Ok(self.opener.destination().await?.become_root)
    }

    fn lane(&self, lane: Lane) -> &Arc<Pool> {
        match lane {
            Lane::Control => &self.control,
            Lane::Bulk => &self.bulk,
        }
    }

    /// Opens a channel for a command or subsystem.
    pub(crate) async fn session(&self, lane: Lane) -> Result<(Place, Channel<Msg>), HostError> {
        self.channel(lane, Purpose::Session).await
    }

    /// Opens a channel to an address as seen from this host.
    pub(crate) async fn tunnel(
        &self,
        lane: Lane,
        address: &str,
        port: u16,
    ) -> Result<(Place, Channel<Msg>), HostError> {
        self.channel(lane, Purpose::Tunnel { address, port }).await
    }

    /// Opens a channel, on a new connection where the one at hand turns out to be lost (once) or full.
    async fn channel(&self, lane: Lane, purpose: Purpose<'_>) -> Result<(Place, Channel<Msg>), HostError> {
        let (mut losses, mut refusals, mut refusals_at_once) = (0, 0, 0);
        loop {
            let place = self.lane(lane).place().await?;
            let fault = match timeout(CHANNEL_TIMEOUT, purpose.open(&place)).await {
                Ok(Ok(channel)) => return Ok((place, channel)),
                Ok(Err(russh::Error::ChannelOpenFailure(failure))) => {
                    refusals += 1;
                    // A connection that refuses its only channel may still count one that was just closed.
                    if !place.refused() {
                        refusals_at_once += 1;
                    }
                    if refusals < REFUSALS && refusals_at_once < 2 && purpose.is_full(&failure) {
                        continue;
                    }
                    return Err(self.refused(purpose, &failure));
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {CHANNEL_TIMEOUT:?}"),
            };
            place.discard();
            losses += 1;
            if losses > 1 {
                let text = format!("the connection was lost while a channel was opened: {}", printable(&fault));
                return Err(self.error(HostErrorKind::Lost, text));
            }
        }
    }

    fn refused(&self, purpose: Purpose<'_>, failure: &ChannelOpenFailure) -> HostError {
        let said = printable(failure.description());
        let text = match purpose {
            Purpose::Session => format!("sshd refuses a session ({said}): see MaxSessions in its sshd_config"),
            Purpose::Tunnel { address, port } => format!(
                "sshd does not lead on to {address} port {port} ({said}): see that the address can be reached from \
                 there, and AllowTcpForwarding in its sshd_config"
            ),
            Purpose::Socket { path } => format!(
                "sshd does not lead on to the socket {path} ({said}): see that whoever makes it runs there, that {} may \
                 open it, and AllowStreamLocalForwarding in its sshd_config",
                self.destination.user
            ),
        };
        self.error(HostErrorKind::Failed, text)
    }

    /// The session for small files; a new one where the last is lost.
    async fn files(&self) -> Result<Lease<'_>, HostError> {
        self.files.lease(|| self.sftp(Lane::Control)).await
    }

    async fn sftp(&self, lane: Lane) -> Result<Sftp, HostError> {
        let command = match self.become_root().await? {
            None => None,
            Some(become_root) => {
                let find = || sftp::privileged_command(self, become_root);
                Some(self.sftp_command.get_or_try_init(find).await?.clone())
            }
        };
        let (place, channel) = self.session(lane).await?;
        let sftp = Sftp::open(&self.destination, place, channel, command, self.leftovers.clone()).await?;
        Ok(sftp.at_pace(self.pace.clone()))
    }
}

/// Takes each of a host's addresses by its own way.
#[derive(Debug)]
struct Ways {
    /// Addresses, each with what is gone through; none is reached from here. Aliases of ssh's configuration may lead to
    /// one address by several ways.
    ways: Vec<(String, Option<Jump>)>,
}

#[async_trait]
impl Dialer for Ways {
    async fn dial(&self, address: &str, port: u16, lane: Lane) -> Result<Box<dyn Stream>, DialError> {
        let attempts = self.ways.iter().filter(|(other, _)| other == address).map(|(_, jump)| match jump {
            Some(jump) => jump.dial(address, port, lane),
            None => Tcp.dial(address, port, lane),
        });
        let dialled = first_success(attempts.collect(), NEXT_WAY_AFTER, |_| false).await;
        dialled.map_err(|mut errors| {
            errors.pop().unwrap_or_else(|| DialError::Io(std::io::Error::other("no way leads to this address")))
        })
    }
}

/// How streams to this destination are made.
pub(crate) fn dialer(destination: &Destination) -> Arc<dyn Dialer> {
    let way = |way: &Way| (way.address.clone(), way.jump.as_deref().map(Jump::through));
    Arc::new(Ways { ways: destination.ways.iter().map(way).collect() })
}

#[async_trait]
impl Host for RemoteHost {
    fn name(&self) -> &HostName {
        &self.destination.name
    }

    fn address(&self) -> Option<String> {
        self.control.address().or_else(|| self.bulk.address())
    }

    async fn connect(&self) -> Result<(), HostError> {
        let place = self.control.place().await?;
        let handle = &place.connection.link.handle;
        if timeout(PING_TIMEOUT, handle.send_ping()).await.is_ok_and(|sent| sent.is_ok()) && !handle.is_closed() {
            return Ok(());
        }
        place.discard();
        self.control.place().await.map(drop)
    }

    async fn run(&self, script: &Script) -> Result<Output, HostError> {
        let running = self.start(script).await?;
        let output = exec::collect(&self.destination.name, running).await?;
        let become_root = self.become_root().await?;
        match shell::become_fault(become_root, output.status, &output.stdout, &output.stderr) {
            Some(fault) => Err(self.error(HostErrorKind::Failed, format!("cannot become root: {fault}"))),
            None => Ok(output),
        }
    }

    async fn start(&self, script: &Script) -> Result<Running, HostError> {
        let (place, channel) = self.session(Lane::Control).await?;
        let command = shell::command(self.become_root().await?);
        exec::start(&self.destination.name, place, channel, command, shell::line(script)).await
    }

    async fn read(&self, remote: &str, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.files().await?.read(remote, limit).await
    }

    async fn read_from(&self, remote: &str, offset: u64, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.files().await?.read_from(remote, offset, limit).await
    }

    async fn write(&self, remote: &str, content: &[u8], mode: u32) -> Result<(), HostError> {
        self.files().await?.write(remote, content, mode).await
    }

    async fn upload(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError> {
        self.sftp(Lane::Bulk).await?.upload(local, remote, mode).await
    }

    async fn upload_on(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError> {
        self.sftp(Lane::Bulk).await?.append(local, remote, mode).await
    }

    async fn bring(&self, remote: &str, local: &Path, growth: Option<&Arc<Growth>>) -> Result<u64, HostError> {
        self.transfers.lease(|| self.sftp(Lane::Bulk)).await?.download(remote, local, growth).await
    }

    async fn socket(&self, remote: &str) -> Result<Box<dyn Stream>, HostError> {
        let (place, channel) = self.channel(Lane::Control, Purpose::Socket { path: remote }).await?;
        Ok(Box::new(Tunnel::new(channel, place)))
    }
}
