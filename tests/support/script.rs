//! Which of the controller's scripts a text is, and the values that were set in it.
//!
//! Scripts that are files of their own are told by their whole text, which is the same constant here and there; the
//! few that stand in Rust source by a line that only they have.

use std::collections::BTreeMap;

/// The controller's scripts, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// How would you build each of these?
    Identities,
    /// What would the resolver merge for a selection (the driver is asked that)?
    Plan,
    /// What would the resolver merge for this job?
    Resolve,
    /// Claims a job's directory.
    Claim,
    /// Links what is needed from the cache.
    Link,
    /// Merges what the job needs.
    Prepare,
    /// Starts the build.
    Start,
    /// Follows the log.
    Follow,
    /// Tells when jobs end.
    Watch,
    /// How did the build end?
    Outcome,
    /// Ends what lives of a job.
    Kill,
    /// Removes a job.
    Remove,
    /// The keeper's look.
    Tend,
    /// Can jobs have clean rooms?
    Room,
    /// Ends the lease.
    Leave,
    /// Lists the jobs that lie there.
    Found,
    /// What machine are you?
    Facts,
    /// None of these.
    Unknown,
}

/// In this order: the first that is part of the text.
const TEXTS: [(&str, Call); 15] = [
    (include_str!("../../src/drone/claim.sh"), Call::Claim),
    (include_str!("../../src/drone/prepare.sh"), Call::Prepare),
    (include_str!("../../src/drone/start.sh"), Call::Start),
    (include_str!("../../src/drone/outcome.sh"), Call::Outcome),
    (include_str!("../../src/drone/kill.sh"), Call::Kill),
    (include_str!("../../src/drone/remove.sh"), Call::Remove),
    (include_str!("../../src/drone/tend.sh"), Call::Tend),
    (include_str!("../../src/drone/try.sh"), Call::Room),
    (include_str!("../../src/epoch/leave.sh"), Call::Leave),
    (include_str!("../../src/drone/facts/facts.sh"), Call::Facts),
    (include_str!("../../src/drone/cache.sh"), Call::Link),
    (r#"flock -s "$jobs/$job/lock""#, Call::Watch),
    (r#"tail -c +"$from" -f"#, Call::Follow),
    (include_str!("../../src/drone/strays.sh"), Call::Found),
    (REQUEST, Call::Plan),
];

/// The probe's request stands behind this.
const REQUEST: &str = "<<'SWARM-REQUEST'\n";

/// A script, understood.
#[derive(Debug, Clone)]
pub struct Given {
    /// Which one it is.
    pub call: Call,
    variables: BTreeMap<String, String>,
    /// What a probe is asked; null for other scripts.
    pub request: serde_json::Value,
    /// The line between which a probe's answer stands.
    pub probe_mark: String,
}

impl Given {
    /// Reads a script.
    pub fn read(text: &str) -> Self {
        let variables = variables(text);
        let found = TEXTS.iter().find(|(part, _)| text.contains(part)).map_or(Call::Unknown, |(_, call)| *call);
        let request = text.split_once(REQUEST).and_then(|(_, rest)| rest.split_once("\nSWARM-REQUEST\n"));
        let request = request.map_or(serde_json::Value::Null, |(json, _)| serde_json::from_str(json).unwrap());
        let call = match found {
            Call::Plan if request["mode"] == "identities" => Call::Identities,
            Call::Plan if variables.contains_key("job") => Call::Resolve,
            other => other,
        };
        let probe_mark = text.lines().rev().find_map(|line| line.strip_prefix("echo ")).unwrap_or_default().to_owned();
        Self { call, variables, request, probe_mark }
    }

    /// The value of a variable; empty where it was not set.
    pub fn get(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// Output lines behind the script's mark.
    pub fn marked(&self, lines: &[String]) -> String {
        lines.iter().map(|line| format!("{} {line}\n", self.get("mark"))).collect()
    }
}

/// The values at the head of a script: `NAME='VALUE'`, quoted for a shell, a value over several lines perhaps.
fn variables(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once("='") {
        if name.is_empty() || !name.chars().all(|each| each.is_ascii_lowercase() || each == '_') {
            break;
        }
        let mut value = String::new();
        let mut behind = behind;
        loop {
            let Some((part, next)) = behind.split_once('\'') else { return found };
            value.push_str(part);
            match next.strip_prefix(r"\''") {
                Some(next) => {
                    value.push('\'');
                    behind = next;
                }
                None => {
                    rest = next.strip_prefix('\n').unwrap_or(next);
                    break;
                }
            }
        }
        found.insert(name.to_owned(), value);
    }
    found
}
