//! The command line of a step: words for a program, never a text for a shell.

use super::step::{Argument, Choice, Command, Exec, Finalize, Hosts, Push, Step, What, Where};
use super::value::{Given, Word};
use crate::core::event::Wanted;
use crate::core::names::{HostName, Timestamp};
use crate::core::status::Moment;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Whether its first word stands for this very program.
    pub is_ours: bool,
    /// Its words; never empty.
    pub words: Vec<String>,
}

/// What a command line depends on besides its step.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// What was given for the playbook's parameters.
    pub given: &'a Given,
    /// The machine whose packages are wanted.
    pub driver: &'a HostName,
    /// Whether builds wait for their turn at a controller elsewhere.
    pub queued: bool,
    /// After this moment nothing new is to be started.
    pub until: Option<Timestamp>,
    /// Whether another step reads what this one says.
    pub is_read: bool,
    /// The atoms that an earlier step named, where this one wants them.
    pub atoms: &'a [Wanted],
}

/// The command line of a step.
///
/// # Errors
/// What was given for a parameter is not what is wanted there.
pub fn command_line(step: &Step, circumstances: &Circumstances<'_>) -> Result<CommandLine, String> {
    let mut words = vec!["swarm".to_owned(), step.what.word().to_owned()];
    match &step.what {
        What::Sync { on } | What::Parity { on } => words.extend(hosts(on.as_ref(), circumstances)?),
        What::Plan { wanted, on } => {
            words.extend(hosts(on.as_ref(), circumstances)?);
            words.extend(choice(wanted, circumstances)?);
        }
        What::Push(push) => words.extend(push_words(push, circumstances)?),
        What::Verify | What::Prune => {}
        What::Finalize(Finalize { partial, max_failed }) => {
            words.push("--if-any".to_owned());
            words.extend(partial.then(|| "--partial".to_owned()));
            words.extend(max_failed.map(|most| format!("--max-failed={most}")));
        }
        What::Exec(exec) => return exec_line(exec, circumstances),
        What::Notify(notify) => {
            words.push(format!("--message={}", notify.message));
            words.extend(notify.subject.as_ref().map(|subject| format!("--subject={subject}")));
        }
    }
    Ok(CommandLine { is_ours: true, words })
}

fn hosts(on: Option<&Hosts>, circumstances: &Circumstances<'_>) -> Result<Option<String>, String> {
    let on = on.map(|on| on.resolve(circumstances.given)).transpose()?.flatten();
    Ok(on.map(|on| format!("--on={on}")))
}

fn choice(wanted: &Choice, circumstances: &Circumstances<'_>) -> Result<Vec<String>, String> {
    Ok(match wanted {
        Choice::Open => Vec::new(),
        Choice::World => vec!["--world".to_owned()],
        Choice::Atoms(atoms) => {
            let atoms = atoms.iter().filter_map(|atom| atom.resolve(circumstances.given).transpose());
            atoms.map(|atom| atom.map(|atom| atom.to_string())).collect::<Result<_, _>>()?
        }
        Choice::List(file) => vec![format!("--list={}", file.display())],
        Choice::From(_) => circumstances.atoms.iter().map(ToString::to_string).collect(),
    })
}

fn push_words(push: &Push, circumstances: &Circumstances<'_>) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = hosts(push.on.as_ref(), circumstances)?.into_iter().collect();
    let flags = [
        (push.retry_failed, "--retry-failed"),
        (push.rebuild, "--rebuild"),
        // Where builds wait for their turn each has its own, and nothing is in the way of another.
        (push.replace && !circumstances.queued, "--replace"),
    ];
    words.extend(flags.iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| (*flag).to_owned()));
    words.extend(circumstances.until.map(|until| format!("--until={}", Moment(until))));
    words.extend(choice(&push.wanted, circumstances)?);
    Ok(words)
}

fn exec_line(exec: &Exec, circumstances: &Circumstances<'_>) -> Result<CommandLine, String> {
    let own = own_words(&exec.command, circumstances.given)?;
    let on = match &exec.on {
        Where::Controller => {
            let is_ours = own.first().is_some_and(|program| program == "swarm");
            return Ok(CommandLine { is_ours, words: own });
        }
        Where::Driver => circumstances.driver.to_string(),
        Where::Hosts(hosts) => hosts
            .resolve(circumstances.given)?
            .ok_or_else(|| "the hosts of the command were not given".to_owned())?
            .to_string(),
    };
    let mut words = vec!["swarm".to_owned(), "exec".to_owned(), format!("--on={on}")];
    words.extend(circumstances.is_read.then(|| "--json".to_owned()));
    words.push("--".to_owned());
    words.extend(own);
    Ok(CommandLine { is_ours: true, words })
}

/// The words of the command itself. A script is one word of its shell's command line, its arguments are others.
fn own_words(command: &Command, given: &Given) -> Result<Vec<String>, String> {
    let resolved = |words: &[Word<Argument>]| -> Result<Vec<String>, String> {
        let words = words.iter().filter_map(|word| word.resolve(given).transpose());
        let words = words.map(|word| word.map(|Argument(word)| word)).collect::<Result<Vec<_>, _>>()?;
        match words.iter().any(|word| word.contains('\0')) {
            true => Err("no word of a command can hold a zero byte".to_owned()),
            false => Ok(words),
        }
    };
    Ok(match command {
        Command::Words(words) => resolved(words)?,
        Command::Script { text, arguments } => {
            let mut words = vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone(), "script".to_owned()];
            words.extend(resolved(arguments)?);
            words
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::playbook::read::read;

    fn lines(steps: &str, given: &[(&str, &str)], queued: bool, atoms: &[Wanted]) -> Vec<Result<String, String>> {
        let text = format!(
            "name = 'n'\ndescription = 'd'\n[parameters.on]\nhelp = 'h'\n[parameters.word]\nhelp = 'h'\ndefault = 'w'\n{steps}"
        );
        let playbook = read(Path::new("n.toml"), &text).unwrap();
        let given = given.iter().map(|(name, value)| (name.parse().unwrap(), (*value).to_owned()));
        let given = Given::new(&playbook.parameters, given).unwrap();
        let driver = "capella".parse().unwrap();
        let until = Some(Timestamp(0));
        let circumstances = Circumstances { given: &given, driver: &driver, queued, until, is_read: false, atoms };
        let line = |step: &Step| command_line(step, &circumstances).map(|line| line.words.join("|"));
        playbook.steps.iter().map(line).collect()
    }

    #[test]
    fn each_step_is_a_verb_with_its_options_as_words() {
        let until = "--until=1970-01-01T00:00:00Z";
        for (step, line) in [
            ("do = 'sync'", "swarm|sync".to_owned()),
            ("do = 'parity'\non = 'a,@b'", "swarm|parity|--on=a,@b".to_owned()),
            ("do = 'plan'\nworld = true", "swarm|plan|--world".to_owned()),
            ("do = 'push'", format!("swarm|push|{until}")),
            (
                "do = 'push'\nworld = true\nreplace = true\nretry_failed = true\nrebuild = true\non = 'a'",
                format!("swarm|push|--on=a|--retry-failed|--rebuild|--replace|{until}|--world"),
            ),
            ("do = 'push'\npackages = ['a/b', '{word}']", format!("swarm|push|{until}|a/b|w")),
            ("do = 'push'\nlist = '/l'", format!("swarm|push|{until}|--list=/l")),
            ("do = 'finalize'", "swarm|finalize|--if-any".to_owned()),
            (
                "do = 'finalize'\npartial = true\nmax_failed = 2",
                "swarm|finalize|--if-any|--partial|--max-failed=2".to_owned(),
            ),
            ("do = 'verify'", "swarm|verify".to_owned()),
            ("do = 'prune'", "swarm|prune".to_owned()),
            (
                "do = 'notify'\nmessage = '--help'\nsubject = 's'",
                "swarm|notify|--message=--help|--subject=s".to_owned(),
            ),
            ("do = 'exec'\non = 'controller'\ncommand = ['a', '-b; c']", "a|-b; c".to_owned()),
            (
                "do = 'exec'\non = 'driver'\ncommand = ['a', '$x', '{word}']",
                "swarm|exec|--on=capella|--|a|$x|w".to_owned(),
            ),
            (
                "do = 'exec'\non = 'a'\nscript = 'echo {word}'\narguments = ['{word}']",
                "swarm|exec|--on=a|--|/bin/sh|-c|echo {word}|script|w".to_owned(),
            ),
        ] {
            assert_eq!(lines(&format!("[[step]]\n{step}\n"), &[], false, &[]), [Ok(line)], "{step}");
        }
    }

    #[test]
    fn what_is_given_stays_one_word_or_is_refused() {
        let sync = "[[step]]\ndo = 'sync'\non = '{on}'\n";
        assert_eq!(lines(sync, &[], false, &[]), [Ok("swarm|sync".to_owned())]);
        assert_eq!(lines(sync, &[("on", "a,b")], false, &[]), [Ok("swarm|sync|--on=a,b".to_owned())]);
        let refused = lines(sync, &[("on", "a b")], false, &[]);
        assert!(refused[0].as_ref().unwrap_err().starts_with("on: "), "{refused:?}");
        let exec = "[[step]]\ndo = 'exec'\non = 'controller'\ncommand = ['x', '{word}']\n";
        assert_eq!(lines(exec, &[("word", "$(a) ; b")], false, &[]), [Ok("x|$(a) ; b".to_owned())]);
        assert!(lines(exec, &[("word", "a\0b")], false, &[])[0].is_err());
    }

    #[test]
    fn atoms_of_another_step_are_named_and_a_queue_needs_no_place_made() {
        let atoms = ["=a/b-1".parse().unwrap()];
        let steps = "[[step]]\ndo = 'exec'\nname = 'x'\non = 'driver'\ncommand = ['y']\n\
            [[step]]\ndo = 'push'\npackages_from = 'x'\nreplace = true\n";
        let push = lines(steps, &[], true, &atoms).pop().unwrap().unwrap();
        assert_eq!(push, "swarm|push|--until=1970-01-01T00:00:00Z|=a/b-1");
    }
}
