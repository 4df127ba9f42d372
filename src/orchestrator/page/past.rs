//! What was: `GET /page/timeline`, when each job was where, and `GET /page/history`, how good estimates were.
//!
//! Both come from the events of the journal. The timeline goes on from where it was read to; where the journal does not go
//! on from there (another one was put in its place, or events were pruned that had not been read) it is read anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::answer::{self, Asked, Tagged, Trouble};
use super::looks::aside;
use crate::core::accuracy::{Accuracy, Judged, factor_at};
use crate::core::build::Build;
use crate::core::names::{BuildName, HostName, JobName, Timestamp};
use crate::core::overview::{PackageOverview, critical_path};
use crate::core::plan::PackageIndex;
use crate::core::state::State;
use crate::core::status::Moment;
use crate::core::timeline::{Bar, End, Timeline, longest_chain};
use crate::orchestrator::routes::Service;
use crate::store::journal::Known;
use crate::store::{Journal, StoreError};

/// Estimates are held against builds anew after so long: that reads the whole journal.
const JUDGED: Duration = Duration::from_secs(60);
/// So many estimates are told one by one, the latest ones.
const TOLD: usize = 500;

/// What was read of the journal.
#[derive(Debug)]
pub struct Past {
    state: PathBuf,
    folded: Mutex<Arc<Known<Timeline>>>,
    history: Mutex<Option<(Instant, Arc<Tagged>)>>,
}

/// Goes on with what the journal has beyond this.
fn go_on(known: Known<Timeline>, journal: &Journal) -> Result<Known<Timeline>, StoreError> {
    journal.go_on_reading(known, |known| {
        let (mut timeline, mut last) = known.unwrap_or_default();
        journal.each_after(last, |sequence, at, event| {
            timeline.take(sequence, at, &event);
            last = sequence;
        })?;
        Ok((timeline, last))
    })
}

impl Past {
    /// That of this state directory. Nothing is read yet.
    pub fn new(state: &Path) -> Self {
        Self { state: state.to_owned(), folded: Mutex::default(), history: Mutex::default() }
    }

    async fn folded(&self, known: &State) -> Result<Arc<Known<Timeline>>, Trouble> {
        let mut kept = self.folded.lock().await;
        let (path, before) = (self.state.clone(), std::mem::take(&mut *kept));
        let folded = aside(move || match Journal::open_to_read(&path)? {
            Some(journal) => go_on(Arc::unwrap_or_clone(before), &journal),
            None => Ok(Known::default()),
        });
        let mut folded = folded.await?.map_err(Trouble::unreadable)?;
        folded.value.retain(|build| known.builds.contains_key(build));
        *kept = Arc::new(folded);
        Ok(kept.clone())
    }

    async fn history(&self) -> Result<Arc<Tagged>, Trouble> {
        let mut kept = self.history.lock().await;
        if let Some((_, made)) = kept.as_ref().filter(|(at, _)| at.elapsed() < JUDGED) {
            return Ok(made.clone());
        }
        let path = self.state.clone();
        let judged = aside(move || {
            let mut accuracy = Accuracy::default();
            if let Some(journal) = Journal::open_to_read(&path)? {
                journal.events(|event| accuracy.take(event))?;
            }
            Ok::<_, StoreError>(accuracy.judged())
        });
        let made = Arc::new(Tagged::json(&HistoryView::of(judged.await?.map_err(Trouble::unreadable)?))?);
        *kept = Some((Instant::now(), made.clone()));
        Ok(made)
    }
}

/// How good estimates were.
#[derive(Debug, Serialize)]
struct HistoryView {
    /// How many were judged.
    count: usize,
    /// The factor that half of them stay within.
    median: f64,
    /// The factor that nine in ten stay within.
    p90: f64,
    /// The latest, the last one first.
    judged: Vec<Judged>,
}

impl HistoryView {
    fn of(mut judged: Vec<Judged>) -> Self {
        let (count, median, p90) = (judged.len(), factor_at(&judged, 0.5), factor_at(&judged, 0.9));
        judged.sort_by(|left, right| right.at.0.cmp(&left.at.0).then(left.cpv.cmp(&right.cpv)));
        judged.truncate(TOLD);
        Self { count, median, p90, judged }
    }
}

/// `GET /page/history`.
///
/// # Errors
/// The journal cannot be read.
pub async fn history(Shared(service): Shared<Arc<Service>>, headers: HeaderMap) -> Result<Response, Trouble> {
    let _turn = service.looks.turn().await;
    Ok(service.looks.past.history().await?.answer(&headers))
}

/// `?build=&after=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A build; the open one, else the latest, where it is left out.
    build: Option<BuildName>,
    /// Only bars that have changed after the event of this number.
    after: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Lanes<'a> {
    drone: &'a HostName,
    lanes: usize,
}

/// A bar; moments in seconds since 1970-01-01 UTC, since there may be ten thousands of them.
#[derive(Debug, Serialize)]
struct BarView<'a> {
    job: &'a JobName,
    package: PackageIndex,
    label: &'a str,
    drone: &'a HostName,
    lane: usize,
    begin: Timestamp,
    over: Option<Timestamp>,
    end: End,
}

/// A package that is still to be built.
#[derive(Debug, Serialize)]
struct Ahead<'a> {
    package: PackageIndex,
    label: &'a str,
    expected_s: u64,
}

#[derive(Debug, Serialize)]
struct TimelineView<'a> {
    /// The build; none where there is none.
    build: Option<&'a BuildName>,
    started: Option<Moment>,
    finished: Option<Moment>,
    /// The builds that have bars.
    builds: Vec<&'a BuildName>,
    /// Since when what happened is known.
    since: Option<Moment>,
    /// The number of the last event that it is told from.
    sequence: i64,
    drones: Vec<Lanes<'a>>,
    bars: Vec<BarView<'a>>,
    /// What held the build up until now, the first one first.
    was: Vec<PackageIndex>,
    /// What is on the longest path to its end.
    ahead: Vec<Ahead<'a>>,
}

impl<'a> TimelineView<'a> {
    /// Of this build, with its bars that have changed after an event. `all` are the packages of the state's latest build:
    /// what is ahead is told of that one alone, since only for its packages is reckoned how long they take.
    fn of(
        folded: &'a Known<Timeline>,
        state: &State,
        build: Option<&'a Build>,
        after: i64,
        all: &[PackageOverview],
    ) -> Self {
        let bars = build.map(|build| folded.value.bars(&build.name)).unwrap_or_default();
        let mut drones: Vec<Lanes<'_>> = Vec::new();
        for bar in bars {
            match drones.iter_mut().find(|lanes| lanes.drone == &bar.drone) {
                Some(lanes) => lanes.lanes = lanes.lanes.max(bar.lane + 1),
                None => drones.push(Lanes { drone: &bar.drone, lanes: bar.lane + 1 }),
            }
        }
        drones.sort_by_key(|lanes| lanes.drone);
        let view = |bar: &'a Bar| {
            let Bar { job, package, drone, lane, begin, over, end, changed: _ } = bar;
            let label = build?.labels.get(package.index())?;
            Some(BarView { job, package: *package, label, drone, lane: *lane, begin: *begin, over: *over, end: *end })
        };
        let expected = |package: PackageIndex| all.get(package.index()).map_or(0, |each| each.expected_s);
        let ahead = |build: &'a Build| {
            let of = |package| Ahead { package, label: build.label(package), expected_s: expected(package) };
            critical_path(build).into_iter().map(of).collect()
        };
        let is_latest = |build: &&Build| state.latest_build().is_some_and(|latest| latest.name == build.name);
        Self {
            build: build.map(|build| &build.name),
            started: build.map(|build| Moment(build.started)),
            finished: build.and_then(|build| build.finished).map(Moment),
            builds: folded.value.builds().collect(),
            since: folded.value.since().map(Moment),
            sequence: folded.until.sequence,
            drones,
            bars: bars.iter().filter(|bar| bar.changed > after).filter_map(view).collect(),
            was: build.map(|build| longest_chain(build, bars)).unwrap_or_default(),
            ahead: build.filter(is_latest).map(ahead).unwrap_or_default(),
        }
    }
}

/// `GET /page/timeline`.
///
/// # Errors
/// There is no such build, or the journal cannot be read.
pub async fn timeline(
    Shared(service): Shared<Arc<Service>>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Trouble> {
    let read = service.read().await?;
    let build = match &wanted.build {
        None => read.state.latest_build(),
        Some(name) => {
            let absent = || Trouble::absent(format!("nothing is known of a build {name} any more"));
            Some(read.state.builds.get(name).ok_or_else(absent)?)
        }
    };
    let folded = service.looks.past.folded(&read.state).await?;
    let all = service.looks.packages(&read).await?;
    let view = TimelineView::of(&folded, &read.state, build, wanted.after.unwrap_or(0), &all);
    answer::json(&headers, &view)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::event::{Event, Selection};
    use crate::core::overview::packages;
    use crate::core::simulation::{opened, plan};

    #[test]
    fn what_is_ahead_is_told_of_the_latest_build_and_not_of_one_that_was_set_aside() {
        let mut state = opened(plan(3, &[(1, 0), (2, 1)]), &[(4, 1)]);
        let first = state.latest_build().unwrap().name.clone();
        let (build, at): (BuildName, _) = ("build2".parse().unwrap(), Timestamp(7));
        let selection = Selection::Packages(["app-misc/other-1".parse().unwrap()].into());
        let wanted = plan(2, &[(1, 0)]);
        for event in [
            Event::BuildFinished { build: first.clone(), at },
            Event::BuildQueued { build: build.clone(), selection, plan: wanted, finalize: false, rebuild: false, at },
            Event::QueuedBuildOpened { build: build.clone(), live: BTreeMap::new(), at },
        ] {
            state.apply(&event).unwrap();
        }
        let all = packages(&state, state.latest_build().unwrap());
        let folded = Known::default();
        let ahead =
            |build: &BuildName| TimelineView::of(&folded, &state, Some(&state.builds[build]), 0, &all).ahead.len();
        assert_eq!((ahead(&build), ahead(&first)), (2, 0));
    }
}
