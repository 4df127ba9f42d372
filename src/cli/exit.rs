//! What errors mean as an exit status, and how a process ends with one.

use std::process::ExitCode;

use crate::controller::ControlError;
use crate::controller::remote::RemoteError;
pub use crate::core::exit::Exit;

impl Exit {
    /// The status that an error stands for.
    pub fn of_error(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<ControlError>() {
            Some(error) if error.is_of_another() => return Self::Busy,
            _ => {}
        }
        match error.downcast_ref::<RemoteError>() {
            Some(RemoteError::Busy(_)) => Self::Busy,
            _ => Self::Impossible,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
