//! What piles up on the controller, kept to the limits of the inventory: the journal, build logs, the log of pushes in the
//! background, records of unattended runs, what nothing speaks of in staging, and releases.
//!
//! `swarm prune` does all of it; after each run of a controller all but the releases is done by itself. Each area is one
//! line for the operator, and trouble with one keeps none of the others from being done. All of it may happen while
//! builds go on: what a build, a job or a standby that keeps up still needs is never touched.

mod leftovers;
mod logs;
pub mod runs;

use std::io;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;

use super::background;
use super::error::ControlError;
use super::publish;
use super::session::{Session, blocking};
use super::verb::Answer;

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is only looked at what would go.
    Look,
    /// It goes.
    Do,
}

/// So many things of so many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}

impl Amount {
    /// Of things with these sizes.
    pub(super) fn of(sizes: impl Iterator<Item = u64>) -> Self {
        let mut all = Self::default();
        sizes.for_each(|bytes| all.add(bytes));
        all
    }

    /// With one more of this size.
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.count, ByteSize(self.bytes).display().iec())
    }
}

/// What became of one area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tidied {
    /// The area.
    pub what: &'static str,
    /// What was there.
    pub there: Amount,
    /// What went, or would go.
    pub went: Amount,
}

impl Tidied {
    /// What the operator is told.
    fn line(&self, deed: Deed) -> String {
        let Self { what, there, went } = self;
        let word = match deed {
            Deed::Look => "would go",
            Deed::Do => "went",
        };
        let left =
            Amount { count: there.count.saturating_sub(went.count), bytes: there.bytes.saturating_sub(went.bytes) };
        format!("{what}: {there} were there, {went} {word}, {left} are left")
    }
}

/// Does or looks at all but the releases.
async fn tidy(session: &mut Session, deed: Deed) -> Vec<Result<Tidied, ControlError>> {
    let limits = session.inventory.housekeeping;
    let push_log = (session.logs().join(background::LOG), limits.push_log.as_u64());
    vec![
        session.prune_journal(deed),
        logs::tidy(session, deed).await,
        blocking(move || background::keep_to(&push_log.0, push_log.1, deed)).await.and_then(|tidied| tidied),
        runs::tidy(session, deed).await,
        leftovers::packages(session, deed),
        leftovers::downloads(session, deed),
        leftovers::support(session, deed),
    ]
}

/// Does what is done by itself when a run has ended; tells of what went.
pub async fn after_run(session: &mut Session) {
    for tidied in tidy(session, Deed::Do).await {
        match tidied {
            Ok(Tidied { went: Amount { count: 0, .. }, .. }) => {}
            Ok(tidied) => session.note(&tidied.line(Deed::Do)),
            Err(error) => session.note(&format!("not tidied up: {error}")),
        }
    }
}

/// Does or looks at everything. Gives what the operator is told, a line an area.
///
/// # Errors
/// The releases cannot be read, or one cannot be removed. Trouble with another area is in the answer.
pub async fn prune(session: &mut Session, deed: Deed) -> Result<Answer, ControlError> {
    let mut answer = Answer::default();
    for tidied in tidy(session, deed).await {
        answer.trouble |= tidied.is_err();
        answer.lines.push(match tidied {
            Ok(tidied) => tidied.line(deed),
            Err(error) => format!("not tidied up: {error}"),
        });
    }
    answer.lines.extend(releases(session, deed).await?);
    Ok(answer)
}

/// Removes releases until so many are left as the inventory says, and from the object storages what none of them has.
async fn releases(session: &Session, deed: Deed) -> Result<Vec<String>, ControlError> {
    let keep = usize::try_from(session.inventory.swarm.keep.get()).unwrap_or(usize::MAX);
    let releases = session.releases.clone();
    if deed == Deed::Look {
        let (surplus, there) = (releases.chronicle()?.surplus(keep), releases.list()?.len());
        let mut lines: Vec<String> = surplus.iter().map(|name| format!("release {name} would go")).collect();
        lines.push(format!("{} releases would be kept; `keep` is {keep}", there - surplus.len()));
        return Ok(lines);
    }
    let removed = blocking(move || releases.prune(keep)).await??;
    let left = session.releases.list()?.len();
    let mut lines: Vec<String> = removed.iter().map(|name| format!("release {name} is removed")).collect();
    lines.push(format!("{left} releases are kept; `keep` is {keep}"));
    lines.extend(publish::prune(session).await?);
    Ok(lines)
}

/// What is in a directory; nothing where it is not there.
fn entries(directory: &Path) -> io::Result<Vec<fs_err::DirEntry>> {
    match fs_err::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// The directories in a directory; none where it is not there.
fn below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    for entry in entries(directory)? {
        if entry.file_type()?.is_dir() {
            directories.push(entry.path());
        }
    }
    Ok(directories)
}

/// The files below a directory, with their sizes; none where it is not there. No symlink is followed.
fn files(root: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in entries(&directory)? {
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else {
                files.push((entry.path(), entry.metadata()?.len()));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_there_what_went_and_what_is_left() {
        let (there, went) = (Amount { count: 5, bytes: 5 << 20 }, Amount { count: 2, bytes: 1 << 20 });
        let tidied = Tidied { what: "logs", there, went };
        assert_eq!(tidied.line(Deed::Do), "logs: 5 (5.0 MiB) were there, 2 (1.0 MiB) went, 3 (4.0 MiB) are left");
        assert!(tidied.line(Deed::Look).contains("2 (1.0 MiB) would go"));
    }
}
