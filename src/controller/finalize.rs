//! From staging to production: all of the open build, or those of its packages that can do without the rest.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::error::ControlError;
use super::go_live::go_live;
use super::session::{Session, blocking, now};
use super::work;
use crate::core::build::{Build, Phase};
use crate::core::event::Event;
use crate::core::names::{BuildName, ReleaseName};
use crate::core::partial::{Parted, part};
use crate::core::plan::PackageIndex;
use crate::core::state::{NotClear, State};
use crate::inventory::Inventory;
use crate::portage::gpkg::Signer;
use crate::portage::index::{PackagePath, Stanza};
use crate::release::diff::{Change, Diff, Side};
use crate::release::sign::sign;
use crate::release::{Base, Contents, Incoming, Origin, Shelf, compose};
use crate::store::Journal;

/// How much of a build goes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it, or nothing.
    Whole,
    /// The packages whose run-time needs are in the release, too.
    Partial,
}

/// What went live, or would.
#[derive(Debug)]
pub struct Released {
    /// The release; none of a dry run.
    pub release: Option<ReleaseName>,
    /// Its contents.
    pub contents: Contents,
    /// How it differs from what was live before.
    pub diff: Diff,
    /// Packages that had to be copied because staging lies on another file system.
    pub copied: usize,
    /// Entries of the old production that cannot be carried on, with the reason.
    pub left_out: Vec<String>,
    /// Received packages that cannot go live yet, with what they lack.
    pub kept_back: Vec<String>,
    /// How clients can read it.
    pub notes: Vec<String>,
    /// How long the step took in which clients came from the one release to the other.
    pub swap: Duration,
}

impl Released {
    /// What the operator is told: a line a change, the sum last.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.diff.added.iter().map(|side| format!("+ {}", side.path)).collect();
        lines.extend(self.diff.removed.iter().map(|side| format!("- {}", side.path)));
        lines.extend(self.diff.changed.iter().map(changed));
        lines.extend(self.kept_back.iter().map(|line| format!("kept back: {line}")));
        lines.extend(self.left_out.iter().map(|entry| format!("left out of the old production: {entry}")));
        if self.copied > 0 {
            lines.push(format!(
                "{} packages were copied, since staging and production lie on different file systems",
                self.copied
            ));
        }
        lines.extend(self.notes.iter().cloned());
        let Diff { added, removed, changed } = &self.diff;
        let sum = format!(
            "{} packages, {} new, {} gone, {} changed",
            self.contents.index.stanzas.len(),
            added.len(),
            removed.len(),
            changed.len()
        );
        lines.push(match &self.release {
            Some(release) => format!("release {release} is live: {sum}"),
            None => format!("a release would have {sum}; nothing was changed"),
        });
        lines
    }
}

fn changed(change: &Change) -> String {
    let Change { from: Side { cpv: from, .. }, to, flags, .. } = change;
    let flags = flags.iter().map(|flag| format!(" {flag}")).collect::<String>();
    format!(
        "~ {} for {}{flags}",
        to.path,
        if *from == to.cpv { "another build of it".to_owned() } else { from.to_string() }
    )
}

/// What of the open build is to go live, upon what.
struct Proposal {
    build: BuildName,
    extent: Extent,
    /// Packages that no kept release has.
    fresh: Vec<Incoming>,
    /// Packages that one has.
    incoming: Vec<Incoming>,
    base: Base,
    header: BTreeMap<String, String>,
    kept_back: Vec<String>,
}

impl Proposal {
    /// Nothing is changed by it.
    fn new(
        state: &State,
        shelf: &Shelf,
        staging: &Path,
        extent: Extent,
        named: Option<&BuildName>,
    ) -> Result<Self, ControlError> {
        let build = state.to_release(named).map_err(|why| match why {
            NotClear::None => {
                ControlError::Nothing("nothing waits for its release: `swarm push` makes a build".to_owned())
            }
            why => why.into(),
        })?;
        let extent = if build.is_complete() { Extent::Whole } else { extent };
        let parted = match extent {
            Extent::Whole => {
                refuse_incomplete(build)?;
                Parted { released: build.received().map(|(package, _)| package).collect(), ..Parted::default() }
            }
            Extent::Partial => part(build),
        };
        let files = build.received().filter(|(package, _)| parted.released.contains(package));
        let incoming: Result<Vec<Incoming>, ControlError> = files
            .map(|(_, file)| {
                let stanza = work::entry(file)?;
                let file_name = staging.join(stanza.path().to_string());
                Ok(Incoming { stanza, file: file_name, known: file.imprint, received: None, signed: false })
            })
            .collect();
        let mut incoming = incoming?;
        let received = incoming.iter().filter_map(|package| Some((package.stanza.path(), package.stanza.sha1()?)));
        let mut known = shelf.known(&received.collect())?;
        for package in &mut incoming {
            if let Some(signed) = known.signed.remove(package.stanza.path()) {
                *package = signed;
            }
        }
        let is_new =
            |package: &Incoming| package.received.is_none() && !known.as_received.contains(package.stanza.path());
        let (fresh, incoming) = incoming.into_iter().partition(is_new);
        Ok(Self {
            fresh,
            build: build.name.clone(),
            extent,
            incoming,
            base: shelf.base()?,
            header: build.plan.index_header.clone(),
            kept_back: kept_back(build, &parted),
        })
    }

    /// What the release will consist of.
    fn compose(&self) -> Result<Released, ControlError> {
        let incoming = [self.fresh.as_slice(), &self.incoming].concat();
        let contents = compose(&self.base, &incoming, &self.header, |_| false)?;
        let diff = Diff::between(&self.base.index.stanzas, &contents.index.stanzas);
        if self.extent == Extent::Partial && diff.is_empty() {
            let why = match self.kept_back.len() {
                0 => "none of its packages has been received, or those that were are live already".to_owned(),
                _ => self.kept_back.join("; "),
            };
            return Err(ControlError::Nothing(format!(
                "nothing of build {} can go live that is not: {why}",
                self.build
            )));
        }
        let (left_out, kept_back) = (self.base.left_out.clone(), self.kept_back.clone());
        Ok(Released {
            release: None,
            contents,
            diff,
            copied: 0,
            left_out,
            kept_back,
            notes: Vec::new(),
            swap: Duration::ZERO,
        })
    }

    /// Signs what is to be released for the first time.
    async fn sign(&mut self, session: &Session, signer: &Signer) -> Result<(), ControlError> {
        let (workshop, signer, fresh) =
            (session.releases.clear_workshop()?, signer.clone(), std::mem::take(&mut self.fresh));
        let signed = blocking(move || sign(&signer, &fresh, &workshop)).await?;
        self.fresh = signed.map_err(|error| ControlError::Refused(format!("cannot {error}; nothing was released")))?;
        Ok(())
    }

    fn origin(&self) -> Origin {
        match self.extent {
            Extent::Whole => Origin::Build(self.build.clone()),
            Extent::Partial => Origin::PartOf(self.build.clone()),
        }
    }
}

/// What would go live, read beside whoever is at work; nothing is changed.
///
/// # Errors
/// As [`finalize`].
pub fn dry_run(inventory: &Inventory, extent: Extent, build: Option<&BuildName>) -> Result<Released, ControlError> {
    let settings = &inventory.swarm;
    let state = Journal::state_of(&settings.state)?;
    Proposal::new(&state, &Shelf::look(&settings.production)?, &settings.staging, extent, build)?.compose()
}

/// Releases a build, by default the open one, or of an incomplete one what can go live.
///
/// # Errors
/// When it is incomplete, or not clear which is meant, or production cannot be written; the old release is then live as
/// before.
pub async fn finalize(
    session: &mut Session,
    extent: Extent,
    build: Option<&BuildName>,
) -> Result<Released, ControlError> {
    let mut proposal = Proposal::new(session.state(), &session.releases, session.staging.root(), extent, build)?;
    let mut released = proposal.compose()?;
    let signing = session.inventory.swarm.signing_key.as_ref().map(Signer::new);
    if let Some(signer) = &signing {
        proposal.sign(session, signer).await?;
        released = proposal.compose()?;
    }
    let lived = go_live(session, released.contents.clone(), proposal.origin()).await?;
    let (build, release, at) = (proposal.build, lived.published.release.name, now());
    released.copied = lived.published.copied;
    released.notes = lived.notes;
    released.swap = lived.published.swap;
    if let Some(signer) = &signing {
        session.releases.clear_workshop()?;
        released.notes.extend(signed_note(signer, &proposal.fresh, released.contents.unsigned()));
    }
    released.release = Some(release.clone());
    match proposal.extent {
        Extent::Whole => {
            session.record(&Event::BuildReleased { build, release, at })?;
            // What is live has its own links; other builds that have a package still feed it to their jobs.
            let had = session.state().staged();
            let paths = released.contents.index.stanzas.iter().map(Stanza::path);
            let paths: Vec<&PackagePath> = paths.filter(|path| !had.contains(path.to_string().as_str())).collect();
            session.staging.remove_all(&paths)?;
        }
        // The rest of the build is still to be fed with it.
        Extent::Partial => session.record(&Event::PartReleased { build, release, at })?,
    }
    Ok(released)
}

/// How much of a release is signed.
fn signed_note(signer: &Signer, fresh: &[Incoming], unsigned: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if !fresh.is_empty() {
        notes.push(format!("{} packages are signed with the key {}", fresh.len(), signer.key()));
    }
    if unsigned > 0 {
        notes.push(format!(
            "{unsigned} packages are not signed: they were released before `signing_key` was set, and what was released \
             never changes; `swarm push --rebuild` builds them anew"
        ));
    }
    notes
}

/// Each received package that cannot go live, and what it lacks.
fn kept_back(build: &Build, parted: &Parted) -> Vec<String> {
    let standing = |package: PackageIndex| match &build.packages[package.index()].phase {
        Phase::Failed => "failed",
        Phase::Received(_) => "is kept back itself",
        Phase::Needed if build.is_blocked(package) => "is blocked",
        Phase::Needed | Phase::Delegated(_) => "is not built yet",
    };
    let need = |need: &PackageIndex| format!("{}, which {}", build.label(*need), standing(*need));
    let line = |(package, needs): (&PackageIndex, &std::collections::BTreeSet<PackageIndex>)| {
        let needs: Vec<_> = needs.iter().map(need).collect();
        format!("{} needs to run {}", build.label(*package), needs.join("; "))
    };
    parted.left_out.iter().map(line).collect()
}

fn refuse_incomplete(build: &Build) -> Result<(), ControlError> {
    if build.is_complete() {
        return Ok(());
    }
    let count = |wanted: fn(&Phase) -> bool| build.packages.iter().filter(|package| wanted(&package.phase)).count();
    let failed = count(|phase| matches!(phase, Phase::Failed));
    let waiting = count(|phase| matches!(phase, Phase::Needed | Phase::Delegated(_)));
    let cure = if failed > 0 {
        "`swarm status` names them, `swarm push --retry-failed` tries them again"
    } else {
        "`swarm push` goes on with it"
    };
    Err(ControlError::Refused(format!(
        "build {} is not complete: {failed} failed, {waiting} not built; nothing was released. A release is all or \
         nothing: {cure}, `swarm finalize --partial` releases what can do without them",
        build.name
    )))
}
