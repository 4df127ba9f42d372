//! A fake drone: a fake host that understands the controller's scripts and answers them as a real drone would.
//!
//! It carries whole pushes of the real controller. What goes wrong is for the test to say, by the step of a job
//! ([`Call`]) and the way in which it is spoilt ([`Spoil`]), by a fault of its files ([`super::Fault`]), or by an event
//! in its life: [`FakeDrone::lose_power`] and the like. Its clock is the test's.

use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use swarm::core::package::Identity;
use tokio::sync::mpsc;

use super::machine::Machine;
use super::package::Package;
use super::script::{Call, Given};
use super::workshop::Workshop;
use super::{Console, FakeHost, Program, Step, memory};

/// How an answer is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// The connection breaks before anything is done.
    CutBefore,
    /// It is done, and the connection breaks before the answer.
    CutAfter,
    /// It is done, and the connection stands still from then on.
    Freeze,
    /// A shell's words stand around the answer, without line ends of their own.
    Noise,
    /// Bytes that mean nothing stand in place of the answer, and a status that says all is well.
    Rubbish,
    /// The status comes before the output, and that in pieces.
    StatusFirst,
    /// The channel is closed without a status.
    NoStatus,
}

type Luck = Box<dyn FnMut(Call) -> Option<Spoil> + Send>;

/// A fake drone. It is a [`FakeHost`], too.
pub struct FakeDrone {
    host: FakeHost,
    /// Its inside.
    pub machine: Arc<Machine>,
    luck: Arc<Mutex<Vec<Luck>>>,
}

impl Deref for FakeDrone {
    type Target = FakeHost;

    fn deref(&self) -> &FakeHost {
        &self.host
    }
}

impl FakeDrone {
    /// A drone that is well.
    pub fn new(name: &str, workshop: &Arc<Workshop>) -> Self {
        let host = FakeHost::within(name, memory());
        let machine = Arc::new(Machine::new(name, host.root(), Arc::clone(workshop)));
        let luck: Arc<Mutex<Vec<Luck>>> = Arc::default();
        let shell = Shell { machine: Arc::clone(&machine), luck: Arc::clone(&luck) };
        Self { host: host.program(Arc::new(shell)), machine, luck }
    }

    /// Changes the host before its first connection.
    pub fn with_host(mut self, change: impl FnOnce(FakeHost) -> FakeHost) -> Self {
        self.host = change(self.host);
        self
    }

    /// Spoils the next answer to a script, once.
    pub fn spoil(&self, call: Call, spoil: Spoil) {
        let mut left = Some(spoil);
        self.spoil_by(move |asked| if asked == call { left.take() } else { None });
    }

    /// Spoils each answer to a script.
    pub fn always_spoil(&self, call: Call, spoil: Spoil) {
        self.spoil_by(move |asked| (asked == call).then_some(spoil));
    }

    /// Spoils what the function says: chance, perhaps, from a seed.
    pub fn spoil_by(&self, luck: impl FnMut(Call) -> Option<Spoil> + Send + 'static) {
        self.luck.lock().unwrap().push(Box::new(luck));
    }

    /// Answers another identity than the tree's where it is asked by this call.
    pub fn offer(&self, call: Call, identity: Identity) {
        self.machine.offer(call, identity);
    }

    /// Lets builds of a package fail with this status and these last words.
    pub fn fail(&self, cpv: &str, status: u32, log: &str) {
        self.machine.fail(cpv.parse().unwrap(), status, log);
    }

    /// Lets a package that failed be built again.
    pub fn mend(&self, cpv: &str) {
        self.machine.mend(&cpv.parse().unwrap());
    }

    /// Changes each package before it is packed.
    pub fn tamper(&self, tamper: impl Fn(&mut Package) + Send + Sync + 'static) {
        self.machine.tamper(Box::new(tamper));
    }

    /// Changes the job's PKGDIR after each build.
    pub fn litter(&self, litter: impl Fn(&Path) + Send + Sync + 'static) {
        self.machine.litter(Box::new(litter));
    }

    /// Everything that runs is gone, and nobody answers.
    pub fn lose_power(&self) {
        self.host.vanish();
        self.machine.lose_power();
    }

    /// The names of the job directories that lie there.
    pub fn jobs(&self) -> Vec<String> {
        self.machine.jobs().into_iter().map(|(job, _)| job).collect()
    }

    /// How often it was asked this.
    pub fn asked(&self, call: Call) -> usize {
        self.scripts().iter().filter(|text| Given::read(text).call == call).count()
    }
}

/// Runs the scripts.
struct Shell {
    machine: Arc<Machine>,
    luck: Arc<Mutex<Vec<Luck>>>,
}

/// What a login shell may say, some of it without a line end.
const GREETING: &str = "\u{1b}]0;welcome\u{7}Last login: never\nroot@drone $ ";
const GOODBYE: &str = "\nSWARM is not what this says\nlogout";

fn rubbish() -> Vec<u8> {
    (0..=255).cycle().take(5000).collect()
}

#[async_trait]
impl Program for Shell {
    async fn run(&self, script: &str, console: &mut Console) {
        let given = Given::read(script);
        let spoil = self.luck.lock().unwrap().iter_mut().find_map(|luck| luck(given.call));
        if spoil == Some(Spoil::CutBefore) {
            return console.act_all(vec![Step::Cut]).await;
        }
        match given.call {
            Call::Watch => self.watch(&given, console, spoil).await,
            Call::Follow => self.follow(&given, console, spoil).await,
            _ => {
                let reply = self.machine.answer(&given);
                let mut steps = vec![Step::Stderr(reply.stderr.into_bytes())];
                steps.extend(answer(reply.stdout, reply.status, spoil));
                console.act_all(steps).await;
            }
        }
    }
}

/// The steps of an answer.
fn answer(stdout: String, status: u32, spoil: Option<Spoil>) -> Vec<Step> {
    match spoil {
        None | Some(Spoil::CutBefore) => Step::all_is_well(&stdout, status),
        Some(Spoil::CutAfter) => vec![Step::Cut],
        Some(Spoil::Freeze) => vec![Step::Freeze, Step::Hang],
        Some(Spoil::Noise) => Step::all_is_well(&format!("{GREETING}{stdout}{GOODBYE}"), status),
        Some(Spoil::Rubbish) => vec![Step::Stdout(rubbish()), Step::Status(0), Step::Close],
        Some(Spoil::StatusFirst) => {
            let middle = (0..=stdout.len() / 2).rev().find(|at| stdout.is_char_boundary(*at)).unwrap_or(0);
            let (first, second) = stdout.split_at(middle);
            vec![
                Step::Status(status),
                Step::out(first),
                Step::Wait(Duration::from_secs(3)),
                Step::out(second),
                Step::Eof,
                Step::Close,
            ]
        }
        Some(Spoil::NoStatus) => vec![Step::out(&stdout), Step::Eof, Step::Close],
    }
}

impl Shell {
    /// Reads jobs, and names each when nothing of it lives any more.
    async fn watch(&self, given: &Given, console: &mut Console, spoil: Option<Spoil>) {
        match spoil {
            Some(Spoil::Noise) => console.act_all(vec![Step::out(GREETING)]).await,
            Some(Spoil::Rubbish) => console.act_all(vec![Step::Stdout(rubbish())]).await,
            Some(Spoil::NoStatus) => return console.act_all(vec![Step::Close]).await,
            _ => {}
        }
        let (tell, mut ended) = mpsc::unbounded_channel();
        loop {
            tokio::select! {
                line = console.line() => {
                    let Some(job) = line else {
                        return console.act_all(Step::all_is_well("", 0)).await;
                    };
                    let (gone, tell) = (self.machine.gone(&job), tell.clone());
                    tokio::spawn(async move {
                        if let Some(mut gone) = gone {
                            // The sender never sends; it goes.
                            let _closed = gone.changed().await;
                        }
                        let _unheard = tell.send(job);
                    });
                }
                Some(job) = ended.recv() => {
                    let step = match spoil {
                        Some(Spoil::CutAfter) => Step::Cut,
                        Some(Spoil::Freeze) => Step::Freeze,
                        _ => Step::out(&format!("{}{job}\n", given.get("mark"))),
                    };
                    if console.act(step).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Gives the log as far as it is, and the rest when the job has ended.
    async fn follow(&self, given: &Given, console: &mut Console, spoil: Option<Spoil>) {
        let job = given.get("pid_file").rsplit('/').nth(1).unwrap_or_default().to_owned();
        if !self.machine.path(given.get("pid_file")).exists() {
            return console.act_all(Step::all_is_well("", 1)).await;
        }
        let from: usize = given.get("from").parse().unwrap();
        let log = || std::fs::read(self.machine.path(given.get("log"))).unwrap_or_default();
        let first = log().split_off(log().len().min(from - 1));
        let shown = from - 1 + first.len();
        console.act_all(vec![Step::Stdout(first)]).await;
        if let Some(mut gone) = self.machine.gone(&job) {
            let _closed = gone.changed().await;
        }
        let rest = log().split_off(log().len().min(shown));
        console.act_all(answer(String::from_utf8_lossy(&rest).into_owned(), 0, spoil)).await;
    }
}
