//! A real sshd on a loopback port, with its own keys and configuration; ended when dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use swarm::ssh::{Destination, Keys, Way};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";

/// A running sshd.
pub struct Sshd {
    child: Child,
    pub directory: TempDir,
    pub port: u16,
}

impl Sshd {
    /// Starts one that lets the current user in with [`Sshd::identity`].
    pub fn start() -> Self {
        Self::configured(|_| String::new())
    }

    /// The same, with more lines for its configuration, which `prepare` makes when the directory is there.
    pub fn configured(prepare: impl Fn(&Path) -> String) -> Self {
        Self::launched(|path| (vec![SSHD.to_owned()], prepare(path)))
    }

    /// One that sees these files (name, content, mode) in its own /etc; it takes root.
    pub fn with_files_in_etc(files: &[(&str, &str, u32)]) -> Self {
        const LAUNCH: &str = r#"mount -t overlay overlay -o "lowerdir=$1:/etc" /etc || exit 1; shift; exec "$@""#;
        Self::launched(|path| {
            let etc = path.join("etc");
            fs::create_dir(&etc).unwrap();
            for (name, content, mode) in files {
                fs::write(etc.join(name), content).unwrap();
                fs::set_permissions(etc.join(name), fs::Permissions::from_mode(*mode)).unwrap();
            }
            for directory in [path, &etc] {
                fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
            }
            let etc = etc.to_str().unwrap();
            let launcher = ["unshare", "--mount", "--propagation", "private", "sh", "-c", LAUNCH, "0", etc, SSHD];
            (launcher.map(str::to_owned).to_vec(), String::new())
        })
    }

    /// The same, with the command that becomes sshd and more lines for its configuration.
    fn launched(prepare: impl Fn(&Path) -> (Vec<String>, String)) -> Self {
        assert!(
            Path::new(SSHD).exists(),
            "{SSHD} is missing: install OpenSSH's server (Debian: openssh-server, Gentoo: net-misc/openssh)"
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        keygen(&path.join("host_key"));
        keygen(&path.join("identity"));
        fs::copy(path.join("identity.pub"), path.join("authorized_keys")).unwrap();
        fs::create_dir_all("/run/sshd").expect("sshd needs the directory /run/sshd: run these tests as root");
        let (launcher, extra) = prepare(path);
        // Another process may take the port between our letting it go and sshd's taking it; then another is tried.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(child) = listen(&launcher, path, port, &extra) {
                let sshd = Self { child, directory, port };
                sshd.pin("127.0.0.1", port);
                return sshd;
            }
        }
        panic!("sshd does not start");
    }

    /// One whose `sudo` is this shell script.
    pub fn with_sudo(script: &str) -> Self {
        Self::configured(|path| {
            let sudo = path.join("sudo");
            fs::write(&sudo, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
            format!("SetEnv PATH={}:/usr/bin:/bin HOME=/nonexistent", path.display())
        })
    }

    /// Where and how it is reached.
    pub fn destination(&self) -> Destination {
        Destination {
            name: "tarn".parse().unwrap(),
            ways: vec![Way::direct("127.0.0.1")],
            port: self.port,
            user: user(),
            become_root: None,
            keys: Keys::Only(vec![self.identity()]),
            known_hosts: self.known_hosts(),
            host_key_alias: None,
            ssh_config: None,
            stall_timeout: Duration::from_secs(60),
        }
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same, as text.
    pub fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn identity(&self) -> PathBuf {
        self.path("identity")
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.path("known_hosts")
    }

    pub fn host_key(&self) -> String {
        fs::read_to_string(self.path("host_key.pub")).unwrap()
    }

    /// Puts its host key into its known_hosts for an address.
    pub fn pin(&self, address: &str, port: u16) {
        fs::write(self.known_hosts(), format!("[{address}]:{port} {}", self.host_key())).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of the user who runs the tests.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes an Ed25519 key pair without a passphrase.
pub fn keygen(path: &Path) {
    ssh_keygen(&["-t", "ed25519", "-N", "", "-f", path.to_str().unwrap()]);
}

/// Runs ssh-keygen.
pub fn ssh_keygen(arguments: &[&str]) {
    let status = Command::new("ssh-keygen").arg("-q").args(arguments).status().unwrap();
    assert!(status.success(), "ssh-keygen {arguments:?}");
}

/// Starts sshd and waits until it listens. The home directory is moved out of the way, so that the start-up files of
/// whoever runs the tests are none of theirs; of several SetEnv lines the first counts.
fn listen(launcher: &[String], path: &Path, port: u16, extra: &str) -> Option<Child> {
    let shown = path.display();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {shown}/host_key\nAuthorizedKeysFile {shown}/authorized_keys\n\
         PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n{extra}\n\
         SetEnv HOME=/nonexistent\n"
    );
    let file = path.join("sshd_config");
    fs::write(&file, config).unwrap();
    let mut child = Command::new(&launcher[0])
        .args(&launcher[1..])
        .args(["-D", "-e", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if line.contains("Server listening") {
            // Its log must be read on, or it stops at a full pipe.
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return Some(child);
        }
        line.clear();
    }
    let _ = child.wait();
    None
}

/// The variable that tells a test that it is run by another one, and with what. Environment variables cannot be set
/// safely in a process that has threads, so what depends on them runs in one of its own.
pub const WITHIN: &str = "SWARM_TEST_WITHIN";

/// Runs another test of this program, with its modules, in a process of its own, with these variables.
pub fn run_within(test: &str, within: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(WITHIN, within)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}
