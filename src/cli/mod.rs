//! The command line: one file a verb, with its options and its `run`; no logic.

mod ask;
mod books;
mod client_config;
mod complete;
mod completions;
mod consent;
mod detach;
mod diff;
#[cfg(test)]
mod documents;
mod exec;
mod exit;
mod explain;
mod failover;
mod finalize;
mod gateway;
mod help;
mod history;
mod hosts;
mod init;
mod init_from_list;
mod interrupt;
mod journal;
mod logs;
mod man;
mod monitor;
mod notify;
mod orchestrator;
mod parity;
mod plan;
mod play;
mod publish;
mod push;
mod releases;
mod rollback;
mod runs;
mod schedule;
mod select;
mod serve;
mod simulate;
mod status;
mod submit;
mod sync;
mod verify;
mod work_off;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::controller::verb::Verb as Wish;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::ui::table::tell;
use crate::ui::terminal::colours_errors;
use crate::ui::time::local;
use exit::Exit;

/// A build farm for Gentoo: drones build over SSH, the packages come back as one release.
#[derive(Debug, Parser)]
#[command(
    name = "swarm",
    version,
    max_term_width = 100,
    after_help = help::end(
        &[
            ("Say what of the fleet is to be mended", "swarm hosts check"),
            ("Build a package and all that it needs", "swarm push app-misc/foo"),
            ("Where everything stands, and what to do next", "swarm status"),
        ],
        "Exit status: 0 done; 1 it could not be done; 2 wrong usage; 3 some packages failed; 4 no usable drone; 5 all \
        drones differ from the driver; 6 another controller is at work; 130 interrupted (builds go on; the next \
        `swarm push` takes them up)."
    )
)]
struct Cli {
    /// The inventory: a file, or a directory of *.toml [default: $SWARM_INVENTORY, ./inventory, /etc/build-swarm/inventory]
    #[arg(long, global = true, value_name = "FILE|DIR")]
    inventory: Option<PathBuf>,
    #[command(subcommand)]
    called: Called,
}

#[derive(Debug, Subcommand)]
enum Called {
    #[command(flatten)]
    OfFleet(Verb),
    #[command(flatten)]
    OfNone(Alone),
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Plan, build, collect and verify packages; goes on with the open build where there is one
    Push(push::Arguments),
    /// Show what would be built, in what order; start nothing
    Plan(plan::Arguments),
    /// Queue exactly the packages of a list; start nothing
    InitFromList(init_from_list::Arguments),
    /// Show needed, delegated, received and failed packages, drones, release, and the next thing to do
    Status(status::Arguments),
    /// Show the same on a full screen, live, with keys for what an operator does
    #[command(after_help = help::end(&[("Look on, and act with a key: ? shows them", "swarm monitor")], ""))]
    Monitor,
    /// Say why a package is where it is, what was tried, and what can be done
    Explain(explain::Arguments),
    /// Spread the waiting work anew
    #[command(after_help = help::end(&[("Spread it, and say what waits and how busy each drone is", "swarm balance")], ""))]
    Balance,
    /// Try failed packages, and what they block, again
    Unblock(ask::Unblock),
    /// Forget the open build and end its jobs
    Reset(ask::Reset),
    /// Give drones no new work
    Drain(ask::Drain),
    /// Let drained drones work again
    #[command(after_help = help::end(&[("Let one work again", "swarm undrain drone-izar"), ("Let all work again", "swarm undrain '*'")], ""))]
    Undrain(ask::Drain),
    /// Show a package's build log
    Logs(logs::Arguments),
    /// Release what was received: staging to production
    Finalize(finalize::Arguments),
    /// Show the kept releases
    Releases(releases::Arguments),
    /// Show how two releases differ
    Diff(diff::Arguments),
    /// Make what an earlier release held live again, as a new release
    Rollback(rollback::Arguments),
    /// Keep journal, logs, staging and releases to their limits in the inventory
    Prune(ask::Prune),
    /// Check every byte of a release
    Verify(verify::Arguments),
    /// Serve the binhost and the API of this host, until SIGTERM; SIGHUP reads token and certificate again
    Orchestrator(orchestrator::Arguments),
    /// Point clients to the orchestrator that is healthy, until SIGTERM; SIGHUP reads the inventory again
    #[command(after_help = help::end(&[("Serve, as a service does", "swarm gateway"), ("With an inventory of its own", "swarm gateway --inventory /etc/build-swarm/inventory")], ""))]
    Gateway,
    /// Have another orchestrator take the controller's place; builds go on
    Failover(failover::Arguments),
    /// Print the binrepos.conf of a client
    #[command(after_help = help::end(&[("What a client has in /etc/portage/binrepos.conf/swarm.conf", "swarm client-config")], ""))]
    ClientConfig,
    /// Show the fleet; check it, list its facts, trust its first host keys
    Hosts(hosts::Arguments),
    /// Show what builds took, and what the next one is taken to need; learn from other logs
    History(history::Arguments),
    /// Write out the journal, an event a line, for other programs
    Journal(journal::Arguments),
    /// Show how drones differ from the driver: settings, repositories, flags, tools
    Parity(parity::Arguments),
    /// Have cron or systemd start a playbook, and prove that it does
    Schedule(schedule::Arguments),
    /// Run a command on many hosts at once
    Exec(exec::Arguments),
    /// Tell the channels of the inventory: a test, a message, or what is due
    Notify(notify::Arguments),
    /// Bring drones the driver's configuration and repositories
    Sync(sync::Arguments),
    /// Run a playbook, unattended; without a name list those that there are
    Play(play::Arguments),
    /// Show the runs of playbooks, or the steps of one
    Runs(runs::Arguments),
}

/// What is about no real fleet, so it wants no inventory.
#[derive(Debug, Subcommand)]
enum Alone {
    /// Play a build of a recorded graph on an imagined fleet
    Simulate(simulate::Arguments),
    /// Print what makes a shell complete commands, options and names
    Completions(completions::Arguments),
    /// Write the manual pages
    Man(man::Arguments),
    /// Try hosts, and write the first inventory of them
    Init(Box<init::Arguments>),
}

impl Alone {
    async fn run(self, inventory: Option<&Path>) -> anyhow::Result<Exit> {
        match self {
            Self::Simulate(arguments) => simulate::run(&arguments),
            Self::Completions(arguments) => completions::run(&arguments),
            Self::Man(arguments) => man::run(&arguments, Cli::command()),
            Self::Init(arguments) => init::run(*arguments, inventory).await,
        }
    }
}

/// Runs the command line of this process and gives the exit status.
pub fn main() -> ExitCode {
    completions::answer();
    let cli = Cli::parse();
    // Nobody looks on while a service works: what happens there is to be found in its log.
    let told = match cli.called {
        Called::OfFleet(Verb::Orchestrator(_) | Verb::Gateway) => "info",
        // Its screen says what goes wrong.
        Called::OfFleet(Verb::Monitor) => "off",
        _ => "error",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SWARM_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(told));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours_errors()).with_writer(std::io::stderr).init();
    if let Err(error) = crate::playbook::end_with_the_run() {
        tell(format_args!("swarm: {error}"));
        return Exit::Interrupted.into();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(format_args!("swarm: cannot start: {error}"));
            return Exit::Impossible.into();
        }
    };
    let exit = runtime.block_on(run(cli)).unwrap_or_else(|error| {
        tell(last_words(&error));
        Exit::of_error(&error)
    });
    // A transfer that was interrupted must not hold the exit up.
    runtime.shutdown_background();
    exit.into()
}

/// What is said of an error that ends the program. It may hold what a host or a file said.
fn last_words(error: &anyhow::Error) -> String {
    local(&escaped(&format!("swarm: {}", chain(error))))
}

/// An error with its causes, as far as it does not name them itself.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text {
        text if text.is_empty() => cause,
        text if text.contains(&cause) => text,
        text => format!("{text}: {cause}"),
    })
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let verb = match cli.called {
        Called::OfFleet(verb) => verb,
        Called::OfNone(alone) => return alone.run(cli.inventory.as_deref()).await,
    };
    let inventory = Inventory::find(cli.inventory.as_deref())?;
    match verb {
        Verb::Push(arguments) => push::run(arguments, inventory).await,
        Verb::Plan(arguments) => plan::run(arguments, &inventory).await,
        Verb::InitFromList(arguments) => init_from_list::run(arguments, inventory).await,
        Verb::Status(arguments) => status::run(&arguments, &inventory).await,
        Verb::Monitor => monitor::run(inventory, cli.inventory.as_deref()).await,
        Verb::Explain(arguments) => explain::run(&arguments, &inventory).await,
        Verb::Balance => ask::ask(Wish::Balance, inventory).await,
        Verb::Unblock(arguments) => ask::unblock(&arguments, inventory).await,
        Verb::Reset(arguments) => ask::reset(&arguments, inventory).await,
        Verb::Drain(arguments) => {
            let drones = arguments.drones(&inventory)?;
            ask::ask(Wish::Drain { drones }, inventory).await
        }
        Verb::Undrain(arguments) => {
            let drones = arguments.drones(&inventory)?;
            ask::ask(Wish::Undrain { drones }, inventory).await
        }
        Verb::Orchestrator(arguments) => orchestrator::run(arguments, inventory, cli.inventory.as_deref()).await,
        Verb::Gateway => gateway::run(inventory, cli.inventory.as_deref()).await,
        Verb::Failover(arguments) => failover::run(&arguments, &inventory).await,
        Verb::ClientConfig => client_config::run(&inventory),
        Verb::Logs(arguments) => logs::run(&arguments, &inventory).await,
        Verb::Finalize(arguments) => finalize::run(&arguments, inventory).await,
        Verb::Releases(arguments) => releases::run(&arguments, &inventory),
        Verb::Diff(arguments) => diff::run(&arguments, &inventory),
        Verb::Rollback(arguments) => rollback::run(arguments, inventory).await,
        Verb::Prune(arguments) => ask::ask(Wish::Prune { dry_run: arguments.dry_run }, inventory).await,
        Verb::Verify(arguments) => verify::run(&arguments, &inventory),
        Verb::Hosts(arguments) => hosts::run(&arguments, &inventory).await,
        Verb::History(arguments) => history::run(arguments, inventory).await,
        Verb::Journal(arguments) => journal::run(&arguments, &inventory),
        Verb::Parity(arguments) => parity::run(&arguments, &inventory).await,
        Verb::Schedule(arguments) => schedule::run(&arguments, &inventory, cli.inventory.as_deref()).await,
        Verb::Exec(arguments) => exec::run(&arguments, &inventory).await,
        Verb::Notify(arguments) => notify::run(arguments, inventory).await,
        Verb::Sync(arguments) => sync::run(&arguments, inventory).await,
        Verb::Play(arguments) => play::run(&arguments, &inventory, cli.inventory.as_deref()).await,
        Verb::Runs(arguments) => runs::run(&arguments, &inventory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_name_each_cause_once_and_do_nothing_to_the_terminal() {
        let said =
            anyhow::anyhow!("it says \u{1b}[2Jgone").context("izar: it says \u{1b}[2Jgone").context("cannot look");
        assert_eq!(last_words(&said), "swarm: cannot look: izar: it says \\u{1b}[2Jgone");
    }
}
