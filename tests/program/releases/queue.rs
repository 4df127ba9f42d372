//! A build that is set aside while another has its turn: its packages stay, count for others, and can still go live.

use std::collections::BTreeSet;

use swarm::controller::queue::{open_next, submit};
use swarm::core::event::Selection;
use swarm::core::order::Submission;

use super::farm::{Farm, Wanted, wanted};

const FOO: &str = "app-lab/foo/foo-1.0-1.gpkg.tar";
const BAR: &str = "app-lab/bar/bar-1.0-1.gpkg.tar";

fn asked(atom: &str, packages: &[Wanted]) -> Submission {
    let selection = Selection::Atoms(BTreeSet::from([atom.parse().unwrap()]));
    Submission { selection, plan: Farm::plan(packages), finalize: false, rebuild: false }
}

#[tokio::test]
async fn what_two_builds_have_stays_in_staging_until_neither_wants_it_and_each_is_released_or_given_up_by_its_name() {
    let farm = Farm::new("");
    let (foo, bar, baz) = (wanted("app-lab/foo-1.0", 1), wanted("app-lab/bar-1.0", 1), wanted("app-lab/baz-1.0", 1));
    let staged = |path: &str| farm.path("staging").join(path).exists();
    let mut session = farm.session().await;
    farm.open_build(&mut session, &[foo.clone(), bar.clone()]);
    let two = asked("app-lab/baz", &[bar.clone(), baz.clone().missing()]);
    let name = submit(&mut session, &two).unwrap().build.unwrap();
    assert_eq!(submit(&mut session, &two).unwrap().build, Some(name.clone()), "the same is asked for once");
    let empty = submit(&mut session, &asked("app-lab/none", &[])).unwrap();
    assert!(empty.build.is_none() && empty.lines[0].contains("nothing is to be built"), "{empty:?}");

    open_next(&mut session, &name).unwrap();
    let open = session.state().open_build().unwrap();
    assert_eq!(open.received().map(|(_, file)| file.path.as_str()).collect::<Vec<_>>(), [BAR], "it is not built again");
    drop(session);
    farm.swarm(&["status"]).gives(0, &[name.as_str(), "set aside: build build1"]);
    farm.swarm(&["finalize"]).gives(1, &["is not complete"]);
    farm.swarm(&["finalize", "--build", "build2"]).gives(1, &["no build build2 waits"]);
    farm.swarm(&["finalize", "--build", "build1", "--dry-run"]).gives(0, &["a release would have 2 packages"]);
    farm.swarm(&["finalize", "--build", "build1"]).gives(0, &["is live: 2 packages"]);
    assert!(!staged(FOO) && staged(BAR), "the open build still has it");
    assert_eq!(farm.listed(), [BAR, FOO]);

    // What is live by now is over as soon as it has its turn.
    let mut session = farm.session().await;
    let live = asked("app-lab/foo", &[foo]);
    let nothing = submit(&mut session, &live).unwrap();
    assert!(nothing.build.is_none() && nothing.lines[0].contains("has the 1 packages just as wanted"), "{nothing:?}");
    let anew = submit(&mut session, &Submission { rebuild: true, ..live }).unwrap().build.unwrap();
    drop(session);
    let what = format!("build {name}, the 1 packages received for it that are not live, and 0 jobs");
    farm.swarm(&["reset", "--dry-run"]).gives(0, &[&format!("{what} would be given up; nothing was changed")]);
    farm.swarm(&["reset"]).gives(1, &[&format!("it gives up {what}, and nobody can be asked here: say --yes")]);
    farm.at_a_terminal(&["reset"], "n\n").gives(1, &[&format!("Give up {what}? [y/N] "), "nothing was changed"]);
    assert!(staged(BAR));
    farm.at_a_terminal(&["reset"], "y\n").gives(0, &[&format!("build {name} is forgotten, with 1 received")]);
    assert!(!staged(BAR) && farm.live(BAR).exists());
    farm.swarm(&["reset", "--yes"]).gives(0, &[&format!("build {anew} is forgotten, with 0 received")]);
    farm.swarm(&["reset", "--yes"]).gives(1, &["no build is open"]);
}
