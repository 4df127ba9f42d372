//! The text that `emerge -p` prints: what it would merge, as packages with exact versions.
//!
//! The text has no grammar of its own; these are the lines that `_emerge/resolver/output.py` of Portage writes, with
//! or without `--verbose`, `--quiet`, `--columns`, `--tree` and colours:
//!
//! ```text
//! [ebuild  N     ] cat/name-1.0:0/2::repo [0.9] USE="…" 0 KiB     `[binary …]` adds -BUILDID to the version
//! [ebuild  N     ] cat/name       [1.0:0/2::repo]    [0.9] …      with --columns
//!  N     cat/name 1.0 [0.9]                                       with --columns and --quiet
//! [nomerge …] [uninstall …] [blocks b …] [blocks B …]             nothing to merge; B is not solved
//! ```
//!
//! The marks in the bracket stand in fixed columns (`MARKS`). Every other line is passed over, and so is whatever a
//! terminal or a log put before such a line. A line that has the beginning of a merge and not the rest is an error:
//! leaving it out would leave out a package. Cost: linear in the text.

use std::collections::HashSet;
use std::str::FromStr;

use super::list::{BadLine, BadLines};
use super::terminal;
use crate::core::package::{Cpv, Slot};
use crate::core::text::counted;

/// The marks of a merge, column by column: interactive, new or forced, slot or replaced, fetch-restricted or remote,
/// version, downgrade, masked.
const MARKS: [&str; 7] = ["I", "Nr", "SR", "fFg", "U", "D", "#*~"];

/// Where the name stands with `--quiet --columns`: behind six marks (the seventh is never shown there) and a blank.
const QUIET_NAME_COLUMN: usize = 7;

/// So many characters before the name are looked at: a line may hold a hundred thousand names.
const QUIET_MARKS_REACH: usize = 100;

/// The heading of a list; `in reverse order` with `--tree`.
const HEADING: &str = "These are the packages that would be ";

/// What an `emerge -p` would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pretend {
    /// What is to be merged, in Portage's order, without duplicates; never empty.
    pub packages: Vec<Cpv>,
    /// Whether packages block each other and the resolver found no way out.
    pub blockers_unsolved: bool,
    /// Whether two versions were wanted in one slot.
    pub slot_conflict: bool,
    /// Whether the resolver found no order because packages need each other.
    pub circular: bool,
    /// What the operator should know, one a line: a list that counts more packages than were found.
    pub warnings: Vec<String>,
}

/// Why a text could not be read as the output of `emerge -p`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PretendError {
    /// Some lines begin like a merge and do not go on like one.
    #[error("{0}")]
    Lines(BadLines),
    /// It is a list, and it says that it is empty.
    #[error("line {line}: Portage has nothing to merge there (`Total: 0 packages`)")]
    Nothing {
        /// The line that says so, counted from 1.
        line: usize,
    },
    /// There is no merge in the text.
    #[error(
        "the text names nothing to merge; the output of `emerge -p` is expected, with lines such as \
         `[ebuild  N     ] category/name-version`"
    )]
    NoList,
}

impl FromStr for Pretend {
    type Err = PretendError;

    /// Reads the text, as it was printed or pasted.
    ///
    /// # Errors
    /// Every line that looks like a merge and cannot be read, all together; a text without a merge.
    fn from_str(text: &str) -> Result<Self, PretendError> {
        let mut reader = Reader::default();
        for (place, line) in text.lines().enumerate() {
            for shown in terminal::shown(line) {
                reader.read(place + 1, &shown);
            }
        }
        reader.finish()
    }
}

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Heading { reverse: bool },
    Merge { cpv: Cpv, depth: usize },
    Total(usize),
    BlockersUnsolved,
    SlotConflict,
    Circular,
    Other,
}

/// Gathers the lines of a text that may hold several lists.
#[derive(Default)]
struct Reader {
    packages: Vec<Cpv>,
    /// The merges of the list at hand.
    list: Vec<Cpv>,
    /// Whether that list has the last merge first.
    reverse: bool,
    bad: Vec<BadLine>,
    empty_total: Option<usize>,
    blockers_unsolved: bool,
    slot_conflict: bool,
    circular: bool,
    warnings: Vec<String>,
}

impl Reader {
    fn read(&mut self, number: usize, text: &str) {
        match classify(text) {
            Ok(Line::Heading { reverse }) => {
                self.end_list();
                self.reverse = reverse;
            }
            Ok(Line::Merge { cpv, depth }) => {
                self.reverse |= depth > 0;
                self.list.push(cpv);
            }
            Ok(Line::Total(total)) => {
                self.check_total(number, total);
                self.end_list();
            }
            Ok(Line::BlockersUnsolved) => self.blockers_unsolved = true,
            Ok(Line::SlotConflict) => self.slot_conflict = true,
            Ok(Line::Circular) => self.circular = true,
            Ok(Line::Other) => {}
            Err(reason) => self.bad.push(BadLine::new(number, text.trim(), reason)),
        }
    }

    /// More lines than the total are no fault: lists without a total may stand before this one.
    fn check_total(&mut self, number: usize, total: usize) {
        if total == 0 {
            self.empty_total = Some(number);
        }
        let found = self.list.len();
        if found < total && self.bad.is_empty() {
            self.warnings.push(format!(
                "line {number} counts {}, but the list above it has only {found}: was it cut?",
                counted(total, "package")
            ));
        }
    }

    fn end_list(&mut self) {
        if std::mem::take(&mut self.reverse) {
            self.list.reverse();
        }
        self.packages.append(&mut self.list);
    }

    fn finish(mut self) -> Result<Pretend, PretendError> {
        self.end_list();
        if !self.bad.is_empty() {
            return Err(PretendError::Lines(BadLines(self.bad)));
        }
        if self.packages.is_empty() {
            return Err(self.empty_total.map_or(PretendError::NoList, |line| PretendError::Nothing { line }));
        }
        let mut seen = HashSet::new();
        self.packages.retain(|cpv| seen.insert(cpv.clone()));
        Ok(Pretend {
            packages: self.packages,
            blockers_unsolved: self.blockers_unsolved,
            slot_conflict: self.slot_conflict,
            circular: self.circular,
            warnings: self.warnings,
        })
    }
}

fn classify(text: &str) -> Result<Line, String> {
    if let Some(merge) = bracketed_merge(text) {
        return merge;
    }
    if let Some((_, order)) = text.split_once(HEADING) {
        return Ok(Line::Heading { reverse: order.contains("in reverse order") });
    }
    if let Some(total) = total(text) {
        return Ok(Line::Total(total));
    }
    if is_unsolved_blocker(text) {
        return Ok(Line::BlockersUnsolved);
    }
    if text.contains("resulting in a slot conflict") {
        return Ok(Line::SlotConflict);
    }
    if text.contains("* Error: circular dependencies") {
        return Ok(Line::Circular);
    }
    quiet_columns_merge(text).unwrap_or(Ok(Line::Other))
}

/// `Total: 4 packages (…), Size of downloads: …`
fn total(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once("Total: ")?;
    let (count, rest) = rest.split_once(' ')?;
    if rest.starts_with("package") { count.parse().ok() } else { None }
}

fn is_unsolved_blocker(text: &str) -> bool {
    let quiet_columns = || {
        let mut words = text.split_whitespace();
        words.next() == Some("B") && words.next().is_some_and(|atom| atom.contains('/'))
    };
    text.contains("[blocks B") || (text.contains("Conflict: ") && text.contains(" unsatisfied)")) || quiet_columns()
}

/// A merge with its kind and marks in a bracket; `None` where the line has no such bracket.
fn bracketed_merge(text: &str) -> Option<Result<Line, String>> {
    let (after, binary) = ["[ebuild ", "[binary "]
        .iter()
        .filter_map(|kind| text.find(kind).map(|at| (at, kind)))
        .min()
        .and_then(|(at, kind)| Some((text.get(at + kind.len()..)?, *kind == "[binary ")))?;
    Some(after_kind(after, binary))
}

fn after_kind(text: &str, binary: bool) -> Result<Line, String> {
    let (marks, rest) = text.split_once(']').ok_or("the bracket with the marks is not closed")?;
    if marks.chars().count() > MARKS.len() || !in_columns(marks) {
        return Err(format!("{marks:?} are not the marks of a merge ({})", MARKS.join(" ")));
    }
    let depth = rest.chars().take_while(|each| *each == ' ').count().saturating_sub(1);
    let mut words = rest.split_whitespace();
    let first = words.next().ok_or("no package is behind the bracket")?;
    let (name, suffix) = split_suffix(first);
    let cpv = match whole_package(name, binary) {
        Some(cpv) => cpv,
        None => {
            let version = words.next().and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
            return in_version_column(first, version).map(|cpv| Line::Merge { cpv, depth });
        }
    };
    check_suffix(suffix)?;
    Ok(Line::Merge { cpv, depth })
}

/// The name in one column and the version, with what follows it, in the next.
fn in_version_column(name: &str, version: Option<&str>) -> Result<Cpv, String> {
    let unreadable = || format!("{name:?} is not `category/name-version`, and no `[version]` follows it");
    let (version, suffix) = split_suffix(version.ok_or_else(unreadable)?);
    let cpv = package_of(name, version).ok_or_else(unreadable)?;
    check_suffix(suffix)?;
    Ok(cpv)
}

/// Divides `1.0:0/2::repo` before the first colon.
fn split_suffix(word: &str) -> (&str, &str) {
    word.split_at(word.find(':').unwrap_or(word.len()))
}

/// `:slot`, `::repository`, both or nothing.
fn check_suffix(suffix: &str) -> Result<(), String> {
    let (slot, repository) = suffix.split_once("::").map_or((suffix, None), |(slot, name)| (slot, Some(name)));
    let slot_good = slot.is_empty() || slot.strip_prefix(':').is_some_and(|slot| slot.parse::<Slot>().is_ok());
    let repository_good = repository.is_none_or(|name| {
        !name.is_empty() && name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '_' | '-'))
    });
    if slot_good && repository_good {
        Ok(())
    } else {
        Err(format!("{suffix:?} is not a slot and a repository (`:slot/sub-slot::repository`)"))
    }
}

/// `category/name-version`, of a binary package with or without its build id.
fn whole_package(text: &str, binary: bool) -> Option<Cpv> {
    // The build id is looked for first: `name-1.0-2` alone could be read as version 2 of `name-1.0`.
    let without_build_id = if binary { strip_build_id(text).and_then(|bare| bare.parse().ok()) } else { None };
    without_build_id.or_else(|| text.parse().ok())
}

/// The package of this name with this version; a build id behind the version is dropped.
fn package_of(name: &str, version: &str) -> Option<Cpv> {
    let exact = |version: &str| {
        let cpv: Cpv = format!("{name}-{version}").parse().ok()?;
        (cpv.package() == name).then_some(cpv)
    };
    exact(version).or_else(|| exact(strip_build_id(version)?))
}

fn strip_build_id(text: &str) -> Option<&str> {
    let (before, id) = text.rsplit_once('-')?;
    (!id.is_empty() && id.bytes().all(|each| each.is_ascii_digit())).then_some(before)
}

/// Whether marks and blanks are in the order of their columns, none twice.
fn in_columns(marks: &str) -> bool {
    let mut next = 0;
    marks.chars().filter(|each| *each != ' ').all(|mark| match column(mark) {
        Some(column) if column >= next => {
            next = column + 1;
            true
        }
        _ => false,
    })
}

fn column(mark: char) -> Option<usize> {
    MARKS.iter().position(|marks| marks.contains(mark))
}

/// A merge as `--quiet --columns` prints it: marks, name, version. `None` where the line is something else.
fn quiet_columns_merge(text: &str) -> Option<Result<Line, String>> {
    words_with_place(text).filter(|(_, word)| word.contains('/')).find_map(|(name_at, name)| {
        portage_atom::Cpn::parse(name).ok()?;
        let marks = QuietMarks::before(text.get(..name_at)?)?;
        let version = text.get(name_at + name.len()..)?.split_whitespace().next();
        let Some(cpv) = version.and_then(|version| package_of(name, version)) else {
            let meant =
                marks.first || version.is_some_and(|version| version.starts_with(|each: char| each.is_ascii_digit()));
            return meant.then(|| Err(format!("{name:?} has no version behind it")));
        };
        if name_at - marks.at > QUIET_NAME_COLUMN.saturating_sub(marks.column) {
            return Some(Err("a tree that is quiet and in columns does not tell what is merged and what is only \
                             shown: leave out `--tree`, `--quiet` or `--columns`"
                .to_owned()));
        }
        Some(Ok(Line::Merge { cpv, depth: 0 }))
    })
}

/// The marks right before a name, without a bracket.
struct QuietMarks {
    /// The byte where the first of them stands.
    at: usize,
    /// The column that it belongs to.
    column: usize,
    /// Whether nothing but blanks stands before them.
    first: bool,
}

impl QuietMarks {
    /// The longest run of words at the end of the text that are marks, if something is merged by it: it is new, in a
    /// new slot, replaced, or another version.
    fn before(text: &str) -> Option<Self> {
        column(text.trim_end_matches(' ').chars().next_back()?)?;
        let near = text.char_indices().rev().take(QUIET_MARKS_REACH).last().map_or(0, |(at, _)| at);
        // Where the text goes back further, its part may begin inside of a word.
        let near = if near == 0 { 0 } else { near + text.get(near..)?.find(' ')? };
        let (at, marks) = words_with_place(text.get(near..)?)
            .filter_map(|(at, _)| Some((near + at, text.get(near + at..)?)))
            .find(|(_, tail)| in_columns(tail))?;
        let column = column(marks.chars().next()?)?;
        let first = text.get(..at)?.trim().is_empty();
        marks.contains(['N', 'r', 'S', 'R', 'U']).then_some(Self { at, column, first })
    }
}

/// The words of a text, each with the byte where it begins.
fn words_with_place(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split(' ').filter_map(move |word| {
        let at = next;
        next += word.len() + 1;
        (!word.is_empty()).then_some((at, word))
    })
}

#[cfg(test)]
mod tests;
