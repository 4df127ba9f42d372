//! How a step tells that it changed something: a line in the file that the variable [`VARIABLE`] names.
//!
//! Verbs of `swarm` write it themselves; a command on the controller may as well. Without the variable nobody asks.

use std::io::Write;
use std::path::Path;

/// The variable that names the file.
pub const VARIABLE: &str = "SWARM_OUTCOME";

/// Tells that something was changed, in a line.
///
/// # Errors
/// The file that was asked for cannot be written.
pub fn changed(what: &str) -> std::io::Result<()> {
    let Some(file) = std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) else { return Ok(()) };
    let mut file = fs_err::OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{}\n", what.replace('\n', " ")).as_bytes())
}

/// Whether something was told to this file; it is gone afterwards.
///
/// # Errors
/// It cannot be read or removed.
pub fn take(file: &Path) -> std::io::Result<bool> {
    match fs_err::read(file) {
        Ok(text) => {
            fs_err::remove_file(file)?;
            Ok(!text.trim_ascii().is_empty())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
