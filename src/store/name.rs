//! A controller's name, in the file `controller.name` of its state directory.
//!
//! It is not read from the journal: a journal that was copied from another controller has that one's name.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::core::names::{ControllerName, NameError};

/// The file.
const FILE: &str = "controller.name";

/// Why there is no name.
#[derive(Debug, thiserror::Error)]
pub enum OwnNameError {
    /// The file, or what a name is made of, cannot be used.
    #[error("cannot read or write the controller's name in {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error(
        "{} does not hold a controller's name: {source}; remove it, and a new name is made. Jobs that run are then found \
         as those of another controller",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: NameError,
    },
}

/// Whether this controller is the one of this state directory; none where that has no name yet.
///
/// # Errors
/// The name cannot be read.
pub fn is_own(directory: &Path, controller: &ControllerName) -> Result<Option<bool>, OwnNameError> {
    let path = directory.join(FILE);
    match fs_err::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim() == controller.as_str())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OwnNameError::Io { path, source }),
    }
}

/// The name of the controller of this state directory, which is there. Where it has none it becomes the one that its
/// journal knows (from before names had a file), else a new one.
///
/// # Errors
/// The name cannot be read, or not be written down.
pub fn own(directory: &Path, known: Option<&ControllerName>) -> Result<ControllerName, OwnNameError> {
    let path = directory.join(FILE);
    let io = |source| OwnNameError::Io { path: path.clone(), source };
    let unreadable = |source| OwnNameError::Unreadable { path: path.clone(), source };
    match fs_err::read_to_string(&path) {
        Ok(text) => return text.trim().parse().map_err(unreadable),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
    }
    let name = match known {
        Some(known) => known.clone(),
        None => new_name().map_err(io)?.parse().map_err(unreadable)?,
    };
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(io)?;
    writeln!(file, "{name}").and_then(|()| file.as_file().sync_all()).map_err(io)?;
    file.persist(&path).map_err(|error| io(error.error))?;
    Ok(name)
}

/// A name that no other controller has: the machine's and a random number.
fn new_name() -> std::io::Result<String> {
    let mut random = [0; 4];
    fs_err::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let number = data_encoding::HEXLOWER.encode(&random);
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let machine: String =
        machine.chars().filter(|each| each.is_ascii_alphanumeric() || *each == '-').take(40).collect();
    let name = format!("{}-{number}", machine.trim_start_matches('-'));
    Ok(name.trim_start_matches('-').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_keeps_the_name_that_it_had_whatever_journal_lies_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let name = own(directory.path(), None).unwrap();
        let others = "other-1".parse().unwrap();
        assert_eq!(own(directory.path(), Some(&others)).unwrap(), name);
        let older = tempfile::tempdir().unwrap();
        assert_eq!(own(older.path(), Some(&others)).unwrap(), others, "from before names had a file");
        assert_eq!(own(older.path(), None).unwrap(), others);
        std::fs::write(older.path().join(FILE), "no name\n").unwrap();
        assert!(own(older.path(), None).unwrap_err().to_string().contains("remove it"));
    }
}
