//! What builds took, learned from a real log of emerge's: the real binary in an operator's directory.

use std::path::Path;

use place::{place, said, swarm};

/// Where an operator calls the real binary.
mod place {
    use std::path::Path;
    use std::process::{Command, Output};

    pub fn swarm(directory: &Path, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_swarm")).current_dir(directory).args(arguments).output().unwrap()
    }

    pub fn said(output: &Output) -> String {
        let said = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }

    /// A directory with an inventory of nobody.
    pub fn place() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        std::fs::create_dir(root.join("inventory")).unwrap();
        let directory = |name: &str| root.join(name).display().to_string();
        let settings = format!(
            "[swarm]\ndriver = \"local\"\nstate = {:?}\nstaging = {:?}\nproduction = {:?}\n",
            directory("state"),
            directory("staging"),
            directory("production")
        );
        std::fs::write(root.join("inventory/fleet.toml"), settings).unwrap();
        place
    }
}

#[test]
fn a_log_is_learned_once_and_its_builds_tell_how_good_estimates_are() {
    let place = place();
    let log = place.path().join("emerge.log");
    let build = |begin: i64, lasts: i64| {
        let steps = [
            (begin, "  >>> emerge (1 of 1) app-lab/thing-1.0 to /"),
            (begin + lasts, "  ::: completed emerge (1 of 1) app-lab/thing-1.0 to /"),
        ];
        steps.map(|(at, what)| format!("{at}: {what}\n")).concat()
    };
    std::fs::write(&log, [build(1_700_000_000, 100), build(1_700_010_000, 200)].concat()).unwrap();
    let path = log.to_str().unwrap();
    for _ in 0..2 {
        said(&swarm(place.path(), &["history", "import", path]));
    }
    assert_eq!(said(&swarm(place.path(), &["history", "--json", "thing"])).lines().count(), 2);
    let told = said(&swarm(place.path(), &["history", "accuracy"]));
    assert!(told.contains("1 estimates, off by a factor of 2.00 at the median"), "{told}");
}

#[test]
fn a_real_log_of_a_year_is_estimated_within_half_as_much_again_at_the_median() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/emerge-2018.log.gz");
    if !log.is_file() {
        eprintln!("{} is not there: nothing is tested", log.display());
        return;
    }
    let place = place();
    said(&swarm(place.path(), &["history", "import", log.to_str().unwrap()]));
    let told = said(&swarm(place.path(), &["history", "accuracy"]));
    let mut words = told.split_whitespace();
    let count: u32 = words.next().unwrap().parse().unwrap();
    let median: f64 = words.nth(6).unwrap().parse().unwrap_or_else(|_| panic!("{told}"));
    println!("{}", told.lines().next().unwrap());
    assert!(count > 100 && median < 1.5, "{told}");
}
