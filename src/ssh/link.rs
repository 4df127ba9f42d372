//! One authenticated SSH connection to a host, from the first byte to the login.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use russh::client::{self, Handle};
use russh::keys::{Algorithm, PublicKey, PublicKeyOrCertificate};
use russh::{Preferred, cipher};
use tokio::time::{sleep, timeout};

use crate::core::text::printable;
use crate::ssh::chance;
use crate::ssh::destination::Destination;
use crate::ssh::dial::{Dialer, Lane, Stream, first_success};
use crate::ssh::host::{HostError, HostErrorKind};
use crate::ssh::login;
use crate::ssh::trust::{Guard, GuardError, Trust};

/// A window of 2 MiB, the default, is the limit on a long link: at 100 ms it allows 20 MB/s.
const WINDOW: u32 = 32 << 20;

/// The largest that russh takes.
const PACKET: u32 = 65535;

/// With [`KEEPALIVE_MAX`]: a link whose other end is gone is noticed after 48 seconds of silence.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(12);

/// Keepalives without an answer until the connection is given up.
const KEEPALIVE_MAX: usize = 3;

/// Key exchange takes four round trips and some hundredths of a second of computing; a host that swaps under its
/// builds has been seen to take several seconds.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// The login may wait for the host's name lookup of our address (UseDNS) and for a token or a person at the agent.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// sshd drops connections at random when more than MaxStartups are not logged in yet; a new try helps.
const HANDSHAKE_TRIES: u32 = 5;

/// The least pause before the second try, twice that before the third, and so on; chance adds up to as much, so that
/// those who were dropped together part.
const HANDSHAKE_PAUSE: Duration = Duration::from_millis(200);

/// An open connection; dropping it (and the channels on it) closes it.
pub(crate) struct Link {
    pub(crate) handle: Handle<Guard>,
    /// The address that answered.
    pub(crate) address: String,
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Connects to the first address that answers, beginning with `best`, checks the host key and logs in.
pub(crate) async fn open(
    destination: &Destination,
    dialer: &dyn Dialer,
    lane: Lane,
    best: Option<&str>,
) -> Result<Link, HostError> {
    let trust = Trust::load(destination)?;
    let mut handle = reach(destination, dialer, lane, best, |address| {
        let config = config(trust.preferred(address));
        (config, Guard { trust: trust.clone(), address: address.to_owned() })
    })
    .await?;
    match timeout(LOGIN_TIMEOUT, login::login(&mut handle.handle, destination)).await {
        Ok(result) => result.map(|()| handle),
        Err(_) => Err(HostError::new(
            &destination.name,
            HostErrorKind::Unreachable,
            format!("{} took our key exchange, but not our login within {LOGIN_TIMEOUT:?}", handle.address),
        )),
    }
}

/// Tries the addresses until one gives a checked, not yet authenticated connection. A refused host key ends it; an
/// address that answers with something else than SSH counts as one that does not answer.
async fn reach(
    destination: &Destination,
    dialer: &dyn Dialer,
    lane: Lane,
    best: Option<&str>,
    guard: impl Fn(&str) -> (client::Config, Guard),
) -> Result<Link, HostError> {
    let mut addresses: Vec<&str> = destination.addresses.iter().map(String::as_str).collect();
    addresses.sort_by_key(|address| Some(*address) != best);
    let mut faults = Vec::new();
    while !addresses.is_empty() {
        let Answer { address, stream } = match dial(destination, dialer, lane, &addresses).await {
            Ok(found) => found,
            Err(mut errors) => {
                faults.append(&mut errors);
                break;
            }
        };
        match handshake(destination, dialer, lane, address, stream, &guard).await {
            Ok(link) => return Ok(link),
            Err(GuardError::Refused(refusal)) => return Err(*refusal),
            Err(GuardError::Ssh(error)) => faults.push(format!("{address}: {}", printable(&error.to_string()))),
        }
        addresses.retain(|other| *other != address);
    }
    Err(HostError::new(
        &destination.name,
        HostErrorKind::Unreachable,
        format!(
            "no SSH at port {}:\n  {}\n  see that the host is up and its address in the inventory is right",
            destination.port,
            faults.join("\n  ")
        ),
    ))
}

/// A stream to one of the addresses.
struct Answer<'a> {
    address: &'a str,
    stream: Box<dyn Stream>,
}

async fn dial<'a>(
    destination: &Destination,
    dialer: &dyn Dialer,
    lane: Lane,
    addresses: &[&'a str],
) -> Result<Answer<'a>, Vec<String>> {
    let attempt = |address: &'a str| -> BoxFuture<'_, Result<Answer<'a>, String>> {
        Box::pin(async move {
            match dialer.dial(address, destination.port, lane).await {
                Ok(stream) => Ok(Answer { address, stream }),
                Err(error) => Err(format!("{address}: {error}")),
            }
        })
    };
    first_success(addresses.iter().map(|address| attempt(address)).collect()).await
}

async fn handshake(
    destination: &Destination,
    dialer: &dyn Dialer,
    lane: Lane,
    address: &str,
    mut stream: Box<dyn Stream>,
    guard: &impl Fn(&str) -> (client::Config, Guard),
) -> Result<Link, GuardError> {
    let mut tries = 0;
    loop {
        let (config, handler) = guard(address);
        let exchange = client::connect_stream(Arc::new(config), stream, handler);
        let error = match timeout(HANDSHAKE_TIMEOUT, exchange).await {
            Ok(Ok(handle)) => return Ok(Link { handle, address: address.to_owned() }),
            Ok(Err(error)) => error,
            Err(elapsed) => GuardError::Ssh(elapsed.into()),
        };
        tries += 1;
        let dropped =
            matches!(&error, GuardError::Ssh(russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_)));
        if tries == HANDSHAKE_TRIES || !dropped {
            return Err(error);
        }
        tracing::debug!(host = %destination.name, address, ?error, "dropped during the key exchange; trying again");
        sleep(chance::pause(HANDSHAKE_PAUSE * tries)).await;
        stream = match dialer.dial(address, destination.port, lane).await {
            Ok(stream) => stream,
            Err(_) => return Err(error),
        };
    }
}

fn config(preferred: Preferred) -> client::Config {
    client::Config {
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE_INTERVAL),
        keepalive_max: KEEPALIVE_MAX,
        inactivity_timeout: None,
        preferred: Preferred {
            // aes128-gcm is in no default list of russh, and three times as fast as chacha20 where the processor
            // has AES instructions.
            cipher: vec![
                cipher::AES_128_GCM,
                cipher::AES_256_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_CTR,
                cipher::AES_128_CTR,
            ]
            .into(),
            ..preferred
        },
        ..client::Config::default()
    }
}

/// The host keys of the machine that answers first, one of each type that it has.
pub(crate) async fn host_keys(
    destination: &Destination,
    dialer: &dyn Dialer,
) -> Result<Vec<(String, PublicKey)>, HostError> {
    let addresses: Vec<&str> = destination.addresses.iter().map(String::as_str).collect();
    let Answer { address, stream: first } =
        dial(destination, dialer, Lane::Control, &addresses).await.map_err(|faults| {
            let text = format!("no address answers at port {}:\n  {}", destination.port, faults.join("\n  "));
            HostError::new(&destination.name, HostErrorKind::Unreachable, text)
        })?;
    let mut first = Some(first);
    let mut keys = Vec::new();
    let mut fault = None;
    for algorithm in OFFERED_TYPES {
        let stream = match first.take() {
            Some(stream) => stream,
            None => match dialer.dial(address, destination.port, Lane::Control).await {
                Ok(stream) => stream,
                Err(error) => {
                    fault = Some(error.to_string());
                    continue;
                }
            },
        };
        match take_key(stream, algorithm).await {
            Ok(key) => keys.push((address.to_owned(), key)),
            Err(russh::Error::NoCommonAlgo { .. }) => {}
            Err(error) => fault = Some(printable(&error.to_string())),
        }
    }
    match (keys.is_empty(), fault) {
        (true, fault) => Err(HostError::new(
            &destination.name,
            HostErrorKind::Unreachable,
            format!("{address} shows no host key: {}", fault.unwrap_or_else(|| "none of a usable type".to_owned())),
        )),
        (false, _) => Ok(keys),
    }
}

/// The types of host key that sshd makes by default.
const OFFERED_TYPES: [Algorithm; 3] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 },
    Algorithm::Rsa { hash: Some(russh::keys::HashAlg::Sha512) },
];

async fn take_key(stream: Box<dyn Stream>, algorithm: Algorithm) -> Result<PublicKey, russh::Error> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let config = config(Preferred { key: vec![algorithm].into(), ..Preferred::DEFAULT });
    let exchange = client::connect_stream(Arc::new(config), stream, Taker(sender));
    let outcome = match timeout(HANDSHAKE_TIMEOUT, exchange).await {
        Ok(Ok(_)) => russh::Error::Inconsistent,
        Ok(Err(error)) => error,
        Err(elapsed) => elapsed.into(),
    };
    receiver.try_recv().map_err(|_| outcome)
}

/// Notes the key that is shown, and goes no further.
struct Taker(tokio::sync::mpsc::Sender<PublicKey>);

impl client::Handler for Taker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let _ = self.0.try_send(offered.public_key());
        Ok(false)
    }
}
