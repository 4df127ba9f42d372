//! The commands that documents and messages name are commands that there are, with options that they take.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use super::Cli;

/// Whatever may name a command: documents, samples, and the program's own messages.
fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    let mut directories =
        ["docs", "inventory", "playbooks", "packaging", "src", "tests/lab"].map(|name| root.join(name)).to_vec();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|end| ["md", "rs", "toml", "yml"].iter().any(|text| end == *text)) {
                found.push(path);
            }
        }
    }
    found
}

/// Each `swarm …` in backticks of a text, with its line. A line's end within one is a blank.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("`swarm ") {
        let Some((command, _)) = text[at + 1..].split_once('`') else { continue };
        let line = text[..at].matches('\n').count() + 1;
        // What an alert fills in is one word.
        let command = command.replace("{{ ", "{").replace(" }}", "}");
        let plain = command.replace("\\\n", " ").replace("//!", " ").replace("///", " ").replace('\n', " ");
        found.push((line, plain));
    }
    found
}

/// Whether it shows a form rather than a command.
fn is_a_form(command: &str) -> bool {
    command.contains(['[', '…', '|', '·']) || command.contains("...")
}

/// What stands for something is something.
fn filled(word: String) -> String {
    let holds_a_value = word.contains('{');
    if holds_a_value { word.split('{').next().unwrap_or_default().to_owned() + "x" } else { word }
}

fn refused(command: &str) -> Option<String> {
    let words: Vec<String> = shlex::split(command)?.into_iter().map(filled).collect();
    let error = Cli::try_parse_from(words).err()?;
    // A verb is named without what it is given.
    let told = [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
    (!told.contains(&error.kind()) && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
        .then(|| error.to_string())
}

#[test]
fn every_command_that_a_document_or_a_message_names_is_one_that_is_taken() {
    let (mut tried, mut wrong) = (0, Vec::new());
    for path in texts() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (line, command) in commands(&text) {
            if is_a_form(&command) {
                continue;
            }
            tried += 1;
            if let Some(error) = refused(&command) {
                let first = error.lines().next().unwrap_or_default().to_owned();
                wrong.push(format!("{}:{line}: {command}: {first}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 200, "only {tried} were found");
}
