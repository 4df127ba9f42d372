//! Scripts that answer in marked lines, whatever else a login shell or a tool prints beside them.

use super::{Host, HostError, HostErrorKind, Script};

/// What stands behind this in a line is ours; anything else is some shell's noise, which may end without a line end.
pub(crate) const MARK: &str = "SWARM:";

/// The words behind our mark, a list a line.
pub(crate) fn marked(stdout: &[u8]) -> Vec<Vec<String>> {
    String::from_utf8_lossy(stdout)
        .lines()
        .filter_map(|line| line.split_once(MARK))
        .map(|(_noise, line)| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Trouble with what a script was to do, in the words that it said.
pub(crate) fn failed(host: &dyn Host, doing: &str, said: &[u8]) -> HostError {
    let said: String = String::from_utf8_lossy(said).chars().take(2000).collect();
    // A shell's programs tell a full disk in these words alone; our scripts set LC_ALL.
    let full = said.contains("No space left on device") || said.contains("Disk quota exceeded");
    let kind = if full { HostErrorKind::NoSpace } else { HostErrorKind::Failed };
    HostError::new(host.name(), kind, format!("{doing}: {}", said.trim()))
}

/// Runs a script that must end well, and gives its marked lines.
pub(crate) async fn run(host: &dyn Host, script: &Script, doing: &str) -> Result<Vec<Vec<String>>, HostError> {
    let output = host.run(script).await?;
    if output.status == 0 { Ok(marked(&output.stdout)) } else { Err(failed(host, doing, &output.stderr)) }
}

/// So often a script is run in all whose answer makes no sense.
pub(crate) const ASKED: u32 = 3;

/// Runs a script that may be repeated until its answer makes sense: what garbled it once may have passed.
pub(crate) async fn ask<T>(
    host: &dyn Host,
    script: &Script,
    doing: &str,
    read: impl Fn(&[Vec<String>]) -> Option<T>,
) -> Result<T, HostError> {
    for _ in 0..ASKED {
        if let Some(answer) = read(&run(host, script, doing).await?) {
            return Ok(answer);
        }
    }
    Err(failed(
        host,
        doing,
        format!(
            "the answer makes no sense, {ASKED} times over: are disk and shell well there? `swarm hosts check {}` looks",
            host.name()
        )
        .as_bytes(),
    ))
}
