//! Which daemon of this machine starts jobs at their times, and how that one is spoken to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::firing::Clocks;

/// A kind of daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Vixie's cron as Debian has it.
    Debian,
    /// cronie.
    Cronie,
    /// Dillon's cron.
    Dcron,
    /// The crond of busybox.
    Busybox,
    /// systemd.
    Systemd,
}

/// Where a machine's files are: `/`, or a directory in which a test has put some.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

/// A daemon of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Which one.
    pub kind: Kind,
    /// Its process; none where it does not run.
    pub process: Option<u32>,
    /// The directory that it reads.
    pub directory: PathBuf,
}

/// Why no daemon can be used.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// There is none of those that we know.
    #[error(
        "no cron daemon runs here that swarm knows (Debian's cron, cronie, dcron, busybox crond): start one, or install \
         it, or say --systemd"
    )]
    None,
    /// One runs that reads no files of others.
    #[error(
        "fcron is the cron daemon here, which reads no /etc/cron.d: give it the entry with `fcrontab -e`; \
        `swarm schedule install --dry-run --cron` on another machine shows one"
    )]
    Fcron,
    /// The machine was not started by systemd.
    #[error("systemd does not run here: say --cron")]
    NoSystemd,
}

impl Kind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "Debian's cron",
            Self::Cronie => "cronie",
            Self::Dcron => "dcron",
            Self::Busybox => "busybox crond",
            Self::Systemd => "systemd",
        }
    }

    /// What it does when clocks are changed.
    pub fn clocks(self) -> Clocks {
        match self {
            Self::Debian | Self::Cronie => Clocks::OnceADay,
            Self::Dcron | Self::Busybox => Clocks::AsTheyShow,
            Self::Systemd => Clocks::NotInAGap,
        }
    }

    /// What that means for a time that a change of clocks leaves out or shows twice, in words.
    pub fn on_changed_clocks(self) -> &'static str {
        match self.clocks() {
            Clocks::OnceADay => {
                "a time that daylight saving leaves out fires right after, one that comes twice fires once"
            }
            Clocks::AsTheyShow => {
                "a time that daylight saving leaves out does not fire, one that comes twice fires twice"
            }
            Clocks::NotInAGap => {
                "a time that daylight saving leaves out does not fire, one that comes twice fires once"
            }
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Debian | Self::Cronie | Self::Dcron => "/etc/cron.d",
            Self::Busybox => "/var/spool/cron/crontabs",
            Self::Systemd => "/etc/systemd/system",
        }
    }

    /// The option with which it is told another directory.
    fn directory_option(self) -> Option<&'static str> {
        match self {
            Self::Dcron => Some("-s"),
            Self::Busybox => Some("-c"),
            Self::Debian | Self::Cronie | Self::Systemd => None,
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Machine {
    /// A machine whose root is there.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a path of the machine is.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether systemd started it (sd_booted(3)).
    pub fn has_systemd(&self) -> bool {
        self.path("/run/systemd/system").is_dir()
    }

    /// The daemon to use: systemd where it is wanted, or nothing else is wanted and it runs; else the cron that runs.
    ///
    /// # Errors
    /// There is none.
    pub fn daemon(&self, wanted: Option<Wanted>) -> Result<Daemon, DaemonError> {
        match wanted {
            Some(Wanted::Cron) => self.cron(),
            Some(Wanted::Systemd) if !self.has_systemd() => Err(DaemonError::NoSystemd),
            None if !self.has_systemd() => self.cron(),
            Some(Wanted::Systemd) | None => Ok(self.systemd()),
        }
    }

    /// systemd, which is process 1 wherever it runs.
    pub fn systemd(&self) -> Daemon {
        let process = self.has_systemd().then_some(1);
        Daemon { kind: Kind::Systemd, process, directory: Kind::Systemd.directory().into() }
    }

    /// The cron daemon that runs; where none does, the one that is installed.
    fn cron(&self) -> Result<Daemon, DaemonError> {
        let running: Vec<Running> = self.processes().collect();
        if let Some((kind, process)) = running.iter().find_map(|each| Some((self.kind_of(each)?, each))) {
            let option = kind.directory_option();
            let told = option.and_then(|option| {
                let at = process.words.iter().position(|word| *word == option)?;
                process.words.get(at + 1)
            });
            let directory = told.map_or_else(|| kind.directory().into(), PathBuf::from);
            return Ok(Daemon { kind, process: Some(process.id), directory });
        }
        if running.iter().any(|process| process.name == "fcron") {
            return Err(DaemonError::Fcron);
        }
        let installed = [("/usr/sbin/cron", "cron"), ("/usr/sbin/crond", "crond"), ("/usr/bin/crond", "crond")];
        let found = installed.iter().find_map(|(path, name)| self.kind_of_program(name, &self.path(path)));
        let kind = found.ok_or(DaemonError::None)?;
        Ok(Daemon { kind, process: None, directory: kind.directory().into() })
    }

    /// The processes that see the files that we see: those of containers have roots of their own.
    fn processes(&self) -> impl Iterator<Item = Running> {
        let own = self.path("/proc/self/root").read_link().ok();
        let entries = fs_err::read_dir(self.path("/proc")).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let directory = entry.path();
            let root = directory.join("root").read_link().ok();
            if root.is_some() && root != own {
                return None;
            }
            let words = fs_err::read(directory.join("cmdline")).ok()?;
            let words = words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            // Only root may see what program another user's process is.
            let program = directory.join("exe").read_link().ok();
            let name = fs_err::read_to_string(directory.join("comm")).ok()?.trim().to_owned();
            // The children that run jobs have their parent's name, and its program.
            let is_job = parent_of(&directory).is_some_and(|parent| {
                let path = self.path(format!("/proc/{parent}/comm"));
                fs_err::read_to_string(path).is_ok_and(|other| other.trim().eq_ignore_ascii_case(&name))
            });
            (!is_job).then_some(Running { id, name, program, words })
        })
    }

    /// The time zone in which a daemon reads its entries, and where that is from: its own variable TZ, else the machine's.
    pub fn zone(&self, daemon: &Daemon) -> (TimeZone, String) {
        let environment = daemon.process.and_then(|id| fs_err::read(self.path(format!("/proc/{id}/environ"))).ok());
        let environment = String::from_utf8_lossy(&environment.unwrap_or_default()).into_owned();
        let variable =
            environment.split('\0').find_map(|each| each.strip_prefix("TZ=")).map(|name| name.trim_start_matches(':'));
        if let Some(name) = variable.filter(|name| !name.is_empty())
            && let Ok(zone) = TimeZone::get(name).or_else(|_| TimeZone::posix(name))
        {
            return (zone, format!("{name}, the daemon's own TZ"));
        }
        let place = self.path("/etc/localtime");
        let named = fs_err::read_link(&place).ok().and_then(|target| {
            let text = target.to_string_lossy().into_owned();
            text.split_once("zoneinfo/").map(|(_, name)| name.to_owned())
        });
        if let Some(name) = named
            && let Ok(zone) = TimeZone::get(&name)
        {
            return (zone, format!("{name}, by /etc/localtime"));
        }
        match fs_err::read(&place).ok().and_then(|bytes| TimeZone::tzif("local", &bytes).ok()) {
            Some(zone) => (zone, "local time, by /etc/localtime".to_owned()),
            None => (TimeZone::UTC, "UTC, as there is no /etc/localtime".to_owned()),
        }
    }

    fn kind_of(&self, process: &Running) -> Option<Kind> {
        let fallback = || match process.name.as_str() {
            "cron" => Some(PathBuf::from("/usr/sbin/cron")),
            "crond" => Some(PathBuf::from("/usr/sbin/crond")),
            _ => None,
        };
        if !matches!(process.name.as_str(), "cron" | "crond" | "busybox") {
            return None;
        }
        let program = process.program.clone().or_else(fallback)?;
        let is_busybox = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("busybox"));
        if is_busybox {
            let is_crond = process.words.iter().take(2).any(|word| word == "crond" || word.ends_with("/crond"));
            return (process.name == "crond" || is_crond).then_some(Kind::Busybox);
        }
        self.kind_of_program(&process.name, &self.path(program))
    }

    /// What a program is that calls itself `cron` or `crond`: it says so among its own texts.
    fn kind_of_program(&self, name: &str, program: &Path) -> Option<Kind> {
        if program.canonicalize().ok()?.file_name().is_some_and(|name| name.to_string_lossy().starts_with("busybox")) {
            return (name == "crond").then_some(Kind::Busybox);
        }
        let text = fs_err::read(program).ok()?;
        let has = |word: &str| text.windows(word.len()).any(|part| part == word.as_bytes());
        match name {
            _ if has("cronie") => Some(Kind::Cronie),
            _ if has("dcron") || has("dillon") => Some(Kind::Dcron),
            "cron" => Some(Kind::Debian),
            _ => None,
        }
    }
}

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The cron daemon.
    Cron,
    /// systemd's timers.
    Systemd,
}

struct Running {
    id: u32,
    name: String,
    program: Option<PathBuf>,
    words: Vec<String>,
}

/// The fourth field of /proc/ID/stat; the second is a name in parentheses, which may hold anything.
fn parent_of(directory: &Path) -> Option<u32> {
    let stat = fs_err::read_to_string(directory.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Where a program of this name is looked for by what the daemons start.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program of the machine, and gives what it printed where it ended well.
pub(super) fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let words: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let shown = || format!("{program} {}", arguments.join(" "));
    let output = std::process::Command::new(program)
        .args(words)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", shown()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{}: {}", shown(), String::from_utf8_lossy(&output.stderr).trim())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A machine with these processes: name, program, command line.
    fn machine(processes: &[(&str, &str, &str)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::below(root.path());
        for (program, text) in [
            ("/usr/sbin/cron", "vixie"),
            ("/usr/sbin/crond", "cronie 1.7"),
            ("/opt/crond", "dcron 4.5 by dillon"),
            ("/bin/busybox", "box"),
        ] {
            let path = machine.path(program);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        for (index, (name, program, words)) in processes.iter().enumerate() {
            let directory = machine.path(format!("/proc/{}", index + 10));
            fs_err::create_dir_all(&directory).unwrap();
            fs_err::write(directory.join("comm"), format!("{name}\n")).unwrap();
            fs_err::write(directory.join("cmdline"), words.replace(' ', "\0")).unwrap();
            fs_err::write(directory.join("stat"), format!("1 ({name}) S 1 0")).unwrap();
            symlink(program, directory.join("exe")).unwrap();
        }
        (root, machine)
    }

    #[test]
    fn a_daemon_is_known_by_its_process_and_its_program() {
        for (processes, kind, id, directory) in [
            (
                &[("sh", "/bin/sh", "sh"), ("cron", "/usr/sbin/cron", "/usr/sbin/cron -f")][..],
                Kind::Debian,
                11,
                "/etc/cron.d",
            ),
            (&[("crond", "/usr/sbin/crond", "crond -n")], Kind::Cronie, 10, "/etc/cron.d"),
            (&[("crond", "/opt/crond", "crond -b")], Kind::Dcron, 10, "/etc/cron.d"),
            (&[("crond", "/opt/crond", "crond -s /srv/cron")], Kind::Dcron, 10, "/srv/cron"),
            (&[("crond", "/bin/busybox", "crond -c /srv/tabs")], Kind::Busybox, 10, "/srv/tabs"),
            (&[("busybox", "/bin/busybox", "/bin/busybox crond")], Kind::Busybox, 10, "/var/spool/cron/crontabs"),
        ] {
            let (_root, machine) = machine(processes);
            let wanted = Daemon { kind, process: Some(id), directory: directory.into() };
            assert_eq!(machine.daemon(None).unwrap(), wanted);
        }
    }

    #[test]
    fn where_no_daemon_runs_the_one_that_is_installed_counts_and_systemd_where_it_runs() {
        let (_root, machine) = machine(&[("busybox", "/bin/busybox", "busybox sh")]);
        let wanted = Daemon { kind: Kind::Debian, process: None, directory: "/etc/cron.d".into() };
        assert_eq!(machine.daemon(None).unwrap(), wanted);
        assert!(matches!(machine.daemon(Some(Wanted::Systemd)), Err(DaemonError::NoSystemd)));
        fs_err::create_dir_all(machine.path("/run/systemd/system")).unwrap();
        assert_eq!(machine.daemon(None).unwrap().kind, Kind::Systemd);
        assert_eq!(machine.daemon(Some(Wanted::Cron)).unwrap().kind, Kind::Debian);
        let (_root, machine) = machine_with_fcron();
        assert!(matches!(machine.daemon(None), Err(DaemonError::Fcron)));
    }

    fn machine_with_fcron() -> (tempfile::TempDir, Machine) {
        machine(&[("fcron", "/usr/sbin/fcron", "fcron")])
    }

    #[test]
    fn entries_are_read_in_the_daemons_time_zone() {
        let (_root, machine) = machine(&[("cron", "/usr/sbin/cron", "cron")]);
        let daemon = machine.daemon(None).unwrap();
        assert!(machine.zone(&daemon).1.starts_with("UTC"));
        fs_err::create_dir_all(machine.path("/etc")).unwrap();
        symlink("/usr/share/zoneinfo/Europe/Berlin", machine.path("/etc/localtime")).unwrap();
        assert_eq!(machine.zone(&daemon).0.iana_name(), Some("Europe/Berlin"));
        fs_err::write(machine.path("/proc/10/environ"), "HOME=/\0TZ=Asia/Tokyo\0").unwrap();
        assert_eq!(machine.zone(&daemon).0.iana_name(), Some("Asia/Tokyo"));
    }
}
