//! What a real host or drone cannot be made to do, done by fake ones in this process: see `tests/support`.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
#[path = "../../src/seeded.rs"]
mod seeded;

#[cfg(test)]
mod alarms;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod drones;
#[cfg(test)]
mod full;
#[cfg(test)]
mod journals;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod luck;
#[cfg(test)]
mod muster;
#[cfg(test)]
mod order;
#[cfg(test)]
mod ssh;
#[cfg(test)]
mod year;
