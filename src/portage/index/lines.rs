//! The lines of one entry, kept as one text.
//!
//! A large binhost has some twenty lines for each of ten thousand packages, and all of them are read and written again
//! for one package more. As a map of strings an entry is fifty pieces of memory. Here it is one, in the order and the
//! form of the file: reading an entry is a scan and a copy, writing it a copy, and a value is found by a scan.

use std::borrow::Cow;

use memchr::memchr_iter;
use memchr::memmem::Finder;

/// Makes the list of keys, and what finds one there. A text is compared with one that is known when this is compiled
/// without a call: calls were a fifth of what reading takes.
macro_rules! keys {
    ($($key:literal)*) => {
        const KEYS: [&str; [$($key),*].len()] = [$($key),*];

        fn place(key: &str) -> Option<usize> {
            let mut places = 0..;
            $(
                let place = places.next();
                if key == $key {
                    return place;
                }
            )*
            None
        }
    };
}

// The keys that Portage reads of an entry, in the order in which it writes them: by its own names, which are
// DESCRIPTION, `_mtime_` and `repository` of those that stand as DESC, MTIME and REPO in the file.
keys! {
    "BDEPEND"
    "BUILD_ID"
    "BUILD_TIME"
    "CHOST"
    "CPV"
    "DEFINED_PHASES"
    "DEPEND"
    "DESC"
    "EAPI"
    "FETCHCOMMAND"
    "IDEPEND"
    "IUSE"
    "KEYWORDS"
    "LICENSE"
    "MD5"
    "PATH"
    "PDEPEND"
    "PROPERTIES"
    "PROVIDES"
    "RDEPEND"
    "REQUIRES"
    "RESTRICT"
    "RESUMECOMMAND"
    "SHA1"
    "SIZE"
    "SLOT"
    "USE"
    "USER_PATCHES"
    "MTIME"
    "REPO"
}

/// Those that speak of the file or of this index; a package's own metadata has all others.
const OF_FILE: [&str; 10] =
    ["CPV", "DESC", "FETCHCOMMAND", "MD5", "MTIME", "PATH", "REPO", "RESUMECOMMAND", "SHA1", "SIZE"];

/// The keys of a package's metadata that Portage copies into its index.
pub(super) fn copied() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().filter(|key| !OF_FILE.contains(key))
}

/// The lines of an entry while it is read or made, none of which says nothing or a default.
#[derive(Default)]
pub(super) struct Values<'a>([Option<Cow<'a, str>>; KEYS.len()]);

impl<'a> Values<'a> {
    /// Reads the lines of a text: of several of one key the last one counts; those that Portage does not read are left
    /// out.
    pub(super) fn read(text: &'a str) -> Self {
        let mut values = Self::default();
        for line in lines(text) {
            let Some((key, value)) = pair(line) else { continue };
            let is_as_written = key.len() + ": ".len() + value.len() == line.len();
            values.put(key, value, || if is_as_written { line.into() } else { to_line(key, value).into() });
        }
        values
    }

    /// The same of values by key.
    pub(super) fn of(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut values = Self::default();
        pairs.into_iter().for_each(|(key, value)| values.put(key, value, || to_line(key, value).into()));
        values
    }

    fn put(&mut self, key: &str, value: &str, line: impl FnOnce() -> Cow<'a, str>) {
        if let Some(place) = place(key) {
            self.0[place] = is_said(key, value).then(line);
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        of_key(self.0[place(key)?].as_ref()?, key)
    }

    /// Says the value of a line where none is said.
    pub(super) fn fill(&mut self, line: &'a str) {
        if let Some(place) = pair(line).and_then(|(key, _)| place(key)) {
            self.0[place].get_or_insert(line.into());
        }
    }

    /// The key of a value that is more than one line, or would act on a terminal; `lines` are made of the values.
    pub(super) fn key_of_control(&self, lines: &Lines) -> Option<&str> {
        // Nearly every text is plain, and without a branch a processor looks at many bytes at once.
        let text = lines.0.as_bytes();
        let is_plain = text.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~' | b'\n'));
        let own = || self.0.iter().flatten();
        if is_plain && memchr_iter(b'\n', text).count() == own().count() {
            return None;
        }
        pair(own().find(|line| !is_one_line(line))?).map(|(key, _)| key)
    }

    pub(super) fn to_lines(&self) -> Lines {
        let lines = || self.0.iter().flatten();
        let mut text = String::with_capacity(lines().map(|line| line.len() + 1).sum());
        for line in lines() {
            text.push_str(line);
            text.push('\n');
        }
        Lines(text.into())
    }
}

/// The lines of an entry as they stand in the file, those among them that its header may say for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines(Box<str>);

impl Lines {
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        lines(&self.0).filter_map(|line| line.split_once(": "))
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        lines(&self.0).find_map(|line| of_key(line, key))
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
    /// In the order of an entry.
    pub(super) fn of(lines: &[String]) -> Self {
        Self(lines.iter().map(|line| Finder::new(&format!("{line}\n")).into_owned()).collect())
    }
}

/// The lines of a text; behind the last one's end there is an empty one.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    ends.map(move |end| &text[std::mem::replace(&mut from, end + 1)..end])
}

/// Key and value of a line, by the key's name in the file.
pub(super) fn pair(line: &str) -> Option<(&str, &str)> {
    // The key is short: that is sooner said without looking at many bytes at once.
    let (key, value) = line.split_at_checked(line.bytes().position(|byte| byte == b':')?)?;
    let value = value.strip_prefix(": ").or_else(|| value.strip_prefix(':'))?;
    Some((name_in_file(key), value))
}

pub(super) fn to_line(key: &str, value: &str) -> String {
    [key, ": ", value].concat()
}

/// The value of a line as it is written, where it is that of this key.
fn of_key<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix(": ")
}

/// Whether a value is more than a reader takes for granted, which is not written.
fn is_said(key: &str, value: &str) -> bool {
    !matches!((key, value), (_, "") | ("EAPI" | "SLOT", "0"))
}

/// The name that a key has in the file.
fn name_in_file(key: &str) -> &str {
    match key {
        "DESCRIPTION" => "DESC",
        "_mtime_" => "MTIME",
        "repository" => "REPO",
        same => same,
    }
}

/// Portage sorts by the names that it uses itself, and writes three of them under another one.
pub(super) fn order(key: &str) -> &str {
    match key {
        "DESC" => "DESCRIPTION",
        "MTIME" => "_mtime_",
        "REPO" => "repository",
        same => same,
    }
}

/// Whether a text can stand in a line without ending it, or acting on a terminal.
pub(super) fn is_one_line(text: &str) -> bool {
    !text.contains(char::is_control)
}
