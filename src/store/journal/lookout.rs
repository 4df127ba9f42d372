//! A journal looked at over and over beside whoever writes it, and read only when there is something new.
//!
//! SQLite itself is asked whether another connection has committed since the last look (`PRAGMA data_version`,
//! <https://sqlite.org/pragma.html#pragma_data_version>), which takes some microseconds. Sizes and times of the files do
//! not tell: an event is in the file before readers see it, and `synchronous=FULL` has a disk's time lie in between. Who
//! read then, and took the files as a mark of what it had read, would have missed that event until the next one.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::{FILES, Journal, StoreError};

/// Looks at the journal of a state directory, and keeps it open between two looks.
#[derive(Debug)]
pub struct Lookout {
    directory: PathBuf,
    seen: Option<Seen>,
}

/// What there was at a look.
#[derive(Debug)]
struct Seen {
    /// The file; none where there was none.
    file: Option<File>,
    /// What there was to be read in it, with SQLite's own count of what others have committed.
    open: Option<(Journal, i64)>,
}

/// A file as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct File {
    /// Its device and number: under another one it is another journal.
    identity: (u64, u64),
    /// A journal that somebody has copied over it is to be opened anew. SQLite moves what was written ahead into the file
    /// now and then, which costs an opening, too.
    modified: Option<SystemTime>,
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

impl Lookout {
    /// One for this state directory, where nothing was looked at yet.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, seen: None }
    }

    /// What there is to be read since the last look; what is read after it has all that was there at this one.
    ///
    /// # Errors
    /// There is a journal, and it cannot be looked at, or is a newer program's; the next look counts as the first one.
    pub fn look(&mut self) -> Result<News, StoreError> {
        let metadata = std::fs::metadata(self.directory.join(FILES[0])).ok();
        let file = metadata
            .map(|metadata| File { identity: (metadata.dev(), metadata.ino()), modified: metadata.modified().ok() });
        let (seen, news) = match self.seen.take() {
            Some(Seen { file: before, open: Some((journal, version)) }) if before == file => {
                let now = journal.version()?;
                let news = if now == version { News::None } else { News::More };
                (Seen { file, open: Some((journal, now)) }, news)
            }
            before => {
                let seen = Seen { file, open: self.open()? };
                let news = before.map_or(News::Anew, |before| before.news_in(&seen));
                (seen, news)
            }
        };
        self.seen = Some(seen);
        Ok(news)
    }

    /// The journal as of the last look; none where there was none yet.
    pub fn journal(&self) -> Option<&Journal> {
        self.seen.as_ref()?.open.as_ref().map(|(journal, _)| journal)
    }

    fn open(&self) -> Result<Option<(Journal, i64)>, StoreError> {
        let Some(journal) = Journal::open_to_read(&self.directory)? else { return Ok(None) };
        let version = journal.version()?;
        Ok(Some((journal, version)))
    }
}

impl Seen {
    /// What there is in one that was opened after this.
    fn news_in(&self, later: &Self) -> News {
        let identity = |seen: &Self| seen.file.map(|file| file.identity);
        match (&self.open, &later.open) {
            (None, None) => News::None,
            (Some(_), Some(_)) if identity(self) == identity(later) => News::More,
            _ => News::Anew,
        }
    }
}

impl Journal {
    /// A number that is another one once anything was committed by another connection than this one.
    fn version(&self) -> Result<i64, StoreError> {
        self.refuse_newer()?;
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        version.map_err(|source| self.fault("read", source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::SCHEMA;
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
        // From here on the log is written over from its beginning.
        journal.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        let mut lookout = Lookout::new(directory.path().to_owned());
        assert_eq!([lookout.look().unwrap(), lookout.look().unwrap()], [News::Anew, News::None]);
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
    fn a_newer_program_that_writes_beside_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let mut lookout = Lookout::new(directory.path().to_owned());
        lookout.look().unwrap();
        journal.connection.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
        for _ in 0..2 {
            assert!(matches!(lookout.look().unwrap_err(), StoreError::Newer { .. }));
        }
        journal.connection.pragma_update(None, "user_version", SCHEMA).unwrap();
        assert_eq!(lookout.look().unwrap(), News::Anew);
    }

    #[test]
    fn a_journal_that_is_just_being_made_is_news_once_it_says_something() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILES[0]), "").unwrap();
        let mut lookout = Lookout::new(directory.path().to_owned());
        assert_eq!([lookout.look().unwrap(), lookout.look().unwrap()], [News::Anew, News::None]);
        let _journal = Journal::open(directory.path()).unwrap();
        assert_eq!(lookout.look().unwrap(), News::Anew);
    }

    #[test]
    fn a_copy_over_the_journal_is_read() {
        let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (place, count) in [(&directory, 2), (&other, 4)] {
            let (mut journal, mut state) = (Journal::open(place.path()).unwrap(), State::default());
            (0..count).for_each(|cores| write(&mut journal, &mut state, &fleet(cores)));
        }
        let mut lookout = Lookout::new(directory.path().to_owned());
        lookout.look().unwrap();
        assert_eq!(lookout.journal().unwrap().last().unwrap(), 2);
        std::fs::copy(other.path().join(FILES[0]), directory.path().join(FILES[0])).unwrap();
        assert_eq!(lookout.look().unwrap(), News::More);
        assert_eq!(lookout.journal().unwrap().last().unwrap(), 4);
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
