//! Where a package lies below a binhost's root.
//!
//! Portage knows two places: `CATEGORY/NAME/PF-BUILDID.gpkg.tar` (multi-instance) and `CATEGORY/PF.gpkg.tar`. Anything
//! else that may lie in a PKGDIR (placeholders while a package is being written end in random characters and a process
//! number, lock files begin with a dot) does not parse, so it can be neither fetched nor indexed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::core::names::BuildId;
use crate::core::package::Cpv;

const SUFFIX: &str = ".gpkg.tar";

/// The relative path of a GPKG in a package directory. It cannot leave that directory, and holds nothing but letters,
/// digits and `+_.-/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackagePath {
    cpv: Cpv,
    build_id: Option<BuildId>,
}

/// A path that names no GPKG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// An xpak package.
    #[error("{0:?} is an xpak package, the swarm takes GPKG only: set BINPKG_FORMAT=\"gpkg\"")]
    Xpak(String),
    /// Anything else.
    #[error("{0:?} is not the path of a package: CATEGORY/NAME/PF-BUILDID.gpkg.tar or CATEGORY/PF.gpkg.tar")]
    Odd(String),
}

impl PackagePath {
    /// The canonical path: with a build id the multi-instance one.
    pub fn new(cpv: Cpv, build_id: Option<BuildId>) -> Self {
        Self { cpv, build_id }
    }

    /// The path as it stands beside its package in an index: read without what is known of the name already.
    pub(super) fn of(cpv: &Cpv, text: &str) -> Result<Self, PathError> {
        let build_id = |stem: &str| {
            if stem == cpv.as_str() {
                return Some(None);
            }
            let name = stem.strip_prefix(cpv.package())?.strip_prefix('/')?;
            let number = name.strip_prefix(cpv.pf())?.strip_prefix('-')?;
            number.parse().ok().filter(|_| !number.starts_with(['0', '+'])).map(BuildId).map(Some)
        };
        match text.strip_suffix(SUFFIX).and_then(build_id) {
            Some(build_id) => Ok(Self::new(cpv.clone(), build_id)),
            None => text.parse(),
        }
    }

    /// The package.
    pub fn cpv(&self) -> &Cpv {
        &self.cpv
    }

    /// The build id in the name; none in a directory without multi-instance.
    pub fn build_id(&self) -> Option<BuildId> {
        self.build_id
    }

    /// The file name without directory and suffix: `PF-BUILDID` or `PF`.
    pub fn basename(&self) -> String {
        match self.build_id {
            Some(build_id) => format!("{}-{build_id}", self.cpv.pf()),
            None => self.cpv.pf().to_owned(),
        }
    }
}

impl fmt::Display for PackagePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.build_id {
            Some(build_id) => write!(formatter, "{}/{}-{build_id}{SUFFIX}", self.cpv.package(), self.cpv.pf()),
            None => write!(formatter, "{}{SUFFIX}", self.cpv),
        }
    }
}

impl TryFrom<String> for PackagePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<PackagePath> for String {
    fn from(path: PackagePath) -> String {
        path.to_string()
    }
}

impl FromStr for PackagePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let shown = || text.chars().take(300).collect::<String>();
        if text.ends_with(".tbz2") || text.ends_with(".xpak") {
            return Err(PathError::Xpak(shown()));
        }
        let path = parse(text).ok_or_else(|| PathError::Odd(shown()))?;
        // What does not come out as it went in (leading zeros, say) is none of Portage's.
        if path.to_string() == text { Ok(path) } else { Err(PathError::Odd(shown())) }
    }
}

fn parse(text: &str) -> Option<PackagePath> {
    let stem = text.strip_suffix(SUFFIX)?;
    let (category, rest) = stem.split_once('/')?;
    match rest.split_once('/') {
        None => Some(PackagePath::new(stem.parse().ok()?, None)),
        Some((_, basename)) => {
            let (pf, build_id) = basename.rsplit_once('-')?;
            let build_id = build_id.parse().ok().filter(|id| *id > 0)?;
            Some(PackagePath::new(format!("{category}/{pf}").parse().ok()?, Some(BuildId(build_id))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_of_a_package_directory_are_known() {
        for (text, cpv, build_id) in [
            ("app-lab/hello/hello-1.0-1.gpkg.tar", "app-lab/hello-1.0", Some(1)),
            ("app-lab/hello/hello-1.0-r2-41.gpkg.tar", "app-lab/hello-1.0-r2", Some(41)),
            ("dev-libs/libsigc++/libsigc++-2.12.1-3.gpkg.tar", "dev-libs/libsigc++-2.12.1", Some(3)),
            ("app-lab/hello-1.0.gpkg.tar", "app-lab/hello-1.0", None),
            ("app-lab/foo-2-bar-1_rc1.gpkg.tar", "app-lab/foo-2-bar-1_rc1", None),
        ] {
            let path: PackagePath = text.parse().unwrap();
            assert_eq!((path.cpv().as_str(), path.build_id()), (cpv, build_id.map(BuildId)));
            assert_eq!(path.to_string(), text);
            assert_eq!(PackagePath::of(path.cpv(), text), Ok(path));
        }
    }

    #[test]
    fn what_else_lies_in_a_package_directory_is_never_taken() {
        let hello = "app-lab/hello-1.0".parse().unwrap();
        for text in [
            "",
            "Packages",
            "app-lab/hello/hello-1.0-1.gpkg.tarm_3yf_pw.1447",
            "app-lab/hello/.hello-1.0-1.gpkg.tar",
            "app-lab/hello/hello-1.0-1.gpkg.tar.portage_lockfile",
            "app-lab/hello/hello-1.0.gpkg.tar",
            "app-lab/hello/hello-1.0-0.gpkg.tar",
            "app-lab/hello/hello-1.0-01.gpkg.tar",
            "app-lab/hello/hello-1.0-+1.gpkg.tar",
            "app-lab/hello/other-1.0-1.gpkg.tar",
            "app-lab/hello/hello-1.0-99999999999.gpkg.tar",
            "All/hello-1.0/hello-1.0-1.gpkg.tar",
            "/app-lab/hello/hello-1.0-1.gpkg.tar",
            "../app-lab/hello-1.0.gpkg.tar",
            "app-lab/../hello-1.0.gpkg.tar",
            "app-lab/hello/../hello-1.0-1.gpkg.tar",
            "app-lab//hello-1.0-1.gpkg.tar",
            "./app-lab/hello-1.0.gpkg.tar",
            "app-lab/hello-1.0 .gpkg.tar",
            "app-lab/hello-1.0\n.gpkg.tar",
            "app-lab/h\u{1b}[31mello-1.0.gpkg.tar",
            "app-lab/höllo-1.0.gpkg.tar",
            "app-lab/hello-$(id)-1.0.gpkg.tar",
            "hello-1.0.gpkg.tar",
        ] {
            assert!(matches!(text.parse::<PackagePath>(), Err(PathError::Odd(_))), "{text:?}");
            assert!(matches!(PackagePath::of(&hello, text), Err(PathError::Odd(_))), "{text:?}");
        }
    }

    #[test]
    fn an_xpak_is_refused_with_its_cure() {
        for text in ["app-lab/hello/hello-1.0-1.xpak", "app-lab/hello-1.0.tbz2"] {
            let error = text.parse::<PackagePath>().unwrap_err();
            assert!(error.to_string().contains("BINPKG_FORMAT=\"gpkg\""), "{error}");
        }
    }
}
