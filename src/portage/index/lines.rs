//! The lines of one entry, kept as one text.
//!
//! A large binhost has some twenty lines for each of ten thousand packages, and all of them are read and written again
//! for one package more. As a map of strings an entry is fifty pieces of memory. Here it is one, in the order and the
//! form of the file: reading an entry is a scan and a copy, writing it a copy, and a value is found by a scan.

use memchr::memchr_iter;
use memchr::memmem::Finder;

/// The keys that Portage reads of an entry, in the order in which it writes them: by its own names, which are
/// DESCRIPTION, `_mtime_` and `repository` of those that stand as DESC, MTIME and REPO in the file.
const KEYS: [&str; 30] = [
    "BDEPEND",
    "BUILD_ID",
    "BUILD_TIME",
    "CHOST",
    "CPV",
    "DEFINED_PHASES",
    "DEPEND",
    "DESC",
    "EAPI",
    "FETCHCOMMAND",
    "IDEPEND",
    "IUSE",
    "KEYWORDS",
    "LICENSE",
    "MD5",
    "PATH",
    "PDEPEND",
    "PROPERTIES",
    "PROVIDES",
    "RDEPEND",
    "REQUIRES",
    "RESTRICT",
    "RESUMECOMMAND",
    "SHA1",
    "SIZE",
    "SLOT",
    "USE",
    "USER_PATCHES",
    "MTIME",
    "REPO",
];

/// Those that speak of the file or of this index; a package's own metadata has all others.
const OF_FILE: [&str; 10] =
    ["CPV", "DESC", "FETCHCOMMAND", "MD5", "MTIME", "PATH", "REPO", "RESUMECOMMAND", "SHA1", "SIZE"];

/// Values that are not written because a reader takes them for granted.
const DEFAULTS: [(&str, &str); 2] = [("EAPI", "0"), ("SLOT", "0")];

/// The keys of a package's metadata that Portage copies into its index.
pub(super) fn copied() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().filter(|key| !OF_FILE.contains(key))
}

/// The values of an entry while it is read or made: none is empty or a default.
#[derive(Default)]
pub(super) struct Values<'a>([Option<&'a str>; KEYS.len()]);

impl<'a> Values<'a> {
    /// Of several values of one key the last one counts; keys that Portage does not read are left out.
    pub(super) fn of(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut values = Self::default();
        let mut next = 0;
        for (key, value) in pairs {
            if let Some(place) = place(key, next) {
                let is_said = !value.is_empty() && !DEFAULTS.contains(&(key, value));
                values.0[place] = is_said.then_some(value);
                next = place + 1;
            }
        }
        values
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0[place(key, 0)?]
    }

    /// Says a value where none is said.
    pub(super) fn fill(&mut self, key: &str, value: &'a str) {
        if let Some(own) = place(key, 0).map(|place| &mut self.0[place]).filter(|_| !value.is_empty()) {
            own.get_or_insert(value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        KEYS.into_iter().zip(self.0).filter_map(|(key, value)| Some((key, value?)))
    }

    pub(super) fn to_lines(&self) -> Lines {
        let length = self.iter().map(|(key, value)| key.len() + ": \n".len() + value.len()).sum();
        let mut text = String::with_capacity(length);
        self.iter().for_each(|(key, value)| write_line(&mut text, key, value));
        Lines(text.into())
    }
}

/// Where a key stands in the order; it is looked for from `next` on first, since most entries are in order.
fn place(key: &str, next: usize) -> Option<usize> {
    let (before, behind) = KEYS.split_at_checked(next)?;
    let found = behind.iter().position(|known| *known == key).map(|place| next + place);
    found.or_else(|| before.iter().position(|known| *known == key))
}

/// The lines of an entry as they stand in the file, those among them that its header may say for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines(Box<str>);

impl Lines {
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        lines(&self.0).filter_map(|line| line.split_once(": "))
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        lines(&self.0).find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    }

    pub(super) fn length(&self) -> usize {
        self.0.len()
    }

    /// Adds the lines, but those that are said already.
    pub(super) fn write(&self, text: &mut String, said: &Said) {
        let mut rest = &*self.0;
        for line in &said.0 {
            let begins_line = |at: &usize| rest[..*at].is_empty() || rest[..*at].ends_with('\n');
            if let Some(at) = line.find_iter(rest.as_bytes()).find(begins_line) {
                text.push_str(&rest[..at]);
                rest = &rest[at + line.needle().len()..];
            }
        }
        text.push_str(rest);
    }
}

/// Lines that an entry need not have, as they would stand in it.
pub(super) struct Said(Vec<Finder<'static>>);

impl Said {
    /// Of these values, in the order of an entry.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let finder = |(key, value)| {
            let mut line = String::new();
            write_line(&mut line, key, value);
            Finder::new(&line).into_owned()
        };
        Self(values.into_iter().map(finder).collect())
    }
}

/// The lines of a text; behind the last one's end there is an empty one.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    ends.map(move |end| &text[std::mem::replace(&mut from, end + 1)..end])
}

/// Adds one line.
pub(super) fn write_line(text: &mut String, key: &str, value: &str) {
    for part in [key, ": ", value, "\n"] {
        text.push_str(part);
    }
}
