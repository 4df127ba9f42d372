//! Whose turn it is where many files are fetched.
//!
//! A small file waits for answers nearly all the time, two round trips of it, so a hundred of them must be under way for
//! a line to be full. A large one fills it by itself: beside others it only comes later, and where the way breaks, all of
//! them are in pieces. So a file takes as many turns as it is large; a few large ones are under way, or many small ones.

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many files are under way at the most: each is open here and there, where a process may have 1,024 of all kinds.
const ALL: u32 = 128;
/// So many are under way at least.
const LARGE: u32 = 6;
/// One turn for each so many bytes that a file has.
const BYTES: u64 = 64 << 10;

/// The turns of one host, or of one piece of work.
#[derive(Debug)]
pub struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(ALL as usize))
    }
}

impl Turns {
    /// Waits for the turn of a file of so many bytes, behind those that have waited before. It lasts until it is dropped.
    pub async fn of(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.acquire_many(turns(size)).await.ok()
    }
}

fn turns(size: u64) -> u32 {
    u32::try_from(size / BYTES).unwrap_or(u32::MAX).clamp(1, ALL / LARGE)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn few_large_files_or_many_small_ones_are_under_way() {
        for (size, most) in [(0, ALL), (20_000, ALL), (1 << 20, 8), (16 << 20, LARGE), (u64::MAX, LARGE)] {
            let all = Turns::default();
            let turns: Vec<_> = std::iter::from_fn(|| all.of(size).now_or_never()).collect();
            assert_eq!(turns.len(), most as usize, "{size} bytes");
        }
    }
}
