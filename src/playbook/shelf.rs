//! Where playbooks are: a path; `./playbooks`, `playbooks` beside the inventory, [`PLACE`]; then those in this program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Playbook;
use super::read::{Faults, read};
use crate::core::names::{NameError, PlaybookName};
use crate::core::nearest::did_you_mean;

/// The last place on a machine.
pub const PLACE: &str = "/etc/build-swarm/playbooks";
/// The ending of a playbook's file.
const ENDING: &str = "toml";
/// What comes with this program.
const SHIPPED: [(&str, &str); 4] = [
    ("nightly-world", include_str!("../../playbooks/nightly-world.toml")),
    ("security", include_str!("../../playbooks/security.toml")),
    ("refresh-trees", include_str!("../../playbooks/refresh-trees.toml")),
    ("bootstrap-drone", include_str!("../../playbooks/bootstrap-drone.toml")),
];

/// A playbook as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub source: Source,
    /// Its text.
    pub text: String,
}

/// Where a playbook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// In this program, by this name.
    Shipped(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Shipped(_) => formatter.write_str("shipped with swarm"),
        }
    }
}

/// Why there is no playbook.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// A file cannot be read.
    #[error("cannot read the playbook: {0}")]
    Io(std::io::Error),
    /// It is no name of a playbook, and no path that leads to one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// None has this name.
    #[error("there is no playbook {name}{}; `swarm play` lists them", help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: PlaybookName,
        /// The nearest right word, or those that there are.
        help: Option<String>,
    },
    /// It has faults.
    #[error(transparent)]
    Faults(#[from] Faults),
}

/// The places in which playbooks are looked for.
#[derive(Debug, Clone)]
pub struct Shelf {
    places: Vec<PathBuf>,
}

impl Shelf {
    /// The usual places; the inventory is a file or a directory.
    pub fn new(inventory: Option<&Path>) -> Self {
        let beside = inventory.and_then(Path::parent).map(|parent| parent.join("playbooks"));
        let places = [Some(PathBuf::from("./playbooks")), beside, Some(PathBuf::from(PLACE))];
        Self { places: places.into_iter().flatten().collect() }
    }

    /// The places that are the same whoever runs a playbook, and from wherever.
    pub fn from_anywhere(inventory: &Path) -> Self {
        Self { places: Self::new(Some(inventory)).places.split_off(1) }
    }

    /// Finds a playbook by its name, or by a path, which has a slash or the ending of a file.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn find(&self, wanted: &str) -> Result<Found, ShelfError> {
        if wanted.contains('/') || wanted.ends_with(".toml") {
            return file(Path::new(wanted));
        }
        let name: PlaybookName = wanted.parse()?;
        for place in &self.places {
            let path = place.join(format!("{name}.{ENDING}"));
            if path.is_file() {
                return file(&path);
            }
        }
        let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name.as_str());
        match shipped {
            Some((name, text)) => Ok(Found { source: Source::Shipped(name), text: (*text).to_owned() }),
            None => {
                let known = self.all()?;
                Err(ShelfError::Unknown { help: did_you_mean(name.as_str(), known.keys().map(String::as_str)), name })
            }
        }
    }

    /// All playbooks by name; of several of one name the one that [`Shelf::find`] finds.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn all(&self) -> Result<BTreeMap<String, Found>, ShelfError> {
        let shipped = SHIPPED.iter().map(|(name, text)| {
            ((*name).to_owned(), Found { source: Source::Shipped(name), text: (*text).to_owned() })
        });
        let mut all: BTreeMap<String, Found> = shipped.collect();
        for place in self.places.iter().rev().filter(|place| place.is_dir()) {
            for entry in fs_err::read_dir(place).map_err(ShelfError::Io)? {
                let path = entry.map_err(ShelfError::Io)?.path();
                let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if path.extension().is_some_and(|ending| ending == ENDING) && name.parse::<PlaybookName>().is_ok() {
                    all.insert(name, file(&path)?);
                }
            }
        }
        Ok(all)
    }
}

fn file(path: &Path) -> Result<Found, ShelfError> {
    let text = fs_err::read_to_string(path).map_err(ShelfError::Io)?;
    Ok(Found { source: Source::File(path.to_owned()), text })
}

impl Found {
    /// Reads it.
    ///
    /// # Errors
    /// Its faults.
    pub fn read(&self) -> Result<Playbook, Faults> {
        match &self.source {
            Source::File(path) => read(path, &self.text),
            Source::Shipped(name) => read(Path::new(&format!("playbooks/{name}.{ENDING}")), &self.text),
        }
    }

    /// SHA-256 of its text.
    pub fn digest(&self) -> String {
        use sha2::Digest as _;
        data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(self.text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_without_fault_and_has_the_name_of_its_file() {
        for (name, text) in SHIPPED {
            let found = Found { source: Source::Shipped(name), text: text.to_owned() };
            let playbook = found.read().unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(playbook.name.as_str(), name);
        }
    }

    #[test]
    fn a_file_goes_before_what_is_shipped_and_a_name_that_is_not_there_gets_the_nearest() {
        let room = tempfile::tempdir().unwrap();
        let inventory = room.path().join("inventory");
        std::fs::create_dir(room.path().join("playbooks")).unwrap();
        let own = room.path().join("playbooks/security.toml");
        std::fs::write(&own, "mine").unwrap();
        let mut shelf = Shelf::new(Some(&inventory));
        // The directory of the tests has playbooks of its own.
        shelf.places.remove(0);
        assert_eq!(shelf.find("security").unwrap().source, Source::File(own.clone()));
        assert_eq!(shelf.all().unwrap()["security"].text, "mine");
        assert_eq!(shelf.find("nightly-world").unwrap().source, Source::Shipped("nightly-world"));
        assert_eq!(shelf.find(&own.display().to_string()).unwrap().text, "mine");
        let error = shelf.find("nightly-word").unwrap_err().to_string();
        assert!(error.contains("did you mean `nightly-world`?"), "{error}");
        assert!(shelf.find("./none.toml").unwrap_err().to_string().contains("none.toml"));
    }
}
