//! What a fake drone is behind its connection: job directories, installed packages, builds that take (virtual) time.
//!
//! It keeps what the real scripts keep, under the same names: a directory of a job is the claim, `pid` says in which
//! boot it was started, `status` how it ended, and the epoch file who may start. Only what runs is in memory, as
//! processes are, and goes with a loss of power. So a script that is changed there has to be changed here.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use swarm::core::package::{Cpv, Identity};
use swarm::drone::job::Manifest;
use swarm::portage::probe::recipe_digest;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::package::{Package, read_index};
use super::script::{Call, Given};
use super::workshop::Workshop;

/// How a build of a package fails: exit status, and the end of its log.
type Failure = (u32, String);
/// Changes a package before it is packed.
type Tamper = Box<dyn Fn(&mut Package) + Send + Sync>;
/// Changes a PKGDIR once the build is through.
type Litter = Box<dyn Fn(&Path) + Send + Sync>;

/// A fake drone's inside.
pub struct Machine {
    name: String,
    root: PathBuf,
    workshop: Arc<Workshop>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    boot: u32,
    installed: BTreeMap<Cpv, String>,
    running: HashMap<String, Process>,
    offers: BTreeMap<(Call, Cpv), Identity>,
    failing: BTreeMap<Cpv, Failure>,
    tampers: Vec<Tamper>,
    litters: Vec<Litter>,
    /// How far its clock is ahead, in seconds.
    clock_ahead: i64,
    space_kib: Option<u64>,
}

struct Process {
    task: AbortHandle,
    /// Closed once it is gone.
    gone: watch::Receiver<()>,
}

/// What a script printed and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub stdout: String,
    pub stderr: String,
    pub status: u32,
}

impl Reply {
    fn well(stdout: impl Into<String>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    fn failed(status: u32, stderr: impl Into<String>) -> Self {
        Self { stderr: stderr.into(), status, ..Self::default() }
    }
}

impl Machine {
    pub fn new(name: &str, root: PathBuf, workshop: Arc<Workshop>) -> Self {
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        Self { name: name.to_owned(), root, workshop, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A path of the drone on this side.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Answers another identity than the shared tree's where it is asked by this call.
    pub fn offer(&self, call: Call, identity: Identity) {
        self.state().offers.insert((call, identity.cpv.clone()), identity);
    }

    /// Lets builds of a package fail.
    pub fn fail(&self, cpv: Cpv, status: u32, log: &str) {
        self.state().failing.insert(cpv, (status, log.to_owned()));
    }

    /// Lets them go well again.
    pub fn mend(&self, cpv: &Cpv) {
        self.state().failing.remove(cpv);
    }

    /// Changes each package before it is packed.
    pub fn tamper(&self, tamper: Tamper) {
        self.state().tampers.push(tamper);
    }

    /// Changes the PKGDIR after each build.
    pub fn litter(&self, litter: Litter) {
        self.state().litters.push(litter);
    }

    /// Puts its clock ahead by so many seconds.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.state().clock_ahead = seconds;
    }

    /// Has so much space left where jobs live.
    pub fn set_space_kib(&self, space: u64) {
        self.state().space_kib = Some(space);
    }

    /// Everything that runs is gone; what lies on the disk stays.
    pub fn lose_power(&self) {
        let mut state = self.state();
        state.boot += 1;
        state.running.drain().for_each(|(_, process)| process.task.abort());
    }

    /// The names of the job directories, and whether each has something that runs.
    pub fn jobs(&self) -> Vec<(String, bool)> {
        let entries = fs::read_dir(self.path("var/lib/swarm/jobs")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
            .into_iter()
            .map(|name| {
                let runs = self.runs(&name);
                (name, runs)
            })
            .collect()
    }

    fn runs(&self, job: &str) -> bool {
        self.state().running.contains_key(job)
    }

    /// Closed once nothing of a job lives; none where that is so already.
    pub fn gone(&self, job: &str) -> Option<watch::Receiver<()>> {
        self.state().running.get(job).map(|process| process.gone.clone())
    }

    /// Does what a script does, and gives what it prints. Those that go on for long are not among them.
    pub fn answer(self: &Arc<Self>, given: &Given) -> Reply {
        let directory = self.path(&format!("{}/jobs/{}", given.get("workdir"), given.get("job")));
        match given.call {
            Call::Identities => self.identities(given),
            Call::Resolve => self.resolve(given, &directory),
            Call::Claim => self.claim(given, &directory),
            Call::Link => self.link(given, &directory),
            Call::Prepare => self.prepare(given, &directory),
            Call::Start => self.start(given, &directory),
            Call::Outcome => outcome(given, &directory),
            Call::Kill => self.kill(given, &directory),
            Call::Remove => self.remove(given, &directory),
            Call::Tend => self.tend(given),
            Call::Room => Reply::well(given.marked(&["room no it is a fake".to_owned()])),
            Call::Leave => self.leave(given),
            Call::Found => self.found(given),
            Call::Facts => self.facts(),
            Call::Plan | Call::Watch | Call::Follow | Call::Unknown => {
                Reply::failed(127, "a fake drone does not know this script")
            }
        }
    }

    fn identity(&self, call: Call, cpv: &str) -> Option<Identity> {
        let cpv: Cpv = cpv.parse().ok()?;
        let own = self.state().offers.get(&(call, cpv.clone())).cloned();
        own.or_else(|| self.workshop.identity(&cpv).cloned())
    }

    fn identities(&self, given: &Given) -> Reply {
        let wanted = given.request["cpvs"].as_array().cloned().unwrap_or_default();
        let answers: Vec<Value> = wanted
            .iter()
            .map(|wanted| match self.identity(Call::Identities, wanted[0].as_str().unwrap_or_default()) {
                Some(identity) if wanted[2] == recipe_digest(&identity) => Value::Null,
                Some(identity) => raw(&identity),
                None => json!({"trouble": "there is no such ebuild here"}),
            })
            .collect();
        probed(given, &json!({"identities": answers}))
    }

    fn resolve(&self, given: &Given, directory: &Path) -> Reply {
        if !directory.is_dir() {
            return Reply::failed(72, "there is no directory");
        }
        let arguments = given.request["arguments"].as_array().cloned().unwrap_or_default();
        let atom = arguments.iter().filter_map(Value::as_str).find_map(|argument| argument.strip_prefix('='));
        match atom.and_then(|cpv| self.identity(Call::Resolve, cpv)) {
            Some(identity) => {
                probed(given, &json!({"resolved": true, "packages": [raw(&identity)], "edges": [], "header": {}}))
            }
            None => probed(given, &json!({"resolved": false})),
        }
    }

    fn progress(&self, job: &str, directory: &Path) -> &'static str {
        if directory.join("status").exists() {
            "ended"
        } else if !directory.join("pid").exists() {
            "new"
        } else if self.runs(job) {
            "running"
        } else {
            "lost"
        }
    }

    fn claim(&self, given: &Given, directory: &Path) -> Reply {
        let word = if directory.exists() {
            self.progress(given.get("job"), directory)
        } else {
            fs::create_dir_all(directory).unwrap();
            "new"
        };
        let state = self.state();
        let merged = given.get("installed").lines().filter_map(|line| {
            let (cpv, time) = line.split_once(' ')?;
            let there = state.installed.get(&cpv.parse::<Cpv>().ok()?)?;
            (there == time).then(|| format!("has {cpv}"))
        });
        Reply::well(given.marked(&std::iter::once(word.to_owned()).chain(merged).collect::<Vec<_>>()))
    }

    fn link(&self, given: &Given, directory: &Path) -> Reply {
        if !directory.is_dir() {
            return Reply::failed(72, "there is no directory");
        }
        let cache = self.path(given.get("workdir")).join("cache");
        fs::create_dir_all(&cache).unwrap();
        fs::create_dir_all(directory.join("pkgs")).unwrap();
        let mut lines = Vec::new();
        for wanted in given.get("wanted").lines() {
            let [sha1, size, path] = wanted.split(' ').collect::<Vec<_>>()[..] else { panic!("{wanted}") };
            let (file, part) = (cache.join(sha1), cache.join(format!("{sha1}.part")));
            if fs::metadata(&part).is_ok_and(|part| part.len().to_string() == size) {
                fs::rename(part, &file).unwrap();
            }
            if !file.exists() {
                lines.push(format!("missing {sha1}"));
                continue;
            }
            let target = directory.join("pkgs").join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let _there = fs::hard_link(file, target);
        }
        lines.push("linked".to_owned());
        Reply::well(given.marked(&lines))
    }

    fn prepare(&self, given: &Given, directory: &Path) -> Reply {
        if !directory.is_dir() {
            return Reply::failed(72, "there is no directory");
        }
        if fs::read_to_string(directory.join("prepared")).is_ok_and(|done| done == given.get("atoms")) {
            return Reply::default();
        }
        let index = read_index(&directory.join("pkgs"));
        for atom in given.get("atoms").lines().filter_map(|line| line.split_whitespace().next()) {
            let cpv: Cpv = atom.trim_start_matches('=').parse().unwrap();
            let stanza = index.stanzas.iter().find(|stanza| *stanza.cpv() == cpv && stanza.md5().is_some());
            match stanza.filter(|stanza| directory.join("pkgs").join(stanza.path().to_string()).exists()) {
                Some(stanza) => {
                    let time = stanza.get("BUILD_TIME").unwrap_or_default().to_owned();
                    self.state().installed.insert(cpv, time);
                }
                None => return Reply::failed(1, format!("there are no binary packages to satisfy {atom}")),
            }
        }
        fs::write(directory.join("prepared"), given.get("atoms")).unwrap();
        Reply::default()
    }

    fn start(self: &Arc<Self>, given: &Given, directory: &Path) -> Reply {
        if !directory.is_dir() {
            return Reply::failed(72, "cd: no such directory");
        }
        let epoch = Epoch::read(&self.path(given.get("workdir")));
        if epoch.outranks(given) {
            return Reply::well(given.marked(&[format!("outranked {} {}", epoch.number, epoch.holder)]));
        }
        epoch.write(&self.path(given.get("workdir")), given, epoch.lease);
        if !directory.join("pid").exists() && !directory.join("status").exists() {
            let boot = self.state().boot;
            fs::write(directory.join("pid"), format!("77 1 {boot}\n")).unwrap();
            fs::write(directory.join("log"), "").unwrap();
            self.spawn(given.get("job"), directory);
        }
        Reply::well(given.marked(&["started".to_owned()]))
    }

    fn spawn(self: &Arc<Self>, job: &str, directory: &Path) {
        let manifest = fs::read(directory.join("manifest.json")).unwrap();
        let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
        let installed = self.state().installed.keys().cloned().collect();
        let took = self.workshop.compile(&manifest.identity.cpv, &self.name, &installed);
        let (lives, gone) = watch::channel(());
        let (machine, directory, name) = (Arc::clone(self), directory.to_owned(), job.to_owned());
        let task = tokio::spawn(async move {
            // Held while it lives, as a job's lock is.
            let _lives = lives;
            append(&directory.join("log"), ">>> Emerging\n");
            tokio::time::sleep(took).await;
            machine.finish(&directory, &manifest);
            machine.state().running.remove(&name);
        });
        self.state().running.insert(job.to_owned(), Process { task: task.abort_handle(), gone });
    }

    /// The end of a build: its package, or its failure.
    fn finish(&self, directory: &Path, manifest: &Manifest) {
        let identity = &manifest.identity;
        let state = self.state();
        let status = match state.failing.get(&identity.cpv) {
            Some((status, log)) => {
                append(&directory.join("log"), log);
                *status
            }
            None => {
                let mut package = Package::of(identity, manifest.build_id, self.workshop.build_time());
                package.image = self.workshop.image();
                state.tampers.iter().for_each(|tamper| tamper(&mut package));
                package.put_into(&directory.join("pkgs"));
                state.litters.iter().for_each(|litter| litter(&directory.join("pkgs")));
                append(&directory.join("log"), ">>> Completed\n");
                0
            }
        };
        fs::write(directory.join("status"), format!("{status}\n")).unwrap();
    }

    fn kill(&self, given: &Given, directory: &Path) -> Reply {
        if !directory.is_dir() {
            return Reply::default();
        }
        if !directory.join("status").exists() {
            fs::write(directory.join("stopped"), given.get("reason")).unwrap();
        }
        if let Some(process) = self.state().running.remove(given.get("job")) {
            process.task.abort();
            fs::write(directory.join("status"), "137\n").unwrap();
        }
        Reply::default()
    }

    fn remove(&self, given: &Given, directory: &Path) -> Reply {
        if self.runs(given.get("job")) {
            return Reply::failed(76, "something of the job still runs");
        }
        let _absent = fs::remove_dir_all(directory);
        Reply::default()
    }

    fn now(&self) -> i64 {
        swarm::controller::now().0 + self.state().clock_ahead
    }

    fn tend(&self, given: &Given) -> Reply {
        let now = self.now();
        let space = self.state().space_kib.unwrap_or(90_000_000);
        let mut lines: Vec<String> =
            vec![format!("clock {now}"), "load 0.10 1".into(), "memory 8000000".into(), format!("space {space}")];
        let workdir = self.path(given.get("workdir"));
        fs::create_dir_all(&workdir).unwrap();
        let epoch = Epoch::read(&workdir);
        let others = !epoch.holder.is_empty() && epoch.holder != given.get("controller");
        if others && epoch.lease > now && given.get("take_over") != "yes" {
            lines.push(format!("held {} {} {}", epoch.number, epoch.holder, epoch.lease - now));
        } else if epoch.outranks(given) {
            lines.push(format!("outranked {} {}", epoch.number, epoch.holder));
        } else {
            epoch.write(&workdir, given, now + given.get("lease_seconds").parse::<i64>().unwrap());
            lines.push(format!("ours {} {}", epoch.number, epoch.holder));
        }
        Reply::well(given.marked(&lines))
    }

    fn leave(&self, given: &Given) -> Reply {
        let workdir = self.path(given.get("workdir"));
        let epoch = Epoch::read(&workdir);
        if epoch.number.to_string() == given.get("epoch") && epoch.holder == given.get("controller") {
            epoch.write(&workdir, given, 0);
        }
        Reply::default()
    }

    fn found(&self, given: &Given) -> Reply {
        let lines = self.jobs().into_iter().flat_map(|(job, _)| {
            let directory = PathBuf::from(given.get("jobs")).join(&job);
            let directory = self.path(directory.to_str().unwrap());
            let mut lines = vec![format!("job {job} {} 0 1", self.progress(&job, &directory))];
            if let Ok(manifest) = fs::read_to_string(directory.join("manifest.json")) {
                lines.push(format!("manifest {job} {}", manifest.replace('\n', " ")));
            }
            lines
        });
        Reply::well(given.marked(&lines.collect::<Vec<_>>()))
    }

    fn facts(&self) -> Reply {
        let boot = format!("boot-{}", self.state().boot);
        let now = self.now().to_string();
        let facts = [
            ("time", now.as_str()),
            ("user", "0"),
            ("hostname", &self.name),
            ("kernel", "6.12.0"),
            ("machine", "x86_64"),
            ("boot", &boot),
            ("cores", "4"),
            ("program", "emerge"),
            ("portage", "3.0.66"),
            ("end", "yes"),
        ];
        Reply::well(facts.iter().map(|(key, value)| format!("swarm-fact:{key}={value}\n")).collect::<String>())
    }
}

fn outcome(given: &Given, directory: &Path) -> Reply {
    if !directory.is_dir() {
        return Reply::well(given.marked(&["gone".to_owned()]));
    }
    let mut lines = Vec::new();
    if let Ok(why) = fs::read_to_string(directory.join("stopped")) {
        lines.push(format!("stopped {}", why.trim()));
    }
    lines.push(match fs::read_to_string(directory.join("status")) {
        Ok(status) => format!("status {}", status.trim()),
        Err(_) => "none".to_owned(),
    });
    Reply::well(given.marked(&lines))
}

/// A probe's answer where the controller looks for it.
fn probed(given: &Given, answer: &Value) -> Reply {
    Reply::well(format!("{mark}\n{answer}\n{mark}\n", mark = given.probe_mark))
}

/// An identity as the probe tells it.
fn raw(identity: &Identity) -> Value {
    let slot = format!("{}/{}", identity.slot.slot, identity.slot.sub_slot);
    let linked: Vec<_> =
        identity.linked.iter().map(|(name, slot)| (name, format!("{}/{}", slot.slot, slot.sub_slot))).collect();
    json!({
        "cpv": identity.cpv.as_str(), "slot": slot, "repository": identity.repository,
        "digest": identity.ebuild_digest, "use": identity.use_flags, "chost": identity.chost,
        "compiler": identity.compiler, "linked": linked, "requested": true,
    })
}

fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// What the epoch file says.
struct Epoch {
    number: u64,
    holder: String,
    lease: i64,
}

impl Epoch {
    fn read(workdir: &Path) -> Self {
        let text = fs::read_to_string(workdir.join("epoch")).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let word = |index: usize| words.get(index).copied().unwrap_or_default();
        Self { number: word(0).parse().unwrap_or(0), holder: word(1).to_owned(), lease: word(2).parse().unwrap_or(0) }
    }

    /// Whether somebody has claimed more than whoever runs this script.
    fn outranks(&self, given: &Given) -> bool {
        let asked: u64 = given.get("epoch").parse().unwrap();
        self.number > asked || self.number == asked && !self.holder.is_empty() && self.holder != given.get("controller")
    }

    fn write(&self, workdir: &Path, given: &Given, lease: i64) {
        let text = format!("{} {} {lease}\n", given.get("epoch"), given.get("controller"));
        fs::write(workdir.join("epoch"), text).unwrap();
    }
}
