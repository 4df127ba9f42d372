//! What a job was given, and what it builds besides: written down beside it before it starts, so that any controller
//! that takes it up later tells what it built from what it was fed, and knows what nobody else is to build meanwhile.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::failed;
use super::job::{JobDirectory, Need};
use crate::core::package::Identity;
use crate::portage::index::Stanza;
use crate::ssh::{Host, HostError};

const NAME: &str = "brought.json";
/// More (bytes) than this is not read: a thousand packages have a megabyte.
const LIMIT: u64 = 16 << 20;

/// What lies beside a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// The SHA1 of each file that it was fed.
    pub fed: BTreeSet<String>,
    /// What it builds beside its own package, since nobody has it.
    pub besides: Vec<Identity>,
}

impl Brought {
    /// Of these needs, and of what it builds besides.
    pub fn new<'a>(needs: &[Need], besides: impl Iterator<Item = &'a Identity>) -> Self {
        let fed = needs.iter().filter_map(|need| need.stanza.sha1().map(str::to_owned)).collect();
        Self { fed, besides: besides.cloned().collect() }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When it cannot be carried there.
    pub async fn write(&self, host: &dyn Host, directory: &JobDirectory) -> Result<(), HostError> {
        let text = serde_json::to_vec(self)
            .map_err(|error| failed(host, "writing what the job was given", error.to_string().as_bytes()))?;
        host.write(&directory.file(NAME), &text, 0o644).await
    }

    /// Reads it; nothing where a job has none.
    ///
    /// # Errors
    /// When the drone is lost, or what lies there is something else.
    pub async fn read(host: &dyn Host, directory: &JobDirectory) -> Result<Self, HostError> {
        let path = directory.file(NAME);
        let Some(bytes) = host.read(&path, LIMIT).await? else { return Ok(Self::default()) };
        serde_json::from_slice(&bytes)
            .map_err(|error| failed(host, &format!("reading {path}"), error.to_string().as_bytes()))
    }

    /// Whether a package that lies in the job's PKGDIR was built there, not fed.
    pub fn is_built(&self, stanza: &Stanza) -> bool {
        stanza.sha1().is_none_or(|sha1| !self.fed.contains(sha1))
    }
}
