//! What reading costs, as the input grows: eight times the input may cost 24 times the processor time, which a
//! reader with a cost that grows by the square (64 times) does not keep to: caches that others fill cost some.
//!
//! Measured is the time that this thread had a processor (`/proc/thread-self/schedstat`), not the clock on the wall, so
//! other work on the machine counts little.

use std::path::{Path, PathBuf};

use super::most_memory;
use crate::core::text;
use crate::drone::{facts, job, strays, tend, verdict};
use crate::inventory::{Inventory, Surroundings};
use crate::portage::index::{Index, Limits};
use crate::portage::pretend::Pretend;
use crate::portage::{list, probe, terminal};
use crate::ssh::known_hosts::KnownHosts;

/// What is far too dear already at this size is not tried with more.
const FIRST: usize = 16 << 10;
const SMALL: usize = 128 << 10;
const LARGE: usize = 1 << 20;
/// The ratio that is let pass: about as far (in factors) from that of the sizes as from its square.
const MOST: u64 = 24;
/// Less than this (nanoseconds) is too little to tell anything by.
const UNREMARKABLE: u64 = 400_000_000;
/// More than this for the small size is too dear whatever it grows to.
const DEAR: u64 = 4 * UNREMARKABLE;
/// The most memory (KiB) that reading a mebibyte may take.
const MOST_MEMORY_KIB: u64 = 300 << 10;

fn processor_time() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or(0)
}

fn cost(read: &dyn Fn(&str), text: &str) -> u64 {
    let before = processor_time();
    read(text);
    processor_time() - before
}

/// Reads growing texts, each a head, then a piece over and over.
fn check(name: &str, read: &dyn Fn(&str), texts: &[(&str, &str)]) {
    for (head, piece) in texts {
        let of_size = |size: usize| format!("{head}{}", piece.repeat(size / piece.len()));
        let first = cost(read, &of_size(FIRST));
        assert!(first <= UNREMARKABLE, "{name}: {} ms for {piece:?} over and over", first / 1_000_000);
        let small = cost(read, &of_size(SMALL));
        let large = if small > DEAR { u64::MAX } else { cost(read, &of_size(LARGE)) };
        let (small_ms, large_ms) = (small / 1_000_000, large / 1_000_000);
        let good = large <= UNREMARKABLE.max(small.saturating_mul(MOST));
        assert!(good, "{name}: {small_ms} ms grow to {large_ms} ms for {piece:?} over and over");
    }
    let memory = most_memory();
    assert!(memory <= MOST_MEMORY_KIB, "{name} took {} MiB", memory >> 10);
}

#[test]
fn emerge_text_costs_no_more_than_its_length() {
    let read = |text: &str| drop(text.parse::<Pretend>());
    let texts = [
        ("", "[ebuild  N     ] a/b-1\n"),
        ("", "[ebuild  N     ] a/b"),
        ("", " N a/b"),
        ("", "N     a/b 1.0 "),
        ("", "a/b "),
        ("[ebuild  N     ] a/b", "-1"),
        ("", "Total: 3 packages\n"),
        ("", "N "),
        ("N     ", " "),
        ("", "\u{1b}[0m"),
        ("", "\r[ebuild "),
        ("[ebuild  N     ] ", "a"),
        ("", "\u{1b}]"),
    ];
    check("pretend", &read, &texts);
}

#[test]
fn lists_cost_no_more_than_their_length() {
    let texts = [("", "a/b-1\n"), ("", "#"), ("", " #x"), ("a/b", "-1"), ("a/", "b-"), ("a/b-1", ".1"), ("", "a/b-1 ")];
    check("list", &|text| drop(list::parse(text)), &texts);
}

#[test]
fn indexes_cost_no_more_than_their_length() {
    let read = |text: &str| drop(Index::parse(text.as_bytes(), Limits::default()));
    let texts = [
        ("", "\n"),
        ("", "CPV: a/b-1\nPATH: a/b-1.gpkg.tar\n\n"),
        ("", "CPV: x\n\n"),
        ("", ":"),
        ("A: 1\n", "A:1\n"),
        ("VERSION: 0\nA: ", "x"),
        ("\n\nPATH: ", "a/b-1"),
        ("REPO: gentoo\nCHOST: x\n\n", "CPV: a/b-1\n\n"),
    ];
    check("index", &read, &texts);
}

#[test]
fn inventories_cost_no_more_than_their_length() {
    let read = |text: &str| {
        let _read = Inventory::parse_at(&[(PathBuf::from("x.toml"), text.to_owned())], Surroundings::default());
    };
    let texts = [
        ("", "x = 1\n"),
        ("", "[hosts.a]\n"),
        ("x = ", "["),
        ("x = ", "{a="),
        ("swarm.driver = '", "a"),
        ("", "a."),
        ("swarm.driver = [", "'a',"),
        ("[swarm]\n", "é"),
        ("hosts.b.address = [", "'10.0.0.1',"),
    ];
    check("inventory", &read, &texts);
}

#[test]
fn known_hosts_cost_no_more_than_their_length() {
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIJg3Hs2lHYXW1uIHKr5vGM5jNyCjUX1qxjbSGvKmvC1s";
    let offered = russh::keys::parse_public_key_base64(key).unwrap();
    let read = |text: &str| {
        let text = format!("{text} ssh-ed25519 {key}\n");
        if let Ok(known) = KnownHosts::parse(Path::new("f"), text.as_bytes()) {
            known.check(&"a".repeat(60), 22, &offered);
        }
    };
    check(
        "known_hosts",
        &read,
        &[("", "*a"), ("", "a,"), ("", "*,!b,"), ("|1|", "A"), ("", " "), ("", "\n"), ("@revoked ", "?")],
    );
}

#[test]
fn what_hosts_say_costs_no_more_than_its_length() {
    let read = |text: &str| {
        let lines = crate::ssh::ask::marked(text.as_bytes());
        tend::read(&lines);
        let ending = job::read_outcome(&lines).unwrap_or_default();
        verdict::of_build(1, &ending, text);
        let _facts = facts::parse(text, 0..=1);
        strays::parse(text);
        text.lines().flat_map(terminal::shown).for_each(drop);
        text::escaped(text);
    };
    let texts = [
        ("", "SWARM:stopped timeout \n"),
        ("SWARM:stopped timeout ", "x "),
        ("", "\r"),
        ("", "\u{1b}["),
        ("", "\u{8}"),
        ("", " * ERROR: a failed (\n"),
        ("", " error: "),
        ("swarm-fact:portage.FEATURES='", "a "),
        ("SWARM-STRAY:job a new 1 1\nSWARM-STRAY:manifest a ", "{\"a\":"),
        ("", "swarm-fact:program=tar\n"),
        ("", "\u{202e}"),
        ("", "SWARM-STRAY:job a new 1 1\n"),
    ];
    check("lines", &read, &texts);
}

#[test]
fn plans_cost_no_more_than_their_length() {
    let package = |name: usize| format!(r#"{{"cpv":"a/b{name}x-1","slot":"0","repository":"g","use":[],"chost":"c"}}"#);
    let read = |text: &str| {
        // The length alone counts: so many packages, and between them a chain, two rings, or all that one pair has.
        let size = text.len() / 120;
        let half = size / 2;
        let chain = (1..size).map(|at| (at, at - 1)).collect::<Vec<_>>();
        let rings =
            (0..half).map(|at| (at, (at + 1) % half)).chain((half..size).map(|at| (at, half + (at + 1) % half)));
        let rings: Vec<_> = rings.filter(|(from, to)| from != to && *to < size).chain([(0, half)]).collect();
        let star: Vec<_> = (1..size).map(|at| (at, 0)).collect();
        let every = |kind| {
            [&chain, &rings, &star].map(|edges| edges.iter().map(|(from, to)| (*from, *to, kind)).collect::<Vec<_>>())
        };
        // Half of them are built with one that runs with all others.
        let runs = (1..size).map(|at| (at, at - 1, "runtime"));
        let funnel: Vec<_> =
            (0..half).filter(|_| size > half).map(|at| (at, size - 1, "buildtime")).chain(runs).collect();
        for edges in every("runtime").into_iter().chain(every("buildtime")).chain([funnel]) {
            let packages: Vec<_> = (0..size).map(package).collect();
            let edges = edges.iter().filter(|(from, to, _)| from != to);
            let edges: Vec<_> = edges.map(|(from, to, kind)| format!(r#"[{from},{to},["{kind}"]]"#)).collect();
            let (packages, edges) = (packages.join(","), edges.join(","));
            let mark = "SWARM-PROBE-ANSWER";
            let body = format!("{mark}\n{{\"resolved\":true,\"packages\":[{packages}],\"edges\":[{edges}]}}\n{mark}\n");
            if let Ok(resolution) = probe::read_resolution(body.as_bytes(), b"") {
                resolution.into_plan("d".parse().unwrap()).needs();
            }
        }
    };
    check("plan", &read, &[("", "x")]);
    let read = |text: &str| drop(probe::read_resolution(text.as_bytes(), text.as_bytes()));
    let mark = "SWARM-PROBE-ANSWER\n";
    let texts = [
        (mark, mark),
        ("SWARM-PROBE-ANSWER\n{\"packages\":", "["),
        ("", "Calculating dependencies\n"),
        ("", "\u{1b}["),
    ];
    check("probe", &read, &texts);
}
