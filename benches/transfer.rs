//! Packages from a host to this machine, over a real sshd on the loopback, with and without a longer way in between,
//! beside what else would bring them: one of 512 MiB, and 1,000 of 20 KB.
//!
//! Every program connects anew, as ours does: what a figure has in it is all from nothing to the files on this disk. The
//! large package is a sound GPKG, so that it can also be verified as one from a drone is, while it comes and afterwards.
//!
//! `SWARM_BENCH_ROUNDS` are so many rounds, of which the median counts; `SWARM_BENCH_MIB` is the large one's size.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may end anywhere")]

mod compare;
mod delay;
#[path = "../tests/support/package.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod package;
#[path = "../tests/program/plans.rs"]
mod plans;
#[path = "../tests/program/sshd.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod sshd;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use compare::{Bar, Figure, Row, median, number, report, shown, timed};
use delay::Delay;
use futures::future::try_join_all;
use package::Package;
use sshd::Sshd;
use swarm::core::names::BuildId;
use swarm::portage::gpkg;
use swarm::ssh::{Destination, Growth, Host, RemoteHost, Turns};

/// So many small packages, and of this size each.
const SMALL: usize = 1_000;
const SMALL_SIZE: usize = 20_000;

/// Where files lie, there and here.
struct Place<'a> {
    sshd: &'a Sshd,
    rounds: usize,
}

impl Place<'_> {
    fn there(&self, name: &str) -> String {
        self.sshd.text_path(&format!("there/{name}"))
    }

    /// An empty directory for what comes. The disk has nothing to do any more for what came before: it would take
    /// processor time from whoever is next.
    fn here(&self) -> PathBuf {
        let directory = self.sshd.path("here");
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).expect("a directory for what comes");
        assert!(Command::new("sync").status().expect("sync runs").success());
        directory
    }

    /// The options of OpenSSH's programs.
    fn options(&self, port: u16) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.sshd.known_hosts().display());
        let identity = self.sshd.identity().display().to_string();
        let port = format!("Port={port}");
        let words = ["-F", "none", "-i", &identity, "-o", &port, "-o", &known, "-o", "StrictHostKeyChecking=yes"];
        words.map(str::to_owned).to_vec()
    }

    /// One round of a program, which must bring so many bytes; none where it is not installed.
    fn program(&self, bytes: u64, command: impl Fn(&Path) -> Command) -> Option<Duration> {
        let here = self.here();
        let (took, ended) = timed(|| command(&here).stdin(Stdio::null()).stdout(Stdio::null()).status());
        match ended {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            ended => assert!(ended.expect("the program runs").success(), "a program that is measured beside failed"),
        }
        assert_eq!(size(&here), bytes, "not all has come");
        Some(took)
    }

    /// The same of ours.
    fn ours(&self, bytes: u64, port: u16, work: impl AsyncFn(&RemoteHost, &Path)) -> Option<Duration> {
        let here = self.here();
        let destination = Destination { port, ..self.sshd.destination() };
        let (took, ()) = timed(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async { work(&RemoteHost::new(&destination), &here).await });
        });
        assert_eq!(size(&here), bytes, "not all has come");
        Some(took)
    }

    /// The medians of so many rounds, in each of which all take turns.
    fn in_turns<const N: usize>(&self, all: [&dyn Fn() -> Option<Duration>; N]) -> [Option<Figure>; N] {
        let mut times = [const { Vec::new() }; N];
        for _ in 0..self.rounds {
            times.iter_mut().zip(all).for_each(|(times, once)| times.extend(once()));
        }
        times.map(|times| (!times.is_empty()).then(|| Figure::Time(median(times))))
    }
}

fn size(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).expect("the directory is there");
    let sizes = files.map(|file| {
        let file = file.expect("an entry");
        if file.path().is_dir() { size(&file.path()) } else { file.metadata().expect("its size").len() }
    });
    sizes.sum()
}

fn shell(words: &[String]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

/// One large package.
fn large(place: &Place<'_>, port: u16, what: &str, times: f64) -> Row {
    let bytes = std::fs::metadata(place.there("large")).unwrap().len();
    let (options, there) = (place.options(port), place.there("large"));
    let (remote, through) = (format!("127.0.0.1:{there}"), shell(&options));
    let ours = || {
        place.ours(bytes, port, async |host, here| {
            host.download(&there, &here.join("large")).await.expect("it comes");
        })
    };
    let sftp = |more: &[&str]| {
        place.program(bytes, |here| {
            let mut sftp = Command::new("sftp");
            sftp.arg("-q").args(&options).args(more).arg(&remote).arg(here);
            sftp
        })
    };
    let rsync = || {
        place.program(bytes, |here| {
            let mut rsync = Command::new("rsync");
            rsync.args(["-aW", "-e", &format!("ssh {through}")]).arg(&remote).arg(here);
            rsync
        })
    };
    let cat =
        || place.program(bytes, |here| sh(&format!("ssh {through} 127.0.0.1 cat {there} >{}/large", here.display())));
    let fast = || sftp(&["-c", "aes128-gcm@openssh.com"]);
    let [ours, usual, fast, rsync, cat] = place.in_turns([&ours, &|| sftp(&[]), &fast, &rsync, &cat]);
    println!("beside {what}: rsync -aW {}, ssh cat {}", shown(rsync), shown(cat));
    Row::new(what, ours.expect("ours is here"), Bar::Times(times))
        .beside("sftp", usual)
        .beside("sftp -c aes128-gcm", fast)
}

/// The same large package as one from a drone is taken: looked through while it comes, with all that Portage would check.
fn verified(place: &Place<'_>, what: &str) -> Row {
    let (there, port) = (place.there("large"), place.sshd.port);
    let (bytes, options) = (std::fs::metadata(&there).unwrap().len(), shell(&place.options(port)));
    let ours = || {
        place.ours(bytes, port, async |host, here| {
            let file = here.join("large");
            let growth = Arc::new(Growth::default());
            let ending = growth.ending();
            std::fs::write(&file, b"").expect("a file for what comes");
            let (following, path) = (growth.follow(std::fs::File::open(&file).expect("it is there")), file.clone());
            let reading = std::thread::spawn(move || gpkg::read_through(following, &path));
            host.bring(&there, &file, Some(&growth)).await.expect("it comes");
            drop(ending);
            reading.join().expect("a reader").expect("it is sound");
        })
    };
    let after = || {
        place.ours(bytes, port, async |host, here| {
            let file = here.join("large");
            host.download(&there, &file).await.expect("it comes");
            gpkg::read(&file).expect("it is sound");
        })
    };
    let programs = || {
        let sums = "for sum in md5sum sha1sum b2sum sha512sum; do $sum large & done; wait";
        let line = format!("sftp -q -c aes128-gcm@openssh.com {options} 127.0.0.1:{there} . && {{ {sums}; }}");
        place.program(bytes, |here| sh(&format!("cd {} && {line}", here.display())))
    };
    let [ours, after, programs] = place.in_turns([&ours, &after, &programs]);
    println!("beside {what}: verified after it has come {}", shown(after));
    let beside = "sftp -c aes128-gcm, then the four sums side by side";
    Row::new(what, ours.expect("ours is here"), Bar::None).beside(beside, programs)
}

/// Many small ones.
fn small(place: &Place<'_>, port: u16, what: &str) -> Row {
    let bytes = (SMALL * SMALL_SIZE) as u64;
    let (options, there) = (place.options(port), place.there("small"));
    let through = shell(&options);
    let names: Vec<String> = (0..SMALL).map(|number| format!("package-{number}.gpkg.tar")).collect();
    let ours = || {
        place.ours(bytes, port, async |host, here| {
            // As a standby brings packages.
            let turns = &Turns::default();
            let downloads = names.iter().map(|name| {
                let (remote, local) = (format!("{there}/{name}"), here.join(name));
                async move {
                    let _turn = turns.of(SMALL_SIZE as u64).await;
                    host.download(&remote, &local).await
                }
            });
            try_join_all(downloads).await.expect("they come");
        })
    };
    let rsync = || {
        place.program(bytes, |here| {
            let mut rsync = Command::new("rsync");
            rsync.args(["-a", "-e", &format!("ssh {through}"), &format!("127.0.0.1:{there}/")]).arg(here);
            rsync
        })
    };
    let tar = || {
        let line = format!("ssh {through} 127.0.0.1 tar -C {there} -cf - .");
        place.program(bytes, |here| sh(&format!("{line} | tar -C {} -xf -", here.display())))
    };
    let [ours, rsync, tar] = place.in_turns([&ours, &rsync, &tar]);
    let batch = place.sshd.path("batch");
    std::fs::write(&batch, format!("get -R {there}/*\n")).expect("a batch");
    // It takes a minute and a half on a long way, whatever the round.
    let sftp = place.program(bytes, |here| {
        let mut sftp = Command::new("sftp");
        sftp.arg("-q").args(&options).arg("-b").arg(&batch).arg("127.0.0.1").current_dir(here);
        sftp
    });
    println!("beside {what}: sftp -b, once, {}; tar over ssh {}", shown(sftp.map(Figure::Time)), shown(tar));
    Row::new(what, ours.expect("ours is here"), Bar::Times(1.0)).beside("rsync -a", rsync)
}

/// A line for the shell.
fn sh(line: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(line);
    shell
}

fn main() -> ExitCode {
    let place = Place { sshd: &Sshd::start(), rounds: number("SWARM_BENCH_ROUNDS", 5) };
    std::fs::create_dir_all(place.there("small")).expect("a directory");
    let mib = number("SWARM_BENCH_MIB", 512);
    let content: Vec<u8> =
        (0..(mib << 20) / 8).flat_map(|word| (word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
    let identity = plans::planned("app-lab/large-1.0", true).identity;
    let package = Package { image: content.clone(), ..Package::of(&identity, BuildId(1), 1) };
    std::fs::write(place.there("large"), package.bytes()).expect("the large package");
    for number in 0..SMALL {
        let name = place.there(&format!("small/package-{number}.gpkg.tar"));
        std::fs::write(name, &content[number * SMALL_SIZE..][..SMALL_SIZE]).expect("a small package");
    }
    let (ten, fifty) = (Duration::from_millis(10), Duration::from_millis(50));
    let (ten, fifty) = (Delay::new(place.sshd.port, ten), Delay::new(place.sshd.port, fifty));
    let ports = [place.sshd.port, ten.port, fifty.port];
    let known = ports.map(|port| format!("[127.0.0.1]:{port} {}", place.sshd.host_key()));
    std::fs::write(place.sshd.known_hosts(), known.concat()).expect("the known hosts");
    let rows = [
        large(&place, place.sshd.port, &format!("a package of {mib} MiB, loopback"), 1.2),
        verified(&place, &format!("a package of {mib} MiB, loopback, verified")),
        large(&place, ten.port, &format!("a package of {mib} MiB, 10 ms round trip"), 3.0),
        large(&place, fifty.port, &format!("a package of {mib} MiB, 50 ms round trip"), 5.0),
        small(&place, place.sshd.port, "1,000 packages of 20 KB, loopback"),
        small(&place, ten.port, "1,000 packages of 20 KB, 10 ms round trip"),
    ];
    if report(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
