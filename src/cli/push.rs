//! `swarm push`: the main job.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;

use anyhow::bail;
use clap::Args;
use tokio::sync::mpsc;

use super::ask;
use super::detach;
use super::exit::Exit;
use super::help;
use super::interrupt;
use super::plan;
use super::publish;
use super::select::Selected;
use super::submit;
use super::work_off;
use crate::controller::background;
use crate::controller::exec::through::Ways;
use crate::controller::finalize::Extent;
use crate::controller::remote::Remote;
use crate::controller::run::{self, Finish, Orders, Outside};
use crate::controller::socket::Socket;
use crate::controller::{Session, finalize, housekeeping, install, now, planning, queue, reuse};
use crate::core::build::Phase;
use crate::core::decide::End;
use crate::core::event::{Event, Selection};
use crate::core::names::{HostName, Timestamp};
use crate::core::plan::PackageIndex;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::portage::index::Stanza;
use crate::ui;
use crate::ui::table::{tell, tell_lines};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Build a package and all that it needs, then make it live", "swarm push --finalize app-misc/foo"), ("Build what an update of the driver's world needs, in the background", "swarm push --world --detach"), ("Try again what failed of the open build, on one drone", "swarm push --retry-failed --on drone-izar")], ""))]
pub struct Arguments {
    #[command(flatten)]
    pub selected: Selected,
    /// Show the plan, start nothing
    #[arg(long)]
    dry_run: bool,
    /// Release the build once all of it is received
    #[arg(long)]
    pub finalize: bool,
    /// Release it, then update the driver's world from it
    #[arg(long)]
    pub install: bool,
    /// Put another selection in the place of the open build; what both want is kept
    #[arg(long)]
    pub replace: bool,
    /// Build also what is received or released already, just as it is wanted
    #[arg(long)]
    pub rebuild: bool,
    /// Try the failed packages of the open build again
    #[arg(long)]
    pub retry_failed: bool,
    /// Go on in the background: come back once the build is open
    #[arg(long, conflicts_with = "dry_run")]
    pub detach: bool,
    /// It is the one in the background
    #[arg(long = background::FLAG, hide = true, conflicts_with = "detach")]
    detached: bool,
    /// Work off the open build and then all that waits for its turn
    #[arg(long = background::ALL, hide = true, requires = "detached")]
    work_off: bool,
    /// Overrule another controller that holds the drones
    #[arg(long)]
    pub take_over: bool,
    /// Start nothing from this moment (RFC 3339) on; what runs then is received. Where work is left: 3 where packages
    /// have failed, else 130. At an orchestrator the build goes on, and is not followed any longer
    #[arg(long, value_name = "TIME", value_parser = until, conflicts_with = "detach")]
    pub until: Option<Timestamp>,
    /// Events as JSON, one a line, on standard output
    #[arg(long)]
    pub json: bool,
}

fn until(text: &str) -> Result<Timestamp, String> {
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| format!("{text:?} is no moment such as 2026-11-26T06:00:00Z"))?;
    Ok(Timestamp(moment.as_second()))
}

pub async fn run(arguments: Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    // What goes on in the background was found to belong here.
    if !arguments.dry_run
        && !arguments.detached
        && let Some(remote) = Remote::of(&inventory)?
    {
        return submit::run(&arguments, &inventory, &remote).await;
    }
    if arguments.detach {
        if arguments.selected.wants_standard_input() {
            bail!("in the background there is no standard input: give --list or --pretend a file, not `-`");
        }
        return detach::run(&inventory).await;
    }
    if arguments.detached {
        detach::leave_session()?;
    }
    let selection = arguments.selected.selection()?;
    let drones = arguments.selected.drones(&inventory)?;
    if arguments.dry_run {
        let selection = selection.unwrap_or(Selection::World);
        let planned = planning::plan(&inventory, &selection).await?;
        let look = plan::Look { rebuild: arguments.rebuild, json: arguments.json, ..plan::Look::default() };
        look.show(&inventory, &planned, &drones)?;
        return Ok(Exit::Done);
    }
    let halts = interrupt::listen()?;
    let mut session = Session::open(inventory, ui::progress::observer(arguments.json)).await?;
    session.attend(!arguments.detached && std::io::stderr().is_terminal());
    let (asked, asks) = mpsc::channel(16);
    let ways = Ways::of(&session);
    let socket = Socket::open_with(session.directory(), asked, session.events(), Some(ways.clone()))?;
    let mut outside = Outside { halts, asked: asks };
    let pushed = if arguments.work_off {
        let orders = Orders { drones, take_over: arguments.take_over, until: None };
        socket.heard().await;
        let exit = work_off::everything(&mut session, &orders, &mut outside).await;
        // Whoever still asks is told that the controller is ending.
        drop(outside);
        socket.close().await;
        exit
    } else {
        let exit = push(&arguments, &mut session, outside, selection, drones).await;
        drop(socket);
        exit
    };
    if matches!(pushed, Ok(Exit::Interrupted)) {
        // Whoever interrupts does not want to wait; what is wrong is told by whoever comes next.
        session.leave_office().await;
        return pushed;
    }
    if pushed.is_ok() {
        housekeeping::after_run(&mut session).await;
    }
    let exit = ask::close(&mut session, pushed).await;
    drop(session);
    see_out(&ways).await?;
    exit
}

/// Commands that an operator runs by our connections come to their end, unless somebody interrupts us.
async fn see_out(ways: &Ways) -> anyhow::Result<()> {
    if ways.are_used() {
        tell("what `swarm exec` runs through this process is waited for; Ctrl-C ends it");
        let mut halts = interrupt::listen()?;
        tokio::select! {
            () = ways.finish() => {}
            _ = halts.recv() => {}
        }
    }
    Ok(())
}

async fn push(
    arguments: &Arguments,
    session: &mut Session,
    mut outside: Outside,
    selection: Option<Selection>,
    drones: Vec<HostName>,
) -> anyhow::Result<Exit> {
    let opened = tokio::select! {
        opened = open(session, selection, arguments) => opened?,
        _ = outside.halts.recv() => {
            tell("interrupted: nothing was started");
            return Ok(Exit::Interrupted);
        }
    };
    match opened {
        Opened::Build => {}
        Opened::Nothing => return Ok(publish::everywhere(session).await?),
        Opened::Released(packages) => {
            let published = publish::everywhere(session).await?;
            if arguments.install {
                install(session, packages).await?;
            }
            return Ok(published);
        }
    }
    if arguments.retry_failed {
        session.record(&Event::RetryAsked { packages: BTreeSet::new(), at: now() })?;
    }
    let orders = Orders { drones, take_over: arguments.take_over, until: arguments.until };
    let end = match run::run(session, &orders, &mut outside).await? {
        Finish::Interrupted | Finish::Stopped => return Ok(Exit::Interrupted),
        Finish::OutOfTime => return Ok(out_of_time(session)),
        Finish::Ended(end) => end,
    };
    for line in ui::progress::summary(session.state().open_build(), end) {
        session.note(&line);
    }
    let mut fresh = Vec::new();
    let wanted = arguments.finalize || arguments.install;
    // Somebody may have released it already.
    if end == End::Complete && wanted && session.state().open_build().is_some() {
        let received = received_paths(session);
        let released = finalize::finalize(session, Extent::Whole, None).await?;
        for line in released.lines() {
            session.note(&line);
        }
        let stanzas = released.contents.index.stanzas.into_iter();
        fresh = stanzas.filter(|stanza| received.contains(&stanza.path().to_string())).collect();
    }
    let published = publish::everywhere(session).await?;
    if arguments.install && !fresh.is_empty() {
        install(session, fresh).await?;
    }
    Ok(match end.into() {
        Exit::Done => published,
        other => other,
    })
}

/// The build stays open; what failed of it is told as that.
fn out_of_time(session: &mut Session) -> Exit {
    let Some(build) = session.state().open_build() else { return Exit::Interrupted };
    let count = |wanted: fn(&Phase) -> bool| build.packages.iter().filter(|package| wanted(&package.phase)).count();
    let (received, failed) =
        (count(|phase| matches!(phase, Phase::Received(_))), count(|phase| matches!(phase, Phase::Failed)));
    let left = build.packages.len() - received - failed;
    session.note(&format!(
        "the time is over: {received} received, {failed} failed, {left} are left for the next `swarm push`"
    ));
    if failed > 0 { Exit::SomeFailed } else { Exit::Interrupted }
}

async fn install(session: &Session, packages: Vec<Stanza>) -> anyhow::Result<()> {
    tell_lines(&escaped(&install::install(session, packages).await?));
    Ok(())
}

/// What a selection came to.
enum Opened {
    /// A build that is to be worked off.
    Build,
    /// The driver has all of it.
    Nothing,
    /// All of it is in the live release.
    Released(Vec<Stanza>),
}

/// Makes sure that the build that was asked for is open, where there is something to build.
async fn open(session: &mut Session, selection: Option<Selection>, arguments: &Arguments) -> anyhow::Result<Opened> {
    let replace = arguments.replace;
    let open = session.state().open_build().map(|build| (build.name.clone(), build.selection.clone()));
    if let Some(build) = session.state().open_build().filter(|build| arguments.rebuild && !build.rebuild && !replace) {
        bail!(
            "build {} of {} is open, and what it found is not built anew: `--rebuild --replace` begins it anew, \
             `swarm push` without `--rebuild` goes on with it",
            build.name,
            build.selection
        );
    }
    let selection = match (open, selection) {
        (Some(_), None) => return Ok(Opened::Build),
        // The driver's world may want something else by now; anything else means what it meant.
        (Some((_, Selection::World)), Some(Selection::World)) => Selection::World,
        (Some((_, same)), Some(selection)) if same.is_resumed_by(&selection) && !replace => return Ok(Opened::Build),
        (Some((name, other)), Some(selection)) if !replace => bail!(
            "build {name} of {other} is open, so {selection} was not begun: `swarm push` goes on with it, \
             `swarm finalize` releases it, `--replace` puts the new selection in its place"
        ),
        (_, selection) => selection.unwrap_or(Selection::World),
    };
    let planned = planning::plan(&session.inventory, &selection).await?;
    if !replace && session.state().same(&selection, &planned.plan).is_some() {
        return Ok(Opened::Build);
    }
    let live = if arguments.rebuild { BTreeMap::new() } else { reuse::live(session, &planned.plan)? };
    let all = planned.plan.packages.len();
    if !live.is_empty() && live.len() == all {
        for line in queue::all_live(session, all) {
            session.note(&line);
        }
        queue::let_go(session, &selection)?;
        return Ok(Opened::Released(live.into_values().collect()));
    }
    queue::note_live(session, &live, all);
    if planned.plan.packages.is_empty() {
        queue::let_go(session, &selection)?;
    }
    Ok(if begin(session, selection, planned, live, arguments.rebuild)? { Opened::Build } else { Opened::Nothing })
}

/// Opens a build of this plan; what is live of it is staged again, not built.
pub fn begin(
    session: &mut Session,
    selection: Selection,
    planned: planning::Planned,
    live: BTreeMap<PackageIndex, Stanza>,
    rebuild: bool,
) -> anyhow::Result<bool> {
    for note in ui::plan::notes(&planned) {
        session.note(&note);
    }
    if planned.plan.packages.is_empty() {
        session.note(planned.nothing());
        return Ok(false);
    }
    let build = queue::build_name(session)?;
    let failed = if rebuild { BTreeMap::new() } else { session.state().failed_before(&planned.plan, now()) };
    let event = |live| Event::BuildOpened { build, selection, plan: planned.plan, live, rebuild, at: now() };
    queue::open(session, live, failed, event)?;
    Ok(true)
}

/// Where the open build's received packages lie below staging.
fn received_paths(session: &Session) -> BTreeSet<String> {
    let received = session.state().open_build().into_iter().flat_map(|build| build.received());
    received.map(|(_, file)| file.path.clone()).collect()
}
