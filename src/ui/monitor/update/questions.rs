//! What is asked before it is done, and what an answer comes to.

use ratatui::crossterm::event::KeyCode;

use super::super::message::{Deed, Tone, Wish};
use super::super::model::{Answer, Model, Question};
use crate::core::overview::Place;

/// An answer was given.
pub fn answered(model: &mut Model, question: Question, code: KeyCode) -> Option<Wish> {
    let given = |(key, _): &(char, Answer)| code == KeyCode::Char(*key);
    match question.answers.into_iter().find(given) {
        Some((_, Answer::Do(deed))) => begin(model, deed),
        Some((_, Answer::Quit)) => Some(Wish::Quit),
        None => {
            model.notice = Some((question.otherwise.to_owned(), Tone::Plain));
            None
        }
    }
}

/// Has something done, one thing at a time.
pub fn begin(model: &mut Model, deed: Deed) -> Option<Wish> {
    if let Some(busy) = &model.busy {
        let busy = busy.arguments().join(" ");
        model.notice = Some((format!("`swarm {busy}` is being carried out: wait for it"), Tone::Bad));
        return None;
    }
    model.busy = Some(deed.clone());
    Some(Wish::Do(deed))
}

/// The end, unless something is being carried out.
pub fn quit(model: &mut Model) -> Option<Wish> {
    let Some(busy) = &model.busy else { return Some(Wish::Quit) };
    model.question = Some(Question {
        words: format!("`swarm {}` is being carried out, and goes on. Leave? y/N", busy.arguments().join(" ")),
        answers: vec![('y', Answer::Quit)],
        otherwise: "",
    });
    None
}

fn refuse(model: &mut Model, why: &str) {
    model.notice = Some((why.to_owned(), Tone::Bad));
}

/// Whether to try the chosen package again, or all that failed.
pub fn unblock(model: &mut Model) {
    let Some(look) = &model.look else { return refuse(model, "nothing is known yet") };
    if look.overview.build.as_ref().is_none_or(|build| build.released.is_some()) {
        return refuse(model, "no build is open, so nothing has failed in it");
    }
    let failed = look.overview.failed.len();
    let chosen = model.chosen_package().and_then(|label| look.row(label));
    let chosen = chosen.filter(|row| matches!(row.view.place, Place::Failed | Place::Blocked));
    let mut answers = vec![('a', Answer::Do(Deed::Unblock(None)))];
    let words = match (chosen, failed) {
        (Some(row), _) => {
            let label = row.view.label.clone();
            let words = format!("Try again? y {label}, a all {failed} that failed, N nothing");
            answers.push(('y', Answer::Do(Deed::Unblock(Some(label)))));
            words
        }
        (None, 0) => {
            answers.push(('y', Answer::Do(Deed::Unblock(None))));
            "No package has failed. Let grounded drones work again? y/N".to_owned()
        }
        (None, failed) => format!("Try all {failed} that failed again? a all, N nothing"),
    };
    model.question = Some(Question { words, answers, otherwise: "nothing is tried again" });
}

/// Whether to forget the build, with what that loses.
pub fn reset(model: &mut Model) {
    let Some(build) = model.look.as_ref().and_then(|look| look.overview.build.as_ref()) else {
        return refuse(model, "there is no build to forget");
    };
    if build.released.is_some() {
        return refuse(model, "the build is live, and stays so; there is no other to forget");
    }
    let (packages, id) = (build.packages, build.id.clone());
    let words = format!(
        "Forget build {id}? Lost: {} packages that are received and not live, {} at work. y/N",
        packages.received, packages.delegated
    );
    let answers = vec![('y', Answer::Do(Deed::Reset(id)))];
    model.question = Some(Question { words, answers, otherwise: "nothing was reset" });
}

/// Whether to release the build, or what can go live of it.
pub fn finalize(model: &mut Model) {
    let Some(build) = model.look.as_ref().and_then(|look| look.overview.build.as_ref()) else {
        return refuse(model, "there is no build to release");
    };
    if let Some(release) = &build.released {
        let why = format!("the build is live already, with release {release}");
        return refuse(model, &why);
    }
    let (packages, id) = (build.packages, build.id.clone());
    let partial = packages.received < packages.all();
    let words = if partial {
        format!(
            "Only {} of {} packages of build {id} are received. Release what can go live of them? y/N",
            packages.received,
            packages.all()
        )
    } else {
        format!("Release all {} packages of build {id}? y/N", packages.all())
    };
    let answers = vec![('y', Answer::Do(Deed::Finalize { build: id, partial }))];
    model.question = Some(Question { words, answers, otherwise: "nothing was released" });
}
