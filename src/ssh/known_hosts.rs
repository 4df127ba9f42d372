//! Which host keys are pinned: a reader of OpenSSH's known_hosts files.
//!
//! The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": one key a line, `[marker] hosts type key [comment]`.
//! Hosts are a comma-separated list of patterns with `*`, `?` and a leading `!`, or one name hashed as `|1|salt|hash`
//! (HMAC-SHA1); a port other than 22 is written `[host]:port`. Markers are `@cert-authority` and `@revoked`.
//!
//! A host with several keys is known by any of them. A host that has pins, none of which is the offered key, has
//! changed, also where the types differ: connections ask for the pinned types first, so another type means that the
//! host no longer has the pinned key. A missing file pins nothing; a file that cannot be read is an error, since
//! taking it for empty would forget what was revoked.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyBase64, parse_public_key_base64};

mod pattern;

use pattern::Hosts;

/// The port that a known_hosts line without one means.
pub const DEFAULT_PORT: u16 = 22;

/// A known_hosts file that cannot be used, or a key that cannot be recorded there.
#[derive(Debug, thiserror::Error)]
pub enum KnownHostsError {
    /// It is there, but cannot be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// A line with `@revoked` or `@cert-authority` that cannot be understood: passing it over could trust a bad key.
    #[error("{}:{line}: a {marker} line that cannot be read: correct or remove it", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// Its marker.
        marker: &'static str,
    },
    /// A key that has no text form.
    #[error("this {0} key cannot be written down")]
    Key(Algorithm),
}

/// What known_hosts says of an offered key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is pinned, or a certificate vouches for it.
    Known,
    /// Nothing is pinned for this host.
    Unknown {
        /// The offered key's fingerprint.
        fingerprint: String,
    },
    /// Other keys are pinned for this host.
    Changed {
        /// The pinned keys.
        expected: Vec<Pin>,
        /// The offered key's fingerprint.
        got: String,
    },
    /// The key, or the authority behind its certificate, is marked as revoked.
    Revoked {
        /// The revoked key's fingerprint.
        fingerprint: String,
        /// The line that says so.
        line: usize,
    },
}

/// A pinned key, as shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Its fingerprint, `SHA256:…`.
    pub fingerprint: String,
    /// Its type.
    pub algorithm: Algorithm,
    /// Its line in the file, from 1.
    pub line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    Pinned,
    Authority,
    Revoked,
}

#[derive(Debug, Clone)]
struct Entry {
    line: usize,
    marker: Marker,
    hosts: Hosts,
    key: PublicKey,
}

/// The content of a known_hosts file.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// A key's fingerprint as OpenSSH shows it, `SHA256:…`.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// How known_hosts names a host: `host`, or `[host]:port` where the port is not 22.
pub fn host_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == DEFAULT_PORT { host } else { format!("[{host}]:{port}") }
}

impl KnownHosts {
    /// Reads a file; a missing one pins nothing.
    pub fn read(path: &Path) -> Result<Self, KnownHostsError> {
        match fs_err::read(path) {
            Ok(content) => Self::parse(path, &content),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self { path: path.to_owned(), entries: vec![] }),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a file's content. Lines that are no entries are passed over as OpenSSH does, but not marked ones.
    pub fn parse(path: &Path, content: &[u8]) -> Result<Self, KnownHostsError> {
        let mut entries = Vec::new();
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let line_number = index + 1;
            let line = String::from_utf8_lossy(line);
            let (marker, entry) = entry(&line, line_number);
            match (marker, entry) {
                (_, Some(entry)) => entries.push(entry),
                (Some(marker), None) => {
                    return Err(KnownHostsError::Line { path: path.to_owned(), line: line_number, marker });
                }
                (None, None) => {}
            }
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Judges a plain host key.
    pub fn check(&self, host: &str, port: u16, key: &PublicKey) -> Verdict {
        if let Some(revoked) = self.revoked(host, port, key) {
            return revoked;
        }
        let pins = self.pinned(&host_name(host, port));
        if pins.iter().any(|entry| same(&entry.key, key)) {
            return Verdict::Known;
        }
        if !pins.is_empty() {
            return Verdict::Changed { expected: pins.into_iter().map(pin).collect(), got: fingerprint(key) };
        }
        // As ssh does: the same key under the host's name without the port is as good, but its lack proves nothing.
        if self.pinned(&host.to_lowercase()).iter().any(|entry| same(&entry.key, key)) {
            return Verdict::Known;
        }
        Verdict::Unknown { fingerprint: fingerprint(key) }
    }

    /// Judges a host certificate at a time (seconds since 1970): `Ok` where a listed authority signed it for this host
    /// and it is valid then, `Err` with the reason where it is not.
    pub fn check_certificate(&self, host: &str, port: u16, certificate: &Certificate, now: u64) -> Result<(), String> {
        if certificate.cert_type() != CertType::Host {
            return Err("it is a user's certificate, not a host's".to_owned());
        }
        let authority = PublicKey::new(certificate.signature_key().clone(), "");
        if !self.authorities(host, port).any(|entry| same(&entry.key, &authority)) {
            return Err(format!("its authority {} is not listed for this host", fingerprint(&authority)));
        }
        if !certificate.critical_options().is_empty() {
            return Err("it has critical options, which host certificates do not have".to_owned());
        }
        // A certificate for no name at all would be one for every name; newer OpenSSH refuses that too.
        let wanted = host.to_lowercase();
        if !certificate.valid_principals().iter().any(|name| pattern::matches(&name.to_lowercase(), &wanted)) {
            return Err(format!("it is for {:?}, not for {wanted:?}", certificate.valid_principals()));
        }
        if now < certificate.valid_after() || now >= certificate.valid_before() {
            return Err("it is not valid at this time".to_owned());
        }
        certificate
            .validate_at(now, [&authority.fingerprint(HashAlg::Sha256)])
            .map_err(|error| format!("its signature does not hold: {error}"))
    }

    /// Whether a key is revoked for this host, by its name with or without the port.
    pub fn revoked(&self, host: &str, port: u16, key: &PublicKey) -> Option<Verdict> {
        let names = [host_name(host, port), host.to_lowercase()];
        self.entries
            .iter()
            .filter(|entry| entry.marker == Marker::Revoked && same(&entry.key, key))
            .find(|entry| names.iter().any(|name| entry.hosts.contains(name)))
            .map(|entry| Verdict::Revoked { fingerprint: fingerprint(key), line: entry.line })
    }

    /// Whether certificates of some authority are accepted for this host.
    pub fn has_authority(&self, host: &str, port: u16) -> bool {
        self.authorities(host, port).next().is_some()
    }

    /// The types of the keys pinned for this host.
    pub fn algorithms(&self, host: &str, port: u16) -> Vec<Algorithm> {
        self.pinned(&host_name(host, port)).into_iter().map(|entry| entry.key.algorithm()).collect()
    }

    fn authorities(&self, host: &str, port: u16) -> impl Iterator<Item = &Entry> {
        let names = [host_name(host, port), host.to_lowercase()];
        self.entries
            .iter()
            .filter(|entry| entry.marker == Marker::Authority)
            .filter(move |entry| names.iter().any(|name| entry.hosts.contains(name)))
    }

    fn pinned(&self, name: &str) -> Vec<&Entry> {
        let pinned = |entry: &&Entry| entry.marker == Marker::Pinned && entry.hosts.contains(name);
        self.entries.iter().filter(pinned).collect()
    }
}

/// Adds a key for a host at the end of a file, which is made (mode 0600) where it is missing. False where the key is
/// there already.
pub fn record(path: &Path, host: &str, port: u16, key: &PublicKey) -> Result<bool, KnownHostsError> {
    let known = KnownHosts::read(path)?;
    let name = host_name(host, port);
    if known.pinned(&name).iter().any(|entry| same(&entry.key, key)) {
        return Ok(false);
    }
    let algorithm = key.algorithm();
    let encoded = key.public_key_base64();
    if encoded.is_empty() {
        return Err(KnownHostsError::Key(algorithm));
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs_err::create_dir_all(parent)?;
    }
    let unfinished = fs_err::read(path).is_ok_and(|content| content.last().is_some_and(|byte| *byte != b'\n'));
    let separator = if unfinished { "\n" } else { "" };
    let mut file = fs_err::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{separator}{name} {algorithm} {encoded}\n").as_bytes())?;
    file.sync_all()?;
    Ok(true)
}

fn same(one: &PublicKey, other: &PublicKey) -> bool {
    one.key_data() == other.key_data()
}

fn pin(entry: &Entry) -> Pin {
    Pin { fingerprint: fingerprint(&entry.key), algorithm: entry.key.algorithm(), line: entry.line }
}

/// A line's marker, where it has a known one, and its entry, where it is one.
fn entry(text: &str, line: usize) -> (Option<&'static str>, Option<Entry>) {
    let mut fields = text.split([' ', '\t', '\r']).filter(|field| !field.is_empty()).peekable();
    let (marker, name) = match fields.peek() {
        Some(&"@revoked") => (Marker::Revoked, Some("@revoked")),
        Some(&"@cert-authority") => (Marker::Authority, Some("@cert-authority")),
        Some(first) if first.starts_with(['#', '@']) => return (None, None),
        _ => (Marker::Pinned, None),
    };
    if name.is_some() {
        fields.next();
    }
    let parsed = (|| {
        let hosts = Hosts::parse(fields.next()?)?;
        let kind = fields.next()?;
        let key = parse_public_key_base64(fields.next()?).ok()?;
        (key.algorithm().as_str() == kind).then_some(Entry { line, marker, hosts, key })
    })();
    (name, parsed)
}

#[cfg(test)]
mod tests;
