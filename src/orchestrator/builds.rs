//! `POST /build`: one build at a time, by a push in the background, which goes on without this service.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::controller::background::{Background, Begun, Ended, FLAG};
use crate::controller::socket;
use crate::core::event::{Selection, Wanted};
use crate::core::names::HostName;
use crate::core::state::State;
use crate::core::text::escaped;

/// The exit status of a push that finds another controller at work (section 5 of the design).
const BUSY: i32 = 6;

/// What a client asks for, as it stands in the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    driver: Option<HostName>,
    packages: Option<BTreeSet<Wanted>>,
    world: Option<bool>,
    plan: Option<serde::de::IgnoredAny>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A build is open.
    Open(String),
    /// There was nothing to build; what the push said.
    Nothing(String),
    /// No.
    Refused(StatusCode, String),
}

fn refused(status: StatusCode, why: impl Into<String>) -> Outcome {
    Outcome::Refused(status, why.into())
}

/// Begins builds.
#[derive(Debug)]
pub struct Builds {
    /// Options of this program that say which inventory a push reads.
    options: Vec<OsString>,
    state: PathBuf,
    driver: HostName,
    /// Held while a push begins.
    beginning: Arc<Mutex<()>>,
}

impl Order {
    /// What is to be built for this driver.
    fn selection(self, driver: &HostName) -> Result<Selection, Outcome> {
        let bad = |why: String| refused(StatusCode::UNPROCESSABLE_ENTITY, why);
        if let Some(other) = self.driver.filter(|other| other != driver) {
            return Err(bad(format!("this controller's driver is {driver}; it builds nothing for {other}")));
        }
        match (self.packages, self.world.unwrap_or(false), self.plan) {
            (Some(atoms), false, None) if !atoms.is_empty() => Ok(Selection::Atoms(atoms)),
            (None, true, None) => Ok(Selection::World),
            (None, false, Some(_)) => Err(bad("a plan is not taken yet: ask for `packages` or `world`".to_owned())),
            _ => Err(bad("one of `packages` (a list of atoms) and `world` (true) says what to build".to_owned())),
        }
    }
}

impl Builds {
    /// For pushes with these options of this program, on this state directory.
    pub fn new(options: Vec<OsString>, state: PathBuf, driver: HostName) -> Self {
        Self { options, state, driver, beginning: Arc::default() }
    }

    /// Begins a build, unless one is open that this order does not go on with. `state` is what the journal says now.
    pub async fn begin(&self, order: Order, state: &State) -> Outcome {
        let Ok(beginning) = self.beginning.clone().try_lock_owned() else {
            return refused(StatusCode::CONFLICT, "a build is just being begun; ask again once it has an id");
        };
        match self.prepare(order, state).await {
            Ok(arguments) => self.push(arguments, beginning).await,
            Err(outcome) => outcome,
        }
    }

    async fn prepare(&self, order: Order, state: &State) -> Result<Vec<OsString>, Outcome> {
        let selection = order.selection(&self.driver)?;
        let at_work = socket::is_at_work(&self.state).await.map_err(|error| broken(&error))?;
        if let Some(why) = conflict(state, &selection, at_work) {
            return Err(refused(StatusCode::CONFLICT, why));
        }
        let wanted: Vec<OsString> = match selection {
            Selection::Atoms(atoms) => {
                let atoms = atoms.iter().map(|atom| OsString::from(atom.as_str()));
                std::iter::once("--".into()).chain(atoms).collect()
            }
            _ => vec!["--world".into()],
        };
        let push = ["push".into(), format!("--{FLAG}").into()];
        Ok(self.options.iter().cloned().chain(push).chain(wanted).collect())
    }

    /// Begins the push and waits until it has an id. It is waited for by a task of its own: whoever asked may go.
    async fn push(&self, arguments: Vec<OsString>, beginning: OwnedMutexGuard<()>) -> Outcome {
        let mut push = match Background::start(&self.state, arguments) {
            Ok(push) => push,
            Err(error) => return broken(&error),
        };
        let (begun, outcome) = oneshot::channel();
        tokio::spawn(async move {
            let outcome = match push.begun().await {
                Ok(Begun::Open(build)) => Outcome::Open(build),
                Ok(Begun::Ended(ended)) => ended_early(&ended),
                Err(error) => broken(&error),
            };
            tracing::info!("asked for a build: {outcome:?}");
            drop(beginning);
            // Nobody may wait for it any more.
            let _gone = begun.send(outcome);
            match push.ended().await {
                Ok(status) => tracing::info!("the push in the background has ended: {status}"),
                Err(error) => tracing::error!("{error}"),
            }
        });
        let lost = || refused(StatusCode::INTERNAL_SERVER_ERROR, "the push was lost sight of");
        outcome.await.unwrap_or_else(|_| lost())
    }
}

/// Why this selection cannot be begun now.
fn conflict(state: &State, selection: &Selection, at_work: bool) -> Option<String> {
    let open = state.open_build();
    if at_work {
        let name = open.map_or_else(|| "a build".to_owned(), |build| format!("build {}", build.name));
        return Some(format!("{name} is being worked off; one goes on at a time. `GET /status` says how it stands"));
    }
    let build = open?;
    let (name, other) = (&build.name, &build.selection);
    if build.is_complete() {
        return Some(format!(
            "build {name} of {other} has all its packages and is not live: `swarm finalize` releases it"
        ));
    }
    (!other.is_resumed_by(selection)).then(|| {
        format!(
            "build {name} of {other} is open: asking for the same again goes on with it, `swarm push --replace` there \
             puts another in its place"
        )
    })
}

fn ended_early(ended: &Ended) -> Outcome {
    let said = escaped(ended.said.trim());
    match ended.status.code() {
        Some(0) => Outcome::Nothing(said),
        Some(BUSY) => refused(StatusCode::CONFLICT, said),
        _ => refused(StatusCode::UNPROCESSABLE_ENTITY, said),
    }
}

fn broken(error: &dyn std::error::Error) -> Outcome {
    tracing::error!("cannot begin a build: {error}");
    refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_what_it_wants_in_one_way_and_for_the_driver_alone() {
        let driver: HostName = "capella".parse().unwrap();
        for (text, wanted) in [
            (r#"{"world":true}"#, Ok("@world")),
            (r#"{"driver":"capella","packages":["app-misc/foo"]}"#, Ok("app-misc/foo")),
            (r#"{"driver":"altair","world":true}"#, Err("it builds nothing for altair")),
            (r#"{"packages":[]}"#, Err("says what to build")),
            (r#"{"world":false}"#, Err("says what to build")),
            (r#"{"world":true,"packages":["a/b"]}"#, Err("says what to build")),
            (r#"{"plan":{"packages":[]}}"#, Err("a plan is not taken yet")),
            ("{}", Err("says what to build")),
        ] {
            let selection = serde_json::from_str::<Order>(text).unwrap().selection(&driver);
            match (selection, wanted) {
                (Ok(selection), Ok(wanted)) => assert_eq!(selection.to_string(), wanted, "{text}"),
                (Err(Outcome::Refused(StatusCode::UNPROCESSABLE_ENTITY, why)), Err(part)) => {
                    assert!(why.contains(part), "{text}: {why}");
                }
                (selection, _) => panic!("{text}: {selection:?}"),
            }
        }
        for text in [r#"{"package":["a/b"]}"#, r#"{"packages":["--ask"]}"#, r#"{"packages":["a b"]}"#, "[]", ""] {
            assert!(serde_json::from_str::<Order>(text).is_err(), "{text}");
        }
    }
}
