//! Logs of builds: those that are kept on this side, and those that grow there while a job runs, piece by piece.
//!
//! A log is named by its package and its job, never by a path: it is one of those that lie in the package's own directory,
//! or that of the job that builds the package. It is shown as text in which nothing acts unseen.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::answer::{self, Asked, Trouble};
use super::looks::aside;
use super::package;
use crate::controller::kept_log::KeptLog;
use crate::core::build::{Build, Phase};
use crate::core::names::{JobName, Timestamp};
use crate::core::plan::PackageIndex;
use crate::core::state::State;
use crate::core::status::Moment;
use crate::core::text::{escaped, whole_characters};
use crate::http::path::FilePath;
use crate::orchestrator::file::Found;
use crate::orchestrator::routes::Service;

/// So much of a log (bytes) is given unless somebody says otherwise.
const USUAL: u64 = 64 << 10;
/// More (bytes) is never given at once.
const MOST: u64 = 256 << 10;
/// So many logs of a package are named.
const NAMED: usize = 20;

/// A log.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LogView {
    /// Its job.
    pub job: JobName,
    /// Its length in bytes.
    pub length: u64,
    /// When it last grew.
    pub modified: Moment,
    /// Whether its job is at work.
    pub running: bool,
}

/// The job that builds the package.
fn at_work<'a>(state: &State, build: &'a Build, package: PackageIndex) -> Option<&'a JobName> {
    match &build.packages[package.index()].phase {
        Phase::Delegated(job) => state.jobs.contains_key(job).then_some(job),
        Phase::Needed | Phase::Received(_) | Phase::Failed => None,
    }
}

/// The latest logs of a package, the last that was written first. One that cannot be looked at is none.
pub fn list(logs: &Path, state: &State, build: &Build, package: PackageIndex) -> Vec<LogView> {
    let running = at_work(state, build, package);
    let directory = logs.join(KeptLog::directory(&build.identity(package).cpv));
    let view = |entry: fs_err::DirEntry| {
        let (name, metadata) = (entry.file_name(), entry.metadata().ok().filter(std::fs::Metadata::is_file)?);
        let job: JobName = name.to_str()?.strip_suffix(".log")?.parse().ok()?;
        let modified = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let (running, length) = (running == Some(&job), metadata.len());
        Some(LogView { job, length, modified: Moment(Timestamp(i64::try_from(modified).ok()?)), running })
    };
    let entries = fs_err::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<_> = entries.filter_map(view).collect();
    found.sort_by(|left, right| {
        let key = |view: &LogView| (!view.running, std::cmp::Reverse(view.modified.0));
        key(left).cmp(&key(right)).then(right.job.cmp(&left.job))
    });
    found.truncate(NAMED);
    found
}

/// `?package=&job=&offset=&limit=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A package's number, or its name.
    package: String,
    /// Its job; the latest where it is left out.
    job: Option<JobName>,
    /// The first byte; left out, as many as fit before the end.
    offset: Option<u64>,
    /// So many bytes at most.
    limit: Option<u64>,
}

/// A piece of a log.
#[derive(Debug, Serialize)]
struct Piece {
    label: String,
    #[serde(flatten)]
    log: LogView,
    /// The first byte of this piece.
    offset: u64,
    /// The byte after the last one of this piece.
    next: u64,
    /// Its text.
    text: String,
}

/// `GET /page/log`.
///
/// # Errors
/// There is no such log, or it cannot be read.
pub async fn answer(
    Shared(service): Shared<Arc<Service>>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Trouble> {
    let limit = wanted.limit.unwrap_or(USUAL);
    if limit > MOST {
        return Err(Trouble::senseless(format!("at most {MOST} bytes are given at once")));
    }
    let read = service.read().await?;
    let (build, package) = package::find(&read.state, &wanted.package)?;
    let label = build.label(package).to_owned();
    let logs = service.looks.logs();
    let log = list(logs, &read.state, build, package)
        .into_iter()
        .find(|log| wanted.job.as_ref().is_none_or(|job| *job == log.job))
        .ok_or_else(|| Trouble::absent(format!("{label} has no such log")))?;
    let path = KeptLog::directory(&build.identity(package).cpv).join(format!("{}.log", log.job));
    let path = path.to_str().and_then(FilePath::parse).ok_or_else(|| Trouble::absent("that is no log's name"))?;
    let logs = logs.to_owned();
    let found = aside(move || Found::open(&logs, &path)).await?.map_err(Trouble::unreadable)?;
    let found = found.ok_or_else(|| Trouble::absent(format!("the log of {label} is gone")))?;
    let length = found.length;
    let offset = wanted.offset.unwrap_or(length.saturating_sub(limit)).min(length);
    let range = offset..offset.saturating_add(limit).min(length);
    let bytes: Vec<_> = found.bytes(range, Arc::default()).try_collect().await.map_err(Trouble::unreadable)?;
    let mut bytes = bytes.concat();
    // Of a character that is not all there yet the next piece has all.
    bytes.truncate(whole_characters(&bytes));
    let text = escaped(&String::from_utf8_lossy(&bytes));
    let next = offset + bytes.len() as u64;
    answer::json(&headers, &Piece { label, log: LogView { length, ..log }, offset, next, text })
}
