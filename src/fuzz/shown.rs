//! What hosts say in lines of ours or in words of their own, and what of it is shown.

use super::{assert_below, assert_shown, fuzz, roughly, shape};
use crate::core::text;
use crate::drone::{facts, job, strays, tend, verdict};
use crate::portage::terminal;

const LOG: &str = ">>> Compiling\n\u{1b}[31;01mx.c:1:2: error: nothing fits\u{1b}[0m\n\
    \u{1b}[31;01m * \u{1b}[0mERROR: app-misc/x-1::gentoo failed (compile phase):\n *   emake failed\n * \n\
    make: *** [Makefile:1] Error 1\n\u{1b}]0;title\u{7}spin |\u{8}/\u{8}-\r done\n!!! Fetched file: x VERIFY FAILED!\n";
const LOG_WORDS: [&str; 12] = [
    " * ERROR: ",
    " failed (",
    " phase):",
    " error: ",
    "No space left on device",
    "internal compiler error: Killed",
    "\u{1b}[",
    "\u{1b}]",
    "\u{9b}",
    "\u{1b}(B",
    "\u{8}",
    "\u{1b}P",
];

#[test]
fn logs() {
    fuzz("log", vec![LOG.into(), b"\n\n".to_vec()], &LOG_WORDS, |input| {
        let log = String::from_utf8_lossy(input);
        let stopped = log.lines().next().map(|line| format!("timeout {line}"));
        let endings = [
            job::Ending::default(),
            job::Ending { oom_kills: 3, ..Default::default() },
            job::Ending { stopped, ..Default::default() },
        ];
        let reasons: Vec<_> = endings.iter().map(|ending| verdict::of_build(1, ending, &log)).collect();
        for failure in &reasons {
            assert_shown(&failure.to_string(), 4000);
            assert!(!failure.reason.is_empty());
        }
        format!("{:?} {}", reasons[0].class, shape(&reasons[0].reason))
    });
}

#[test]
fn terminal_text() {
    fuzz("terminal", vec![LOG.into()], &LOG_WORDS, |input| {
        let said = String::from_utf8_lossy(input);
        let plain: Vec<String> = said.lines().flat_map(terminal::shown).collect();
        for line in &plain {
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(line.len() <= said.len());
            assert_eq!(&terminal::plain(line), line);
        }
        let escaped = text::escaped(&said);
        assert_shown(&escaped, said.len() * 10);
        assert_eq!(text::escaped(&escaped), escaped);
        assert_shown(&text::printable(&said), 6010);
        format!("{} {}", roughly(plain.len()), roughly(escaped.len().saturating_sub(said.len())))
    });
}

const LINES: &str = "noise\nSWARM:clock 1790000000\nSWARM:load 0.5 1\nSWARM:memory 4000000\nSWARM:space 9000000\n\
    SWARM:ours\nSWARM:held 7 altair 55\nSWARM:outranked 9 tarn\nSWARM:emerge 77\nSWARM:readonly\n\
    SWARM:status 1\nSWARM:oom_kills 2\nSWARM:stopped timeout no output for 1800 s\n";

#[test]
fn marked_lines() {
    let words = ["SWARM:", "held ", "outranked ", "ours", "status ", "stopped ", "load ", "NaN", "inf", "-"];
    let seeds = vec![LINES.into(), b"SWARM:held 7 altair 55\n".to_vec(), b"SWARM:stopped by us\n".to_vec()];
    fuzz("lines", seeds, &words, |input| {
        let lines = crate::ssh::ask::marked(input);
        let sight = tend::read(&lines);
        let circumstances = tend::Circumstances { before: 1_790_000_000, after: 1_790_000_001, cores: 8, jobs: 0 };
        let trouble = sight.trouble(&circumstances).unwrap_or_default();
        assert_shown(&trouble, 400);
        if let Some(tend::Claimed::Held(claimant, _) | tend::Claimed::Outranked(claimant)) = &sight.claimed {
            claimant.controller.iter().for_each(|name| assert_below(name.as_str()));
        }
        let ending = job::read_outcome(&lines).unwrap_or_default();
        let failure = verdict::of_build(1, &ending, "");
        assert_shown(&failure.to_string(), 4000);
        format!("{} {:?}", shape(&trouble), failure.class)
    });
}

#[test]
fn jobs_that_lie_on_a_drone() {
    let manifest = r#"{"job":"b1-1","build":"b1","epoch":7,"controller":"altair","driver":"capella","identity":{"cpv":
        "app-misc/x-1","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"00","use_flags":["nls"],
        "chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[["a/b",{"slot":"0","sub_slot":"1"}]]},
        "build_id":3}"#;
    let manifest = manifest.replace('\n', " ");
    let seed = format!("SWARM-STRAY:job b1-1 running 2048 77\nSWARM-STRAY:manifest b1-1 {manifest}\n");
    let words =
        ["SWARM-STRAY:", "job ", "manifest ", "b1-1", "../x", "ended", "{", "[", "\"\\u001b\"", "null", "\\ud800"];
    fuzz("strays", vec![seed.into_bytes()], &words, |input| {
        let jobs = strays::parse(&String::from_utf8_lossy(input));
        for job in &jobs {
            assert_below(job.job.as_str());
            let Some(manifest) = &job.manifest else { continue };
            assert_eq!(manifest.job, job.job);
            [manifest.build.as_str(), manifest.identity.cpv.as_str()].iter().for_each(|name| assert_below(name));
            let written = serde_json::to_string(manifest).unwrap();
            assert_eq!(&serde_json::from_str::<job::Manifest>(&written).unwrap(), manifest);
        }
        let whose = jobs.iter().filter(|job| job.manifest.is_some()).count();
        format!("{} {whose} {:?}", jobs.len(), jobs.first().map(|job| job.progress))
    });
}

#[test]
fn facts_of_hosts() {
    let answer: String = [
        "hostname=izar",
        "kernel=6.12.1",
        "machine=x86_64",
        "boot=0b7c",
        "user=0",
        "time=1790000000",
        "cores=16",
        "processor=A B",
        "load=0.5",
        "memory_total=16000000",
        "memory_available=9000000",
        "workdir_free=90000000",
        "workdir_writable=yes",
        "temporary_free=1000",
        "program=emerge",
        "program=tar",
        "portage=3.0.68",
        "portage.FEATURES='a b'",
        "portage.CHOST='x86_64-pc-linux-gnu'",
        "portage.BINPKG_FORMAT='gpkg'",
        "end=yes",
    ]
    .iter()
    .map(|line| format!("swarm-fact:{line}\n"))
    .collect();
    fuzz("facts", vec![answer.into_bytes()], &["swarm-fact:", "=", "'", "NaN", "end=yes", "cores="], |input| {
        let said = String::from_utf8_lossy(input);
        match facts::parse(&said, 1_790_000_000..=1_790_000_001) {
            Ok(facts) => {
                for text in [&facts.hostname, &facts.kernel, &facts.machine, &facts.boot_id] {
                    assert_shown(text, 16_400);
                }
                facts::check(&facts, facts::Duty::Build)
                    .iter()
                    .for_each(|each| assert_shown(&each.to_string(), 20_000));
                format!("{} {} {:?}", facts.root, facts.programs.len(), facts.portage.is_some())
            }
            Err(error) => error.to_string(),
        }
    });
}
