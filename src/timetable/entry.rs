//! What is written for a daemon: an entry of cron's in the form that this one reads, or systemd's two units.

use std::path::PathBuf;

use super::daemon::{Daemon, Kind, PATH};
use super::fields::Fields;
use crate::core::names::PlaybookName;
use crate::ssh;

/// What is to be run, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The playbook.
    pub playbook: PlaybookName,
    /// When.
    pub fields: Fields,
    /// This program.
    pub program: PathBuf,
    /// The inventory that it reads.
    pub inventory: PathBuf,
    /// Where what it says goes.
    pub log: PathBuf,
    /// Who runs it.
    pub user: String,
}

/// A file, or a part of one, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it is.
    pub path: PathBuf,
    /// The text, with a line end behind each line.
    pub text: String,
    /// Whether the file is all ours; else the text stands between others' lines.
    pub whole: bool,
}

/// Why there is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A path that does not go through a crontab or a unit.
    #[error("{0:?} cannot stand in an entry: it holds a percent sign, a quote, a backslash or a control character")]
    Path(PathBuf),
    /// A name that Debian's cron passes over.
    #[error("cron reads no file with a dot in its name: call the playbook {0} otherwise")]
    Name(PlaybookName),
    /// This daemon runs what is in its directory as root.
    #[error(
        "{daemon} runs its entries as root, and the state directory belongs to {user}: put the line into that one's own \
        crontab (`crontab -u {user} -e`):\n{line}"
    )]
    User {
        /// The daemon.
        daemon: &'static str,
        /// Whose the run would be.
        user: String,
        /// The line.
        line: String,
    },
}

impl Job {
    /// The name of what is written, without an ending.
    pub fn name(&self) -> String {
        name_of(&self.playbook)
    }

    /// The command line as words.
    fn words(&self) -> Result<Vec<String>, EntryError> {
        let mut words = vec![word(&self.program)?, "--inventory".to_owned(), word(&self.inventory)?];
        words.extend(["play".to_owned(), self.playbook.to_string()]);
        if let Some(time) = self.fields.only_time() {
            words.extend(["--due".to_owned(), format!("{:02}:{:02}", time.hour(), time.minute())]);
        }
        Ok(words)
    }

    /// The command as a shell takes it, with no word of the daemon's own: dcron takes no settings of variables.
    fn command(&self) -> Result<String, EntryError> {
        let words: Vec<String> = self.words()?.iter().map(|word| ssh::quoted(word)).collect();
        Ok(format!("PATH={PATH} exec {} >>{} 2>&1", words.join(" "), ssh::quoted(&word(&self.log)?)))
    }

    /// What is written for a daemon.
    ///
    /// # Errors
    /// This job cannot be one of its entries.
    pub fn pieces(&self, daemon: &Daemon) -> Result<Vec<Piece>, EntryError> {
        let remark = remark(&self.playbook);
        let (fields, command) = (&self.fields, self.command()?);
        let piece = |name: String, text: String, whole| vec![Piece { path: daemon.directory.join(name), text, whole }];
        match daemon.kind {
            Kind::Systemd => self.units(daemon),
            _ if daemon.kind != Kind::Busybox && self.playbook.as_str().contains('.') => {
                Err(EntryError::Name(self.playbook.clone()))
            }
            Kind::Debian | Kind::Cronie => {
                Ok(piece(self.name(), format!("{remark}\n{fields} {} {command}\n", self.user), true))
            }
            Kind::Dcron if self.user == "root" => {
                Ok(piece(self.name(), format!("{remark}\n{fields} {command}\n"), true))
            }
            Kind::Dcron => {
                let line = format!("{fields} {command}");
                Err(EntryError::User { daemon: daemon.kind.name(), user: self.user.clone(), line })
            }
            Kind::Busybox => Ok(piece(self.user.clone(), format!("{remark}\n{fields} {command}\n"), false)),
        }
    }

    /// A service and the timer that starts it.
    fn units(&self, daemon: &Daemon) -> Result<Vec<Piece>, EntryError> {
        let words: Vec<String> = self.words()?.iter().map(|word| format!("\"{word}\"")).collect();
        let (playbook, log) = (&self.playbook, word(&self.log)?);
        let service = format!(
            "{}\n[Unit]\nDescription=swarm play {playbook}\nWants=network-online.target\nAfter=network-online.target\n\n\
             [Service]\nType=oneshot\nUser={}\nEnvironment=PATH={PATH}\nExecStart={}\nTimeoutStartSec=infinity\n\
             StandardOutput=append:{log}\nStandardError=append:{log}\n",
            remark(playbook),
            self.user,
            words.join(" "),
        );
        let calendars: String = calendars(&self.fields).iter().map(|one| format!("OnCalendar={one}\n")).collect();
        let timer = format!(
            "{}\n[Unit]\nDescription=When swarm plays {playbook}\n\n[Timer]\n{calendars}Persistent=true\n\
             AccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n",
            remark(playbook),
        );
        let piece = |ending: &str, text| Piece {
            path: daemon.directory.join(format!("{}.{ending}", self.name())),
            text,
            whole: true,
        };
        Ok(vec![piece("service", service), piece("timer", timer)])
    }
}

/// The name of what is written for a playbook.
pub fn name_of(playbook: &PlaybookName) -> String {
    format!("swarm-{playbook}")
}

/// The line by which an entry is known as ours.
pub fn remark(playbook: &PlaybookName) -> String {
    format!("# Written by `swarm schedule install {playbook}`; `swarm schedule remove {playbook}` takes it away.")
}

/// A path as a word that means the same to a shell in quotes, to a crontab and to systemd.
fn word(path: &std::path::Path) -> Result<String, EntryError> {
    let odd = |each: char| each.is_control() || matches!(each, '%' | '\'' | '"' | '\\' | '$');
    match path.to_str() {
        Some(text) if !text.contains(odd) => Ok(text.to_owned()),
        _ => Err(EntryError::Path(path.to_owned())),
    }
}

/// The same times as systemd.time(7) has them; these fields name a time and days of the week, no more.
fn calendars(fields: &Fields) -> Vec<String> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let days: Vec<&str> =
        fields.named_weekdays().iter().filter_map(|day| DAYS.get(usize::try_from(*day).ok()?).copied()).collect();
    let days = if days.is_empty() { String::new() } else { days.join(",") + " " };
    fields.times().map(|time| format!("{days}*-*-* {:02}:{:02}:00", time.hour(), time.minute())).collect()
}

/// Reads what [`calendars`] writes.
pub(super) fn fields_of_calendar(text: &str) -> Option<Fields> {
    let (days, rest) = text.split_once("*-*-* ")?;
    let time: jiff::civil::Time = rest.trim().parse().ok()?;
    let days = days.trim();
    let weekdays = match days {
        "" => Vec::new(),
        _ => {
            let fields: Fields = format!("0 0 * * {days}").parse().ok()?;
            fields.named_weekdays()
        }
    };
    Some(Fields::at(time, &weekdays))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            playbook: "nightly-world".parse().unwrap(),
            fields: "30 2 * * *".parse().unwrap(),
            program: "/usr/bin/swarm".into(),
            inventory: "/etc/build-swarm/inventory".into(),
            log: "/var/lib/build-swarm/logs/schedule.log".into(),
            user: "root".to_owned(),
        }
    }

    fn daemon(kind: Kind, directory: &str) -> Daemon {
        Daemon { kind, process: None, directory: directory.into() }
    }

    const REMARK: &str = "# Written by `swarm schedule install nightly-world`; `swarm schedule remove nightly-world` takes \
        it away.\n";
    const COMMAND: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin exec '/usr/bin/swarm' \
        '--inventory' '/etc/build-swarm/inventory' 'play' 'nightly-world' '--due' '02:30' \
        >>'/var/lib/build-swarm/logs/schedule.log' 2>&1\n";

    #[test]
    fn each_cron_daemon_gets_the_entry_that_it_reads() {
        for (kind, directory, path, who, whole) in [
            (Kind::Debian, "/etc/cron.d", "/etc/cron.d/swarm-nightly-world", "root ", true),
            (Kind::Cronie, "/etc/cron.d", "/etc/cron.d/swarm-nightly-world", "root ", true),
            (Kind::Dcron, "/etc/cron.d", "/etc/cron.d/swarm-nightly-world", "", true),
            (Kind::Busybox, "/var/spool/cron/crontabs", "/var/spool/cron/crontabs/root", "", false),
        ] {
            let text = format!("{REMARK}30 2 * * * {who}{COMMAND}");
            let wanted = [Piece { path: path.into(), text, whole }];
            assert_eq!(job().pieces(&daemon(kind, directory)).unwrap(), wanted, "{kind:?}");
        }
    }

    #[test]
    fn systemd_gets_a_service_and_a_timer() {
        let job = Job { fields: "0 3 * * 1,4".parse().unwrap(), ..job() };
        let pieces = job.pieces(&daemon(Kind::Systemd, "/etc/systemd/system")).unwrap();
        let service = format!(
            "{REMARK}[Unit]\nDescription=swarm play nightly-world\nWants=network-online.target\nAfter=network-online.target\n\n\
             [Service]\nType=oneshot\nUser=root\nEnvironment=PATH={PATH}\nExecStart=\"/usr/bin/swarm\" \"--inventory\" \
             \"/etc/build-swarm/inventory\" \"play\" \"nightly-world\" \"--due\" \"03:00\"\nTimeoutStartSec=infinity\n\
             StandardOutput=append:/var/lib/build-swarm/logs/schedule.log\n\
             StandardError=append:/var/lib/build-swarm/logs/schedule.log\n"
        );
        let timer = format!(
            "{REMARK}[Unit]\nDescription=When swarm plays nightly-world\n\n[Timer]\nOnCalendar=Mon,Thu *-*-* 03:00:00\n\
             Persistent=true\nAccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n"
        );
        let texts: Vec<_> = pieces.iter().map(|piece| (piece.path.to_str().unwrap(), piece.text.as_str())).collect();
        let names =
            ["/etc/systemd/system/swarm-nightly-world.service", "/etc/systemd/system/swarm-nightly-world.timer"];
        assert_eq!(texts, [(names[0], service.as_str()), (names[1], timer.as_str())]);
    }

    #[test]
    fn a_calendar_is_read_as_it_was_written() {
        for text in ["30 2 * * *", "0 3 * * 1,4", "59 23 * * 0"] {
            let fields: Fields = text.parse().unwrap();
            let written = calendars(&fields);
            assert_eq!(
                written.iter().map(|one| fields_of_calendar(one).unwrap().to_string()).collect::<Vec<_>>(),
                [text]
            );
        }
        assert_eq!(fields_of_calendar("daily"), None);
    }

    #[test]
    fn what_an_entry_cannot_hold_is_refused() {
        let debian = daemon(Kind::Debian, "/etc/cron.d");
        for path in ["/a%b", "/a'b", "/a\"b", "/a\nb", "/a\\b", "/a$b"] {
            let refused = Job { inventory: path.into(), ..job() }.pieces(&debian);
            assert_eq!(refused, Err(EntryError::Path(path.into())));
        }
        let dotted = Job { playbook: "a.b".parse().unwrap(), ..job() };
        assert!(matches!(dotted.pieces(&debian), Err(EntryError::Name(_))));
        let other = Job { user: "swarm".to_owned(), ..job() };
        let refused = other.pieces(&daemon(Kind::Dcron, "/etc/cron.d")).unwrap_err().to_string();
        assert!(refused.contains("crontab -u swarm -e") && refused.contains("30 2 * * * PATH="), "{refused}");
    }
}
