//! The SSH layer against OpenSSH's own sshd on a loopback port.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use swarm::ssh::known_hosts::{KnownHosts, Verdict, record};
use swarm::ssh::{Become, Chunk, Destination, Host, HostErrorKind, Keys, RemoteHost, Script, Way, host_keys};

use crate::sshd::{Sshd, WITHIN, keygen, run_within, ssh_keygen};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_and_its_output_and_status_come_back() {
    let sshd = Sshd::start();
    let host = RemoteHost::new(&sshd.destination());
    assert_eq!(host.address(), None);
    host.connect().await.unwrap();
    assert_eq!(host.address().as_deref(), Some("127.0.0.1"));
    let script =
        Script::new("printf \"<%s>\\n\" \"$value\"; echo wrong >&2; exit 3").set("value", "a 'b' \"c\" $d \\e");
    let output = host.run(&script).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "<a 'b' \"c\" $d \\e>\n");
    assert_eq!((output.stderr.as_slice(), output.status), (b"wrong\n".as_slice(), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_killed_is_lost_and_not_a_success() {
    let sshd = Sshd::start();
    let host = RemoteHost::new(&sshd.destination());
    let error = host.run(&Script::new("kill -9 $$")).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_comes_in_pieces_to_a_started_script() {
    let sshd = Sshd::start();
    let host = RemoteHost::new(&sshd.destination());
    let mut running =
        host.start(&Script::new("while read -r line; do echo \"got $line\"; done; exit 4")).await.unwrap();
    for word in ["one\n", "two\n"] {
        running.input.send(word.as_bytes().to_vec()).await.unwrap();
        assert_eq!(running.output.recv().await, Some(Chunk::Stdout(format!("got {word}").into_bytes())));
    }
    drop(running.input);
    assert_eq!(running.output.recv().await, Some(Chunk::Ended(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_written_whole_and_read_in_part() {
    let sshd = Sshd::start();
    let host = RemoteHost::new(&sshd.destination());
    let path = sshd.directory.path().join("file");
    let remote = path.to_str().unwrap();
    assert_eq!(host.read(remote, 10).await.unwrap(), None);
    for content in [b"first".to_vec(), vec![7; 3 << 20]] {
        host.write(remote, &content, 0o640).await.unwrap();
        assert_eq!(host.read(remote, 4 << 20).await.unwrap().unwrap(), content);
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(host.read_from(remote, (3 << 20) - 2, 10).await.unwrap().unwrap(), [7, 7]);
    assert!(host.read_from(remote, 5 << 20, 10).await.unwrap().unwrap().is_empty());
    assert_eq!(host.read(remote, 10).await.unwrap_err().kind, HostErrorKind::Failed);
    let error = host.write("/nowhere/file", b"", 0o600).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Failed);
    assert!(error.message.contains("/nowhere"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_both_ways_and_on_from_where_it_stopped() {
    let sshd = Sshd::start();
    let host = RemoteHost::new(&sshd.destination());
    let (source, there, back) =
        (sshd.directory.path().join("a"), sshd.directory.path().join("b"), sshd.directory.path().join("c"));
    let content: Vec<u8> = (0..40_000_001_u32).map(|number| (number / 7 % 251) as u8).collect();
    fs::write(&source, &content).unwrap();
    host.upload(&source, there.to_str().unwrap(), 0o600).await.unwrap();
    assert!(fs::read(&there).unwrap() == content);
    fs::write(&back, &content[..12_345_678]).unwrap();
    let count = host.download(there.to_str().unwrap(), &back).await.unwrap();
    assert_eq!(count, 40_000_001 - 12_345_678);
    assert!(fs::read(&back).unwrap() == content);
    assert_eq!(host.download(there.to_str().unwrap(), &back).await.unwrap(), 0);
    let (part, longer) = (sshd.directory.path().join("d"), sshd.directory.path().join("e"));
    fs::write(&part, &content[..12_345_678]).unwrap();
    fs::write(&longer, [&content[..], b"more"].concat()).unwrap();
    for remote in [&part, &longer, &sshd.directory.path().join("f")] {
        host.upload_on(&source, remote.to_str().unwrap(), 0o644).await.unwrap();
        assert!(fs::read(remote).unwrap() == content, "{}", remote.display());
    }
    let leftovers = fs::read_dir(sshd.directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(leftovers.count(), 0);
}

/// What a first connection to this destination gives.
async fn attempt(destination: &Destination) -> Result<(), (HostErrorKind, String)> {
    RemoteHost::new(destination).connect().await.map_err(|error| (error.kind, error.message))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_that_is_not_pinned_stops_the_host_and_shows_it() {
    let sshd = Sshd::start();
    let other = Sshd::start();
    let pin = |line: String| fs::write(sshd.known_hosts(), line).unwrap();
    let shown = |key: &str| Command::new("ssh-keygen").args(["-lf", key]).output().unwrap().stdout;
    let fingerprint = |path: String| String::from_utf8(shown(&path)).unwrap().split(' ').nth(1).unwrap().to_owned();
    let (ours, theirs) = (fingerprint(sshd.text_path("host_key.pub")), fingerprint(other.text_path("host_key.pub")));

    fs::remove_file(sshd.known_hosts()).unwrap();
    let (kind, message) = attempt(&sshd.destination()).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Refused);
    assert!(message.contains(&ours) && message.contains("swarm hosts trust tarn"), "{message}");

    pin(format!("[127.0.0.1]:{} {}", sshd.port, other.host_key()));
    let (kind, message) = attempt(&sshd.destination()).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Refused);
    let place = format!("{}:1", sshd.known_hosts().display());
    for part in [&ours, &theirs, &place, "has changed", "ssh-keygen -R"] {
        assert!(message.contains(part), "{part} in {message}");
    }

    pin(format!("[127.0.0.1]:{} {}@revoked * {}", sshd.port, sshd.host_key(), sshd.host_key()));
    let (kind, message) = attempt(&sshd.destination()).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Refused);
    assert!(message.contains("revoked") && message.contains(":2"), "{message}");

    fs::remove_file(sshd.known_hosts()).unwrap();
    fs::create_dir(sshd.known_hosts()).unwrap();
    let (kind, message) = attempt(&sshd.destination()).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Refused);
    assert!(message.contains("known_hosts cannot be used"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_pinned_for_one_of_a_hosts_addresses_is_good_for_all() {
    let sshd = Sshd::start();
    sshd.pin("10.255.0.1", sshd.port);
    assert_eq!(attempt(&sshd.destination()).await.unwrap_err().0, HostErrorKind::Refused);
    let ways = ["127.0.0.1", "10.255.0.1"].map(Way::direct).to_vec();
    attempt(&Destination { ways, ..sshd.destination() }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_that_a_host_shows_can_be_recorded_and_are_then_trusted() {
    let sshd = Sshd::configured(|path| {
        ssh_keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", path.join("rsa").to_str().unwrap()]);
        format!("HostKey {}", path.join("rsa").display())
    });
    fs::remove_file(sshd.known_hosts()).unwrap();
    let keys = host_keys(&sshd.destination()).await.unwrap();
    let kinds: Vec<String> = keys.iter().map(|offered| offered.key.algorithm().to_string()).collect();
    assert_eq!(kinds, ["ssh-ed25519", "ssh-rsa"]);
    for offered in &keys {
        assert!(record(&sshd.known_hosts(), &offered.address, sshd.port, &offered.key).unwrap());
        let known = KnownHosts::read(&sshd.known_hosts()).unwrap();
        assert_eq!(known.check(&offered.address, sshd.port, &offered.key), Verdict::Known);
    }
    attempt(&sshd.destination()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pinned_type_of_key_is_asked_for_even_where_another_is_preferred() {
    let sshd = Sshd::configured(|path| {
        ssh_keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", path.join("rsa").to_str().unwrap()]);
        format!("HostKey {}", path.join("rsa").display())
    });
    let key = fs::read_to_string(sshd.path("rsa.pub")).unwrap();
    fs::write(sshd.known_hosts(), format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    attempt(&sshd.destination()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_certificate_of_a_listed_authority_is_trusted() {
    let sign = |path: &Path, principal: &str| {
        let text = |name: &str| path.join(name).to_str().unwrap().to_owned();
        if !path.join("authority").exists() {
            keygen(&path.join("authority"));
        }
        ssh_keygen(&["-s", &text("authority"), "-I", "tarn", "-h", "-n", principal, &text("host_key.pub")]);
        format!("HostCertificate {}", text("host_key-cert.pub"))
    };
    for (principal, accepted) in [("127.0.0.1", true), ("127.0.0.9", false)] {
        let sshd = Sshd::configured(|path| sign(path, principal));
        let authority = fs::read_to_string(sshd.path("authority.pub")).unwrap();
        fs::write(sshd.known_hosts(), format!("@cert-authority [127.0.0.*]:* {authority}")).unwrap();
        match attempt(&sshd.destination()).await {
            Ok(()) => assert!(accepted),
            Err((kind, message)) => {
                assert!(!accepted && kind == HostErrorKind::Refused, "{message}");
                assert!(message.contains("certificate was not accepted: it is for [\"127.0.0.9\"]"), "{message}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_host_does_not_know_is_named() {
    let sshd = Sshd::start();
    keygen(&sshd.path("stranger"));
    let destination = Destination { keys: Keys::Only(vec![sshd.path("stranger")]), ..sshd.destination() };
    let (kind, message) = attempt(&destination).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Authentication);
    assert!(message.contains("stranger") && message.contains("authorized_keys"), "{message}");
    let destination = Destination { keys: Keys::Only(vec![sshd.path("missing")]), ..sshd.destination() };
    assert_eq!(attempt(&destination).await.unwrap_err().0, HostErrorKind::Authentication);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_usual_type_let_us_in() {
    let sshd = Sshd::start();
    for (kind, bits) in [("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "521"), ("ed25519", "256")] {
        let name = format!("{kind}{bits}");
        ssh_keygen(&["-t", kind, "-b", bits, "-N", "", "-f", &sshd.text_path(&name)]);
        fs::copy(sshd.path(&format!("{name}.pub")), sshd.path("authorized_keys")).unwrap();
        let destination = Destination { keys: Keys::Only(vec![sshd.path(&name)]), ..sshd.destination() };
        attempt(&destination).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_beside_the_key_lets_us_in() {
    for kind in ["ed25519", "rsa"] {
        let sshd = Sshd::configured(|path| {
            keygen(&path.join("authority"));
            format!("TrustedUserCAKeys {}", path.join("authority.pub").display())
        });
        ssh_keygen(&["-t", kind, "-N", "", "-f", &sshd.text_path("certified")]);
        fs::write(sshd.path("authorized_keys"), "").unwrap();
        let destination = Destination { keys: Keys::Only(vec![sshd.path("certified")]), ..sshd.destination() };
        assert_eq!(attempt(&destination).await.unwrap_err().0, HostErrorKind::Authentication);
        let (authority, public) = (sshd.text_path("authority"), sshd.text_path("certified.pub"));
        ssh_keygen(&["-s", &authority, "-I", "operator", "-n", &destination.user, &public]);
        attempt(&destination).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_signs_for_us_also_where_the_named_file_is_encrypted() {
    let sshd = Sshd::start();
    let socket = sshd.text_path("agent");
    let mut agent = Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
    let add = || Command::new("ssh-add").arg("-q").arg(sshd.identity()).env("SSH_AUTH_SOCK", &socket).output().unwrap();
    let added = (0..500).map(|_| add()).find(|output| output.status.success());
    // From here on only the agent knows the key.
    ssh_keygen(&["-p", "-N", "secret", "-f", &sshd.text_path("identity")]);
    let within = format!("{} {}", sshd.port, sshd.directory.path().display());
    let home = sshd.directory.path().to_str().unwrap();
    let output = run_within("real_sshd::login_with_the_agent", &within, &[("SSH_AUTH_SOCK", &socket), ("HOME", home)]);
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(added.is_some(), "the agent took no key");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the agent let us in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn login_with_the_agent() {
    let Ok(setting) = std::env::var(WITHIN) else { return };
    let (port, directory) = setting.split_once(' ').unwrap();
    let named = Destination {
        name: "tarn".parse().unwrap(),
        ways: vec![Way::direct("127.0.0.1")],
        port: port.parse().unwrap(),
        user: crate::sshd::user(),
        become_root: None,
        keys: Keys::Only(vec![Path::new(directory).join("identity")]),
        known_hosts: Path::new(directory).join("known_hosts"),
        host_key_alias: None,
        ssh_config: None,
        stall_timeout: std::time::Duration::from_secs(60),
    };
    attempt(&named).await.unwrap();
    attempt(&Destination { keys: Keys::Usual, ..named }).await.unwrap();
    println!("the agent let us in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_address_is_passed_over() {
    let sshd = Sshd::start();
    // The first never answers (TEST-NET-1), the second refuses.
    let ways = ["192.0.2.1", "127.0.0.2", "127.0.0.1"].map(Way::direct).to_vec();
    let host = RemoteHost::new(&Destination { ways, ..sshd.destination() });
    host.run(&Script::new(":")).await.unwrap();
    assert_eq!(host.address().as_deref(), Some("127.0.0.1"));
    let ways = vec![Way::direct("127.0.0.2")];
    let (kind, message) = attempt(&Destination { ways, ..sshd.destination() }).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Unreachable);
    assert!(message.contains("127.0.0.2: Connection refused"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_accepts_and_says_nothing_is_passed_over() {
    let sshd = Sshd::start();
    // The kernel accepts for a listener that never looks.
    let silent = std::net::TcpListener::bind(("127.0.0.3", sshd.port)).unwrap();
    let destination = Destination { ways: ["127.0.0.3", "127.0.0.1"].map(Way::direct).to_vec(), ..sshd.destination() };
    let host = RemoteHost::new(&destination);
    // Far less than the handshake's own time limit, far more than it takes.
    let patience = std::time::Duration::from_secs(10);
    tokio::time::timeout(patience, host.connect()).await.expect("the silent address holds us up").unwrap();
    assert_eq!(host.address().as_deref(), Some("127.0.0.1"));
    let keys = tokio::time::timeout(patience, host_keys(&destination)).await.expect("held up").unwrap();
    assert!(keys.iter().all(|offered| offered.address == "127.0.0.1"), "{keys:?}");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_address_that_needs_a_jump_host_is_reached_through_it() {
    let (gate, inner) = (Sshd::start(), Sshd::start());
    let through = Way { address: "127.0.0.1".to_owned(), jump: Some(Box::new(gate.destination())) };
    // The jump host lets nobody through: what is reached is reached without it.
    fs::remove_file(gate.known_hosts()).unwrap();
    let behind = Way { address: "127.0.0.2".to_owned(), ..through.clone() };
    let ways = vec![behind, Way::direct("127.0.0.1")];
    attempt(&Destination { ways, ..inner.destination() }).await.unwrap();
    assert_eq!(
        attempt(&Destination { ways: vec![through], ..inner.destination() }).await.unwrap_err().0,
        HostErrorKind::Unreachable
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_behind_a_jump_host_is_reached_through_it() {
    let gate = Sshd::start();
    let inner = Sshd::start();
    let through = |jump: Destination| {
        let way = Way { address: "127.0.0.1".to_owned(), jump: Some(Box::new(jump)) };
        Destination { ways: vec![way], ..inner.destination() }
    };
    let host = RemoteHost::new(&through(gate.destination()));
    let output = host.run(&Script::new("echo \"$SSH_CONNECTION\"")).await.unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).trim().ends_with(&inner.port.to_string()));
    fs::write(inner.path("a"), vec![1; 5 << 20]).unwrap();
    assert_eq!(host.download(&inner.text_path("a"), &inner.path("b")).await.unwrap(), 5 << 20);

    // Its own host key is what counts, not that of the host in between.
    inner.pin("10.0.0.1", inner.port);
    let (kind, _) = attempt(&through(gate.destination())).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Refused);
    fs::remove_file(gate.known_hosts()).unwrap();
    let jump = Destination { name: "gate".parse().unwrap(), ..gate.destination() };
    let (kind, message) = attempt(&through(jump)).await.unwrap_err();
    assert_eq!(kind, HostErrorKind::Unreachable);
    assert!(message.contains("through gate") && message.contains("is not known"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_commands_at_once_all_succeed() {
    let sshd = Sshd::start();
    let host = RemoteHost::new(&sshd.destination());
    let scripts: Vec<Script> = (0..100).map(|number| Script::new(format!("echo {number}"))).collect();
    let outputs = futures::future::join_all(scripts.iter().map(|script| host.run(script))).await;
    for (number, output) in outputs.into_iter().enumerate() {
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), format!("{number}\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_logins_at_once_all_succeed() {
    let sshd = Sshd::start();
    let destination = sshd.destination();
    let results = futures::future::join_all((0..20).map(|_| attempt(&destination))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_files_go_through_sudo_where_it_is_to_become_root() {
    let sshd = Sshd::with_sudo("printf '%s\\n' \"$*\" >>\"${0%/*}/log\"; shift 2; exec \"$@\"");
    let host = RemoteHost::new(&Destination { become_root: Some(Become::Sudo), ..sshd.destination() });
    assert_eq!(host.run(&Script::new("echo root")).await.unwrap().stdout, b"root\n");
    host.write(&sshd.text_path("file"), b"content", 0o600).await.unwrap();
    assert_eq!(fs::read(sshd.path("file")).unwrap(), b"content");
    let log = fs::read_to_string(sshd.path("log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].starts_with("-n -- /bin/sh -c ") && lines[2].ends_with("sftp-server"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sudo_that_wants_a_password_is_named_with_its_cure() {
    let sshd = Sshd::with_sudo("echo 'sudo: a password is required' >&2; exit 1");
    let host = RemoteHost::new(&Destination { become_root: Some(Become::Sudo), ..sshd.destination() });
    for error in
        [host.run(&Script::new("echo root")).await.unwrap_err(), host.read("/etc/passwd", 1 << 20).await.unwrap_err()]
    {
        assert_eq!(error.kind, HostErrorKind::Failed);
        assert!(error.message.contains("a password is required") && error.message.contains("NOPASSWD"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_this_machine_go_through_sudo_too() {
    let sshd = Sshd::with_sudo("printf '%s\\n' \"$*\" >>\"${0%/*}/log\"; shift 2; exec \"$@\"");
    let directory = sshd.directory.path().to_str().unwrap();
    let path = format!("{directory}:{}", std::env::var("PATH").unwrap());
    let output = run_within("real_sshd::this_machine_as_root", directory, &[("PATH", &path)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(sshd.path("copy")).unwrap(), b"content");
    assert!(fs::read_to_string(sshd.path("log")).unwrap().contains("sftp-server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_as_root() {
    let Ok(directory) = std::env::var(WITHIN) else { return };
    let destination = Destination {
        name: "here".parse().unwrap(),
        ways: vec![Way::direct("local")],
        port: 22,
        user: crate::sshd::user(),
        become_root: Some(Become::Sudo),
        keys: Keys::Usual,
        known_hosts: Path::new(&directory).join("known_hosts"),
        host_key_alias: None,
        ssh_config: None,
        stall_timeout: std::time::Duration::from_secs(60),
    };
    let host = swarm::ssh::host(&destination);
    let (file, copy) = (format!("{directory}/file"), Path::new(&directory).join("copy"));
    host.write(&file, b"content", 0o600).await.unwrap();
    assert_eq!(host.read(&file, 7).await.unwrap().unwrap(), b"content");
    assert_eq!(host.download(&file, &copy).await.unwrap(), 7);
}

/// A file system of its own, taken away at the end.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// One of 1 MiB; none where this user may not mount.
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir(path).ok()?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(path).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_known_as_such_there_and_here() {
    let sshd = Sshd::start();
    let Some(_disk) = SmallDisk::mount(&sshd.path("small")) else {
        return eprintln!("left out: to mount a small file system takes root");
    };
    let here = swarm::ssh::host(&Destination { ways: vec![Way::direct("local")], ..sshd.destination() });
    let there = RemoteHost::new(&sshd.destination());
    let remote = sshd.text_path("small/file");
    fs::write(sshd.path("large"), vec![1; 4 << 20]).unwrap();
    for host in [&there as &dyn Host, here.as_ref()] {
        for error in [
            host.upload(&sshd.path("large"), &remote, 0o644).await.unwrap_err(),
            host.write(&remote, &vec![1; 4 << 20], 0o644).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, HostErrorKind::NoSpace, "{error}");
            assert!(error.message.contains(&sshd.text_path("small")), "{error}");
        }
        assert_eq!(fs::read_dir(sshd.path("small")).unwrap().count(), 0);
    }
}
