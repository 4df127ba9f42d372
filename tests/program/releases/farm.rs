//! A controller without drones: builds are written into its journal and its staging as if drones had brought them, and the
//! real binary releases them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use swarm::controller::{Observer, Session, now};
use swarm::core::event::{Event, Imprint, ReceivedFile, Selection};
use swarm::core::names::{BuildId, Timestamp};
use swarm::core::package::Identity;
use swarm::core::plan::{Edge, EdgeKind, PackageIndex, Plan, PlannedPackage};
use swarm::core::state::State;
use swarm::inventory::{Inventory, Surroundings};
use swarm::portage::gpkg;
use swarm::portage::index::Stanza;
use tempfile::TempDir;

use super::package::{Package, ebuild_digest};

/// A package of a build.
#[derive(Debug, Clone)]
pub struct Wanted {
    cpv: &'static str,
    build_id: u32,
    flags: &'static [&'static str],
    size: usize,
    received: bool,
    needs: Vec<(usize, EdgeKind)>,
}

/// One that has been received.
pub fn wanted(cpv: &'static str, build_id: u32) -> Wanted {
    Wanted { cpv, build_id, flags: &["amd64", "nls"], size: 700, received: true, needs: Vec::new() }
}

impl Wanted {
    /// It has not been received.
    pub fn missing(mut self) -> Self {
        self.received = false;
        self
    }

    /// With these USE flags.
    pub fn flags(mut self, flags: &'static [&'static str]) -> Self {
        self.flags = flags;
        self
    }

    /// With an image of so many bytes.
    pub fn size(mut self, size: usize) -> Self {
        self.size = size;
        self
    }

    /// It needs an earlier one of its build.
    pub fn needs(mut self, number: usize, kind: EdgeKind) -> Self {
        self.needs.push((number, kind));
        self
    }

    fn identity(&self) -> Identity {
        Identity {
            cpv: self.cpv.parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "gentoo".to_owned(),
            ebuild_digest: ebuild_digest(),
            use_flags: self.flags.iter().copied().collect(),
            chost: "x86_64-pc-linux-gnu".to_owned(),
            compiler: [("CFLAGS", "-O2")].into_iter().collect(),
            linked: Default::default(),
        }
    }
}

/// What a command left.
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Checks exit status and some of the words of either stream.
    #[track_caller]
    pub fn gives(&self, status: i32, words: &[&str]) -> &Self {
        let said = format!("{}{}", self.stdout, self.stderr);
        assert_eq!(self.status, status, "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in:\n{said}");
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.stderr.is_empty(), "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// The controller's machine.
pub struct Farm {
    place: TempDir,
}

struct Silent;

impl Observer for Silent {
    fn saw(&mut self, _event: &Event, _state: &State, _at: Timestamp) {}
    fn note(&mut self, _text: &str) {}
}

impl Farm {
    /// One where nothing has ever been built; `keys` are further ones of `[swarm]`, or tables behind it.
    pub fn new(keys: &str) -> Self {
        let farm = Self { place: tempfile::tempdir().unwrap() };
        farm.write_inventory(keys);
        farm
    }

    /// The inventory anew.
    pub fn write_inventory(&self, keys: &str) {
        let [staging, production, state, work] = ["staging", "production", "state", "work"].map(|name| self.path(name));
        let text = format!(
            "[swarm]\ndriver = 'capella'\nstate = {state:?}\nstaging = {staging:?}\nproduction = {production:?}\n{keys}\n\
             [hosts.capella]\naddress = '10.42.0.100'\n[defaults]\nworkdir = {work:?}\n"
        );
        std::fs::write(self.path("fleet.toml"), text).unwrap();
    }

    /// A path on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// What clients see.
    pub fn live(&self, name: &str) -> PathBuf {
        self.path("production").join(name)
    }

    /// The command, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarm"));
        command.args(["--inventory", "fleet.toml"]).args(arguments).current_dir(self.place.path());
        command.env("HOME", self.place.path()).env_remove("SSH_AUTH_SOCK").env("SWARM_LOG", "off");
        command
    }

    /// `swarm` with these arguments.
    pub fn swarm(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// The same in a terminal, in which somebody types this.
    pub fn at_a_terminal(&self, arguments: &[&str], typed: &str) -> Ran {
        let own = self.command(arguments);
        let words = std::iter::once(own.get_program()).chain(own.get_args()).map(|word| word.to_str().unwrap());
        let line = shlex::try_join(words).unwrap();
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::piped());
        script.current_dir(own.get_current_dir().unwrap_or(std::path::Path::new(".")));
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let mut child = script.stdout(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), typed.as_bytes()).unwrap();
        Ran::of(&child.wait_with_output().unwrap())
    }

    /// A controller at work here.
    pub async fn session(&self) -> Session {
        let text = std::fs::read_to_string(self.path("fleet.toml")).unwrap();
        let surroundings = Surroundings { home: Some(self.path("")), ..Surroundings::default() };
        let inventory = Inventory::parse_at(&[(self.path("fleet.toml"), text)], surroundings).unwrap();
        Session::open_on(inventory, [].into(), Box::new(Silent)).await.unwrap()
    }

    /// A build of these packages is open, in place of another one.
    pub fn build(&self, packages: &[Wanted]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { self.open_build(&mut self.session().await, packages) });
    }

    /// The plan of these packages.
    pub fn plan(packages: &[Wanted]) -> Plan {
        let edges = packages.iter().enumerate().flat_map(|(from, package)| {
            package.needs.iter().map(move |(to, kind)| Edge {
                from: PackageIndex::at(from),
                to: PackageIndex::at(*to),
                kinds: (*kind).into(),
            })
        });
        let planned = packages.iter().map(|package| PlannedPackage {
            identity: package.identity(),
            requested: true,
            oddities: BTreeSet::new(),
        });
        let header = [("ARCH", "amd64"), ("CHOST", "x86_64-pc-linux-gnu")];
        Plan {
            driver: "capella".parse().unwrap(),
            packages: planned.collect(),
            edges: edges.collect(),
            index_header: header.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            warnings: Vec::new(),
        }
    }

    /// The same in a session.
    pub fn open_build(&self, session: &mut Session, packages: &[Wanted]) {
        let plan = Self::plan(packages);
        let received = packages.iter().enumerate().filter(|(_, package)| package.received);
        let live: BTreeMap<_, _> =
            received.map(|(number, package)| (PackageIndex::at(number), self.stage(package))).collect();
        let build = format!("build{}", session.state().builds.len() + 1).parse().unwrap();
        session
            .record(&Event::BuildOpened { build, selection: Selection::World, plan, live, rebuild: false, at: now() })
            .unwrap();
    }

    fn stage(&self, wanted: &Wanted) -> ReceivedFile {
        let build_id = BuildId(wanted.build_id);
        let mut package = Package::of(&wanted.identity(), build_id, 1_795_503_846);
        package.image = vec![7; wanted.size];
        let file = self.path("staging").join(package.path.to_string());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, package.bytes()).unwrap();
        let metadata = std::fs::metadata(&file).unwrap();
        let modified_ns = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
        let stanza = Stanza::derive(&gpkg::read(&file).unwrap(), &package.path, Timestamp(metadata.mtime())).unwrap();
        ReceivedFile {
            path: package.path.to_string(),
            build_id,
            stanza: stanza.values().collect(),
            imprint: Some(Imprint { inode: metadata.ino(), modified_ns }),
        }
    }

    /// Builds these packages and makes them live.
    #[track_caller]
    pub fn release(&self, packages: &[Wanted]) {
        self.build(packages);
        self.swarm(&["finalize"]).gives(0, &["is live"]);
    }

    /// The paths in the index that clients see.
    pub fn listed(&self) -> Vec<String> {
        listed(&self.path("production"))
    }
}

/// The paths in the index of a binhost.
pub fn listed(root: &Path) -> Vec<String> {
    let index = std::fs::read_to_string(root.join("Packages")).unwrap();
    index.lines().filter_map(|line| line.strip_prefix("PATH: ")).map(str::to_owned).collect()
}
