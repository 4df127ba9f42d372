//! A plan as a table.

use std::collections::BTreeMap;

use super::text::seconds;
use crate::controller::planning::Planned;
use crate::core::forecast::{Forecast, Site};
use crate::core::plan::{Oddity, PackageIndex, Plan};

/// The packages in their order, with what each waits for, and where and when it would be built.
pub fn table(plan: &Plan, forecast: &Forecast, fleet: &[Site]) -> String {
    let needs = plan.needs();
    let expected: BTreeMap<_, _> = forecast.expected.iter().map(|each| (each.package, each)).collect();
    let rows = plan
        .packages
        .iter()
        .zip(&needs.direct)
        .enumerate()
        .map(|(index, (package, needs))| {
            let identity = &package.identity;
            let flags: Vec<_> = identity.use_flags.iter().collect();
            let waits: Vec<_> = needs.iter().map(|need| (need.index() + 1).to_string()).collect();
            let place = expected.get(&PackageIndex::at(index));
            let why = if package.requested { "asked for" } else { "needed" };
            vec![
                (index + 1).to_string(),
                identity.cpv.to_string(),
                identity.slot.to_string(),
                why.to_owned(),
                waits.join(","),
                place.and_then(|each| fleet.get(each.site)).map_or_else(String::new, name),
                place.map_or_else(|| "live".to_owned(), |each| format!("+{}", seconds(each.begin_s))),
                place.map_or_else(String::new, |each| seconds(each.end_s - each.begin_s)),
                flags.join(" "),
            ]
        })
        .collect();
    super::text::table(&["", "PACKAGE", "SLOT", "WHY", "AFTER", "WHERE", "START", "TAKES", "USE"], rows)
}

fn name(site: &Site) -> String {
    site.name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// How long it would take, how far that can be trusted, and what further drones would bring: each is named with how
/// long it would take with that one as well.
pub fn outlook(forecast: &Forecast, drones: usize, with: &[(String, Forecast)]) -> Vec<String> {
    let count = forecast.expected.len();
    if count == 0 || drones == 0 {
        return Vec::new();
    }
    let makespan = forecast.makespan_s;
    let mut lines = vec![format!(
        "{count} builds on {drones} drones that have nothing else to do: about {}, their cores busy for {:.0} % of it",
        seconds(makespan),
        forecast.utilisation * 100.0
    )];
    if forecast.known < count {
        lines.push(format!(
            "{} of them have not been built yet: what they take is a guess (`swarm history import` learns from emerge.log)",
            count - forecast.known
        ));
    }
    lines.extend(with.iter().map(|(name, with)| {
        let less = seconds((makespan - with.makespan_s).max(0.0));
        format!("with another drone ({name}): about {}, {less} less", seconds(with.makespan_s))
    }));
    lines
}

/// The same for programs: seconds, and drones by name.
pub fn json(plan: &Plan, forecast: &Forecast, fleet: &[Site], with: &[(String, Forecast)]) -> serde_json::Value {
    let builds: Vec<_> = forecast
        .expected
        .iter()
        .map(|each| {
            serde_json::json!({
                "package": plan.packages.get(each.package.index()).map(|package| package.identity.cpv.as_str()),
                "drone": fleet.get(each.site).map(name),
                "width": each.width,
                "begin_s": each.begin_s,
                "end_s": each.end_s,
            })
        })
        .collect();
    let with: Vec<_> =
        with.iter().map(|(name, with)| serde_json::json!({ "drone": name, "makespan_s": with.makespan_s })).collect();
    serde_json::json!({
        "makespan_s": forecast.makespan_s,
        "lower_bound_s": forecast.lower_bound_s,
        "utilisation": forecast.utilisation,
        "known": forecast.known,
        "builds": builds,
        "with_drone": with,
    })
}

/// What an operator should know of it besides.
pub fn notes(planned: &Planned) -> Vec<String> {
    let plan = &planned.plan;
    let mut notes: Vec<String> = plan.warnings.iter().map(|warning| format!("note: {warning}")).collect();
    for (first, later) in plan.needs().broken {
        let (first, later) = (&plan.packages[first.index()].identity.cpv, &plan.packages[later.index()].identity.cpv);
        notes.push(format!(
            "note: {first} is built before {later}, which it needs to build, since they need each other: with what {} has \
             installed of {}",
            plan.driver,
            later.package()
        ));
    }
    notes.extend(plan.packages.iter().flat_map(|package| {
        let cpv = &package.identity.cpv;
        package.oddities.iter().map(move |oddity| format!("note: {cpv} {}", what_is_done(oddity)))
    }));
    if !planned.left_out.is_empty() {
        notes.push(format!(
            "not in the list but needed by it: {}; a drone that lacks them is fed with what the driver has, or builds them once for all",
            planned.left_out.join(" ")
        ));
    }
    notes
}

fn what_is_done(oddity: &Oddity) -> &'static str {
    match oddity {
        Oddity::Live { by_name: true } => {
            "is a live version and asked for by name: it is built anew, from today's source"
        }
        Oddity::Live { by_name: false } => {
            "is a live version, of which nobody can tell whether its source has changed: where it is released that counts, \
             `swarm push` with its name builds it anew"
        }
        Oddity::NotToBePassedOn => {
            "may not be passed on once it is built (RESTRICT=bindist): it is built and released like any other, for you alone"
        }
        Oddity::KernelModule { .. } => {
            "is a kernel module, built against the kernel sources that its drone has, or else the driver's: `exclude` in \
             the inventory leaves it to the driver"
        }
    }
}
