//! `swarm completions`: what makes a shell complete commands, options and the names of this fleet.
//!
//! The shell's part only asks this program: it calls it with [`VARIABLE`] set and the words so far. So there is one
//! source for all shells, and hosts, playbooks, packages, builds and releases are those that there are just then.

use clap::{Args, CommandFactory};
use clap_complete::env::{CompleteEnv, Shells};

use super::exit::Exit;
use super::{Cli, help};
use crate::ui::table::write_out;

/// Set by the shell's part to the shell's name.
const VARIABLE: &str = "SWARM_COMPLETE";
const PROGRAM: &str = "swarm";

#[derive(Debug, Args)]
#[command(after_help = help::end(&[
    ("In ~/.bashrc: source <(swarm completions bash)", "swarm completions bash"),
    ("For all users of zsh: into a file _swarm in a directory of its fpath", "swarm completions zsh"),
    ("Into ~/.config/fish/completions/swarm.fish", "swarm completions fish"),
], ""))]
pub struct Arguments {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish", "elvish", "powershell"], hide_possible_values = true)]
    shell: String,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(&arguments.shell) {
        shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    }
    write_out(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Answers a shell that asks what could come next, and ends; returns where no shell asks.
pub fn answer() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}
