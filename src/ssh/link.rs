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

/// The next address is tried when one has not exchanged keys after this long. That takes four round trips, so it is
/// enough for any but the longest ways; where it is not, the first to come to its end still wins.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_secs(1);

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

/// A checked, not yet authenticated connection to the address that is the first to give one; an address that accepts
/// a connection and then says nothing, or something else than SSH, holds nobody up. A host key that is refused ends it
/// but for addresses whose turn came before: all of them should be one machine.
async fn reach(
    destination: &Destination,
    dialer: &dyn Dialer,
    lane: Lane,
    best: Option<&str>,
    guard: impl Fn(&str) -> (client::Config, Guard) + Sync,
) -> Result<Link, HostError> {
    let mut addresses: Vec<&str> = destination.addresses().collect();
    addresses.sort_by_key(|address| Some(*address) != best);
    let guard = &guard;
    let attempts = addresses.into_iter().map(|address| -> BoxFuture<'_, Result<Link, Fault>> {
        Box::pin(handshake(destination, dialer, lane, address, guard))
    });
    let refused = |fault: &Fault| matches!(fault, Fault::Refused(_));
    let faults = match first_success(attempts.collect(), NEXT_ADDRESS_AFTER, refused).await {
        Ok(link) => return Ok(link),
        Err(faults) => faults,
    };
    let mut texts = Vec::new();
    for fault in faults {
        match fault {
            Fault::Refused(refusal) => return Err(*refusal),
            Fault::Other(text) => texts.push(text),
        }
    }
    Err(HostError::new(
        &destination.name,
        HostErrorKind::Unreachable,
        format!(
            "no SSH at port {}:\n  {}\n  see that the host is up and its address in the inventory is right",
            destination.port,
            texts.join("\n  ")
        ),
    ))
}

/// Why an address gives no connection.
enum Fault {
    /// Its host key.
    Refused(Box<HostError>),
    /// Anything else, in words.
    Other(String),
}

/// Connects to one address and exchanges keys there.
async fn handshake(
    destination: &Destination,
    dialer: &dyn Dialer,
    lane: Lane,
    address: &str,
    guard: &(impl Fn(&str) -> (client::Config, Guard) + Sync),
) -> Result<Link, Fault> {
    let mut tries = 0;
    loop {
        let dialled = dialer.dial(address, destination.port, lane).await;
        let stream = dialled.map_err(|error| Fault::Other(format!("{address}: {error}")))?;
        let (config, handler) = guard(address);
        let exchange = client::connect_stream(Arc::new(config), stream, handler);
        let error = match timeout(HANDSHAKE_TIMEOUT, exchange).await {
            Ok(Ok(handle)) => return Ok(Link { handle, address: address.to_owned() }),
            Ok(Err(GuardError::Refused(refusal))) => return Err(Fault::Refused(refusal)),
            Ok(Err(GuardError::Ssh(error))) => error,
            Err(elapsed) => elapsed.into(),
        };
        tries += 1;
        let dropped = matches!(error, russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_));
        if tries == HANDSHAKE_TRIES || !dropped {
            return Err(Fault::Other(format!("{address}: {}", printable(&error.to_string()))));
        }
        tracing::debug!(host = %destination.name, address, ?error, "dropped during the key exchange; trying again");
        sleep(chance::pause(HANDSHAKE_PAUSE * tries)).await;
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

/// The host keys of the address that shows one first, one of each type that it has.
pub(crate) async fn host_keys(
    destination: &Destination,
    dialer: &dyn Dialer,
) -> Result<Vec<(String, PublicKey)>, HostError> {
    let attempts = destination.addresses().map(|address| -> BoxFuture<'_, Result<Vec<(String, PublicKey)>, String>> {
        Box::pin(async move {
            let keys =
                keys_at(address, destination.port, dialer).await.map_err(|fault| format!("{address}: {fault}"))?;
            Ok(keys.into_iter().map(|key| (address.to_owned(), key)).collect())
        })
    });
    first_success(attempts.collect(), NEXT_ADDRESS_AFTER, |_| false).await.map_err(|faults| {
        let text = format!("no host key at port {}:\n  {}", destination.port, faults.join("\n  "));
        HostError::new(&destination.name, HostErrorKind::Unreachable, text)
    })
}

/// The host keys of one address; why there is none.
async fn keys_at(address: &str, port: u16, dialer: &dyn Dialer) -> Result<Vec<PublicKey>, String> {
    let mut keys = Vec::new();
    let mut fault = None;
    for algorithm in OFFERED_TYPES {
        let taken = match dialer.dial(address, port, Lane::Control).await {
            Ok(stream) => take_key(stream, algorithm).await,
            // Where the first connection fails, two more would not do better.
            Err(error) if keys.is_empty() => return Err(error.to_string()),
            Err(_) => break,
        };
        match taken {
            Ok(key) => keys.push(key),
            Err(russh::Error::NoCommonAlgo { .. }) => {}
            Err(error) => fault = Some(printable(&error.to_string())),
        }
    }
    if keys.is_empty() {
        Err(fault.unwrap_or_else(|| "it has no host key of a usable type".to_owned()))
    } else {
        Ok(keys)
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
