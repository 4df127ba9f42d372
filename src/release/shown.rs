//! The kept releases as people and programs are shown them.

use serde::Serialize;

use super::record::{About, Origin};
use super::{ReleaseError, Shelf};
use crate::core::names::{BuildName, ReleaseName};
use crate::core::status::Moment;

/// What sets a release apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Clients see it.
    Live,
    /// A roll-back has left it; a plain one does not lead there.
    Left,
    /// It never was live for good: its swap was interrupted, or taken back.
    NeverLive,
}

/// A kept release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its id.
    pub id: ReleaseName,
    /// When it was made; of one that was found here, when its index was written.
    pub date: Option<Moment>,
    /// Its packages' size together in bytes.
    pub size: u64,
    /// How many packages it has.
    pub packages: usize,
    /// The build that it comes from.
    pub build: Option<BuildName>,
    /// Whether it holds only a part of that.
    pub partial: bool,
    /// The release whose content it has again.
    pub rollback_to: Option<ReleaseName>,
    /// What sets it apart.
    pub marks: Vec<Mark>,
}

/// The kept releases, the latest last.
///
/// # Errors
/// One cannot be read.
pub fn shown(shelf: &Shelf) -> Result<Vec<Shown>, ReleaseError> {
    let chronicle = shelf.chronicle()?;
    let marks = |name: &ReleaseName| {
        let marks = [
            (chronicle.live() == Some(name), Mark::Live),
            (chronicle.is_left(name), Mark::Left),
            (!chronicle.was_live(name), Mark::NeverLive),
        ];
        marks.into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect()
    };
    let show = |(name, about): (&ReleaseName, Option<&About>)| {
        let mut shown = Shown {
            id: name.clone(),
            date: None,
            size: 0,
            packages: 0,
            build: None,
            partial: false,
            rollback_to: None,
            marks: marks(name),
        };
        let Some(about) = about else {
            let release = shelf.find(name)?;
            let stanzas = release.index()?.stanzas;
            shown.date = release.timestamp()?.map(Moment);
            shown.size = stanzas.iter().filter_map(|stanza| stanza.size()).sum();
            shown.packages = stanzas.len();
            return Ok(shown);
        };
        (shown.date, shown.size, shown.packages) = (Some(Moment(about.made)), about.bytes, about.packages);
        match &about.origin {
            Origin::Build(build) => shown.build = Some(build.clone()),
            Origin::PartOf(build) => (shown.build, shown.partial) = (Some(build.clone()), true),
            Origin::Rollback(to) => shown.rollback_to = Some(to.clone()),
        }
        Ok(shown)
    };
    chronicle.kept().map(show).collect()
}
