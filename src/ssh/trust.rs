//! Whether the machine that answered is the one that was meant: host keys against the pins of known_hosts.
//!
//! A destination's addresses are one machine. The address in use is looked up first, and its pins alone decide where
//! there are any; where there are none, a key pinned for another of the addresses, or for the inventory's name, will
//! do. So a host that was trusted over the local network is trusted over the VPN as well, and an answer from some
//! other machine never is. A host with a HostKeyAlias is looked up under that, and what its addresses have is nothing to it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use russh::Preferred;
use russh::client;
use russh::keys::{Algorithm, Certificate, PublicKey, PublicKeyOrCertificate};

use crate::ssh::destination::Destination;
use crate::ssh::host::{HostError, HostErrorKind};
use crate::ssh::known_hosts::{KnownHosts, KnownHostsError, Pin, Verdict, fingerprint, host_name};

/// The pins of one destination.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    destination: Destination,
    known: KnownHosts,
}

impl Trust {
    /// Reads the destination's known_hosts.
    pub(crate) fn load(destination: &Destination) -> Result<Self, HostError> {
        let known = KnownHosts::read(&destination.known_hosts).map_err(|error| unusable(destination, &error))?;
        Ok(Self { destination: destination.clone(), known })
    }

    /// Which algorithms to ask for: certificates only where an authority is listed, pinned types before others.
    pub(crate) fn preferred(&self, address: &str) -> Preferred {
        let pinned: Vec<Algorithm> =
            self.names(address).flat_map(|(name, port)| self.known.algorithms(name, port)).collect();
        let is_pinned = |algorithm: &&Algorithm| match algorithm {
            Algorithm::Rsa { .. } => pinned.iter().any(|pin| matches!(pin, Algorithm::Rsa { .. })),
            other => pinned.contains(other),
        };
        let usual = Preferred::DEFAULT.key;
        let (first, then): (Vec<_>, Vec<_>) = usual.iter().partition(is_pinned);
        let authority = self.names(address).any(|(name, port)| self.known.has_authority(name, port));
        Preferred {
            key: first.into_iter().chain(then).cloned().collect(),
            host_key_certificates: if authority { usual } else { Cow::Borrowed(&[]) },
            ..Preferred::DEFAULT
        }
    }

    /// Judges what the machine at this address offers.
    pub(crate) fn judge(&self, address: &str, offered: &PublicKeyOrCertificate) -> Result<(), HostError> {
        let key = offered.public_key();
        self.refuse_revoked(address, &key)?;
        let Some(certificate) = offered.certificate() else {
            return self.judge_key(address, &key, None);
        };
        self.refuse_revoked(address, &PublicKey::new(certificate.signature_key().clone(), ""))?;
        match self.judge_certificate(address, certificate) {
            Ok(()) => Ok(()),
            // As ssh does: a certificate that proves nothing still carries a key, which may be pinned.
            Err(reason) => self.judge_key(address, &key, Some(reason)),
        }
    }

    fn judge_certificate(&self, address: &str, certificate: &Certificate) -> Result<(), String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut reason = Err(String::new());
        for (name, port) in self.names(address) {
            match self.known.check_certificate(name, port, certificate, now) {
                Ok(()) => return Ok(()),
                // The address in use says best what is wrong.
                Err(other) if reason == Err(String::new()) => reason = Err(other),
                Err(_) => {}
            }
        }
        reason
    }

    fn judge_key(&self, address: &str, key: &PublicKey, certificate_fault: Option<String>) -> Result<(), HostError> {
        let first = self.names(address).next().unwrap_or((address, self.destination.port));
        let verdict = match self.known.check(first.0, first.1, key) {
            Verdict::Unknown { fingerprint } => self
                .names(address)
                .map(|(name, port)| self.known.check(name, port, key))
                .find(|verdict| matches!(verdict, Verdict::Known))
                .unwrap_or(Verdict::Unknown { fingerprint }),
            decided => decided,
        };
        match verdict {
            Verdict::Known => Ok(()),
            other => Err(self.refusal(address, key, &other, certificate_fault)),
        }
    }

    fn refuse_revoked(&self, address: &str, key: &PublicKey) -> Result<(), HostError> {
        let revoked = self.names(address).find_map(|(name, port)| self.known.revoked(name, port, key));
        match revoked {
            Some(verdict) => Err(self.refusal(address, key, &verdict, None)),
            None => Ok(()),
        }
    }

    /// The names under which this machine may be pinned, the one that decides first.
    fn names<'a>(&'a self, address: &'a str) -> impl Iterator<Item = (&'a str, u16)> {
        self.destination.pinned_as(address)
    }

    fn refusal(&self, address: &str, key: &PublicKey, verdict: &Verdict, fault: Option<String>) -> HostError {
        let port = self.destination.port;
        let (pinned, pinned_port) = self.names(address).next().unwrap_or((address, port));
        let file = self.known.path().display();
        let name = &self.destination.name;
        let offered = format!("offered: {} {}", key.algorithm(), fingerprint(key));
        let mut text = match verdict {
            Verdict::Known => String::new(),
            Verdict::Unknown { .. } => format!(
                "the host key at {address} port {port} is not known\n  {offered}\n  pinned: none in {file}\n  \
                 compare the fingerprint with the host's own (there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), \
                 then: swarm hosts trust {name}"
            ),
            Verdict::Changed { expected, .. } => format!(
                "the host key at {address} port {port} has changed: the host was installed anew, or another machine \
                 answers in its place\n  {offered}\n{}  find out which; only if the new key is right, remove the old \
                 one: ssh-keygen -R '{}' -f {file}, then: swarm hosts trust {name}",
                pins(expected, &file.to_string()),
                host_name(pinned, pinned_port),
            ),
            Verdict::Revoked { line, fingerprint } => format!(
                "the host key at {address} port {port} is revoked\n  {offered}\n  revoked: {fingerprint} ({file}:{line})\
                 \n  give the host a new key, or remove that line if it is wrong"
            ),
        };
        if let Some(fault) = fault {
            let _ = write!(text, "\n  its certificate was not accepted: {fault}");
        }
        HostError::new(name, HostErrorKind::Refused, text)
    }
}

fn pins(expected: &[Pin], file: &str) -> String {
    expected
        .iter()
        .map(|pin| format!("  pinned: {} {} ({file}:{})\n", pin.algorithm, pin.fingerprint, pin.line))
        .collect()
}

fn unusable(destination: &Destination, error: &KnownHostsError) -> HostError {
    HostError::new(
        &destination.name,
        HostErrorKind::Refused,
        format!("known_hosts cannot be used, so its host key cannot be checked: {error}"),
    )
}

/// What can go wrong inside russh while a host is being reached.
#[derive(Debug)]
pub(crate) enum GuardError {
    /// The protocol or the link.
    Ssh(russh::Error),
    /// The host key.
    Refused(Box<HostError>),
}

impl From<russh::Error> for GuardError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// Lets russh go on only with a host key that is trusted.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) trust: Trust,
    pub(crate) address: String,
}

impl client::Handler for Guard {
    type Error = GuardError;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, GuardError> {
        match self.trust.judge(&self.address, offered) {
            Ok(()) => Ok(true),
            Err(refusal) => Err(GuardError::Refused(Box::new(refusal))),
        }
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::PrivateKey;
    use russh::keys::key::safe_rng;

    use super::*;
    use crate::ssh::destination::Way;
    use crate::ssh::known_hosts::record;

    #[test]
    fn what_is_pinned_for_an_address_proves_nothing_of_a_host_with_an_alias() {
        let key = || PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap().public_key().clone();
        let (tunnel, own) = (key(), key());
        let directory = tempfile::tempdir().unwrap();
        let known_hosts = directory.path().join("known_hosts");
        record(&known_hosts, "127.0.0.1", 22, &tunnel).unwrap();
        let ways = vec![Way::direct("127.0.0.1")];
        let plain = Destination { ways, port: 2222, known_hosts: known_hosts.clone(), ..Destination::of_tests() };
        let aliased = Destination { host_key_alias: Some("izar".to_owned()), ..plain.clone() };
        let judge = |destination: &Destination, key: &PublicKey| {
            Trust::load(destination).unwrap().judge_key("127.0.0.1", key, None).map_err(|error| error.message)
        };
        assert_eq!(judge(&plain, &tunnel), Ok(()));
        assert!(judge(&aliased, &tunnel).unwrap_err().contains("is not known"));
        record(&known_hosts, "izar", 22, &own).unwrap();
        assert_eq!(judge(&aliased, &own), Ok(()));
        let changed = judge(&aliased, &tunnel).unwrap_err();
        assert!(changed.contains("has changed") && changed.contains("ssh-keygen -R 'izar' -f"), "{changed}");
    }
}
