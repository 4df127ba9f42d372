//! Whether an entry is as it was written, and whether its daemon reads it: what can be proven, and what cannot.
//!
//! The daemons pass over files that are not as they want them without telling whoever wrote them; they tell their log. So
//! the file is looked at as they do, then the log; and where that says nothing, a daemon that was started after the file
//! was written has read it.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::daemon::{Daemon, Kind, Machine, ask};
use super::entry::{Piece, name_of};
use super::place::Installed;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it comes to.
    pub verdict: Verdict,
    /// In words.
    pub text: String,
}

/// What a finding comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Nothing says that it is, and nothing that it is not.
    Unproven,
    /// It will not work.
    Fault,
}

impl Finding {
    /// As it should be.
    pub fn fine(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fine, text: text.into() }
    }

    /// It will not work.
    pub fn fault(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fault, text: text.into() }
    }

    fn unproven(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unproven, text: text.into() }
    }
}

/// The logs to which cron daemons write, one of which is there.
const LOGS: [&str; 5] =
    ["/var/log/cron.log", "/var/log/cron", "/var/log/crond.log", "/var/log/syslog", "/var/log/messages"];
/// So much of the end of a log (bytes) is looked at.
const LOG_END: u64 = 8 << 20;
/// What a daemon's log says of a file that it does not take; in the words of Debian's cron and of cronie.
const REFUSALS: [&str; 11] = [
    "ERROR",
    "Error",
    "WRONG ",
    "INSECURE MODE",
    "BAD FILE MODE",
    "CAN'T OPEN",
    "NOT REGULAR",
    "NUMBER OF HARD LINKS",
    "FAILED",
    "bad ",
    "Missing newline",
];

/// Looks at an entry; `wanted` is what would be written for it now.
pub fn examine(machine: &Machine, daemon: &Daemon, entry: &Installed, wanted: &[Piece]) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Err(error) = entry.fields() {
        found.push(Finding::fault(format!("no daemon takes its line: {error}")));
    }
    found.push(content(machine, entry, wanted));
    if daemon.kind != Kind::Systemd {
        found.extend(form(machine, daemon, entry));
    }
    found.push(match daemon.process {
        Some(process) => Finding::fine(format!("{} runs (process {process})", daemon.kind.name())),
        None => Finding::fault(format!("{} does not run: start it", daemon.kind.name())),
    });
    if !entry.path.starts_with(&daemon.directory) {
        let text = format!("{} reads {}, not {}", daemon.kind.name(), daemon.directory.display(), entry.path.display());
        found.push(Finding::fault(text + ": `swarm schedule install` writes it where it is read"));
    } else if daemon.kind == Kind::Systemd {
        found.extend(of_systemd(entry));
    } else if let Some(process) = daemon.process {
        found.push(of_cron(machine, process, entry));
    }
    found
}

/// Whether the files are what would be written now.
fn content(machine: &Machine, entry: &Installed, wanted: &[Piece]) -> Finding {
    for piece in wanted {
        let there = if piece.path == entry.path { Some(entry.text.clone()) } else { text_of(machine, &piece.path) };
        let Some(there) = there else {
            return Finding::fault(format!("{} is gone: `swarm schedule install` writes it", piece.path.display()));
        };
        if there != piece.text {
            let differs = |(one, other): &(&str, &str)| one != other;
            let line = there.lines().zip(piece.text.lines()).find(differs).map_or("its length", |(line, _)| line);
            let text = format!("{} is not as swarm would write it now: {line}", piece.path.display());
            return Finding::fault(text + "; `swarm schedule install` does");
        }
    }
    Finding::fine(format!("{} is as it was written", entry.path.display()))
}

fn text_of(machine: &Machine, path: &Path) -> Option<String> {
    fs::read(machine.path(path)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the file is one that the daemon takes: owner, mode, links, name, end.
fn form(machine: &Machine, daemon: &Daemon, entry: &Installed) -> Vec<Finding> {
    let path = machine.path(&entry.path);
    let status = match fs::metadata(&path) {
        Ok(status) => status,
        Err(error) => return vec![Finding::fault(format!("it cannot be looked at: {error}"))],
    };
    let name = entry.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |each: char| each.is_ascii_alphanumeric() || matches!(each, '-' | '_');
    let mode = status.mode() & 0o7777;
    let system = matches!(daemon.kind, Kind::Debian | Kind::Cronie | Kind::Dcron);
    let shown = entry.path.display();
    // Where the path is a link, that one's owner counts as well.
    let link_owner = fs::symlink_metadata(&path).map_or(0, |link| link.uid());
    let faults = [
        (system && status.uid() != 0, format!("it belongs to user {}, not to root: chown root {shown}", status.uid())),
        (system && link_owner != 0, format!("the link {shown} does not belong to root")),
        (mode & 0o022 != 0, format!("others may write it (mode {mode:o}): chmod 644 {shown}")),
        (
            daemon.kind == Kind::Cronie && mode & 0o111 != 0,
            format!("cronie takes no executable file: chmod 644 {shown}"),
        ),
        (daemon.kind == Kind::Debian && status.nlink() != 1, format!("it has {} names (hard links)", status.nlink())),
        (daemon.kind == Kind::Debian && !name.chars().all(plain), format!("cron passes over the name {name}")),
        (!status.is_file(), format!("{shown} is no file")),
        (!entry.text.ends_with('\n'), "its last line has no end".to_owned()),
    ];
    let found: Vec<Finding> =
        faults.into_iter().filter(|(bad, _)| *bad).map(|(_, text)| Finding::fault(text)).collect();
    if found.is_empty() { vec![Finding::fine("owner, mode and name are such that it is taken")] } else { found }
}

/// What systemd says of a timer.
fn of_systemd(entry: &Installed) -> Vec<Finding> {
    let timer = format!("{}.timer", name_of(&entry.playbook));
    let enabled = match ask("systemctl", &["is-enabled", &timer]) {
        Ok(_) => Finding::fine(format!("{timer} is enabled")),
        Err(error) => Finding::fault(format!("{timer} is not enabled ({error}): `swarm schedule install` does it")),
    };
    let state = ask("systemctl", &["show", "--property=ActiveState,NeedDaemonReload", &timer]);
    let active = match state {
        Ok(text) if text.contains("NeedDaemonReload=yes") => {
            Finding::fault("systemd has not read what lies there now: systemctl daemon-reload")
        }
        Ok(text) if text.contains("ActiveState=active") => Finding::fine("systemd waits for its time"),
        Ok(_) => Finding::fault(format!("systemd does not wait for its time: systemctl start {timer}")),
        Err(error) => Finding::unproven(format!("systemd cannot be asked: {error}")),
    };
    vec![enabled, active]
}

/// Whether a cron daemon has read the file: by its log, else by when it was started.
fn of_cron(machine: &Machine, process: u32, entry: &Installed) -> Finding {
    let name = entry.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let log = logs(machine);
    if let Some(line) = log.iter().flat_map(|log| log.lines()).rfind(|line| is_about(line, &name, &entry.path)) {
        let line = line.trim();
        return match REFUSALS.iter().any(|words| line.contains(words)) {
            true => Finding::fault(format!("it is refused: {line}")),
            false => Finding::fine(format!("it is read: {line}")),
        };
    }
    let written = fs::metadata(machine.path(&entry.path)).map_or(0, |status| status.ctime());
    match started(machine, process) {
        Some(started) if started > written => Finding::fine("it is read: the daemon was started after it was written"),
        _ if log.is_empty() => Finding::unproven(
            "nothing tells whether the daemon has read it: no log of it is found here (it looks once a minute)",
        ),
        _ => Finding::unproven("the daemon's log does not say yet whether it has read it: it looks once a minute"),
    }
}

/// Whether a line of a log is about a file: Debian's cron calls it `*system*NAME` as well.
fn is_about(line: &str, name: &str, path: &Path) -> bool {
    let path = path.to_string_lossy();
    let whole = |word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let behind = line.get(at + word.len()..).and_then(|rest| rest.chars().next());
            !behind.is_some_and(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.'))
        })
    };
    line.contains("cron") && (whole(&path) || whole(&format!("*system*{name}")))
}

/// The ends of the logs that can be read, and of systemd's journal where it has one.
fn logs(machine: &Machine) -> Vec<String> {
    let mut found: Vec<String> = LOGS.iter().filter_map(|log| end_of(&machine.path(log)).ok()).collect();
    if machine.has_systemd() {
        let arguments = ["--quiet", "--no-pager", "--lines=20000", "--identifier=cron", "--identifier=crond"];
        found.extend(ask("journalctl", &arguments).ok());
    }
    found
}

fn end_of(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_END)))?;
    let mut end = Vec::new();
    file.take(LOG_END).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}

/// When a process was started (seconds since 1970): field 22 of its stat, in hundredths since the machine was.
fn started(machine: &Machine, process: u32) -> Option<i64> {
    let stat = text_of(machine, Path::new(&format!("/proc/{process}/stat")))?;
    let since: i64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let kernel = text_of(machine, Path::new("/proc/stat"))?;
    let boot: i64 = kernel.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + since / 100)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Job;
    use super::super::place::{install, installed};
    use super::*;

    struct Set {
        root: tempfile::TempDir,
        job: Job,
        daemon: Daemon,
    }

    /// A machine with an entry for Debian's cron.
    fn set() -> Set {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc/cron.d", "var/log", "proc/7"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let daemon = Daemon { kind: Kind::Debian, process: Some(7), directory: "/etc/cron.d".into() };
        let job = Job {
            playbook: "nightly".parse().unwrap(),
            fields: "30 2 * * *".parse().unwrap(),
            program: "/usr/bin/swarm".into(),
            inventory: "/etc/inventory".into(),
            log: "/var/log/swarm.log".into(),
            user: "root".to_owned(),
        };
        install(&Machine::below(root.path()), &daemon, &job.playbook, &job.pieces(&daemon).unwrap()).unwrap();
        Set { root, job, daemon }
    }

    impl Set {
        fn file(&self, path: &str) -> std::path::PathBuf {
            self.root.path().join(path)
        }

        fn faults(&self) -> Vec<Finding> {
            self.all().into_iter().filter(|finding| finding.verdict == Verdict::Fault).collect()
        }

        fn all(&self) -> Vec<Finding> {
            let machine = Machine::below(self.root.path());
            let entry = installed(&machine).unwrap().remove(0);
            examine(&machine, &self.daemon, &entry, &self.job.pieces(&self.daemon).unwrap())
        }
    }

    #[test]
    fn the_log_of_the_daemon_says_whether_the_entry_is_read() {
        let set = set();
        let last = |text: &str| {
            fs::write(set.file("var/log/syslog"), text).unwrap();
            let found = set.all().pop().unwrap();
            (found.verdict, found.text)
        };
        let line = |words: &str| format!("Nov 26 18:40:01 host cron[68]: {words}\n");
        let read = line("(*system*swarm-nightly) RELOAD (/etc/cron.d/swarm-nightly)");
        let other =
            line("(*system*swarm-nightly-2) INSECURE MODE (group/other writable) (/etc/cron.d/swarm-nightly-2)");
        for (text, verdict) in [
            (read.clone(), Verdict::Fine),
            (format!("{read}{other}"), Verdict::Fine),
            (other.clone(), Verdict::Unproven),
            (line("(*system*) RELOAD (/etc/cron.d/swarm-nightly)"), Verdict::Fine),
            (line("(*system*swarm-nightly) WRONG FILE OWNER (/etc/cron.d/swarm-nightly)"), Verdict::Fault),
            (line("(CRON) bad minute (/etc/cron.d/swarm-nightly)"), Verdict::Fault),
            (read + &line("Error: bad hour; while reading /etc/cron.d/swarm-nightly"), Verdict::Fault),
            (String::new(), Verdict::Unproven),
        ] {
            let (found, words) = last(&text);
            assert_eq!(found, verdict, "{text}: {words}");
        }
    }

    #[test]
    fn a_daemon_that_was_started_later_has_read_the_entry() {
        let set = set();
        let written = fs::metadata(set.file("etc/cron.d/swarm-nightly")).unwrap().ctime();
        for (ahead, verdict) in [(60, Verdict::Fine), (-60, Verdict::Unproven)] {
            let fields = ["0"; 18].join(" ");
            fs::write(set.file("proc/7/stat"), format!("7 (a) b) S {fields} 500 0\n")).unwrap();
            fs::write(set.file("proc/stat"), format!("cpu 1\nbtime {}\n", written + ahead - 5)).unwrap();
            assert_eq!(set.all().pop().unwrap().verdict, verdict, "{ahead}");
        }
    }

    #[test]
    fn whatever_keeps_an_entry_from_being_taken_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let set = set();
        let file = set.file("etc/cron.d/swarm-nightly");
        let whole = fs::read_to_string(&file).unwrap();
        let check = |change: &dyn Fn(), words: &str| {
            change();
            let faults = set.faults();
            assert!(faults.iter().any(|fault| fault.text.contains(words)), "{words}: {faults:?}");
            fs::write(&file, &whole).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        };
        check(
            &|| fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap(),
            "others may write it (mode 664)",
        );
        check(&|| fs::write(&file, whole.trim_end()).unwrap(), "its last line has no end");
        check(&|| fs::write(&file, whole.replace("30 2", "61 2")).unwrap(), "\"61\" is no minute");
        check(
            &|| fs::write(&file, whole.replace("/usr/bin/swarm", "/old/swarm")).unwrap(),
            "not as swarm would write it now",
        );
        check(&|| fs::hard_link(&file, set.file("etc/second")).unwrap(), "2 names");
    }

    #[test]
    fn an_entry_that_the_daemon_of_this_machine_does_not_look_at_is_no_entry() {
        let mut set = set();
        set.daemon = Daemon { kind: Kind::Busybox, process: None, directory: "/var/spool/cron/crontabs".into() };
        let faults: Vec<String> = set.faults().into_iter().map(|fault| fault.text).collect();
        for words in ["busybox crond does not run", "busybox crond reads /var/spool/cron/crontabs, not /etc/cron.d"] {
            assert!(faults.iter().any(|fault| fault.contains(words)), "{faults:?}");
        }
    }
}
