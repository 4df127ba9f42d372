//! What is live already is not built again.
//!
//! A package of the live release is what a plan wants where the journal knows it by that very identity. Of packages
//! that the journal does not know (a binhost that was taken over, builds long past) the file itself is asked, as if a
//! drone had just delivered it, and its compiler settings have to be the planned ones to the letter.
//!
//! Cost: the index of the live release; a file is read only where its name is wanted and the journal does not know it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::error::ControlError;
use super::session::Session;
use crate::core::event::ReceivedFile;
use crate::core::package::{Cpv, Identity};
use crate::core::plan::{PackageIndex, Plan};
use crate::core::state::State;
use crate::portage::index::{PackagePath, Stanza};
use crate::release::{Shelf, accept};

/// The entries of the live release that are just what a plan wants, by package.
///
/// # Errors
/// The live release cannot be read.
pub fn live(session: &Session, plan: &Plan) -> Result<BTreeMap<PackageIndex, Stanza>, ControlError> {
    let base = session.releases.base()?;
    let Some(root) = base.root else { return Ok(BTreeMap::new()) };
    // What unreleased builds have received is carried over, and lies in staging as it was received: not signed.
    let carried = session.state().staged();
    let mut by_name: BTreeMap<Cpv, Vec<Stanza>> = BTreeMap::new();
    for stanza in base.index.stanzas {
        if carried.contains(stanza.path().to_string().as_str()) {
            continue;
        }
        by_name.entry(stanza.cpv().clone()).or_default().push(stanza);
    }
    let known = known(session.state());
    let keyring = session.inventory.swarm.verify_keyring.as_deref();
    let is_wanted = |stanza: &Stanza, wanted: &Identity| match known.get(stanza.path().to_string().as_str()) {
        Some(identity) => *identity == wanted,
        None => is_by_its_file(&root, stanza, wanted, keyring),
    };
    let mut found = BTreeMap::new();
    let reusable = plan.packages.iter().enumerate().filter(|(_, package)| !package.is_built_anew());
    for (index, package) in reusable {
        let there = by_name.get(&package.identity.cpv).into_iter().flatten();
        let usable = there.filter(|stanza| stanza.build_id().is_some() && is_wanted(stanza, &package.identity));
        if let Some(latest) = usable.max_by_key(|stanza| stanza.build_id()) {
            found.insert(PackageIndex::at(index), latest.clone());
        }
    }
    Ok(found)
}

/// What the journal knows of released files, by their paths.
fn known(state: &State) -> BTreeMap<&str, &Identity> {
    let released = state.builds.values().filter(|build| build.released.is_some());
    released.flat_map(|build| build.received().map(|(at, file)| (file.path.as_str(), build.identity(at)))).collect()
}

/// The packages of a plan that the live release has just as wanted, as far as the journal knows: for those that only
/// look.
///
/// # Errors
/// The live release's index cannot be read.
pub fn known_live(production: &Path, state: &State, plan: &Plan) -> Result<BTreeSet<PackageIndex>, ControlError> {
    let index = Shelf::look(production)?.base()?.index;
    let known = known(state);
    let live: HashSet<&Identity> =
        index.stanzas.iter().filter_map(|stanza| known.get(stanza.path().to_string().as_str()).copied()).collect();
    let all = plan.packages.iter().enumerate().filter(|(_, package)| !package.is_built_anew());
    Ok(all.filter(|(_, package)| live.contains(&package.identity)).map(|(at, _)| PackageIndex::at(at)).collect())
}

/// A file that is damaged, or of another make, is no reason to stop: the package is then built.
fn is_by_its_file(root: &Path, stanza: &Stanza, wanted: &Identity, keyring: Option<&Path>) -> bool {
    let file = root.join(stanza.path().to_string());
    accept::accept(&file, stanza, wanted, stanza.build_id(), keyring).is_ok_and(|accepted| {
        let metadata = &accepted.gpkg.metadata;
        wanted.compiler.iter().all(|(key, value)| metadata.get(key).unwrap_or_default() == value)
    })
}

/// Stages them again, so that jobs and the next release have them as what was received.
///
/// # Errors
/// Staging is full or cannot be written.
pub fn stage(
    session: &Session,
    live: BTreeMap<PackageIndex, Stanza>,
) -> Result<BTreeMap<PackageIndex, ReceivedFile>, ControlError> {
    let root = &session.inventory.swarm.production;
    live.into_iter()
        .filter_map(|(package, stanza)| Some((package, stanza.build_id()?, stanza)))
        .map(|(package, build_id, stanza)| {
            let path = stanza.path();
            session.staging.admit_copy(&root.join(path.to_string()), path)?;
            let imprint = session.staging.imprint(path)?;
            let (path, stanza) = (path.to_string(), stanza.values().collect());
            Ok((package, ReceivedFile { path, build_id, stanza, imprint }))
        })
        .collect()
}

/// Removes those of these staged packages that no unreleased build has any more.
///
/// # Errors
/// One cannot be removed.
pub fn unstage<'a>(session: &Session, paths: impl IntoIterator<Item = &'a String>) -> Result<(), ControlError> {
    let had = session.state().staged();
    let gone = paths.into_iter().filter(|path| !had.contains(path.as_str()));
    for path in gone.filter_map(|path| path.parse::<PackagePath>().ok()) {
        session.staging.remove(&path)?;
    }
    Ok(())
}
