//! What becomes of a step, and of a run: pure.

use super::step::{OnFailure, Step, StepName, When};
use super::value::Given;
use crate::core::exit::Exit;

/// The exit status of a push of which packages failed.
pub const SOME_FAILED: u8 = Exit::SomeFailed as u8;
/// That of what was ended before its time.
pub const INTERRUPTED: u8 = Exit::Interrupted as u8;

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// The step.
    pub step: StepName,
    /// Its exit status.
    pub status: u8,
    /// What that means for the run, where it is not 0.
    pub weight: OnFailure,
    /// Why, in one line.
    pub reason: String,
    /// Whether it changed something.
    pub changed: bool,
}

impl Came {
    fn counts(&self) -> bool {
        self.status != 0 && self.weight != OnFailure::Note
    }
}

/// What becomes of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It is run.
    Run,
    /// It is not, for this reason.
    Skip(String),
    /// It is not, since nothing new may start any more.
    Late(String),
}

/// What becomes of a step after these; `closed` says why nothing new may start at this moment.
pub fn turn(step: &Step, came: &[Came], given: &Given, closed: Option<&str>) -> Turn {
    if let Some(name) = step.if_given.as_ref().filter(|name| given.get(name).is_none()) {
        return Turn::Skip(format!("{name} was not given"));
    }
    let stopped = came.iter().find(|came| came.counts() && came.weight == OnFailure::Stop);
    if let Some(stopped) = stopped.filter(|_| step.when != When::Failed) {
        return Turn::Skip(format!("{} failed", stopped.step));
    }
    let failed = came.iter().find(|came| came.counts());
    match (step.when, failed) {
        (When::Changed, _) if !came.iter().any(|came| came.changed) => {
            return Turn::Skip("nothing has changed".to_owned());
        }
        (When::Failed, None) => return Turn::Skip("nothing has failed".to_owned()),
        (When::Succeeded, Some(failed)) => return Turn::Skip(format!("{} failed", failed.step)),
        _ => {}
    }
    match closed.filter(|_| !step.what.concludes()) {
        Some(closed) => Turn::Late(closed.to_owned()),
        None => Turn::Run,
    }
}

/// The exit status of a run and its reason. What could not be done weighs most, then packages that failed, then what was
/// ended or not begun for the lack of time.
pub fn sum(came: &[Came], late: Option<&str>) -> (u8, String) {
    let counted = || came.iter().filter(|came| came.counts());
    let of = |wanted: &dyn Fn(u8) -> bool| counted().map(|came| came.status).find(|status| wanted(*status));
    let status = of(&|status| status != SOME_FAILED && status != INTERRUPTED)
        .or_else(|| of(&|status| status == SOME_FAILED))
        .or_else(|| of(&|_| true))
        .unwrap_or(if late.is_some() { INTERRUPTED } else { 0 });
    let told = |came: &Came| format!("{}: {}", came.step, came.reason);
    let noted = came.iter().filter(|came| came.status != 0 && !came.counts());
    let mut reasons: Vec<String> = counted().map(told).chain(late.map(str::to_owned)).collect();
    if reasons.is_empty() {
        let changed = came.iter().any(|came| came.changed);
        reasons.push(if changed { "done" } else { "done, nothing has changed" }.to_owned());
    }
    reasons.extend(noted.map(|came| format!("(noted) {}", told(came))));
    (status, reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::step::What;

    fn step(what: What, when: When) -> Step {
        let name = what.word().parse().unwrap();
        Step { name, what, when, if_given: None, on_failure: OnFailure::Stop, timeout: None }
    }

    fn came(step: &str, status: u8, weight: OnFailure, changed: bool) -> Came {
        Came { step: step.parse().unwrap(), status, weight, reason: format!("{step} ended with {status}"), changed }
    }

    #[test]
    fn a_step_is_run_when_what_came_before_it_is_as_it_wants() {
        use OnFailure::{GoOn, Note, Stop};
        let good = || came("plan", 0, Stop, false);
        let changed = || came("push", 0, Stop, true);
        for (before, always, when_changed, when_failed, when_succeeded) in [
            (vec![], true, false, false, true),
            (vec![good()], true, false, false, true),
            (vec![changed(), good()], true, true, false, true),
            (vec![came("sync", 1, Stop, false)], false, false, true, false),
            (vec![came("sync", 1, Stop, true), good()], false, false, true, false),
            (vec![came("push", 3, GoOn, true)], true, true, true, false),
            (vec![came("parity", 1, Note, false)], true, false, false, true),
        ] {
            let runs = |when| turn(&step(What::Prune, when), &before, &Given::default(), None) == Turn::Run;
            let runs = [When::Always, When::Changed, When::Failed, When::Succeeded].map(runs);
            assert_eq!(runs, [always, when_changed, when_failed, when_succeeded], "{before:?}");
        }
    }

    #[test]
    fn once_nothing_new_may_start_only_what_concludes_is_run() {
        let late = |what| turn(&step(what, When::Always), &[], &Given::default(), Some("it is late"));
        assert_eq!(late(What::Verify), Turn::Late("it is late".into()));
        assert_eq!(late(What::Sync { on: None }), Turn::Late("it is late".into()));
        assert_eq!(late(What::Prune), Turn::Run);
        let skipped = turn(&step(What::Verify, When::Failed), &[], &Given::default(), Some("it is late"));
        assert_eq!(skipped, Turn::Skip("nothing has failed".into()), "what would not be run is not late");
        let optional = Step { if_given: Some("package".parse().unwrap()), ..step(What::Prune, When::Always) };
        assert_eq!(turn(&optional, &[], &Given::default(), None), Turn::Skip("package was not given".into()));
    }

    #[test]
    fn the_status_of_a_run_is_that_of_what_weighs_most_and_all_reasons_are_told() {
        use OnFailure::{GoOn, Note, Stop};
        for (before, late, status, reason) in [
            (vec![], None, 0, "done, nothing has changed"),
            (vec![came("push", 0, Stop, true)], None, 0, "done"),
            (vec![came("push", 3, GoOn, true)], None, 3, "push: push ended with 3"),
            (
                vec![came("push", 3, GoOn, true), came("finalize", 1, Stop, false)],
                None,
                1,
                "push: push ended with 3; finalize: finalize ended with 1",
            ),
            (vec![came("push", 130, GoOn, true)], None, 130, "push: push ended with 130"),
            (vec![came("push", 3, GoOn, true)], Some("it is late"), 3, "push: push ended with 3; it is late"),
            (vec![], Some("it is late"), 130, "it is late"),
            (
                vec![came("parity", 1, Note, false)],
                None,
                0,
                "done, nothing has changed; (noted) parity: parity ended with 1",
            ),
        ] {
            assert_eq!(sum(&before, late), (status, reason.to_owned()), "{before:?}");
        }
    }
}
