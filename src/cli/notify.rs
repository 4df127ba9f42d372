//! `swarm notify`: tells channels something, or has told what is due.

use std::collections::BTreeSet;

use anyhow::bail;
use clap::Args;

use super::complete;
use super::exit::Exit;
use super::help;
use crate::controller::remote::Remote;
use crate::controller::{ControlError, Session, alarms, now, socket};
use crate::core::names::ChannelName;
use crate::core::nearest::hint;
use crate::core::status::Moment;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::notify::{Message, Post};
use crate::ui;
use crate::ui::table::{tell, write_out};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
#[command(after_help = help::end(&[("Try all channels of the inventory", "swarm notify --test"), ("From cron: look once, and tell what is due", "swarm notify --check"), ("Tell one channel something", "swarm notify --message 'drone-izar gets a new disk' operators")], ""))]
pub struct Arguments {
    /// Look once at what is wrong, and tell what is due; where a controller is at work it does that by itself
    #[arg(long, group = "what")]
    check: bool,
    /// Send a test message, and say how it went
    #[arg(long, group = "what")]
    test: bool,
    /// Send this
    #[arg(long, group = "what", value_name = "TEXT")]
    message: Option<String>,
    /// What it is about
    #[arg(long, requires = "message", value_name = "LINE")]
    subject: Option<String>,
    /// These channels only
    #[arg(value_name = "CHANNEL", conflicts_with = "check", add = complete::channels())]
    channels: Vec<ChannelName>,
}

pub async fn run(arguments: Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    if arguments.check {
        return check(inventory).await;
    }
    let known = || inventory.channels().iter().map(|channel| channel.name.as_str());
    for name in &arguments.channels {
        if !known().any(|known| known == name.as_str()) {
            bail!("there is no channel {name}{}", hint(name.as_str(), known()));
        }
    }
    if inventory.channels().is_empty() {
        bail!("the inventory has no channel: a table [notify.NAME] with `mail`, `webhook` or `command` is one");
    }
    let post = Post::of(&inventory);
    let message = match &arguments.message {
        Some(text) => {
            let first = text.lines().next().unwrap_or_default();
            Message::of_words(&post, arguments.subject.as_deref().unwrap_or(first), text)
        }
        None => {
            let text = format!("This is a test, sent at {}. Nothing is wrong.", Moment(now()));
            Message::of_words(&post, "a test", &text)
        }
    };
    let chosen: BTreeSet<ChannelName> = arguments.channels.into_iter().collect();
    let mut exit = Exit::Done;
    for (name, outcome) in alarms::tell_now(&inventory, &chosen, &message).await {
        match outcome {
            Ok(()) => write_out(&format!("{name} was told\n"))?,
            Err(error) => {
                tell(escaped(&format!("swarm: {name} {error}")));
                exit = Exit::Impossible;
            }
        }
    }
    Ok(exit)
}

/// Takes the controller's place for a moment, where there is something to do.
async fn check(inventory: Inventory) -> anyhow::Result<Exit> {
    if Remote::of(&inventory)?.is_some() {
        tell("the controller is elsewhere, and tells by itself what is wrong");
        return Ok(Exit::Done);
    }
    if socket::at_work(&inventory.swarm.state).await?.is_some() || !alarms::are_due(&inventory)? {
        return Ok(Exit::Done);
    }
    let mut session = match Session::open(inventory, ui::progress::observer(false)).await {
        // Whoever begins just now looks by himself; a standby tells nobody.
        Err(ControlError::Lock(error @ crate::store::LockError::Busy { .. })) => {
            tell(format_args!("nothing is told from here: {error}"));
            return Ok(Exit::Done);
        }
        session => session?,
    };
    session.close(None).await?;
    let fails = !session.state().alarms.channels.is_empty();
    Ok(Exit::done_if(!fails))
}
