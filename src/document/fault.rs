//! What can be wrong with a document, in the words an operator needs to mend it.

use std::fmt;
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
        // It may quote what somebody else wrote.
        formatter.write_str(&escaped(&self.problem))?;
        match &self.help {
            Some(help) => write!(formatter, "; {}", escaped(help)),
            None => Ok(()),
        }
    }
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
