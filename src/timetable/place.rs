//! Puts an entry in its place, finds it again, and takes it away: exactly what was written, and nothing of others.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::daemon::{Daemon, Kind, Machine, ask};
use super::entry::{Piece, fields_of_calendar, name_of, remark};
use super::fields::{FieldError, Fields};
use crate::core::names::PlaybookName;

/// Why an entry cannot be put in its place, or taken away.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Somebody else's file.
    #[error("{} is there already, and is none of ours: remove it, or give the playbook another name", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written or removed.
    #[error("cannot write {}: {source}{}", path.display(), cure(source))]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// systemd did not do what it was asked.
    #[error("{0}")]
    Systemd(String),
}

fn cure(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; entries of the system are root's to write",
        std::io::ErrorKind::NotFound => "; is the daemon installed?",
        _ => "",
    }
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What it is for.
    pub playbook: PlaybookName,
    /// The file that has it; of systemd's two the timer.
    pub path: PathBuf,
    /// What is ours of it.
    pub text: String,
    /// Whether systemd reads it.
    pub timer: bool,
}

impl Installed {
    /// When it is to run.
    ///
    /// # Errors
    /// No line of it says so in a form that daemons take.
    pub fn fields(&self) -> Result<Fields, FieldError> {
        let mut lines = self.text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
        if self.timer {
            let calendar = lines.find_map(|line| line.strip_prefix("OnCalendar="));
            return calendar.and_then(fields_of_calendar).map_or_else(|| "".parse(), Ok);
        }
        Fields::read(lines.next().unwrap_or_default()).map(|(fields, _)| fields)
    }
}

/// Writes the pieces of an entry; says of each whether it was written or is there already as it should be.
///
/// # Errors
/// A file is somebody else's, or cannot be written; systemd refuses.
pub fn install(
    machine: &Machine,
    daemon: &Daemon,
    playbook: &PlaybookName,
    pieces: &[Piece],
) -> Result<Vec<String>, PlaceError> {
    let mut lines = Vec::new();
    for piece in pieces {
        let there = read(machine, &piece.path)?;
        if piece.whole && there.as_ref().is_some_and(|text| !text.starts_with(&remark(playbook))) {
            return Err(PlaceError::Foreign { path: piece.path.clone() });
        }
        let wanted = match piece.whole {
            true => piece.text.clone(),
            false => without(there.as_deref().unwrap_or_default(), playbook) + &piece.text,
        };
        if there.as_ref() == Some(&wanted) {
            lines.push(format!("{} is as it should be", piece.path.display()));
            continue;
        }
        write(machine, &piece.path, &wanted, if piece.whole { 0o644 } else { 0o600 })?;
        tell(machine, daemon, &piece.path)?;
        lines.push(format!("wrote {}", piece.path.display()));
    }
    if daemon.kind == Kind::Systemd {
        systemd(&["daemon-reload"])?;
        systemd(&["enable", "--now", &format!("{}.timer", name_of(playbook))])?;
    }
    Ok(lines)
}

/// Takes away all that was ever written for a playbook, whichever daemon it was for; says what.
///
/// # Errors
/// A file cannot be written or removed; systemd refuses.
pub fn remove(machine: &Machine, playbook: &PlaybookName, dry_run: bool) -> Result<Vec<String>, PlaceError> {
    let mut lines = Vec::new();
    for found in installed(machine)?.into_iter().filter(|found| found.playbook == *playbook) {
        let mut paths = vec![found.path.clone()];
        if found.timer {
            paths.push(found.path.with_extension("service"));
        }
        let verb = if dry_run { "would remove" } else { "removed" };
        if found.timer && !dry_run {
            systemd(&["disable", "--now", &format!("{}.timer", name_of(playbook))])?;
        }
        for path in paths {
            let Some(text) = read(machine, &path)?.filter(|text| text.contains(&remark(playbook))) else { continue };
            let rest = without(&text, playbook);
            let whole = text.starts_with(&remark(playbook)) && !is_spool(&path);
            lines.push(format!("{verb} {}{}", if whole { "" } else { "our lines of " }, path.display()));
            if dry_run {
                continue;
            }
            match whole {
                true => fs::remove_file(machine.path(&path))
                    .map_err(|source| PlaceError::Unwritten { path: path.clone(), source })?,
                false => write(machine, &path, &rest, 0o600)?,
            }
        }
        if found.timer && !dry_run {
            systemd(&["daemon-reload"])?;
        }
    }
    Ok(lines)
}

/// All entries of ours on this machine, whichever daemon they are for. What nobody but root may read is none of ours for
/// anybody else.
///
/// # Errors
/// A directory or file cannot be read for another reason.
pub fn installed(machine: &Machine) -> Result<Vec<Installed>, PlaceError> {
    let mut found = Vec::new();
    for (directory, timer) in [("/etc/cron.d", false), ("/etc/systemd/system", true), (SPOOL, false)] {
        let entries = match fs::read_dir(machine.path(directory)) {
            Ok(entries) => entries,
            Err(error) if is_passed_over(&error) => continue,
            Err(source) => return Err(PlaceError::Unread { path: directory.into(), source }),
        };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        for name in names {
            let wanted = match (timer, directory == SPOOL) {
                (true, _) => name.starts_with("swarm-") && name.ends_with(".timer"),
                (false, spool) => spool || name.starts_with("swarm-"),
            };
            let path = Path::new(directory).join(name);
            if !wanted {
                continue;
            }
            match read(machine, &path) {
                Ok(text) => found.extend(text.into_iter().flat_map(|text| entries_of(&path, &text, timer))),
                Err(PlaceError::Unread { source, .. }) if is_passed_over(&source) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// Whether a place has no entry of ours by this: it is not there, is no file, or is not for us to read.
fn is_passed_over(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | PermissionDenied)
}

const SPOOL: &str = "/var/spool/cron/crontabs";

fn is_spool(path: &Path) -> bool {
    path.starts_with(SPOOL)
}

/// Our entries in a file: the whole of it, or a remark with the line behind it.
fn entries_of(path: &Path, text: &str, timer: bool) -> Vec<Installed> {
    let lines: Vec<&str> = text.lines().collect();
    let of = |(index, line): (usize, &&str)| {
        let name = line.strip_prefix("# Written by `swarm schedule install ")?.split('`').next()?;
        let playbook: PlaybookName = name.parse().ok()?;
        if **line != remark(&playbook) {
            return None;
        }
        let own = match is_spool(path) {
            true => lines.get(index..lines.len().min(index + 2)).unwrap_or_default().join("\n") + "\n",
            false => text.to_owned(),
        };
        Some(Installed { playbook, path: path.to_owned(), text: own, timer })
    };
    lines.iter().enumerate().filter_map(of).collect()
}

/// A file's text without our two lines for a playbook.
fn without(text: &str, playbook: &PlaybookName) -> String {
    let remark = remark(playbook);
    let mut lines = text.lines();
    let mut kept = String::with_capacity(text.len());
    while let Some(line) = lines.next() {
        if line == remark {
            lines.next();
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

fn read(machine: &Machine, path: &Path) -> Result<Option<String>, PlaceError> {
    match fs::read(machine.path(path)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PlaceError::Unread { path: path.to_owned(), source }),
    }
}

/// A daemon never sees half of it: it is written under a name that all of them pass over, and renamed.
fn write(machine: &Machine, path: &Path, text: &str, mode: u32) -> Result<(), PlaceError> {
    let error = |source| PlaceError::Unwritten { path: path.to_owned(), source };
    let place = machine.path(path);
    let written = || {
        let directory = place.parent().unwrap_or(Path::new("/"));
        let mut file = tempfile::Builder::new().prefix(".swarm-").tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(&place).map_err(|error| error.error)?;
        Ok(())
    };
    written().map_err(error)
}

/// dcron and busybox look at a file again when its name is in `cron.update`, else within the hour.
fn tell(machine: &Machine, daemon: &Daemon, path: &Path) -> Result<(), PlaceError> {
    let (Kind::Dcron | Kind::Busybox, Some(name)) = (daemon.kind, path.file_name()) else { return Ok(()) };
    let update = daemon.directory.join("cron.update");
    let file = fs::OpenOptions::new().append(true).create(true).open(machine.path(&update));
    let told = file.and_then(|mut file| writeln!(file, "{}", name.to_string_lossy()));
    told.map_err(|source| PlaceError::Unwritten { path: update, source })
}

fn systemd(arguments: &[&str]) -> Result<(), PlaceError> {
    ask("systemctl", arguments).map(drop).map_err(PlaceError::Systemd)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Job;
    use super::*;

    fn machine(directories: &[&str]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        for directory in directories {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let machine = Machine::below(root.path());
        (root, machine)
    }

    fn job(time: &str) -> Job {
        Job {
            playbook: "nightly-world".parse().unwrap(),
            fields: time.parse().unwrap(),
            program: "/usr/bin/swarm".into(),
            inventory: "/etc/inventory".into(),
            log: "/var/log/swarm.log".into(),
            user: "root".to_owned(),
        }
    }

    fn put(machine: &Machine, kind: Kind, directory: &str, time: &str) -> Result<Vec<String>, PlaceError> {
        let daemon = Daemon { kind, process: None, directory: directory.into() };
        let job = job(time);
        install(machine, &daemon, &job.playbook, &job.pieces(&daemon).unwrap())
    }

    #[test]
    fn an_entry_is_written_once_found_changed_and_taken_away() {
        let (root, machine) = machine(&["etc/cron.d"]);
        let file = root.path().join("etc/cron.d/swarm-nightly-world");
        let playbook: PlaybookName = "nightly-world".parse().unwrap();
        let said = |time| put(&machine, Kind::Debian, "/etc/cron.d", time).unwrap().join("\n");
        assert_eq!(said("30 2 * * *"), "wrote /etc/cron.d/swarm-nightly-world");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(said("30 2 * * *"), "/etc/cron.d/swarm-nightly-world is as it should be");
        assert_eq!(said("0 3 * * 0"), "wrote /etc/cron.d/swarm-nightly-world");
        let found = installed(&machine).unwrap();
        assert_eq!((found.len(), found[0].fields().unwrap().to_string().as_str()), (1, "0 3 * * 0"));
        assert_eq!(remove(&machine, &playbook, true).unwrap(), ["would remove /etc/cron.d/swarm-nightly-world"]);
        assert!(file.exists());
        assert_eq!(remove(&machine, &playbook, false).unwrap(), ["removed /etc/cron.d/swarm-nightly-world"]);
        assert!(!file.exists() && fs::read_dir(root.path().join("etc/cron.d")).unwrap().next().is_none());
        assert!(remove(&machine, &playbook, false).unwrap().is_empty());
    }

    #[test]
    fn lines_of_others_in_a_crontab_stay_as_they_are() {
        let (root, machine) = machine(&[&SPOOL[1..]]);
        let file = root.path().join("var/spool/cron/crontabs/root");
        let others = "# mine\n0 0 * * * true\n";
        fs::write(&file, others).unwrap();
        for time in ["30 2 * * *", "0 3 * * *"] {
            put(&machine, Kind::Busybox, SPOOL, time).unwrap();
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(others) && text.matches("swarm schedule remove").count() == 1, "{text}");
        assert_eq!(installed(&machine).unwrap()[0].fields().unwrap().to_string(), "0 3 * * *");
        assert_eq!(fs::read_to_string(file.with_file_name("cron.update")).unwrap(), "root\nroot\n");
        remove(&machine, &"nightly-world".parse().unwrap(), false).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), others);
    }

    #[test]
    fn a_file_of_somebody_else_is_left_alone() {
        let (root, machine) = machine(&["etc/cron.d"]);
        let file = root.path().join("etc/cron.d/swarm-nightly-world");
        fs::write(&file, "0 0 * * * root true\n").unwrap();
        let refused = put(&machine, Kind::Debian, "/etc/cron.d", "30 2 * * *");
        assert!(matches!(refused, Err(PlaceError::Foreign { .. })), "{refused:?}");
        assert!(remove(&machine, &"nightly-world".parse().unwrap(), false).unwrap().is_empty());
        assert_eq!(fs::read_to_string(&file).unwrap(), "0 0 * * * root true\n");
    }

    #[test]
    fn without_the_daemons_directory_nothing_is_written() {
        let (_root, machine) = machine(&[]);
        let error = put(&machine, Kind::Debian, "/etc/cron.d", "30 2 * * *").unwrap_err().to_string();
        assert!(error.contains("/etc/cron.d/swarm-nightly-world") && error.contains("installed?"), "{error}");
    }
}
