//! What an operator's shell, pager and terminal make of the program: completions, manual pages, colours.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_swarm");

/// A fleet for names to be completed from; nobody is asked for anything.
const FLEET: &str = "[swarm]\ndriver = 'local'\nstate = '~/state'\nstaging = '~/staging'\nproduction = '~/packages'\n\
    [drones.drone-izar]\naddress = '192.0.2.1'\ntags = ['lan']\n[drones.drone-vega]\naddress = '192.0.2.2'\n\
    [hosts.tarn]\naddress = '192.0.2.3'\n[notify.operators]\nmail = 'root'\n";

fn place() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("inventory")).unwrap();
    fs::write(directory.path().join("inventory/fleet.toml"), FLEET).unwrap();
    directory
}

/// A program in a place, which finds `swarm` on its path; none where this machine has it not.
fn there(program: &str, place: &Path) -> Option<Command> {
    if Command::new(program).arg("--version").output().is_err() {
        eprintln!("skipped: there is no {program} here");
        return None;
    }
    let directory = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(program);
    command.current_dir(place).env("PATH", path).env("HOME", place).env_remove("SWARM_INVENTORY");
    Some(command)
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn shells_complete_verbs_options_and_the_names_of_the_fleet() {
    let place = place();
    let cases: [(&[&str], &[&str]); 9] = [
        (&["swarm", "pus"], &["push"]),
        (&["swarm", "push", "--dr"], &["--dry-run"]),
        (&["swarm", "hosts", "tr"], &["trust"]),
        (&["swarm", "drain", "drone-"], &["drone-izar", "drone-vega"]),
        (&["swarm", "parity", "--on", "drone-izar,!drone-v"], &["drone-izar,!drone-vega"]),
        (&["swarm", "hosts", "check", "ta"], &["tarn"]),
        (&["swarm", "play", "night"], &["nightly-world"]),
        (&["swarm", "schedule", "install", "boot"], &["bootstrap-drone"]),
        (&["swarm", "notify", "--test", "op"], &["operators"]),
    ];
    if let Some(mut bash) = there("bash", place.path()) {
        let script = r#"
            source <(swarm completions bash)
            complete -p swarm | grep -q -- "-F _clap_complete_swarm swarm" || exit 1
            while IFS= read -r line; do
                read -ra COMP_WORDS <<<"$line"
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_TYPE=9
                _clap_complete_swarm swarm "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                echo "${COMPREPLY[*]}"
            done"#;
        let lines: String = cases.iter().map(|(words, _)| words.join(" ") + "\n").collect();
        let given = place.path().join("lines");
        fs::write(&given, lines).unwrap();
        let found = output(bash.args(["--norc", "-c", script]).stdin(fs::File::open(given).unwrap()));
        let expected: String = cases.iter().map(|(_, words)| words.join(" ") + "\n").collect();
        assert_eq!(found, expected);
    }
    for (words, expected) in cases {
        if let Some(mut fish) = there("fish", place.path()) {
            let script = format!("swarm completions fish | source; complete --do-complete='{}'", words.join(" "));
            let found = output(fish.args(["--no-config", "-c", &script]));
            let found: Vec<&str> = found.lines().filter_map(|line| line.split('\t').next()).collect();
            assert_eq!(found, expected, "{words:?}");
        }
    }
}

#[test]
fn what_shells_are_given_has_no_fault_of_syntax_and_wants_no_inventory() {
    let empty = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let Some(mut swarm) = there(PROGRAM, empty.path()) else { continue };
        let script = empty.path().join(shell);
        fs::write(&script, output(swarm.args(["completions", shell]))).unwrap();
        if let Some(mut shell) = there(shell, empty.path()) {
            output(shell.arg("-n").arg(&script));
        }
    }
}

#[test]
fn manual_pages_have_no_fault() {
    let empty = tempfile::tempdir().unwrap();
    let pages = empty.path().join("man1");
    output(there(PROGRAM, empty.path()).unwrap().arg("man").arg(&pages));
    let mut names: Vec<_> = fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for name in ["swarm.1", "swarm-push.1", "swarm-init-from-list.1", "swarm-hosts-check.1"] {
        assert!(names.contains(&pages.join(name)), "{name} is not among {names:?}");
    }
    let push = fs::read_to_string(pages.join("swarm-push.1")).unwrap();
    for part in [".SH SYNOPSIS\nswarm push [OPTIONS] [ATOM]...", ".SH EXAMPLES\n", "\\fBswarm push \\-\\-finalize"] {
        assert!(push.contains(part), "{part:?} is not in {push}");
    }
    // Each says on one of its streams what is wrong; `mandoc` counts the date that is missing on purpose.
    for (program, options) in
        [("mandoc", &["-T", "lint", "-W", "warning"][..]), ("groff", &["-k", "-man", "-ww", "-z"])]
    {
        let Some(mut lint) = there(program, empty.path()) else { continue };
        let Output { stdout, stderr, .. } = lint.args(options).args(&names).output().unwrap();
        let found = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        let faults: Vec<&str> = found.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(faults.is_empty(), "{program}: {faults:#?}");
    }
}

#[test]
fn a_mistyped_word_gets_the_nearest_right_one() {
    let place = place();
    fs::create_dir_all(place.path().join("packages.releases/000001-000007")).unwrap();
    fs::create_dir_all(place.path().join("packages.releases/000001-000008")).unwrap();
    std::os::unix::fs::symlink("packages.releases/000001-000008", place.path().join("packages")).unwrap();
    let networks = "[networks.office]\ncidr = '192.0.2.0/24'\n";
    fs::write(place.path().join("inventory/networks.toml"), networks).unwrap();
    for (arguments, status, said) in [
        ("psuh", 2, "'push'"),
        ("push --dry-rnu", 2, "'--dry-run'"),
        ("hosts chekc", 2, "'check'"),
        ("hosts check drone-iazr", 1, "did you mean `drone-izar`?"),
        ("drain drone-vgea", 1, "did you mean `drone-vega`?"),
        ("exec --on @lna -- true", 1, "did you mean `lan`?"),
        ("exec --on %ofice -- true", 1, "did you mean `office`?"),
        ("exec --on atrn -- true", 1, "did you mean `tarn`?"),
        ("play nihgtly-world", 1, "did you mean `nightly-world`?"),
        ("play nightly-world --set refrehs=yes", 1, "did you mean `refresh`?"),
        ("notify --test opertaors", 1, "did you mean `operators`?"),
        ("verify 000001-000070", 1, "did you mean `000001-000007`?"),
        ("diff 000001-000007 000001-00008", 1, "did you mean `000001-000008`?"),
    ] {
        let mut swarm = there(PROGRAM, place.path()).unwrap();
        let Output { status: ended, stderr, .. } = swarm.args(arguments.split(' ')).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(ended.code() == Some(status) && stderr.contains(said), "{arguments}: {ended}\n{stderr}");
    }
}

#[test]
fn colours_go_to_a_terminal_that_has_them_and_is_wanted_to_show_them() {
    let place = place();
    // The first finds a dash for a network, which is faint, and headings, which are bold; clap colours its own help
    // and errors, the latter on standard error.
    for arguments in ["hosts", "push --help", "psuh"] {
        for (terminal, variables, coloured) in [
            (true, "TERM=xterm", true),
            (true, "TERM=dumb", false),
            (true, "TERM=xterm NO_COLOR=1", false),
            (true, "TERM=xterm NO_COLOR=", true),
            (true, "TERM=xterm CLICOLOR=0", false),
            (true, "TERM=dumb CLICOLOR_FORCE=1", true),
            (false, "TERM=xterm", false),
            (false, "TERM=xterm CLICOLOR_FORCE=1", true),
            (false, "TERM=xterm CLICOLOR_FORCE=1 NO_COLOR=1", false),
        ] {
            let line = format!(
                "env -u CI -u NO_COLOR -u CLICOLOR -u CLICOLOR_FORCE {variables} {PROGRAM} {arguments} || true"
            );
            let mut command = match terminal {
                true => there("script", place.path()).unwrap(),
                false => there("sh", place.path()).unwrap_or_else(|| Command::new("sh")),
            };
            let shown = match terminal {
                true => output(command.args(["-qec", &line, "/dev/null"])),
                false => output(command.args(["-c", &format!("({line}) 2>&1")])),
            };
            assert_eq!(shown.contains("\u{1b}["), coloured, "{line}, a terminal: {terminal}\n{shown:?}");
        }
    }
}
