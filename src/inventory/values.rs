//! The values that an inventory's texts stand for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;

/// A text that is not what its key wants; completes the sentence "KEY: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub String);

fn bad<T>(problem: impl Into<String>) -> Result<T, ValueError> {
    Err(ValueError(problem.into()))
}

/// Where a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// This machine itself: no SSH is needed.
    Local,
    /// A number.
    Ip(IpAddr),
    /// A name that the resolver knows, or a `Host` of the ssh configuration's kind.
    Name(String),
}

impl Address {
    /// The number, where it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Local | Self::Name(_) => None,
        }
    }
}

/// The word for this machine itself, as an address and as the driver.
pub const LOCAL: &str = "local";

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => formatter.pad(LOCAL),
            Self::Ip(ip) => ip.fmt(formatter),
            Self::Name(name) => formatter.pad(name),
        }
    }
}

impl FromStr for Address {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == LOCAL {
            return Ok(Self::Local);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return if ip.is_unspecified() || ip.is_multicast() {
                bad(format!("{text:?} is not the address of one host"))
            } else {
                Ok(Self::Ip(ip))
            };
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.contains('.') {
            let parts = text.split('.').count();
            return bad(format!(
                "{text:?} is not an address: IPv4 has 4 numbers from 0 to 255 (no leading zeros), this has {parts}"
            ));
        }
        if text.contains('@') {
            return bad(format!("{text:?} is not an address: the user has a key of its own, `user`"));
        }
        if text.contains('/') {
            return bad(format!("{text:?} is not an address: it is one host's, without a prefix length"));
        }
        if text.contains(':') {
            return bad(format!("{text:?} is not an address: a port has a key of its own, `port`"));
        }
        if is_domain_name(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        bad(format!("{text:?} is not an address: neither IPv4, nor IPv6, nor a host name, nor \"{LOCAL}\""))
    }
}

/// Labels of letters, digits, `-` and `_`; the last is not a number, which tells names from addresses (RFC 1123).
fn is_domain_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// A host's addresses in the order in which they are tried; never empty, and [`Address::Local`] stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    first: Address,
    others: Vec<Address>,
}

impl Addresses {
    /// The list, where it is one.
    ///
    /// # Errors
    /// It is empty, names one address twice, or has `local` among others.
    pub fn new(list: Vec<Address>) -> Result<Self, ValueError> {
        let mut list = list.into_iter();
        let Some(first) = list.next() else {
            return bad("the list of addresses is empty");
        };
        let others: Vec<Address> = list.collect();
        let all = Self { first, others };
        if all.is_several() && all.iter().any(|address| *address == Address::Local) {
            return bad(format!("\"{LOCAL}\" is this machine itself and has no other address"));
        }
        let repeated =
            all.iter().enumerate().find(|(index, one)| all.iter().skip(index + 1).any(|other| *one == other));
        match repeated {
            Some((_, address)) => bad(format!("{address} is named twice")),
            None => Ok(all),
        }
    }

    /// This machine.
    pub fn local() -> Self {
        Self { first: Address::Local, others: Vec::new() }
    }

    /// The one to try first.
    pub fn first(&self) -> &Address {
        &self.first
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn is_several(&self) -> bool {
        !self.others.is_empty()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(formatter)?;
        self.others.iter().try_for_each(|other| write!(formatter, ", {other}"))
    }
}

/// A directory on a host: absolute, and of characters that need no quoting anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDirectory(String);

impl RemoteDirectory {
    /// The path, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteDirectory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for RemoteDirectory {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let path = text.trim_end_matches('/');
        let component = |part: &str| {
            !part.is_empty()
                && !matches!(part, "." | "..")
                && !part.starts_with('-')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+@".contains(&byte))
        };
        match path.strip_prefix('/') {
            Some(rest) if rest.split('/').all(component) && path.len() <= 200 => Ok(Self(path.to_owned())),
            _ => bad(format!(
                "{text:?} is not a directory for jobs: an absolute path of letters, digits and -_.+@, below /"
            )),
        }
    }
}

/// An `http` or `https` address, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for HttpUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
            return bad(format!("{text:?} is not a URL: it begins with http:// or https://"));
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        authority_of(authority).map_err(|problem| ValueError(format!("{text:?} is not a URL: {problem}")))?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&byte);
        match path.bytes().find(|byte| !allowed(*byte)) {
            None => Ok(Self(text.trim_end_matches('/').to_owned())),
            Some(byte) => {
                bad(format!("{text:?} is not a URL of a directory: {:?} has no place there", char::from(byte)))
            }
        }
    }
}

/// Checks the host, and perhaps the port, of a URL; an error is what is wrong, in words.
pub(super) fn authority_of(authority: &str) -> Result<(), String> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => {
            host.parse::<std::net::Ipv6Addr>().map_err(|_| format!("{host:?} is not an IPv6 address"))?;
            return port_of(rest);
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    port_of(port)?;
    if host.parse::<Ipv4Addr>().is_ok() || is_domain_name(host) {
        Ok(())
    } else {
        Err(format!("{host:?} is neither an address nor a host name"))
    }
}

/// Checks what follows the host: nothing, or a colon and a port.
fn port_of(text: &str) -> Result<(), String> {
    match text.strip_prefix(':').map(str::parse::<u16>) {
        Some(Ok(1..)) => Ok(()),
        None if text.is_empty() => Ok(()),
        _ => Err(format!("{:?} is not a port", text.trim_start_matches(':'))),
    }
}

/// A network with its prefix length; an address with bits behind the prefix is a slip of the pen.
pub(super) fn network(text: &str) -> Result<IpNet, ValueError> {
    let Ok(network) = text.parse::<IpNet>() else {
        let wanted = "such as 10.42.0.0/24";
        return match text.parse::<IpAddr>() {
            Ok(_) => bad(format!("{text:?} is not a network: the prefix length is missing, {wanted}")),
            Err(_) => bad(format!("{text:?} is not a network {wanted}")),
        };
    };
    if network == network.trunc() {
        Ok(network)
    } else {
        bad(format!("{text:?} is one address in a network; did you mean {:?}?", network.trunc().to_string()))
    }
}

/// A duration that is not zero, such as `90s` or `2h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, ValueError> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => bad(format!("{text:?} is no time at all")),
        Ok(duration) => Ok(duration),
        Err(_) => bad(format!("{text:?} is not a duration such as 30s, 10m or 1h 30m")),
    }
}

/// A size that is not zero, such as `11GiB`.
pub(super) fn size(text: &str) -> Result<ByteSize, ValueError> {
    match text.parse::<ByteSize>() {
        Ok(size) if size.as_u64() == 0 => bad(format!("{text:?} is no size at all")),
        Ok(size) if size.as_u64() < u64::MAX => Ok(size),
        _ => bad(format!("{text:?} is not a size such as 11GiB or 500MiB")),
    }
}

/// Bytes in a second, such as `10MiB` or `10MiB/s`.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, ValueError> {
    let bytes = size(text.strip_suffix("/s").unwrap_or(text).trim_end())?.as_u64();
    NonZeroU64::new(bytes).ok_or_else(|| ValueError(format!("{text:?} is no rate at all")))
}

/// A login name: one word that no shell and no option parser takes for something else.
pub(super) fn user(text: &str) -> Result<String, ValueError> {
    let good = (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    if good { Ok(text.to_owned()) } else { bad(format!("{text:?} is not the name of a user")) }
}

/// A line of text for people: not empty, no control characters.
pub(crate) fn line(text: &str) -> Result<String, ValueError> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return bad(format!("{text:?} is not one line of text"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_numbers_or_names_of_one_host() {
        for good in ["10.42.0.1", "fd00::2", "local", "capella", "capella.example.net", "host_1", "1.2.3.4.example"] {
            assert_eq!(good.parse::<Address>().map(|address| address.to_string()), Ok(good.to_owned()));
        }
        for (text, part) in [
            ("10.42.0.1.5", "this has 5"),
            ("10.42.0", "this has 3"),
            ("10.42.0.256", "from 0 to 255"),
            ("10.42.0.1:22", "`port`"),
            ("root@10.42.0.1", "`user`"),
            ("10.42.0.0/24", "without a prefix length"),
            ("0.0.0.0", "one host"),
            ("224.0.0.1", "one host"),
            ("", "is not an address"),
            ("a b", "is not an address"),
            ("-oProxyCommand=x", "is not an address"),
            ("a..b", "is not an address"),
        ] {
            let problem = text.parse::<Address>().unwrap_err().to_string();
            assert!(problem.contains(part), "{text:?}: {problem}");
        }
    }

    #[test]
    fn local_stands_alone_among_addresses() {
        let list = |texts: &[&str]| Addresses::new(texts.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!(list(&["10.0.0.1", "b"]).unwrap().to_string(), "10.0.0.1, b");
        assert!(list(&[]).is_err());
        assert!(list(&["local"]).is_ok());
        assert!(list(&["local", "10.0.0.1"]).is_err());
        assert!(list(&["10.0.0.1", "b", "10.0.0.1"]).is_err());
    }

    #[test]
    fn a_directory_on_a_host_needs_no_quoting() {
        assert_eq!("/var/lib/swarm/".parse::<RemoteDirectory>().unwrap().as_str(), "/var/lib/swarm");
        for text in ["", "/", "~/swarm", "var/lib", "/var/../etc", "/a b", "/a//b", "/a/$x", "/a/-rf", "/a'b"] {
            assert!(text.parse::<RemoteDirectory>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn urls_are_http_with_a_host() {
        for (text, kept) in [
            ("http://10.42.0.201/packages", "http://10.42.0.201/packages"),
            ("https://binhost.example.net:8443/", "https://binhost.example.net:8443"),
            ("http://[fd00::1]:8091/a", "http://[fd00::1]:8091/a"),
        ] {
            assert_eq!(text.parse::<HttpUrl>().unwrap().as_str(), kept);
        }
        for text in [
            "10.42.0.201/packages",
            "ftp://a/b",
            "http://",
            "http:///x",
            "http://a b/",
            "http://a:0/",
            "http://a:99999/",
            "http://a:/",
            "http://user@a/",
            "http://10.0.0.1.5/",
            "http://a/b?c",
            "http://a/\u{1b}[2J",
            "http://[::1/",
        ] {
            assert!(text.parse::<HttpUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn networks_durations_sizes_and_users_are_parsed_strictly() {
        assert!(network("10.42.0.0/24").is_ok() && network("fd00::/8").is_ok());
        for text in ["10.42.0.0", "10.42.0.0/33", "10.42.0.0.0/24", "x", ""] {
            assert!(network(text).is_err(), "{text:?}");
        }
        assert!(network("10.42.0.7/24").unwrap_err().to_string().contains("\"10.42.0.0/24\""));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("0s").is_err() && duration("30").is_err() && duration("").is_err());
        assert_eq!(size("11GiB").map(|size| size.as_u64()), Ok(11 << 30));
        assert!(size("0").is_err() && size("eleven").is_err() && size("").is_err());
        assert_eq!(rate("10MiB/s").map(NonZeroU64::get), Ok(10 << 20));
        assert!(user("root").is_ok() && user("-l").is_err() && user("a b").is_err() && user("").is_err());
    }
}
