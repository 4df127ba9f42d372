//! Releases, their differences and their checks, as people see them.

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};

use super::table::{Cell, Table, Tone};
use super::terminal;
use crate::core::names::ReleaseName;
use crate::release::diff::Diff;
use crate::release::shown::{Mark, Shown};
use crate::release::verify::Verified;

/// The kept releases as a table.
pub fn table(shown: &[Shown]) -> Table {
    let mut table =
        Table::new(["release", "made", "packages", "size", "from", "marks"]).numbers("packages").numbers("size");
    for release in shown {
        let from = match (&release.build, &release.rollback_to) {
            (Some(build), _) if release.partial => format!("a part of build {build}"),
            (Some(build), _) => format!("build {build}"),
            (None, Some(to)) => format!("roll-back to {to}"),
            (None, None) => "found here".to_owned(),
        };
        let is = |mark| release.marks.contains(&mark);
        let words = release.marks.iter().map(|mark| match mark {
            Mark::Live => "live",
            Mark::Left => "left",
            Mark::NeverLive => "never live",
        });
        let tone = match () {
            () if is(Mark::Live) => Tone::Good,
            () if is(Mark::Left) => Tone::Warning,
            () => Tone::Faint,
        };
        table.row([
            Cell::from(&release.id),
            Cell::optional(release.date),
            Cell::from(release.packages),
            Cell::from(ByteSize(release.size)),
            Cell::from(from),
            Cell::new(words.collect::<Vec<_>>().join(", "), tone),
        ]);
    }
    table
}

/// A difference, one line a package.
pub fn differences(diff: &Diff) -> Table {
    let mut table = Table::new(["", "package", "before", "slot", "use", "size", "size before"])
        .numbers("size")
        .numbers("size before");
    let blank = || Cell::from("");
    for side in &diff.added {
        let size = Cell::from(ByteSize(side.size));
        table.row([Cell::new("+", Tone::Good), Cell::from(&side.cpv), blank(), blank(), blank(), size]);
    }
    for side in &diff.removed {
        let size = Cell::from(ByteSize(side.size));
        table.row([Cell::new("-", Tone::Bad), blank(), Cell::from(&side.cpv), blank(), blank(), blank(), size]);
    }
    for change in &diff.changed {
        table.row([
            Cell::new("~", Tone::Warning),
            Cell::from(&change.to.cpv),
            Cell::from(&change.from.cpv),
            Cell::from(&change.slot),
            Cell::from(change.flags.join(" ")),
            Cell::from(ByteSize(change.to.size)),
            Cell::from(ByteSize(change.from.size)),
        ]);
    }
    table
}

/// A difference in one line.
pub fn sum(diff: &Diff) -> String {
    match diff.is_empty() {
        true => "no difference".to_owned(),
        false => format!("{} new, {} gone, {} changed", diff.added.len(), diff.removed.len(), diff.changed.len()),
    }
}

/// What a check has found bad.
pub fn bad(verified: &Verified) -> Table {
    let mut table = Table::new(["bad", "why"]);
    for (file, flaw) in &verified.bad {
        table.row([Cell::new(file, Tone::Bad), Cell::from(flaw)]);
    }
    table
}

/// What a check comes to, and what is to be done.
pub fn verdict(name: &ReleaseName, verified: &Verified) -> String {
    let all = format!("{} packages, {}", verified.packages, ByteSize(verified.bytes));
    match verified.bad.len() {
        0 => format!("{all}: every file is what the index says"),
        bad => format!(
            "{all}: {bad} bad. Clients cannot have these; the next `swarm push` builds them anew and the next release is \
             without what is bad now; where {name} is live, `swarm rollback` leaves it at once"
        ),
    }
}

/// How far a check has come: a bar on a terminal, nothing elsewhere.
#[derive(Debug)]
pub struct Hashing(ProgressBar);

impl Default for Hashing {
    fn default() -> Self {
        Self::new()
    }
}

impl Hashing {
    /// Nothing has been looked at yet.
    pub fn new() -> Self {
        let bar = if terminal::redraws_errors() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) =
            ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}")
        {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// There are so many bytes.
    pub fn begin(&self, bytes: u64) {
        self.0.set_length(bytes);
    }

    /// So many more are done.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// It is over.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
