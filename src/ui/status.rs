//! `swarm status` as tables.

use bytesize::ByteSize;

use super::text::{line, table};
use crate::core::standby::Lag;
use crate::core::status::{DroneView, RunView, Status};
use crate::core::text::duration;

/// The whole status as text, moments in UTC but for those in tables.
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
        let rows = status
            .delegated
            .iter()
            .map(|(cpv, view)| vec![cpv.clone(), view.drone.to_string(), view.job.to_string(), view.since.to_string()]);
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
                drone.state.as_str().to_owned(),
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
    if let Some(low) = &status.low_disk {
        let free = ByteSize(low.free).display().iec();
        text.push_str(&format!("\ndisk low: {} had {free} left at {}", low.what.display(), low.since));
    }
    let release = status.release.as_ref().map_or("none", |release| release.as_str());
    text.push_str(&format!("\nrelease: {release}\n"));
    for (name, own) in status.orchestrators.iter().filter(|(_, own)| **own != status.release) {
        let own = own.as_ref().map_or("no release of ours", |release| release.as_str());
        text.push_str(&format!("behind: {name} has {own}; `swarm finalize` or the next push brings it there\n"));
    }
    text.push_str(&standbys(status));
    if let Some(run) = &status.last_run {
        text.push_str(&format!("last run: {}\n", last_run(run)));
    }
    text.push_str(&alarms(status));
    text.push_str(&format!("next: {}\n", status.next));
    text
}

/// How the last unattended run went.
fn last_run(run: &RunView) -> String {
    let (name, started) = (&run.name, &run.started);
    let (Some(finished), Some(status)) = (&run.finished, run.status) else {
        return format!("{name}, at work since {started}");
    };
    let reason = run.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", line(reason)));
    format!("{name} from {started} to {finished} ended with status {status}{reason}")
}

/// What is wrong, and who could not be told of it.
fn alarms(status: &Status) -> String {
    let mut text = String::new();
    if !status.alarms.is_empty() {
        let rows =
            status.alarms.iter().map(|alarm| vec![line(&alarm.words), alarm.since.to_string(), line(&alarm.next)]);
        text.push_str(&format!("\n{}\n", table(&["ALARM", "SINCE", "NEXT"], rows.collect())));
    }
    for (channel, view) in &status.channels {
        text.push_str(&format!(
            "not told: {channel} fails since {}, {} times: {}; `swarm notify --test {channel}` tries it\n",
            view.since,
            view.failures,
            line(&view.why)
        ));
    }
    text
}

/// How far a standby is behind, as what is said of it.
pub(super) fn behind(lag: &Lag) -> String {
    match *lag {
        Lag { events: 0, packages: 0, seconds: 0 } => "has everything".to_owned(),
        Lag { events, packages, seconds } => {
            format!("is {events} events and {packages} packages behind, {}", duration(seconds))
        }
    }
}

/// How far standbys are behind, and what stays on drones for their sake; a line each.
fn standbys(status: &Status) -> String {
    let mut text = String::new();
    for (name, view) in &status.standbys {
        let away = match view.heard {
            Some(seconds) if view.away => format!("; it was not heard of for {}", duration(seconds)),
            None => "; it was never heard of".to_owned(),
            Some(_) => String::new(),
        };
        text.push_str(&format!("standby: {name} {}{away}\n", behind(&view.lag)));
    }
    for (drone, copies) in &status.copies {
        let size = ByteSize(copies.bytes).display().iec();
        text.push_str(&format!(
            "kept: {} jobs stay on {drone} until a standby has their packages, {size}\n",
            copies.jobs
        ));
    }
    if let Some(follows) = &status.follows {
        let trouble =
            follows.trouble.as_ref().map_or_else(String::new, |why| format!("; it cannot follow: {}", line(why)));
        text.push_str(&format!("follows: {}; this standby {}{trouble}\n", follows.leader, behind(&follows.lag)));
    }
    text
}

/// What keeps it from work, else what it does without.
fn why(drone: &DroneView) -> String {
    let no_room = || drone.no_clean_room.as_ref().map(|why| format!("no clean rooms: {why}"));
    drone.reason.clone().or_else(no_room).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::names::Timestamp;
    use crate::core::standby::{Copies, Following, StandbyView};
    use crate::core::state::State;

    #[test]
    fn it_says_how_the_last_unattended_run_went() {
        let mut state = State::default();
        assert!(!text(&Status::of(&state, None, Timestamp(0))).contains("last run"));
        for (event, line) in [
            (
                r#"{"run_started":{"run":"r-night","playbook":"night","at":20}}"#,
                "last run: night, at work since 1970-01-01T00:00:20Z\n",
            ),
            (
                r#"{"run_finished":{"run":"r-night","status":3,"reason":"1 package failed","at":80}}"#,
                "last run: night from 1970-01-01T00:00:20Z to 1970-01-01T00:01:20Z ended with status 3: 1 package \
                 failed\n",
            ),
        ] {
            state.apply(&serde_json::from_str::<Event>(event).unwrap()).unwrap();
            let text = text(&Status::of(&state, None, Timestamp(0)));
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn it_says_how_far_standbys_are_behind_and_what_stays_for_their_sake() {
        let mut status = Status::of(&State::default(), None, Timestamp(0));
        let lag = Lag { events: 7, packages: 2, seconds: 90 };
        let name = |text: &str| text.parse().unwrap();
        status.standbys = [
            (name("tarn"), StandbyView { lag, heard: Some(80), away: true }),
            (name("vega"), StandbyView { lag: Lag::default(), heard: Some(1), away: false }),
            (name("wega"), StandbyView { lag, heard: None, away: true }),
        ]
        .into();
        status.copies = [(name("drone-izar"), Copies { jobs: 2, bytes: 3 << 20 })].into();
        let trouble = Some("nobody answers".to_owned());
        status.follows = Some(Following { leader: name("izar"), lag, heard: Timestamp(0), trouble });
        let text = text(&status);
        for line in [
            "standby: tarn is 7 events and 2 packages behind, 1 min 30 s; it was not heard of for 1 min 20 s\n",
            "standby: vega has everything\n",
            "standby: wega is 7 events and 2 packages behind, 1 min 30 s; it was never heard of\n",
            "kept: 2 jobs stay on drone-izar until a standby has their packages, 3.0 MiB\n",
            "follows: izar; this standby is 7 events and 2 packages behind, 1 min 30 s; it cannot follow: nobody answers\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
