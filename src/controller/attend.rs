//! Answers what a controller is asked while it waits for something else than drones.

use std::future::Future;

use tokio::sync::oneshot;

use super::error::ControlError;
use super::run::{Halt, Outside};
use super::session::{Session, now};
use super::socket::Asked;
use super::verb::{self, Answer};
use crate::core::status::Status;

/// How the waiting ended.
#[derive(Debug)]
pub enum Attended<T> {
    /// What was waited for.
    Done(T),
    /// Somebody wants the controller to end.
    Halted(Halt),
}

/// Waits for `work`; what is asked meanwhile is answered at once. What is released meanwhile is brought to the
/// orchestrators by whoever looks after them next.
///
/// # Errors
/// What was asked for could not be written down.
pub async fn attend<T>(
    session: &mut Session,
    outside: &mut Outside,
    work: impl Future<Output = T>,
) -> Result<Attended<T>, ControlError> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(Attended::Done(done)),
            Some(halt) = outside.halts.recv() => return Ok(Attended::Halted(halt)),
            Some(asked) = outside.asked.recv() => answer(session, asked).await?,
        }
    }
}

/// Does what is asked of a controller that starts nothing just now.
///
/// # Errors
/// It could not be written down.
pub(super) async fn answer(session: &mut Session, asked: Asked) -> Result<(), ControlError> {
    // Whoever asked may have gone away.
    match asked {
        Asked::Verb(verb, answer) => match verb::carry_out(session, &verb).await {
            Ok(mut told) => {
                if verb.releases() {
                    told.lines.push("the orchestrators get it next".to_owned());
                }
                let _gone = answer.send(Ok(told));
            }
            Err(error) => return refuse(session, error, answer),
        },
        Asked::Status(answer) => {
            let _gone = answer.send(Status::of(session.state(), None, now()));
        }
    }
    Ok(())
}

/// Says why what was asked for is not done.
///
/// # Errors
/// The same, where the session is over with that.
pub(super) fn refuse(
    session: &Session,
    error: ControlError,
    answer: oneshot::Sender<Result<Answer, String>>,
) -> Result<(), ControlError> {
    let _gone = answer.send(Err(error.to_string()));
    if session.is_ahead() { Err(error) } else { Ok(()) }
}
