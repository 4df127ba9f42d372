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
        let bad = |what: &str, is: &str| format!("{text:?} is not [USER@]HOST[:PORT]: {what:?} is no {is}");
        let (user, place) = text.rsplit_once('@').map_or((None, text), |(user, place)| (Some(user), place));
        if let Some(user @ "") = user {
            return Err(bad(user, "user"));
        }
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(|| bad(rest, "port"))?)),
            None if place.matches(':').count() == 1 => {
                place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)))
            }
            None => (place, None),
        };
        let read = |port: &str| port.parse().ok().filter(|port| *port > 0).ok_or_else(|| bad(port, "port"));
        let port = port.map(read).transpose()?;
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
        for (text, fault) in [
            ("izar:ssh", "\"ssh\" is no port"),
            ("izar:", "\"\" is no port"),
            ("izar:0", "\"0\" is no port"),
            ("[fe80::1]22", "\"22\" is no port"),
            ("@izar", "\"\" is no user"),
        ] {
            assert!(text.parse::<Target>().unwrap_err().ends_with(fault), "{text}");
        }
    }
}
