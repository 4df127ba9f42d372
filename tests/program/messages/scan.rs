//! Finds in the source what the program says. It reads text, not a syntax tree: string literals, each with the names
//! before the brackets that it stands in, are enough to tell an error's words from a statement of SQL or a script.
//!
//! A literal is a message where one of these brackets belongs to a [speaker](SPEAKERS), or where its whole file is one
//! of reasons ([`REASONS`]), unless it is a part put into another text ([`PARTS`]). What an attribute `#[cfg(test)]`
//! stands before is left out. One pass over the text.

use std::path::{Path, PathBuf};

use super::known::{JOINTS, PARTS, REASONS, SPEAKERS};
use super::pattern;

/// Words of a message, and where they stand.
pub struct Message {
    /// The file, below `src`.
    pub file: String,
    /// The line of its first character, from 1.
    pub line: usize,
    /// The words, with `…` for each value that is put in.
    pub pattern: String,
}

/// Every message below `source`, in the order of files and lines.
pub fn messages(source: &Path) -> Vec<Message> {
    let mut files = Vec::new();
    collect(source, &mut files);
    files.sort();
    let texts: Vec<(PathBuf, Text)> =
        files.into_iter().map(|file| (file.clone(), read(&std::fs::read_to_string(file).unwrap()))).collect();
    let tests: Vec<PathBuf> = texts
        .iter()
        .flat_map(|(file, text)| text.test_modules.iter().map(|module| directory_of(file).join(module)))
        .collect();
    let of_tests = |file: &Path| tests.iter().any(|test| file.with_extension("") == *test || file.starts_with(test));
    let mut found = Vec::new();
    for (file, text) in texts.iter().filter(|(file, _)| !of_tests(file)) {
        let file = file.strip_prefix(source).unwrap().display().to_string();
        for literal in text.literals.iter().filter(|literal| literal.is_said(&file)) {
            let pattern = pattern(&literal.words);
            if counts(&pattern) {
                found.push(Message { file: file.clone(), line: literal.line, pattern });
            }
        }
    }
    found
}

/// Two words at least, since what is shorter only joins what others say, and neither a command nor a script.
fn counts(pattern: &str) -> bool {
    words(pattern) > 1
        && pattern.contains(' ')
        && !pattern.starts_with("swarm ")
        && !["$", "/bin/sh"].iter().any(|sign| pattern.contains(sign))
}

fn words(text: &str) -> usize {
    text.split(|letter: char| !letter.is_alphabetic()).filter(|word| word.len() > 1).count()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Where the modules are that a file declares.
fn directory_of(file: &Path) -> PathBuf {
    match file.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs" | "main.rs") => file.with_file_name(""),
        _ => file.with_extension(""),
    }
}

struct Literal {
    line: usize,
    within: Vec<String>,
    words: String,
}

impl Literal {
    fn is_said(&self, file: &str) -> bool {
        let is_sentence = words(&self.words) > 4;
        let near =
            self.within.iter().map(String::as_str).rev().find(|name| {
                SPEAKERS.contains(name) || PARTS.contains(name) || (JOINTS.contains(name) && !is_sentence)
            });
        match near {
            Some(name) => SPEAKERS.contains(&name),
            None => REASONS.iter().any(|reasons| match reasons.ends_with('/') {
                true => file.starts_with(reasons),
                false => file == *reasons,
            }),
        }
    }
}

#[derive(Default)]
struct Text {
    literals: Vec<Literal>,
    test_modules: Vec<String>,
}

/// Reads a file of Rust as far as it concerns literals.
fn read(text: &str) -> Text {
    let mut reader = Reader { rest: text, line: 1, before: String::new(), within: Vec::new(), skipping: None };
    let mut read = Text::default();
    while reader.step(&mut read) {}
    read
}

struct Reader<'text> {
    rest: &'text str,
    line: usize,
    /// The code since the last bracket or `;`, which says whose the next bracket is.
    before: String,
    within: Vec<String>,
    /// How deep an item of tests began.
    skipping: Option<usize>,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> &str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn step(&mut self, read: &mut Text) -> bool {
        let Some(letter) = self.rest.chars().next() else { return false };
        let attached = self.before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        if self.rest.starts_with("//") {
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("#[cfg(test)]") && self.skipping.is_none() {
            self.take("#[cfg(test)]".len());
            self.before.clear();
            self.skipping = Some(self.within.len());
        } else if let Some((start, end)) = (!attached).then(|| raw(self.rest)).flatten() {
            let (line, closing) = (self.line, format!("\"{}", "#".repeat(end)));
            self.take(start);
            let length = self.rest.find(&closing).unwrap();
            let words = self.take(length).to_owned();
            self.take(closing.len());
            self.keep(read, line, words);
        } else if letter == '"' {
            self.literal(read);
        } else if let Some(length) = character(self.rest) {
            self.take(length);
        } else {
            self.code(letter, read);
        }
        true
    }

    fn literal(&mut self, read: &mut Text) {
        let line = self.line;
        self.take(1);
        let mut words = String::new();
        loop {
            let letter = self.take(self.rest.chars().next().unwrap().len_utf8()).to_owned();
            match letter.as_str() {
                "\"" => break,
                "\\" => match self.take(1).to_owned().as_str() {
                    "\n" => {
                        self.take(self.rest.len() - self.rest.trim_start().len());
                    }
                    "n" | "t" => words.push(' '),
                    other => words.push_str(other),
                },
                _ => words.push_str(&letter),
            }
        }
        self.keep(read, line, words);
    }

    fn keep(&mut self, read: &mut Text, line: usize, words: String) {
        self.before.push('"');
        // A constant that ends with a blank is the beginning of a line that others print.
        let is_sought = self.within.is_empty() && words.ends_with(' ');
        if self.skipping.is_none() && !is_sought {
            read.literals.push(Literal { line, within: self.within.clone(), words });
        }
    }

    fn code(&mut self, letter: char, read: &mut Text) {
        self.take(letter.len_utf8());
        match letter {
            '(' | '[' | '{' => {
                let name = self.name();
                self.within.push(name);
                self.before.clear();
            }
            ')' | ']' | '}' => {
                self.within.pop();
                if letter == '}' && self.skipping == Some(self.within.len()) {
                    self.skipping = None;
                }
                self.before = letter.into();
            }
            ';' => {
                if self.skipping == Some(self.within.len()) {
                    self.skipping = None;
                    read.test_modules.extend(self.before.rsplit_once("mod ").map(|(_, name)| name.trim().to_owned()));
                }
                self.before.clear();
            }
            _ => self.before.push(letter),
        }
    }

    /// The word before a bracket: of a call, a macro or an attribute.
    fn name(&self) -> String {
        let before = self.before.trim_end();
        let start = before.rfind(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '!');
        let name = &before[start.map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8))..];
        let attribute = self.within.last().is_some_and(|outer| outer == "#");
        match (name, before.ends_with('#')) {
            ("", true) => "#".into(),
            // A table of words to look for.
            ("", false) if self.within.is_empty() && before.trim_end_matches('&').trim_end().ends_with('=') => {
                "const".into()
            }
            // `HostError::new(…)`: the type is what speaks.
            ("new", _) => {
                let owner = before.trim_end_matches("new").trim_end_matches("::");
                owner.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().into()
            }
            (name, _) if attribute => format!("#{name}"),
            (name, _) => name.into(),
        }
    }
}

/// Where the text begins with a raw string: how long its opening is, and with how many `#`.
fn raw(text: &str) -> Option<(usize, usize)> {
    let open = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let marks = open.len() - open.trim_start_matches('#').len();
    open[marks..].starts_with('"').then(|| (text.len() - open.len() + marks + 1, marks))
}

/// The length of a character in quotes, as against the name of a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let length = match inner.strip_prefix('\\') {
        Some(escaped) => 1 + escaped.chars().next()?.len_utf8() + escaped[1..].find('\'')?,
        None => inner.chars().next()?.len_utf8(),
    };
    inner.get(length..)?.starts_with('\'').then_some(length + 2)
}

#[test]
fn what_is_said_is_told_from_what_is_not_by_the_brackets_that_it_stands_in() {
    let text = r##"
        const SCRIPT: &str = "rm -rf it";
        #[derive(Debug)]
        #[error("cannot read {path}: \
                 {0}", path = .1.display())]
        struct Fault<'a>(&'a str);
        fn told(x: char) -> Result<(), String> {
            // An Err("of no comment") is said.
            tracing::warn!("{x} has an odd \"sign\" at its end {{");
            match x {
                '"' => Err(format!("no quotes: {}", names.join(" and not "))),
                '\'' => Err(HostError::new(name, kind, r#"a raw "word" of it"#)),
                _ => bail!("{}", word.map_or("no word at all", said)),
            }
        }
        #[cfg(test)]
        mod tests { fn a() { bail!("only in tests") } }
        #[cfg(test)]
        mod beside;
        fn last() { session.note("the last word"); connection.execute("INSERT INTO told") }
    "##;
    let read = read(text);
    let said: Vec<_> = read.literals.iter().filter(|literal| literal.is_said("x.rs")).collect();
    let said: Vec<_> = said.iter().map(|literal| (literal.line, pattern(&literal.words))).collect();
    let expected = [
        (4, "cannot read …: …"),
        (9, "… has an odd \"sign\" at its end {"),
        (11, "no quotes: …"),
        (12, "a raw \"word\" of it"),
        (13, "…"),
        (20, "the last word"),
    ];
    assert_eq!(said, expected.map(|(line, words)| (line, words.to_owned())));
    assert_eq!(read.test_modules, ["beside"]);
}
