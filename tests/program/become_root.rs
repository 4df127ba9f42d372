//! An ordinary user who becomes root, with the real sudo and the real doas, over a real sshd.
//!
//! The user and the rules are there for that sshd alone: it runs in a mount namespace of its own, in which files of the
//! test lie over those of /etc. That takes root, and each program is left out, with a word, where it is not installed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use swarm::ssh::{Become, Chunk, Destination, Host, HostErrorKind, RemoteHost, Script};

use crate::sshd::Sshd;

const USER: &str = "swarm-builder";

/// How one becomes root, the program for it, its file of rules, and the rule without a password.
const WAYS: [(Become, &str, &str, &str); 2] = [
    (Become::Sudo, "/usr/bin/sudo", "sudoers", "swarm-builder ALL=(root) NOPASSWD: ALL\n"),
    (Become::Doas, "/usr/bin/doas", "doas.conf", "permit nopass swarm-builder as root\n"),
];

/// A host whose only ordinary user may do what the rule says; none where it cannot be made here.
fn host(way: (Become, &str, &str, &str), rule: &str) -> Option<(Sshd, RemoteHost)> {
    let (become_root, program, rules, _) = way;
    if crate::sshd::user() != "root" || !Path::new(program).exists() {
        eprintln!("left out: {program} as an ordinary user; it takes root to set that up, and the program");
        return None;
    }
    let sshd = Sshd::with_files_in_etc(&[
        ("passwd", &with_line("passwd", &format!("{USER}:x:4242:4242::/nonexistent:/bin/sh")), 0o644),
        ("shadow", &with_line("shadow", &format!("{USER}:*:20000:0:99999:7:::")), 0o600),
        (rules, rule, 0o400),
    ]);
    let user = USER.to_owned();
    let host = RemoteHost::new(&Destination { user, become_root: Some(become_root), ..sshd.destination() });
    Some((sshd, host))
}

/// A file of /etc with one line more.
fn with_line(name: &str, line: &str) -> String {
    let there = fs::read_to_string(Path::new("/etc").join(name)).unwrap_or_default();
    format!("{}\n{line}\n", there.trim_end())
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_files_are_roots_where_a_rule_allows_it() {
    for way in WAYS {
        let Some((sshd, host)) = host(way, way.3) else { continue };
        let output = host.run(&Script::new("id -u; echo wrong >&2; exit 3")).await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.status), (&b"0\n"[..], 3));
        assert!(output.stderr.ends_with(b"wrong\n"), "{output:?}");

        let mut running = host.start(&Script::new("read -r line; echo \"got $line\"")).await.unwrap();
        running.input.send(b"it\n".to_vec()).await.unwrap();
        // This user has no home directory, which sshd may mention.
        let said = loop {
            match running.output.recv().await.unwrap() {
                Chunk::Stderr(_) => {}
                other => break other,
            }
        };
        assert_eq!(said, Chunk::Stdout(b"got it\n".to_vec()));

        let file = sshd.text_path("file");
        host.write(&file, b"content", 0o600).await.unwrap();
        let metadata = fs::metadata(&file).unwrap();
        assert_eq!((metadata.uid(), metadata.permissions().mode() & 0o777), (0, 0o600));
        assert_eq!(host.read(&file, 7).await.unwrap().unwrap(), b"content");
        assert_eq!(host.download(&file, &sshd.path("copy")).await.unwrap(), 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_rule_is_told_which_one_is_missing() {
    for (way, cure) in WAYS.into_iter().zip(["NOPASSWD", "permit nopass"]) {
        // One file of rules needs a rule to be a file of rules at all.
        let Some((_sshd, host)) = host(way, &way.3.replace(USER, "root")) else { continue };
        let errors =
            [host.run(&Script::new("id -u")).await.unwrap_err(), host.read("/etc/passwd", 1 << 20).await.unwrap_err()];
        for error in errors {
            assert_eq!(error.kind, HostErrorKind::Failed, "{error}");
            assert!(error.message.contains(cure), "{error}");
        }
    }
}
