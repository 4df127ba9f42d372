//! What can be wrong with an inventory, in the words an operator needs to mend it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::core::text::escaped;

/// One fault: where it is, what it is, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub file: Arc<PathBuf>,
    /// The line, counted from 1.
    pub line: usize,
    /// The key with its tables, as in `drones.drone-izar.cores`; empty where the text is no TOML.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right: the nearest right word, or those that there are.
    pub help: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: ", self.file.display(), self.line)?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", escaped(&self.key))?;
        }
        formatter.write_str(&escaped(&self.problem))?;
        match &self.help {
            Some(help) => write!(formatter, "; {}", escaped(help)),
            None => Ok(()),
        }
    }
}

/// No inventory, an unreadable one, or one with faults.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// None of the places has one.
    #[error("{}", not_found(looked))]
    NotFound {
        /// Each place with what was found there, in the order of the search.
        looked: Vec<String>,
    },
    /// A place that was named by the operator has none.
    #[error("the inventory {} ({named_by}) {problem}", path.display())]
    Unusable {
        /// The place.
        path: PathBuf,
        /// What named it, for example `--inventory`.
        named_by: &'static str,
        /// Why it is of no use; completes the sentence "the inventory …".
        problem: String,
    },
    /// A file is there and cannot be read.
    #[error("cannot read the inventory {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was read and has faults; never empty, by file and line.
    #[error("{}", faults(.0))]
    Faults(Vec<Fault>),
}

fn not_found(looked: &[String]) -> String {
    let places: String = looked.iter().map(|place| format!("  {place}\n")).collect();
    format!(
        "no inventory is there. Looked for it in this order:\n{places}\
         To begin, write ./inventory/swarm.toml:\n\n    \
         [swarm]\n    driver = \"local\"            # the machine whose packages are wanted; \"local\" is this one\n\n    \
         [drones.first]\n    address = \"192.0.2.10\"      # a Gentoo host that root can reach with ssh\n\n\
         then run `swarm hosts check`. inventory/argo.toml in the source shows every part of a large one."
    )
}

fn faults(faults: &[Fault]) -> String {
    let count = match faults.len() {
        1 => "a fault".to_owned(),
        more => format!("{more} faults"),
    };
    let lines: String = faults.iter().map(|fault| format!("\n{fault}")).collect();
    format!("the inventory has {count}:{lines}")
}

/// How alike two words must be (Jaro-Winkler, 0 to 1) for one to be offered for the other.
const ALIKE: f64 = 0.8;

/// The candidate that is most like the word; none where none is alike.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| (likeness(&word, &plain(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// Jaro-Winkler does not see that two letters of a short word were exchanged; one slip of the finger is alike enough.
fn likeness(word: &str, candidate: &str) -> f64 {
    let slip = word.len() > 2 && strsim::osa_distance(word, candidate) == 1;
    strsim::jaro_winkler(word, candidate).max(if slip { ALIKE } else { 0.0 })
}

/// The help for a word that is none of the candidates: the nearest one, or all of them.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(nearest) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{nearest}`?"));
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    (!all.is_empty()).then(|| format!("there are: {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_otherwise_all_of_them() {
        let words = ["address", "cores", "clean_room", "jobs"];
        for (word, help) in [
            ("adress", "did you mean `address`?"),
            ("addr", "did you mean `address`?"),
            ("clean-room", "did you mean `clean_room`?"),
            ("Cores", "did you mean `cores`?"),
            ("jbos", "did you mean `jobs`?"),
            ("xyz", "there are: address, cores, clean_room, jobs"),
        ] {
            assert_eq!(did_you_mean(word, words).as_deref(), Some(help), "{word}");
        }
        assert_eq!(did_you_mean("xyz", []), None);
    }
}
