//! SFTP sessions that several transfers share and that stay open between them, so that a small file costs its own round
//! trips and not those of a session.
//!
//! A server answers in order, so a small file behind a large one on a slow line would wait for it: a transfer has a
//! session to itself where that can be, and shares the least busy one only when there are as many as may be. One session
//! stays open when all is done.

use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Sftp;
use crate::ssh::host::HostError;

/// The sessions of one host.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// So many servers run there at the most.
    most: usize,
    open: Mutex<Vec<Arc<Sftp>>>,
    opening: tokio::sync::Mutex<()>,
}

/// A session while it is used for one transfer.
pub(crate) struct Lease<'a> {
    sessions: &'a Sessions,
    sftp: Arc<Sftp>,
}

impl Deref for Lease<'_> {
    type Target = Sftp;

    fn deref(&self) -> &Sftp {
        &self.sftp
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut open = self.sessions.lock();
        let idle = |session: &Arc<Sftp>| users(session) == 0;
        let is_idle = users(&self.sftp) == 1;
        if !self.sftp.usable() || is_idle && open.iter().any(idle) {
            open.retain(|session| !Arc::ptr_eq(session, &self.sftp));
        }
    }
}

/// How many transfers use it.
fn users(session: &Arc<Sftp>) -> usize {
    Arc::strong_count(session) - 1
}

impl Sessions {
    /// None yet, and never more than so many; sshd lets a connection have ten.
    pub(crate) fn at_most(most: usize) -> Self {
        Self { most, open: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// A session that nobody uses, a new one, or the least busy of those that are open.
    pub(crate) async fn lease<F>(&self, open: impl Fn() -> F) -> Result<Lease<'_>, HostError>
    where
        F: Future<Output = Result<Sftp, HostError>>,
    {
        let without_another = |users, count| users == 0 || count >= self.most;
        if let Some(lease) = self.least_busy(without_another) {
            return Ok(lease);
        }
        // While one opens another, the rest goes on with what there is.
        let _opening = match self.opening.try_lock() {
            Ok(opening) => opening,
            Err(_) => match self.least_busy(|_, _| true) {
                Some(lease) => return Ok(lease),
                None => self.opening.lock().await,
            },
        };
        if let Some(lease) = self.least_busy(without_another) {
            return Ok(lease);
        }
        match open().await {
            Ok(opened) => {
                let sftp = Arc::new(opened);
                self.lock().push(sftp.clone());
                Ok(Lease { sessions: self, sftp })
            }
            // The host may allow fewer.
            Err(error) => self.least_busy(|_, _| true).ok_or(error),
        }
    }

    /// The usable session with the fewest users, if it may be taken by its users and the number of sessions.
    fn least_busy(&self, may: impl Fn(usize, usize) -> bool) -> Option<Lease<'_>> {
        let mut open = self.lock();
        open.retain(|session| session.usable());
        let count = open.len();
        let session = open.iter().min_by_key(|session| users(session))?;
        may(users(session), count).then(|| Lease { sessions: self, sftp: session.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Sftp>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
