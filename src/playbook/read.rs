//! Reading a playbook: TOML, with file, line and the nearest right word for each fault, all of them at once.
//!
//! ```toml
//! name        = "nightly"
//! description = "what it does, in a line"
//! deadline    = "5h"                          # or "06:00": nothing new starts after it
//! [window]                                    # nothing new starts outside of it; local time
//! from = "01:00"
//! to   = "06:00"
//! [parameters.package]
//! help     = "what it is for"
//! required = true                             # or default = "…"; else it may be left out
//! [[step]]
//! do   = "push"                               # see `What`
//! name = "build"                              # left out: what it does
//! …                                           # the options of what it does
//! when = "always"                             # "changed", "failed", "succeeded"
//! if_given   = "package"                      # only where this parameter is given
//! on_failure = "stop"                         # "go-on", "note"
//! timeout    = "2h"
//! ```

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use super::Playbook;
use super::clock::Window;
use super::step::{Choice, Command, Exec, Finalize, Hosts, Notify, OnFailure, Push, Step, StepName, What, When, Where};
use super::value::{Need, Parameter, ParameterName, Parameters, Word};
use crate::core::nearest::did_you_mean;
use crate::core::text::{counted, escaped};
use crate::document::fault::Fault;
use crate::document::{Document, Reading, Section};
use crate::inventory::values::{duration, line};

/// What a failure may mean.
const ON_FAILURE: [(&str, OnFailure); 3] =
    [("stop", OnFailure::Stop), ("go-on", OnFailure::GoOn), ("note", OnFailure::Note)];

/// A playbook with faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the playbook has {}:{}", counted(.0.len(), "fault"), .0.iter().map(|fault| format!("\n{fault}")).collect::<String>())]
pub struct Faults(pub Vec<Fault>);

/// What a step can do.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Sync,
    Parity,
    Plan,
    Push,
    Verify,
    Finalize,
    Prune,
    Exec,
    Notify,
}

const KINDS: [(&str, Kind); 9] = [
    ("sync", Kind::Sync),
    ("parity", Kind::Parity),
    ("plan", Kind::Plan),
    ("push", Kind::Push),
    ("verify", Kind::Verify),
    ("finalize", Kind::Finalize),
    ("prune", Kind::Prune),
    ("exec", Kind::Exec),
    ("notify", Kind::Notify),
];

/// Reads the text of a playbook; the file is for the faults.
///
/// # Errors
/// All its faults.
pub fn read(file: &Path, text: &str) -> Result<Playbook, Faults> {
    let mut reading = Reading::new(None);
    let document = Document::parse(file, text, &mut reading);
    let playbook = playbook(document.root(), &mut reading);
    let faults = reading.into_faults();
    match playbook {
        Some(playbook) if faults.is_empty() => Ok(playbook),
        _ => Err(Faults(faults)),
    }
}

fn playbook(mut root: Section<'_>, reading: &mut Reading<'_>) -> Option<Playbook> {
    root.require("name", "what the run is called in the records");
    root.require("description", "what it does, in a line");
    let name = root.text("name", reading, str::parse);
    let description = root.text("description", reading, line);
    let deadline = root.text("deadline", reading, str::parse);
    let window = root.table("window", reading).and_then(|section| window(section, reading));
    let parameters = parameters(&mut root, reading);
    let sections = root.series("step", reading);
    if sections.is_empty() {
        root.require("step", "what is done, each a [[step]]");
    }
    let steps = steps(sections, &parameters, reading);
    root.finish(reading);
    Some(Playbook { name: name?, description: description?, parameters, window, deadline, steps })
}

fn window(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Window> {
    section.require("from", "when something new may start");
    section.require("to", "from when on nothing new starts");
    let from = section.text("from", reading, str::parse);
    let to = section.text("to", reading, str::parse);
    if from.is_some() && from == to {
        let problem = "from and to are the same: that is no time at all, or all of it; leave the window out";
        reading.faults.push(section.site_of("to").fault(problem, None));
    }
    section.finish(reading);
    Some(Window { from: from?, to: to? })
}

fn parameters(root: &mut Section<'_>, reading: &mut Reading<'_>) -> Parameters {
    let mut parameters = Parameters::new();
    for (name, mut section) in root.tables("parameters", reading) {
        section.require("help", "what it is for, in a line");
        let help = section.text("help", reading, line);
        let required = section.flag("required", reading).unwrap_or(false);
        let default = section.text("default", reading, |text| Ok::<_, String>(text.to_owned()));
        if required && default.is_some() {
            let problem = "what has a default is not required";
            reading.faults.push(section.site_of("default").fault(problem, None));
        }
        let need = match default {
            Some(value) => Need::Default(value),
            None if required => Need::Required,
            None => Need::Optional,
        };
        match name.parse::<ParameterName>() {
            Ok(name) => drop(parameters.insert(name, Parameter { need, help: help.unwrap_or_default() })),
            Err(problem) => reading.faults.push(section.site.fault(problem, None)),
        }
        section.finish(reading);
    }
    parameters
}

fn steps(sections: Vec<Section<'_>>, parameters: &Parameters, reading: &mut Reading<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut named = BTreeSet::new();
    for section in sections {
        let has_name = section.has("name");
        let (site, name_site) = (section.site.clone(), section.site_of("name"));
        let (given_site, from_site) = (section.site_of("if_given"), section.site_of("packages_from"));
        let Some(step) = step(section, reading) else { continue };
        if has_name && !named.insert(step.name.clone()) {
            let problem = format!("two steps are named {}", step.name);
            reading.faults.push(name_site.fault(problem, None));
        }
        let declared = || parameters.keys().map(ParameterName::as_str);
        if let Some(name) = step.if_given.as_ref().filter(|name| !parameters.contains_key(*name)) {
            let help = did_you_mean(name.as_str(), declared());
            reading.faults.push(given_site.fault(format!("no parameter {name} is declared"), help));
        }
        for name in step.what.parameters() {
            if !parameters.contains_key(name) {
                let problem = format!("the parameter {{{name}}} is not declared below [parameters]");
                reading.faults.push(site.fault(problem, did_you_mean(name.as_str(), declared())));
            }
        }
        for name in step.what.depends_on() {
            let certain = parameters.get(name).is_none_or(Parameter::is_certain);
            if !certain && step.if_given.as_ref() != Some(name) {
                let problem = format!("the step needs {{{name}}}, which may be left out");
                let help = format!("add `if_given = \"{name}\"`, or let it be required or have a default");
                reading.faults.push(site.fault(problem, Some(help)));
            }
        }
        if let Some(from) = step.what.reads() {
            let execs = steps.iter().filter(|step| matches!(step.what, What::Exec(_)));
            let execs: Vec<&str> = execs.map(|step| step.name.as_str()).collect();
            match execs.iter().filter(|name| **name == from.as_str()).count() {
                0 => {
                    let problem = format!("no earlier step `exec` is named {from}");
                    reading.faults.push(from_site.fault(problem, did_you_mean(from.as_str(), execs)));
                }
                1 => {}
                _ => reading.faults.push(from_site.fault(format!("several steps are named {from}"), None)),
            }
        }
        steps.push(step);
    }
    steps
}

fn step(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Step> {
    let Some(kind) = section.word("do", reading, &KINDS) else {
        // Of a step that does nothing known every option would be an unknown one; that it does nothing is the fault.
        if !section.has("do") {
            reading.faults.push(section.site_of("do").fault("this key is missing: what is done", None));
        }
        return None;
    };
    let name: Option<StepName> = section.text("name", reading, str::parse);
    let when = [
        ("always", When::Always),
        ("changed", When::Changed),
        ("failed", When::Failed),
        ("succeeded", When::Succeeded),
    ];
    let when = section.word("when", reading, &when).unwrap_or(When::Always);
    let if_given = section.text("if_given", reading, str::parse);
    let on_failure = section.word("on_failure", reading, &ON_FAILURE).unwrap_or(OnFailure::Stop);
    let timeout = section.text("timeout", reading, duration);
    let what = what(&mut section, kind, reading);
    section.finish(reading);
    let what = what?;
    let name = match name {
        Some(name) => name,
        None => what.word().parse().ok()?,
    };
    Some(Step { name, what, when, if_given, on_failure, timeout })
}

fn what(section: &mut Section<'_>, kind: Kind, reading: &mut Reading<'_>) -> Option<What> {
    Some(match kind {
        Kind::Sync => What::Sync { on: hosts(section, reading) },
        Kind::Parity => What::Parity { on: hosts(section, reading) },
        Kind::Plan => What::Plan { wanted: choice(section, reading), on: hosts(section, reading) },
        Kind::Push => What::Push(Push {
            wanted: choice(section, reading),
            on: hosts(section, reading),
            retry_failed: section.flag("retry_failed", reading).unwrap_or(false),
            rebuild: section.flag("rebuild", reading).unwrap_or(false),
            replace: section.flag("replace", reading).unwrap_or(false),
            failed_packages: section.word("failed_packages", reading, &ON_FAILURE).unwrap_or(OnFailure::Stop),
        }),
        Kind::Verify => What::Verify,
        Kind::Finalize => finalize(section, reading),
        Kind::Prune => What::Prune,
        Kind::Exec => What::Exec(exec(section, reading)?),
        Kind::Notify => {
            section.require("message", "what is told");
            let subject = section.text("subject", reading, line);
            let message = section.text("message", reading, message);
            What::Notify(Notify { message: message?, subject })
        }
    })
}

fn finalize(section: &mut Section<'_>, reading: &mut Reading<'_>) -> What {
    let partial = section.flag("partial", reading).unwrap_or(false);
    let max_failed = section.number("max_failed", 0, reading);
    if max_failed.is_some() && !partial {
        let problem = "without `partial = true` a build with a failed package is never released";
        reading.faults.push(section.site_of("max_failed").fault(problem, None));
    }
    What::Finalize(Finalize { partial, max_failed })
}

fn hosts(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<Hosts> {
    section.text("on", reading, Word::read)
}

/// What is built: one of `world`, `packages`, `list`, `packages_from`.
fn choice(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Choice {
    let world = section.flag("world", reading).unwrap_or(false).then_some(("world", Choice::World));
    let atoms = words(section, "packages", reading).map(|atoms| ("packages", Choice::Atoms(atoms)));
    let list = section.path("list", reading).map(|list| ("list", Choice::List(list)));
    let from = section.text("packages_from", reading, str::parse);
    let from = from.map(|step| ("packages_from", Choice::From(step)));
    let mut chosen = [world, atoms, list, from].into_iter().flatten();
    let Some((first, choice)) = chosen.next() else { return Choice::Open };
    for (other, _) in chosen {
        reading
            .faults
            .push(section.site_of(other).fault(format!("beside `{first}`: one of them says what is built"), None));
    }
    choice
}

fn exec(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<Exec> {
    section.require("on", "\"controller\", \"driver\", or hosts as --on takes them");
    let on = section.text("on", reading, |text| match text {
        "controller" => Ok(Where::Controller),
        "driver" => Ok(Where::Driver),
        hosts => Word::read(hosts).map(Where::Hosts),
    });
    let command = words(section, "command", reading);
    let script = section.text("script", reading, script);
    let arguments = words(section, "arguments", reading);
    let changes = section.flag("changes", reading).unwrap_or(false);
    let fault = |key: &str, problem: &str, reading: &mut Reading<'_>| {
        reading.faults.push(section.site_of(key).fault(problem, None));
    };
    match (section.has("command"), section.has("script")) {
        (true, true) => fault("script", "beside `command`: one of them says what is run", reading),
        (false, false) => fault("command", "neither `command = [words]` nor `script` says what is run", reading),
        (true, false) if section.has("arguments") => {
            fault("arguments", "these are for `script`; a command has its own words", reading);
        }
        _ => {}
    }
    let command = match (command, script) {
        (Some(words), None) => Command::Words(words),
        (None, Some(text)) => Command::Script { text, arguments: arguments.unwrap_or_default() },
        _ => return None,
    };
    Some(Exec { on: on?, command, changes })
}

/// A list of words, not an empty one.
fn words<T: FromStr>(section: &mut Section<'_>, key: &'static str, reading: &mut Reading<'_>) -> Option<Vec<Word<T>>>
where
    T::Err: Display,
{
    let words = section.list(key, reading, |text| match text.contains('\0') {
        true => Err("no word can hold a zero byte".to_owned()),
        false => Word::read(text),
    })?;
    if words.is_empty() && key != "arguments" {
        reading.faults.push(section.site_of(key).fault("the list is empty", None));
        return None;
    }
    Some(words)
}

fn script(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.contains('\0') {
        true => Err("this is no script".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn message(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it says nothing".to_owned()),
        text => Ok(escaped(text)),
    }
}

#[cfg(test)]
mod tests;
