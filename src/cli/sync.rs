//! `swarm sync`: drones get the driver's configuration and repositories.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytesize::ByteSize;
use clap::Args;

use super::complete;
use super::consent::Consent;
use super::exit::Exit;
use super::help;
use super::select;
use crate::controller::sync::{Sync, SyncError, Synced};
use crate::core::names::HostName;
use crate::core::text::{escaped, some};
use crate::drone::configuration::System;
use crate::inventory::{self, Inventory};
use crate::playbook::outcome;
use crate::ui::table::{tell, write_out};

/// So many changes of each area are named in a dry run.
const NAMED: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = help::end(&[("What would change on the drones", "swarm sync --dry-run"), ("Bring two drones what the driver has", "swarm sync --on drone-izar,drone-vega"), ("Write it over a drone's own /etc/portage, too", "swarm sync --system --on drone-izar")], "Jobs on a drone run with what it was brought, in WORKDIR/config/DRIVER; its own /etc/portage stays \
    as it is, unless --system says otherwise. Status 0 where all of these drones have what the driver has, else 1.")
)]
pub struct Arguments {
    /// These drones alone: names, globs, @tag, %network; `!` excludes
    #[arg(long, value_name = "HOSTS", add = complete::drones())]
    on: Option<inventory::Selection>,
    /// Write it over the drones' own /etc/portage, too; repositories stay theirs
    #[arg(long)]
    system: bool,
    /// Bring back what a drone's own /etc/portage was before --system; what was changed there since then is lost
    #[arg(long, conflicts_with = "system")]
    undo: bool,
    #[command(flatten)]
    consent: Consent,
}

pub async fn run(arguments: &Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    let drones = select::drones(arguments.on.as_ref(), &inventory)?;
    let all = some(&drones.iter().map(HostName::as_str).collect::<Vec<_>>());
    let dry_run = arguments.consent.dry_run;
    if arguments.system && !dry_run {
        let deed = format!("writes over the own /etc/portage of {all}");
        arguments.consent.require(&format!("Write over /etc/portage of {all}?"), &deed)?;
    }
    if arguments.undo && !dry_run {
        let deed = format!("loses what was changed in /etc/portage of {all} since --system");
        let question = format!("Bring the old /etc/portage of {all} back? What was changed there since is lost.");
        arguments.consent.require(&question, &deed)?;
    }
    let sync = Sync::new(Arc::new(inventory))?;
    if arguments.undo {
        let system = if dry_run { System::TryUndo } else { System::Undo };
        return change_system(&sync, drones, system).await;
    }
    let mut ready = Vec::new();
    let mut shown = Ok(());
    let done = |drone: &HostName, result: Result<Synced, SyncError>| match result {
        Ok(synced) => {
            ready.push(drone.clone());
            let text = if dry_run { preview(drone, &synced) } else { summary(drone, &synced) };
            let is_news = !dry_run && synced.before.as_ref() != Some(&synced.revision);
            let told = if is_news { outcome::changed(&text) } else { Ok(()) };
            let written = write_out(&text).and(told);
            if shown.is_ok() {
                shown = written;
            }
        }
        Err(error) => {
            let words = escaped(&words(drone, &error));
            tell(format_args!("swarm: {drone} has not been brought what the driver has: {words}"));
        }
    };
    sync.run(&drones, dry_run, done).await?;
    shown?;
    let all = ready.len() == drones.len();
    let changed = match arguments.system {
        true if dry_run => {
            let drones = some(&ready.iter().map(HostName::as_str).collect::<Vec<_>>());
            tell(format_args!("the same would then be written over the own /etc/portage of {drones}"));
            Exit::Done
        }
        true => change_system(&sync, ready, System::Replace).await?,
        false => Exit::Done,
    };
    Ok(if all { changed } else { Exit::Impossible })
}

async fn change_system(sync: &Sync, drones: Vec<HostName>, system: System) -> anyhow::Result<Exit> {
    let mut all = true;
    for (drone, result) in sync.change_system(drones, system).await {
        match (result, system) {
            (Ok(()), System::Replace) => {
                write_out(&format!(
                    "{drone}: /etc/portage is the driver's now; swarm sync --undo brings the old one back\n"
                ))?;
            }
            (Ok(()), System::Undo) => write_out(&format!("{drone}: /etc/portage is its own again\n"))?,
            (Ok(()), System::TryUndo) => write_out(&format!("{drone}: /etc/portage would be its own again\n"))?,
            (Err(error), _) => {
                all = false;
                tell(format_args!("swarm: {drone}: {}", escaped(&words(&drone, &error))));
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drone::configuration::listing::Changes;

    fn synced(before: Option<&str>, added: &[&str], changed: &[&str]) -> Synced {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let changes = Changes { added: paths(added), removed: Vec::new(), changed: paths(changed) };
        let before = before.map(|name| name.parse().unwrap());
        Synced { before, revision: "0123456789abcdef".parse().unwrap(), changes, sent: 2048 }
    }

    #[test]
    fn what_changed_is_counted_by_area_and_the_first_of_each_are_named() {
        let drone = "izar".parse().unwrap();
        let many: Vec<String> = (10..10 + NAMED + 5).map(|number| format!("repos/gentoo/a{number}")).collect();
        let mut added: Vec<&str> = vec!["etc/portage/env/a", "repos/gentoo"];
        added.extend(many.iter().map(String::as_str));
        let synced = synced(Some("f0"), &added, &["etc/portage/package.use", "revisions"]);
        assert_eq!(
            summary(&drone, &synced),
            "izar: 0123456789ab is there now: etc/portage +1 -0 ~1, repos/gentoo +26 -0 ~0, revisions +0 -0 ~1; 2.0 KiB \
             sent\n"
        );
        let text = preview(&drone, &synced);
        assert!(
            text.starts_with("izar: etc/portage: +1 -0 ~1\n  + etc/portage/env/a\n  ~ etc/portage/package.use\n"),
            "{text}"
        );
        assert_eq!(text.matches("  + repos/gentoo").count(), NAMED, "{text}");
    }

    #[test]
    fn a_drone_that_has_it_all_is_told_so() {
        let drone = "izar".parse().unwrap();
        let same = synced(Some("0123456789abcdef"), &[], &[]);
        assert_eq!(summary(&drone, &same), "izar: has what the driver has (0123456789ab)\n");
        assert_eq!(preview(&drone, &same), "izar: nothing would change\n");
    }
}
