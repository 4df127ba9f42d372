//! Unattended runs: the real binary in an operator's directory, with steps that are real processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A directory with an inventory of nobody, where playbooks are run.
#[derive(Debug)]
struct Place(TempDir);

struct Ran {
    status: Option<i32>,
    said: String,
}

impl Ran {
    #[track_caller]
    fn gives(&self, status: i32, words: &[&str]) -> &Self {
        assert_eq!(self.status, Some(status), "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word:?} is not in:\n{}", self.said);
        }
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Self { status: output.status.code(), said }
    }
}

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.path("inventory")).unwrap();
        std::fs::create_dir(place.path("playbooks")).unwrap();
        let directory = |name: &str| place.path(name).display().to_string();
        let settings = format!(
            "[swarm]\ndriver = \"local\"\nstate = {:?}\nstaging = {:?}\nproduction = {:?}\n",
            directory("state"),
            directory("staging"),
            directory("production")
        );
        std::fs::write(place.path("inventory/fleet.toml"), settings).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn playbook(&self, name: &str, text: &str) {
        let text = format!("name = '{name}'\ndescription = 'of a test'\n{text}");
        std::fs::write(self.path(&format!("playbooks/{name}.toml")), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarm"));
        command.current_dir(self.0.path()).args(arguments).env("TZ", "UTC").env("HOME", self.0.path());
        command.env_remove("SWARM_INVENTORY").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn swarm(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    fn beside(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// The last record of a playbook.
    fn record(&self, playbook: &str) -> Value {
        let runs = self.swarm(&["runs", playbook, "--json"]);
        serde_json::from_str(runs.gives(0, &[]).said.lines().last().unwrap()).unwrap()
    }

    /// Each step of the last run: its name, its state, its status or the reason why it was not run.
    fn steps(&self, playbook: &str) -> Vec<String> {
        let record = self.record(playbook);
        let step = |step: &Value| {
            let came = if step["status"].is_null() { &step["reason"] } else { &step["status"] };
            format!("{} {} {}", step["name"].as_str().unwrap(), step["state"].as_str().unwrap(), came)
        };
        record["steps"].as_array().unwrap().iter().map(step).collect()
    }

    fn last_run(&self) -> Value {
        let status = self.swarm(&["status", "--json"]);
        let status: Value = serde_json::from_str(&status.gives(0, &[]).said).unwrap();
        status["last_run"].clone()
    }

    fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("state/runs/runs.log")).unwrap();
        log.lines().map(|line| line.split(' ').skip(1).collect::<Vec<_>>().join(" ")).collect()
    }
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: it never came to that");
        // Not to wait for it, but to leave the processors to what is waited for.
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap().success());
}

fn exec(name: &str, script: &str, more: &str) -> String {
    format!("[[step]]\ndo = 'exec'\nname = '{name}'\non = 'controller'\nscript = '''\n{script}\n'''\n{more}\n")
}

fn exists(path: &Path) -> bool {
    path.exists()
}

#[test]
fn a_run_goes_on_or_stops_as_its_steps_say_and_all_of_it_is_written_down() {
    let place = Place::new();
    let steps = [
        exec("noted", "echo 'swarm: not so bad' >&2; exit 7", "on_failure = 'note'"),
        exec("unchanged", "touch never", "when = 'changed'"),
        exec("changes", "echo something >\"$SWARM_OUTCOME\"; echo $SWARM_PLAYBOOK", ""),
        exec("changed", "touch was-changed", "when = 'changed'"),
        exec("fails", "echo first; echo 'out of luck'; exit 4", "on_failure = 'go-on'"),
        exec("stops", "exit 9", ""),
        exec("after", "touch never", ""),
        exec("if-failed", "touch had-failed", "when = 'failed'"),
    ];
    place.playbook("night", &steps.concat());
    place.swarm(&["play", "night", "--due", "00:00"]).gives(
        1,
        &[
            "STARTED ",
            "-night, due ",
            "step 3 changes done",
            "FINISHED ",
            "status 1 after",
            "fails: out of luck; stops: it ended with status 9; (noted) noted: not so bad",
        ],
    );
    let steps = [
        "noted done 7",
        "unchanged skipped \"nothing has changed\"",
        "changes done 0",
        "changed done 0",
        "fails done 4",
        "stops done 9",
        "after skipped \"stops failed\"",
        "if-failed done 0",
    ];
    assert_eq!(place.steps("night"), steps);
    assert!(exists(&place.path("was-changed")) && exists(&place.path("had-failed")) && !exists(&place.path("never")));

    let (record, last) = (place.record("night"), place.last_run());
    assert_eq!((&last["name"], &last["status"]), (&"night".into(), &1.into()));
    assert_eq!((&last["started"], &last["reason"]), (&record["started"], &record["ended"]["reason"]));
    assert!(record["due"].as_str().unwrap().ends_with("T00:00:00Z"), "{record}");
    assert!(record["troubles"].is_null(), "{record}");
    let id = record["id"].as_str().unwrap();
    let log = place.log();
    assert_eq!(log.len(), 2);
    assert!(
        log[0].starts_with(&format!("STARTED {id}, due ")) && log[1].starts_with(&format!("FINISHED {id} status 1"))
    );
    let run = place.swarm(&["runs", id]);
    run.gives(0, &["5-fails.log", "stops failed", "ended ", "with status 1"]);
    assert_eq!(std::fs::read_to_string(place.path(&format!("state/runs/{id}/3-changes.log"))).unwrap(), "night\n");
    place.swarm(&["runs", "nigth"]).gives(1, &["there is no run of nigth"]);
}

#[test]
fn what_is_given_is_data_and_an_output_becomes_a_selection_or_is_refused() {
    let place = Place::new();
    let text = "[parameters.word]\nhelp = 'anything'\nrequired = true\n".to_owned()
        + &exec("show", "printf '<%s>' \"$1\" '{word}' \"$#\"", "arguments = ['{word}']")
        + "[[step]]\ndo = 'exec'\nname = 'atoms'\non = 'controller'\ncommand = ['cat', 'atoms']\n"
        + "[[step]]\ndo = 'plan'\npackages_from = 'atoms'\n";
    place.playbook("given", &text);
    place.swarm(&["play", "given"]).gives(1, &["word is to be given, with --set word=…: anything"]);
    place.swarm(&["play", "given", "--set", "wrod=x"]).gives(1, &["did you mean `word`?"]);
    place.swarm(&["play", "given", "--on", "x"]).gives(1, &["takes no --on"]);

    std::fs::write(place.path("atoms"), "\n").unwrap();
    let word = "a b; touch never; $(touch never) '{word}'";
    let run = place.swarm(&["play", "given", "--set", &format!("word={word}")]);
    run.gives(0, &["step 3 plan done: atoms named nothing"]);
    let id = place.record("given")["id"].as_str().unwrap().to_owned();
    let said = std::fs::read_to_string(place.path(&format!("state/runs/{id}/1-show.log"))).unwrap();
    assert_eq!(said, format!("<{word}><{{word}}><1>"));
    assert!(!exists(&place.path("never")));

    std::fs::write(place.path("atoms"), "a/b\n--unmerge\n").unwrap();
    place
        .swarm(&["play", "given", "--set", "word=x"])
        .gives(1, &["plan: what atoms named: \"--unmerge\" is not an atom"]);
    let dry = place.swarm(&["play", "given", "--set", "word=x", "--dry-run"]);
    dry.gives(0, &["2 atoms: cat atoms", "3 plan: swarm plan ATOMS-OF-atoms", "nothing was started"]);
}

#[test]
fn an_interrupt_ends_the_step_and_a_second_run_waits_for_no_one() {
    let place = Place::new();
    place.playbook("long", &(exec("sleeps", "touch began; exec sleep 300", "") + &exec("after", "touch after", "")));
    let run = place.beside(&["play", "long"]);
    wait_until("the step begins", || exists(&place.path("began")));
    place.swarm(&["play", "long"]).gives(6, &["another run is at work (long, process", "since "]);
    assert_eq!(place.last_run()["finished"], Value::Null);
    signal("TERM", run.id());
    Ran::from(run.wait_with_output().unwrap()).gives(130, &["interrupted: `swarm play long --resume` goes on"]);
    assert_eq!(place.steps("long"), ["sleeps done 130", "after waiting null"]);
    assert_eq!(place.last_run()["status"], 130);

    // What was interrupted is done again, in the same run.
    place.playbook("other", &exec("x", "true", ""));
    place.swarm(&["play", "other", "--resume"]).gives(1, &["the last run of other is not unfinished"]);
    let (id, resumed) = (place.record("long")["id"].clone(), place.beside(&["play", "long", "--resume"]));
    std::fs::remove_file(place.path("began")).unwrap();
    wait_until("the step begins again", || exists(&place.path("began")));
    signal("INT", resumed.id());
    Ran::from(resumed.wait_with_output().unwrap()).gives(130, &[]);
    assert_eq!(place.record("long")["id"], id);
    assert!(!exists(&place.path("after")));
}

#[test]
fn a_run_that_was_killed_is_lost_and_goes_on_at_its_first_step_that_is_not_done() {
    let place = Place::new();
    let steps = exec("first", "echo x >>first", "")
        + &exec("second", "echo $PPID >parent; while [ ! -e go ]; do sleep 0.1; done; touch second", "")
        + &exec("third", "touch third", "when = 'failed'");
    place.playbook("night", &steps);
    let mut run = place.beside(&["play", "night"]);
    wait_until("the second step begins", || exists(&place.path("parent")));
    signal("KILL", run.id());
    run.wait().unwrap();
    std::fs::write(place.path("go"), "").unwrap();

    let id = place.record("night")["id"].clone();
    place.swarm(&["play", "night", "--resume"]).gives(0, &["STARTED ", "step 2 second done", "FINISHED "]);
    let record = place.record("night");
    assert_eq!((&record["id"], &record["ended"]["how"]), (&id, &"finished".into()));
    assert_eq!(std::fs::read_to_string(place.path("first")).unwrap(), "x\n", "what is done is not done again");
    assert_eq!(place.steps("night"), ["first done 0", "second done 0", "third skipped \"nothing has failed\""]);
    assert!(place.log().iter().any(|line| line.contains("status 1") && line.contains("lost: its process")));
    assert_eq!(place.last_run()["status"], 0);

    // A playbook that has changed is begun anew.
    std::fs::remove_file(place.path("parent")).unwrap();
    std::fs::remove_file(place.path("go")).unwrap();
    let mut run = place.beside(&["play", "night"]);
    wait_until("the second step begins", || exists(&place.path("parent")));
    signal("KILL", run.id());
    run.wait().unwrap();
    std::fs::write(place.path("go"), "").unwrap();
    place.playbook("night", &exec("first", "true", ""));
    place.swarm(&["play", "night", "--resume"]).gives(1, &["the playbook has changed since run"]);
    place.swarm(&["runs", "night"]).gives(0, &["lost: its process"]);
    assert_eq!(place.last_run()["status"], 1, "the controller knows that it was lost");
    place.swarm(&["play", "night"]).gives(0, &[]);
}

#[test]
fn a_step_of_swarm_itself_does_not_outlive_a_run_that_is_killed() {
    let place = Place::new();
    let text = "[[step]]\ndo = 'exec'\non = 'controller'\ncommand = ['swarm', 'exec', '--on', 'local', '--', 'sh', '-c', \
        'echo $$ >shell; sleep 300']\n";
    place.playbook("local", text);
    let mut run = place.beside(&["play", "local"]);
    wait_until("the command begins", || exists(&place.path("shell")));
    let shell = std::fs::read_to_string(place.path("shell")).unwrap();
    signal("KILL", run.id());
    run.wait().unwrap();
    wait_until("the command ends", || !exists(&Path::new("/proc").join(shell.trim())));
}

#[test]
fn outside_of_its_window_nothing_is_begun_and_a_step_that_takes_too_long_is_ended() {
    let place = Place::new();
    let hour: u32 = {
        let output = Command::new("date").args(["-u", "+%-H"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    // Two hours from now, so that it does not open while this runs.
    let window = format!("window = {{from = '{:02}:00', to = '{:02}:00'}}\n", (hour + 2) % 24, (hour + 3) % 24);
    let steps = exec("slow", "touch began; exec sleep 300", "timeout = '1s'") + "[[step]]\ndo = 'prune'\n";
    place.playbook("hours", &(window + &steps));
    place.swarm(&["play", "hours"]).gives(1, &["it is outside of its window", "--any-time"]);
    assert!(!exists(&place.path("began")));
    assert_eq!(place.steps("hours").iter().filter(|step| step.contains("skipped")).count(), 2);
    let run = place.swarm(&["play", "hours", "--any-time"]);
    run.gives(1, &["slow: it took longer than 1 s and was ended"]);
    assert!(exists(&place.path("began")));
}

#[test]
fn playbooks_are_listed_and_checked_with_line_and_nearest_word() {
    let place = Place::new();
    place.playbook("wrong", "[[step]]\ndo = 'pusch'\n");
    place.swarm(&["play"]).gives(1, &["nightly-world", "shipped with swarm", "did you mean `push`?"]);
    place.swarm(&["play", "wrong"]).gives(1, &["playbooks/wrong.toml:4: step.do: \"pusch\"", "did you mean `push`?"]);
    place.swarm(&["play", "nightly-word"]).gives(1, &["did you mean `nightly-world`?"]);
    place.swarm(&["play", "bootstrap-drone", "--check"]).gives(0, &["on: the hosts", "required", "without fault"]);
    place.swarm(&["play", "nightly-world", "--dry-run"]).gives(
        0,
        &[
            "1 refresh: swarm exec --on=local -- emaint sync --auto  (not run: refresh was not given)",
            "swarm push --replace --until=",
            "swarm finalize --if-any --partial --max-failed=10",
        ],
    );
    assert!(!exists(&place.path("state/runs")));
}
