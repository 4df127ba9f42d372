//! An imagined large swarm: plans and stanzas of the size of real ones, and the events of builds that go through.
//!
//! All of it follows from numbers, so every run measures the same.

use std::collections::{BTreeMap, BTreeSet};

use swarm::core::event::{DroneSpec, Event, JobOutcome, ReceivedFile, Rooms, Selection, Trouble};
use swarm::core::failure::{Failure, FailureClass};
use swarm::core::names::{BuildId, BuildName, ControllerName, Epoch, HostName, JobName, ReleaseName, Timestamp};
use swarm::core::package::{Cpv, Identity, Slot};
use swarm::core::plan::{Edge, EdgeKind, PackageIndex, Plan, PlannedPackage};
use swarm::core::texts::Fields;

/// The drones.
pub const DRONES: usize = 200;
/// Every so manieth job fails once, on its drone's account.
const FAILS: usize = 10;
/// How many packages each one needs at the most; the mean of large real trees is about ten.
const MOST_NEEDS: usize = 20;
const WORDS: [&str; 24] = [
    "alsa",
    "bash-completion",
    "cairo",
    "dbus",
    "elogind",
    "fontconfig",
    "gtk",
    "harfbuzz",
    "introspection",
    "jpeg",
    "kerberos",
    "lzma",
    "mount",
    "ncurses",
    "opengl",
    "pulseaudio",
    "qt6",
    "readline",
    "systemd",
    "threads",
    "udev",
    "vulkan",
    "wayland",
    "xattr",
];

/// Builds of one swarm, one after the other.
pub struct Journey {
    builds: usize,
    packages: usize,
}

impl Journey {
    /// One build of 20,000 packages.
    pub fn one_build() -> Self {
        Self::of_build(20_000)
    }

    /// One build of so many packages.
    pub fn of_build(packages: usize) -> Self {
        Self { builds: 1, packages }
    }

    /// Builds of 1,000 packages, each of them released but the last.
    pub fn many_builds() -> Self {
        Self { builds: 30, packages: 1_000 }
    }

    /// Hands out the events in their order.
    pub fn play(&self, mut take: impl FnMut(&Event, Timestamp)) {
        let at = Timestamp(1_790_000_000);
        let controller: ControllerName = "altair".parse().expect("a name");
        take(&Event::EpochClaimed { epoch: Epoch(7), controller, voters: [].into(), at }, at);
        take(&Event::FleetDeclared { drones: (0..DRONES).map(spec).collect() }, at);
        take(&Event::RunBegun { lost_after: 900, at }, at);
        for number in 0..DRONES {
            take(
                &Event::DroneReady {
                    drone: drone(number),
                    address: Some(format!("10.42.{number}.7")),
                    rooms: Rooms::Own,
                    memory_mib: None,
                    configuration: None,
                },
                at,
            );
        }
        for build in 0..self.builds {
            self.build(build, &mut take);
        }
    }

    fn build(&self, number: usize, take: &mut impl FnMut(&Event, Timestamp)) {
        let at = Timestamp(1_790_000_000 + 100_000 * i64::try_from(number).expect("few builds"));
        let build: BuildName = format!("20270101T{number:06}").parse().expect("a name");
        let plan = plan(number, self.packages);
        let cpvs: Vec<Cpv> = plan.packages.iter().map(|package| package.identity.cpv.clone()).collect();
        take(
            &Event::BuildOpened {
                build: build.clone(),
                selection: Selection::World,
                plan,
                live: BTreeMap::new(),
                rebuild: false,
                at,
            },
            at,
        );
        let mut last_job = 0;
        for (index, cpv) in cpvs.iter().enumerate() {
            let package = PackageIndex::at(index);
            let build_id = BuildId(u32::try_from(number).expect("few builds") + 1);
            let mut start = |take: &mut dyn FnMut(&Event, Timestamp), where_: usize| {
                last_job += 1;
                let job = JobName::new(&build, Epoch(7), last_job);
                let build_ids = BTreeMap::from([(package, build_id)]);
                take(
                    &Event::JobStarted {
                        job: job.clone(),
                        package,
                        drone: drone(where_),
                        build_ids,
                        width: 1,
                        why: None,
                        at,
                    },
                    at,
                );
                job
            };
            if index % FAILS == 0 {
                let job = start(take, index + 1);
                let reason = "the connection was lost while its package was fetched from the drone".to_owned();
                let failure = Failure { class: FailureClass::Transfer, reason };
                let log = Some(format!("logs/{cpv}/{job}.log"));
                take(&Event::JobEnded { job, outcome: JobOutcome::Failed { failure, log }, at }, at);
            }
            let job = start(take, index);
            let path = format!("{}/{}-{build_id}.gpkg.tar", cpv.package(), cpv.pf());
            let file = ReceivedFile { stanza: stanza(index, cpv, &path, build_id), path, build_id, imprint: None };
            take(&Event::PackageReceived { job: job.clone(), package, file, cost: None, at }, at);
            take(&Event::JobEnded { job, outcome: JobOutcome::Delivered, at }, at);
        }
        take(&Event::BuildFinished { build: build.clone(), at }, at);
        if number + 1 < self.builds {
            let release = ReleaseName::new(Epoch(7), number as u64);
            take(&Event::BuildReleased { build, release, at }, at);
        }
    }

    /// A drone that goes or comes.
    pub fn weather(&self, number: usize) -> Event {
        if number.is_multiple_of(2) {
            return away(number / 2, Timestamp(1_800_000_000));
        }
        let address = Some("10.42.0.7".to_owned());
        Event::DroneReady {
            drone: drone(number / 2),
            address,
            rooms: Rooms::Own,
            memory_mib: None,
            configuration: None,
        }
    }
}

/// A drone goes.
pub fn away(number: usize, at: Timestamp) -> Event {
    let reason = "no answer from 10.42.0.7 within 15 s: is the machine on, and sshd running?".to_owned();
    Event::DroneAway { drone: drone(number), trouble: Trouble::Unreachable, reason, at }
}

/// The drone with this number.
pub fn drone(number: usize) -> HostName {
    format!("drone-{:03}", number % DRONES).parse().expect("a name")
}

/// What the drone with this number has.
pub fn spec(number: usize) -> DroneSpec {
    DroneSpec {
        name: drone(number),
        cores: 4 << (number % 4),
        jobs: Some(1 + u32::try_from(number % 4).expect("small")),
        memory_mib: None,
    }
}

/// Some of the words, another choice for each number, as flags.
fn flags(number: usize, least: usize) -> impl Iterator<Item = String> {
    let count = least + number % 16;
    (0..count).map(move |place| {
        let mixed = number.wrapping_mul(2_654_435_761).wrapping_add(place.wrapping_mul(40_503)) >> 4;
        let word = WORDS[mixed % WORDS.len()];
        if mixed % 5 == 0 { format!("python_targets_{word}") } else { word.to_owned() }
    })
}

/// The package with this number.
pub fn cpv(number: usize) -> Cpv {
    format!(
        "dev-{}/lib{}{number}x-{}.{}.1-r{}",
        WORDS[number % 24],
        WORDS[number / 24 % 24],
        number % 9,
        number % 31,
        number % 3
    )
    .parse()
    .expect("a package")
}

fn identity(build: usize, number: usize) -> Identity {
    let fixed = ["amd64", "elibc_glibc", "kernel_linux", "abi_x86_64", "nls"].map(str::to_owned);
    let compiler = [
        ("CFLAGS", "-O2 -pipe -march=x86-64-v3 -fno-plt"),
        ("CXXFLAGS", "-O2 -pipe -march=x86-64-v3 -fno-plt"),
        ("FCFLAGS", "-O2 -pipe -march=x86-64-v3"),
        ("FFLAGS", "-O2 -pipe -march=x86-64-v3"),
        ("LDFLAGS", "-Wl,-O1 -Wl,--as-needed -Wl,-z,pack-relative-relocs"),
        ("RUSTFLAGS", "-Ctarget-cpu=x86-64-v3 -Copt-level=3"),
    ];
    let linked = needs(number)
        .take(4)
        .map(|need| (cpv(need).package().to_owned(), Slot { slot: "0".to_owned(), sub_slot: (need % 40).to_string() }));
    Identity {
        cpv: cpv(number),
        slot: Slot { slot: "0".to_owned(), sub_slot: (number % 40).to_string() },
        repository: "gentoo".to_owned(),
        ebuild_digest: format!("{:032x}", build * 1_000_003 + number),
        use_flags: fixed.into_iter().chain(flags(number, 6)).collect(),
        chost: "x86_64-pc-linux-gnu".to_owned(),
        compiler: compiler.into_iter().collect(),
        linked: linked.collect(),
    }
}

/// What a package needs: others that come before it.
fn needs(number: usize) -> impl Iterator<Item = usize> {
    let count = (number % MOST_NEEDS).min(number);
    (0..count).map(move |place| (number * 7 + place * place * 131) % number)
}

/// A plan of so many packages, another one for each build.
pub fn plan(build: usize, size: usize) -> Plan {
    let packages = (0..size).map(|number| PlannedPackage {
        identity: identity(build, number),
        requested: number % 50 == 0,
        oddities: BTreeSet::new(),
    });
    let kinds = [EdgeKind::Buildtime, EdgeKind::RuntimeSlotOp, EdgeKind::Runtime];
    let edges = (0..size).flat_map(|from| {
        needs(from).collect::<BTreeSet<_>>().into_iter().map(move |to| Edge {
            from: PackageIndex::at(from),
            to: PackageIndex::at(to),
            kinds: kinds.into_iter().take(1 + to % 3).collect(),
        })
    });
    let index_header = [("ARCH", "amd64".to_owned()), ("USE", flags(1, 300).collect::<Vec<_>>().join(" "))];
    Plan {
        driver: "capella".parse().expect("a name"),
        packages: packages.collect(),
        edges: edges.collect(),
        index_header: index_header.map(|(key, value)| (key.to_owned(), value)).into(),
        warnings: Vec::new(),
    }
    .in_order()
}

/// The size of its file, in bytes.
pub fn size(number: usize) -> usize {
    100_000 + number * 37
}

/// An entry of a package index, about two kilobytes as most of the larger ones are.
pub fn stanza(number: usize, cpv: &Cpv, path: &str, build_id: BuildId) -> Fields {
    let atoms = |count: usize| {
        needs(number)
            .take(count)
            .map(|need| format!(">={}:0/{}=[nls?,-static(-)]", super::fleet::cpv(need), need % 40))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let joined = |least| flags(number, least).collect::<Vec<_>>().join(" ");
    [
        ("BDEPEND", format!("virtual/pkgconfig >=dev-build/meson-1.2.3 app-alternatives/ninja {}", atoms(2))),
        ("BUILD_ID", build_id.to_string()),
        ("BUILD_TIME", (1_790_000_000 + number).to_string()),
        ("CHOST", "x86_64-pc-linux-gnu".to_owned()),
        ("CPV", cpv.to_string()),
        ("DEFINED_PHASES", "compile configure install prepare test".to_owned()),
        ("DEPEND", atoms(9)),
        ("EAPI", "8".to_owned()),
        ("IUSE", joined(12)),
        ("KEYWORDS", "~alpha amd64 arm arm64 ~hppa ~loong ~mips ppc ppc64 ~riscv sparc x86".to_owned()),
        ("LICENSE", "LGPL-2.1+ MIT".to_owned()),
        ("MD5", format!("{number:032x}")),
        ("MTIME", (1_790_000_100 + number).to_string()),
        ("PATH", path.to_owned()),
        ("PROVIDES", format!("x86_64: lib{number}.so.0")),
        ("RDEPEND", atoms(9)),
        ("REPO", "gentoo".to_owned()),
        ("REQUIRES", format!("x86_64: ld-linux-x86-64.so.2 libc.so.6 libm.so.6 {}", joined(8))),
        ("SHA1", format!("{number:040x}")),
        ("SIZE", size(number).to_string()),
        ("SLOT", format!("0/{}", number % 40)),
        ("USE", joined(10)),
    ]
    .into_iter()
    .collect()
}
