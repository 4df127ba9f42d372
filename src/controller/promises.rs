//! What routes about builds promise, whoever answers them: the controller's socket, an orchestrator, the gateway that passes
//! them on.

use super::api::{StateView, Told};
use super::verb::{Answer, Verb};
use crate::core::order::{Form, Receipt};
use crate::http::contract::Promise;

/// Why something cannot be told.
pub const UNREADABLE: &str = "What is known cannot be read; the text says why";

/// `POST /build`.
pub fn order() -> Promise {
    Promise::to("Asks for a build: one of `packages`, `world` and `plan` says of what")
        .takes::<Form>()
        .for_who_may()
        .json::<Receipt>(202, "It is built once those before it are")
        .json::<Receipt>(200, "Nothing is to be built")
        .text(400, "The body is no order")
        .text(409, "It cannot be written down")
        .text(422, "It cannot be planned, in Portage's words")
        .text(423, "Another controller is at work")
        .text(500, "It was lost")
        .text(503, "The controller is elsewhere, or just ending")
}

/// `POST /verb`.
pub fn wish() -> Promise {
    Promise::to("Does what an operator asks, as the verb of the same name")
        .takes::<Verb>()
        .for_who_may()
        .json::<Answer>(200, "Done, with what the operator is told")
        .text(400, "The body asks for nothing that there is")
        .text(409, "It cannot be done; the text says why")
        .text(423, "Another controller is at work")
        .text(500, "It was lost")
        .text(503, "The controller is elsewhere, or just ending")
}

/// `GET /state`.
pub fn state() -> Promise {
    Promise::to("Tells all that is known, and the number of the event that it is known from")
        .json::<StateView>(200, "The state")
        .text(500, UNREADABLE)
}

/// `GET /status`, or where else the status of this type is.
pub fn status<T: schemars::JsonSchema>() -> Promise {
    Promise::to("Tells how things stand")
        .json::<T>(200, "As `swarm status --json`")
        .text(500, UNREADABLE)
        .text(503, "The controller is just ending")
}

/// `GET /events`.
pub fn events() -> Promise {
    Promise::to("Tells what happens, from here on")
        .events::<Told>("Each event has one of these as its data")
        .text(503, "As many listen as can; come again")
}
