//! `swarm simulate` as an operator meets it: the real binary, its table and its JSON, and its words about mistakes.

use place::{said, simulate};

/// Where an operator calls the real binary.
mod place {
    use std::process::{Command, Output};

    pub fn simulate(arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_swarm")).arg("simulate").args(arguments).output().unwrap()
    }

    pub fn said(output: &Output) -> String {
        String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
    }
}

#[test]
fn a_graph_that_was_made_is_played_alike_from_its_file_and_at_once() {
    let fleet = ["--fleet", "16,8:32GiB", "--json"];
    let made = simulate(&["--generate", "150", "--seed", "7"]);
    assert_eq!(said(&made).lines().count(), 150);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &made.stdout).unwrap();
    let path = file.path().to_str().unwrap();
    let from_file = simulate(&[&["--graph", path], &fleet[..]].concat());
    let at_once = simulate(&[&["--generate", "150", "--seed", "7"], &fleet[..]].concat());
    assert_eq!(said(&from_file), said(&at_once));
    let json: serde_json::Value = serde_json::from_slice(&from_file.stdout).unwrap();
    assert_eq!(json["packages"], 150);
    let number = |key: &str| json[key].as_f64().unwrap();
    assert!((number("makespan_s") / number("lower_bound_s") - number("ratio")).abs() < 1e-9, "{json}");
    assert!(number("ratio") >= 1.0 && (0.0..=1.0).contains(&number("utilisation")), "{json}");
}

#[test]
fn ours_stands_below_the_simple_ways_and_takes_less() {
    let output = simulate(&["--generate", "400", "--fleet", "16,8,4", "--compare"]);
    let told = said(&output);
    let ratio = |way: &str| -> f64 {
        let line = told.lines().find(|line| line.starts_with(way)).unwrap_or_else(|| panic!("{way}: {told}"));
        let number = line.trim_start_matches(way).split_whitespace().nth(2).unwrap();
        number.parse().unwrap_or_else(|_| panic!("{line}"))
    };
    let ours = ratio("ours");
    assert!(ours >= 1.0 && ours < ratio("one build a drone, in merge order"), "{told}");
    assert!(ours < ratio("one build a drone, by critical path"), "{told}");
}

#[test]
fn noise_is_the_same_for_the_same_seed_and_another_for_another() {
    let of = |seed: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), simulate(&["--generate", "100"]).stdout).unwrap();
        let path = file.path().to_str().unwrap();
        said(&simulate(&["--graph", path, "--fleet", "8,4", "--noise", "0.3", "--seed", seed, "--json"]))
    };
    assert_eq!(of("1"), of("1"));
    assert_ne!(of("1"), of("2"));
}

#[test]
fn mistakes_are_told_with_what_is_wanted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"name\":\"a\",\"serial_s\":1,\"cpu_s\":1,\"deps\":[\"b\"]}\n").unwrap();
    let path = file.path().to_str().unwrap();
    for (arguments, words) in [
        (&["--graph", path, "--fleet", "8"][..], "line 1: \"a\" needs \"b\", which is not in the graph"),
        (&["--graph", "/nowhere.jsonl", "--fleet", "8"], "the graph cannot be read"),
        (&["--graph", path], "--fleet"),
        (&["--generate", "10", "--fleet", "eight"], "\"eight\" is no drone: wanted are its cores"),
        (&["--generate", "10", "--fleet", "8", "--noise", "many"], "wanted is a number from 0 to 3"),
        (&["--generate", "0", "--fleet", "8"], "0 is not in 1..=1000000"),
        (&["--generate", "10", "--compare"], "--fleet"),
        (&[], "--generate"),
    ] {
        let output = simulate(arguments);
        assert!(!output.status.success() && said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
}
