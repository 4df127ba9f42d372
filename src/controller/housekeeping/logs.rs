//! Build logs: `logs/CAT/PF/JOB.log`.
//!
//! One that is too old goes, unless its build is still known to `status`, `explain` and `logs`. Where all together are too
//! large, the oldest go: first of builds that nobody knows any more, then of those that are released, then of the others.
//! That of a job under way never does. Cost: a look at every log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Amount, Deed, Tidied, below};
use crate::controller::error::ControlError;
use crate::controller::session::{Session, blocking, now};
use crate::core::names::{BuildName, JobName, Timestamp};
use crate::core::state::State;

/// Who may still ask for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Interest {
    /// Its build is forgotten.
    Nobody,
    /// Its build is released.
    Some,
    /// Its build is not released.
    Much,
    /// Its job is under way.
    UnderWay,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Log {
    path: PathBuf,
    bytes: u64,
    written: Timestamp,
    interest: Interest,
}

/// Whose log it is, told by its name.
struct Interests {
    jobs: BTreeSet<JobName>,
    /// Whether each known build is released.
    builds: BTreeMap<BuildName, bool>,
}

impl Interests {
    fn of(state: &State) -> Self {
        Self {
            jobs: state.jobs.keys().cloned().collect(),
            builds: state.builds.values().map(|build| (build.name.clone(), build.released.is_some())).collect(),
        }
    }

    fn in_log(&self, job: &str) -> Interest {
        if job.parse().is_ok_and(|job: JobName| self.jobs.contains(&job)) {
            return Interest::UnderWay;
        }
        // A job's name is its build's with a number behind it.
        let build = job.rsplit_once('-').and_then(|(build, _)| self.builds.get(&build.parse::<BuildName>().ok()?));
        match build {
            None => Interest::Nobody,
            Some(true) => Interest::Some,
            Some(false) => Interest::Much,
        }
    }
}

/// Keeps them to their limits.
pub(super) async fn tidy(session: &Session, deed: Deed) -> Result<Tidied, ControlError> {
    let (root, limits, interests) = (session.logs(), session.inventory.housekeeping, Interests::of(session.state()));
    let now = now();
    let work = move || {
        let logs = list(&root, &interests)?;
        let there = Amount::of(logs.iter().map(|log| log.bytes));
        let surplus = surplus(logs, now, limits.logs, limits.logs_size.as_u64());
        let went = Amount::of(surplus.iter().map(|log| log.bytes));
        if deed == Deed::Do {
            for log in &surplus {
                fs_err::remove_file(&log.path)?;
                // Directories with other logs stay.
                let package = log.path.parent();
                let _stay =
                    package.map(std::fs::remove_dir).and(package.and_then(Path::parent).map(std::fs::remove_dir));
            }
        }
        Ok(Tidied { what: "build logs", there, went })
    };
    let doing = "keep the build logs to their limits".to_owned();
    blocking(work).await?.map_err(|source: std::io::Error| ControlError::Local { doing, source })
}

fn list(root: &Path, interests: &Interests) -> std::io::Result<Vec<Log>> {
    let mut logs = Vec::new();
    for package in below(root)?.into_iter().map(|category| below(&category)).collect::<Result<Vec<_>, _>>()?.concat() {
        for entry in fs_err::read_dir(&package)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".log"));
            let Some(interest) = name.map(|job| interests.in_log(job)) else { continue };
            let metadata = fs_err::symlink_metadata(&path)?;
            let written = Timestamp(std::os::unix::fs::MetadataExt::mtime(&metadata));
            if metadata.is_file() {
                logs.push(Log { bytes: metadata.len(), path, written, interest });
            }
        }
    }
    Ok(logs)
}

/// Those that go.
fn surplus(mut logs: Vec<Log>, now: Timestamp, age: Duration, size: u64) -> Vec<Log> {
    logs.sort_by_key(|log| (log.interest, log.written));
    let mut left: u64 = logs.iter().map(|log| log.bytes).sum();
    logs.retain(|log| {
        let old = log.interest == Interest::Nobody && now.seconds_since(log.written) > age.as_secs();
        let goes = old || (left > size && log.interest < Interest::UnderWay);
        if goes {
            left -= log.bytes;
        }
        goes
    });
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn log(name: &str, interest: Interest, days_ago: i64, bytes: u64) -> Log {
        Log { path: name.into(), bytes, written: Timestamp(1000 * DAY - days_ago * DAY), interest }
    }

    #[test]
    fn what_is_old_and_nobodys_goes_and_then_what_is_of_least_interest() {
        let logs = vec![
            log("running", Interest::UnderWay, 9, 100),
            log("open", Interest::Much, 40, 10),
            log("released", Interest::Some, 40, 10),
            log("released lately", Interest::Some, 2, 10),
            log("young", Interest::Nobody, 3, 10),
            log("old", Interest::Nobody, 31, 10),
        ];
        let age = Duration::from_secs(30 * DAY as u64);
        for (size, gone) in [
            (1000, &["old"][..]),
            (135, &["old", "young"]),
            (125, &["old", "young", "released"]),
            (0, &["old", "young", "released", "released lately", "open"]),
        ] {
            let went = surplus(logs.clone(), Timestamp(1000 * DAY), age, size);
            let went: Vec<&str> = went.iter().map(|log| log.path.to_str().unwrap()).collect();
            assert_eq!(went, gone, "{size}");
        }
    }

    #[test]
    fn a_log_is_of_interest_as_its_build_is_known() {
        let interests = Interests {
            jobs: ["b2-7".parse().unwrap()].into(),
            builds: [("b2".parse().unwrap(), false), ("b1".parse().unwrap(), true)].into(),
        };
        for (job, interest) in [
            ("b2-7", Interest::UnderWay),
            ("b2-6", Interest::Much),
            ("b1-3.4", Interest::Some),
            ("b0-1", Interest::Nobody),
            ("b", Interest::Nobody),
            ("..", Interest::Nobody),
        ] {
            assert_eq!(interests.in_log(job), interest, "{job}");
        }
    }
}
