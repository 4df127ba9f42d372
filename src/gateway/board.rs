//! What the checks have come to, and the answers that follow from it, made once for each change instead of for each
//! request.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hyper::body::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::fleet::{Change, Fleet, Look, Member};
use crate::core::names::{Epoch, HostName, ReleaseName, Timestamp};
use crate::core::status::Moment;
use crate::inventory::HttpUrl;

/// The answers of this moment.
#[derive(Debug, Default)]
pub struct View {
    /// The binhost that clients get.
    pub active: Option<Active>,
    /// It, and those that could take its place, in order.
    pub stand_ins: Vec<HttpUrl>,
    /// The API that is asked about builds.
    pub controller: Option<HttpUrl>,
    /// `GET /status`.
    pub status: Bytes,
    /// One for each orchestrator, for metrics.
    pub gauges: Vec<Gauges>,
}

/// The binhost that clients get.
#[derive(Debug)]
pub struct Active {
    /// Its address.
    pub url: Bytes,
    /// `GET /binhost` as JSON.
    pub json: Bytes,
}

/// What is measured of an orchestrator.
#[derive(Debug, Clone)]
pub struct Gauges {
    /// Which.
    pub name: HostName,
    /// Whether it is healthy.
    pub healthy: bool,
    /// Whether clients get it.
    pub active: bool,
    /// Whether its API answers; none where it has none.
    pub api: Option<bool>,
    /// Whether it leads, and is the one that is asked about builds; none where it has no API, and none before there
    /// could be one that leads.
    pub leads: Option<bool>,
    /// When it was looked at last.
    pub last_check: Option<Timestamp>,
    /// The TIMESTAMP of its index.
    pub timestamp: Option<Timestamp>,
}

/// `GET /status`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GatewayStatus")]
pub(super) struct StatusView<'a> {
    /// Whose binhost clients get; none where none is healthy.
    active: Option<&'a HostName>,
    /// Who is asked about builds; none where no API answers.
    controller: Option<&'a HostName>,
    /// The orchestrators, and the object storages that clients can read, by priority.
    orchestrators: Vec<OrchestratorView<'a>>,
}

/// An orchestrator, or an object storage, as the gateway sees it.
#[derive(Serialize, JsonSchema)]
struct OrchestratorView<'a> {
    /// Its name.
    name: &'a HostName,
    /// Where the host is; of a storage the bucket.
    address: &'a str,
    /// The lowest is first.
    priority: u32,
    /// What clients get.
    binhost: &'a str,
    /// Whether its index reads, is not empty, and is the newest.
    healthy: bool,
    /// Whether clients get it.
    active: bool,
    /// What is live there, where it says that.
    release: Option<&'a ReleaseName>,
    /// The TIMESTAMP of its index when that last read.
    timestamp: Option<Timestamp>,
    /// When it was looked at last.
    last_check: Option<Moment>,
    /// What was wrong then.
    error: Option<&'a str>,
}

/// `GET /binhost` as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActiveBinhost")]
pub(super) struct ActiveView<'a> {
    /// Whose it is.
    name: &'a HostName,
    /// Its address.
    url: &'a str,
    /// What is live there, where it says that.
    release: Option<&'a ReleaseName>,
}

/// The fleet and what is to be seen of it.
#[derive(Debug)]
pub struct Board {
    fleet: Mutex<Fleet>,
    view: RwLock<Arc<View>>,
}

impl Board {
    /// One for this fleet.
    pub fn new(fleet: Fleet) -> Self {
        let view = RwLock::new(Arc::new(View::of(&fleet)));
        Self { fleet: Mutex::new(fleet), view }
    }

    /// The answers of this moment.
    pub fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in a look; gives what it has changed, and whether the next one is wanted soon.
    pub fn saw(&self, name: &HostName, look: Look, at: Timestamp) -> (Vec<Change>, bool) {
        let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = fleet.saw(name, look, at);
        self.show(&fleet);
        let doubt = fleet.is_in_doubt(name);
        (changes, doubt)
    }

    /// Who is to be made the controller, and where its API is.
    pub fn promotion(&self) -> Option<(HostName, HttpUrl)> {
        let fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        let orchestrator = &fleet.promotion()?.orchestrator;
        Some((orchestrator.name.clone(), orchestrator.api.clone()?))
    }

    /// This one was made the controller.
    pub fn has_promoted(&self, name: HostName) {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner).has_promoted(name);
    }

    /// Puts another fleet in the place of this one; what is known of who is in both stays known.
    pub fn replace(&self, mut other: Fleet) -> Vec<Change> {
        let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        other.succeed(fleet.clone());
        *fleet = other;
        let changes = fleet.choose();
        self.show(&fleet);
        changes
    }

    fn show(&self, fleet: &Fleet) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(View::of(fleet));
    }
}

impl View {
    fn of(fleet: &Fleet) -> Self {
        let active = fleet.active().map(|member| {
            let orchestrator = &member.orchestrator;
            let url = orchestrator.binhost.as_str();
            let view = ActiveView { name: &orchestrator.name, url, release: fleet.release(member) };
            Active { url: Bytes::copy_from_slice(url.as_bytes()), json: json(&view) }
        });
        let status = StatusView {
            active: fleet.active().map(|member| &member.orchestrator.name),
            controller: fleet.controller().map(|member| &member.orchestrator.name),
            orchestrators: fleet.members().iter().map(|member| OrchestratorView::of(fleet, member)).collect(),
        };
        let asked = fleet.controller().map(|member| &member.orchestrator.name);
        // Elsewhere a controller may well be at work; and the first order makes the first one.
        let built = fleet.members().iter().any(|member| member.answer.epoch > Some(Epoch(0)));
        let may_lead = |member: &&Member| fleet.leads_builds() && built && member.orchestrator.api.is_some();
        let leads = |member: &Member| member.answer.leads && asked == Some(&member.orchestrator.name);
        let gauges = fleet.members().iter().map(|member| Gauges {
            name: member.orchestrator.name.clone(),
            healthy: fleet.is_healthy(member),
            active: fleet.is_active(member),
            api: member.orchestrator.api.as_ref().map(|_| member.api.is_up()),
            leads: Some(member).filter(may_lead).map(leads),
            last_check: member.last_check,
            timestamp: member.timestamp,
        });
        Self {
            active,
            stand_ins: fleet.stand_ins().map(|member| member.orchestrator.binhost.clone()).collect(),
            controller: fleet.controller().and_then(|member| member.orchestrator.api.clone()),
            status: json(&status),
            gauges: gauges.collect(),
        }
    }
}

impl<'a> OrchestratorView<'a> {
    fn of(fleet: &'a Fleet, member: &'a Member) -> Self {
        let orchestrator = &member.orchestrator;
        Self {
            name: &orchestrator.name,
            address: &orchestrator.address,
            priority: orchestrator.priority,
            binhost: orchestrator.binhost.as_str(),
            healthy: fleet.is_healthy(member),
            active: fleet.is_active(member),
            release: fleet.release(member),
            timestamp: member.timestamp,
            last_check: member.last_check.map(Moment),
            error: member.error.as_deref(),
        }
    }
}

fn json(value: &impl Serialize) -> Bytes {
    // Names, numbers and texts always have a JSON form.
    serde_json::to_vec(value).unwrap_or_default().into()
}
