//! Walking a TOML document that people write, with a place for every fault.
//!
//! A `Section` is one table. Its getters parse what is there and note a fault where it is not as wanted; every key
//! that is asked for is thereby a known one, and `Section::finish` refuses the others. Nothing stops at a fault.

pub mod fault;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::core::nearest::{did_you_mean, nearest};
use fault::Fault;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub file: Arc<PathBuf>,
    pub line: usize,
    pub key: String,
}

impl Site {
    /// A fault at this place.
    pub fn fault(&self, problem: impl Into<String>, help: Option<String>) -> Fault {
        Fault { file: self.file.clone(), line: self.line, key: self.key.clone(), problem: problem.into(), help }
    }

    /// File and line, to point at it from elsewhere.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// What reading needs and gathers.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// What `~` stands for.
    pub home: Option<&'a Path>,
    /// The faults so far.
    pub faults: Vec<Fault>,
    /// Lines that are no TOML: what else is said of them would only be an echo.
    broken: BTreeSet<(Arc<PathBuf>, usize)>,
}

impl<'a> Reading<'a> {
    /// Nothing read yet.
    pub fn new(home: Option<&'a Path>) -> Self {
        Self { home, faults: Vec::new(), broken: BTreeSet::new() }
    }

    /// All faults, by file and line, without echoes.
    pub fn into_faults(self) -> Vec<Fault> {
        let Self { mut faults, broken, .. } = self;
        faults.retain(|fault| fault.key.is_empty() || !broken.contains(&(fault.file.clone(), fault.line)));
        faults.sort();
        faults.dedup();
        faults
    }

    fn is_broken(&self, file: &Arc<PathBuf>) -> bool {
        self.broken.iter().any(|(broken, _)| broken == file)
    }
}

/// One file's text.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    file: Arc<PathBuf>,
    text: &'a str,
    /// The byte offsets of its line ends.
    ends: Vec<usize>,
    root: Spanned<DeTable<'a>>,
}

/// So many lines of one file that are no TOML are told; each costs a walk over the file.
const ERRORS_LIMIT: usize = 50;

impl<'a> Document<'a> {
    /// Parses the text as far as it is TOML and notes where it is not.
    pub fn parse(file: &Path, text: &'a str, reading: &mut Reading<'_>) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let ends = text.match_indices('\n').map(|(end, _)| end).collect();
        let document = Self { file: Arc::new(file.to_owned()), text, ends, root };
        let mut repeated_headers = BTreeSet::new();
        for error in errors.iter().take(ERRORS_LIMIT) {
            let offset = error.span().map_or(0, |span| span.start);
            let line = document.line(offset);
            let (key, problem) = if error.message() == "duplicate key" {
                let (header_line, header) = document.header_at(offset);
                if header_line == line {
                    repeated_headers.insert(line);
                    (header.to_owned(), repeated(header))
                } else if repeated_headers.contains(&header_line) {
                    continue; // the whole table is there twice, and with it its keys
                } else {
                    let key = document.key_at(offset);
                    let path = if header.is_empty() { key.to_owned() } else { format!("{header}.{key}") };
                    (path.clone(), repeated(&path))
                }
            } else {
                reading.broken.extend(document.reach_of(line).map(|line| (document.file.clone(), line)));
                (String::new(), format!("this is not TOML: {}", error.message().replace('\n', ", ")))
            };
            reading.faults.push(Fault { file: document.file.clone(), line, key, problem, help: None });
        }
        document
    }

    /// The table of the whole file.
    pub fn root(&'a self) -> Section<'a> {
        let site = Site { file: self.file.clone(), line: 1, key: String::new() };
        Section { document: self, site, table: self.root.get_ref(), known: Vec::new(), required: Vec::new() }
    }

    /// The line, counted from 1, of a byte offset.
    fn line(&self, offset: usize) -> usize {
        1 + self.ends.partition_point(|end| *end < offset)
    }

    /// The lines that a broken one spoils: itself and, where it is a header, those below it.
    fn reach_of(&self, line: usize) -> std::ops::Range<usize> {
        let is_header = |line: &str| line.trim_start().starts_with('[');
        let mut lines = self.text.lines().skip(line - 1);
        let below = match lines.next() {
            Some(first) if is_header(first) => lines.take_while(|line| !is_header(line)).count(),
            _ => 0,
        };
        line..line + 1 + below
    }

    /// The last table header up to the line of this offset: its line and the name in it; (0, "") where there is none.
    fn header_at(&self, offset: usize) -> (usize, &'a str) {
        let header = |line: &'a str| line.trim().strip_prefix('[')?.split_once(']').map(|(name, _)| name.trim());
        let lines = self.text.lines().take(self.line(offset)).enumerate();
        lines.filter_map(|(index, line)| Some((index + 1, header(line)?))).last().unwrap_or((0, ""))
    }

    /// The key on the line of this offset.
    fn key_at(&self, offset: usize) -> &'a str {
        let line = self.text.lines().nth(self.line(offset) - 1).unwrap_or_default();
        line.split('=').next().unwrap_or_default().trim()
    }
}

/// What to say of something that is there a second time.
fn repeated(key: &str) -> String {
    let names_a_host = ["hosts.", "orchestrators.", "drones."]
        .iter()
        .any(|table| key.strip_prefix(table).is_some_and(|name| !name.contains('.')));
    let problem = if names_a_host { "two hosts of one name" } else { "this is there twice" };
    problem.to_owned()
}

/// One table of a document.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    document: &'a Document<'a>,
    /// Where its header is.
    pub site: Site,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    required: Vec<(&'static str, &'static str)>,
}

impl<'a> Section<'a> {
    /// Where a key of it is; its header where the key is missing.
    pub fn site_of(&self, key: &str) -> Site {
        let offset = self.table.get_key_value(key).map(|(key, _)| key.span().start);
        Site {
            file: self.site.file.clone(),
            line: offset.map_or(self.site.line, |offset| self.document.line(offset)),
            key: self.path_of(key),
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.site.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.site.key) }
    }

    fn entry(&mut self, key: &'static str) -> Option<&'a DeValue<'a>> {
        self.known.push(key);
        self.table.get(key).map(Spanned::get_ref)
    }

    fn refuse(&self, key: &str, problem: impl Into<String>, help: Option<String>, reading: &mut Reading<'_>) {
        reading.faults.push(self.site_of(key).fault(problem, help));
    }

    /// Whether a key is there at all, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Says that a key is wanted here, and what it is for; [`Section::finish`] looks for it.
    pub fn require(&mut self, key: &'static str, purpose: &'static str) {
        self.required.push((key, purpose));
    }

    /// A text, parsed.
    pub fn text<T, E: Display>(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.entry(key)?;
        let parsed = match value {
            DeValue::String(text) => parse(text).map_err(|problem| problem.to_string()),
            other => Err(wrong_type("a text in quotes", other)),
        };
        parsed.map_err(|problem| self.refuse(key, problem, None, reading)).ok()
    }

    /// A list of texts, each parsed; one text alone counts as a list of one. None as soon as one is at fault.
    pub fn texts<T, E: Display>(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let value = self.entry(key)?;
        let one = |value: &DeValue<'_>| match value {
            DeValue::String(text) => parse(text).map_err(|problem| problem.to_string()),
            other => Err(wrong_type("a text in quotes", other)),
        };
        let parsed: Vec<Result<T, String>> = match value {
            DeValue::Array(values) => values.iter().map(|value| one(value.get_ref())).collect(),
            DeValue::String(_) => vec![one(value)],
            other => vec![Err(wrong_type("a text or a list of texts", other))],
        };
        let mut good = Vec::new();
        for result in parsed {
            match result {
                Ok(value) => good.push(Some(value)),
                Err(problem) => {
                    self.refuse(key, problem, None, reading);
                    good.push(None);
                }
            }
        }
        good.into_iter().collect()
    }

    /// A list of texts, each parsed, that one text alone is not taken for. None as soon as one is at fault.
    pub fn list<T, E: Display>(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        match self.table.get(key).map(Spanned::get_ref) {
            Some(DeValue::Array(_)) | None => self.texts(key, reading, parse),
            Some(other) => {
                self.known.push(key);
                self.refuse(key, wrong_type("a list of texts", other), None, reading);
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<bool> {
        match self.entry(key)? {
            DeValue::Boolean(flag) => Some(*flag),
            other => {
                self.refuse(key, wrong_type("true or false", other), None, reading);
                None
            }
        }
    }

    /// A whole number, not less than `least`, that fits its type.
    pub fn number<T: TryFrom<i64> + Display>(
        &mut self,
        key: &'static str,
        least: i64,
        reading: &mut Reading<'_>,
    ) -> Option<T> {
        let value = self.entry(key)?;
        let parsed = match value {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .filter(|number| *number >= least)
                .and_then(|number| T::try_from(number).ok())
                .ok_or_else(|| match integer.as_str() {
                    text if text.starts_with('-') || text == "0" => format!("{text} is too small: at least {least}"),
                    text => format!("{text} is out of range"),
                }),
            other => Err(wrong_type("a whole number", other)),
        };
        parsed.map_err(|problem| self.refuse(key, problem, None, reading)).ok()
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, key: &'static str, reading: &mut Reading<'_>, words: &[(&str, T)]) -> Option<T> {
        let value = self.entry(key)?;
        let candidates = words.iter().map(|(word, _)| *word);
        let DeValue::String(text) = value else {
            let wanted: Vec<String> = candidates.map(|word| format!("{word:?}")).collect();
            self.refuse(key, wrong_type(&wanted.join(" or "), value), None, reading);
            return None;
        };
        let found = words.iter().find(|(word, _)| word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            self.refuse(key, format!("{text:?} is none of its words"), did_you_mean(text, candidates), reading);
        }
        found
    }

    /// A path on this machine: absolute, or below the home as `~/…`.
    pub fn path(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<PathBuf> {
        let home = reading.home;
        self.text(key, reading, |text| local_path(text, home))
    }

    /// The same, or `false` for none.
    pub fn path_or_false(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<Option<PathBuf>> {
        let home = reading.home;
        let parsed = match self.entry(key)? {
            DeValue::Boolean(false) => return Some(None),
            DeValue::String(text) => local_path(text, home).map_err(|problem| problem.to_string()),
            other => Err(wrong_type("a path in quotes, or false", other)),
        };
        match parsed {
            Ok(path) => Some(Some(path)),
            Err(problem) => {
                self.refuse(key, problem, None, reading);
                None
            }
        }
    }

    /// The same as [`Self::path`], or a path beside the file that this stands in.
    pub fn path_beside(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<PathBuf> {
        let (home, file) = (reading.home, Arc::clone(&self.site.file));
        self.text(key, reading, |text| {
            if text.starts_with(['/', '~']) || text.is_empty() || text.chars().any(char::is_control) {
                return local_path(text, home);
            }
            Ok(file.parent().unwrap_or(Path::new("")).join(text))
        })
    }

    /// A table below this one.
    pub fn table(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<Section<'a>> {
        let value = self.entry(key)?;
        self.below(key, value, reading)
    }

    /// The tables below a table, each with its name.
    pub fn tables(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Vec<(&'a str, Section<'a>)> {
        let Some(section) = self.table(key, reading) else { return Vec::new() };
        section
            .table
            .iter()
            .filter_map(|(name, value)| {
                let name: &'a str = name.get_ref();
                Some((name, section.below(name, value.get_ref(), reading)?))
            })
            .collect()
    }

    /// The tables of a list of tables, `[[key]]`, in their order.
    pub fn series(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Vec<Section<'a>> {
        let Some(value) = self.entry(key) else { return Vec::new() };
        let DeValue::Array(values) = value else {
            self.refuse(key, wrong_type(&format!("tables, [[{}]]", self.path_of(key)), value), None, reading);
            return Vec::new();
        };
        let tables = values.iter().filter_map(|value| {
            let mut section = self.below(key, value.get_ref(), reading)?;
            section.site.line = self.document.line(value.span().start);
            Some(section)
        });
        tables.collect()
    }

    fn below(&self, key: &str, value: &'a DeValue<'a>, reading: &mut Reading<'_>) -> Option<Section<'a>> {
        match value {
            DeValue::Table(table) => Some(Section {
                document: self.document,
                site: self.site_of(key),
                table,
                known: Vec::new(),
                required: Vec::new(),
            }),
            other => {
                self.refuse(key, wrong_type(&format!("a table, [{}]", self.path_of(key)), other), None, reading);
                None
            }
        }
    }

    /// Refuses the keys that nobody asked for, and asks for those that are missing; one that is only misspelt is
    /// not missing as well.
    pub fn finish(self, reading: &mut Reading<'_>) {
        let mut misspelt = BTreeSet::new();
        for (key, value) in self.table {
            let key: &str = key.get_ref();
            if !self.known.contains(&key) {
                let what = if value.get_ref().is_table() { "unknown table" } else { "unknown key" };
                self.refuse(key, what, did_you_mean(key, self.known.iter().copied()), reading);
                misspelt.extend(nearest(key, self.known.iter().copied()));
            }
        }
        for (key, purpose) in &self.required {
            let there = self.table.contains_key(*key) || misspelt.contains(key);
            if !there && !reading.is_broken(&self.site.file) {
                self.refuse(key, format!("this key is missing: {purpose}"), None, reading);
            }
        }
    }
}

fn wrong_type(wanted: &str, found: &DeValue<'_>) -> String {
    format!("wanted {wanted}, found {} {}", article(found.type_str()), found.type_str())
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn local_path(text: &str, home: Option<&Path>) -> Result<PathBuf, String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} is not a path"));
    }
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Ok(home.join(rest.trim_start_matches('/'))),
        (Some(_), None) => Err(format!("{text:?}: there is no home here; write the whole path")),
        (None, _) if text.starts_with('/') => Ok(PathBuf::from(text)),
        (None, _) => Err(format!("{text:?} is not a path that begins with / or ~/")),
    }
}
