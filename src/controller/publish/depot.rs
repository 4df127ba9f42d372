//! An object storage of the inventory, as it is when a release goes there.
//!
//! What keeps it from being used at all, a missing key say, is told like everything else that may go wrong there: of
//! this one alone.

use std::sync::Arc;

use super::ControlError;
use crate::controller::now;
use crate::core::names::ReleaseName;
use crate::http::tls;
use crate::inventory::{Inventory, Storage};
use crate::release::Release;
use crate::release::publish::Shipment;
use crate::release::publish::storage::{self, Before, Pruned, Published, StorageError};
use crate::s3::courier::Courier;
use crate::s3::upload::Spool;
use crate::s3::{Bucket, S3Error};
use crate::ssh::Pace;

/// An object storage.
pub struct Depot {
    bucket: Result<Bucket, S3Error>,
    spool: Spool,
}

impl Depot {
    /// The storage of these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// The swarm's own certificate cannot be read.
    pub fn of(inventory: &Inventory, storage: &Storage) -> Result<Self, ControlError> {
        let (swarm, settings) = (&inventory.swarm, &storage.settings);
        let is_plain = settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.as_str().starts_with("http:"));
        let tls = match is_plain {
            true => None,
            false => {
                let tls = tls::connector(swarm.tls_cert.as_deref());
                Some(tls.map_err(|error| ControlError::Refused(error.to_string()))?)
            }
        };
        let pace = swarm.bandwidth_limit.map(|rate| Arc::new(Pace::new(rate)));
        let bucket = Bucket::open(settings, Courier::new(tls, swarm.stall_timeout, pace));
        let spool = Spool::new(swarm.state.join("uploads").join(storage.name.as_str()));
        Ok(Self { bucket, spool })
    }

    fn bucket(&self) -> Result<&Bucket, StorageError> {
        self.bucket.as_ref().map_err(|error| StorageError::Refused(error.to_string()))
    }

    /// Makes a release live there.
    ///
    /// # Errors
    /// As [`storage::publish`].
    pub async fn publish(&self, shipment: &Shipment) -> Result<Published, StorageError> {
        storage::publish(self.bucket()?, &self.spool, shipment).await
    }

    /// Makes what was live before a release live again, since clients cannot read it; says why, and how that went.
    pub async fn take_back(&self, release: &ReleaseName, before: Option<&Before>, why: String) -> String {
        let Some(before) = before else {
            return format!(
                "{why}. No release was live there before, so it stays; mend `binhost` or who may read there"
            );
        };
        let taken = async { storage::take_back(self.bucket()?, release, before).await };
        match taken.await {
            Ok(()) => format!(
                "{why}. It was swapped back, {} is live there as before; mend `binhost` or who may read there, and the \
                 next command brings it again",
                before.release()
            ),
            Err(error) => format!("{why}. It could not be swapped back: {error}"),
        }
    }

    /// Removes what none of these releases has; says how that went.
    pub async fn prune(&self, live: &Release, kept: &[Release]) -> String {
        let pruned = async { storage::prune(self.bucket()?, live, kept, now()).await };
        match pruned.await {
            Ok(Pruned { removed, young: 0 }) => format!("{removed} packages that no kept release has are removed"),
            Ok(Pruned { removed, young }) => format!(
                "{removed} packages that no kept release has are removed, {young} that were sent within the last day stay"
            ),
            Err(error) => error.to_string(),
        }
    }
}
