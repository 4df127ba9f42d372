//! `swarm journal export`: all that has happened, for other programs.

use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::books;
use super::exit::Exit;
use super::help;
use crate::controller::api;
use crate::inventory::Inventory;
use crate::store::Journal;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("All that has happened, as far as it is kept", "swarm journal export")], ""))]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// One JSON a line: {"at":SECONDS,"sequence":N,"event":EVENT}; docs/reference/told.schema.json describes it
    #[command(after_help = help::end(&[("All that has happened, as far as it is kept", "swarm journal export"), ("What has happened since", "swarm journal export --after 4711")], ""))]
    Export {
        /// Only events after the one of this number
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: i64,
    },
}

pub fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let Verb::Export { after } = arguments.verb;
    books::require_here(inventory, "the journal is")?;
    let Some(journal) = Journal::open_to_read(&inventory.swarm.state)? else { return Ok(Exit::Done) };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    journal.each_after(after, |sequence, at, event| {
        if written.is_ok() {
            let line = api::told(sequence, at, &event).map_err(io::Error::from);
            written = line.and_then(|line| writeln!(out, "{line}"));
        }
    })?;
    match written.and_then(|()| out.flush()) {
        // Whoever reads has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Done),
        written => written.map(|()| Exit::Done).context("cannot write to standard output"),
    }
}
