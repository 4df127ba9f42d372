//! An orchestrator's directories, with a real controller's journal, staging and releases in them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use md5::{Digest, Md5};
use sha1::Sha1;
use swarm::controller::finalize::{Extent, finalize};
use swarm::controller::housekeeping::Deed;
use swarm::controller::{Observer, Session, now};
use swarm::core::event::{Event, Imprint, JobOutcome, ReceivedFile, Selection};
use swarm::core::names::{BuildId, BuildName, Epoch, HostName, JobName, ReleaseName, Timestamp};
use swarm::core::package::{Cpv, Identity, Slot};
use swarm::core::plan::{PackageIndex, Plan, PlannedPackage};
use swarm::core::state::State;
use swarm::inventory::{Housekeeping, Inventory, Surroundings};
use swarm::ssh::Host;
use swarm::standby::peer::Peer;
use swarm::standby::serve::Ground;
use swarm::store::{Entry, Journal};
use tempfile::TempDir;

/// An orchestrator.
pub struct Site {
    directory: TempDir,
}

/// A controller on a site.
pub struct Controller {
    session: Session,
    jobs: u64,
}

struct Silent;

impl Observer for Silent {
    fn saw(&mut self, _event: &Event, _state: &State, _at: Timestamp) {}
    fn note(&mut self, _text: &str) {}
}

impl Site {
    pub fn new() -> Self {
        // A disk, as a controller has one.
        Self { directory: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn ground(&self) -> Ground {
        let [state, staging, production] = ["state", "staging", "production"].map(|name| self.path(name));
        Ground { state, staging, production, limits: Housekeeping::default(), now }
    }

    /// As another one sees it, by this way.
    pub fn peer(&self, name: &str, priority: u32, host: Arc<dyn Host>) -> Peer {
        let text = |name| self.path(name).display().to_string();
        let (state, staging, production) = (text("state"), text("staging"), text("production"));
        Peer { name: name.parse().unwrap(), priority, host, state, staging, production }
    }

    /// Begins to work here as its controller.
    pub async fn controller(&self) -> Controller {
        let [staging, production, state] = ["staging", "production", "state"].map(|name| self.path(name));
        // Whoever prunes leaves next to nothing.
        let text = format!(
            "[limits]\njournal_size = '1B'\n[swarm]\ndriver = 'capella'\nstaging = {staging:?}\nproduction = {production:?}\nstate = {state:?}\n\
             [hosts.capella]\naddress = '10.42.0.100'\n[drones.izar]\naddress = '10.42.0.203'\ncores = 8\n"
        );
        let surroundings = Surroundings { home: Some(self.path("home")), ..Surroundings::default() };
        let inventory = Inventory::parse_at(&[(PathBuf::from("fleet.toml"), text)], surroundings).unwrap();
        let session = Session::open_on(inventory, [].into(), Box::new(Silent)).await.unwrap();
        Controller { session, jobs: 0 }
    }

    /// All events of its journal.
    pub fn events(&self) -> Vec<Entry> {
        let journal = Journal::open_to_read(&self.path("state")).unwrap();
        journal.map(|journal| journal.after(0, usize::MAX).unwrap()).unwrap_or_default()
    }

    /// What its journal says.
    pub fn state(&self) -> State {
        Journal::state_of(&self.path("state")).unwrap()
    }

    /// The packages in its staging, with the sums of their bytes.
    pub fn staged(&self) -> BTreeMap<String, String> {
        packages(&self.path("staging"))
    }

    /// The files that its clients see, with the sums of their bytes and the times of their indices.
    pub fn served(&self) -> BTreeMap<String, String> {
        let mut files = packages(&self.path("production"));
        for name in ["Packages", "Packages.gz"] {
            let path = self.path("production").join(name);
            let metadata = fs::metadata(&path).unwrap();
            files.insert(name.to_owned(), format!("{} {}", sum(&fs::read(path).unwrap()), metadata.mtime()));
        }
        files
    }
}

/// `CATEGORY/NAME/FILE` below a directory.
fn packages(root: &Path) -> BTreeMap<String, String> {
    let list = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    };
    let visible = |path: &PathBuf| !path.file_name().unwrap().to_str().unwrap().starts_with('.');
    let directories = list(root).into_iter().filter(visible).flat_map(|category| list(&category));
    let files = directories.flat_map(|directory| list(&directory));
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    files.map(|path| (name(&path), sum(&fs::read(&path).unwrap()))).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn sum(content: &[u8]) -> String {
    hexadecimal(&Sha1::digest(content))
}

/// Bytes that no two packages have in common.
fn content(seed: u64, size: usize) -> Vec<u8> {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()
    });
    words.flatten().take(size).collect()
}

fn cpv(number: usize) -> Cpv {
    format!("app-misc/foo{number}x-1.0").parse().unwrap()
}

impl Controller {
    /// Opens a build of so many packages.
    pub fn open(&mut self, packages: usize) -> BuildName {
        let identity = |number| Identity {
            cpv: cpv(number),
            slot: Slot { slot: "0".to_owned(), sub_slot: "0".to_owned() },
            repository: "gentoo".to_owned(),
            // Another one for each build: nothing is carried over.
            ebuild_digest: format!("{:032x}", self.session.state().builds.len()),
            use_flags: [""; 0].iter().collect(),
            chost: "x86_64-pc-linux-gnu".to_owned(),
            compiler: [("CFLAGS", "-O2")].into_iter().collect(),
            linked: Default::default(),
        };
        let planned = |number| PlannedPackage { identity: identity(number), requested: true, oddities: [].into() };
        let plan = Plan {
            driver: "capella".parse().unwrap(),
            packages: (0..packages).map(planned).collect(),
            edges: Vec::new(),
            index_header: [("ARCH".to_owned(), "amd64".to_owned())].into(),
            warnings: Vec::new(),
        };
        let build: BuildName = format!("build{:03}", self.session.state().builds.len()).parse().unwrap();
        let (selection, live) = (Selection::World, BTreeMap::new());
        self.jobs = 0;
        self.record(&Event::BuildOpened { build: build.clone(), selection, plan, live, rebuild: false, at: now() });
        build
    }

    /// Receives a package of the open build, of so many bytes. Gives its path.
    pub fn receive(&mut self, number: usize, size: usize) -> String {
        let build = self.session.state().open_build().unwrap().name.clone();
        let (drone, package): (HostName, _) = ("izar".parse().unwrap(), PackageIndex::at(number));
        self.jobs += 1;
        let job = JobName::new(&build, Epoch(1), self.jobs);
        let cpv = cpv(number);
        let build_id = BuildId(self.session.state().build_ids.get(&cpv).map_or(1, |used| used.0 + 1));
        let build_ids = BTreeMap::from([(package, build_id)]);
        self.record(&Event::JobStarted { job: job.clone(), package, drone, build_ids, width: 1, why: None, at: now() });
        let file = self.stage(&cpv, build_id, &content((number as u64) << 20 | u64::from(build_id.0), size));
        let path = file.path.clone();
        self.record(&Event::PackageReceived { job: job.clone(), package, file, cost: None, at: now() });
        self.record(&Event::JobEnded { job, outcome: JobOutcome::Delivered, at: now() });
        path
    }

    fn stage(&self, cpv: &Cpv, build_id: BuildId, content: &[u8]) -> ReceivedFile {
        let path = format!("{}/{}-{build_id}.gpkg.tar", cpv.package(), cpv.pf());
        let file = self.session.staging.root().join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        let metadata = fs::metadata(&file).unwrap();
        let modified_ns = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
        let stanza = [
            ("BUILD_ID", build_id.to_string()),
            ("CHOST", "x86_64-pc-linux-gnu".to_owned()),
            ("CPV", cpv.to_string()),
            ("EAPI", "8".to_owned()),
            ("IUSE", String::new()),
            ("MD5", hexadecimal(&Md5::digest(content))),
            ("MTIME", metadata.mtime().to_string()),
            ("PATH", path.clone()),
            ("REPO", "gentoo".to_owned()),
            ("SHA1", sum(content)),
            ("SIZE", content.len().to_string()),
            ("SLOT", "0".to_owned()),
            ("USE", String::new()),
        ];
        let imprint = Some(Imprint { inode: metadata.ino(), modified_ns });
        ReceivedFile { path, build_id, stanza: stanza.into_iter().collect(), imprint }
    }

    /// Makes the open build live.
    pub async fn release(&mut self) -> ReleaseName {
        finalize(&mut self.session, Extent::Whole, None).await.unwrap().release.unwrap()
    }

    /// Lets the events go that its journal has a sum of.
    pub fn prune_journal(&mut self) {
        assert!(self.session.prune_journal(Deed::Do).unwrap().went.count > 0);
    }

    pub fn record(&mut self, event: &Event) {
        self.session.record(event).unwrap();
    }

    /// Claims an epoch for this site's controller.
    pub fn claim(&mut self, epoch: u64) {
        let controller = swarm::store::name::own(self.session.directory(), None).unwrap();
        self.record(&Event::EpochClaimed { epoch: Epoch(epoch), controller, voters: [].into(), at: now() });
    }
}
