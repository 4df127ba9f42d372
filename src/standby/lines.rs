//! A body of lines, read as they come.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;

/// A longer line (bytes) is none of ours: the longest is a plan of many thousands of packages.
const LONGEST: usize = 256 << 20;

/// Why no more lines come.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The connection broke.
    #[error("the connection was lost: {0}")]
    Lost(#[from] hyper::Error),
    /// Nothing came for longer than it may be silent.
    #[error("nothing came for {} s", .0.as_secs())]
    Silent(Duration),
    /// It ended.
    #[error("it has nothing more to tell")]
    Ended,
    /// A line without an end.
    #[error("it says more in one line than can be meant")]
    TooLong,
}

/// Reads the lines of an answer's body.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    /// A line comes, or an empty one as a sign of life, within this time.
    silence: Duration,
    come: Vec<u8>,
    /// So much of it has been given.
    given: usize,
    /// So much of it has no end of a line behind what was given.
    searched: usize,
}

impl Lines {
    /// Of this body.
    pub fn new(body: Incoming, silence: Duration) -> Self {
        Self { body, silence, come: Vec::new(), given: 0, searched: 0 }
    }

    /// The next line that is not empty, without its end.
    ///
    /// # Errors
    /// There is none.
    pub async fn next(&mut self) -> Result<Vec<u8>, LinesError> {
        loop {
            while let Some(line) = self.take() {
                if !line.is_empty() {
                    return Ok(line);
                }
            }
            if self.come.len() - self.given > LONGEST {
                return Err(LinesError::TooLong);
            }
            self.come.drain(..self.given);
            self.searched -= self.given;
            self.given = 0;
            let frame = tokio::time::timeout(self.silence, self.body.frame());
            let frame = frame.await.map_err(|_| LinesError::Silent(self.silence))?.ok_or(LinesError::Ended)??;
            if let Some(data) = frame.data_ref() {
                self.come.extend_from_slice(data);
            }
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let rest = self.come.get(self.searched..)?;
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.come.len();
            return None;
        };
        let end = self.searched + end;
        let line = self.come.get(self.given..end)?.to_vec();
        (self.given, self.searched) = (end + 1, end + 1);
        Some(line)
    }
}
