//! The terminal: its second screen and its keys one by one, and what stood there before once that is over, however it
//! ends. Signals that concern it.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use rustix::process::{Signal as Sent, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ui::monitor::{Model, draw};

/// A process that is to be stopped is stopped within this time, or there is no shell to let it go on.
const STOPPED: Duration = Duration::from_millis(200);

/// The second screen, until it is dropped or the process panics.
pub struct Terminal {
    screen: DefaultTerminal,
}

impl Terminal {
    /// Turns to it.
    ///
    /// # Errors
    /// The terminal does not do so.
    pub fn open() -> io::Result<Self> {
        // It also has a panic leave the screen before it says why.
        let screen = ratatui::try_init()?;
        let mut terminal = Self { screen };
        terminal.screen.hide_cursor()?;
        Ok(terminal)
    }

    /// Columns and lines.
    ///
    /// # Errors
    /// The terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.screen.size()?;
        Ok((size.width, size.height))
    }

    /// Puts a model there.
    ///
    /// # Errors
    /// The terminal cannot be written to.
    pub fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.screen.draw(|frame| draw(model, frame)).map(drop)
    }

    /// Turns back to what stood there before.
    ///
    /// # Errors
    /// The terminal does not do so.
    pub fn close(&mut self) -> io::Result<()> {
        self.screen.show_cursor()?;
        ratatui::try_restore()
    }

    /// Turns to it again, with all of it to be painted.
    ///
    /// # Errors
    /// The terminal does not do so.
    pub fn reopen(&mut self) -> io::Result<()> {
        ratatui::crossterm::terminal::enable_raw_mode()?;
        ratatui::crossterm::execute!(io::stdout(), ratatui::crossterm::terminal::EnterAlternateScreen)?;
        self.screen.hide_cursor()?;
        self.screen.clear()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing more.
        let _gone = self.close();
    }
}

/// What a signal means.
pub enum Signalled {
    /// Somebody wants the end.
    End,
    /// This process was stopped and goes on.
    GoOn,
}

/// The signals that are listened to.
pub struct Signals {
    terminated: Signal,
    interrupted: Signal,
    hung_up: Signal,
    continued: Signal,
}

impl Signals {
    /// From here on they end nothing by themselves.
    ///
    /// # Errors
    /// The system does not let us listen.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
            hung_up: signal(SignalKind::hangup())?,
            continued: signal(SignalKind::from_raw(Sent::CONT.as_raw()))?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signalled {
        tokio::select! {
            _ = self.terminated.recv() => Signalled::End,
            _ = self.interrupted.recv() => Signalled::End,
            _ = self.hung_up.recv() => Signalled::End,
            _ = self.continued.recv() => Signalled::GoOn,
        }
    }

    /// Has this process stopped, and comes back once it goes on.
    ///
    /// # Errors
    /// The system does not do so.
    pub async fn stop(&mut self) -> io::Result<()> {
        kill_process(getpid(), Sent::TSTP)?;
        // Where no shell would let it go on, the system does not stop it.
        let _orphan = tokio::time::timeout(STOPPED, self.continued.recv()).await;
        Ok(())
    }
}
