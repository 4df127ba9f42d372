//! The probe: a small Python program that is sent to a host and asks the Portage there, in Portage's own words.
//!
//! Text from `emerge --pretend` has no dependency edges; the resolver has. [`script`] makes the shell script that runs
//! a [`Request`] there, [`read_resolution`] and [`read_identities`] read its output. Arguments that decide the answer
//! are given in full ([`plan_arguments`]), so that the operator's `EMERGE_DEFAULT_OPTS` cannot change it.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use enumset::EnumSet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::parity::{self, Configuration};
use super::terminal;
use crate::core::event::Selection;
use crate::core::links::Links;
use crate::core::names::HostName;
use crate::core::package::{Cpv, Identity, PackageName, Slot};
use crate::core::plan::{self, Edge, EdgeKind, Oddity, PackageIndex, Plan, PlannedPackage};
use crate::core::text::{agreeing, counted, printable};
use crate::core::texts::{Fields, Words};

mod warnings;

const PROBE: &str = include_str!("probe.py");
const SCRIPT: &str = include_str!("probe.sh");
/// No real plan has so many dependencies to look at for what each package waits for: a world of 2,000 packages has some
/// 100,000. A short answer in which everything runs with everything could ask for more than there is time and memory.
const EDGES_LIMIT: usize = 8_000_000;
/// Only what stands between two lines of this is ours; login shells may print anything.
const MARK: &str = "SWARM-PROBE-ANSWER";

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Request {
    /// What would the resolver merge with these emerge arguments?
    Plan {
        /// The arguments.
        arguments: Vec<String>,
    },
    /// How would this host build each of these, and what would it build besides for them?
    Identities {
        /// The packages: CPV, repository, and the [`recipe_digest`] by which each is planned.
        cpvs: Vec<(Cpv, String, String)>,
        /// The emerge arguments with which all of them are resolved together.
        resolve: Vec<String>,
        /// Whether it is to say as well what it builds with.
        survey: bool,
    },
    /// What does this host build with?
    Survey {
        /// Whether to tell the revisions of its repositories. A tree without git and without a Manifest of its own is
        /// read whole for that.
        revisions: bool,
    },
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The probe did not run.
    #[error("Portage could not be asked:\n{said}")]
    NoAnswer {
        /// What was printed instead.
        said: String,
    },
    /// The answer is not what the probe writes.
    #[error("Portage's answer cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The resolver found no solution.
    #[error("Portage cannot resolve this:\n{said}")]
    Unresolved {
        /// The resolver's own words.
        said: String,
    },
}

/// A package of the resolver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// What it would be.
    pub identity: Identity,
    /// Whether it would be merged from a binary package.
    pub binary: bool,
    /// Whether an argument asked for it.
    pub requested: bool,
    /// What is odd about it.
    pub oddities: BTreeSet<Oddity>,
}

/// Two packages of which the resolver says that they cannot be installed together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The one and the other.
    pub packages: (Cpv, Cpv),
    /// Those of them that are installed already, and would not be merged.
    pub installed: BTreeSet<Cpv>,
}

/// The resolver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What would be merged, in order.
    pub merges: Vec<Merge>,
    /// The dependencies between them.
    pub edges: Vec<Edge>,
    /// The header that Portage there gives a package index.
    pub index_header: BTreeMap<String, String>,
    /// Arguments or world members that nothing satisfies.
    pub missing: Vec<String>,
    /// Installed packages that would go.
    pub uninstalls: Vec<Cpv>,
    /// What cannot be installed together; no obstacle to building it.
    pub conflicts: BTreeSet<Conflict>,
}

/// How a host would build one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// By the recipe that was asked for.
    AsPlanned,
    /// Like this.
    Identity(Box<Identity>),
    /// Not at all; in words.
    Trouble(String),
}

/// How a host would build packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// Each of them, in the order of the request.
    pub offers: Vec<Offer>,
    /// What it would build besides, since it is not installed there; nothing where its resolver finds no solution.
    pub lacking: Vec<Identity>,
    /// What it builds with, where that was asked for.
    pub configuration: Option<Configuration>,
    /// The eclasses that the packages inherit there.
    pub inherited: BTreeSet<String>,
}

/// The script that asks. Where its variable `configuration` is set to a configuration root that is there, the answer is
/// that one's.
pub fn script(request: &Request) -> String {
    // A struct of strings and numbers always serialises.
    let text = serde_json::to_string(request).unwrap_or_default();
    let file =
        |(name, text): (&str, &str)| format!("cat >\"$directory/{name}\" <<'SWARM-BESIDE'\n{text}\nSWARM-BESIDE\n");
    let beside = match request {
        Request::Identities { survey: true, .. } | Request::Survey { .. } => parity::MODULES.map(file).concat(),
        Request::Identities { .. } | Request::Plan { .. } => String::new(),
    };
    SCRIPT.replace("@BESIDE@\n", &beside).replace("@PROBE@", PROBE).replace("@REQUEST@", &text).replace("@MARK@", MARK)
}

/// The arguments with which the driver is asked for what a selection comes to.
pub fn plan_arguments(selection: &Selection) -> Vec<String> {
    let fixed = [
        "--pretend",
        "--ignore-default-opts",
        "--color=n",
        "--ask=n",
        "--usepkg=n",
        "--getbinpkg=n",
        "--with-bdeps=y",
        "--autounmask=n",
    ];
    let mut arguments: Vec<String> = fixed.iter().map(|argument| (*argument).to_owned()).collect();
    match selection {
        Selection::World => arguments.extend(["--update", "--deep", "--newuse", "@world"].map(str::to_owned)),
        Selection::Atoms(atoms) => arguments.extend(atoms.iter().map(|atom| atom.as_str().to_owned())),
        Selection::Packages(cpvs) | Selection::Exactly(cpvs) => {
            arguments.extend(cpvs.iter().map(|cpv| format!("={cpv}")));
        }
    }
    arguments
}

/// The arguments with which a drone resolves a job's package, with binary packages from the job's own PKGDIR. The package
/// itself is not merged: what it needs only to run, and what it could not be installed beside, is of no concern. What was
/// merged for it is named, too, so that the answer has what that needs to run; it is taken as it was fed, whatever the
/// flags.
pub fn job_arguments<'a>(cpv: &'a Cpv, merged: impl IntoIterator<Item = &'a Cpv>) -> Vec<String> {
    let own = ["--buildpkgonly", "--usepkg=y", "--binpkg-respect-use=n"].map(str::to_owned);
    let excluded = format!("--usepkg-exclude={}", cpv.package());
    let atoms = std::iter::once(cpv).chain(merged).map(|cpv| format!("={cpv}"));
    drone_arguments().chain(own).chain([excluded]).chain(atoms).collect()
}

/// Asks a drone about a whole plan, which it resolves from ebuilds alone.
pub fn request_of_drone(plan: &Plan, survey: bool) -> Request {
    let wanted = |package: &PlannedPackage| {
        let identity = &package.identity;
        (identity.cpv.clone(), identity.repository.clone(), recipe_digest(identity))
    };
    let resolve = drone_arguments().chain(["--usepkg=n".to_owned()]).collect();
    Request::Identities { cpvs: plan.packages.iter().map(wanted).collect(), resolve, survey }
}

/// What a package is built by: a digest of its version, slot, repository, ebuild, CHOST and USE flags. Compiler settings
/// are none of it, since a job carries the plan's. `probe.py` makes the same of what is there, so that a drone which
/// agrees about 20,000 packages need not say each of them.
pub fn recipe_digest(identity: &Identity) -> String {
    let Identity { cpv, slot: Slot { slot, sub_slot }, repository, ebuild_digest, chost, use_flags, .. } = identity;
    let fixed = [cpv.as_str(), &format!("{slot}/{sub_slot}"), repository, ebuild_digest, chost].join("\n");
    let digest = use_flags.iter().fold(Sha256::new().chain_update(fixed), |digest, flag| {
        digest.chain_update("\n").chain_update(flag.as_bytes())
    });
    HEXLOWER.encode(&digest.finalize()[..RECIPE_BYTES])
}

/// So many bytes of the digest are told.
const RECIPE_BYTES: usize = 16;

fn drone_arguments() -> impl Iterator<Item = String> {
    let fixed = [
        "--ignore-default-opts",
        "--color=n",
        "--ask=n",
        "--oneshot",
        "--getbinpkg=n",
        "--with-bdeps=y",
        "--autounmask=n",
        "--ignore-built-slot-operator-deps=y",
    ];
    fixed.into_iter().map(str::to_owned)
}

#[derive(Deserialize)]
struct RawPackage {
    cpv: Cpv,
    slot: String,
    repository: String,
    #[serde(default)]
    digest: String,
    #[serde(rename = "use")]
    use_flags: Words,
    chost: String,
    #[serde(default)]
    compiler: Fields,
    #[serde(default)]
    linked: Vec<(String, String)>,
    #[serde(default)]
    binary: bool,
    #[serde(default)]
    requested: bool,
    #[serde(default)]
    masked: Vec<String>,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    restricted: bool,
    #[serde(default)]
    module: Option<BTreeSet<PackageName>>,
}

#[derive(Deserialize)]
struct RawConflict {
    packages: (Cpv, Cpv),
    #[serde(default)]
    installed: BTreeSet<Cpv>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawOffer {
    Trouble { trouble: String },
    Package(Box<RawPackage>),
}

#[derive(Deserialize)]
struct RawAnswer {
    resolved: Option<bool>,
    #[serde(default)]
    packages: Vec<RawPackage>,
    #[serde(default)]
    edges: Vec<(usize, usize, EnumSet<EdgeKind>)>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    uninstalls: Vec<Cpv>,
    #[serde(default)]
    conflicts: Vec<RawConflict>,
    #[serde(default)]
    header: BTreeMap<String, String>,
    identities: Option<Vec<Option<RawOffer>>>,
    #[serde(default)]
    inherited: BTreeSet<String>,
    survey: Option<Configuration>,
}

fn slot(text: &str) -> Result<Slot, ProbeError> {
    text.parse().map_err(|error| unreadable(format!("{error}")))
}

fn unreadable(reason: impl Into<String>) -> ProbeError {
    ProbeError::Unreadable { reason: reason.into() }
}

/// Refuses what would end a line or act on a terminal: these values go into settings, indexes and tables.
fn one_line<'a>(what: &str, texts: impl IntoIterator<Item = &'a str>) -> Result<(), ProbeError> {
    match texts.into_iter().find(|text| text.contains(char::is_control)) {
        Some(odd) => Err(unreadable(format!("{what} {:?} holds control characters", printable(odd)))),
        None => Ok(()),
    }
}

impl RawPackage {
    fn oddities(&self) -> BTreeSet<Oddity> {
        let live = self.live.then_some(Oddity::Live { by_name: false });
        let restricted = self.restricted.then_some(Oddity::NotToBePassedOn);
        let module = self.module.clone().map(|with| Oddity::KernelModule { with });
        live.into_iter().chain(restricted).chain(module).collect()
    }

    fn identity(self) -> Result<Identity, ProbeError> {
        let settings = self.compiler.iter().flat_map(|(key, value)| [key, value]);
        let linked = self.linked.iter().map(|(package, _)| package.as_str());
        let texts = [self.repository.as_str(), &self.digest, &self.chost].into_iter().chain(linked).chain(settings);
        one_line("the value", texts)?;
        if let Some(odd) = self.use_flags.iter().find(|flag| flag.contains(|each: char| !each.is_ascii_graphic())) {
            return Err(unreadable(format!("{:?} is no USE flag", printable(odd))));
        }
        let linked: Result<Links, ProbeError> =
            self.linked.into_iter().map(|(package, text)| Ok((package, slot(&text)?))).collect();
        Ok(Identity {
            slot: slot(&self.slot)?,
            cpv: self.cpv,
            repository: self.repository,
            ebuild_digest: self.digest,
            use_flags: self.use_flags,
            chost: self.chost,
            compiler: self.compiler,
            linked: linked?,
        })
    }
}

/// The marked part of the output.
fn answer_of<T: DeserializeOwned>(stdout: &[u8], stderr: &[u8]) -> Result<T, ProbeError> {
    let text = String::from_utf8_lossy(stdout);
    let mark = format!("{MARK}\n");
    let mut parts = text.split(&mark);
    let (Some(_), Some(body), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ProbeError::NoAnswer { said: words(stderr) });
    };
    serde_json::from_str(body).map_err(|error| unreadable(error.to_string()))
}

/// What Portage printed, without its progress lines, so that the operator reads the reason alone.
fn words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let noise = [
        "These are the packages that would be merged",
        "Calculating dependencies",
        "Dependency resolution took",
        "\u{1b}[?25",
    ];
    let lines: Vec<_> =
        text.lines().filter(|line| !noise.iter().any(|noise| line.contains(noise))).map(terminal::plain).collect();
    lines.join("\n").trim().to_owned()
}

/// Reads the resolver's answer to a [`Request::Plan`].
///
/// # Errors
/// [`ProbeError::Unresolved`] with the resolver's own words where it found no solution.
pub fn read_resolution(stdout: &[u8], stderr: &[u8]) -> Result<Resolution, ProbeError> {
    let raw: RawAnswer = answer_of(stdout, stderr)?;
    if raw.resolved != Some(true) {
        return Err(ProbeError::Unresolved { said: words(stderr) });
    }
    one_line("the header's", raw.header.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]))?;
    let size = raw.packages.len();
    let edges: Result<Vec<Edge>, ProbeError> = raw
        .edges
        .into_iter()
        .map(|(from, to, kinds)| {
            if from >= size || to >= size || from == to {
                return Err(unreadable("an edge leads outside of the plan"));
            }
            Ok(Edge { from: PackageIndex::at(from), to: PackageIndex::at(to), kinds })
        })
        .collect();
    let merges: Result<Vec<Merge>, ProbeError> = raw
        .packages
        .into_iter()
        .map(|package| {
            let (binary, requested, oddities) = (package.binary, package.requested, package.oddities());
            Ok(Merge { identity: package.identity()?, binary, requested, oddities })
        })
        .collect();
    let (merges, edges) = (merges?, edges?);
    if !plan::is_within(size, &edges, EDGES_LIMIT) {
        return Err(unreadable(format!(
            "what its packages need to build comes to more than {EDGES_LIMIT} dependencies"
        )));
    }
    let conflict = |raw: RawConflict| Conflict { packages: raw.packages, installed: raw.installed };
    let (uninstalls, missing) = (raw.uninstalls, raw.missing);
    let conflicts = raw.conflicts.into_iter().map(conflict).collect();
    Ok(Resolution { merges, edges, index_header: raw.header, missing, uninstalls, conflicts })
}

/// Reads the answer to a [`Request::Identities`].
///
/// # Errors
/// When the probe did not run or answered for another number of packages.
pub fn read_identities(stdout: &[u8], stderr: &[u8], wanted: usize) -> Result<Offers, ProbeError> {
    let RawAnswer { identities, inherited, packages, survey: configuration, .. } = answer_of(stdout, stderr)?;
    let raw = identities.ok_or_else(|| unreadable("it is of another kind"))?;
    if raw.len() != wanted {
        return Err(unreadable(format!(
            "{} asked for, it has {}",
            counted(wanted, "package") + agreeing(wanted, " was", " were"),
            raw.len()
        )));
    }
    let offer = |offer: Option<RawOffer>| match offer {
        None => Ok(Offer::AsPlanned),
        Some(RawOffer::Trouble { trouble }) => Ok(Offer::Trouble(trouble)),
        Some(RawOffer::Package(package)) if !package.masked.is_empty() => {
            Ok(Offer::Trouble(format!("it is masked there by {}", package.masked.join(", "))))
        }
        Some(RawOffer::Package(package)) => Ok(Offer::Identity(Box::new(package.identity()?))),
    };
    let offers: Result<Vec<Offer>, ProbeError> = raw.into_iter().map(offer).collect();
    let lacking: Result<Vec<Identity>, ProbeError> = packages.into_iter().map(RawPackage::identity).collect();
    Ok(Offers { offers: offers?, lacking: lacking?, configuration, inherited })
}

/// Reads the answer to a [`Request::Survey`].
///
/// # Errors
/// The probe did not run, or its answer is not what it writes.
pub fn read_survey(stdout: &[u8], stderr: &[u8]) -> Result<Configuration, ProbeError> {
    answer_of(stdout, stderr)
}

impl Resolution {
    /// The plan that it is for a driver.
    pub fn into_plan(self, driver: HostName) -> Plan {
        let warnings = self.warnings(&driver);
        let packages = self.merges.into_iter().map(|merge| PlannedPackage {
            identity: merge.identity,
            requested: merge.requested,
            oddities: merge.oddities,
        });
        let (packages, index_header) = (packages.collect(), self.index_header);
        let mut plan = Plan { driver, packages, edges: self.edges, index_header, warnings }.in_order();
        plan.bind_to_what_is_there();
        plan
    }
}

#[cfg(test)]
mod tests;
