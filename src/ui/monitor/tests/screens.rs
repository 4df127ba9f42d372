//! What is seen.

use std::path::PathBuf;

use proptest::prelude::*;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use super::scene::{Scene, look, state};
use crate::core::names::Timestamp;
use crate::ui::monitor::{Link, Message, Model, draw};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

/// What a model looks like.
fn seen(model: &Model) -> Buffer {
    let mut terminal = ratatui::Terminal::new(TestBackend::new(model.size.0, model.size.1)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buffer.area.height).map(row).collect::<Vec<_>>().join("\n") + "\n"
}

/// Where something looks otherwise than the terminal's own text: row, columns, colour and attributes.
fn styles(buffer: &Buffer) -> String {
    let mut told = String::new();
    for y in 0..buffer.area.height {
        let style = |x: u16| buffer[(x, y)].style();
        let mut from = 0;
        for x in 1..=buffer.area.width {
            if x < buffer.area.width && style(x) == style(from) {
                continue;
            }
            if let Some(words) = style_words(style(from)) {
                told.push_str(&format!("{y:>2} {from}..{x} {words}\n"));
            }
            from = x;
        }
    }
    told
}

fn style_words(style: Style) -> Option<String> {
    let colour = style.fg.filter(|colour| *colour != Color::Reset).map(|colour| colour.to_string().to_lowercase());
    let attributes = style.add_modifier.iter_names().map(|(name, _)| name.to_lowercase());
    let words: Vec<String> = colour.into_iter().chain(attributes).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Compares what is seen with what is kept.
fn compare(name: &str, make: impl Fn((u16, u16), bool) -> Scene) {
    for size in SIZES {
        let [coloured, plain] = [true, false].map(|coloured| seen(&make(size, coloured).model));
        let told = format!(
            "{}\n-- with colours\n{}\n-- without\n{}\n-- without Unicode\n{}",
            text(&coloured),
            styles(&coloured),
            styles(&plain),
            text(&plain).lines().take(3).collect::<Vec<_>>().join("\n") + "\n",
        );
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("src/ui/monitor/tests/screens/{name}-{}x{}.txt", size.0, size.1));
        if std::env::var_os("SWARM_BLESS").is_some() {
            std::fs::write(&path, told).unwrap();
            continue;
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(told == kept, "{} is not what is seen now (SWARM_BLESS=1 writes it anew):\n{told}", path.display());
    }
}

#[test]
fn a_build_in_the_middle() {
    compare("build", Scene::new);
}

#[test]
fn nothing_yet() {
    compare("empty", Scene::empty);
}

#[test]
fn the_drones_have_the_keys() {
    compare("drones", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("\t\t\tj");
        scene
    });
}

#[test]
fn the_swarm_is_looked_at_and_the_connection_is_away() {
    compare("swarm", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("\t\t");
        let since = Timestamp(super::scene::NOW - 90);
        scene.tell(Message::Link(Link::Away { since, why: "the controller, asked through x, is\u{1b}c gone".into() }));
        scene
    });
}

#[test]
fn what_failed_is_to_be_tried_again() {
    compare("unblock", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("4u");
        scene
    });
}

#[test]
fn a_reset_is_asked_for() {
    compare("reset", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("R");
        scene
    });
}

#[test]
fn packages_are_filtered() {
    compare("filter", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("/QT");
        scene
    });
}

#[test]
fn the_keys_are_helped_with() {
    compare("help", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("?");
        scene
    });
}

#[test]
fn a_package_is_explained() {
    compare("explain", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("2Ge");
        scene
    });
}

#[test]
fn a_log_is_followed() {
    compare("log", |size, coloured| {
        let mut scene = Scene::new(size, coloured);
        scene.press("3l");
        let label = scene.model.chosen_package().unwrap().to_owned();
        let text = (0..300).map(|line| format!("[{line}/300] \u{1b}[32mc++\u{1b}[0m -c file{line}.cpp\n"));
        let mut text: String = text.collect();
        text.push_str("  0 %\r 50 %\r100 %\nunfinished \u{202e}line");
        scene.tell(Message::Log { label, text, begins: true });
        scene
    });
}

/// Everything that keys can bring about.
const KEYS: &str = "\t\t\tjkgG bdulReyfna?q/q\n\u{1b}\u{8}123456 ";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_size_and_no_keys_break_it_and_nothing_acts_on_the_terminal(
        width in 1u16..220, height in 1u16..70, keys in prop::collection::vec(0..KEYS.chars().count(), 0..25),
        coloured: bool, later in 0i64..1_000_000,
    ) {
        let mut scene = Scene::new((80, 24), coloured);
        let keys: String = keys.into_iter().filter_map(|at| KEYS.chars().nth(at)).collect();
        scene.press(&keys);
        scene.tell(Message::Resized(width, height));
        scene.tell(Message::Look(Box::new(look(&state(), later))));
        scene.press(&keys);
        let buffer = seen(&scene.model);
        for cell in buffer.content() {
            let acts = cell.symbol().chars().any(|each| each.is_control() || each == '\u{202e}');
            prop_assert!(!acts, "{:?}", cell.symbol());
            prop_assert_eq!(cell.bg, Color::Reset);
            prop_assert!(matches!(cell.fg, Color::Reset | Color::Red | Color::Green | Color::Magenta));
            if !coloured {
                let allowed = Modifier::BOLD | Modifier::UNDERLINED | Modifier::REVERSED;
                prop_assert!(cell.fg == Color::Reset && allowed.contains(cell.modifier));
                prop_assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
            }
        }
    }
}
