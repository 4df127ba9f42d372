//! `swarm schedule`: the cron entries and systemd timers of unattended runs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use crate::controller::now;
use crate::core::moments::shown;
use crate::core::names::{PlaybookName, Timestamp};
use crate::core::nearest::hint;
use crate::core::state::State;
use crate::core::text::duration;
use crate::inventory::{Inventory, locate};
use crate::playbook::shelf::{self, Shelf};
use crate::timetable::daemon::{Daemon, Machine, Wanted};
use crate::timetable::entry::Job;
use crate::timetable::evidence::{Finding, Verdict, examine};
use crate::timetable::fields::Fields;
use crate::timetable::firing;
use crate::timetable::place::{self, Installed};
use crate::timetable::punctual::Punctuality;
use crate::ui::table::{Cell, Table, Tone, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Every night at half past two, by whatever daemon runs here", "swarm schedule install nightly-world"), ("Prove that it comes when it is due", "swarm schedule check")], ""))]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the entry that starts a playbook; again, to change it
    Install(Install),
    /// Prove that entries are there and read, and that runs come when they are due; status 1 where not
    Check(Check),
    /// Take away what was written for a playbook
    Remove(Remove),
}

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("On working days, by cron", "swarm schedule install nightly-world --cron --at 'Mon-Fri 01:15'"), ("What would be written, and when it fires next", "swarm schedule install nightly-world --dry-run")], ""))]
struct Install {
    /// The playbook
    #[arg(add = complete::playbooks())]
    playbook: PlaybookName,
    /// When, in the daemon's time zone: HH:MM, or days before it, such as `Mon-Fri 02:30` or `Sun,Wed 02:30`
    #[arg(long, value_name = "[DAYS ]HH:MM", default_value = "02:30", value_parser = at)]
    at: Fields,
    /// Have the cron daemon of this machine start it
    #[arg(long, conflicts_with = "systemd")]
    cron: bool,
    /// Have systemd start it [default: where it runs, else cron]
    #[arg(long)]
    systemd: bool,
    /// Who runs it [default: whose the state directory is]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Print what would be written
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("All entries of ours", "swarm schedule check"), ("One playbook's", "swarm schedule check nightly-world")], ""))]
struct Check {
    /// The playbook [default: all that have an entry]
    #[arg(add = complete::playbooks())]
    playbook: Option<PlaybookName>,
}

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Say what would be removed", "swarm schedule remove nightly-world --dry-run")], ""))]
struct Remove {
    /// The playbook
    #[arg(add = complete::playbooks())]
    playbook: PlaybookName,
    /// Say what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// `02:30`, or days of the week before it.
fn at(text: &str) -> Result<Fields, String> {
    let (days, time) = text.trim().rsplit_once(' ').unwrap_or(("*", text.trim()));
    let fields = time.split_once(':').filter(|(hour, minute)| hour.len() <= 2 && minute.len() == 2);
    let (hour, minute) = fields.ok_or_else(|| format!("{time:?} is no time: HH:MM"))?;
    let single = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !single(hour) || !single(minute) {
        return Err(format!("{time:?} is no time: HH:MM"));
    }
    let read: Fields = format!("{minute} {hour} * * {}", days.trim())
        .parse()
        .map_err(|error: crate::timetable::fields::FieldError| error.to_string())?;
    let time = read.only_time().ok_or_else(|| format!("{time:?} is no time: HH:MM"))?;
    Ok(Fields::at(time, &read.named_weekdays()))
}

pub async fn run(arguments: &Arguments, inventory: &Inventory, place: Option<&Path>) -> anyhow::Result<Exit> {
    match &arguments.verb {
        Verb::Install(arguments) => install(arguments, inventory, place),
        Verb::Check(arguments) => check(arguments, inventory, place).await,
        Verb::Remove(arguments) => remove(arguments),
    }
}

/// What an entry starts: this program as it stands, with the inventory that it has found.
fn job(
    playbook: &PlaybookName,
    fields: &Fields,
    user: Option<&str>,
    inventory: &Inventory,
    place: Option<&Path>,
) -> anyhow::Result<Job> {
    let state = &inventory.swarm.state;
    Ok(Job {
        playbook: playbook.clone(),
        fields: fields.clone(),
        program: std::env::current_exe().context("cannot say where this program is")?,
        inventory: std::path::absolute(locate::place(place)?).context("cannot say where the inventory is")?,
        log: state.join("logs/schedule.log"),
        user: match user {
            Some(user) => user.to_owned(),
            None => owner(state)?,
        },
    })
}

/// Whose the state directory is, by name; of one that is not there yet, root's.
fn owner(state: &Path) -> anyhow::Result<String> {
    let Ok(status) = fs_err::metadata(state) else { return Ok("root".to_owned()) };
    let users = fs_err::read_to_string("/etc/passwd")?;
    let user = status.uid().to_string();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == user).then(|| name.to_owned())
    });
    name.with_context(|| format!("{} belongs to user {user}, who has no name here: say --user", state.display()))
}

fn install(arguments: &Install, inventory: &Inventory, place: Option<&Path>) -> anyhow::Result<Exit> {
    let machine = Machine::default();
    let wanted = match (arguments.cron, arguments.systemd) {
        (true, _) => Some(Wanted::Cron),
        (_, true) => Some(Wanted::Systemd),
        _ => None,
    };
    let daemon = machine.daemon(wanted)?;
    let job = job(&arguments.playbook, &arguments.at, arguments.user.as_deref(), inventory, place)?;
    let pieces = job.pieces(&daemon)?;
    require_playbook(&job)?;
    if arguments.dry_run {
        let texts = pieces.iter().map(|piece| format!("# {}\n{}\n", piece.path.display(), piece.text));
        write_out(&(texts.collect::<String>() + &next(&machine, &daemon, &arguments.at)))?;
        return Ok(Exit::Done);
    }
    if let Some(directory) = job.log.parent() {
        fs_err::create_dir_all(directory)?;
    }
    refuse_twice(&machine, &daemon, &arguments.playbook)?;
    let mut lines = place::install(&machine, &daemon, &arguments.playbook, &pieces)?;
    if daemon.process.is_none() {
        lines.push(format!("{} does not run: start it", daemon.kind.name()));
    }
    lines.push(format!("to see that it works: swarm schedule check {}", arguments.playbook));
    write_out(&(next(&machine, &daemon, &arguments.at) + &lines.join("\n") + "\n"))?;
    Ok(Exit::Done)
}

/// A run that a daemon starts has to find the playbook that is meant here, and it is no use with faults.
fn require_playbook(job: &Job) -> anyhow::Result<()> {
    let name = job.playbook.as_str();
    let here = Shelf::new(Some(&job.inventory)).find(name)?;
    let there = Shelf::from_anywhere(&job.inventory).find(name);
    here.read()?;
    match there {
        Ok(there) if there.text == here.text => Ok(()),
        _ => anyhow::bail!(
            "a run that is started elsewhere does not see {}: put it into {} or {}",
            here.source,
            job.inventory.with_file_name("playbooks").display(),
            shelf::PLACE
        ),
    }
}

/// An entry elsewhere would start the playbook a second time.
fn refuse_twice(machine: &Machine, daemon: &Daemon, playbook: &PlaybookName) -> anyhow::Result<()> {
    let elsewhere: Vec<Installed> = place::installed(machine)?
        .into_iter()
        .filter(|found| found.playbook == *playbook && !found.path.starts_with(&daemon.directory))
        .collect();
    match elsewhere.first() {
        None => Ok(()),
        Some(found) => {
            anyhow::bail!("{} starts it already: `swarm schedule remove {playbook}` first", found.path.display())
        }
    }
}

fn remove(arguments: &Remove) -> anyhow::Result<Exit> {
    let machine = Machine::default();
    let lines = place::remove(&machine, &arguments.playbook, arguments.dry_run)?;
    let text = match lines.is_empty() {
        true => none_of_ours(Some(&arguments.playbook), &place::installed(&machine)?),
        false => lines.join("\n"),
    };
    write_out(&format!("{text}\n"))?;
    Ok(Exit::Done)
}

/// When it fires next, in the daemon's time zone, and what becomes of it when clocks are changed.
fn next(machine: &Machine, daemon: &Daemon, fields: &Fields) -> String {
    let (zone, whence) = machine.zone(daemon);
    let moment = jiff::Timestamp::from_second(now().0).unwrap_or_default();
    match firing::next(fields, &zone, daemon.kind.clocks(), moment) {
        Some(next) => format!(
            "next: {} (time zone {whence}), in {}; {}\n",
            shown(next, &zone),
            duration(next.as_second().abs_diff(moment.as_second())),
            daemon.kind.on_changed_clocks(),
        ),
        None => "next: never, such a day does not come\n".to_owned(),
    }
}

async fn check(arguments: &Check, inventory: &Inventory, place: Option<&Path>) -> anyhow::Result<Exit> {
    let machine = Machine::default();
    let mut entries = place::installed(&machine)?;
    let none = none_of_ours(arguments.playbook.as_ref(), &entries);
    if let Some(playbook) = &arguments.playbook {
        entries.retain(|entry| entry.playbook == *playbook);
    }
    if entries.is_empty() {
        write_out(&format!("{none}: `swarm schedule install` writes one\n"))?;
        return Ok(Exit::Impossible);
    }
    let state = books::state(inventory).await?.unwrap_or_default();
    let mut good = true;
    for (index, entry) in entries.iter().enumerate() {
        let twice = entries[..index].iter().find(|other| other.playbook == entry.playbook);
        let (mut findings, next) = look(&machine, entry, inventory, place, &state)?;
        findings.extend(twice.map(|other| Finding::fault(format!("{} starts it as well", other.path.display()))));
        good &= findings.iter().all(|finding| finding.verdict != Verdict::Fault);
        write_out(&format!("{}{}: {}\n", if index == 0 { "" } else { "\n" }, entry.playbook, entry.path.display()))?;
        table(&findings).print()?;
        write_out(&next)?;
    }
    Ok(Exit::done_if(good))
}

/// What is said where no entry is the one that was asked for.
fn none_of_ours(playbook: Option<&PlaybookName>, entries: &[Installed]) -> String {
    let Some(playbook) = playbook else { return "no playbook is started by an entry of ours here".to_owned() };
    let hint = hint(playbook.as_str(), entries.iter().map(|entry| entry.playbook.as_str()));
    format!("{playbook} has no entry here{hint}")
}

/// All that is found of an entry, and when it fires next.
fn look(
    machine: &Machine,
    entry: &Installed,
    inventory: &Inventory,
    place: Option<&Path>,
    state: &State,
) -> anyhow::Result<(Vec<Finding>, String)> {
    let daemon = if entry.timer { machine.systemd() } else { machine.daemon(Some(Wanted::Cron))? };
    let Ok(fields) = entry.fields() else {
        return Ok((examine(machine, &daemon, entry, &[]), String::new()));
    };
    let user = user_of(entry);
    let job = job(&entry.playbook, &fields, user.as_deref(), inventory, place)?;
    let mut findings = match job.pieces(&daemon) {
        Ok(pieces) => examine(machine, &daemon, entry, &pieces),
        Err(error) => vec![Finding::fault(error.to_string())],
    };
    let (zone, _) = machine.zone(&daemon);
    let moment = jiff::Timestamp::from_second(now().0)?;
    let due = firing::last(&fields, &zone, daemon.kind.clocks(), moment).map(|due| Timestamp(due.as_second()));
    let written = fs_err::metadata(machine.path(&entry.path)).map_or(now(), |status| Timestamp(status.mtime()));
    let punctuality = Punctuality::of(state.runs.get(&entry.playbook), due, written, now());
    findings.push(said(&punctuality, &zone, &entry.playbook));
    Ok((findings, next(machine, &daemon, &fields)))
}

/// Who runs an entry: of a crontab with users the sixth word, of a unit its `User=`.
fn user_of(entry: &Installed) -> Option<String> {
    if entry.timer {
        let service: PathBuf = entry.path.with_extension("service");
        let text = fs_err::read_to_string(service).ok()?;
        return text.lines().find_map(|line| line.strip_prefix("User=")).map(str::to_owned);
    }
    let line = entry.text.lines().find(|line| !line.starts_with('#'))?;
    let word = Fields::read(line).ok()?.1.split_whitespace().next()?;
    (!word.contains('=')).then(|| word.to_owned())
}

/// What is to be said of the last run.
fn said(punctuality: &Punctuality, zone: &jiff::tz::TimeZone, playbook: &PlaybookName) -> Finding {
    let at = |moment: &Timestamp| shown(jiff::Timestamp::from_second(moment.0).unwrap_or_default(), zone);
    let text = match punctuality {
        Punctuality::NotDueYet => "it has not been due since the entry was written".to_owned(),
        Punctuality::AboutToBegin => "it is due just now".to_owned(),
        Punctuality::Missing { due, at_work: None } => {
            format!("the run that was due at {} did not begin: the log of the daemon may say why", at(due))
        }
        Punctuality::Missing { due, at_work: Some(since) } => format!(
            "the run that was due at {} did not begin: the one of {} is at work, and one at a time is; `swarm runs` shows it",
            at(due),
            at(since)
        ),
        Punctuality::Late { due, seconds } => {
            format!("the run that was due at {} began {} minutes late", at(due), seconds / 60)
        }
        Punctuality::Beyond { deadline } => {
            format!("{playbook} is at work beyond its deadline, which was {}: `swarm runs` shows it", at(deadline))
        }
        Punctuality::AtWork { since } => format!("it has been at work since {}", at(since)),
        Punctuality::Over { status, reason, at: end } => {
            format!("the last run ended at {} with status {status}: {reason}", at(end))
        }
    };
    if punctuality.is_fault() { Finding::fault(text) } else { Finding::fine(text) }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new(["", "what was found"]);
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Fine => Cell::new("ok", Tone::Good),
            Verdict::Unproven => Cell::new("unproven", Tone::Warning),
            Verdict::Fault => Cell::new("fault", Tone::Bad),
        };
        table.row([verdict, Cell::from(&finding.text)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_have_days_before_it() {
        for (text, fields) in [
            ("02:30", "30 2 * * *"),
            ("2:05", "5 2 * * *"),
            ("Sun 03:00", "0 3 * * 0"),
            ("Mon-Fri 23:59", "59 23 * * 1,2,3,4,5"),
            (" sun,wed  00:00", "0 0 * * 0,3"),
        ] {
            assert_eq!(at(text).unwrap().to_string(), fields, "{text}");
        }
        for text in ["", "02", "24:00", "02:60", "2:5", "* 02:30 x", "foo 02:30", "1,2:30", "*:30", "02:30:00", "-2:30"]
        {
            assert!(at(text).is_err(), "{text}");
        }
    }
}
