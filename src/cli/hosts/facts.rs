//! `swarm hosts facts`: what hosts are.

use std::collections::BTreeMap;

use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;

use super::{Asked, Named, ask};
use crate::cli::exit::Exit;
use crate::cli::help;
use crate::core::text::escaped;
use crate::drone::facts::Facts;
use crate::inventory::Inventory;
use crate::ui::table::tell;
use crate::ui::table::{Cell, Table, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("What every drone is, for a program", "swarm hosts facts '@drone' --json")], ""))]
pub struct Arguments {
    #[command(flatten)]
    named: Named,
    /// All facts as JSON: an object by host, with "facts" or "error" of each
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let hosts = arguments.named.select(inventory)?;
    let answers = ask(&hosts, inventory).await;
    if arguments.json {
        print_json(&answers)?;
    } else {
        table(&answers).print()?;
        for error in answers.iter().filter_map(|asked| asked.facts.as_ref().err()) {
            tell(escaped(&error.to_string()));
        }
    }
    let all = answers.iter().all(|asked| asked.facts.is_ok());
    Ok(Exit::done_if(all))
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer<'a> {
    Facts(&'a Facts),
    Error(&'a str),
}

fn print_json(answers: &[Asked<'_>]) -> anyhow::Result<()> {
    let by_name: BTreeMap<&str, Answer<'_>> = answers
        .iter()
        .map(|asked| {
            let answer = match &asked.facts {
                Ok(facts) => Answer::Facts(facts),
                Err(error) => Answer::Error(&error.message),
            };
            (asked.host.name.as_str(), answer)
        })
        .collect();
    Ok(write_out(&format!("{}\n", serde_json::to_string(&by_name)?))?)
}

fn table(answers: &[Asked<'_>]) -> Table {
    let headings =
        ["host", "cores", "load", "memory", "disk free", "kernel", "portage", "profile", "chost", "processor"];
    let mut table = Table::new(headings).numbers("cores").numbers("load").numbers("memory").numbers("disk free");
    for asked in answers {
        let Ok(facts) = &asked.facts else { continue };
        let portage = facts.portage.as_ref();
        table.row([
            Cell::from(&asked.host.name),
            Cell::optional(facts.cores),
            Cell::optional(facts.load),
            Cell::optional(facts.memory_total_mib.map(mebibytes)),
            Cell::optional(facts.workdir_free_mib.map(mebibytes)),
            Cell::from(&facts.kernel),
            Cell::optional(portage.and_then(|portage| portage.version.as_ref())),
            Cell::optional(portage.and_then(|portage| portage.profile.as_ref())),
            Cell::optional(portage.and_then(|portage| portage.chost.as_ref())),
            Cell::optional(facts.processor.as_ref()),
        ]);
    }
    table
}

fn mebibytes(count: u64) -> ByteSize {
    ByteSize::mib(count)
}
