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
