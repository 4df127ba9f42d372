//! Which package goes where and how wide: pure.

pub mod estimate;
