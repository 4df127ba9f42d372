//! Channels: what each wants to hear, and one that cannot be told.

use super::*;

#[test]
fn what_somebody_saw_for_himself_is_told_only_where_that_is_wanted_or_once_it_happens_again_unseen() {
    let mut scene = Scene::new(plan(1, &[]), &[(4, 1), (4, 1)]);
    scene.listeners.push(Listener { attended: true, ..listener("pager") });
    scene.facts.attended = true;
    scene.fail(1, 0, "drone0");
    scene.fail(2, 0, "drone1");
    let told = scene.look();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].channel.as_str(), "pager");
    scene.facts.attended = false;
    scene.pass(HOUR);
    assert_eq!(scene.told.len(), 1, "nothing has happened since");
    let at = scene.at();
    scene.apply(Event::RetryAsked { packages: BTreeSet::new(), at });
    scene.fail(3, 0, "drone0");
    scene.fail(4, 0, "drone1");
    let told = scene.look();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].channel.as_str(), "mail");
}

#[test]
fn a_channel_hears_only_of_what_it_wants_and_of_ends_only_what_it_was_told() {
    let mut scene = Scene::new(plan(1, &[]), &[(4, 1), (4, 1)]);
    let of = |name: &str, on: &[Kind]| Listener { on: on.iter().copied().collect(), ..listener(name) };
    scene.listeners = vec![
        of("failures", &[Kind::Failure]),
        of("stalls", &[Kind::Stall, Kind::Recovery]),
        of("both", &[Kind::Failure, Kind::Recovery]),
    ];
    scene.fail(1, 0, "drone0");
    scene.fail(2, 0, "drone1");
    let names = |told: Vec<Telling>| told.iter().map(|told| told.channel.to_string()).collect::<Vec<_>>();
    assert_eq!(names(scene.look()), ["failures", "both"]);
    let at = scene.at();
    scene.apply(Event::RetryAsked { packages: BTreeSet::new(), at });
    scene.receive(3, 0, "drone0");
    assert_eq!(names(scene.look()), ["both"]);

    // The next night it fails again: that is news to whoever heard of no end, too.
    scene.now += 24 * HOUR;
    let (build, selection, at) = ("build2".parse().unwrap(), Selection::World, scene.at());
    let (plan, live) = (plan(1, &[]), BTreeMap::new());
    scene.apply(Event::BuildOpened { build, selection, plan, live, rebuild: true, at });
    scene.fail(4, 0, "drone0");
    scene.fail(5, 0, "drone1");
    assert_eq!(names(scene.look()), ["failures", "both"]);
}

#[test]
fn a_channel_that_fails_is_asked_again_with_growing_pauses_and_loses_nothing() {
    let mut scene = Scene::new(plan(1, &[]), &[(4, 1), (4, 1)]);
    scene.fail(1, 0, "drone0");
    scene.fail(2, 0, "drone1");
    for event in look(&scene.state, &scene.facts, scene.at()) {
        scene.apply(event);
    }
    let mut tries = Vec::new();
    for minute in 0..=300 {
        scene.now = minute * MINUTE;
        if due(&scene.state, &scene.listeners, scene.at()).is_empty() {
            continue;
        }
        tries.push(minute);
        let (channel, why, at) = ("mail".parse().unwrap(), "is away".to_owned(), scene.at());
        scene.apply(Event::ChannelFailed { channel, why, at });
    }
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    let view = crate::core::status::Status::of(&scene.state, None, scene.at());
    assert_eq!(view.channels.len(), 1);
    scene.now += HOUR;
    assert_eq!(scene.headlines().0.len(), 1);
    assert!(scene.state.alarms.channels.is_empty());
}
