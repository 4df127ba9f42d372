//! `swarm hosts trust`: records a host's first keys, once the operator has compared their fingerprints.
//!
//! Hosts behind a jump host come after it, since one has to get in there first. A host for which any key is pinned is
//! left as it is: where the pinned key is among those that it shows, it is trusted already; where it is not, the host
//! is refused and the operator told how to find out.

use anyhow::Context;
use clap::Args;
use futures::future::join_all;

use crate::cli::complete;
use crate::cli::consent;
use crate::cli::exit::Exit;
use crate::cli::help;
use crate::core::text::escaped;
use crate::inventory::{Host, Inventory, SelectError, Selection};
use crate::ssh::known_hosts::{KnownHosts, Pin, Verdict, fingerprint, host_name, record};
use crate::ssh::{self, Destination, HostError, OfferedKey};
use crate::ui::table::tell;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Record the keys of a new host, once their fingerprints are compared", "swarm hosts trust drone-izar")], ""))]
pub struct Arguments {
    /// Names, globs, @tag, %network; `!` excludes
    #[arg(value_name = "HOSTS", required = true, add = complete::hosts())]
    hosts: Vec<Selection>,
    /// Record without asking: the fingerprints have been compared, or the network is trusted
    #[arg(long)]
    yes: bool,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let selection = Selection::joined(&arguments.hosts).ok_or(SelectError::Empty)?;
    let hosts = selection.select(inventory, |_| true)?;
    Ok(Exit::done_if(trust(&hosts, inventory, arguments.yes).await))
}

/// Records the first keys of hosts, once the operator agrees or with `yes`; whether all are trusted then.
pub async fn trust(hosts: &[&Host], inventory: &Inventory, yes: bool) -> bool {
    let mut all = true;
    let mut destinations = Vec::new();
    for (host, resolved) in hosts.iter().zip(join_all(hosts.iter().map(|host| resolved(host, inventory))).await) {
        match resolved {
            Ok(destination) => destinations.push(destination),
            Err(error) => {
                all = false;
                tell(format_args!("{}: {}", host.name, escaped(&error.message)));
            }
        }
    }
    for round in rounds(destinations) {
        let offers = join_all(round.iter().map(offered)).await;
        for (destination, offer) in round.iter().zip(offers) {
            match offer.and_then(|keys| settle(destination, &keys, yes)) {
                Ok(outcome) => tell(format_args!("{}: {outcome}", destination.name)),
                Err(error) => {
                    all = false;
                    tell(format_args!("{}: {}", destination.name, escaped(&format!("{error:#}"))));
                }
            }
        }
    }
    all
}

/// The host as it is reached, by OpenSSH's configuration, too.
async fn resolved(host: &Host, inventory: &Inventory) -> Result<Destination, HostError> {
    ssh::resolved(&inventory.destination_of(host)).await
}

/// The hosts by the number of jumps before them, so that a jump host's key is there when it is gone through.
fn rounds(destinations: Vec<Destination>) -> Vec<Vec<Destination>> {
    let mut rounds: Vec<Vec<Destination>> = Vec::new();
    for destination in destinations {
        let jumps = destination.jumps();
        rounds.resize_with(rounds.len().max(jumps + 1), Vec::new);
        if let Some(round) = rounds.get_mut(jumps) {
            round.push(destination);
        }
    }
    rounds
}

async fn offered(destination: &Destination) -> anyhow::Result<Vec<OfferedKey>> {
    if destination.is_local() {
        return Ok(Vec::new());
    }
    ssh::host_keys(destination).await.map_err(|error| anyhow::anyhow!(error.message))
}

/// Records what a host offers, or says why not.
fn settle(destination: &Destination, keys: &[OfferedKey], yes: bool) -> anyhow::Result<String> {
    if keys.is_empty() {
        return Ok("this machine itself; it needs no host key".to_owned());
    }
    let known = KnownHosts::read(&destination.known_hosts)
        .with_context(|| format!("cannot use {}", destination.known_hosts.display()))?;
    if standing(destination, keys, &known)? == Standing::Trusted {
        return Ok("trusted already".to_owned());
    }
    for offer in keys {
        tell(format_args!(
            "{}: {} {} at {}",
            destination.name,
            offer.key.algorithm(),
            fingerprint(&offer.key),
            offer.address
        ));
    }
    if !yes && !agreed(destination)? {
        anyhow::bail!("not recorded");
    }
    for offer in keys {
        let (name, port) =
            destination.pinned_as(&offer.address).next().unwrap_or((offer.address.as_str(), destination.port));
        record(&destination.known_hosts, name, port, &offer.key)
            .with_context(|| format!("cannot record its key in {}", destination.known_hosts.display()))?;
    }
    Ok(format!("recorded in {}", destination.known_hosts.display()))
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Trusted,
    New,
}

/// Whether a host is trusted or new.
///
/// # Errors
/// A key is revoked, or others than these are pinned for one of its addresses or for its name.
fn standing(destination: &Destination, keys: &[OfferedKey], known: &KnownHosts) -> anyhow::Result<Standing> {
    let first = destination.addresses().next().unwrap_or(destination.name.as_str());
    let names = || destination.pinned_as(first);
    for offer in keys {
        if names().any(|(name, port)| known.revoked(name, port, &offer.key).is_some()) {
            anyhow::bail!(
                "refused: {} {} is revoked in {}; give the host a new key, or remove that line if it is wrong",
                offer.key.algorithm(),
                fingerprint(&offer.key),
                known.path().display()
            );
        }
    }
    let mut trusted = false;
    for (name, port) in names() {
        let verdicts: Vec<Verdict> = keys.iter().map(|offer| known.check(name, port, &offer.key)).collect();
        if verdicts.contains(&Verdict::Known) {
            trusted = true;
        } else if let Some(expected) = verdicts.iter().find_map(pins) {
            anyhow::bail!(changed(destination, &host_name(name, port), keys, expected, known));
        }
    }
    Ok(if trusted { Standing::Trusted } else { Standing::New })
}

fn pins(verdict: &Verdict) -> Option<&[Pin]> {
    match verdict {
        Verdict::Changed { expected, .. } => Some(expected),
        Verdict::Known | Verdict::Unknown { .. } | Verdict::Revoked { .. } => None,
    }
}

fn changed(destination: &Destination, name: &str, keys: &[OfferedKey], expected: &[Pin], known: &KnownHosts) -> String {
    let file = known.path().display();
    let pinned =
        expected.iter().map(|pin| format!("\n  pinned: {} {} ({file}:{})", pin.algorithm, pin.fingerprint, pin.line));
    let offered =
        keys.iter().map(|offer| format!("\n  offered: {} {}", offer.key.algorithm(), fingerprint(&offer.key)));
    format!(
        "refused: other keys are pinned for {name}: the host was installed anew, or another machine answers in its \
         place{}{}\n  find out which; only if the new key is right, remove the old one: ssh-keygen -R '{}' -f {file}, \
         then: swarm hosts trust {}",
        pinned.collect::<String>(),
        offered.collect::<String>(),
        name,
        destination.name,
    )
}

/// Asks the operator, where there is one.
fn agreed(destination: &Destination) -> anyhow::Result<bool> {
    consent::ask(&format!("{}: are these the host's own keys?", destination.name))?.with_context(|| {
        format!(
            "not recorded: nobody can be asked here. Compare the fingerprints with the host's own (there: ssh-keygen -lf \
             /etc/ssh/ssh_host_ed25519_key.pub), then: swarm hosts trust --yes {}",
            destination.name
        )
    })
}
