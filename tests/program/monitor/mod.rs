//! `swarm monitor` in a real terminal: keys, sizes, signals, and a controller that comes and goes.

pub mod screen;

use std::io::Write;
use std::process::Stdio;

use swarm::controller::socket::{Asked, Socket};
use swarm::controller::verb::{Answer, Verb};
use swarm::controller::{api, now};
use swarm::core::event::Event;
use swarm::core::names::{BuildId, Epoch, JobName};
use swarm::core::plan::PackageIndex;
use swarm::store::Journal;
use tokio::sync::{broadcast, mpsc};

use crate::notify::place::Place;
use screen::Screen;

const LOG: &str = "state/logs/app-misc/foo-1.0";

/// A place with a failed build and its log.
fn place() -> Place {
    let place = Place::new("");
    place.fail_a_build();
    std::fs::create_dir_all(place.path(LOG)).unwrap();
    std::fs::write(place.path(&format!("{LOG}/build1-1.log")), "first line\n\u{1b}[2J\u{1b}[31mred\u{1b}[0m line\n")
        .unwrap();
    place
}

/// A monitor in a terminal of its own; none where there is no such.
fn monitor(place: &Place, size: (u16, u16)) -> Option<Screen> {
    let screen = Screen::open(size, &place.path(""))?;
    screen.write("swarm monitor\n");
    screen.shows("failed 1");
    Some(screen)
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let place = place();
    let output = place.command(&["monitor"]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("`swarm status` says the same"), "{said}");
    assert_eq!(output.stdout, b"");
}

#[test]
fn keys_do_what_the_help_says_at_any_size_and_the_terminal_is_as_it_was_afterwards() {
    let place = place();
    let Some(screen) = monitor(&place, (80, 24)) else { return };
    screen.shows("build on izar: compile phase: emake failed");
    screen.shows("no controller at work");
    screen.press("?");
    screen.shows("screenful down");
    screen.press("q");
    screen.write("/zz");
    screen.shows("no package with this in its name");
    screen.press("Escape");
    screen.shows("failed    app-misc/foo-1.0");
    screen.press("e");
    screen.shows("is not tried again by itself");
    screen.press("q");
    screen.press("l");
    screen.shows("first line\nred line");
    let mut log = std::fs::OpenOptions::new().append(true).open(place.path(&format!("{LOG}/build1-1.log"))).unwrap();
    log.write_all("and it gröws\n".as_bytes()).unwrap();
    screen.shows("red line\nand it gröws");
    screen.press("q");
    screen.press("R");
    screen.shows("Forget build build1? Lost: 0 packages");
    screen.press("n");
    screen.shows("nothing was reset");
    assert!(place.state().open_build().is_some());
    screen.resize(200, 60);
    screen.shows(" Swarm ");
    screen.resize(30, 8);
    screen.shows("30 by 8 is too small");
    screen.resize(80, 24);
    // Nobody is at work: what is wished is done as the verb itself does it.
    for _ in 0..3 {
        screen.press("Tab");
    }
    screen.press("d");
    screen.shows("izar gets no new work and has none");
    screen.shows("izar draining");
    assert!(place.state().drones.values().all(|drone| drone.draining));
    screen.press("C-z");
    screen.shows("Stopped");
    screen.write("fg\n");
    screen.shows("izar draining");
    screen.press("R");
    screen.press("y");
    screen.shows("build build1 is forgotten");
    screen.shows("no build");
    assert!(place.state().open_build().is_none());
    screen.press("q");
    screen.shows("before\nready swarm monitor");
    screen.write("echo \"alive $((1 + 1)) $?\"\n");
    screen.shows("alive 2 0");
    screen.write("swarm monitor\n");
    screen.shows("next: ");
    screen.signal("TERM");
    screen.hides("next: ");
    screen.write("echo \"alive $((2 + 1)) $?\"\n");
    screen.shows("alive 3 0");
}

/// A controller at work as far as whoever listens to it can tell.
struct Controller {
    journal: Journal,
    events: broadcast::Sender<String>,
    _socket: Socket,
    asked: mpsc::Receiver<Asked>,
}

impl Controller {
    fn begin(place: &Place) -> Self {
        let (asks, asked) = mpsc::channel(1);
        let events = broadcast::Sender::new(16);
        let journal = Journal::open(&place.path("state")).unwrap();
        let _socket = Socket::open(&place.path("state"), asks, events.clone()).unwrap();
        Self { journal, events, _socket, asked }
    }

    fn record(&mut self, event: &Event) {
        let mut state = self.journal.replay().unwrap();
        state.apply(event).unwrap();
        self.journal.append(&state, event, now()).unwrap();
        let line = api::told(self.journal.last_written(), now(), event).unwrap();
        self.events.send(line).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_follow_a_controller_that_comes_and_goes_and_one_has_it_do_something() {
    let place = place();
    let Some(first) = monitor(&place, (80, 24)) else { return };
    let Some(second) = monitor(&place, (200, 60)) else { return };
    let both = [&first, &second];
    let mut controller = Controller::begin(&place);
    both.iter().for_each(|screen| screen.shows("a controller at work"));
    for (epoch, name) in [(1, "altair"), (2, "vega")] {
        // A takeover is followed without a word.
        let (epoch, controller_name) = (Epoch(epoch), name.parse().unwrap());
        controller.record(&Event::EpochClaimed { epoch, controller: controller_name, voters: [].into(), at: now() });
        both.iter().for_each(|screen| screen.shows(&format!("controller {name} at work")));
    }
    controller.record(&Event::RetryAsked { packages: [].into(), at: now() });
    both.iter().for_each(|screen| screen.shows("failed 0"));
    let job: JobName = "build1-2".parse().unwrap();
    controller.record(&Event::JobStarted {
        job: job.clone(),
        package: PackageIndex(0),
        drone: "izar".parse().unwrap(),
        build_ids: [(PackageIndex(0), BuildId(1))].into(),
        width: 4,
        why: None,
        at: now(),
    });
    both.iter().for_each(|screen| screen.shows("delegated  app-misc/foo-1.0 to izar"));
    first.press("l");
    first.shows("it is being prepared on its drone");
    std::fs::write(place.path(&format!("{LOG}/{job}.log")), "another job begins\n").unwrap();
    first.shows("another job begins");
    second.press("b");
    let Some(Asked::Verb(verb, answer)) = controller.asked.recv().await else { panic!("nothing was asked") };
    assert_eq!(verb, Verb::Balance);
    second.shows("swarm balance: it is being carried out");
    answer.send(Ok(Answer::of(vec!["nothing to \u{1b}[2Jspread".to_owned()]))).unwrap();
    second.shows("swarm balance: nothing to \\u{1b}[2Jspread");
    second.press("b");
    let Some(Asked::Verb(_, answer)) = controller.asked.recv().await else { panic!("nothing was asked") };
    answer.send(Err("not while this is tested".to_owned())).unwrap();
    second.shows("swarm balance: swarm: not while this is tested");
    drop(controller);
    second.shows("no controller at work");
    let _again = Controller::begin(&place);
    second.shows("controller vega at work");
}
