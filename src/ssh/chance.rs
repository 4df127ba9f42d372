//! Random numbers for names that must not meet and pauses that must not fall together; not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// A number that differs at each call: the standard library seeds each hasher state anew.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A pause between `least` and twice `least`.
pub(crate) fn pause(least: Duration) -> Duration {
    let share = number() % 1000;
    least + least.mul_f64(share as f64 / 1000.0)
}
