//! Whether a file that came back from a drone is the package that was planned.
//!
//! Three questions, in this order, since each has another consequence: is it the file that the drone made
//! ([`Rejection::Corrupt`]: fetch it again)? Is it a package that can be used at all ([`Rejection::Refused`]: the drone's
//! settings want a change)? Is it the package that the plan means ([`Rejection::Unlike`]: the drone built something
//! else)? The drone's own index is believed in nothing but where the file lies and what its hashes are.
//!
//! What may be taken from a drone's package directory at all is a [`PackagePath`]; nothing else parses as one.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::core::names::BuildId;
use crate::core::package::Identity;
use crate::portage::gpkg::{self, Gpkg, GpkgError, MetadataError, SignatureError};
use crate::portage::index::{PackagePath, Stanza};

/// A package has more bytes than this; a smaller file is a placeholder or a page that says why there is none.
const SMALLEST: u64 = 1024;

/// Options of a compiler that decide where its code runs. The rest of the flags that a package carries are as the ebuild
/// left them (it may strip or append some while it builds), so they say nothing about the settings it began with.
const MACHINE_OPTIONS: [&str; 3] = ["-march=", "-mcpu=", "-mabi="];

/// A package that is what was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// All that an index needs to know of it.
    pub gpkg: Gpkg,
    /// Where it belongs below a binhost's root.
    pub path: PackagePath,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// It is not the file that the drone's index speaks of: it was damaged on the way, and a second fetch may cure that.
    #[error("take the file as the drone made it: its {what} is {found}, the drone's index says {offered}")]
    Corrupt {
        /// Size, MD5 or SHA1.
        what: &'static str,
        /// What the index says.
        offered: String,
        /// What the file has.
        found: String,
    },
    /// It is a sound package, but another one than planned.
    #[error("take the package as the one that was planned: {}", list(.0))]
    Unlike(Vec<Difference>),
    /// It is as the drone made it, but cannot be used.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It could not be read here; that says nothing about the package.
    #[error("read the file that was fetched: {0}")]
    Unread(#[source] io::Error),
}

/// Whose fault it is that a file is not taken, and with that what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The way's: a second fetch may cure it.
    Way,
    /// The drone's settings: whatever it builds will be no better before somebody changes them.
    Settings,
    /// Whatever made this one file: the next one may be better.
    File,
    /// This machine's: it says nothing about package and drone.
    Here,
}

impl Rejection {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Corrupt { .. } => Fault::Way,
            Self::Unlike(_) | Self::Refused(Refusal::Package(GpkgError::Xpak)) => Fault::Settings,
            Self::Unread(_)
            | Self::Refused(Refusal::Signature(SignatureError::Keyring { .. } | SignatureError::Run(_))) => Fault::Here,
            Self::Refused(Refusal::Signature(
                SignatureError::Unsigned | SignatureError::Missing(_) | SignatureError::Bad { .. },
            )) => Fault::Settings,
            Self::Refused(_) => Fault::File,
        }
    }
}

/// Why a file that is as the drone made it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The drone's index does not say what the file should be.
    #[error("take the package: the drone's index has no {0} for it; `emaint binhost --fix` there writes it anew")]
    Unsaid(&'static str),
    /// Smaller than any package.
    #[error("take the package: it has only {0} bytes")]
    TooSmall(u64),
    /// Not a sound GPKG.
    #[error("{0}")]
    Package(#[from] GpkgError),
    /// Metadata that does not say what it is.
    #[error("{0}")]
    Metadata(#[from] MetadataError),
    /// Its origin is not proven.
    #[error("{0}")]
    Signature(#[from] SignatureError),
}

/// A point in which a package is not what was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The point, as Portage calls it.
    pub field: String,
    /// What was planned.
    pub planned: String,
    /// What the package has.
    pub found: String,
}

impl Difference {
    fn new(field: impl Into<String>, planned: impl ToString, found: impl ToString) -> Self {
        Self { field: field.into(), planned: planned.to_string(), found: found.to_string() }
    }
}

fn list(differences: &[Difference]) -> String {
    let texts = differences.iter().map(|each| format!("{} is {}, planned {}", each.field, each.found, each.planned));
    texts.collect::<Vec<_>>().join("; ")
}

/// Holds the fetched `file` against the drone's own index (`offered`, the job's entry in it) and against the plan
/// (`wanted`, and the build id where one was allotted). With a keyring its signatures have to be good too.
pub fn accept(
    file: &Path,
    offered: &Stanza,
    wanted: &Identity,
    build_id: Option<BuildId>,
    keyring: Option<&Path>,
) -> Result<Accepted, Rejection> {
    accept_read(file, || gpkg::read(file), offered, wanted, build_id, keyring)
}

/// The same of a file that may have been read already, while it came.
pub fn accept_read(
    file: &Path,
    read: impl FnOnce() -> Result<Gpkg, GpkgError>,
    offered: &Stanza,
    wanted: &Identity,
    build_id: Option<BuildId>,
    keyring: Option<&Path>,
) -> Result<Accepted, Rejection> {
    let promised = Promised::of(offered)?;
    let size = fs_err::metadata(file).map_err(Rejection::Unread)?.len();
    if size != promised.size {
        return Err(Rejection::Corrupt { what: "size", offered: promised.size.to_string(), found: size.to_string() });
    }
    if size <= SMALLEST {
        return Err(Refusal::TooSmall(size).into());
    }
    let gpkg = match read() {
        Ok(gpkg) => gpkg,
        // Reading stops at the first fault, so what the whole file is has not been seen yet.
        Err(GpkgError::Read(error)) => return Err(Rejection::Unread(error)),
        Err(fault) => {
            let (md5, sha1) = gpkg::hashes(file).map_err(Rejection::Unread)?;
            promised.compare(&md5, &sha1)?;
            return Err(Refusal::from(fault).into());
        }
    };
    promised.compare(&gpkg.md5, &gpkg.sha1)?;
    if let Some(keyring) = keyring {
        gpkg::verify_signature(file, keyring).map_err(Refusal::from)?;
    }
    let differences = differences(&gpkg, offered.path(), wanted, build_id).map_err(Refusal::from)?;
    if differences.is_empty() {
        Ok(Accepted { gpkg, path: offered.path().clone() })
    } else {
        Err(Rejection::Unlike(differences))
    }
}

/// What the drone's index says of the file's bytes.
struct Promised<'a> {
    size: u64,
    md5: &'a str,
    sha1: &'a str,
}

impl<'a> Promised<'a> {
    fn of(offered: &'a Stanza) -> Result<Self, Refusal> {
        Ok(Self {
            size: offered.size().ok_or(Refusal::Unsaid("SIZE"))?,
            md5: offered.md5().ok_or(Refusal::Unsaid("MD5"))?,
            sha1: offered.sha1().ok_or(Refusal::Unsaid("SHA1"))?,
        })
    }

    fn compare(&self, md5: &str, sha1: &str) -> Result<(), Rejection> {
        for (what, offered, found) in [("MD5", self.md5, md5), ("SHA1", self.sha1, sha1)] {
            if !offered.eq_ignore_ascii_case(found) {
                return Err(Rejection::Corrupt { what, offered: offered.to_owned(), found: found.to_owned() });
            }
        }
        Ok(())
    }
}

/// Every point in which the package is not the planned one.
fn differences(
    gpkg: &Gpkg,
    path: &PackagePath,
    wanted: &Identity,
    build_id: Option<BuildId>,
) -> Result<Vec<Difference>, MetadataError> {
    let metadata = &gpkg.metadata;
    let mut found = Vec::new();
    let mut compare = |field: &str, planned: &str, has: &str| {
        if planned != has {
            found.push(Difference::new(field, planned, has));
        }
    };
    compare("CPV", wanted.cpv.as_str(), gpkg.cpv()?.as_str());
    compare("directory", &path.basename(), &gpkg.basename);
    compare("PATH", wanted.cpv.as_str(), path.cpv().as_str());
    if let Some(allotted) = build_id {
        let shown = |id: Option<BuildId>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
        compare("BUILD_ID", &allotted.to_string(), &shown(gpkg.build_id()?));
        compare("build id in PATH", &allotted.to_string(), &shown(path.build_id()));
    }
    compare("SLOT", &wanted.slot.to_string(), &gpkg.slot()?.to_string());
    compare("repository", &wanted.repository, metadata.get("repository").unwrap_or("none"));
    compare("CHOST", &wanted.chost, metadata.get("CHOST").unwrap_or("none"));
    if let Some(ebuild) = gpkg.ebuild_md5.as_deref().filter(|_| !wanted.ebuild_digest.is_empty()) {
        compare("MD5 of the ebuild", &wanted.ebuild_digest.to_ascii_lowercase(), ebuild);
    }
    found.extend(use_difference(gpkg, wanted));
    found.extend(machine_differences(gpkg, wanted));
    found.extend(linked_differences(gpkg, wanted));
    Ok(found)
}

/// Held against each other are the flags that the package knows: those of its effective IUSE, and for the old EAPIs that
/// do not record one, of its IUSE.
fn use_difference(gpkg: &Gpkg, wanted: &Identity) -> Option<Difference> {
    let metadata = &gpkg.metadata;
    let effective: BTreeSet<&str> = metadata.words("IUSE_EFFECTIVE").collect();
    let has_effective = !effective.is_empty();
    let known = match has_effective {
        true => effective,
        false => metadata.words("IUSE").map(|flag| flag.trim_start_matches(['+', '-'])).collect(),
    };
    let is_compared = |flag: &&str| known.contains(flag);
    let enabled: BTreeSet<&str> = metadata.words("USE").filter(is_compared).collect();
    let planned = wanted.use_flags.iter();
    let planned: BTreeSet<&str> = planned.filter(|flag| has_effective || is_compared(flag)).collect();
    let differing: Vec<&str> = planned.symmetric_difference(&enabled).copied().collect();
    let shown = |set: &BTreeSet<&str>| {
        let flag = |flag: &&str| if set.contains(flag) { (*flag).to_owned() } else { format!("-{flag}") };
        differing.iter().map(flag).collect::<Vec<_>>().join(" ")
    };
    (!differing.is_empty()).then(|| Difference::new("USE", shown(&planned), shown(&enabled)))
}

fn machine_differences(gpkg: &Gpkg, wanted: &Identity) -> Vec<Difference> {
    let last =
        |flags: &str, option: &str| flags.split_whitespace().rfind(|flag| flag.starts_with(option)).map(str::to_owned);
    let flags = wanted.compiler.iter().filter(|(key, _)| key.ends_with("FLAGS"));
    let pairs = flags.filter_map(|(key, planned)| Some((key, planned, gpkg.metadata.get(key)?)));
    pairs
        .flat_map(|(key, planned, found)| {
            MACHINE_OPTIONS.iter().filter_map(move |option| {
                let (planned, found) = (last(planned, option)?, last(found, option)?);
                (planned != found).then(|| Difference::new(key, planned, found))
            })
        })
        .collect()
}

/// Each slot that the plan means to link against has to be one that the package was linked against. More of them are no
/// fault: of `|| ( a:= b:= )` Portage records whatever is installed.
fn linked_differences(gpkg: &Gpkg, wanted: &Identity) -> Vec<Difference> {
    let linked = gpkg.metadata.linked();
    let missing = wanted.linked.difference(&linked);
    missing
        .map(|(package, slot)| {
            let others = linked.iter().filter(|(other, _)| *other == package).map(|(_, slot)| slot.to_string());
            let others: Vec<String> = others.collect();
            let found = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
            Difference::new(format!("slot of {package}"), slot, found)
        })
        .collect()
}

#[cfg(test)]
mod tests;
