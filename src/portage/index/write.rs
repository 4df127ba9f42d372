//! Writing an index.

use std::io;

use crate::core::names::Timestamp;

use super::lines::{Said, is_one_line, order, to_line};
use super::{Index, Stanza, inherited, packed};

impl Index {
    /// The content of `Packages` with this TIMESTAMP: entries by CPV as text, those of one CPV by build id.
    pub fn to_text(&self, timestamp: Timestamp) -> String {
        self.to_files(timestamp).text
    }

    /// The same, and what it takes to pack it.
    pub fn to_files(&self, timestamp: Timestamp) -> Files {
        let mut header = self.header.clone();
        header.retain(|key, value| is_one_line(key) && is_one_line(value) && !key.contains(':'));
        header.insert("PACKAGES".to_owned(), self.stanzas.len().to_string());
        header.insert("TIMESTAMP".to_owned(), timestamp.0.to_string());
        header.insert("VERSION".to_owned(), "0".to_owned());
        let mut values: Vec<(&String, &String)> = header.iter().filter(|(_, value)| !value.is_empty()).collect();
        values.sort_by_key(|(key, _)| order(key));
        let mut text = String::with_capacity(self.stanzas.iter().map(Stanza::length).sum());
        values.into_iter().for_each(|(key, value)| text.extend([&to_line(key, value), "\n"]));
        text.push('\n');
        let mut ends = vec![text.len()];
        let said = Said::of(&inherited(&header));
        let mut stanzas: Vec<&Stanza> = self.stanzas.iter().collect();
        stanzas.sort_by_cached_key(|stanza| (stanza.cpv().as_str(), stanza.build_id()));
        for stanza in stanzas {
            stanza.write(&mut text, &said);
            text.push('\n');
            ends.push(text.len());
        }
        Files { text, ends, timestamp }
    }
}

/// `Packages` and `Packages.gz`.
#[derive(Debug)]
pub struct Files {
    /// The content of `Packages`.
    pub text: String,
    /// Where each of its blocks ends.
    ends: Vec<usize>,
    timestamp: Timestamp,
}

impl Files {
    /// The content of `Packages.gz`, whose own time is the TIMESTAMP too. `before` is a `Packages.gz` with much of the
    /// same, so that this need not be packed again; it may be empty.
    ///
    /// # Errors
    /// It cannot be packed.
    pub fn packed(&self, before: &[u8]) -> io::Result<Vec<u8>> {
        packed::packed(&self.text, &self.ends, u32::try_from(self.timestamp.0).unwrap_or(0), before)
    }
}
