//! Answers what a controller is asked while it waits for something else than drones.

use std::future::Future;

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
pub async fn attend<T>(session: &mut Session, outside: &mut Outside, work: impl Future<Output = T>) -> Attended<T> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Attended::Done(done),
            Some(halt) = outside.halts.recv() => return Attended::Halted(halt),
            Some(asked) = outside.asked.recv() => answer(session, asked).await,
        }
    }
}

/// Does what is asked of a controller that starts nothing just now.
pub(super) async fn answer(session: &mut Session, asked: Asked) {
    // Whoever asked may have gone away.
    match asked {
        Asked::Verb(verb, answer) => {
            let told = verb::carry_out(session, &verb).await.map(|mut told: Answer| {
                if verb.releases() {
                    told.lines.push("the orchestrators get it next".to_owned());
                }
                told
            });
            let _gone = answer.send(told.map_err(|error| error.to_string()));
        }
        Asked::Status(answer) => {
            let _gone = answer.send(Status::of(session.state(), None, now()));
        }
    }
}
