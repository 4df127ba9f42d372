//! OpenSSH's configuration: what `ssh` itself makes of it beside what we make of it, against real sshds.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use swarm::ssh::{
    Destination, Host, HostErrorKind, Keys, RemoteHost, Script, SshConfig, Way, Written, host_keys, resolved,
};

use crate::sshd::Sshd;

/// A host to be reached, one to go through, one that lets nobody through, and a configuration that names them.
struct Fleet {
    inner: Sshd,
    gate: Sshd,
    closed: Sshd,
    config: PathBuf,
}

impl Fleet {
    fn new() -> Self {
        let (inner, gate) = (Sshd::start(), Sshd::start());
        let closed = Sshd::configured(|_| "AllowTcpForwarding no".to_owned());
        let keys = |sshd: &Sshd, known_hosts: &str| {
            let directory = sshd.directory.path().display();
            format!(
                "  HostName 127.0.0.1\n  Port {}\n  UserKnownHostsFile {directory}/{known_hosts}\n  \
                 IdentityFile {directory}/identity\n  IdentitiesOnly yes\n",
                sshd.port
            )
        };
        fs::write(gate.path("aliased"), format!("gate-of-ours {}\n", gate.host_key())).unwrap();
        let gates = format!(
            "Host gate\n  HostKeyAlias gate-of-ours\n{}Host closed\n{}",
            keys(&gate, "aliased"),
            keys(&closed, "known_hosts")
        );
        fs::write(inner.path("gates"), gates).unwrap();
        let config = inner.path("config");
        let text = format!(
            "Include {gates}\nHost behind\n  ProxyJump gate\nHost twice\n  ProxyJump gate,inner\nHost blocked\n  \
             ProxyJump closed\nHost command\n  ProxyCommand nc %h %p\nHost circle\n  ProxyJump circle\n\
             Match originalhost matched exec \"test %n = matched\"\n{inner}Host inner behind twice blocked command\n{inner}\
             Host nobody\n  Port 1\n  HostName 127.0.0.1\n",
            gates = inner.text_path("gates"),
            inner = keys(&inner, "known_hosts"),
        );
        fs::write(&config, text).unwrap();
        Self { inner, gate, closed, config }
    }

    /// A host of which the inventory says nothing but the address.
    fn named(&self, address: &str) -> Destination {
        Destination {
            ways: vec![Way::direct(address)],
            port: 22,
            keys: Keys::Usual,
            known_hosts: "/nonexistent/known_hosts".into(),
            ssh_config: Some(SshConfig { file: Some(self.config.clone()), written: Written::default() }),
            ..self.inner.destination()
        }
    }

    /// Where `ssh` arrives: the server's port; none where it does not.
    fn ssh(&self, address: &str) -> Option<String> {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.config).args(["-oBatchMode=yes", address, "echo \"$SSH_CONNECTION\""]);
        let output = ssh.env_remove("SSH_AUTH_SOCK").output().unwrap();
        output.status.success().then(|| port(&output.stdout))
    }
}

fn port(connection: &[u8]) -> String {
    String::from_utf8_lossy(connection).split_whitespace().last().unwrap_or_default().to_owned()
}

async fn ours(destination: &Destination) -> Option<String> {
    let output = RemoteHost::new(destination).run(&Script::new("echo \"$SSH_CONNECTION\"")).await.ok()?;
    Some(port(&output.stdout))
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_includes_matches_and_jumps_lead_where_ssh_itself_arrives() {
    let fleet = Fleet::new();
    let inner = Some(fleet.inner.port.to_string());
    for (address, arrives) in [
        ("inner", inner.clone()),
        ("matched", inner.clone()),
        ("gate", Some(fleet.gate.port.to_string())),
        ("closed", Some(fleet.closed.port.to_string())),
        ("behind", inner.clone()),
        ("twice", inner),
        ("blocked", None),
        ("nobody", None),
    ] {
        assert_eq!(fleet.ssh(address), arrives, "ssh to {address}");
        assert_eq!(ours(&fleet.named(address)).await, arrives, "swarm to {address}");
    }
    let keys = host_keys(&fleet.named("behind")).await.unwrap();
    let key = keys[0].key.to_openssh().unwrap();
    assert!(fleet.inner.host_key().starts_with(key.split(' ').take(2).collect::<Vec<_>>().join(" ").as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_inventory_says_goes_before_the_configuration() {
    let fleet = Fleet::new();
    let written = Written { port: true, identity: true, known_hosts: true, ..Written::default() };
    let config = SshConfig { written, ..fleet.named("inner").ssh_config.unwrap() };
    let gate =
        Destination { ssh_config: Some(config.clone()), ways: vec![Way::direct("inner")], ..fleet.gate.destination() };
    assert_eq!(ours(&gate).await, Some(fleet.gate.port.to_string()));
    // A jump of the inventory's own takes the place of ProxyJump.
    let jump = Some(Box::new(fleet.gate.destination()));
    let way = Way { address: "blocked".to_owned(), jump };
    let behind = Destination { ways: vec![way], ..fleet.named("blocked") };
    assert_eq!(ours(&behind).await, Some(fleet.inner.port.to_string()));
    // Without a configuration an alias is nothing but a name.
    let without = Destination { ssh_config: None, ..fleet.named("inner.invalid") };
    assert_eq!(resolved(&without).await.unwrap().ways, [Way::direct("inner.invalid")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_in_words() {
    let fleet = Fleet::new();
    fs::write(fleet.inner.path("faulty"), "Host *\n  Porte 7\n").unwrap();
    let faulty = SshConfig { file: Some(fleet.inner.path("faulty")), written: Written::default() };
    for (destination, words) in [
        (fleet.named("command"), "ProxyCommand \"nc %h %p\", which swarm does not run: ProxyJump does the same"),
        (fleet.named("circle"), "jump"),
        (Destination { ssh_config: Some(faulty), ..fleet.named("inner") }, "Bad configuration option: porte"),
    ] {
        let error = RemoteHost::new(&destination).connect().await.unwrap_err();
        assert_eq!(error.kind, HostErrorKind::Local, "{error}");
        assert!(error.message.contains(words) && error.message.contains("ssh_config = false"), "{error}");
    }
}
