//! What an operator has to mend on a host before it does its part well.

use std::fmt;

use serde::Serialize;

use super::{Facts, PackageFormat, Program};

/// What a host is there for; it decides what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It builds: a drone.
    Build,
    /// Its Portage makes the plan: the driver.
    Plan,
    /// It is gone through, or serves files.
    Other,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works well enough; worth knowing.
    Note,
    /// It works, but should be mended.
    Warning,
    /// The host cannot do its part.
    Unusable,
}

/// Where space is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where jobs live.
    Workdir,
    /// /var/tmp, where Portage builds.
    Temporary,
}

/// Something to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Scripts do not run as root.
    NotRoot,
    /// A program is missing.
    NoProgram(Program),
    /// Files cannot be carried there and back, for this reason.
    NoFiles(String),
    /// `emerge` is there and does not start.
    BrokenPortage,
    /// No Python has Portage's modules.
    NoPython,
    /// Job directories cannot be made.
    WorkdirNotWritable,
    /// Little space, in MiB.
    LittleDisk(Place, u64),
    /// Packages are written in a format that we do not take.
    PackageFormat,
    /// The clock is ahead (behind, where negative) by seconds.
    Clock(i64),
    /// Jobs can have no clean rooms.
    NoCleanRoom {
        /// Why.
        why: String,
        /// Whether the inventory wants them always.
        always: bool,
    },
}

/// Less than this (MiB) and no package of any size can be built.
const LEAST_DISK_MIB: u64 = 1024;
/// More than this (seconds) and times in logs, indexes and tokens mislead.
const MOST_CLOCK_S: u64 = 10;

impl Finding {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::NotRoot
            | Self::NoProgram(_)
            | Self::NoFiles(_)
            | Self::BrokenPortage
            | Self::NoPython
            | Self::WorkdirNotWritable
            | Self::LittleDisk(..)
            | Self::NoCleanRoom { always: true, .. } => Severity::Unusable,
            Self::NoCleanRoom { always: false, .. } => Severity::Note,
            Self::PackageFormat | Self::Clock(_) => Severity::Warning,
        }
    }

    /// What the operator can do.
    pub fn cure(&self) -> String {
        match self {
            Self::NotRoot => {
                "in the inventory set user = \"root\", or become = \"sudo\" or \"doas\" with a rule without password"
                    .to_owned()
            }
            Self::NoProgram(Program::Emerge | Program::Portageq) => {
                "drones and drivers are Gentoo; is this the right host, and is Portage on the PATH of its ssh logins?"
                    .to_owned()
            }
            Self::NoProgram(program) => format!("install it there: emerge --oneshot {}", program.package()),
            Self::NoFiles(_) => "see that its sshd_config has a line: Subsystem sftp internal-sftp".to_owned(),
            Self::BrokenPortage => "run `emerge --version` there and mend what it says".to_owned(),
            Self::NoPython => {
                "reinstall Portage for a Python that is there: emerge --oneshot sys-apps/portage".to_owned()
            }
            Self::WorkdirNotWritable => "mount it writable, or set another workdir in the inventory".to_owned(),
            Self::LittleDisk(Place::Workdir, _) => {
                "free some space there, or set a workdir on a larger file system in the inventory".to_owned()
            }
            Self::LittleDisk(Place::Temporary, _) => "free some space there, or mount a larger /var/tmp".to_owned(),
            Self::PackageFormat => "set BINPKG_FORMAT=\"gpkg\" in its make.conf".to_owned(),
            Self::NoCleanRoom { always: true, .. } => {
                "run it where overlays can be mounted, or set clean_room = \"auto\" in the inventory".to_owned()
            }
            Self::NoCleanRoom { always: false, .. } => {
                "its jobs share its root, and what they need stays installed there; clean_room = \"never\" says that \
                 this is meant"
                    .to_owned()
            }
            Self::Clock(_) => "run a time service there, such as net-misc/chrony".to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => formatter.write_str("scripts do not run as root"),
            Self::NoProgram(program) => write!(formatter, "there is no {}", program.name()),
            Self::NoFiles(reason) => write!(formatter, "files cannot be carried there: {reason}"),
            Self::BrokenPortage => formatter.write_str("emerge is there and does not start"),
            Self::NoPython => formatter.write_str("no Python there has Portage's modules"),
            Self::WorkdirNotWritable => formatter.write_str("the workdir cannot be written"),
            Self::LittleDisk(Place::Workdir, free) => write!(formatter, "only {free} MiB are free at the workdir"),
            Self::LittleDisk(Place::Temporary, free) => write!(formatter, "only {free} MiB are free at /var/tmp"),
            Self::PackageFormat => formatter.write_str("its Portage is set to another package format than gpkg"),
            Self::NoCleanRoom { why, .. } => write!(formatter, "jobs can have no clean rooms: {why}"),
            Self::Clock(ahead) if *ahead < 0 => write!(formatter, "its clock is {} s behind", ahead.unsigned_abs()),
            Self::Clock(ahead) => write!(formatter, "its clock is {ahead} s ahead"),
        }
    }
}

/// What is to be mended for the host to do its part, the worst first.
pub fn check(facts: &Facts, duty: Duty) -> Vec<Finding> {
    let mut findings = Vec::new();
    match duty {
        Duty::Build => {
            access(facts, &mut findings);
            programs(facts, &Program::ALL, &mut findings);
            portage(facts, &mut findings);
            disk(facts, &mut findings);
            let format = facts.portage.as_ref().and_then(|portage| portage.package_format);
            if format.is_some_and(|format| format != PackageFormat::Gpkg) {
                findings.push(Finding::PackageFormat);
            }
        }
        Duty::Plan => {
            programs(facts, &[Program::Emerge, Program::Portageq], &mut findings);
            portage(facts, &mut findings);
        }
        Duty::Other => {}
    }
    if facts.clock_ahead_s.unsigned_abs() > MOST_CLOCK_S {
        findings.push(Finding::Clock(facts.clock_ahead_s));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    findings
}

fn access(facts: &Facts, findings: &mut Vec<Finding>) {
    if !facts.root {
        findings.push(Finding::NotRoot);
    }
    if let Some(reason) = &facts.files_fault {
        findings.push(Finding::NoFiles(reason.clone()));
    }
    // Who is not root cannot be expected to write there.
    if facts.root && !facts.workdir_writable {
        findings.push(Finding::WorkdirNotWritable);
    }
}

fn programs(facts: &Facts, needed: &[Program], findings: &mut Vec<Finding>) {
    let mut missing: Vec<Program> =
        needed.iter().copied().filter(|program| !facts.programs.contains(program)).collect();
    // Where there is no emerge, all of Portage is missing.
    if missing.contains(&Program::Emerge) {
        missing.retain(|program| *program != Program::Portageq);
    }
    findings.extend(missing.into_iter().map(Finding::NoProgram));
}

fn portage(facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(portage) = &facts.portage else { return };
    if portage.version.is_none() {
        findings.push(Finding::BrokenPortage);
    } else if portage.python.is_none() {
        findings.push(Finding::NoPython);
    }
}

fn disk(facts: &Facts, findings: &mut Vec<Finding>) {
    for (place, free) in [(Place::Workdir, facts.workdir_free_mib), (Place::Temporary, facts.temporary_free_mib)] {
        if let Some(free) = free.filter(|free| *free < LEAST_DISK_MIB) {
            findings.push(Finding::LittleDisk(place, free));
        }
    }
}
