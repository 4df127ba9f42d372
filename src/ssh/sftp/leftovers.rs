//! Temporary files that a broken upload left on a host, remembered until they can be removed there.
//!
//! A controller that is killed forgets them; then they go with the directory of the job that they belong to.

use std::sync::{Arc, Mutex, PoisonError};

/// The temporary files of one host that may still be there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leftovers(Arc<Mutex<Vec<String>>>);

impl Leftovers {
    /// A file that is about to be written under this name.
    pub(super) fn begin(&self, path: &str) -> Unfinished {
        Unfinished { path: path.to_owned(), leftovers: Some(self.clone()) }
    }

    /// All of them; who takes them sees to them.
    pub(super) fn take(&self) -> Vec<Unfinished> {
        let paths = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        paths.iter().map(|path| self.begin(path)).collect()
    }
}

/// A temporary file that becomes a leftover unless it is [settled](Self::settled), also where its writing is given up
/// without a word.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) path: String,
    leftovers: Option<Leftovers>,
}

impl Unfinished {
    /// It is gone, or has its real name.
    pub(super) fn settled(mut self) {
        self.leftovers = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(Leftovers(paths)) = self.leftovers.take() {
            paths.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.path));
        }
    }
}
