//! The documents' commands, run as a reader would run them.
//!
//! A block ```` ```console ```` holds commands (`$ …`, longer ones over lines that end in a backslash or as a here-document)
//! and below each the lines that it must print; `…` in them stands for anything. Behind `console` may stand `host=NAME`,
//! where other than on the page's own host, and `status=N`, which the commands end with. What ends in `&` goes on until the
//! page ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::laboratory::{Laboratory, Ran};
use super::pair::Pair;

/// What the documents name, which everybody knows, and what stands for it in the lab, which has no such packages.
const PACKAGES: [(&str, &str); 3] =
    [("app-editors/nano", "app-lab/hello"), ("app-misc/jq", "app-lab/consumer"), ("dev-vcs/git", "app-lab/daemon")];

/// A command with what it must come to.
#[derive(Debug)]
struct Step {
    /// Page and line.
    at: String,
    host: Option<String>,
    command: String,
    status: i32,
    output: Vec<String>,
}

fn documents(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// The steps of a page.
fn steps(name: &str) -> Vec<Step> {
    let text = std::fs::read_to_string(documents(name)).unwrap();
    let text = PACKAGES.iter().fold(text, |text, (known, ours)| text.replace(known, ours));
    let (mut steps, mut info): (Vec<Step>, Option<Vec<String>>) = (Vec::new(), None);
    let mut unfinished: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&info, fence) {
            (None, Some(opened)) => {
                let words: Vec<String> = opened.split_whitespace().map(str::to_owned).collect();
                info = Some(words);
            }
            (Some(_), Some(_)) => {
                assert_eq!(unfinished, None, "{name}:{}: the block ends in a command", number + 1);
                info = None;
            }
            (Some(words), None) if words.first().is_some_and(|kind| kind == "console") => {
                let option = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
                if let Some(end) = unfinished.take() {
                    let step = steps.last_mut().unwrap();
                    step.command.push_str(&format!("\n{line}"));
                    let over = if end == "\\" { !line.ends_with('\\') } else { line == end };
                    unfinished = (!over).then_some(end);
                } else if let Some(command) = line.trim_start().strip_prefix("$ ") {
                    steps.push(Step {
                        at: format!("docs/{name}:{}", number + 1),
                        host: option("host="),
                        command: command.to_owned(),
                        status: option("status=").map_or(0, |status| status.parse().unwrap()),
                        output: Vec::new(),
                    });
                    let document = command.split_once("<<").map(|(_, end)| end.trim_matches(['\'', '-']).to_owned());
                    unfinished = document.or_else(|| command.ends_with('\\').then(|| "\\".to_owned()));
                } else if !line.trim().is_empty() {
                    steps.last_mut().unwrap_or_else(|| panic!("{name}:{}", number + 1)).output.push(line.to_owned());
                }
            }
            _ => {}
        }
    }
    steps
}

/// Whether a line is as it should be, but for blanks and what `…` stands for.
fn is_like(line: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (line, wanted) = (plain(line), plain(wanted));
    let mut rest = line.as_str();
    wanted.split('…').map(str::trim).all(|part| match rest.find(part) {
        Some(found) => {
            rest = &rest[found + part.len()..];
            true
        }
        None => false,
    })
}

/// A reader, at a host of the lab or (with none) where the lab's controller is, with an inventory there.
struct Reader<'a> {
    lab: &'a Laboratory,
    host: Option<&'a str>,
    inventory: PathBuf,
    beside: Vec<Child>,
}

impl<'a> Reader<'a> {
    fn at(lab: &'a Laboratory, host: Option<&'a str>) -> Self {
        Self { lab, host, inventory: lab.inventory(), beside: Vec::new() }
    }

    /// Does all that a page says.
    fn follow(&mut self, page: &str) {
        let steps = steps(page);
        assert!(!steps.is_empty(), "docs/{page} has no block of commands");
        for step in steps {
            let host = step.host.as_deref().or(self.host);
            if let Some(command) = step.command.strip_suffix('&') {
                self.leave(host, command);
                continue;
            }
            let Ran { status, said } = self.type_in(host, &step.command);
            println!("$ {}\n{said}", step.command);
            assert_eq!(status, step.status, "{}: {}\n{said}", step.at, step.command);
            for wanted in &step.output {
                let found = said.lines().any(|line| is_like(line, wanted));
                assert!(found, "{}: {}\nno line like {wanted:?} in\n{said}", step.at, step.command);
            }
        }
    }

    fn type_in(&self, host: Option<&str>, command: &str) -> Ran {
        match host {
            Some(host) => self.lab.lab(&["exec", host, "bash", "-c", command]),
            None => {
                let program = Path::new(env!("CARGO_BIN_EXE_swarm")).parent().unwrap().display();
                let place = format!("PATH={program}:$PATH SWARM_INVENTORY={}", self.inventory.display());
                self.lab.run(&["bash", "-c", &format!("export {place}; cd \"$SWARM_LAB\"; {command}")])
            }
        }
    }

    /// Starts what goes on.
    fn leave(&mut self, host: Option<&str>, command: &str) {
        let mut beside = self.lab.command();
        match host {
            Some(host) => beside.args(["exec", host]),
            None => beside.arg("run"),
        };
        beside.args(["bash", "-c", &format!("exec {command}")]);
        self.beside.push(beside.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }
}

#[test]
fn a_newcomer_comes_from_nothing_to_a_nightly_run_by_the_tutorial() {
    let lab = Laboratory::up("tutorial");
    lab.share_program();
    // What the tutorial takes to be there: the program, a key that lets root in at the drones, a mail system, cron.
    let ready = "ln -s /dev/lab/swarm /usr/local/bin/swarm && mkdir -p /root/.ssh && chmod 700 /root/.ssh && \
                 printf '#!/bin/sh\\ncat >/var/mail/last\\n' >/usr/sbin/sendmail && chmod 755 /usr/sbin/sendmail";
    lab.on("capella", ready).gives(0, &[]);
    std::fs::copy(lab.file("ssh").join("id_ed25519"), lab.root("capella").join("root/.ssh/id_ed25519")).unwrap();
    let mut reader = Reader::at(&lab, Some("capella"));
    reader.leave(Some("capella"), "cron -f");
    reader.follow("tutorial.md");
    lab.on("capella", "grep -q swarm /var/mail/last").gives(0, &[]);
    reader.follow("tasks/nights.md");
}

#[test]
fn what_the_pages_of_an_operators_own_controller_say_is_so() {
    let lab = Laboratory::up("pages");
    let mut reader = Reader::at(&lab, None);
    for page in [
        "tasks/builds.md",
        "tasks/releases.md",
        "contracts.md",
        "troubleshooting.md",
        "tasks/disks.md",
        "tasks/parity-and-sync.md",
    ] {
        reader.follow(page);
    }
}

#[test]
fn what_the_pages_of_the_services_say_is_so() {
    let pair = Pair::up("served");
    let mut reader = Reader { inventory: pair.inventory(), ..Reader::at(&pair.lab, None) };
    reader.follow("tasks/services.md");
    reader.follow("tasks/standby.md");
}
