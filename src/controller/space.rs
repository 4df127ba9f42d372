//! Room on the file systems that the controller writes to: those of its state, of staging and of production.
//!
//! Looked at before anything starts. Each is to keep a reserve (`[limits] reserve`), and staging besides what the jobs
//! under way and those about to start are expected to bring: as much as the live release has of their packages. What is
//! short is written down once, as an event, and looked at again and again until there is a quarter more than is wanted,
//! so that nothing flickers. Cost: the live release's index once a run, three system calls a look.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ControlError;
use super::session::{Session, now};
use crate::core::event::Event;
use crate::core::package::PackageName;
use crate::disk::{self, Room};
use crate::inventory::Housekeeping;

/// A file that is written to see whether there is room.
const PROBE: &str = ".room";

/// What is short.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Short {
    what: PathBuf,
    free: u64,
}

/// The controller's file systems.
#[derive(Debug)]
pub struct Space {
    limits: Housekeeping,
    /// The state and production.
    others: [PathBuf; 2],
    staging: PathBuf,
    /// What the live release has of each package, in bytes; of several versions the largest.
    sizes: BTreeMap<PackageName, u64>,
}

impl Space {
    /// Of this session.
    ///
    /// # Errors
    /// The live release cannot be read.
    pub fn new(session: &Session) -> Result<Self, ControlError> {
        let mut sizes = BTreeMap::new();
        if let Some(live) = session.releases.current()? {
            for stanza in live.index()?.stanzas {
                let known: &mut u64 = sizes.entry(stanza.cpv().package_name()).or_default();
                *known = (*known).max(stanza.size().unwrap_or(0));
            }
        }
        let settings = &session.inventory.swarm;
        Ok(Self {
            limits: session.inventory.housekeeping,
            others: [settings.state.clone(), settings.production.clone()],
            staging: settings.staging.clone(),
            sizes,
        })
    }

    /// What these packages are expected to take, in bytes.
    pub fn expected<'a>(&self, packages: impl Iterator<Item = &'a PackageName>) -> u64 {
        packages.filter_map(|package| self.sizes.get(package)).sum()
    }

    /// Looks whether there is room for so many bytes more in staging, and writes down what has changed; whether there is.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn look(&self, session: &mut Session, expected: u64) -> Result<bool, ControlError> {
        let was_low = session.state().low_disk.is_some();
        match self.short(expected, was_low) {
            Some(Short { what, free }) if !was_low => {
                session.record(&Event::DiskLow { what, free, at: now() })?;
                Ok(false)
            }
            Some(_) => Ok(false),
            None if was_low => {
                session.record(&Event::DiskWell { at: now() })?;
                Ok(true)
            }
            None => Ok(true),
        }
    }

    /// Writes down that something could not be written there for want of room, whatever the file system says of itself.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn is_full(session: &mut Session, what: PathBuf) -> Result<(), ControlError> {
        if session.state().low_disk.is_some() {
            return Ok(());
        }
        let free = Room::of(&what).map_or(0, |room| room.free);
        session.record(&Event::DiskLow { what, free, at: now() })
    }

    /// The first one that is short. What was short before has to have a quarter more, and to take a file.
    fn short(&self, expected: u64, was_low: bool) -> Option<Short> {
        let places = self.others.iter().map(|other| (other, 0)).chain([(&self.staging, expected)]);
        for (what, more) in places {
            // What cannot be asked is no reason to stop: whoever writes there is told what is wrong.
            let Ok(room) = Room::of(what) else { continue };
            let wanted = self.limits.reserve(room.size).saturating_add(more);
            let wanted = if was_low { wanted.saturating_add(wanted / 4) } else { wanted };
            if room.free < wanted {
                return Some(Short { what: what.clone(), free: room.free });
            }
        }
        // A quota may be used up where there is room.
        let [state, _] = &self.others;
        let full = [state, &self.staging].into_iter().filter(|_| was_low).find(|what| refuses(what))?;
        Some(Short { what: full.clone(), free: 0 })
    }
}

/// Whether it takes no file for want of room.
pub(super) fn refuses(directory: &Path) -> bool {
    let tried: io::Result<()> = disk::require(directory, PROBE);
    tried.is_err_and(|error| disk::is_full(&error))
}
