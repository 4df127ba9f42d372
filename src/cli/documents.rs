//! The commands that documents and messages name are commands that there are, with options that they take.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};

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
    let verb_is_filled_in = command.starts_with("swarm {");
    verb_is_filled_in || command.contains(['[', '…', '|', '·']) || command.contains("...")
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

/// The help of a verb and of those below it, as chapters.
fn chapters(command: &mut Command, name: &str, text: &mut String) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n")));
    for verb in command.get_subcommands_mut().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let name = format!("{name} {}", verb.get_name());
        chapters(verb, &name, text);
    }
}

#[test]
fn the_reference_of_commands_is_what_their_help_says() {
    let mut text =
        "# Commands\n\nWhat `swarm help` says, verb by verb; made from the program by `SWARM_BLESS=1 cargo test \
                    reference_of_commands`.\n"
            .to_owned();
    let mut command = Cli::command().term_width(100);
    command.build();
    chapters(&mut command, "swarm", &mut text);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/commands.md");
    if std::env::var_os("SWARM_BLESS").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(kept == text, "{} is not what the program says: SWARM_BLESS=1 writes it anew", page.display());
}
