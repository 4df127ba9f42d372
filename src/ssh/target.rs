//! A host as ssh is told it on its command line and in a ProxyJump.

use std::str::FromStr;

/// `[USER@]HOST[:PORT]`, an IPv6 address with a port in brackets; what is left out is left to whoever reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Who logs in.
    pub user: Option<String>,
    /// An address, a name, or an alias of ssh's configuration; unchecked.
    pub host: String,
    /// Where sshd listens.
    pub port: Option<u16>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, place) = text.rsplit_once('@').map_or((None, text), |(user, place)| (Some(user), place));
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None if place.matches(':').count() == 1 => {
                place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)))
            }
            None => (place, None),
        };
        let bad = |port: &str| format!("{text:?} is not [USER@]HOST[:PORT]: {port:?} is no port");
        let port = port.map(|port| port.parse().map_err(|_| bad(port))).transpose()?;
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_as_ssh_reads_it() {
        for (text, user, host, port) in [
            ("izar", None, "izar", None),
            ("root@izar:2222", Some("root"), "izar", Some(2222)),
            ("one@two@izar", Some("one@two"), "izar", None),
            ("fe80::1", None, "fe80::1", None),
            ("root@[fe80::1]:22", Some("root"), "fe80::1", Some(22)),
            ("[fe80::1]", None, "fe80::1", None),
        ] {
            let read: Target = text.parse().unwrap();
            assert_eq!((read.user.as_deref(), read.host.as_str(), read.port), (user, host, port), "{text}");
        }
        assert!("izar:ssh".parse::<Target>().unwrap_err().contains("\"ssh\" is no port"));
    }
}
