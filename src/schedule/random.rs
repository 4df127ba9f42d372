//! Distributions of seeded chance.

use crate::seeded::Seeded;

/// A number between 0 and 1, neither of them.
pub(crate) fn uniform(chance: &mut Seeded) -> f64 {
    ((chance.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Normally distributed with mean 0 and deviation 1 (Box and Muller 1958).
pub(crate) fn normal(chance: &mut Seeded) -> f64 {
    (-2.0 * uniform(chance).ln()).sqrt() * (std::f64::consts::TAU * uniform(chance)).cos()
}
