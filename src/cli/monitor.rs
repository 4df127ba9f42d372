//! `swarm monitor`: joins the full screen of [`crate::ui::monitor`] to a terminal, to the state as it changes, and to the
//! verbs that do what is wished there.

mod beside;
mod deeds;
mod log;
mod place;
mod source;
mod terminal;

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::StreamExt;
use jiff::tz::TimeZone;
use ratatui::crossterm::event::{Event, EventStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::exit::Exit;
use crate::controller::now;
use crate::inventory::Inventory;
use crate::ui::monitor::{Marks, Message, Model, Palette, Wish, update};
use crate::ui::terminal::colours_output;
use deeds::Deeds;
use place::Place;
use source::{Request, Source};
use terminal::{Signalled, Signals, Terminal};

/// Between two drawings, at the least.
const FRAME: Duration = Duration::from_millis(50);
/// Between two looks at the clock.
const SECOND: Duration = Duration::from_secs(1);

/// Shows it until somebody has seen enough.
pub async fn run(inventory: Inventory, given: Option<&Path>) -> anyhow::Result<Exit> {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    ensure!(is_terminal, "`swarm monitor` needs a terminal, and here is none: `swarm status` says the same once");
    let deeds = Deeds::new(given)?;
    let palette = Palette { coloured: colours_output(), marks: Marks::of_locale(|name| std::env::var(name).ok()) };
    let model = Model::new(inventory.swarm.name.clone(), TimeZone::system(), palette, now());
    let (place, (messages, told), (requests, asked)) =
        (Place::of(&inventory)?, mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let source = tokio::spawn(Source::new(place, &inventory, messages.clone(), asked).run());
    let monitor = Monitor { model, deeds, messages, requests, terminal: Terminal::open()? };
    let ended = monitor.run(told).await;
    source.abort();
    ended
}

struct Monitor {
    model: Model,
    deeds: Deeds,
    messages: mpsc::UnboundedSender<Message>,
    requests: mpsc::UnboundedSender<Request>,
    terminal: Terminal,
}

/// Whether to go on.
enum Then {
    GoOn,
    End,
}

impl Monitor {
    async fn run(mut self, mut told: mpsc::UnboundedReceiver<Message>) -> anyhow::Result<Exit> {
        let mut signals = Signals::listen().context("cannot listen for signals")?;
        let mut keys = EventStream::new();
        let mut clock = tokio::time::interval(SECOND);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (columns, lines) = self.terminal.size()?;
        update(&mut self.model, Message::Resized(columns, lines));
        let mut next_frame = Instant::now();
        let mut changed = true;
        loop {
            if changed && Instant::now() >= next_frame {
                self.terminal.draw(&self.model)?;
                next_frame = Instant::now() + FRAME;
                changed = false;
            }
            let message = tokio::select! {
                event = keys.next() => match event {
                    // The terminal is gone.
                    None => return Ok(Exit::Done),
                    Some(event) => match event.context("cannot read the keys")? {
                        Event::Key(key) => Message::Key(key),
                        Event::Resize(columns, lines) => Message::Resized(columns, lines),
                        _ => continue,
                    },
                },
                message = told.recv() => message.context("what follows the state has broken off")?,
                _ = clock.tick() => Message::Now(now()),
                () = tokio::time::sleep_until(next_frame), if changed => continue,
                signal = signals.next() => match signal {
                    Signalled::End => return Ok(Exit::Done),
                    Signalled::GoOn => self.reopened()?,
                },
            };
            changed = true;
            let mut next = Some(message);
            // What has come meanwhile is drawn together.
            while let Some(message) = next {
                if let Some(wish) = update(&mut self.model, message)
                    && let Then::End = self.grant(wish, &mut signals).await?
                {
                    return Ok(Exit::Done);
                }
                next = told.try_recv().ok();
            }
        }
    }

    /// The screen may have another size after a while in which something else was there.
    fn reopened(&mut self) -> std::io::Result<Message> {
        self.terminal.reopen()?;
        let (columns, lines) = self.terminal.size()?;
        Ok(Message::Resized(columns, lines))
    }

    async fn grant(&mut self, wish: Wish, signals: &mut Signals) -> anyhow::Result<Then> {
        match wish {
            Wish::Quit => return Ok(Then::End),
            Wish::Suspend => {
                self.terminal.close()?;
                signals.stop().await?;
                let resized = self.reopened()?;
                update(&mut self.model, resized);
            }
            Wish::Repaint => self.terminal.reopen()?,
            Wish::Do(deed) => self.deeds.begin(deed, self.messages.clone()),
            Wish::Explain(label) => self.ask(Request::Explain(label))?,
            Wish::Log(label) => self.ask(Request::Log(Some(label)))?,
            Wish::NoLog => self.ask(Request::Log(None))?,
        }
        Ok(Then::GoOn)
    }

    fn ask(&self, request: Request) -> anyhow::Result<()> {
        self.requests.send(request).ok().context("what follows the state has broken off")
    }
}
