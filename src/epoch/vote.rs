//! A host as a voter: asked what it has promised, for a promise, or whether it keeps it ([`crate::core::election`]).

use super::EPOCH;
use crate::core::election::voter::{Answer, Knowledge, Lesson, Mark, Promise, Request, Term};
use crate::core::names::{ControllerName, Epoch};
use crate::ssh::ask::{MARK, ask};
use crate::ssh::{Host, HostError, Script};

/// Puts a request to a voter.
///
/// # Errors
/// When it is lost, or its epoch file cannot be used.
pub async fn put(host: &dyn Host, workdir: &str, request: &Request) -> Result<Answer, HostError> {
    ask(host, &script(workdir, request), &format!("voting in {workdir}"), read).await
}

fn script(workdir: &str, request: &Request) -> Script {
    let (step, epoch, holder, lease, take_over, lesson) = match request {
        Request::Ask => ("ask", Epoch(0), "", 0, false, None),
        Request::Claim { epoch, holder, lease, take_over, lesson } => {
            ("claim", *epoch, holder.as_str(), *lease, *take_over, lesson.as_ref())
        }
        Request::Confirm { epoch, holder, lease, lesson } => {
            ("confirm", *epoch, holder.as_str(), *lease, false, lesson.as_ref())
        }
    };
    let taught = lesson.map_or_else(Knowledge::none, |lesson: &Lesson| lesson.newest.clone());
    let name = |name: Option<ControllerName>| name.map_or_else(String::new, |name| name.to_string());
    let latest = taught.latest.as_ref().map_or(Epoch(0), |term| term.epoch);
    Script::new(format!("{EPOCH}{}", include_str!("vote.sh")))
        .set("mark", MARK)
        .set("workdir", workdir)
        .set("step", step)
        .set("epoch", &epoch.to_string())
        .set("controller", holder)
        .set("lease_seconds", &lease.to_string())
        .set("take_over", if take_over { "yes" } else { "no" })
        .set("lesson", &lesson.map_or_else(String::new, |lesson| lesson.mark.0.to_string()))
        .set("lesson_epoch", &taught.promise.epoch.to_string())
        .set("lesson_left", &taught.promise.left.to_string())
        .set("lesson_holder", &name(taught.promise.holder))
        .set("lesson_latest", &latest.to_string())
        .set("lesson_by", &name(taught.latest.map(|term| term.controller)))
}

fn read(lines: &[Vec<String>]) -> Option<Answer> {
    lines.iter().find_map(|line| match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["granted", latest, by] => Some(Answer::Granted(term(latest, by)?)),
        ["lost", mark] => Some(Answer::Lost(Mark(mark.parse().ok()?))),
        ["has", epoch, left, holder, latest, by] => {
            let (epoch, holder) = (Epoch(epoch.parse().ok()?), holder.parse().ok());
            let promise = Promise { epoch, holder, left: left.parse().ok()? };
            Some(Answer::Has(Knowledge { promise, latest: term(latest, by)? }))
        }
        _ => None,
    })
}

/// A term, or that there was none; nothing where that cannot be read.
fn term(epoch: &str, controller: &str) -> Option<Option<Term>> {
    let epoch = Epoch(epoch.parse().ok()?);
    Some(controller.parse().ok().map(|controller| Term { epoch, controller }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::election::voter::Record;
    use crate::ssh::LocalHost;

    /// A request in which everything that could matter differs now and then.
    fn requests() -> impl Strategy<Value = Request> {
        let name = prop_oneof![Just("altair-1"), Just("izar-2")].prop_map(|name| name.parse().unwrap());
        let epoch = (0..6u64).prop_map(Epoch);
        // Leases that are over at once, or not while the test lasts: the script reads the clock.
        let lease = prop_oneof![Just(0u64), Just(1_000), Just(5_000)];
        let term = (epoch.clone(), name.clone()).prop_map(|(epoch, controller)| Term { epoch, controller });
        let promise = (epoch.clone(), prop::option::of(name.clone()), lease.clone())
            .prop_map(|(epoch, holder, left)| Promise { epoch, holder, left });
        let newest = (promise, prop::option::of(term)).prop_map(|(promise, latest)| Knowledge { promise, latest });
        let lesson = prop::option::of(
            (any::<bool>(), newest).prop_map(|(right, newest)| Lesson { mark: Mark(u64::from(!right)), newest }),
        );
        let claim = (epoch.clone(), name.clone(), lease.clone(), any::<bool>(), lesson.clone()).prop_map(
            |(epoch, holder, lease, take_over, lesson)| Request::Claim { epoch, holder, lease, take_over, lesson },
        );
        let confirm = (epoch, name, lease, lesson).prop_map(|(epoch, holder, lease, lesson)| Request::Confirm {
            epoch,
            holder,
            lease,
            lesson,
        });
        prop_oneof![1 => Just(Request::Ask), 3 => claim, 2 => confirm]
    }

    /// A second or two may have passed between the two of them.
    fn like(script: &Answer, model: &Answer) -> bool {
        match (script, model) {
            (Answer::Has(script), Answer::Has(model)) => {
                let (own, other) = (&script.promise, &model.promise);
                (own.epoch, &own.holder, &script.latest) == (other.epoch, &other.holder, &model.latest)
                    && own.left.abs_diff(other.left) < 60
            }
            (script, model) => script == model,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn a_host_answers_as_the_voter_of_the_model_also_where_its_file_is_lost(
            steps in prop::collection::vec(prop_oneof![8 => requests().prop_map(Some), 1 => Just(None)], 1..14),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let place = tempfile::tempdir().unwrap();
            let workdir = place.path().to_str().unwrap().to_owned();
            let host = LocalHost::here();
            let mut model = Record::Lost(Mark(0));
            let mut own = None;
            for step in std::iter::once(None).chain(steps) {
                let Some(request) = step else {
                    let _was_there = std::fs::remove_file(place.path().join("epoch"));
                    model = Record::Lost(Mark(0));
                    // The mark is the host's own; the model calls it 0.
                    let Answer::Lost(mark) = runtime.block_on(put(&host, &workdir, &Request::Ask)).unwrap() else {
                        return Err(TestCaseError::fail("the loss was not seen"));
                    };
                    own = Some(mark);
                    continue;
                };
                let expected = model.answer(&request, 0);
                let answer = runtime.block_on(put(&host, &workdir, &with_mark(request.clone(), own))).unwrap();
                let answer = if own.is_some_and(|own| answer == Answer::Lost(own)) { Answer::Lost(Mark(0)) } else { answer };
                prop_assert!(like(&answer, &expected), "{answer:?}, not {expected:?}, to {request:?}");
            }
        }
    }

    fn with_mark(mut request: Request, own: Option<Mark>) -> Request {
        if let Request::Claim { lesson: Some(lesson), .. } | Request::Confirm { lesson: Some(lesson), .. } =
            &mut request
            && lesson.mark == Mark(0)
        {
            lesson.mark = own.unwrap_or(lesson.mark);
        }
        request
    }
}
