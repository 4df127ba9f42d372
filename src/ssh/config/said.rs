//! The answer of `ssh -G`: a keyword in small letters and its value on each line, as `ssh(1)` has it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::ssh::destination::{Destination, Keys, SshConfig, Way, Written};
use crate::ssh::target::Target;

/// What holds for a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub hostname: String,
    pub port: u16,
    pub user: String,
    /// As they are written, with `~` and tokens.
    pub identity_files: Vec<String>,
    pub identities_only: bool,
    pub known_hosts: Vec<String>,
    pub host_key_alias: Option<String>,
    proxy_jump: Option<String>,
    proxy_command: Option<String>,
}

impl FromStr for Said {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut said = Self::default();
        for (keyword, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            let some = || (value != "none").then(|| value.to_owned());
            match keyword {
                "hostname" => value.clone_into(&mut said.hostname),
                "port" => said.port = value.parse().map_err(|_| format!("`ssh -G` says port {value:?}"))?,
                "user" => value.clone_into(&mut said.user),
                "identityfile" => said.identity_files.push(value.to_owned()),
                "identitiesonly" => said.identities_only = value == "yes",
                "userknownhostsfile" => said.known_hosts = value.split(' ').map(str::to_owned).collect(),
                "hostkeyalias" => said.host_key_alias = some(),
                "proxyjump" => said.proxy_jump = some(),
                "proxycommand" => said.proxy_command = some(),
                _ => {}
            }
        }
        let is_whole = !said.hostname.is_empty() && said.port > 0 && !said.user.is_empty();
        is_whole.then_some(said).ok_or_else(|| "`ssh -G` does not say host name, port and user".to_owned())
    }
}

impl Said {
    /// The home that OpenSSH takes `~` for, which is the password file's.
    pub fn home(&self) -> Option<&Path> {
        self.known_hosts.first().and_then(|file| file.strip_suffix("/.ssh/known_hosts")).map(Path::new)
    }

    /// The hosts to go through, the nearest to the destination outermost; none where it is reached straight. The first
    /// of them is looked up in the configuration as any host is, the others lie behind those before them.
    pub fn jump(
        &self,
        destination: &Destination,
        config: &SshConfig,
        usual: &Said,
        left: usize,
    ) -> Result<Option<Destination>, String> {
        if self.proxy_jump.is_none()
            && let Some(command) = &self.proxy_command
        {
            return Err(format!(
                "its ssh configuration wants the ProxyCommand {command:?}, which swarm does not run: ProxyJump does the \
                 same through another host, as does `jump` of a network in the inventory"
            ));
        }
        let mut through = None;
        for hop in self.proxy_jump.iter().flat_map(|hops| hops.split(',')) {
            if left == 0 {
                return Err("its ssh configuration jumps in a circle, or too often".to_owned());
            }
            through = Some(self::hop(hop, through, destination, config, usual)?);
        }
        Ok(through)
    }
}

/// One host of a ProxyJump: `[USER@]HOST[:PORT]`, or the same as a URI.
fn hop(
    text: &str,
    through: Option<Destination>,
    destination: &Destination,
    config: &SshConfig,
    usual: &Said,
) -> Result<Destination, String> {
    let bad = |problem: String| format!("its ssh configuration has a ProxyJump that cannot be used: {problem}");
    let plain = text.trim().trim_start_matches("ssh://").trim_end_matches('/');
    let Target { user, host, port } = plain.parse().map_err(bad)?;
    // A name does not begin with a dash, as that of ::1 would.
    let name = host.replace(':', "-").trim_start_matches('-').parse().map_err(|problem| bad(format!("{problem}")))?;
    let written = Written { user: user.is_some(), port: port.is_some(), identity: false, known_hosts: false };
    Ok(Destination {
        name,
        ways: vec![Way { address: host, jump: through.map(Box::new) }],
        port: port.unwrap_or(22),
        user: user.unwrap_or_else(|| usual.user.clone()),
        become_root: None,
        keys: Keys::Usual,
        known_hosts: destination.known_hosts.clone(),
        host_key_alias: None,
        ssh_config: Some(SshConfig { file: config.file.clone(), written }),
        stall_timeout: destination.stall_timeout,
    })
}

/// A path with `~` and the tokens of `ssh_config(5)` filled in.
pub(super) fn expanded(text: &str, said: &Said, original: &str, usual: &Said) -> PathBuf {
    let home = usual.home().unwrap_or(Path::new("/")).display().to_string();
    let text = text.strip_prefix("~/").map_or_else(|| text.to_owned(), |rest| format!("{home}/{rest}"));
    let mut path = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            path.push(character);
            continue;
        }
        match characters.next() {
            Some('%') => path.push('%'),
            Some('d') => path.push_str(&home),
            Some('h') => path.push_str(&said.hostname),
            Some('n') => path.push_str(original),
            Some('p') => path.push_str(&said.port.to_string()),
            Some('r') => path.push_str(&said.user),
            Some('u') => path.push_str(&usual.user),
            other => path.extend(std::iter::once('%').chain(other)),
        }
    }
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "host izar\nuser build\nhostname 10.42.0.7\nport 2222\nidentitiesonly yes\n\
        identityfile ~/.ssh/%r-%h\nidentityfile /keys/a b\nuserknownhostsfile /home/op/.ssh/a /home/op/.ssh/b\n\
        hostkeyalias izar\nproxyjump op@gate:2200,[::1]\n";

    fn usual() -> Said {
        "user op\nhostname host\nport 22\nuserknownhostsfile /home/op/.ssh/known_hosts /home/op/.ssh/known_hosts2\n"
            .parse()
            .unwrap()
    }

    #[test]
    fn the_answer_of_ssh_is_read_and_its_tokens_filled_in() {
        let said: Said = PRINTED.parse().unwrap();
        assert_eq!((said.hostname.as_str(), said.port, said.user.as_str()), ("10.42.0.7", 2222, "build"));
        assert!(said.identities_only);
        assert_eq!(said.host_key_alias.as_deref(), Some("izar"));
        let files = said.identity_files.iter().map(|file| expanded(file, &said, "izar", &usual()));
        assert_eq!(files.collect::<Vec<_>>(), ["/home/op/.ssh/build-10.42.0.7", "/keys/a b"].map(PathBuf::from));
        assert_eq!(expanded("%d/%n%%%p%x", &said, "alias", &usual()), PathBuf::from("/home/op/alias%2222%x"));
        assert!("host izar\n".parse::<Said>().unwrap_err().contains("does not say"));
    }

    #[test]
    fn the_last_host_of_a_proxy_jump_is_the_nearest_one() {
        let local = Destination::of_tests();
        let config = SshConfig::default();
        let said: Said = PRINTED.parse().unwrap();
        let near = said.jump(&local, &config, &usual(), 8).unwrap().unwrap();
        assert_eq!((near.ways[0].address.as_str(), near.port), ("::1", 22));
        let far = near.ways[0].jump.as_ref().unwrap();
        assert_eq!((far.ways[0].address.as_str(), far.port, far.user.as_str()), ("gate", 2200, "op"));
        assert!(far.ways[0].jump.is_none() && far.ssh_config.as_ref().unwrap().written.port);
        let command: Said = "user a\nhostname b\nport 22\nproxycommand nc %h %p\n".parse().unwrap();
        assert!(
            command.jump(&local, &config, &usual(), 8).unwrap_err().contains("\"nc %h %p\", which swarm does not run")
        );
        assert!(said.jump(&local, &config, &usual(), 0).unwrap_err().contains("circle"));
    }
}
