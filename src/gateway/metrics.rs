//! `GET /metrics`: what Prometheus draws and alerts on; `docs/metrics.md` lists the families.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State as Shared;

use super::board::{Gauges, View};
use super::routes::Gateway;
use crate::http::metrics::Page;

/// The route.
pub(super) async fn answer(Shared(gateway): Shared<Arc<Gateway>>) -> Page {
    let mut page = page(&gateway.board.view(), gateway.switches.load(Ordering::Relaxed));
    gateway.tally.show(&mut page);
    page
}

/// The page of what the checks have come to, where clients got another binhost so often; without what the service as
/// such counts.
pub fn page(view: &View, switches: u64) -> Page {
    let mut page = Page::default();
    page.gauges("swarm_info", "The program, always 1.", ["version"], [([env!("CARGO_PKG_VERSION")], 1)]);
    let mut gauges = |name, help, value: fn(&Gauges) -> Option<i64>| {
        let samples = view.gauges.iter().filter_map(|each| Some(([each.name.as_str()], value(each)?)));
        page.gauges(name, help, ["orchestrator"], samples);
    };
    let help = "Whether a binhost is healthy: it answers, and its index reads, is not empty, and is the newest.";
    gauges("swarm_gateway_healthy", help, |each| Some(each.healthy.into()));
    gauges("swarm_gateway_active", "Whether clients get it.", |each| Some(each.active.into()));
    gauges("swarm_gateway_api_up", "Whether its API answers; not there without one.", |each| each.api.map(i64::from));
    let help =
        "Whether it says that it is the controller, and is asked about builds; not there with a local controller.";
    gauges("swarm_gateway_leads", help, |each| each.leads.map(i64::from));
    gauges("swarm_gateway_last_check_timestamp_seconds", "When it was looked at.", |each| Some(each.last_check?.0));
    let help = "The TIMESTAMP of its index when that last read.";
    gauges("swarm_gateway_release_timestamp_seconds", help, |each| Some(each.timestamp?.0));
    let help = "How often clients got another binhost, or none, since this service began.";
    page.counter("swarm_gateway_switches_total", help, switches);
    page
}
