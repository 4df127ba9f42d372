//! The log of the package that is chosen, as it grows: read here, or asked for where the controller is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::controller::log_reader::{LogReader, path_of, why_none};
use crate::controller::remote::Remote;
use crate::core::state::State;
use crate::ui::monitor::Message;

/// So much of a log (bytes) that is there already is shown.
const SHOWN: u64 = 1 << 20;
/// Between two questions for what has come at the controller elsewhere.
const ASKED: Duration = Duration::from_secs(1);
/// One question of so many is for the latest log, whichever that is.
const ANEW: u64 = 10;

/// A log on this machine.
pub struct Here {
    label: String,
    reader: Option<LogReader>,
}

impl Here {
    /// That of the package of this name.
    pub fn new(label: String) -> Self {
        Self { label, reader: None }
    }

    /// What has come since the last time.
    pub fn read(&mut self, state: Option<&State>, directory: &std::path::Path) -> Vec<Message> {
        let path = match self.path(state, directory) {
            Ok(path) => path,
            Err(why) => return vec![Message::NoLog { label: self.label.clone(), why }],
        };
        let pieces = self.pieces(path);
        pieces.unwrap_or_else(|error| vec![Message::NoLog { label: self.label.clone(), why: error.to_string() }])
    }

    /// Where it is; an error is why there is none.
    fn path(&self, state: Option<&State>, directory: &std::path::Path) -> Result<PathBuf, String> {
        let build = state.and_then(State::latest_build);
        let (Some(state), Some(build)) = (state, build) else { return Err("nothing has been built yet".to_owned()) };
        let package = build.find(&self.label).map_err(|error| error.to_string())?;
        let path = path_of(state, build, package, directory).filter(|path| path.exists());
        path.ok_or_else(|| format!("{} has no log yet: {}", self.label, why_none(build, package)))
    }

    fn pieces(&mut self, path: PathBuf) -> std::io::Result<Vec<Message>> {
        let begins = self.reader.as_ref().is_none_or(|reader| reader.path() != path);
        let reader = match self.reader.as_mut().filter(|_| !begins) {
            Some(reader) => reader,
            None => self.reader.insert(LogReader::of_end(path, SHOWN)?),
        };
        let text = reader.read_on()?;
        if text.is_empty() && !begins {
            return Ok(Vec::new());
        }
        Ok(vec![Message::Log { label: self.label.clone(), text, begins }])
    }
}

/// Asks the controller elsewhere for a log, until it is ended.
pub async fn follow_there(remote: Arc<Remote>, label: String, told: mpsc::UnboundedSender<Message>) {
    let mut read: Option<(String, u64)> = None;
    for time in 0_u64.. {
        // Another job may write the latest one by now.
        let anew = read.is_none() || time % ANEW == 0;
        let from = read.as_ref().filter(|_| !anew).map(|(job, next)| (job.as_str(), *next));
        let message = match remote.log(&label, from).await {
            Ok(piece) => {
                let is_same = read.as_ref().is_some_and(|(job, _)| *job == piece.job);
                let is_news = if is_same { !anew && !piece.text.is_empty() } else { anew };
                let message = Message::Log { label: label.clone(), text: piece.text, begins: !is_same };
                if !(anew && is_same) {
                    read = Some((piece.job, piece.next));
                }
                is_news.then_some(message)
            }
            Err(error) => {
                Some(Message::NoLog { label: label.clone(), why: format!("no log comes from there: {error}") })
            }
        };
        if message.is_some_and(|message| told.send(message).is_err()) {
            return;
        }
        tokio::time::sleep(ASKED).await;
    }
}
