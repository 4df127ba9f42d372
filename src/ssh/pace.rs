//! A limit on how many bytes go out in a second, shared by all that is sent within it.
//!
//! Each piece books the line for as long as it takes at that rate, behind those that were booked before; it goes once
//! its turn has come. So several files at once share the rate in the order in which their pieces come, and what was
//! left unused is not made up for later.

use std::num::NonZeroU64;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// So many bytes in a second.
#[derive(Debug)]
pub struct Pace {
    rate: NonZeroU64,
    free_at: Mutex<Option<Instant>>,
}

impl Pace {
    /// A line that takes so many bytes in a second.
    pub fn new(rate: NonZeroU64) -> Self {
        Self { rate, free_at: Mutex::new(None) }
    }

    /// Waits until these bytes may go.
    pub async fn take(&self, bytes: usize) {
        tokio::time::sleep_until(self.book(bytes, Instant::now())).await;
    }

    /// Books the line; from when on.
    fn book(&self, bytes: usize, now: Instant) -> Instant {
        let lasts = Duration::from_secs_f64(bytes as f64 / self.rate.get() as f64);
        // Nothing that holds it can panic; if it did, the line would be taken to be free.
        let mut free_at = self.free_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let begin = free_at.map_or(now, |free_at| free_at.max(now));
        *free_at = Some(begin + lasts);
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_go_one_behind_the_other_at_the_rate_and_idle_time_is_not_made_up_for() {
        let pace = Pace::new(NonZeroU64::new(1000).unwrap());
        let start = Instant::now();
        let after = |bytes, now: u64| pace.book(bytes, start + Duration::from_millis(now)) - start;
        let times = [after(500, 0), after(1000, 0), after(1, 100), after(1000, 9000), after(1, 9000)];
        assert_eq!(times.map(|time| time.as_millis()), [0, 500, 1500, 9000, 10000]);
    }
}
