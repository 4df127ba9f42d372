//! What OpenSSH's configuration says of a host: aliases, HostName, Port, User, keys, ProxyJump and the rest.
//!
//! Nobody but OpenSSH reads that configuration just as OpenSSH does (Include, Match, tokens), so it is asked: `ssh -G`
//! prints what would hold for a host, in about 5 ms, when the host is first connected. What the inventory says itself is
//! given along, so that `Match user` sees it, and goes before; what neither says is as without a configuration. To tell
//! that from what is said, `ssh -G` is asked once what holds with no configuration at all.
//!
//! The user's own file is the one in `HOME`, where that is another than what the password file says. Where there is no
//! OpenSSH here nobody has made it a configuration either, and what the inventory leaves open is as usual; but a file that
//! the inventory names has to be read.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, join_all};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::core::text::printable;
use crate::ssh::destination::{Destination, Keys, SshConfig, Way, Written};
use crate::ssh::host::{HostError, HostErrorKind};
use said::{Said, expanded};

mod said;

/// `Match exec` may run something.
const PATIENCE: Duration = Duration::from_secs(10);
/// OpenSSH follows no more jumps either.
const JUMPS: usize = 8;
/// What stands for a user of whom nothing is said; no system lets a user be called so.
const NOBODY: &str = "nothing:is:said";
/// The configuration of all users, which `-F` leaves out.
const OF_ALL: &str = "/etc/ssh/ssh_config";

/// The destination with what the configuration adds to it.
///
/// # Errors
/// The configuration has faults, or wants what cannot be done here.
pub async fn resolved(destination: &Destination) -> Result<Destination, HostError> {
    resolved_within(destination, JUMPS).await
}

fn resolved_within(destination: &Destination, jumps: usize) -> BoxFuture<'_, Result<Destination, HostError>> {
    async move {
        let mut complete = match &destination.ssh_config {
            Some(config) if !destination.is_local() => completed(destination, config, jumps).await?,
            _ => destination.clone(),
        };
        complete.ssh_config = None;
        for jump in complete.ways.iter_mut().filter_map(|way| way.jump.as_mut()) {
            let Some(left) = jumps.checked_sub(1) else {
                return Err(fault(destination, format!("its ssh configuration jumps more than {JUMPS} times")));
            };
            **jump = resolved_within(jump, left).await?;
        }
        Ok(complete)
    }
    .boxed()
}

async fn completed(destination: &Destination, config: &SshConfig, jumps: usize) -> Result<Destination, HostError> {
    let Some(usual) = usual().await.map_err(|problem| fault(destination, problem))? else {
        return match &config.file {
            None => Ok(destination.clone()),
            Some(file) => Err(fault(destination, format!("there is no `ssh` on PATH to read {}", file.display()))),
        };
    };
    let source = Source::of(config, usual);
    let asked =
        join_all(destination.ways.iter().map(|way| source.ask(destination, config.written, &way.address))).await;
    let mut complete = destination.clone();
    let mut ways = Vec::new();
    for (number, (way, said)) in destination.ways.iter().zip(asked).enumerate() {
        let said = said?;
        // All addresses are one machine, and the first is the one by which it is known.
        if number == 0 {
            source.complete(&mut complete, config.written, &said, &way.address).await?;
        }
        let jump = match &way.jump {
            Some(jump) => Some(jump.clone()),
            None => said
                .jump(destination, config, usual, jumps)
                .map_err(|problem| fault(destination, problem))?
                .map(Box::new),
        };
        ways.push(Way { address: said.hostname, jump });
    }
    complete.ways = ways;
    // It may be the configuration that says who logs in.
    complete.become_root = complete.become_root.filter(|_| config.written.user || complete.user != "root");
    Ok(complete)
}

/// What holds with no configuration; none where there is no OpenSSH here to be asked. An answer that did not come is asked
/// for again the next time.
async fn usual() -> Result<Option<&'static Said>, String> {
    static USUAL: OnceCell<Option<Said>> = OnceCell::const_new();
    let asked = USUAL.get_or_try_init(|| async {
        let printed = run(&["-F".into(), "none".into()], "host").await?;
        printed.map(|printed| printed.parse()).transpose()
    });
    asked.await.map(Option::as_ref)
}

/// Where the configuration is, as options of ssh.
struct Source<'a> {
    usual: &'a Said,
    /// The file that is given with `-F`; none where ssh finds its own.
    file: Option<PathBuf>,
}

impl<'a> Source<'a> {
    fn of(config: &SshConfig, usual: &'a Said) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let elsewhere = home.filter(|home| Some(home.as_path()) != usual.home()).map(|home| home.join(".ssh/config"));
        let own = || elsewhere.map(|file| if file.exists() { file } else { PathBuf::from("none") });
        Self { usual, file: config.file.clone().or_else(own) }
    }

    async fn ask(&self, destination: &Destination, written: Written, address: &str) -> Result<Said, HostError> {
        let mut options: Vec<std::ffi::OsString> = Vec::new();
        if let Some(file) = &self.file {
            options.push("-F".into());
            options.push(file.into());
        }
        self.print(destination, written, options, address).await
    }

    async fn print(
        &self,
        destination: &Destination,
        written: Written,
        mut options: Vec<std::ffi::OsString>,
        address: &str,
    ) -> Result<Said, HostError> {
        if written.user {
            options.push("-l".into());
            options.push((&destination.user).into());
        }
        if written.port {
            options.push("-p".into());
            options.push(destination.port.to_string().into());
        }
        let said = match run(&options, address).await {
            Ok(Some(printed)) => printed.parse(),
            Ok(None) => Err("there is no `ssh` on PATH any more".to_owned()),
            Err(problem) => Err(problem),
        };
        said.map_err(|problem| fault(destination, problem))
    }

    /// Fills in what the inventory leaves open.
    async fn complete(
        &self,
        complete: &mut Destination,
        written: Written,
        said: &Said,
        address: &str,
    ) -> Result<(), HostError> {
        if !written.port {
            complete.port = said.port;
        }
        if !written.user && self.says_user(complete, written, said, address).await? {
            complete.user.clone_from(&said.user);
        }
        let expand = |text: &str| expanded(text, said, address, self.usual);
        if !written.identity && said.identity_files != self.usual.identity_files {
            let files = said.identity_files.iter().filter(|file| *file != "none").map(|file| expand(file)).collect();
            complete.keys = if said.identities_only { Keys::Only(files) } else { Keys::AgentAnd(files) };
        }
        if !written.known_hosts
            && said.known_hosts != self.usual.known_hosts
            && let Some(first) = said.known_hosts.first()
        {
            complete.known_hosts = if first == "none" { "/dev/null".into() } else { expand(first) };
        }
        complete.host_key_alias.clone_from(&said.host_key_alias);
        Ok(())
    }

    /// Whether the configuration names a user. The one that it prints is whoever runs this where it does not; so where
    /// that could be either, it is asked again with a user of nobody's behind all that it says.
    async fn says_user(
        &self,
        destination: &Destination,
        written: Written,
        said: &Said,
        address: &str,
    ) -> Result<bool, HostError> {
        if said.user != self.usual.user || said.user == destination.user {
            return Ok(true);
        }
        let own = self.usual.home().map(|home| home.join(".ssh/config"));
        let files = match &self.file {
            Some(file) => vec![file.as_path()],
            None => own.as_deref().into_iter().chain([Path::new(OF_ALL)]).collect(),
        };
        let includes =
            files.iter().filter(|file| file.exists()).map(|file| format!("Include \"{}\"\n", file.display()));
        let text = includes.collect::<String>() + "Match all\nUser " + NOBODY + "\n";
        let unwritten =
            |error: std::io::Error| fault(destination, format!("a temporary file cannot be written: {error}"));
        let file = tempfile::NamedTempFile::new().map_err(unwritten)?;
        fs_err::write(file.path(), text).map_err(unwritten)?;
        let options = vec!["-F".into(), file.path().into()];
        Ok(self.print(destination, written, options, address).await?.user != NOBODY)
    }
}

/// What `ssh -G` prints; none where there is no `ssh`.
async fn run(options: &[std::ffi::OsString], address: &str) -> Result<Option<String>, String> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-GT").args(options).arg("--").arg(address).stdin(Stdio::null()).kill_on_drop(true);
    let answered = timeout(PATIENCE, ssh.output()).await.map_err(|_| {
        format!("`ssh -G {address}` has not answered within {PATIENCE:?}: see `Match exec` in its configuration")
    })?;
    let output = match answered {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        output => output.map_err(|error| format!("`ssh -G {address}` cannot be run: {error}"))?,
    };
    if !output.status.success() {
        let said = printable(&String::from_utf8_lossy(&output.stderr));
        return Err(format!("the ssh configuration cannot be used, as `ssh -G {address}` says: {said}"));
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn fault(destination: &Destination, problem: String) -> HostError {
    let cure = "mend it, or set `ssh_config = false` for this host in the inventory";
    HostError::new(&destination.name, HostErrorKind::Local, format!("{problem}\n  {cure}"))
}
