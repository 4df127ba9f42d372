//! What keys do.

use ratatui::crossterm::event::KeyCode;

use super::scene::{NOW, Scene, look, state};
use crate::core::event::Event;
use crate::core::names::Timestamp;
use crate::ui::monitor::text::KEYS;
use crate::ui::monitor::{Deed, Message, Pane, Section, Wish};

const SIZE: (u16, u16) = (80, 24);

/// The name of the package that is chosen.
fn chosen(scene: &Scene) -> &str {
    scene.model.chosen_package().unwrap()
}

fn deeds(scene: &Scene) -> Vec<String> {
    let deed = |wish: &Wish| match wish {
        Wish::Do(deed) => Some(deed.arguments().join(" ")),
        _ => None,
    };
    scene.wishes.iter().filter_map(deed).collect()
}

#[test]
fn what_changes_something_asks_first_and_any_other_key_leaves_it() {
    for (keys, done) in [
        ("b", vec!["balance"]),
        ("R", vec![]),
        ("Rn", vec![]),
        ("R\n", vec![]),
        ("Rj", vec![]),
        ("Ry", vec!["reset --yes --build 20261126T200000"]),
        ("fn", vec![]),
        ("fy", vec!["finalize --partial --build 20261126T200000"]),
        ("4u\u{1b}", vec![]),
        ("4uy", vec!["unblock net-libs/nodejs-22.12.0"]),
        ("4ua", vec!["unblock"]),
        ("5uy", vec!["unblock www-client/firefox-133.0"]),
        ("6uy", vec![]),
        ("6ua", vec!["unblock"]),
        ("d", vec![]),
        ("\t\t\td", vec!["drain izar"]),
        ("\t\t\tjjd", vec!["undrain tarn"]),
        ("bb", vec!["balance"]),
        ("bRy", vec!["balance"]),
    ] {
        let mut scene = Scene::new(SIZE, true);
        scene.press(keys);
        assert_eq!(deeds(&scene), done, "{keys:?}");
        assert!(scene.model.question.is_none() || keys == "R" || keys == "6uy", "{keys:?}");
    }
}

#[test]
fn a_reset_names_what_is_lost() {
    let mut scene = Scene::new(SIZE, true);
    scene.press("R");
    let words = scene.model.question.as_ref().unwrap().words.clone();
    assert!(words.contains("2 packages that are received and not live, 2 at work"), "{words}");
}

#[test]
fn an_answer_stands_in_a_line_and_among_the_events() {
    let mut scene = Scene::new(SIZE, true);
    scene.press("b");
    let lines = vec!["4 packages wait".to_owned(), "the controller is\u{1b}c just ending".to_owned()];
    scene.tell(Message::Done { deed: Deed::Balance, lines, good: false });
    let (notice, _) = scene.model.notice.clone().unwrap();
    assert_eq!(notice, "swarm balance: the controller is\u{1b}c just ending");
    let told: Vec<_> = scene.model.events.iter().rev().take(3).map(|said| said.text.clone()).collect();
    assert_eq!(told, ["  the controller is\u{1b}c just ending", "  4 packages wait", "swarm balance"]);
    scene.press("b");
    assert_eq!(deeds(&scene).len(), 2, "the next one can be done");
}

#[test]
fn what_is_chosen_stays_chosen_as_the_state_changes() {
    let mut scene = Scene::new(SIZE, true);
    scene.press("1");
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(chosen(&scene).to_owned());
        scene.press("j");
    }
    seen.dedup();
    let places = ["net-libs/nodejs-22.12.0", "sys-devel/llvm-19.1.4", "dev-qt/qtbase-6.8.1"];
    assert_eq!((seen.len(), &seen[..3]), (10, &places.map(str::to_owned)[..]), "what matters comes first");
    scene.press("gj");
    assert_eq!(chosen(&scene), "sys-devel/llvm-19.1.4");
    let mut state = state();
    state.apply(&Event::RetryAsked { packages: [].into(), at: Timestamp(NOW) }).unwrap();
    scene.tell(Message::Look(Box::new(look(&state, 5))));
    assert_eq!(
        (chosen(&scene), scene.model.packages_at.at),
        ("sys-devel/llvm-19.1.4", 0),
        "nothing has failed any more"
    );
}

#[test]
fn a_filter_takes_names_in_any_case_and_goes_with_escape() {
    let mut scene = Scene::new(SIZE, true);
    scene.press("/QTW");
    assert_eq!((scene.model.shown.len(), chosen(&scene)), (1, "dev-qt/qtwebengine-6.8.1"));
    scene.press("\u{8}\n");
    assert_eq!((scene.model.shown.len(), scene.model.typing), (2, false));
    scene.press("q");
    assert_eq!(scene.wishes, [Wish::Quit], "keys are keys again");
    scene.press("\u{1b}");
    assert_eq!(scene.model.shown.len(), 10);
}

#[test]
fn sections_and_panes_are_gone_through() {
    let mut scene = Scene::new(SIZE, true);
    for (key, section, count) in [
        (KeyCode::Right, Section::Waiting, 4),
        (KeyCode::Right, Section::Building, 2),
        (KeyCode::Right, Section::Failed, 1),
        (KeyCode::Right, Section::Blocked, 1),
        (KeyCode::Right, Section::Received, 2),
        (KeyCode::Right, Section::All, 10),
        (KeyCode::Left, Section::Received, 2),
        (KeyCode::Char('4'), Section::Failed, 1),
    ] {
        scene.key(key);
        assert_eq!((scene.model.section, scene.model.shown.len()), (section, count), "{key:?}");
    }
    let panes = [Pane::Events, Pane::Swarm, Pane::Drones, Pane::Packages];
    for pane in panes {
        scene.key(KeyCode::Tab);
        assert_eq!(scene.model.pane, pane);
    }
    scene.key(KeyCode::BackTab);
    assert_eq!(scene.model.pane, Pane::Drones);
}

#[test]
fn log_and_explanation_are_of_what_is_chosen_where_the_keys_go() {
    let mut scene = Scene::new(SIZE, true);
    scene.press("2l");
    scene.press("qe");
    scene.press("q\t\t\tl");
    let label = |wish: &Wish| match wish {
        Wish::Log(label) => format!("log {label}"),
        Wish::Explain(label) => format!("explain {label}"),
        other => format!("{other:?}"),
    };
    let wishes: Vec<_> = scene.wishes.iter().map(label).collect();
    assert_eq!(
        wishes,
        ["log media-libs/mesa-24.3.1", "NoLog", "explain media-libs/mesa-24.3.1", "log sys-devel/llvm-19.1.4"]
    );
}

#[test]
fn a_log_grows_at_its_end_until_somebody_scrolls_and_is_not_mixed_with_another() {
    let mut scene = Scene::new(SIZE, true);
    scene.press("3l");
    let label = chosen(&scene).to_owned();
    let tell = |scene: &mut Scene, label: &str, text: &str, begins| {
        scene.tell(Message::Log { label: label.to_owned(), text: text.to_owned(), begins });
    };
    let window = |scene: &Scene| match &scene.model.window {
        Some(super::super::model::Window::Log(log)) => log.clone(),
        other => panic!("{other:?}"),
    };
    tell(&mut scene, &label, &"line\n".repeat(100), true);
    tell(&mut scene, &label, "half a ", false);
    tell(&mut scene, &label, "line\n", false);
    tell(&mut scene, "another-1.0", "nothing of this\n", false);
    assert_eq!((window(&scene).count(), window(&scene).lines[100].as_str()), (101, "half a line"));
    assert!(window(&scene).scroll.follows());
    scene.press("k");
    assert!(!window(&scene).scroll.follows());
    scene.press("G");
    assert!(window(&scene).scroll.follows());
    tell(&mut scene, &label, "the log of another job\n", true);
    assert_eq!(window(&scene).count(), 1);
    tell(&mut scene, &label, &"x\n".repeat(50_000), false);
    assert!(window(&scene).count() <= 20_000);
}

#[test]
fn whoever_quits_while_something_is_carried_out_is_asked() {
    let mut scene = Scene::new(SIZE, true);
    scene.press("bq");
    assert_eq!(scene.wishes.last(), Some(&Wish::Do(Deed::Balance)));
    scene.press("nqy");
    assert_eq!(scene.wishes.last(), Some(&Wish::Quit));
    let mut scene = Scene::empty(SIZE, true);
    scene.control('c');
    scene.control('z');
    assert_eq!(scene.wishes, [Wish::Quit, Wish::Suspend]);
}

#[test]
fn every_key_of_the_help_is_in_the_document() {
    let document = include_str!("../../../../docs/monitor.md");
    for (keys, does) in KEYS.iter().filter(|(keys, _)| !["", "*", "~12 min", "done", "left"].contains(keys)) {
        for key in keys.split([',', ' ']).filter(|key| !key.is_empty() && *key != "to") {
            assert!(document.contains(&format!("`{key}`")), "{key}: {does}");
        }
    }
}

#[test]
fn keys_before_anything_is_known_want_nothing() {
    let mut scene = Scene::empty(SIZE, true);
    scene.press("uRfdle\t\tjG");
    assert_eq!(scene.wishes, []);
}
