//! Whom clients get, told as a story: each step is a look, and who is active and who controls after it.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::core::names::Epoch;
use crate::inventory::Surroundings;

/// A fleet of `a` (100), `b` (200) and `c` (300, without an API), with `rise` 2 and `fall` 3.
fn fleet_with(settings: &str, leave_out: &str) -> Fleet {
    let mut text = format!("[swarm]\ndriver = 'local'\n{settings}\n");
    for (name, priority, api) in [("a", 100, true), ("b", 200, true), ("c", 300, false)] {
        if !leave_out.contains(name) {
            let api = if api { format!("api = 'http://{name}.test:8091'") } else { String::new() };
            text += &format!(
                "[orchestrators.{name}]\naddress = '{name}.test'\npriority = {priority}\nbinhost = 'http://{name}.test/packages'\n{api}\n"
            );
        }
    }
    let surroundings = Surroundings { home: Some(PathBuf::from("/home")), addresses: Vec::new() };
    Fleet::new(&Inventory::parse_at(&[("fleet.toml".into(), text)], surroundings).unwrap())
}

fn fleet() -> Fleet {
    fleet_with("", "")
}

/// A look: `a5` saw an index of time 5 at `a`, `a-` found nobody there, `a5/2` heard of epoch 2 from its API, and
/// `a5/-` nothing from it. Behind the epoch `!` is one who leads, `+` one who builds, `~` one
/// who has caught up, `?` one who may lack much.
fn look(fleet: &mut Fleet, step: &str) -> Vec<Change> {
    let (name, seen) = step.split_at(1);
    let (index, api) = seen.split_once('/').unwrap_or((seen, if seen == "-" { "-" } else { "1" }));
    let unreachable = || "cannot be reached".to_owned();
    let look = Look {
        index: index.parse().map(Timestamp).map_err(|_| unreachable()),
        api: (name != "c").then(|| {
            let epoch = api.trim_end_matches(['!', '+', '~', '?']).parse().map(Epoch).map_err(|_| unreachable())?;
            let is = |mark: char| api.contains(mark);
            let (leads, builds, caught_up, fresh) = (is('!'), is('+'), is('~'), !is('?'));
            Ok(Health { epoch: Some(epoch), leads, builds, caught_up, fresh, ..Health::default() })
        }),
    };
    fleet.saw(&name.parse().unwrap(), look, Timestamp(1000))
}

/// Plays steps; after each that has a `=`, the active one and the controller must be what stands behind it.
fn play(fleet: &mut Fleet, story: &str) {
    for step in story.split_whitespace() {
        let (step, after) = step.split_once('=').map_or((step, None), |(step, after)| (step, Some(after)));
        look(fleet, step);
        let name = |member: Option<&Member>| member.map_or("-".to_owned(), |member| member.name().to_string());
        let now = name(fleet.active()) + &name(fleet.controller());
        if let Some(after) = after {
            assert_eq!(now, after, "after {step} in {story}");
        }
    }
}

#[test]
fn clients_get_the_first_that_is_healthy_and_lost_packets_move_nothing() {
    // Nothing is chosen before all were looked at, and then the first.
    play(&mut fleet(), "b5=-- c5=-- a5=aa a-=aa a5=aa a-=aa a-=aa a5=aa");
    // Three in a row do, and two bring it back.
    play(&mut fleet(), "a5 b5 c5=aa a-=aa a-=aa a-=bb a5=bb a-=bb a5=bb a5=aa");
    // With none there is none, until one is back.
    play(&mut fleet(), "a- b- c-=-- c5=-- c5=c- b5=c- b5=bb");
}

#[test]
fn one_that_comes_back_with_an_old_release_stays_away_until_it_has_the_newest() {
    play(&mut fleet(), "a5 b5 c5=aa a- a- a-=bb b6=bb a5=bb a5=ba a5=ba a6=ba a6=aa");
    // Even when all are new to the gateway, in whatever order they are looked at.
    play(&mut fleet(), "a5 b6 c6=ba a5=ba a5=ba");
    play(&mut fleet(), "b6 c6 a5=ba");
    // The newest is remembered for as long as its orchestrator is listed.
    play(&mut fleet(), "a5 b5 c5=aa a6=aa a- a- a- b5 b5 b5 c5 c5 c5=-b");
}

#[test]
fn while_a_release_goes_round_the_active_one_stays_where_it_is() {
    play(&mut fleet(), "a5 b5 c5=aa b6=aa c6=aa a5=aa a5=aa a6=aa");
    // One that never gets it is left in the end.
    play(&mut fleet(), "a5 b5 c5=aa b6=aa a5=aa a5=aa a5=ba");
}

/// Plays steps, `^b` being that `b` was made the controller from here; after each that has a `=`, the controller and who
/// is to become it must be what stands behind it.
fn promote(settings: &str, story: &str) {
    let mut fleet = fleet_with(settings, "c");
    for step in story.split_whitespace() {
        let (step, after) = step.split_once('=').map_or((step, None), |(step, after)| (step, Some(after)));
        match step.strip_prefix('^') {
            Some(promoted) => fleet.has_promoted(promoted.parse().unwrap()),
            None => drop(look(&mut fleet, step)),
        }
        let name = |member: Option<&Member>| member.map_or("-".to_owned(), |member| member.name().to_string());
        let now = name(fleet.controller()) + &name(fleet.promotion());
        if let Some(after) = after {
            assert_eq!(now, after, "after {step} in {story}");
        }
    }
}

#[test]
fn a_standby_is_promoted_once_the_leader_is_down_and_gives_the_role_back_while_nothing_is_built() {
    let orchestrators = "controller = 'orchestrator'";
    // Nobody has ever built: nobody is promoted.
    promote(orchestrators, "a5/0 b5/0=a- a-/- a-/- a-/-=b- b5/0 b5/0=b-");
    // The leader dies, and comes back to follow who took over until that has nothing to do.
    promote(
        orchestrators,
        "a5/1!+ b5/1~=a- a-/- a-/-=a- a-/-=b- b5/1~=b- a-/-=b- b5/1~=bb ^b b5/2!+=b- a5/1! a5/1!=b- a5/2=b- a5/2~=b- \
         b5/2!=ba a5/3! b5/3~=a-",
    );
    // Where the operator has moved it, it stays.
    promote(orchestrators, "a5/2~ b5/2!=b- a5/2~=b-");
    // One whose binhost is not what clients are to get does not get the builds either.
    promote(orchestrators, "a5/1! b5/1~ a-/- a-/- a-/- ^b b6/2! a5/2~ a5/2~=b- a6/2~ a6/2~=ba");
    promote(&format!("{orchestrators}\nfailback = 'manual'"), "a5/2~ b5/2!=b- a-/- a-/- a-/- b-/- b-/- b-/-=--");
    // With its binhost alone down it goes on.
    promote(orchestrators, "a5/1! b5/1~ a-/1! a-/1! a-/1!=a-");
    // One that may lack much is not promoted unasked.
    promote(orchestrators, "a5/1! b5/1? a-/- a-/- a-/- b5/1? b5/1?=b- b5/1~=bb");
    // The standby knows the leader's new epoch first.
    promote(orchestrators, "a5/0 b5/0 b5/1~=b- a5/1!=a- b5/1~ b5/1~=a-");
    // A gateway that has just begun, and where the controller is somebody else's.
    promote(orchestrators, "b5/3~ a-/-=b- b5/3~ b5/3~=bb");
    promote("", "a5/1! b5/1~ a-/- a-/- a-/- b5/1~ b5/1~=b-");
}

#[test]
fn with_failback_by_hand_clients_stay_where_they_are() {
    let mut fleet = fleet_with("failback = 'manual'", "");
    play(&mut fleet, "a5 b5 c5=aa a- a- a-=bb a5 a5 a5=ba b- b- b-=aa");
}

#[test]
fn builds_go_to_the_highest_epoch_of_the_apis_that_answer() {
    play(&mut fleet(), "a5/1 b5/2 c5=ab b5/- b5/- b5/-=aa b-=aa a5/3=aa b5/2 b5/2=aa b5/4=ab");
    // A binhost that is down leaves the controller where it is.
    play(&mut fleet(), "a5 b5 c5=aa a-/1 a-/1 a-/1=ba");
}

#[test]
fn what_is_wrong_is_said_of_each_and_what_changes_is_told_once() {
    let mut fleet = fleet();
    play(&mut fleet, "a5 b6");
    let (a, b, c) = ("a".parse().unwrap(), "b".parse().unwrap(), "c".parse().unwrap());
    let down = Change::Binhost(c, Err("cannot be reached".to_owned()));
    assert_eq!(look(&mut fleet, "c-"), [down, Change::Active(Some(b)), Change::Controller(Some(a))]);
    assert_eq!(look(&mut fleet, "c-"), []);
    look(&mut fleet, "a5/-");
    let errors: Vec<_> = fleet.members().iter().map(|member| member.error.clone().unwrap_or_default()).collect();
    let behind = "is behind: its index is of 1970-01-01T00:00:05Z, that of b of 1970-01-01T00:00:06Z; \
                  `swarm finalize` publishes to it, or take b out of the inventory; its API cannot be reached";
    assert_eq!(errors, [behind, "", "cannot be reached"]);
    assert_eq!(fleet.members().iter().map(|each| fleet.is_healthy(each)).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn another_inventory_takes_over_what_is_known_of_those_that_stay() {
    let mut fleet = fleet();
    play(&mut fleet, "a5 b5 c6=ca c- c- c-=-a");
    // Without the one that had the newest, the others are behind nobody.
    let mut smaller = fleet_with("", "c");
    smaller.succeed(fleet);
    smaller.choose();
    play(&mut smaller, "a5 a5=aa b5 b5=aa");
    // One that is new is looked at before it can be active; the active one stays meanwhile.
    let mut larger = fleet_with("", "");
    larger.succeed(smaller);
    assert_eq!(larger.choose(), []);
    play(&mut larger, "b5=aa a-=aa a-=aa a-=bb c5 b- b- b-=c-");
}

#[test]
fn one_without_an_api_has_the_release_of_another_with_the_same_index() {
    let mut fleet = fleet();
    play(&mut fleet, "a5 b5 c5");
    let release = "1-7".parse::<ReleaseName>().unwrap();
    let answer = Health { release: Some(release.clone()), ..Health::default() };
    let look = Look { index: Ok(Timestamp(5)), api: Some(Ok(answer)) };
    fleet.saw(&"a".parse().unwrap(), look, Timestamp(1000));
    let c = fleet.members().last().unwrap();
    assert_eq!(fleet.release(c), Some(&release));
}

proptest! {
    /// Whatever is seen: who is active is up, nobody who is healthy stands before him once all checks agree, and who is
    /// behind never becomes active.
    #[test]
    fn whoever_becomes_active_is_up_and_not_behind(steps in prop::collection::vec(("[abc]", 0_i64..4), 0..80)) {
        let mut fleet = fleet();
        for (name, time) in steps {
            let before = fleet.active().map(|member| member.name().clone());
            let step = if time == 0 { format!("{name}-") } else { format!("{name}{time}") };
            look(&mut fleet, &step);
            let newest = fleet.members().iter().filter_map(|member| member.timestamp).max();
            if let Some(active) = fleet.active() {
                prop_assert!(active.binhost.is_up());
                if Some(active.name()) != before.as_ref() {
                    prop_assert_eq!(active.timestamp, newest);
                }
                let first = fleet.stand_ins().skip(1).find(|other| other.orchestrator.priority < active.orchestrator.priority);
                prop_assert_eq!(first, None);
            } else if fleet.members().iter().all(|member| member.last_check.is_some()) {
                prop_assert_eq!(fleet.stand_ins().next(), None);
            }
        }
    }
}

#[test]
fn a_storage_that_clients_can_read_is_one_more_binhost_in_the_same_order_and_without_an_api() {
    let entry = |name: &str, keys: &str| format!("[storage.{name}]\nurl = 's3://argo/{name}'\n{keys}\n");
    let attic = entry("x", "binhost = 'https://x.test/argo'\npriority = 150");
    let text = attic + &entry("y", "binhost = 'https://y.test/argo'") + &entry("z", "");
    let mut fleet = fleet_with(&text, "c");
    let names: Vec<&str> = fleet.members().iter().map(|member| member.name().as_str()).collect();
    assert_eq!(names, ["a", "x", "b", "y"], "nobody is sent where no client can read");
    let storage = &fleet.members()[1].orchestrator;
    assert_eq!((storage.address.as_str(), &storage.api, storage.speaks_tls()), ("s3://argo/x", &None, true));
    let mut saw = |name: &str, index: Result<i64, &str>| {
        let api = ["a", "b"].contains(&name).then(|| Err("cannot be reached".to_owned()));
        let index = index.map(Timestamp).map_err(str::to_owned);
        fleet.saw(&name.parse().unwrap(), Look { index, api }, Timestamp(1000));
        fleet.active().map(|member| member.name().to_string())
    };
    saw("a", Err("cannot be reached"));
    saw("b", Ok(5));
    saw("y", Ok(5));
    assert_eq!(saw("x", Ok(5)).as_deref(), Some("x"));
    for _ in 0..2 {
        saw("x", Err("cannot be reached"));
    }
    assert_eq!(saw("x", Err("cannot be reached")).as_deref(), Some("b"));
    assert_eq!(fleet.controller(), None);
}
