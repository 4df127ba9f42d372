//! The nearest right word for a mistyped one: for keys of documents, and for names of hosts, packages, builds, releases
//! and all else that an operator writes.

/// How alike two words must be (Jaro-Winkler, 0 to 1) for one to be offered for the other.
const ALIKE: f64 = 0.8;
/// So many words are named at the most where none is alike.
const NAMED: usize = 12;

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

/// The help for a word that is none of the candidates: the nearest one, or those that there are; none where there are
/// none.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let all: Vec<&str> = candidates.into_iter().collect();
    if let Some(nearest) = nearest(word, all.iter().copied()) {
        return Some(format!("did you mean `{nearest}`?"));
    }
    let more = all.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let named = all.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    (!named.is_empty()).then(|| format!("there are: {named}{more}"))
}

/// The same as the end of a sentence that says what is not there.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(word, candidates).map_or_else(String::new, |help| format!("; {help}"))
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
        assert_eq!(hint("jbos", words), "; did you mean `jobs`?");
        assert_eq!(hint("xyz", []), "");
    }

    #[test]
    fn of_very_many_words_the_first_are_named() {
        let words: Vec<String> = (0..NAMED + 3).map(|number| format!("q{number}")).collect();
        let help = did_you_mean("nothing", words.iter().map(String::as_str)).unwrap();
        assert!(help.starts_with("there are: q0, q1, ") && help.ends_with("q11 and 3 more"), "{help}");
    }
}
