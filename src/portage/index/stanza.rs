//! One package's entry in an index.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::names::{BuildId, Timestamp};
use crate::core::package::{Cpv, Slot};
use crate::portage::gpkg::{Gpkg, MetadataError};

use super::lines::{self, Lines, Said, Values, is_one_line, to_line};
use super::path::{PackagePath, PathError};
use super::reduce::{self, DependencyError, Words};

/// The keys whose USE conditionals are decided.
const EVALUATED: [(&str, Words); 8] = [
    ("BDEPEND", Words::Atoms),
    ("DEPEND", Words::Atoms),
    ("IDEPEND", Words::Atoms),
    ("LICENSE", Words::Plain),
    ("RDEPEND", Words::Atoms),
    ("PDEPEND", Words::Atoms),
    ("PROPERTIES", Words::Plain),
    ("RESTRICT", Words::Plain),
];

/// Keys that a stanza has from the header where it does not say otherwise.
pub(super) const INHERITED: [&str; 2] = ["CHOST", "REPO"];

/// The entry of one GPKG in an index (`Packages`), as Portage 3.0 writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    path: PackagePath,
    lines: Lines,
}

/// Why an entry of an index is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StanzaError {
    /// No CPV.
    #[error("it does not say which package it is")]
    NoCpv,
    /// A CPV that is none.
    #[error("its CPV {0:?} is no package with a version")]
    Cpv(String),
    /// No path: an xpak package in the old layout.
    #[error("it has no PATH, so it is an xpak package, the swarm takes GPKG only: set BINPKG_FORMAT=\"gpkg\"")]
    NoPath,
    /// A path that is none.
    #[error("its PATH {0}")]
    Path(#[from] PathError),
    /// A path of another package.
    #[error("its PATH {0:?} is that of another package")]
    Unfit(String),
    /// A build id that is no number.
    #[error("its BUILD_ID {0:?} is no number from 1")]
    BuildId(String),
    /// Control characters.
    #[error("its {0} holds control characters")]
    Control(String),
}

/// Why a package cannot have an entry in an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// Metadata that does not say which package it is.
    #[error("index the package: {0}")]
    Metadata(#[from] MetadataError),
    /// A path that is not the package's own.
    #[error("index the package: {path} is not where {found} belongs")]
    Path {
        /// Where it was to lie.
        path: String,
        /// What it is.
        found: String,
    },
    /// Control characters in a value.
    #[error("index the package: its {0} holds control characters")]
    Control(String),
    /// Dependencies that cannot be read.
    #[error("index the package: read its {key}: {source}")]
    Dependency {
        /// The key.
        key: &'static str,
        /// What is wrong.
        source: DependencyError,
    },
}

impl Stanza {
    /// The entry that `emaint binhost --fix` writes for this package where it lies at `path` with this modification
    /// time: nothing of it is taken from another index.
    ///
    /// # Errors
    /// Its metadata does not say what it has to, or the path is that of another package.
    pub fn derive(gpkg: &Gpkg, path: &PackagePath, mtime: Timestamp) -> Result<Self, DeriveError> {
        let metadata = &gpkg.metadata;
        let cpv = gpkg.cpv()?;
        let build_id = gpkg.build_id()?;
        if *path.cpv() != cpv {
            return Err(DeriveError::Path { path: path.to_string(), found: cpv.to_string() });
        }
        gpkg.slot()?;
        let mut values: BTreeMap<&str, String> =
            lines::copied().filter_map(|key| Some((key, metadata.get(key)?.to_owned()))).collect();
        let enabled: BTreeSet<&str> = metadata.words("USE").collect();
        for (key, words) in EVALUATED {
            if let Some(value) = values.get_mut(key) {
                *value =
                    reduce::reduce(value, words, &enabled).map_err(|source| DeriveError::Dependency { key, source })?;
            }
        }
        if let Some(build_id) = build_id {
            values.insert("BUILD_ID", build_id.to_string());
        }
        values.extend([
            ("REPO", metadata.get("repository").unwrap_or_default().to_owned()),
            ("SIZE", gpkg.size.to_string()),
            ("MD5", gpkg.md5.clone()),
            ("SHA1", gpkg.sha1.clone()),
            ("MTIME", mtime.0.to_string()),
        ]);
        if let Some((key, _)) = values.iter().find(|(_, value)| !is_one_line(value)) {
            return Err(DeriveError::Control((*key).to_owned()));
        }
        Ok(Self::new(path.clone(), values.iter().map(|(key, value)| (*key, value.as_str()))))
    }

    /// An entry without a file behind it. In the index of a job's own PKGDIR it makes Portage count on: the next build
    /// of this package there becomes `last` + 1.
    pub fn seed(cpv: Cpv, last: BuildId) -> Self {
        Self::new(PackagePath::new(cpv, Some(last)), [("BUILD_ID", last.to_string().as_str())])
    }

    /// The entry of what lies there, with what else is to be said of it.
    fn new<'a>(path: PackagePath, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = [("CPV", path.cpv().to_string()), ("PATH", path.to_string())];
        let own = own.map(|(key, value)| to_line(key, &value));
        let mut values = Values::of(values);
        own.iter().for_each(|line| values.fill(line));
        let lines = values.to_lines();
        Self { path, lines }
    }

    /// Takes the values of one entry, and the lines that count where it does not say them.
    pub(super) fn read<'a>(values: &mut Values<'a>, inherited: &'a [String]) -> Result<Self, StanzaError> {
        let cpv = values.get("CPV").ok_or(StanzaError::NoCpv)?;
        let cpv: Cpv = cpv.parse().map_err(|_| StanzaError::Cpv(cpv.chars().take(200).collect()))?;
        let path = PackagePath::of(&cpv, values.get("PATH").ok_or(StanzaError::NoPath)?)?;
        inherited.iter().for_each(|line| values.fill(line));
        let lines = values.to_lines();
        if let Some(key) = values.key_of_control(&lines) {
            return Err(StanzaError::Control(key.to_owned()));
        }
        if *path.cpv() != cpv {
            return Err(StanzaError::Unfit(path.to_string()));
        }
        if let Some(odd) = values.get("BUILD_ID").filter(|text| parse_build_id(text).is_none()) {
            return Err(StanzaError::BuildId(odd.to_owned()));
        }
        Ok(Self { path, lines })
    }

    /// All its values by key, CPV and PATH among them: the form in which it is kept elsewhere.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.values()
    }

    /// The entry with these values.
    ///
    /// # Errors
    /// When they are not those of an entry.
    pub fn of_values<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, StanzaError> {
        Self::read(&mut Values::of(values), &[])
    }

    /// The package.
    pub fn cpv(&self) -> &Cpv {
        self.path.cpv()
    }

    /// Where the file lies below the index.
    pub fn path(&self) -> &PackagePath {
        &self.path
    }

    /// The build id that the package itself carries; none without multi-instance. It is what Portage counts on from.
    /// In the name of a package that `quickpkg` made stands another one, since that keeps the id it was installed with.
    pub fn build_id(&self) -> Option<BuildId> {
        parse_build_id(self.get("BUILD_ID")?)
    }

    /// The value of a key, by its name in the file (`REPO`, `MTIME`, `DESC`); nothing where it is not given.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.get(key)
    }

    /// The file's size in bytes.
    pub fn size(&self) -> Option<u64> {
        self.get("SIZE")?.parse().ok()
    }

    /// The file's MD5, hexadecimal.
    pub fn md5(&self) -> Option<&str> {
        self.get("MD5")
    }

    /// The file's SHA1, hexadecimal.
    pub fn sha1(&self) -> Option<&str> {
        self.get("SHA1")
    }

    /// The file's modification time.
    pub fn mtime(&self) -> Option<Timestamp> {
        self.get("MTIME")?.parse().ok().map(Timestamp)
    }

    /// The enabled USE flags, the profile's own (`kernel_linux`) included.
    pub fn use_flags(&self) -> BTreeSet<&str> {
        self.get("USE").unwrap_or_default().split_ascii_whitespace().collect()
    }

    /// Slot and sub-slot; nothing where the entry holds what is no slot.
    pub fn slot(&self) -> Option<Slot> {
        self.get("SLOT").unwrap_or("0").parse().ok()
    }

    /// How many bytes it takes, with an empty line behind it.
    pub(super) fn length(&self) -> usize {
        self.lines.length() + 1
    }

    /// Adds the lines of the entry, each with its end, without those that the header says already.
    pub(super) fn write(&self, text: &mut String, said: &Said) {
        self.lines.write(text, said);
    }
}

fn parse_build_id(text: &str) -> Option<BuildId> {
    text.parse().ok().filter(|id| *id > 0).map(BuildId)
}
