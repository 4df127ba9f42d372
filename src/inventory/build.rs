//! Puts the tables of all files together into one inventory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::core::names::{ChannelName, HostName, NetworkName};

use super::check;
use super::fault::InventoryError;
use super::hosts::{Defaults, Gateway, Kind, Network, WrittenHost};
use super::housekeeping::Housekeeping;
use super::limits::{Limits, PackageLimits, Pattern};
use super::notify::{Channel, ChannelSettings};
use super::settings::SwarmSettings;
use super::storage::{Storage, StorageSettings};
use super::surroundings::Surroundings;
use super::values::LOCAL;
use super::{Inventory, hosts::Host};
use crate::document::{Document, Reading, Section, Site};

/// What is written, with where it is written. A part at fault is still there by name (its content is none), so that
/// what points to it is not called a fault as well.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub swarm: Option<Written<SwarmSettings>>,
    pub defaults: Option<Written<Defaults>>,
    pub gateway: Option<Written<Gateway>>,
    pub housekeeping: Option<Written<Housekeeping>>,
    pub networks: BTreeMap<NetworkName, Written<Network>>,
    pub hosts: BTreeMap<HostName, Written<WrittenHost>>,
    pub storages: BTreeMap<HostName, Written<StorageSettings>>,
    pub packages: BTreeMap<Pattern, Written<Limits>>,
    pub channels: BTreeMap<ChannelName, Written<ChannelSettings>>,
}

/// A part, where its header is, and where the name of another host in it is.
#[derive(Debug)]
pub(super) struct Written<T> {
    pub site: Site,
    pub points_at: Site,
    pub content: Option<T>,
}

impl<T> Written<T> {
    /// Reads a section whose key `pointer` names another host.
    fn read(
        section: Section<'_>,
        pointer: &str,
        reading: &mut Reading<'_>,
        read: impl FnOnce(Section<'_>, &mut Reading<'_>) -> Option<T>,
    ) -> Self {
        let (site, points_at) = (section.site.clone(), section.site_of(pointer));
        Self { site, points_at, content: read(section, reading) }
    }
}

/// Reads and checks the texts of all files.
pub(super) fn inventory(files: &[(PathBuf, String)], surroundings: Surroundings) -> Result<Inventory, InventoryError> {
    let mut reading = Reading::new(surroundings.home.as_deref());
    let mut parts = Parts::default();
    for (file, text) in files {
        let document = Document::parse(file, text, &mut reading);
        parts.take(document.root(), &mut reading);
    }
    let swarm = parts.swarm_settings(files, &mut reading);
    check::references(&parts, &mut reading.faults);
    check::storage_names(&parts, &mut reading.faults);
    check::circles(&parts, &mut reading.faults);
    let hosts = parts.whole_hosts(surroundings.home.as_deref(), &mut reading);
    let faults = reading.into_faults();
    match swarm {
        Some(swarm) if faults.is_empty() => Ok(Inventory {
            swarm,
            housekeeping: parts.housekeeping.and_then(|part| part.content).unwrap_or_default(),
            networks: parts.networks.into_iter().filter_map(|(name, part)| Some((name, part.content?))).collect(),
            hosts,
            storages: storages(parts.storages),
            gateway: parts.gateway.and_then(|part| part.content),
            channels: channels(parts.channels),
            limits: PackageLimits::new(
                parts.packages.into_iter().filter_map(|(pattern, part)| Some((pattern, part.content?))).collect(),
            ),
            surroundings,
        }),
        _ => Err(InventoryError::Faults(faults)),
    }
}

impl Parts {
    /// Takes over what one file has.
    fn take(&mut self, mut root: Section<'_>, reading: &mut Reading<'_>) {
        if let Some(section) = root.table("swarm", reading) {
            once(&mut self.swarm, Written::read(section, "driver", reading, SwarmSettings::read), reading);
        }
        if let Some(section) = root.table("defaults", reading) {
            let read = |section: Section<'_>, reading: &mut Reading<'_>| Some(Defaults::read(section, reading));
            once(&mut self.defaults, Written::read(section, "", reading, read), reading);
        }
        if let Some(section) = root.table("gateway", reading) {
            once(&mut self.gateway, Written::read(section, "host", reading, Gateway::read), reading);
        }
        if let Some(section) = root.table("limits", reading) {
            once(&mut self.housekeeping, Written::read(section, "", reading, Housekeeping::read), reading);
        }
        for (name, section) in root.tables("networks", reading) {
            let written = Written::read(section, "jump", reading, Network::read);
            add(&mut self.networks, name, written, "two networks of one name", reading);
        }
        for (pattern, section) in root.tables("packages", reading) {
            let written = Written::read(section, "", reading, Limits::read);
            add(&mut self.packages, pattern, written, "two tables of one pattern", reading);
        }
        for (name, section) in root.tables("notify", reading) {
            let written = Written::read(section, "", reading, ChannelSettings::read);
            add(&mut self.channels, name, written, "two channels of one name", reading);
        }
        for (table, kind) in [("hosts", Kind::Plain), ("orchestrators", Kind::Orchestrator), ("drones", Kind::Drone)] {
            for (name, section) in root.tables(table, reading) {
                let read = |section: Section<'_>, reading: &mut Reading<'_>| WrittenHost::read(section, kind, reading);
                let written = Written::read(section, "", reading, read);
                if is_free(name, &written.site, reading) {
                    add(&mut self.hosts, name, written, "two hosts of one name", reading);
                }
            }
        }
        for (name, section) in root.tables("storage", reading) {
            let written = Written::read(section, "", reading, StorageSettings::read);
            if is_free(name, &written.site, reading) {
                add(&mut self.storages, name, written, "two storages of one name", reading);
            }
        }
        root.finish(reading);
    }

    /// The settings of the swarm; a fault where no file has them. A driver that is this machine becomes a host.
    fn swarm_settings(&mut self, files: &[(PathBuf, String)], reading: &mut Reading<'_>) -> Option<SwarmSettings> {
        let Some(written) = &self.swarm else {
            let file = files.first().map(|(file, _)| file.clone()).unwrap_or_default();
            let site = Site { file: file.into(), line: 1, key: "swarm.driver".to_owned() };
            let problem = "this key is missing: the machine whose packages are wanted; \"local\" is this one";
            if reading.faults.is_empty() {
                reading.faults.push(site.fault(problem, Some("begin with a table [swarm]".to_owned())));
            }
            return None;
        };
        let settings = written.content.clone()?;
        if settings.driver.as_str() == LOCAL {
            let site = written.site.clone();
            let local = Written { points_at: site.clone(), site, content: Some(WrittenHost::local()) };
            self.hosts.insert(settings.driver.clone(), local);
        }
        Some(settings)
    }

    /// The hosts with the defaults below them.
    fn whole_hosts(&mut self, home: Option<&Path>, reading: &mut Reading<'_>) -> BTreeMap<HostName, Host> {
        let defaults = self.defaults.take().and_then(|part| part.content).unwrap_or_default();
        let mut whole = BTreeMap::new();
        for (name, part) in std::mem::take(&mut self.hosts) {
            match part.content.map(|written| written.host(name.clone(), &defaults, home)) {
                Some(Ok(host)) => {
                    whole.insert(name, host);
                }
                Some(Err(problem)) => reading.faults.push(part.site.fault(problem.to_string(), None)),
                None => {}
            }
        }
        whole
    }
}

/// The storages in the order of [`Inventory::storages`].
fn storages(written: BTreeMap<HostName, Written<StorageSettings>>) -> Vec<Storage> {
    let storage = |(name, part): (HostName, Written<StorageSettings>)| Some(Storage { name, settings: part.content? });
    let mut storages: Vec<Storage> = written.into_iter().filter_map(storage).collect();
    storages.sort_by_key(|storage| storage.settings.priority);
    storages
}

/// The channels by name.
fn channels(written: BTreeMap<ChannelName, Written<ChannelSettings>>) -> Vec<Channel> {
    let channel =
        |(name, part): (ChannelName, Written<ChannelSettings>)| Some(Channel { name, settings: part.content? });
    written.into_iter().filter_map(channel).collect()
}

/// One name stands for this machine itself.
fn is_free(name: &str, site: &Site, reading: &mut Reading<'_>) -> bool {
    if name == LOCAL {
        let problem = "this name is taken: it is this machine itself, which needs no entry";
        reading.faults.push(site.fault(problem, None));
    }
    name != LOCAL
}

/// Keeps a part of which there may be only one.
fn once<T>(place: &mut Option<Written<T>>, written: Written<T>, reading: &mut Reading<'_>) {
    match place {
        Some(first) => {
            let problem = format!("this table is already in {}", first.site.place());
            reading.faults.push(written.site.fault(problem, None));
        }
        None => *place = Some(written),
    }
}

/// Keeps a part under its name, of which there may be only one.
fn add<N: FromStr<Err: std::fmt::Display> + Ord, T>(
    parts: &mut BTreeMap<N, Written<T>>,
    name: &str,
    written: Written<T>,
    twice: &str,
    reading: &mut Reading<'_>,
) {
    match name.parse::<N>() {
        Err(problem) => reading.faults.push(written.site.fault(problem.to_string(), None)),
        Ok(name) => match parts.get(&name) {
            Some(first) => {
                let problem = format!("{twice}: the other is {} in {}", first.site.key, first.site.place());
                reading.faults.push(written.site.fault(problem, None));
            }
            None => {
                parts.insert(name, written);
            }
        },
    }
}
