//! What an operator wants done (`swarm balance`, `unblock`, `reset`, `prune`, `drain`, `undrain`, and of other files
//! `finalize` and `rollback`): told to the controller that is at work, else done here.

use clap::Args;
use tokio::sync::mpsc;

use super::books;
use super::complete;
use super::consent::Consent;
use super::exit::Exit;
use super::{help, interrupt, select};
use crate::controller::publish::{self, Whom};
use crate::controller::remote::{self, Remote};
use crate::controller::run::{self, Finish, Orders, Outside};
use crate::controller::verb::Verb;
use crate::controller::{Session, socket, verb};
use crate::core::build::Build;
use crate::core::names::{BuildName, HostName};
use crate::core::text::escaped;
use crate::inventory::{Inventory, Selection};
use crate::ui;
use crate::ui::table::{tell, write_out};
use crate::ui::time::local;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Try all that failed again", "swarm unblock"), ("Try one package again, and what it blocks", "swarm unblock dev-libs/bar")], ""))]
pub struct Unblock {
    /// Packages that failed or are blocked; all where none is named
    #[arg(add = complete::packages())]
    packages: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Give the open build up, once you have said yes", "swarm reset"), ("Give up one that waits for its turn", "swarm reset --build 7 --yes")], ""))]
pub struct Reset {
    /// This build instead of the open one: one that waits for its turn, or for its release
    #[arg(long, value_name = "ID", add = complete::builds())]
    build: Option<BuildName>,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("What would go", "swarm prune --dry-run"), ("Keep all to its limits", "swarm prune")], ""))]
pub struct Prune {
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Let a drone come to rest for maintenance", "swarm drain drone-izar"), ("All drones of one tag", "swarm drain @lan")], ""))]
pub struct Drain {
    /// Drones: names, globs, @tags, %networks, ! excludes
    #[arg(required = true, value_name = "HOSTS", add = complete::drones())]
    hosts: Vec<Selection>,
}

impl Drain {
    /// The drones that were named.
    pub fn drones(&self, inventory: &Inventory) -> anyhow::Result<Vec<HostName>> {
        select::drones(Selection::joined(&self.hosts).as_ref(), inventory)
    }
}

pub async fn unblock(arguments: &Unblock, inventory: Inventory) -> anyhow::Result<Exit> {
    ask(Verb::Unblock { packages: arguments.packages.clone() }, inventory).await
}

pub async fn reset(arguments: &Reset, inventory: Inventory) -> anyhow::Result<Exit> {
    let state = books::state(&inventory).await?.unwrap_or_default();
    let name = state.to_forget(arguments.build.as_ref())?;
    let received = state.builds.get(name).into_iter().flat_map(Build::received).count();
    let jobs = state.jobs.values().filter(|job| job.build == *name).count();
    let what = format!("build {name}, the {received} packages received for it that are not live, and {jobs} jobs");
    if arguments.consent.dry_run {
        write_out(&format!("{what} would be given up; nothing was changed\n"))?;
        return Ok(Exit::Done);
    }
    arguments.consent.require(&format!("Give up {what}?"), &format!("gives up {what}"))?;
    ask(Verb::Reset { build: arguments.build.clone() }, inventory).await
}

/// Tells the controller, or takes its place for a moment.
pub async fn ask(wish: Verb, inventory: Inventory) -> anyhow::Result<Exit> {
    if let Some(elsewhere) = Remote::of(&inventory)? {
        let answer = remote::tell(&elsewhere, &wish, |text| tell(text)).await?;
        print(&answer.lines)?;
        return Ok(Exit::done_if(!answer.trouble));
    }
    if let Some(answer) = socket::tell(&inventory.swarm.state, &wish).await? {
        print(&answer.lines)?;
        return Ok(Exit::done_if(!answer.trouble));
    }
    let drones = inventory.drones().map(|(host, _)| host.name.clone()).collect();
    let mut session = Session::open(inventory, ui::progress::observer(false)).await?;
    let done = carry_out(&wish, &mut session, drones).await;
    close(&mut session, done).await
}

/// Ends a session after what was done in it.
pub(super) async fn close(session: &mut Session, done: anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    let closed = session.close(done.as_ref().err().and_then(|error| error.downcast_ref())).await;
    done.and_then(|exit| Ok(closed.map(|()| exit)?))
}

async fn carry_out(wish: &Verb, session: &mut Session, drones: Vec<HostName>) -> anyhow::Result<Exit> {
    let answer = verb::carry_out(session, wish).await?;
    print(&answer.lines)?;
    if wish.releases()
        && let Some(publication) = publish::everywhere(session, Whom::All).await?
    {
        print(&publication.lines())?;
        return Ok(Exit::done_if(publication.is_good()));
    }
    if matches!(wish, Verb::Reset { .. }) && !session.state().jobs.is_empty() {
        return end_jobs(session, drones).await;
    }
    Ok(Exit::done_if(!answer.trouble))
}

/// What ran for a build that is forgotten is ended on the drones that can be reached.
async fn end_jobs(session: &mut Session, drones: Vec<HostName>) -> anyhow::Result<Exit> {
    let (_nobody, asked) = mpsc::channel(1);
    let mut outside = Outside { halts: interrupt::listen()?, asked };
    let finish = run::run(session, &Orders { drones, take_over: false, until: None }, &mut outside).await?;
    let left = session.state().jobs.len();
    if left > 0 {
        tell(format_args!(
            "{left} jobs are on drones that do not answer; they are ended by the next push that reaches them"
        ));
    }
    Ok(if finish == Finish::Interrupted { Exit::Interrupted } else { Exit::Done })
}

/// Whoever has read enough of it stops nothing.
fn print(lines: &[String]) -> std::io::Result<()> {
    write_out(&lines.iter().map(|line| local(&escaped(line)) + "\n").collect::<String>())
}
