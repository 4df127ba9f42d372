//! A local file that grows while it is fetched, and a reader of it that waits for what is still to come: so that a large
//! file can be looked through while it comes.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// How far a file has grown, as whoever writes it tells.
#[derive(Debug, Default)]
pub struct Growth {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    length: u64,
    over: bool,
}

impl Growth {
    /// Tells that the file has so many bytes.
    pub fn to(&self, length: u64) {
        self.change(|state| state.length = state.length.max(length));
    }

    /// What tells, when it is dropped, that no more comes.
    pub fn ending(self: &Arc<Self>) -> Ending {
        Ending(Arc::clone(self))
    }

    /// A reader of the file, which has to be open at its beginning.
    pub fn follow<F: Read>(self: &Arc<Self>, file: F) -> Following<F> {
        Following { growth: Arc::clone(self), file, read: 0 }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// How much there is beyond so many bytes, once there is something; without a limit where no more comes.
    fn beyond(&self, read: u64) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing_yet = |state: &mut State| !state.over && state.length <= read;
        let state = self.changed.wait_while(state, nothing_yet).unwrap_or_else(PoisonError::into_inner);
        if state.over { u64::MAX } else { state.length - read }
    }
}

/// Ends the growth when it is dropped, however what let the file grow came to its end.
#[derive(Debug)]
pub struct Ending(Arc<Growth>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.change(|state| state.over = true);
    }
}

/// A reader that waits at the end of the file until there is more, or no more comes. It blocks its thread.
pub struct Following<F> {
    growth: Arc<Growth>,
    file: F,
    read: u64,
}

impl<F> fmt::Debug for Following<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Following").field("read", &self.read).finish_non_exhaustive()
    }
}

impl<F: Read> Read for Following<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let beyond = usize::try_from(self.growth.beyond(self.read)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(beyond);
        let count = self.file.read(&mut buffer[..wanted])?;
        self.read += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use super::*;

    #[test]
    fn a_file_is_read_to_its_end_while_it_grows() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let growth = Arc::new(Growth::default());
        let ending = growth.ending();
        let mut following = growth.follow(file.reopen().unwrap());
        let reading = thread::spawn(move || {
            let mut text = String::new();
            following.read_to_string(&mut text).map(|_| text)
        });
        for (length, piece) in [(4, "some"), (9, " more"), (9, "")] {
            file.write_all(piece.as_bytes()).unwrap();
            growth.to(length);
        }
        // What nobody told of is read as well.
        file.write_all(b", and the end").unwrap();
        drop(ending);
        assert_eq!(reading.join().unwrap().unwrap(), "some more, and the end");
    }

    #[test]
    fn a_file_that_never_came_is_empty() {
        let growth = Arc::new(Growth::default());
        drop(growth.ending());
        assert_eq!(growth.follow(io::empty()).read(&mut [0; 8]).unwrap(), 0);
    }
}
