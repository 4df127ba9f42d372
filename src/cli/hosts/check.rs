//! `swarm hosts check`: is every host there, and fit for its part.

use super::{Asked, Named, ask, roles};
use crate::cli::exit::Exit;
use crate::core::text::escaped;
use crate::drone::facts::{Duty, Finding, Severity, check};
use crate::inventory::{Host, Inventory, Role};
use crate::ssh::HostErrorKind;
use crate::ui::table::{Cell, Table, Tone, write_out};

pub async fn run(named: &Named, inventory: &Inventory) -> anyhow::Result<Exit> {
    let hosts = named.select(inventory)?;
    let verdicts: Vec<Verdict> =
        ask(&hosts, inventory).await.into_iter().map(|asked| judge(asked, inventory)).collect();
    let mut table = Table::new(["host", "role", "address", "state"]);
    for verdict in &verdicts {
        table.row([
            Cell::from(&verdict.asked.host.name),
            Cell::from(roles(verdict.asked.host, inventory)),
            Cell::optional(verdict.asked.address.as_ref()),
            verdict.state(),
        ]);
    }
    table.print()?;
    let drones: Vec<bool> = verdicts.iter().filter(|verdict| verdict.is_drone()).map(Verdict::is_usable).collect();
    let usable = drones.iter().filter(|usable| **usable).count();
    let troubles: String = verdicts.iter().map(Verdict::trouble).collect();
    if !troubles.is_empty() {
        write_out(&format!("\n{troubles}"))?;
    }
    let wanted_drones = named.hosts.is_empty() || !drones.is_empty();
    if wanted_drones {
        write_out(&format!("\n{usable} of {} drones can be used.\n", drones.len()))?;
    }
    Ok(match (usable, troubles.is_empty()) {
        (0, _) if wanted_drones => Exit::NoDrone,
        (_, false) => Exit::Impossible,
        (_, true) => Exit::Done,
    })
}

/// A host's answer and what is to be mended there.
struct Verdict<'a> {
    asked: Asked<'a>,
    findings: Vec<Finding>,
}

fn judge<'a>(asked: Asked<'a>, inventory: &Inventory) -> Verdict<'a> {
    let findings = match &asked.facts {
        Ok(facts) => check(facts, duty(asked.host, inventory)),
        Err(_) => Vec::new(),
    };
    Verdict { asked, findings }
}

fn duty(host: &Host, inventory: &Inventory) -> Duty {
    match host.role {
        Role::Drone(_) => Duty::Build,
        _ if *inventory.driver() == host.name => Duty::Plan,
        Role::Plain | Role::Orchestrator(_) => Duty::Other,
    }
}

impl Verdict<'_> {
    fn is_drone(&self) -> bool {
        matches!(self.asked.host.role, Role::Drone(_))
    }

    fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(Finding::severity).max()
    }

    fn is_usable(&self) -> bool {
        self.asked.facts.is_ok() && self.worst() != Some(Severity::Unusable)
    }

    fn state(&self) -> Cell {
        match (&self.asked.facts, self.worst()) {
            (Ok(_), None) => Cell::new("ok", Tone::Good),
            (Ok(_), Some(Severity::Warning)) => Cell::new("ok, to be mended", Tone::Warning),
            (Ok(_), Some(Severity::Unusable)) => Cell::new("unwell", Tone::Bad),
            (Err(error), _) => Cell::new(state_of(error.kind), Tone::Bad),
        }
    }

    /// What is wrong and what can be done, in lines.
    fn trouble(&self) -> String {
        let name = &self.asked.host.name;
        match &self.asked.facts {
            Err(error) => format!("{name}: {}\n", escaped(&error.message)),
            Ok(_) => self
                .findings
                .iter()
                .map(|finding| format!("{name}: {}\n  {}\n", escaped(&finding.to_string()), finding.cure()))
                .collect(),
        }
    }
}

/// A word for the state of a host that gave no answer.
fn state_of(kind: HostErrorKind) -> &'static str {
    match kind {
        HostErrorKind::Unreachable => "unreachable",
        HostErrorKind::Refused => "refused",
        HostErrorKind::Authentication => "no login",
        HostErrorKind::Lost => "lost",
        HostErrorKind::Failed | HostErrorKind::NoSpace | HostErrorKind::Local => "unwell",
    }
}
