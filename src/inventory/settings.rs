//! `[swarm]`: how the swarm is run.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use crate::core::names::HostName;

use super::exclude::{self, Exclude};
use super::values;
use crate::document::{Reading, Section};

/// Which controller a command goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControllerPlace {
    /// This machine: it holds the state.
    Local,
    /// The active orchestrator, found through the gateway.
    Orchestrator,
}

/// Whether an orchestrator that is well again takes its place back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failback {
    /// By itself.
    Auto,
    /// When the operator says so.
    Manual,
}

/// The settings of the whole swarm. All paths are absolute.
#[derive(Debug, Clone)]
pub struct SwarmSettings {
    /// Its name, one line for people.
    pub name: String,
    /// The machine whose packages are wanted; `local` is this one.
    pub driver: HostName,
    /// Where commands go.
    pub controller: ControllerPlace,
    /// Where received packages wait, on the controller.
    pub staging: PathBuf,
    /// What clients are served: on every orchestrator; with none listed, on the controller.
    pub production: PathBuf,
    /// Journal, logs, lock and socket, on the controller.
    pub state: PathBuf,
    /// Packages that the swarm never builds, nor what needs them to build.
    pub exclude: Exclude,
    /// How many releases are kept.
    pub keep: NonZeroU32,
    /// The file with the bearer token of the APIs.
    pub token_file: Option<PathBuf>,
    /// The certificate of the APIs; there is one exactly when there is a key.
    pub tls_cert: Option<PathBuf>,
    /// Its private key.
    pub tls_key: Option<PathBuf>,
    /// The keyring against which signed packages are verified.
    pub verify_keyring: Option<PathBuf>,
    /// The OpenPGP key, as `gpg --local-user` takes it, that signs what is released.
    pub signing_key: Option<String>,
    /// How much transfers together may take, in bytes in a second.
    pub bandwidth_limit: Option<NonZeroU64>,
    /// A network step that moves no byte for this long has failed.
    pub stall_timeout: Duration,
    /// The jobs of a drone that has been away for this long are given to others.
    pub lost_after: Duration,
    /// Whether an orchestrator that is well again takes its place back.
    pub failback: Failback,
    /// So many good checks in a row make an orchestrator healthy.
    pub rise: NonZeroU32,
    /// So many bad checks in a row make it unhealthy.
    pub fall: NonZeroU32,
}

/// The name of a swarm of which none is said.
pub const NAME: &str = "swarm";
/// Where staging is where nothing is said.
pub const STAGING: &str = "/var/cache/swarm/staging";
/// Where production is where nothing is said.
pub const PRODUCTION: &str = "/var/cache/swarm/production";
/// Where the state directory is where nothing is said.
pub const STATE: &str = "/var/lib/build-swarm";
const KEEP: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// Shorter than this and a stall of a busy line would pass for a dead one.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// A reboot fits into it, so that a drone that comes back finds its jobs still its own.
const LOST_AFTER: Duration = Duration::from_secs(10 * 60);
const RISE: NonZeroU32 = NonZeroU32::new(2).unwrap();
const FALL: NonZeroU32 = NonZeroU32::new(3).unwrap();

impl SwarmSettings {
    /// Reads `[swarm]`; none where the driver is missing or at fault.
    pub(super) fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let driver = section.text("driver", reading, str::parse);
        section.require("driver", "the machine whose packages are wanted; \"local\" is this one");
        let controller = [("local", ControllerPlace::Local), ("orchestrator", ControllerPlace::Orchestrator)];
        let failback = [("auto", Failback::Auto), ("manual", Failback::Manual)];
        // Without a driver there are no settings, but the other keys' faults are wanted all the same.
        let settings = Self {
            name: section.text("name", reading, values::line).unwrap_or_else(|| NAME.to_owned()),
            driver: driver.clone().or_else(|| values::LOCAL.parse().ok())?,
            controller: section.word("controller", reading, &controller).unwrap_or(ControllerPlace::Local),
            staging: section.path("staging", reading).unwrap_or_else(|| STAGING.into()),
            production: section.path("production", reading).unwrap_or_else(|| PRODUCTION.into()),
            state: section.path("state", reading).unwrap_or_else(|| STATE.into()),
            exclude: Exclude::new(section.texts("exclude", reading, exclude::pattern).unwrap_or_default()),
            keep: at_least_one(&mut section, "keep", reading).unwrap_or(KEEP),
            token_file: section.path("token_file", reading),
            tls_cert: section.path("tls_cert", reading),
            tls_key: section.path("tls_key", reading),
            verify_keyring: section.path("verify_keyring", reading),
            signing_key: section.text("signing_key", reading, values::line),
            bandwidth_limit: section.text("bandwidth_limit", reading, values::rate),
            stall_timeout: section.text("stall_timeout", reading, values::duration).unwrap_or(STALL_TIMEOUT),
            lost_after: section.text("lost_after", reading, values::duration).unwrap_or(LOST_AFTER),
            failback: section.word("failback", reading, &failback).unwrap_or(Failback::Auto),
            rise: at_least_one(&mut section, "rise", reading).unwrap_or(RISE),
            fall: at_least_one(&mut section, "fall", reading).unwrap_or(FALL),
        };
        if settings.tls_cert.is_some() {
            section.require("tls_key", "a certificate is of no use without its key");
        }
        if settings.tls_key.is_some() {
            section.require("tls_cert", "a key is of no use without its certificate");
        }
        section.finish(reading);
        driver.map(|_| settings)
    }
}

/// A number that is not zero.
pub(super) fn at_least_one(
    section: &mut Section<'_>,
    key: &'static str,
    reading: &mut Reading<'_>,
) -> Option<NonZeroU32> {
    section.number::<u32>(key, 1, reading).and_then(NonZeroU32::new)
}
