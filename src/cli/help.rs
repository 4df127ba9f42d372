//! The end of every verb's help: examples, and what else is to be known. They are given beside each verb's arguments,
//! and the manual pages take them from there.

use clap::Command;

/// What stands above the examples.
const HEADING: &str = "Examples:";
/// What stands before what an example is for, and before its command.
const WORDS: &str = "  # ";
const COMMAND: &str = "  ";

/// The end of a verb's help: its examples, each of them what it is for and the command, and notes behind them.
pub fn end(examples: &[(&str, &str)], notes: &str) -> String {
    let examples: String =
        examples.iter().map(|(words, command)| format!("\n{WORDS}{words}\n{COMMAND}{command}")).collect();
    let notes = if notes.is_empty() { String::new() } else { format!("\n\n{notes}") };
    format!("{HEADING}{examples}{notes}")
}

/// An example as its verb's help has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What it is for.
    pub words: String,
    /// The command.
    pub command: String,
}

/// The examples and the notes at the end of a command's help.
pub fn examples_and_notes(command: &Command) -> (Vec<Example>, String) {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let Some(examples) = text.strip_prefix(HEADING) else { return (Vec::new(), text) };
    let (examples, notes) = examples.split_once("\n\n").unwrap_or((examples, ""));
    let mut lines = examples.lines().filter(|line| !line.is_empty());
    let mut all = Vec::new();
    while let (Some(words), Some(command)) = (lines.next(), lines.next()) {
        let words = words.strip_prefix(WORDS).unwrap_or(words).to_owned();
        all.push(Example { words, command: command.trim_start().to_owned() });
    }
    (all, notes.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Every command that can be called, with the words that call it.
    fn all(command: &Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
        let path = [path, &[command.get_name().to_owned()]].concat();
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
            all(verb, &path, found);
        }
        found.push((path, command.clone()));
    }

    #[test]
    fn every_example_of_every_verb_is_one_that_the_command_line_takes() {
        let mut commands = Vec::new();
        all(&Cli::command(), &[], &mut commands);
        assert!(commands.len() > 40, "{}", commands.len());
        for (path, command) in commands {
            let (examples, _) = examples_and_notes(&command);
            assert!((1..=3).contains(&examples.len()), "{path:?} has {} examples", examples.len());
            for example in examples {
                let line = &example.command;
                assert!(line.len() <= 78 && example.words.len() <= 76, "too long for 80 columns: {line}");
                let words = shlex::split(line).unwrap();
                assert!(words.starts_with(&path), "{path:?} shows another verb: {line}");
                Cli::command().try_get_matches_from(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }

    #[test]
    fn what_was_put_at_the_end_of_a_help_is_read_from_it() {
        let command = Command::new("x").after_help(end(&[("Do it", "swarm do 'it all'"), ("Not", "swarm x")], "So."));
        let example = |words: &str, command: &str| Example { words: words.to_owned(), command: command.to_owned() };
        let examples = vec![example("Do it", "swarm do 'it all'"), example("Not", "swarm x")];
        assert_eq!(examples_and_notes(&command), (examples, "So.".to_owned()));
        assert_eq!(examples_and_notes(&Command::new("x").after_help("So.")), (Vec::new(), "So.".to_owned()));
    }
}
