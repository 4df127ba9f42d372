//! `swarm status` as tables.

use super::text::{line, table};
use crate::core::status::{DroneState, DroneView, Status};

/// The whole status as text.
pub fn text(status: &Status) -> String {
    let mut text = String::new();
    match &status.build {
        Some(build) => {
            let state = if build.finished.is_some() { "over" } else { "open" };
            text.push_str(&format!("build {} ({state})\n\n", build.id));
        }
        None => text.push_str("no build\n\n"),
    }
    text.push_str(&table(
        &["NEEDED", "DELEGATED", "RECEIVED", "FAILED", "BLOCKED"],
        vec![
            [
                status.needed.len(),
                status.delegated.len(),
                status.received.len(),
                status.failed.len(),
                status.blocked.len(),
            ]
            .map(|count| count.to_string())
            .to_vec(),
        ],
    ));
    if !status.delegated.is_empty() {
        let rows = status.delegated.iter().map(|(cpv, view)| {
            let since = serde_json::to_value(view.since).ok();
            let since = since.and_then(|since| since.as_str().map(str::to_owned)).unwrap_or_default();
            vec![cpv.clone(), view.drone.to_string(), view.job.to_string(), since]
        });
        text.push_str(&format!("\n{}", table(&["DELEGATED", "DRONE", "JOB", "SINCE"], rows.collect())));
    }
    if !status.failed.is_empty() {
        let rows = status.failed.iter().map(|(cpv, view)| {
            vec![
                cpv.clone(),
                view.class.to_string(),
                view.drone.to_string(),
                view.attempts.to_string(),
                line(&view.reason),
            ]
        });
        text.push_str(&format!("\n{}", table(&["FAILED", "CLASS", "DRONE", "ATTEMPTS", "REASON"], rows.collect())));
    }
    if !status.blocked.is_empty() {
        let rows = status.blocked.iter().map(|(cpv, by)| vec![cpv.clone(), by.join(" ")]);
        text.push_str(&format!("\n{}", table(&["BLOCKED", "BY"], rows.collect())));
    }
    if !status.drones.is_empty() {
        let rows = status.drones.iter().map(|(name, drone)| {
            vec![
                name.to_string(),
                state(drone.state).to_owned(),
                drone.cores.to_string(),
                drone.address.clone().unwrap_or_default(),
                drone.building.join(" "),
                line(&why(drone)),
            ]
        });
        let header = ["DRONE", "STATE", "CORES", "ADDRESS", "BUILDING", "WHY"];
        text.push_str(&format!("\n{}", table(&header, rows.collect())));
    }
    if !status.warnings.is_empty() {
        let warnings: String = status.warnings.iter().map(|warning| format!("note: {}\n", line(warning))).collect();
        text.push_str(&format!("\n{warnings}"));
    }
    if !status.queue.is_empty() {
        let rows = status.queue.iter().map(|queued| {
            let (id, driver, packages) =
                (queued.id.to_string(), queued.driver.to_string(), queued.packages.to_string());
            vec![id, driver, line(&queued.selection), packages]
        });
        text.push_str(&format!("\n{}", table(&["WAITS", "DRIVER", "SELECTION", "PACKAGES"], rows.collect())));
    }
    for id in &status.set_aside {
        text.push_str(&format!(
            "\nset aside: build {id}; `swarm status --build {id}` shows it, `swarm finalize --build {id}` releases it"
        ));
    }
    let release = status.release.as_ref().map_or("none", |release| release.as_str());
    text.push_str(&format!("\nrelease: {release}\n"));
    for (name, own) in status.orchestrators.iter().filter(|(_, own)| **own != status.release) {
        let own = own.as_ref().map_or("no release of ours", |release| release.as_str());
        text.push_str(&format!("behind: {name} has {own}; `swarm finalize` or the next push brings it there\n"));
    }
    text.push_str(&format!("next: {}\n", status.next));
    text
}

/// What keeps it from work, else what it does without.
fn why(drone: &DroneView) -> String {
    let no_room = || drone.no_clean_room.as_ref().map(|why| format!("no clean rooms: {why}"));
    drone.reason.clone().or_else(no_room).unwrap_or_default()
}

fn state(state: DroneState) -> &'static str {
    match state {
        DroneState::Idle => "idle",
        DroneState::Building => "building",
        DroneState::Draining => "draining",
        DroneState::Unwell => "unwell",
        DroneState::Grounded => "grounded",
        DroneState::Unreachable => "unreachable",
        DroneState::Refused => "refused",
    }
}
