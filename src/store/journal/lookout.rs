//! A journal looked at over and over beside whoever writes it, and read only when there is something new.
//!
//! SQLite itself is asked whether another connection has committed since the last look (`PRAGMA data_version`,
//! <https://sqlite.org/pragma.html#pragma_data_version>), which takes some microseconds. Sizes and times of the files do
//! not tell: an event is in the file before readers see it, and `synchronous=FULL` has a disk's time lie in between. Who
//! read then, and took the files as a mark of what it had read, would have missed that event until the next one.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{FILES, Journal, StoreError};

/// Looks at the journal of a state directory, and keeps it open between two looks.
#[derive(Debug)]
pub struct Lookout {
    directory: PathBuf,
    open: Option<Open>,
    /// What there was at the last look; none before the first one.
    seen: Option<Mark>,
}

#[derive(Debug)]
struct Open {
    journal: Journal,
    /// Another file of the same name is another journal.
    file: Identity,
}

/// What there is to be read at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing that was not there at the last look.
    None,
    /// The same journal may say more.
    More,
    /// It is the first look, or another journal than at the last one.
    Anew,
}

/// Device and number of a file.
type Identity = (u64, u64);

/// The journal at one moment: which file it is, and SQLite's own count of what others have committed; none where there is
/// no journal.
type Mark = Option<(Identity, i64)>;

impl Lookout {
    /// One for this state directory, where nothing was looked at yet.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, open: None, seen: None }
    }

    /// What there is to be read since the last look; what is read after it has all that was there at this one.
    ///
    /// # Errors
    /// There is a journal, and it cannot be looked at; the next look counts as the first one.
    pub fn look(&mut self) -> Result<News, StoreError> {
        let before = self.seen.take();
        let mark = self.mark()?;
        self.seen = Some(mark);
        let file = |mark: Mark| mark.map(|(file, _)| file);
        Ok(match before {
            Some(before) if before == mark => News::None,
            Some(before) if file(before) == file(mark) => News::More,
            _ => News::Anew,
        })
    }

    /// The journal as of the last look; none where there was none yet.
    pub fn journal(&self) -> Option<&Journal> {
        self.open.as_ref().map(|open| &open.journal)
    }

    fn mark(&mut self) -> Result<Mark, StoreError> {
        let metadata = std::fs::metadata(self.directory.join(FILES[0])).ok();
        let file = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
        self.open = self.open.take().filter(|open| Some(open.file) == file);
        let Some(file) = file else { return Ok(None) };
        if self.open.is_none() {
            self.open = Journal::open_to_read(&self.directory)?.map(|journal| Open { journal, file });
        }
        let Some(open) = &self.open else { return Ok(None) };
        Ok(Some((file, open.journal.version()?)))
    }
}

impl Journal {
    /// A number that is another one once anything was committed by another connection than this one.
    fn version(&self) -> Result<i64, StoreError> {
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        version.map_err(|source| self.fault("read", source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::state::State;
    use crate::store::journal::testing::{fleet, write};

    #[test]
    fn there_is_news_at_the_first_look_and_after_each_event_and_not_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let mut lookout = Lookout::new(directory.path().to_owned());
        let mut look = || (lookout.look().unwrap(), lookout.journal().map(|journal| journal.last().unwrap()));
        assert_eq!([look(), look()], [(News::Anew, None), (News::None, None)]);
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        for (number, news) in [(1, News::Anew), (2, News::More), (3, News::More)] {
            write(&mut journal, &mut state, &fleet(1));
            assert_eq!([look(), look()], [(news, Some(number)), (News::None, Some(number))]);
        }
    }

    /// What is in the files and not yet committed when they are looked at leaves them as they are once it is.
    #[test]
    fn an_event_is_news_though_the_files_look_as_they_did_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        write(&mut journal, &mut state, &fleet(1));
        let mut lookout = Lookout::new(directory.path().to_owned());
        assert_eq!(lookout.look().unwrap(), News::Anew);
        // From here on the log is written over from its beginning.
        journal.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        assert_eq!(lookout.look().unwrap(), News::None, "nothing was written");
        let look = || FILES.map(|name| std::fs::metadata(directory.path().join(name)).unwrap());
        let before = look();
        write(&mut journal, &mut state, &fleet(2));
        for (name, before) in FILES.iter().zip(&before) {
            let file = std::fs::File::options().append(true).open(directory.path().join(name)).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
        }
        let marks = |files: &[std::fs::Metadata]| -> Vec<_> {
            files.iter().map(|file| (file.len(), file.modified().unwrap())).collect()
        };
        assert_eq!(marks(&look()), marks(&before));
        assert_eq!(lookout.look().unwrap(), News::More);
        assert_eq!(lookout.journal().unwrap().last().unwrap(), 2);
    }

    #[test]
    fn another_journal_in_its_place_is_news() {
        let directory = tempfile::tempdir().unwrap();
        let mut lookout = Lookout::new(directory.path().to_owned());
        for cores in [1, 2] {
            let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
            write(&mut journal, &mut state, &fleet(cores));
            drop(journal);
            assert_eq!(lookout.look().unwrap(), News::Anew);
            let read = lookout.journal().unwrap().replay().unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&state).unwrap());
            for entry in std::fs::read_dir(directory.path()).unwrap() {
                std::fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
        assert_eq!(lookout.look().unwrap(), News::Anew);
        assert!(lookout.journal().is_none());
    }
}
