//! Files of the repository that follow from the code: `SWARM_BLESS=1` writes them, and else they have to be what the
//! code says.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What it holds.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Holds a whole file against what the code says.
pub fn hold(name: &str, says: &str) {
    if std::env::var_os("SWARM_BLESS").is_some() {
        std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        std::fs::write(path(name), says).unwrap();
    }
    let kept = std::fs::read_to_string(path(name)).unwrap_or_default();
    if kept != says {
        let line = kept.lines().zip(says.lines()).position(|(kept, says)| kept != says);
        let line = line.unwrap_or(kept.lines().count().min(says.lines().count()));
        panic!(
            "{name} is not what the code says, from line {} on:\n  kept: {:?}\n  code: {:?}\n`SWARM_BLESS=1` writes it anew",
            line + 1,
            kept.lines().nth(line),
            says.lines().nth(line)
        );
    }
}

/// The same of the part of a file between `<!-- PART -->` and `<!-- end of PART -->`.
pub fn hold_part(name: &str, part: &str, says: &str) {
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- end of {part} -->"));
    let text = read(name);
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{name} has no part {part}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{name}: part {part} does not end"));
    hold(name, &format!("{before}{begin}{says}{end}{after}"));
}
