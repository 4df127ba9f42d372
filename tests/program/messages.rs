//! The page of messages has each message that the program can print, and no other; that of troubles quotes what it says.

use std::collections::BTreeMap;
use std::path::Path;

mod known;
mod scan;

use scan::Message;

const PAGE: &str = "docs/reference/messages.md";
const TROUBLES: &str = "docs/troubleshooting.md";

fn messages() -> Vec<Message> {
    scan::messages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A message's words with `…` for each value that is put in, and with single blanks.
fn pattern(words: &str) -> String {
    let mut pattern = String::new();
    let mut letters = words.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '{' | '}' if letters.next_if_eq(&letter).is_some() => pattern.push(letter),
            '{' => {
                letters.by_ref().find(|letter| *letter == '}');
                if !pattern.ends_with('…') {
                    pattern.push('…');
                }
            }
            letter => pattern.push(letter),
        }
    }
    pattern.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The entries of the page with their lines: the first cell of each row of a table, one a line where `<br>` parts them.
fn entries(page: &str) -> Vec<(usize, String)> {
    let rows = page.lines().enumerate().filter_map(|(index, line)| Some((index + 1, line.strip_prefix("| ")?)));
    let cells = rows.filter(|(_, row)| !row.starts_with("message |")).map(|(line, row)| {
        let cell = row.replace("\\|", "\u{1}").split(" | ").next().unwrap_or_default().replace('\u{1}', "|");
        (line, cell)
    });
    cells.flat_map(|(line, cell)| cell.split("<br>").map(|entry| (line, plain(entry))).collect::<Vec<_>>()).collect()
}

/// The words of an entry, without what keeps Markdown from reading them as its own.
fn plain(entry: &str) -> String {
    let mut plain = String::new();
    let mut letters = entry.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next_if(char::is_ascii_punctuation).or(Some(letter))),
            letter => plain.push(letter),
        }
    }
    plain
}

/// What a page has between quotes, with its lines, outside of blocks of code.
fn quotes(page: &str) -> Vec<(usize, String)> {
    let (mut quotes, mut open, mut fenced) = (Vec::new(), None::<(usize, String)>, false);
    for (index, line) in page.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        for (part, text) in line.split('"').enumerate().filter(|_| !fenced) {
            if part > 0 {
                match open.take() {
                    Some(quote) => quotes.push(quote),
                    None => open = Some((index + 1, String::new())),
                }
            }
            open.iter_mut().for_each(|(_, quote)| quote.push_str(text));
        }
        open.iter_mut().for_each(|(_, quote)| quote.push(' '));
    }
    quotes
}

/// Whether a message has these words, in their order, with anything where `…` stands.
fn says(message: &Message, quote: &str) -> bool {
    let mut rest = message.pattern.as_str();
    pattern(quote).split('…').map(str::trim).all(|part| match rest.find(part) {
        Some(found) => {
            rest = &rest[found + part.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn each_message_has_its_entry_in_the_page_and_each_entry_its_message() {
    let (messages, entries) = (messages(), entries(&page(PAGE)));
    let mut faults = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, entry) in &entries {
        if let Some(first) = known.insert(entry, *line) {
            faults.push(format!("{PAGE}:{line}: {entry:?} is there already, in line {first}"));
        }
        if !messages.iter().any(|message| message.pattern == *entry) {
            faults.push(format!("{PAGE}:{line}: no message is {entry:?}"));
        }
    }
    for message in messages.iter().filter(|message| !known.contains_key(message.pattern.as_str())) {
        faults.push(format!("src/{}:{}: no entry is {:?}", message.file, message.line, message.pattern));
    }
    assert!(faults.is_empty(), "{} faults of {PAGE}:\n{}", faults.len(), faults.join("\n"));
    assert!(messages.len() > 1000, "only {} messages were found", messages.len());
}

#[test]
fn what_is_quoted_where_something_is_wrong_is_what_the_program_says() {
    let messages = messages();
    let quotes = quotes(&page(TROUBLES));
    assert!(quotes.len() > 50, "only {} quotes were found", quotes.len());
    let wrong: Vec<_> =
        quotes.iter().filter(|(_, quote)| !messages.iter().any(|message| says(message, quote))).collect();
    assert!(wrong.is_empty(), "no message says what {TROUBLES} quotes: {wrong:#?}");
}

#[test]
fn a_pattern_has_one_sign_for_each_value_and_keeps_doubled_braces() {
    for (words, expected) in [
        ("cannot read {path}: {error}", "cannot read …: …"),
        ("{0}{1} of {:>3}", "… of …"),
        ("the parameter {{{name}}} is not\n  declared", "the parameter {…} is not declared"),
    ] {
        assert_eq!(pattern(words), expected);
    }
}

#[test]
fn an_entry_is_a_line_of_the_first_cell() {
    let page = "| message | means | do |\n|---|---|---|\n| a \\| b<br>\\*c\\* `d` | e | f |\n";
    assert_eq!(entries(page), [(3, "a | b".to_owned()), (3, "*c* `d`".to_owned())]);
}
