//! How things stand before and after a step, as `swarm status` tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::child;
use crate::core::text::{agreeing, counted, printable, some};

/// A status takes no longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What matters of the status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Sight {
    build: Option<Build>,
    needed: Vec<String>,
    delegated: BTreeMap<String, serde_json::Value>,
    received: Vec<String>,
    failed: BTreeMap<String, Failed>,
    blocked: BTreeMap<String, serde_json::Value>,
    release: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Build {
    id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Failed {
    class: String,
}

impl Sight {
    /// Asks for it.
    ///
    /// # Errors
    /// In words: it could not be asked for.
    pub async fn take(command: tokio::process::Command) -> Result<Self, String> {
        let text = child::answer(command, PATIENCE).await?;
        serde_json::from_slice(&text).map_err(|error| format!("the status is not what was asked for: {error}"))
    }

    /// Whether a build, what it has received, or what is live, is another one.
    pub fn differs(&self, other: &Self) -> bool {
        let of = |sight: &Self| {
            let build = sight.build.as_ref().map(|build| build.id.clone());
            (build, sight.received.clone(), sight.release.clone())
        };
        of(self) != of(other)
    }

    /// What failed, in one line.
    pub fn failures(&self) -> String {
        let names: Vec<String> =
            self.failed.iter().map(|(label, failed)| format!("{label} ({})", failed.class)).collect();
        let blocked = match self.blocked.len() {
            0 => String::new(),
            blocked => format!(", {blocked} blocked by {}", agreeing(names.len(), "it", "them")),
        };
        let count = counted(names.len(), "package");
        let left = match self.still_to_build() {
            0 => String::new(),
            _ => format!(", {}", self.left()),
        };
        printable(&format!("{count} failed: {}{blocked}{left}", some(&names)))
    }

    /// What is still to be built, in words.
    pub fn left(&self) -> String {
        let left = self.still_to_build();
        format!("{} {} left for the next push", counted(left, "package"), agreeing(left, "is", "are"))
    }

    fn still_to_build(&self) -> usize {
        self.needed.len() + self.delegated.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_status_tells_and_sees_what_has_changed() {
        let state = crate::core::state::State::default();
        let status = crate::core::status::Status::of(&state, None, crate::core::names::Timestamp(0));
        let nothing: Sight = serde_json::from_str(&serde_json::to_string(&status).unwrap()).unwrap();
        assert_eq!(nothing, Sight::default());
        let text = r#"{"build":{"id":"b1","started":"x","finished":null},"needed":["a/d-1"],"delegated":{},"received":["a/b-1"],
            "failed":{"a/c-1":{"class":"build","reason":"x"}},"blocked":{"a/e-1":["a/c-1"]},"drones":{},"release":null}"#;
        let some: Sight = serde_json::from_str(text).unwrap();
        assert!(some.differs(&nothing) && !some.differs(&some.clone()));
        assert_eq!(
            some.failures(),
            "1 package failed: a/c-1 (build), 1 blocked by it, 1 package is left for the next push"
        );
    }
}
