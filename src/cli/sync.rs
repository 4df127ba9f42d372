//! `swarm sync`: drones get the driver's configuration and repositories.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytesize::ByteSize;
use clap::Args;

use super::exit::Exit;
use super::select;
use crate::controller::sync::{Sync, SyncError, Synced};
use crate::core::names::HostName;
use crate::core::text::escaped;
use crate::inventory::{self, Inventory};
use crate::ui::table::{tell, write_out};

/// So many changes of each kind and area are named in a dry run.
const NAMED: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Jobs on a drone run with what it was brought, in WORKDIR/config/DRIVER; its own /etc/portage stays \
    as it is. Status 0 where all of these drones have what the driver has, else 1."
)]
pub struct Arguments {
    /// These drones alone: names, globs, @tag, %network; `!` excludes
    #[arg(long, value_name = "HOSTS")]
    on: Option<inventory::Selection>,
    /// Show what would change; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(arguments: &Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    let drones = select::drones(arguments.on.as_ref(), &inventory)?;
    let sync = Sync::new(Arc::new(inventory))?;
    let mut all = true;
    let mut shown = Ok(());
    let done = |drone: &HostName, result: Result<Synced, SyncError>| match result {
        Ok(synced) => {
            let text = if arguments.dry_run { preview(drone, &synced) } else { summary(drone, &synced) };
            let written = write_out(&text);
            if shown.is_ok() {
                shown = written;
            }
        }
        Err(error) => {
            all = false;
            tell(format_args!(
                "swarm: {drone} has not been brought what the driver has: {}",
                escaped(&words(drone, &error))
            ));
        }
    };
    sync.run(&drones, arguments.dry_run, done).await?;
    shown?;
    Ok(Exit::done_if(all))
}

/// What is wrong, without the name of the drone that is named already.
fn words(drone: &HostName, error: &SyncError) -> String {
    match error {
        SyncError::Host(error) if error.host == *drone => error.message.clone(),
        error => error.to_string(),
    }
}

fn summary(drone: &HostName, synced: &Synced) -> String {
    if synced.before.as_ref() == Some(&synced.revision) {
        return format!("{drone}: has what the driver has ({})\n", short(synced));
    }
    let counts = counts(synced)
        .iter()
        .map(|(area, [added, removed, changed])| format!("{area} +{added} -{removed} ~{changed}"))
        .collect::<Vec<_>>();
    format!("{drone}: {} is there now: {}; {} sent\n", short(synced), counts.join(", "), ByteSize(synced.sent))
}

fn short(synced: &Synced) -> String {
    synced.revision.as_str().chars().take(12).collect()
}

/// The area of a path: the configuration, or one of the repositories.
fn area(path: &str) -> &str {
    let depth = if path.starts_with("repos/") || path.starts_with("etc/portage") { 2 } else { 1 };
    path.match_indices('/').nth(depth - 1).map_or(path, |(end, _)| &path[..end])
}

fn counts(synced: &Synced) -> BTreeMap<&str, [usize; 3]> {
    let changes = &synced.changes;
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (index, paths) in [&changes.added, &changes.removed, &changes.changed].into_iter().enumerate() {
        for path in paths {
            counts.entry(area(path)).or_default()[index] += 1;
        }
    }
    counts
}

fn preview(drone: &HostName, synced: &Synced) -> String {
    if synced.before.as_ref() == Some(&synced.revision) {
        return format!("{drone}: nothing would change\n");
    }
    let changes = &synced.changes;
    let mut text = String::new();
    for (area_name, [added, removed, changed]) in counts(synced) {
        text.push_str(&format!("{drone}: {area_name}: +{added} -{removed} ~{changed}\n"));
        let kinds = [('+', &changes.added), ('-', &changes.removed), ('~', &changes.changed)];
        let named = kinds.into_iter().flat_map(|(sign, paths)| {
            paths.iter().filter(|path| area(path) == area_name).map(move |path| format!("  {sign} {}\n", escaped(path)))
        });
        text.extend(named.take(NAMED));
    }
    text
}
