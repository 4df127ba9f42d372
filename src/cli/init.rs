//! `swarm init`: the first inventory, of hosts that were tried.

mod draft;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::exit::Exit;
use super::{consent, help, hosts};
use crate::inventory::{Inventory, NAME, PRODUCTION, STAGING, STATE};
use crate::ui::table::{tell, write_out};
use draft::{Draft, Named};

/// The file in a directory of inventories.
const FILE: &str = "fleet.toml";
/// Where it is made where nothing is said: the first place in which it is looked for.
const DIRECTORY: &str = "inventory";

#[derive(Debug, Args)]
#[command(after_help = help::end(&[
    ("Be asked a handful of questions", "swarm init"),
    ("Two drones, of which one is an alias of ~/.ssh/config; no question", "swarm init --yes root@10.42.0.7:2222 drone-izar"),
    ("See what would be written", "swarm init --yes --dry-run --driver capella drone-izar"),
], "Each host is tried: its host key is shown and recorded once you have agreed, then it is looked at as `swarm hosts \
    check` does. With a host that cannot be used nothing is written (1), unless --force says so."))]
pub struct Arguments {
    /// The drones: [USER@]HOST[:PORT], where HOST may be an alias of ssh's configuration
    #[arg(value_name = "HOST")]
    drones: Vec<Named>,
    /// The swarm's name [default: swarm]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The machine whose packages are wanted [default: local, this one]
    #[arg(long, value_name = "HOST")]
    driver: Option<Named>,
    /// A host that serves the packages; may be given more than once
    #[arg(long, value_name = "HOST")]
    orchestrator: Vec<Named>,
    /// The host that points clients to the orchestrator that is healthy
    #[arg(long, value_name = "HOST")]
    gateway: Option<Named>,
    /// Where the journal and the build logs lie here [default: /var/lib/build-swarm]
    #[arg(long, value_name = "DIR")]
    state: Option<String>,
    /// Where received packages lie here [default: /var/cache/swarm/staging]
    #[arg(long, value_name = "DIR")]
    staging: Option<String>,
    /// What clients get [default: /var/cache/swarm/production]
    #[arg(long, value_name = "DIR")]
    production: Option<String>,
    /// Ask nothing: take the defaults, and record the host keys that are shown
    #[arg(long)]
    yes: bool,
    /// Print the inventory; write nothing, record no host key
    #[arg(long)]
    dry_run: bool,
    /// Write it over one that is there, and though a host cannot be used
    #[arg(long)]
    force: bool,
}

pub async fn run(arguments: Arguments, option: Option<&Path>) -> anyhow::Result<Exit> {
    let file = file(option);
    let Arguments { yes, dry_run, force, .. } = arguments;
    if !dry_run && !force {
        refuse_existing(&file)?;
    }
    let draft = draft(arguments)?;
    let text = draft.text()?;
    let inventory = Inventory::parse(&[(file.clone(), text.clone())]).context("what would be written has faults")?;
    let all: Vec<_> = inventory.hosts().collect();
    let trusted = dry_run || hosts::trust::trust(&all, &inventory, yes).await;
    let checked = hosts::check::all(&inventory).await?;
    if dry_run {
        write_out(&format!("\n# {}\n{text}", file.display()))?;
        return Ok(checked);
    }
    let good = trusted && checked == Exit::Done;
    if !good && !force {
        tell(format_args!(
            "swarm: nothing was written: mend what is said above, leave that host out, or write {} all the same with \
             --force",
            file.display()
        ));
        return Ok(if checked == Exit::Done { Exit::Impossible } else { checked });
    }
    if let Some(directory) = file.parent() {
        fs_err::create_dir_all(directory)?;
    }
    fs_err::write(&file, &text)?;
    write_out(&format!("{} is written; next: `swarm push --dry-run --world`\n", file.display()))?;
    Ok(checked)
}

/// The file that is to be written.
fn file(option: Option<&Path>) -> PathBuf {
    match option {
        Some(file) if file.extension().is_some_and(|ending| ending == "toml") => file.to_owned(),
        Some(directory) => directory.join(FILE),
        None => Path::new(DIRECTORY).join(FILE),
    }
}

/// All files of a directory are one inventory, so one more in it would be a second fleet in the first.
fn refuse_existing(file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        return already(file);
    }
    // A file of another name was named itself, and is read alone.
    if file.file_name().is_none_or(|name| name != FILE) {
        return Ok(());
    }
    let here = Path::new(".");
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(here);
    if directory.is_dir() {
        for entry in fs_err::read_dir(directory)? {
            let beside = entry?.path();
            if beside.extension().is_some_and(|ending| ending == "toml") {
                return already(&beside);
            }
        }
    }
    Ok(())
}

fn already(found: &Path) -> anyhow::Result<()> {
    bail!("there is an inventory already, {}: name another with --inventory, or say --force", found.display())
}

/// What was given, and what the operator answers.
fn draft(given: Arguments) -> anyhow::Result<Draft> {
    let ask = |question: &str, default: &str| match given.yes {
        true => Ok(default.to_owned()),
        false => consent::line(question, default),
    };
    let or_asked =
        |value: Option<String>, question: &str, default: &str| value.map_or_else(|| ask(question, default), Ok);
    let name = or_asked(given.name, "What is the swarm to be called?", NAME)?;
    let driver = match given.driver {
        Some(driver) => driver,
        None => parsed(&ask("Whose packages are wanted? [USER@]HOST[:PORT], or local for this machine", "local")?)?,
    };
    let mut drones = given.drones;
    if drones.is_empty() {
        let line = ask("Which hosts build? [USER@]HOST[:PORT] of each, or aliases of ~/.ssh/config", "")?;
        drones = line.split_whitespace().map(parsed).collect::<anyhow::Result<_>>()?;
    }
    if drones.is_empty() {
        bail!("a swarm needs a drone: name one, as in `swarm init root@10.42.0.7`");
    }
    let mut orchestrators = given.orchestrator;
    if orchestrators.is_empty() {
        let line = ask("Which hosts serve the packages? None where a web server of yours does", "")?;
        orchestrators = line.split_whitespace().map(parsed).collect::<anyhow::Result<_>>()?;
    }
    let gateway = match given.gateway {
        None if orchestrators.len() > 1 => {
            let line = ask("Which host points clients to the healthy one of them?", "")?;
            line.split_whitespace().next().map(parsed).transpose()?
        }
        gateway => gateway,
    };
    let state = or_asked(given.state, "Where do journal and build logs lie here?", STATE)?;
    let staging = or_asked(given.staging, "Where do received packages lie here?", STAGING)?;
    let production = or_asked(given.production, "What directory do clients get?", PRODUCTION)?;
    Ok(Draft { name, driver, drones, orchestrators, gateway, state, staging, production })
}

fn parsed(text: &str) -> anyhow::Result<Named> {
    text.parse().map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_that_is_there_is_never_written_over_unasked() {
        let root = tempfile::tempdir().unwrap();
        let refused = |file: &Path| refuse_existing(file).is_err();
        let (fleet, own) = (root.path().join(FILE), root.path().join("own.toml"));
        assert!(!refused(&root.path().join("none/fleet.toml")) && !refused(&fleet) && !refused(&own));
        fs_err::write(root.path().join("other.toml"), "").unwrap();
        assert!(refused(&fleet) && !refused(&own), "one more in a directory would be a part of the same fleet");
        fs_err::write(&own, "").unwrap();
        assert!(refused(&own));
        // A file of the working directory has no directory in its name.
        assert!(refused(Path::new("Cargo.toml")));
    }
}
