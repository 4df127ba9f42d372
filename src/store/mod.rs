//! What survives: the journal in SQLite, and the lock that lets one controller at a time write it.

pub mod history;
pub mod journal;
pub mod lock;
pub mod name;

pub use history::{Entry, History};
pub use journal::{Journal, StoreError};
pub use lock::{Lock, LockError};
pub use name::OwnNameError;
