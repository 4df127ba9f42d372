//! `swarm hosts check`: is every host there, and fit for its part; and what do drones keep of jobs.

use clap::Args;
use futures::{StreamExt, stream};

use super::{AT_ONCE, Asked, Named, ask, clean, roles};
use crate::cli::exit::Exit;
use crate::cli::help;
use crate::core::text::{duration, escaped};
use crate::drone::facts::{Duty, Finding, Severity, check};
use crate::drone::job::Progress;
use crate::drone::room;
use crate::drone::strays::{self, Stray};
use crate::inventory::{CleanRoom, Host, Inventory, Role};
use crate::ssh::{HostError, HostErrorKind};
use crate::ui::table::tell;
use crate::ui::table::{Cell, Table, Tone, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Reach every host", "swarm hosts check"), ("Remove what ended jobs have left on two drones", "swarm hosts check --clean drone-izar drone-vega")], ""))]
pub struct Arguments {
    #[command(flatten)]
    named: Named,
    /// Remove the job directories that are ours and over; the others are named and left
    #[arg(long)]
    clean: bool,
    /// Say what --clean would remove; remove nothing
    #[arg(long, requires = "clean")]
    dry_run: bool,
}

/// The same of all hosts, and nothing is cleaned.
pub async fn all(inventory: &Inventory) -> anyhow::Result<Exit> {
    run(&Arguments { named: Named { hosts: Vec::new() }, clean: false, dry_run: false }, inventory).await
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let named = &arguments.named;
    let hosts = named.select(inventory)?;
    let mut verdicts: Vec<Verdict> =
        ask(&hosts, inventory).await.into_iter().map(|asked| judge(asked, inventory)).collect();
    let rooms: Vec<Option<Finding>> =
        stream::iter(verdicts.iter().map(Verdict::try_room)).buffered(AT_ONCE).collect().await;
    for (verdict, room) in verdicts.iter_mut().zip(rooms) {
        verdict.findings.extend(room);
    }
    let mut table = Table::new(["host", "role", "address", "state"]);
    for verdict in &verdicts {
        table.row([
            Cell::from(&verdict.asked.host.name),
            Cell::from(roles(verdict.asked.host, inventory)),
            Cell::optional(verdict.asked.connection.address()),
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
    let jobs = jobs(&verdicts).await;
    show_jobs(&jobs)?;
    let clean = !arguments.clean || clean_up(&jobs, inventory, arguments.dry_run).await?;
    let wanted_drones = named.hosts.is_empty() || !drones.is_empty();
    if wanted_drones {
        write_out(&format!("\n{usable} of {} drones can be used.\n", drones.len()))?;
    }
    let well = verdicts.iter().all(|verdict| verdict.asked.facts.is_ok() && verdict.worst() <= Some(Severity::Note));
    Ok(match (usable, well && clean) {
        (0, _) if wanted_drones => Exit::NoDrone,
        (_, false) => Exit::Impossible,
        (_, true) => Exit::Done,
    })
}

/// A drone, and the job directories there.
type Jobs<'a> = (&'a Asked<'a>, Result<Vec<Stray>, HostError>);

/// What lies in the job directories of the drones that answered.
async fn jobs<'a>(verdicts: &'a [Verdict<'a>]) -> Vec<Jobs<'a>> {
    let drones = verdicts.iter().filter(|verdict| verdict.is_drone() && verdict.asked.facts.is_ok());
    let lists = drones.map(|verdict| async {
        let workdir = &verdict.asked.host.access.workdir;
        (&verdict.asked, strays::list(verdict.asked.connection.as_ref(), workdir, true).await)
    });
    stream::iter(lists).buffered(AT_ONCE).collect().await
}

fn show_jobs(lists: &[Jobs<'_>]) -> anyhow::Result<()> {
    let mut table = Table::new(["drone", "job", "state", "build", "package", "size", "age"]).numbers("size");
    for (drone, list) in lists {
        match list {
            Ok(list) => list.iter().for_each(|stray| table.row(job_row(drone.host, stray))),
            Err(error) => tell(escaped(&error.to_string())),
        }
    }
    if !table.is_empty() {
        write_out("\nJob directories, of builds that go on and of others:\n")?;
        table.print()?;
    }
    Ok(())
}

/// Removes what is ours and over, or says what that is; whether it is all gone, or could be.
async fn clean_up(lists: &[Jobs<'_>], inventory: &Inventory, dry_run: bool) -> anyhow::Result<bool> {
    let books = &clean::books(inventory)?;
    let cleanings = lists.iter().filter_map(|(drone, list)| {
        let strays = list.as_ref().ok()?;
        Some(clean::clean(drone.host, drone.connection.as_ref(), strays, books, dry_run))
    });
    let cleanings: Vec<_> = stream::iter(cleanings).buffered(AT_ONCE).collect().await;
    let lines: String = cleanings.iter().flat_map(|(lines, _)| lines).map(|line| format!("{line}\n")).collect();
    write_out(if lines.is_empty() { "\nNo drone has anything that is to be removed.\n" } else { "\n" })?;
    write_out(&lines)?;
    Ok(cleanings.iter().all(|(_, gone)| *gone) && lists.iter().all(|(_, list)| list.is_ok()))
}

fn job_row(host: &Host, stray: &Stray) -> [Cell; 7] {
    let manifest = stray.manifest.as_ref();
    [
        Cell::from(&host.name),
        Cell::from(&stray.job),
        match stray.progress {
            Progress::New => Cell::from("not started"),
            Progress::Running => Cell::new("running", Tone::Good),
            Progress::Ended => Cell::from("ended"),
            Progress::Lost => Cell::new("lost", Tone::Warning),
        },
        Cell::optional(manifest.map(|manifest| format!("{} of {}", manifest.build, manifest.driver))),
        Cell::optional(manifest.map(|manifest| &manifest.identity.cpv)),
        Cell::from(stray.size),
        Cell::from(duration(stray.age.as_secs())),
    ]
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

    /// What keeps jobs from having clean rooms where they are wanted.
    async fn try_room(&self) -> Option<Finding> {
        let Role::Drone(settings) = &self.asked.host.role else { return None };
        if settings.clean_room == CleanRoom::Never || !self.is_usable() {
            return None;
        }
        let workdir = self.asked.host.access.workdir.as_str();
        let tried = room::attempt(self.asked.connection.as_ref(), workdir).await;
        let why = tried.map_err(|error| error.message).flatten().err()?;
        Some(Finding::NoCleanRoom { why, always: settings.clean_room == CleanRoom::Always })
    }

    fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(Finding::severity).max()
    }

    fn is_usable(&self) -> bool {
        self.asked.facts.is_ok() && self.worst() != Some(Severity::Unusable)
    }

    fn state(&self) -> Cell {
        match (&self.asked.facts, self.worst()) {
            (Ok(_), None | Some(Severity::Note)) => Cell::new("ok", Tone::Good),
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
