//! Fuzzing of everything that is read from a host or a file, on stable Rust.
//!
//! A target is a reader with what must hold of whatever it makes of its input. It begins with sound inputs made by our
//! own writers; each round takes one, mutates it ([`mutate`]) and hands it over. The target's answer has a shape (which
//! error, how much was read); an input with a shape not seen before is kept and mutated further. So the search goes
//! deeper without instrumented code, which would ask for a nightly compiler.
//!
//! Besides that nothing panics, targets hold their reader to this: no path leaves its directory, what is shown holds no
//! control characters and is of bounded length, what was read reads the same once it has been written, and memory stays
//! bounded ([`MEMORY_LIMIT_KIB`]). That cost grows no faster than the input is tested in [`cost`].
//!
//! `SWARM_FUZZ_SECONDS` makes each target run so long, from a new seed, instead of a fixed number of rounds from a
//! fixed one; `SWARM_FUZZ_SEED` repeats a run. An input that a target falls over is written to `target/fuzz/`.

mod cost;
mod mutate;
mod own;
mod packages;
mod shown;
mod words;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::seeded::Seeded;

/// Rounds of a short run: some tenths of a second for most targets.
const ROUNDS: usize = 400;
/// The seed of a short run.
const SEED: u64 = 20_271_104;
/// More inputs than this are not kept.
const KEPT: usize = 1500;
/// Longer inputs (bytes) are cut.
const LONGEST: usize = 64 << 10;
/// The most memory (KiB) that the process of a target may ever have had. An xz stream may ask for 128 MiB.
const MEMORY_LIMIT_KIB: u64 = 400 << 10;

/// Runs a target over mutations of these inputs; it gives the shape of its answer.
fn fuzz(name: &str, seeds: Vec<Vec<u8>>, dictionary: &[&str], target: impl Fn(&[u8]) -> String) {
    let seconds = std::env::var("SWARM_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let seed = std::env::var("SWARM_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| if seconds.is_some() { from_the_clock() } else { SEED });
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut chance = Seeded::new(seed);
    let mut shapes = HashSet::new();
    let attempt = |input: &[u8]| {
        catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or_else(|fault| {
            let file = keep_culprit(name, input);
            eprintln!("{name} fell over {file}; SWARM_FUZZ_SEED={seed} repeats the run");
            resume_unwind(fault)
        })
    };
    for input in &seeds {
        shapes.insert(attempt(input));
    }
    let mut kept = seeds;
    let mut rounds = 0_usize;
    while until.map_or(rounds < ROUNDS, |until| Instant::now() < until) {
        rounds += 1;
        let mut input = chance.mutated(&kept, dictionary);
        input.truncate(LONGEST);
        if shapes.insert(attempt(&input)) && kept.len() < KEPT {
            kept.push(input);
        }
    }
    let memory = most_memory();
    println!("{name}: {rounds} rounds, {} shapes of answers, {} MiB, seed {seed}", shapes.len(), memory >> 10);
    assert!(memory <= MEMORY_LIMIT_KIB, "{name} took {} MiB of memory", memory >> 10);
}

fn from_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn keep_culprit(name: &str, input: &[u8]) -> String {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    let file = directory.join(format!("{name}-{}", from_the_clock()));
    // The panic that follows says what matters.
    let _written = std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&file, input));
    file.display().to_string()
}

/// The most memory (KiB) that this process has had; the runner gives each test its own.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The shape of a text: what is left without digits and whatever is quoted.
fn shape(text: &str) -> String {
    let parts = text.split('"').step_by(2).collect::<String>();
    parts.chars().filter(|each| !each.is_ascii_digit()).take(120).collect()
}

/// How much there is of something, roughly.
fn roughly(count: usize) -> u32 {
    usize::BITS - count.leading_zeros()
}

/// Asserts that a text can be shown: nothing in it acts on a terminal, and it is not endless.
fn assert_shown(text: &str, longest: usize) {
    let odd = text.chars().find(|each| each.is_control() && *each != '\n');
    assert!(odd.is_none(), "{odd:?} in what is shown: {text:?}");
    assert!(text.len() <= longest, "{} bytes are shown: {}…", text.len(), text.chars().take(200).collect::<String>());
}

/// Asserts that a path stays below the directory that it is joined to, and is safe in a shell and on a terminal.
fn assert_below(path: &str) {
    let parts = path.split('/').all(|part| !part.is_empty() && !part.starts_with(['.', '-']));
    let plain = path.chars().all(|each| each.is_ascii_alphanumeric() || "+_.-/".contains(each));
    assert!(parts && plain, "{path:?}");
}
