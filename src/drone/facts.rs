//! What a host is: its processors, memory and disk, its clock, its Portage.
//!
//! One shell script (`facts/facts.sh`) is run there and prints a marked line a fact; whatever else a login shell or a
//! program prints is passed over. All that comes is a stranger's text: it is bounded, cleaned, and parsed into types.
//! [`check`](check::check) says what of it an operator has to mend.

pub mod check;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::inventory::RemoteDirectory;
use crate::ssh::{Host, HostError, HostErrorKind, Script};

pub use check::{Duty, Finding, Severity, check};

/// What a host told of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The name that it gives itself.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// The machine type, such as `x86_64`.
    pub machine: String,
    /// Another one after each start of the machine.
    pub boot_id: String,
    /// Whether scripts run as root.
    pub root: bool,
    /// How far its clock is ahead of ours, in seconds; negative where it is behind. What the way there may account
    /// for is left out.
    pub clock_ahead_s: i64,
    /// How many processors may be used.
    pub cores: Option<u32>,
    /// What the first processor calls itself.
    pub processor: Option<String>,
    /// The load of the last minute.
    pub load: Option<f64>,
    /// All of its memory.
    pub memory_total_mib: Option<u64>,
    /// What programs could still get without swapping.
    pub memory_available_mib: Option<u64>,
    /// Free space where jobs live.
    pub workdir_free_mib: Option<u64>,
    /// Whether job directories can be made.
    pub workdir_writable: bool,
    /// Free space at /var/tmp.
    pub temporary_free_mib: Option<u64>,
    /// The programs that jobs need and that are there.
    pub programs: BTreeSet<Program>,
    /// Its Portage; none where there is no `emerge`.
    pub portage: Option<PortageFacts>,
    /// Why files cannot be carried there and back; none where they can.
    pub files_fault: Option<String>,
}

/// A program that a drone or driver needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// Portage itself.
    Emerge,
    /// Portage's settings.
    Portageq,
    /// Waits for a job's end.
    Flock,
    /// Lets a job outlive its connection.
    Setsid,
    /// Packs and unpacks.
    Tar,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Emerge, Self::Portageq, Self::Flock, Self::Setsid, Self::Tar];

    /// Its name as a command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emerge => "emerge",
            Self::Portageq => "portageq",
            Self::Flock => "flock",
            Self::Setsid => "setsid",
            Self::Tar => "tar",
        }
    }

    /// The package that has it.
    pub fn package(self) -> &'static str {
        match self {
            Self::Emerge | Self::Portageq => "sys-apps/portage",
            Self::Flock | Self::Setsid => "sys-apps/util-linux",
            Self::Tar => "app-arch/tar",
        }
    }
}

/// A host's Portage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PortageFacts {
    /// Its version; none where `emerge` does not start.
    pub version: Option<String>,
    /// The host tuple that it builds for.
    pub chost: Option<String>,
    /// The profile, below `profiles/` of its repository where it is in one.
    pub profile: Option<String>,
    /// FEATURES as they are resolved.
    pub features: BTreeSet<String>,
    /// The format in which it writes packages.
    pub package_format: Option<PackageFormat>,
    /// The command of the Python that has Portage's modules.
    pub python: Option<String>,
}

/// The format in which Portage writes packages (BINPKG_FORMAT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageFormat {
    /// The one that we take.
    Gpkg,
    /// The older one.
    Xpak,
    /// Something that we do not know.
    Unknown,
}

/// Asks a host for its facts.
///
/// # Errors
/// It cannot be reached, or its answer is not ours.
pub async fn gather(host: &dyn Host, workdir: &RemoteDirectory) -> Result<Facts, HostError> {
    let script = Script::new(include_str!("facts/facts.sh")).set("workdir", workdir.as_str());
    let asked = seconds(SystemTime::now());
    let output = host.run(&script).await?;
    let answered = seconds(SystemTime::now());
    let facts = parse(&String::from_utf8_lossy(&output.stdout), asked..=answered).map_err(|problem| HostError {
        host: host.name().clone(),
        kind: HostErrorKind::Failed,
        message: format!(
            "asking for its facts: {problem}; run `swarm exec --on {} -- uname -a` to see it",
            host.name()
        ),
    })?;
    Ok(Facts { files_fault: files_fault(host).await?, ..facts })
}

/// Why a file that is on every system cannot be read; commands may work where SFTP does not.
async fn files_fault(host: &dyn Host) -> Result<Option<String>, HostError> {
    match host.read_from("/etc/passwd", 0, 1).await {
        Ok(_) => Ok(None),
        Err(error) if error.kind == HostErrorKind::Failed => Ok(Some(error.message)),
        // An SFTP server that ends at once looks like a loss; but then the host itself is still there.
        Err(error) if error.kind == HostErrorKind::Lost => host.connect().await.map(|()| Some(error.message)),
        Err(error) => Err(error),
    }
}

fn seconds(moment: SystemTime) -> i64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// An answer that is not the script's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// It does not come to its end.
    #[error("the answer breaks off")]
    Incomplete,
    /// A fact is missing without which nothing goes.
    #[error("the answer does not say {0}")]
    Missing(&'static str),
}

/// What begins each line of ours.
const MARK: &str = "swarm-fact:";
/// FEATURES is the longest value, at some 600 characters; more than this many characters of a value are cut off.
const VALUE_LIMIT: usize = 4096;
/// So many words of FEATURES are kept.
const FEATURES_LIMIT: usize = 200;

/// The marked lines of an answer.
struct Answer<'a> {
    lines: Vec<(&'a str, &'a str)>,
}

impl<'a> Answer<'a> {
    fn new(text: &'a str) -> Self {
        Self { lines: text.lines().filter_map(|line| line.strip_prefix(MARK)?.split_once('=')).collect() }
    }

    /// A value as one clean line; none where it is missing or empty.
    fn text(&self, key: &str) -> Option<String> {
        let (_, value) = self.lines.iter().find(|(name, _)| *name == key)?;
        let clean: String = value.trim().chars().filter(|each| !each.is_control()).take(VALUE_LIMIT).collect();
        (!clean.is_empty()).then_some(clean)
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    /// KiB there, MiB here.
    fn mebibytes(&self, key: &str) -> Option<u64> {
        self.number::<u64>(key).map(|kibibytes| kibibytes / 1024)
    }

    /// A value that is quoted for a shell.
    fn quoted(&self, key: &str) -> Option<String> {
        shlex::split(&self.text(key)?)?.into_iter().next().filter(|value| !value.is_empty())
    }

    fn portage(&self) -> PortageFacts {
        let features = self.quoted("portage.FEATURES").unwrap_or_default();
        let profile = self.text("profile").map(|path| match path.rsplit_once("/profiles/") {
            Some((_, below)) => below.to_owned(),
            None => path,
        });
        PortageFacts {
            version: self.text("portage"),
            chost: self.quoted("portage.CHOST"),
            profile,
            features: features.split_whitespace().take(FEATURES_LIMIT).map(str::to_owned).collect(),
            package_format: self.quoted("portage.BINPKG_FORMAT").map(|format| match format.as_str() {
                "gpkg" => PackageFormat::Gpkg,
                "xpak" => PackageFormat::Xpak,
                _ => PackageFormat::Unknown,
            }),
            python: self.text("python"),
        }
    }
}

/// Reads the script's answer, which was asked for and had come at these moments (seconds since 1970, our clock).
pub(crate) fn parse(stdout: &str, ours: std::ops::RangeInclusive<i64>) -> Result<Facts, FactsError> {
    let answer = Answer::new(stdout);
    answer.text("end").ok_or(FactsError::Incomplete)?;
    let theirs: i64 = answer.number("time").ok_or(FactsError::Missing("the time"))?;
    let user: u32 = answer.number("user").ok_or(FactsError::Missing("the user id"))?;
    let has = |program: &Program| answer.lines.contains(&("program", program.name()));
    let programs: BTreeSet<Program> = Program::ALL.into_iter().filter(has).collect();
    Ok(Facts {
        hostname: answer.text("hostname").ok_or(FactsError::Missing("the host's own name"))?,
        kernel: answer.text("kernel").ok_or(FactsError::Missing("the kernel"))?,
        machine: answer.text("machine").ok_or(FactsError::Missing("the machine type"))?,
        boot_id: answer.text("boot").ok_or(FactsError::Missing("the boot id (is /proc mounted?)"))?,
        root: user == 0,
        clock_ahead_s: ahead(theirs, ours),
        cores: answer.number("cores").filter(|cores| *cores > 0),
        processor: answer.text("processor"),
        load: answer.number("load").filter(|load: &f64| load.is_finite()),
        memory_total_mib: answer.mebibytes("memory_total"),
        memory_available_mib: answer.mebibytes("memory_available"),
        workdir_free_mib: answer.mebibytes("workdir_free"),
        workdir_writable: answer.text("workdir_writable").is_some(),
        temporary_free_mib: answer.mebibytes("temporary_free"),
        portage: programs.contains(&Program::Emerge).then(|| answer.portage()),
        programs,
        files_fault: None,
    })
}

/// How far their clock is ahead: nothing while it may have shown that between question and answer.
fn ahead(theirs: i64, ours: std::ops::RangeInclusive<i64>) -> i64 {
    if theirs > *ours.end() { theirs.saturating_sub(*ours.end()) } else { theirs.saturating_sub(*ours.start()).min(0) }
}

#[cfg(test)]
mod tests;
