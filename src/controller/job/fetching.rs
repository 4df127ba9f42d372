//! Bringing a job's package here. It is looked through while it comes, so that a large one is known to be sound when its
//! last byte is here; that takes the processor about as long as the line takes to bring it.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use super::{Stop, Work, blocking, local};
use crate::core::names::BuildId;
use crate::core::package::Identity;
use crate::drone::job;
use crate::portage::gpkg::{self, Gpkg, GpkgError};
use crate::portage::index::Stanza;
use crate::release::accept::{self, Accepted, Rejection};
use crate::ssh::Growth;

impl Work {
    /// Fetches the file of a drone's entry, from where an earlier copy stopped, and says whether it is what was planned.
    pub(super) async fn fetch(
        &self,
        identity: &Identity,
        build_id: BuildId,
        stanza: &Stanza,
        incoming: &Path,
    ) -> Result<Result<Accepted, Rejection>, Stop> {
        let growth = Arc::new(Growth::default());
        let ending = growth.ending();
        let reading = read_along(incoming, &growth).map_err(local("open the copy that is fetched"))?;
        let collect = || job::collect(self.host.as_ref(), &self.directory, stanza, incoming, Some(&growth));
        let fetched = self.persist(collect).await;
        if let Err(Stop::Local(error)) = fetched {
            // Where the write failed nobody knows what it was for.
            self.staging.require_room(&self.directory.job)?;
            return Err(Stop::Local(error));
        }
        fetched?;
        drop(ending);
        let (file, identity, stanza) = (incoming.to_owned(), identity.clone(), stanza.clone());
        let keyring = self.keyring.clone();
        let accept = move || {
            // A thread that broke down has no answer; then it is read here, where that is told.
            let read = || reading.recv().unwrap_or_else(|_| gpkg::read(&file));
            accept::accept_read(&file, read, &stanza, &identity, Some(build_id), keyring.as_deref())
        };
        blocking(accept).await
    }
}

/// Reads a package as its file grows, in a thread of its own: it waits for most of its time, and threads that are shared
/// are wanted by whoever writes the file.
fn read_along(file: &Path, growth: &Arc<Growth>) -> std::io::Result<mpsc::Receiver<Result<Gpkg, GpkgError>>> {
    // It is read from the first byte on, which may not have come yet.
    fs_err::OpenOptions::new().create(true).append(true).open(file)?;
    let following = growth.follow(fs_err::File::open(file)?);
    let (answer, read) = mpsc::channel();
    let file = file.to_owned();
    thread::Builder::new().spawn(move || {
        // Nobody waits any more where the fetch was given up.
        let _given_up = answer.send(gpkg::read_through(following, &file));
    })?;
    Ok(read)
}
