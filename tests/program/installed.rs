//! What `tests/lab/setup` installs into virtual environments of Python.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of the environment that this variable of tests/lab/lib/common.sh names; none, and that is said, where it is
/// not installed.
pub fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lib/common.sh");
    let script = format!(". {} && printf %s \"${variable}\"", common.display());
    let place = Command::new("bash").args(["-c", &script]).output().unwrap().stdout;
    let program = Path::new(&String::from_utf8(place).unwrap()).join("bin").join(name);
    if !program.exists() {
        eprintln!("skipped: there is no {}; `tests/run` as root installs it", program.display());
        return None;
    }
    Some(program)
}
