//! `swarm man`: the manual pages, one a verb, made of what `--help` says.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::exit::Exit;
use super::help::{self, examples_and_notes};
use crate::ui::table::write_out;

/// The section of user commands.
const SECTION: &str = "1";
/// What stands in the middle of each page's head.
const MANUAL: &str = "swarm manual";

#[derive(Debug, Args)]
#[command(after_help = help::end(&[
    ("Where `man` finds them", "swarm man /usr/local/share/man/man1"),
    ("Beside you, to be read with `man ./swarm-push.1`", "swarm man ."),
], ""))]
pub struct Arguments {
    /// The directory to write them to; it is made where it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub fn run(arguments: &Arguments, program: Command) -> anyhow::Result<Exit> {
    let directory = &arguments.directory;
    fs_err::create_dir_all(directory)?;
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let written = write(&program, None, directory)
        .with_context(|| format!("the manual pages could not be written to {}", directory.display()))?;
    write_out(&format!("{written} pages are in {}\n", directory.display()))?;
    Ok(Exit::Done)
}

/// Writes the pages of a command and of those below it; how many they are.
fn write(command: &Command, above: Option<&str>, directory: &Path) -> io::Result<usize> {
    let name = name(command);
    fs_err::write(directory.join(format!("{name}.{SECTION}")), page(command, above)?)?;
    verbs(command).try_fold(1, |written, below| Ok(written + write(below, Some(&name), directory)?))
}

fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

/// The page of one command.
fn page(command: &Command, above: Option<&str>) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).section(SECTION);
    let mut page = title(&name(command)).into_bytes();
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if verbs(command).next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    end(command, above).to_writer(&mut page)?;
    Ok(page)
}

/// The head of a page. It has no date, so that the same program writes the same pages; an empty one has to be in
/// quotation marks, which the crate leaves out.
fn title(name: &str) -> String {
    let (name, version) = (name.to_uppercase(), env!("CARGO_PKG_VERSION"));
    format!(".TH \"{name}\" \"{SECTION}\" \"\" \"swarm {version}\" \"{MANUAL}\"\n")
}

/// How it is called, in the one line that `--help` has as well.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let words = usage.trim_start_matches("Usage:").trim().lines().map(str::trim);
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    for (number, line) in words.enumerate() {
        if number > 0 {
            roff.control("br", []);
        }
        roff.text([roman(line)]);
    }
    roff
}

/// What is at the end of the help, in sections of its own, and where more is to be found.
fn end(command: &Command, above: Option<&str>) -> Roff {
    let (examples, notes) = examples_and_notes(command);
    let mut roff = Roff::new();
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        roff.text([roman(notes)]);
    }
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
    }
    for example in examples {
        roff.control("TP", []);
        roff.text([roman(example.words)]);
        roff.text([bold(example.command)]);
    }
    if let Some(above) = above {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold(above), roman(format!("({SECTION})"))]);
    }
    roff
}
