//! `swarm push` where the controller is an orchestrator: the plan is made here, and the build followed there.

use std::time::Duration;

use anyhow::bail;
use tokio::sync::mpsc;

use super::exit::Exit;
use super::interrupt;
use super::push::Arguments;
use crate::controller::remote::follow::{Followed, follow};
use crate::controller::remote::{self, Remote};
use crate::controller::run::Halt;
use crate::controller::verb::Verb;
use crate::controller::{Observer, install, now, planning};
use crate::core::event::Selection;
use crate::core::names::{BuildName, Timestamp};
use crate::core::order::{Form, Receipt, Submission};
use crate::core::state::State;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::ui;
use crate::ui::table::{tell, tell_lines, write_out};

/// What an order came to.
enum Asked {
    Build(BuildName),
    Nothing,
    /// All of it is in the live release.
    Live,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory, remote: &Remote) -> anyhow::Result<Exit> {
    refuse_what_is_local(arguments)?;
    let selection = arguments.selected.selection()?;
    let mut halts = interrupt::listen()?;
    let mut observer = ui::progress::observer(arguments.json);
    loop {
        let asked = tokio::select! {
            asked = ask(arguments, selection.as_ref(), inventory, remote, observer.as_mut()) => asked?,
            _ = halts.recv() => {
                tell("interrupted: what was asked for before goes on at the orchestrator");
                return Ok(Exit::Interrupted);
            }
        };
        let exit = match asked {
            Asked::Nothing => return Ok(Exit::Done),
            Asked::Live => Exit::Done,
            Asked::Build(build) => match go_along(arguments, &build, remote, observer.as_mut(), &mut halts).await? {
                Some(exit) => exit,
                None => continue,
            },
        };
        if exit == Exit::Done && !arguments.detach {
            install(arguments, inventory, remote).await?;
        }
        return Ok(exit);
    }
}

/// Follows a build to its end; none where it is to be asked for again.
async fn go_along(
    arguments: &Arguments,
    build: &BuildName,
    remote: &Remote,
    observer: &mut dyn Observer,
    halts: &mut mpsc::Receiver<Halt>,
) -> anyhow::Result<Option<Exit>> {
    if arguments.retry_failed {
        retry(build, remote, observer).await?;
    }
    if arguments.detach {
        write_out(&format!(
            "build {build} goes on at the orchestrator; `swarm push` follows it, `swarm status` tells\n"
        ))?;
        return Ok(Some(Exit::Done));
    }
    let followed = tokio::select! {
        followed = follow(remote, build, observer, halts) => followed?,
        () = time_over(arguments.until) => {
            observer.note(&format!("the time is over: build {build} goes on at the orchestrator, which `swarm push` follows"));
            return Ok(Some(Exit::Interrupted));
        }
    };
    Ok(match followed {
        Followed::Over(status) => Some(Exit::of_status(i32::from(status)).unwrap_or(Exit::Impossible)),
        Followed::Finished { complete: true } => Some(Exit::Done),
        Followed::Finished { complete: false } => Some(Exit::SomeFailed),
        Followed::Reset => {
            observer.note("the build was reset");
            Some(Exit::Impossible)
        }
        Followed::Unknown => {
            observer
                .note(&format!("the orchestrator that leads now has not heard of build {build}: it is asked again"));
            None
        }
        Followed::Detached => {
            observer.note(&format!(
                "interrupted: build {build} goes on at the orchestrator; the next `swarm push` follows it, `swarm reset \
                 --build {build}` gives it up"
            ));
            Some(Exit::Interrupted)
        }
    })
}

/// Waits until a moment; for ever where there is none. The clock may be set meanwhile, so it is looked at often.
async fn time_over(until: Option<Timestamp>) {
    let Some(until) = until else { return std::future::pending().await };
    loop {
        match until.seconds_since(now()) {
            0 => return,
            left => tokio::time::sleep(Duration::from_secs(left.min(60))).await,
        }
    }
}

/// What is decided where the controller is.
fn refuse_what_is_local(arguments: &Arguments) -> anyhow::Result<()> {
    let local = [
        (arguments.selected.on.is_some(), "--on"),
        (arguments.replace, "--replace"),
        (arguments.take_over, "--take-over"),
    ];
    for (given, option) in local {
        if given {
            bail!(
                "{option} is for the host on which the controller is, an orchestrator: builds asked of it wait for \
                 their turn, `swarm reset --build ID` gives one up, `swarm drain` keeps a drone from work"
            );
        }
    }
    Ok(())
}

/// Makes sure that the build is asked for, where there is something to build.
async fn ask(
    arguments: &Arguments,
    selection: Option<&Selection>,
    inventory: &Inventory,
    remote: &Remote,
    observer: &mut dyn Observer,
) -> anyhow::Result<Asked> {
    let finalize = arguments.finalize || arguments.install;
    let state = remote::state(remote, |text| observer.note(text)).await?;
    if let Some(known) = under_way(&state, selection, inventory) {
        // Asking again means the same, and no pause between two tries is waited out.
        let form = Submission { finalize, ..known }.into();
        let Receipt { build, said } = remote::submit(remote, &form, |text| observer.note(text)).await?;
        said.iter().filter(|_| build.is_none()).for_each(|line| observer.note(line));
        return Ok(build.map_or(Asked::Live, Asked::Build));
    }
    let selection = selection.cloned().unwrap_or(Selection::World);
    let planned = planning::plan_here(inventory, &selection).await?;
    for note in ui::plan::notes(&planned) {
        observer.note(&note);
    }
    if planned.plan.packages.is_empty() {
        observer.note(planned.nothing());
        return Ok(Asked::Nothing);
    }
    let form: Form = Submission { selection, plan: planned.plan, finalize, rebuild: arguments.rebuild }.into();
    let Receipt { build, said } = remote::submit(remote, &form, |text| observer.note(text)).await?;
    let Some(build) = build else {
        said.iter().for_each(|line| observer.note(line));
        return Ok(Asked::Live);
    };
    Ok(Asked::Build(build))
}

/// What an interrupted push has asked for.
fn under_way(state: &State, selection: Option<&Selection>, inventory: &Inventory) -> Option<Submission> {
    let driver = inventory.driver();
    let of_open = state.open_build().filter(|build| build.plan.driver == *driver && !build.is_over());
    let of_open = of_open.map(|build| (&build.selection, &*build.plan, build.rebuild));
    let waiting = state.queue.iter().filter(|queued| queued.plan.driver == *driver);
    let waiting = waiting.map(|queued| (&queued.selection, &queued.plan, queued.rebuild));
    let mut all = of_open.into_iter().chain(waiting);
    let (selection, plan, rebuild) =
        all.find(|(other, ..)| selection.is_none_or(|selection| other.is_resumed_by(selection)))?;
    Some(Submission { selection: selection.clone(), plan: plan.clone(), finalize: false, rebuild })
}

async fn retry(build: &BuildName, remote: &Remote, observer: &mut dyn Observer) -> anyhow::Result<()> {
    let state = remote::state(remote, |text| observer.note(text)).await?;
    if state.open.as_ref() == Some(build) {
        let wish = Verb::Unblock { packages: Vec::new() };
        remote::tell(remote, &wish, |text| observer.note(text)).await?;
    }
    Ok(())
}

async fn install(arguments: &Arguments, inventory: &Inventory, remote: &Remote) -> anyhow::Result<()> {
    if arguments.install {
        let binhost = format!("{}/packages", remote.base());
        tell_lines(&escaped(&install::install_from(inventory, &binhost).await?));
    }
    Ok(())
}
