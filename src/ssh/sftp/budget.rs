//! How much may be under way in all transfers at once.
//!
//! Pieces that were asked for, that came, and that wait for the local disk are memory of this process, whichever hosts
//! they come from; so there is one budget for all. A transfer alone takes as many pieces as fill a long line; where there
//! are many, each takes its share, so that slow hosts do not hold what a fast one could use.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{IN_FLIGHT, PIECE};

/// The most bytes that are under way.
const BYTES: usize = 64 << 20;
/// The same in pieces of the largest size.
const PIECES: usize = BYTES / PIECE as usize;

static FREE: Semaphore = Semaphore::const_new(PIECES);
static TRANSFERS: AtomicUsize = AtomicUsize::new(0);

/// Leave for one piece, until it is on the disk.
pub(super) type Leave = SemaphorePermit<'static>;

/// A transfer of more than one piece that goes on; dropping it ends its share.
pub(super) struct Transfer(());

impl Transfer {
    pub(super) fn begin() -> Self {
        TRANSFERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Leave for another piece. With none in flight it is waited for, else there may be none just now: whoever waits
    /// while it holds pieces that nobody takes could wait for itself.
    pub(super) async fn leave(&self, in_flight: usize) -> Option<Leave> {
        match in_flight {
            0 => leave().await,
            some if some < self.share() => FREE.try_acquire().ok(),
            _ => None,
        }
    }

    /// How many pieces it may have in flight.
    fn share(&self) -> usize {
        share(TRANSFERS.load(Ordering::Relaxed))
    }
}

/// Leave for the first piece of a file, which may be all of it.
pub(super) async fn leave() -> Option<Leave> {
    // The semaphore is never closed.
    FREE.acquire().await.ok()
}

impl Drop for Transfer {
    fn drop(&mut self) {
        TRANSFERS.fetch_sub(1, Ordering::Relaxed);
    }
}

fn share(transfers: usize) -> usize {
    (PIECES / transfers.max(1)).clamp(1, IN_FLIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_transfer_fills_a_long_line_and_many_share_what_there_is() {
        assert_eq!([0, 1, 4, 5, 50, 10_000].map(share), [IN_FLIGHT, IN_FLIGHT, IN_FLIGHT, 51, 5, 1]);
        assert!(PIECES * PIECE as usize <= BYTES);
    }
}
