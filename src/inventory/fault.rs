//! What can be wrong with an inventory, in the words an operator needs to mend it.

use std::io;
use std::path::PathBuf;

use crate::core::text::counted;
pub use crate::document::fault::Fault;

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
    let count = counted(faults.len(), "fault");
    let lines: String = faults.iter().map(|fault| format!("\n{fault}")).collect();
    format!("the inventory has {count}:{lines}")
}
