//! Pauses that double: what was tried in vain is tried again soon at first, and then ever more seldom.

use std::time::Duration;

/// The pauses between the tries of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// From the first one up to the longest.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// How long to wait now; the next time it is twice as long.
    pub fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// Begins with the first one again, since it was not in vain.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_the_one_before_up_to_the_longest_until_something_succeeds() {
        let mut pauses = Pauses::new(Duration::from_secs(2), Duration::from_secs(5));
        assert_eq!([(); 4].map(|()| pauses.next().as_secs()), [2, 4, 5, 5]);
        pauses.reset();
        assert_eq!(pauses.next().as_secs(), 2);
    }
}
