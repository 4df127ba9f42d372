//! How a script gets to the host's `/bin/sh`: on standard input, whole, and without eating what follows it.
//!
//! `sh -s` alone will not do: dash and busybox read their script in blocks, so input that follows it is swallowed, and
//! a command of the script that reads standard input eats the script. So the command line is a fixed text that reads
//! one line with `read` (which must not read further, POSIX), decodes it with `printf %b`, and runs it with `eval`.
//! Both are builtins: there is no limit of length, and nothing is in the process list. The script needs no quoting, the
//! login shell sees only the fixed text (which sh, fish and csh read alike), and a script that was cut short on the way
//! has no line end and is not run at all.

use std::fmt::Write as _;

use crate::ssh::destination::Become;
use crate::ssh::host::Script;

/// Reads the script's line and runs it. No single quote, backslash or exclamation mark, for any login shell's sake.
const READ_AND_RUN: &str = r#"IFS= read -r swarm_script || exit 125; eval "$(printf %b "$swarm_script")""#;

/// The command line to start a shell with, for the host's login shell.
pub(crate) fn command(become_root: Option<Become>) -> String {
    format!("exec {}/bin/sh -c '{READ_AND_RUN}'", prefix(become_root))
}

/// The same as words, for this machine.
pub(crate) fn words(become_root: Option<Become>) -> Vec<&'static str> {
    let mut words: Vec<&str> = prefix(become_root).split_whitespace().collect();
    words.extend(["/bin/sh", "-c", READ_AND_RUN]);
    words
}

/// What to put before a command to run it as root; ends in a space unless empty.
pub(crate) fn prefix(become_root: Option<Become>) -> &'static str {
    match become_root {
        None => "",
        Some(Become::Sudo) => "sudo -n -- ",
        Some(Become::Doas) => "doas -n ",
    }
}

/// The script as the one line that [`command`] reads.
pub(crate) fn line(script: &Script) -> Vec<u8> {
    let length: usize = script.parts().iter().map(|part| part.len()).sum();
    let mut line = String::with_capacity(length + length / 16 + 1);
    for character in script.parts().iter().flat_map(|part| part.chars()) {
        match character {
            '\\' => line.push_str("\\\\"),
            // A shell's variable cannot hold it.
            '\0' => {}
            '\t' => line.push('\t'),
            control if control.is_ascii_control() => {
                let _ = write!(line, "\\0{:03o}", u32::from(control));
            }
            other => line.push(other),
        }
    }
    line.push('\n');
    line.into_bytes()
}

/// Whether this is how sudo or doas says no; then its words. They need not be the first: sshd and a login shell may have
/// said something before (no home directory, say).
pub(crate) fn become_fault(become_root: Option<Become>, status: u32, stdout: &[u8], stderr: &[u8]) -> Option<String> {
    let (program, cure) = match become_root? {
        Become::Sudo => ("sudo", "allow it without a password there (visudo: `USER ALL=(root) NOPASSWD: ALL`)"),
        Become::Doas => ("doas", "allow it without a password there (/etc/doas.conf: `permit nopass USER as root`)"),
    };
    let said = String::from_utf8_lossy(stderr);
    let shell_lacks_it = status == 127 && said.contains(program);
    let refused =
        status == 1 && stdout.is_empty() && said.lines().any(|line| line.starts_with(&format!("{program}: ")));
    (shell_lacks_it || refused).then(|| {
        let said = crate::core::text::printable(&said);
        if shell_lacks_it { format!("{said}\n  install {program} there") } else { format!("{said}\n  {cure}") }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// The shells of this machine that a host may have as `/bin/sh`.
    fn shells() -> Vec<Vec<&'static str>> {
        let known = [vec!["/bin/sh"], vec!["/bin/bash", "--posix"], vec!["/bin/dash"], vec!["/bin/busybox", "sh"]];
        known.into_iter().filter(|words| std::path::Path::new(words[0]).exists()).collect()
    }

    fn run(shell: &[&str], input: &[u8]) -> std::process::Output {
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", READ_AND_RUN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    #[test]
    fn a_script_runs_as_it_was_written_in_every_shell() {
        let text = "cat <<'END'\nback\\slash \\n \\\\ 'quote' \"double\" $HOME `x` ! ü \u{1}\nEND\nexit 7";
        for shell in shells() {
            let output = run(&shell, &line(&Script::new(text)));
            let wanted = "back\\slash \\n \\\\ 'quote' \"double\" $HOME `x` ! ü \u{1}\n";
            assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), output.status.code()), (wanted, Some(7)));
        }
    }

    #[test]
    fn what_follows_the_script_is_its_standard_input() {
        for shell in shells() {
            let mut input = line(&Script::new("read -r first; echo \"<$first>\"; cat"));
            input.extend_from_slice(b"one\ntwo\nthree");
            assert_eq!(String::from_utf8_lossy(&run(&shell, &input).stdout), "<one>\ntwo\nthree", "{shell:?}");
        }
    }

    #[test]
    fn a_script_that_was_cut_short_is_not_run() {
        for shell in shells() {
            let whole = line(&Script::new("echo ran"));
            let output = run(&shell, &whole[..whole.len() - 1]);
            assert_eq!((output.stdout.as_slice(), output.status.code()), (b"".as_slice(), Some(125)), "{shell:?}");
        }
    }

    #[test]
    fn the_command_line_is_safe_in_any_login_shell() {
        assert!(!READ_AND_RUN.contains(['\'', '\\', '!', '\n']));
        assert!(command(Some(Become::Sudo)).starts_with("exec sudo -n -- /bin/sh -c '"));
        assert_eq!(words(Some(Become::Doas))[..4], ["doas", "-n", "/bin/sh", "-c"]);
    }

    #[test]
    fn a_sudo_that_wants_a_password_is_told_from_a_script_that_fails() {
        let wants = b"sudo: a password is required\n";
        let fault = become_fault(Some(Become::Sudo), 1, b"", wants).unwrap();
        assert!(fault.contains("NOPASSWD"), "{fault}");
        let noise =
            [b"Could not chdir to home directory /gone: No such file or directory\n".as_slice(), wants].concat();
        assert!(become_fault(Some(Become::Sudo), 1, b"", &noise).is_some());
        assert_eq!(become_fault(None, 1, b"", wants), None);
        assert_eq!(become_fault(Some(Become::Sudo), 1, b"out", wants), None);
        assert_eq!(become_fault(Some(Become::Sudo), 2, b"", b"emerge: sudo: x"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_value_arrives_as_it_is(value in "[^\0]{0,200}") {
            let script = Script::new("printf %s \"$value\"; printf .").set("value", &value);
            let output = run(&["/bin/sh"], &line(&script));
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout).into_owned(), format!("{value}."));
        }
    }
}
