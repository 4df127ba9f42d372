//! The steps of a job on its drone. Each can be repeated: what is there already is not done again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::configuration::ConfigurationRoot;
use super::{ALIVE, MARK, ask, cache, failed, job_script, room, run};
use crate::core::names::{BuildId, BuildName, ControllerName, Epoch, HostName, JobName, Revision, Timestamp};
use crate::core::package::{Cpv, Identity, PackageName, Slot};
use crate::epoch::{Claimant, EPOCH, Visitor};
use crate::portage::index::{Index, Limits, Stanza};
use crate::portage::probe::{self, ProbeError, Request, Resolution};
use crate::ssh::{Growth, Host, HostError, Script, quoted};

/// More of a `Packages` file (bytes) than this is not read from a drone.
const INDEX_LIMIT: u64 = 64 << 20;

/// Where a job lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDirectory {
    /// `WORKDIR`.
    pub workdir: String,
    /// The job.
    pub job: JobName,
}

impl JobDirectory {
    /// `WORKDIR/jobs`.
    pub fn parent(&self) -> String {
        format!("{}/jobs", self.workdir)
    }

    /// `WORKDIR/jobs/ID`.
    pub fn path(&self) -> String {
        format!("{}/jobs/{}", self.workdir, self.job)
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.path())
    }

    pub(super) fn script(&self, text: &str) -> Script {
        Script::new(text)
            .set("mark", MARK)
            .set("workdir", &self.workdir)
            .set("jobs", &self.parent())
            .set("job", self.job.as_str())
    }
}

/// What a job is: it lies beside it, so that whoever finds the directory knows whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The job.
    pub job: JobName,
    /// Its build.
    pub build: BuildName,
    /// The epoch of the controller that started it.
    pub epoch: Epoch,
    /// That controller.
    pub controller: ControllerName,
    /// The driver whose package it is.
    pub driver: HostName,
    /// What it builds.
    pub identity: Identity,
    /// Under which build id.
    pub build_id: BuildId,
}

/// How far a job has come, as `progress` of `alive.sh` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has not been started.
    New,
    /// It runs.
    Running,
    /// It has left its status.
    Ended,
    /// It was started, is gone, and left no status.
    Lost,
}

impl Progress {
    /// What a script's word means; none for any other word.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        match word {
            "new" => Some(Self::New),
            "running" => Some(Self::Running),
            "ended" => Some(Self::Ended),
            "lost" => Some(Self::Lost),
            _ => None,
        }
    }
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// How far the job has come.
    pub progress: Progress,
    /// Those of the packages asked about that are merged there, as the very same builds.
    pub merged: BTreeSet<Cpv>,
    /// What is installed there, in whatever version, of the packages asked about by name.
    pub installed: Vec<(Cpv, Slot)>,
}

/// Something that a job needs and that has been received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub cpv: Cpv,
    /// Where it lies on this side.
    pub local: std::path::PathBuf,
    /// Its stanza, with its path below a PKGDIR.
    pub stanza: Stanza,
}

/// Settings of one job's build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What to build.
    pub manifest: Manifest,
    /// How many compilers at once.
    pub width: u32,
    /// The drone's cores: above that load no further compiler is begun, whichever job's.
    pub cores: u32,
    /// Whether it has a clean room.
    pub room: bool,
    /// The revision of the driver's configuration that it builds with; none where the drone's own counts.
    pub configuration: Option<Revision>,
    /// Whether the package is signed where the drone's settings sign packages.
    pub signed: bool,
    /// When it is ended as one that hangs.
    pub limits: TimeLimits,
}

/// When a build is taken to hang, in whole seconds; zero means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// So long without output.
    pub silence: u64,
    /// So long in all.
    pub total: u64,
}

/// How the start of a build came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It runs, or has run.
    Running,
    /// Another controller has claimed the drone under an epoch that is not below ours.
    Outranked(Claimant),
    /// The drone has lost its record of who may use it; once the voting has told it, this is to be repeated.
    Unknown,
}

/// How a build that nothing of is alive any more has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ending {
    /// Its exit status; none where it left none.
    pub status: Option<u32>,
    /// Why it was ended from outside, in words of the script that did it.
    pub stopped: Option<String>,
    /// How many processes the kernel ended on that machine meanwhile because memory ran out.
    pub oom_kills: u64,
    /// Free space (KiB) where the job lies, at its end.
    pub space_kib: Option<u64>,
    /// From its beginning to its end, in milliseconds.
    pub wall_ms: Option<u64>,
    /// Processor time of all its processes, user and system, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// The most memory (KiB) that its processes were seen to have together; none of a short build.
    pub peak_kib: Option<u64>,
}

/// Claims the job's directory and asks what of its needs is merged there already, and what of these names is installed.
///
/// # Errors
/// When the host cannot be reached or the directory cannot be made.
pub async fn claim(
    host: &dyn Host,
    directory: &JobDirectory,
    needs: &[Need],
    names: &BTreeSet<PackageName>,
) -> Result<Claim, HostError> {
    let installed: Vec<_> =
        needs.iter().filter_map(|need| Some(format!("{} {}", need.cpv, need.stanza.get("BUILD_TIME")?))).collect();
    let names: Vec<_> = names.iter().map(PackageName::as_str).collect();
    let script = directory
        .script(&format!("{ALIVE}{}", include_str!("claim.sh")))
        .set("installed", &installed.join("\n"))
        .set("names", &names.join("\n"));
    let doing = format!("claiming job {} in {}", directory.job, directory.workdir);
    ask(host, &script, &doing, read_claim).await
}

fn read_claim(lines: &[Vec<String>]) -> Option<Claim> {
    let mut progress = None;
    let mut merged = BTreeSet::new();
    let mut installed = Vec::new();
    for line in lines {
        match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["has", package] => merged.extend(package.parse::<Cpv>().ok()),
            ["installed", package, slot] => installed.extend(package.parse().ok().zip(slot.parse().ok())),
            [word] => progress = Progress::of_word(word),
            _ => {}
        }
    }
    Some(Claim { progress: progress?, merged, installed })
}

/// Carries scripts and settings into the directory.
///
/// # Errors
/// When something cannot be carried there.
pub async fn equip(host: &dyn Host, directory: &JobDirectory, task: &Task) -> Result<(), HostError> {
    let manifest = serde_json::to_vec_pretty(&task.manifest)
        .map_err(|error| failed(host, "writing what the job is", error.to_string().as_bytes()))?;
    host.write(&directory.file("manifest.json"), &manifest, 0o644).await?;
    host.write(&directory.file("settings"), settings(task).as_bytes(), 0o644).await?;
    let limits = format!("{} {}\n", task.limits.silence, task.limits.total);
    host.write(&directory.file("limits"), limits.as_bytes(), 0o644).await?;
    let wrapper = format!("#!/bin/sh\n{ALIVE}{}", include_str!("wrapper.sh"));
    host.write(&directory.file("wrapper"), wrapper.as_bytes(), 0o755).await?;
    host.write(&directory.file("merge"), merge_script(directory).as_bytes(), 0o755).await?;
    if task.room {
        host.write(&directory.file("enter"), room::enter(directory).as_bytes(), 0o755).await?;
    }
    host.write(&directory.file("build"), build_script(directory, task).as_bytes(), 0o755).await
}

/// Brings the needs and their index into the job's PKGDIR.
///
/// # Errors
/// When something cannot be carried there.
pub async fn feed(
    host: &dyn Host,
    cache: &Cache,
    directory: &JobDirectory,
    task: &Task,
    needs: &[Need],
    header: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<(), HostError> {
    cache.bring(host, directory, needs).await?;
    let index = private_index(task, needs, header).to_text(now);
    host.write(&directory.file("pkgs/Packages"), index.as_bytes(), 0o644).await
}

/// The needs, and for the package that is built here a stanza without a file: Portage counts its build ids on from what
/// the index lists, so a listed id makes the next one that of the build.
fn private_index(task: &Task, needs: &[Need], header: &BTreeMap<String, String>) -> Index {
    let Manifest { identity, build_id, .. } = &task.manifest;
    let seed = (build_id.0 > 1).then(|| Stanza::seed(identity.cpv.clone(), BuildId(build_id.0 - 1)));
    let stanzas = needs.iter().map(|need| need.stanza.clone()).chain(seed).collect();
    Index { header: header.clone(), stanzas, ..Index::default() }
}

fn settings(task: &Task) -> String {
    let mut lines = vec![format!("export MAKEOPTS='-j{} --load-average={}'", task.width.max(1), task.cores.max(1))];
    for (key, value) in task.manifest.identity.compiler.iter() {
        if key.chars().all(|each| each.is_ascii_alphanumeric() || each == '_') {
            lines.push(format!("export {key}={}", quoted(value)));
        }
    }
    if let Some(revision) = &task.configuration {
        let root = ConfigurationRoot { driver: task.manifest.driver.clone(), revision: revision.clone() };
        lines.push(format!("brought={}", quoted(&root.name())));
    }
    if task.signed {
        lines.push("signed=yes".to_owned());
    }
    lines.join("\n") + "\n"
}

fn merge_script(directory: &JobDirectory) -> String {
    Script::new(job_script(include_str!("merge.sh")))
        .set("workdir", &directory.workdir)
        .set("jobs", &directory.parent())
        .set("job", directory.job.as_str())
        .text()
}

fn build_script(directory: &JobDirectory, task: &Task) -> String {
    let cpv = &task.manifest.identity.cpv;
    Script::new(job_script(include_str!("build.sh")))
        .set("jobs", &directory.parent())
        .set("job", directory.job.as_str())
        .set("atom", &format!("={cpv}"))
        .set("package", cpv.package())
        .text()
}

/// Asks the drone's own resolver what the build would merge, where these were merged for it.
///
/// # Errors
/// The outer one when the drone is lost, the inner one when its resolver does not answer.
pub async fn resolve(
    host: &dyn Host,
    directory: &JobDirectory,
    cpv: &Cpv,
    merged: &[Cpv],
) -> Result<Result<Resolution, ProbeError>, HostError> {
    let request = Request::Plan { arguments: probe::job_arguments(cpv, merged) };
    let script = directory.script(&room::inside(&probe::script(&request)));
    super::probe(host, &script, |output| probe::read_resolution(&output.stdout, &output.stderr)).await
}

/// Takes away what is in the way of the needs, and merges them, in this order.
///
/// # Errors
/// When the drone is lost, or with emerge's words when it cannot merge them. Where the job has no room nothing can be
/// taken away.
pub async fn prepare(
    host: &dyn Host,
    directory: &JobDirectory,
    needs: &[Need],
    in_the_way: &BTreeSet<Cpv>,
) -> Result<(), HostError> {
    let line = |need: &Need| format!("={} {}", need.cpv, need.stanza.get("BUILD_TIME").unwrap_or_default());
    let atoms: Vec<_> = in_the_way.iter().map(|cpv| format!("!={cpv}")).chain(needs.iter().map(line)).collect();
    let script = directory.script(&job_script(include_str!("prepare.sh"))).set("atoms", &atoms.join("\n"));
    run(host, &script, "merging what the package needs").await.map(|_| ())
}

/// Lets the build first build and merge what the package needs to build and nobody has.
///
/// # Errors
/// When that cannot be carried there.
pub async fn build_beside(host: &dyn Host, directory: &JobDirectory) -> Result<(), HostError> {
    host.write(&directory.file("beside"), b"", 0o644).await
}

/// Starts the build, once, detached, where no controller of a higher epoch has claimed the drone.
///
/// # Errors
/// When the drone is lost or the wrapper does not come up.
pub async fn start(host: &dyn Host, directory: &JobDirectory, visitor: &Visitor) -> Result<Started, HostError> {
    let script = directory.script(&format!("{EPOCH}{}", include_str!("start.sh")));
    ask(host, &visitor.introduce(script), "starting the build", read_start).await
}

fn read_start(lines: &[Vec<String>]) -> Option<Started> {
    lines.iter().find_map(|line| match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["started"] => Some(Started::Running),
        ["unknown"] => Some(Started::Unknown),
        ["outranked", epoch, controller @ ..] => {
            Some(Started::Outranked(Claimant::read(epoch, controller.first().copied())))
        }
        _ => None,
    })
}

/// How a job that nothing of is alive any more has ended.
///
/// # Errors
/// When the drone is lost.
pub async fn outcome(host: &dyn Host, directory: &JobDirectory) -> Result<Ending, HostError> {
    ask(host, &directory.script(include_str!("outcome.sh")), "asking how the build ended", read_outcome).await
}

/// What the marked lines say of the end.
pub(crate) fn read_outcome(lines: &[Vec<String>]) -> Option<Ending> {
    let mut ending = Ending::default();
    let mut told = false;
    for line in lines {
        match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            // An empty one is what a loss of power may leave: no status at all.
            ["status", status @ ..] => {
                ending.status = status.first().and_then(|status| status.parse().ok());
                told = true;
            }
            ["none" | "gone"] => told = true,
            ["oom_kills", number] => ending.oom_kills = number.parse().unwrap_or(0),
            ["space", kib] => ending.space_kib = kib.parse().ok(),
            ["usage", "wall", begin, end] => {
                ending.wall_ms = seconds(end).zip(seconds(begin)).and_then(|(end, begin)| end.checked_sub(begin))
            }
            ["usage", user, system] => {
                ending.cpu_ms = minutes(user).zip(minutes(system)).map(|(user, system)| user + system)
            }
            ["peak", kib] => ending.peak_kib = kib.parse().ok(),
            ["stopped", words @ ..] => ending.stopped = Some(words.join(" ")),
            _ => {}
        }
    }
    told.then_some(ending)
}

/// `12.34`, in milliseconds.
fn seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    // A build of a century is none.
    (0.0..3e9).contains(&seconds).then_some((seconds * 1000.0) as u64)
}

/// `1m2.34s`, as `times` writes it, in milliseconds.
fn minutes(text: &str) -> Option<u64> {
    let (minutes, rest) = text.strip_suffix('s')?.split_once('m')?;
    let minutes: u32 = minutes.parse().ok()?;
    Some(u64::from(minutes) * 60_000 + seconds(rest)?)
}

/// Ends whatever of a job lives. Its directory stays.
///
/// # Errors
/// When the drone is lost or something of the job does not end.
pub async fn kill(host: &dyn Host, directory: &JobDirectory, reason: &str) -> Result<(), HostError> {
    let script = directory.script(&format!("{ALIVE}{}", include_str!("kill.sh"))).set("reason", reason);
    run(host, &script, "ending the job").await.map(|_| ())
}

/// What the job's PKGDIR lists; an empty index where there is none.
///
/// # Errors
/// When the drone is lost or the index is beyond all measure.
pub async fn packages(host: &dyn Host, directory: &JobDirectory) -> Result<Index, HostError> {
    let path = directory.file("pkgs/Packages");
    let bytes = host.read(&path, INDEX_LIMIT).await?.unwrap_or_default();
    Index::parse(&bytes, Limits::default())
        .map_err(|error| failed(host, &format!("reading {path}"), error.to_string().as_bytes()))
}

/// Copies a package out of the job's PKGDIR, from where an earlier copy stopped.
///
/// # Errors
/// When the drone is lost, or this side has no room.
pub async fn collect(
    host: &dyn Host,
    directory: &JobDirectory,
    stanza: &Stanza,
    local: &Path,
    growth: Option<&Arc<Growth>>,
) -> Result<u64, HostError> {
    host.bring(&directory.file(&format!("pkgs/{}", stanza.path())), local, growth).await
}

/// Leaves of a job that is over what its package can be fetched from again; the bytes that this takes there.
///
/// # Errors
/// When the drone is lost or something of the job still lives.
pub async fn shed(host: &dyn Host, directory: &JobDirectory) -> Result<u64, HostError> {
    ask(host, &directory.script(include_str!("shed.sh")), "clearing up behind the job", read_kept).await
}

fn read_kept(lines: &[Vec<String>]) -> Option<u64> {
    lines.iter().find_map(|line| match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["kept", kib] => kib.parse::<u64>().ok()?.checked_mul(1024),
        _ => None,
    })
}

/// Removes a job that is over from the drone, and trims the drone's cache.
///
/// # Errors
/// When the drone is lost or something of the job still lives.
pub async fn remove(host: &dyn Host, directory: &JobDirectory) -> Result<(), HostError> {
    let script = directory.script(&format!("{}{}", include_str!("remove.sh"), cache::trim()));
    run(host, &script, "removing the job's directory").await.map(|_| ())
}
