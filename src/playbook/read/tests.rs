//! Playbooks as they are meant, and every fault of one with its message.

use super::*;

fn faults(steps: &str) -> Vec<String> {
    let text = format!("name = 'night'\ndescription = 'what it does'\n{steps}");
    match read(Path::new("n.toml"), &text) {
        Ok(playbook) => panic!("no fault in {playbook:?}"),
        Err(Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn each_fault_has_its_line_and_the_nearest_right_word() {
    for (text, wanted) in [
        ("[[step]]\ndo = 'pusch'\n", "n.toml:4: step.do: \"pusch\" is none of its words; did you mean `push`?"),
        ("[[step]]\ndo = 'push'\nwrold = true\n", "n.toml:5: step.wrold: unknown key; did you mean `world`?"),
        ("[[step]]\ndo = 'verify'\nworld = true\n", "n.toml:5: step.world: unknown key"),
        ("[[step]]\nname = 'x'\n", "n.toml:3: step.do: this key is missing: what is done"),
        ("[[stepp]]\ndo = 'push'\n", "n.toml:3: stepp: unknown key; did you mean `step`?"),
        ("", "n.toml:1: step: this key is missing: what is done, each a [[step]]"),
        ("step = 3\n", "n.toml:3: step: wanted tables, [[step]], found an integer"),
        (
            "[[step]]\ndo = 'prune'\nwhen = 'changd'\n",
            "step.when: \"changd\" is none of its words; did you mean `changed`?",
        ),
        (
            "[[step]]\ndo = 'prune'\n[[step]]\ndo = 'prune'\ntimeout = '5'\n",
            "n.toml:7: step.timeout: \"5\" is not a duration",
        ),
        ("[[step]]\ndo = 'push'\nworld = true\npackages = ['a/b']\n", "n.toml:6: step.packages: beside `world`"),
        ("[[step]]\ndo = 'push'\npackages = ['-x']\n", "n.toml:5: step.packages: \"-x\" is not an atom"),
        ("[[step]]\ndo = 'push'\npackages = 'a/b'\n", "step.packages: wanted a list of texts, found a string"),
        ("[[step]]\ndo = 'push'\npackages = []\n", "step.packages: the list is empty"),
        ("[[step]]\ndo = 'push'\npackages_from = 'x'\n", "step.packages_from: no earlier step `exec` is named x"),
        ("[[step]]\ndo = 'finalize'\nmax_failed = 2\n", "n.toml:5: step.max_failed: without `partial = true`"),
        ("[[step]]\ndo = 'exec'\non = 'driver'\n", "step.command: neither `command = [words]` nor `script`"),
        ("[[step]]\ndo = 'exec'\ncommand = ['x']\n", "n.toml:3: step.on: this key is missing"),
        ("[[step]]\ndo = 'exec'\non = 'driver'\ncommand = 'rm -rf /'\n", "step.command: wanted a list of texts"),
        ("[[step]]\ndo = 'exec'\non = 'driver'\ncommand = ['x']\nscript = 'y'\n", "step.script: beside `command`"),
        ("[[step]]\ndo = 'exec'\non = 'a b'\ncommand = ['x']\n", "step.on: \"a b\" selects no host"),
        (
            "[[step]]\ndo = 'exec'\non = 'driver'\ncommand = ['x']\narguments = ['y']\n",
            "step.arguments: these are for `script`",
        ),
        ("[[step]]\ndo = 'notify'\n", "step.message: this key is missing: what is told"),
        ("[[step]]\ndo = 'sync'\non = '{host}'\n", "n.toml:3: step: the parameter {host} is not declared"),
        (
            "[parameters.x]\nhelp = 'h'\n[[step]]\ndo = 'push'\npackages = ['{x}']\n",
            "the step needs {x}, which may be left out; add `if_given = \"x\"`",
        ),
        (
            "[parameters.X]\nhelp = 'h'\n[[step]]\ndo = 'prune'\n",
            "n.toml:3: parameters.X: \"X\" is not the name of a parameter",
        ),
        ("[parameters.x]\nrequired = true\n[[step]]\ndo = 'prune'\n", "parameters.x.help: this key is missing"),
        (
            "[parameters.x]\nhelp = 'h'\nrequired = true\ndefault = 'd'\n[[step]]\ndo = 'prune'\n",
            "what has a default is not required",
        ),
        ("[[step]]\ndo = 'prune'\nif_given = 'x'\n", "step.if_given: no parameter x is declared"),
        (
            "[[step]]\ndo = 'prune'\nname = 'p'\n[[step]]\ndo = 'prune'\nname = 'p'\n",
            "n.toml:8: step.name: two steps are named p",
        ),
        (
            "[window]\nfrom = '1:00'\nto = '1:00'\n[[step]]\ndo = 'prune'\n",
            "n.toml:5: window.to: from and to are the same",
        ),
        (
            "[window]\nfrom = '25:00'\n[[step]]\ndo = 'prune'\n",
            "n.toml:4: window.from: \"25:00\" is not a time of the day",
        ),
        ("deadline = 'soon'\n[[step]]\ndo = 'prune'\n", "n.toml:3: deadline: \"soon\" is neither a duration"),
    ] {
        let faults = faults(text);
        assert!(faults.iter().any(|fault| fault.contains(wanted)), "{wanted}\nis not in {faults:#?}\nof\n{text}");
    }
}

#[test]
fn what_is_misspelt_is_one_fault_and_all_faults_come_at_once() {
    let found = faults("[[step]]\ndo = 'pusch'\nworld = true\n[[step]]\ndo = 'prune'\nwen = 'failed'\n");
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn a_playbook_is_read_as_it_is_meant() {
    let text = "name = 'night'\ndescription = 'd'\ndeadline = '06:00'\nwindow = {from = '22:00', to = '06:00'}\n\
        [parameters.on]\nhelp = 'where'\n\
        [[step]]\ndo = 'exec'\nname = 'affected'\non = 'driver'\nscript = 'echo $1'\narguments = ['{on} ', 'b']\n\
        [[step]]\ndo = 'push'\npackages_from = 'affected'\non = '{on}'\nfailed_packages = 'go-on'\nreplace = true\n\
        [[step]]\ndo = 'finalize'\npartial = true\nmax_failed = 0\nwhen = 'changed'\n";
    let playbook = read(Path::new("n.toml"), text).unwrap();
    assert_eq!(playbook.window.map(|window| window.to_string()).as_deref(), Some("22:00 to 06:00"));
    let [exec, push, finalize] = playbook.steps.as_slice() else { panic!("{playbook:?}") };
    let names = [exec, push, finalize].map(|step| (step.name.as_str().to_owned(), step.when, step.on_failure));
    assert_eq!(names[0], ("affected".to_owned(), When::Always, OnFailure::Stop));
    assert_eq!(names[2], ("finalize".to_owned(), When::Changed, OnFailure::Stop));
    let What::Exec(Exec { command: Command::Script { arguments, .. }, .. }) = &exec.what else { panic!("{exec:?}") };
    assert!(arguments.iter().all(|word| word.parameter().is_none()), "not a whole word, so no parameter");
    let What::Push(push) = &push.what else { panic!("{push:?}") };
    assert_eq!(push.wanted, Choice::From("affected".parse().unwrap()));
    assert_eq!((push.failed_packages, push.replace, push.rebuild), (OnFailure::GoOn, true, false));
    assert!(push.on.as_ref().is_some_and(|on| on.parameter().is_some()));
    assert!(matches!(finalize.what, What::Finalize(Finalize { partial: true, max_failed: Some(0) })));
}

#[test]
fn what_is_read_is_the_command_of_that_name_and_no_other_step_that_is_called_the_same() {
    let text = "name = 'night'\ndescription = 'd'\n[[step]]\ndo = 'prune'\n\
        [[step]]\ndo = 'exec'\nname = 'prune'\non = 'driver'\ncommand = ['x']\n\
        [[step]]\ndo = 'push'\npackages_from = 'prune'\n";
    let playbook = read(Path::new("n.toml"), text).unwrap();
    assert_eq!(playbook.place_of(&"prune".parse().unwrap()), Some(1));
    assert_eq!(playbook.steps.iter().map(|step| playbook.is_read(step)).collect::<Vec<_>>(), [false, true, false]);
}
