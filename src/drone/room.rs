//! Clean rooms: a job's own root, an overlay of its drone's in a private mount namespace.
//!
//! `room.sh` makes one and runs a command in it. A job has it as the file `enter` in its directory; each of its steps
//! enters anew, and with the step the namespace and its mounts end, whoever is killed. What the steps write to the room
//! lies in the job's directory and goes with it. Whether a drone can do that is found out by doing it: neither a
//! version nor an error number tells it.

use super::job::JobDirectory;
use super::{MARK, ask, job_script};
use crate::ssh::{Host, HostError, Script};

/// Makes a room and runs a command in it.
const ROOM: &str = include_str!("room.sh");

/// The job's file `enter`.
pub(super) fn enter(directory: &JobDirectory) -> String {
    Script::new(ROOM).set("workdir", &directory.workdir).set("directory", &directory.path()).text()
}

/// A script of the job's that is run in its room, where it has one.
pub(super) fn inside(own: &str) -> String {
    // A room in memory has ended with whoever merged the needs; standard output is the script's.
    let again = "if [ -e enter ] && [ -e prepared ]; then /bin/sh ./merge </dev/null >&2 || exit 71; fi";
    let script = job_script(&format!("{again}\n{own}"));
    format!(
        "export mark workdir jobs job\n\
         set --\n\
         [ ! -e \"$jobs/$job/enter\" ] || set -- unshare --mount --pid --fork --kill-child --propagation private \
         /bin/sh \"$jobs/$job/enter\"\n\
         exec \"$@\" /bin/sh -s <<'SWARM-INSIDE'\n{script}\nSWARM-INSIDE\n"
    )
}

/// Tries whether jobs can have rooms; the inner error says why not.
///
/// # Errors
/// When the drone is lost.
pub async fn attempt(host: &dyn Host, workdir: &str) -> Result<Result<(), String>, HostError> {
    let script = Script::new(include_str!("try.sh")).set("mark", MARK).set("workdir", workdir).set("enter", ROOM);
    ask(host, &script, "trying a clean room", read).await
}

fn read(lines: &[Vec<String>]) -> Option<Result<(), String>> {
    lines.iter().find_map(|line| match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["room", "yes"] => Some(Ok(())),
        ["room", "no", why @ ..] => Some(Err(why.join(" "))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_found_among_a_shells_noise() {
        let lines = |text: &str| crate::ssh::ask::marked(text.as_bytes());
        assert_eq!(read(&lines("Welcome!SWARM: room yes\n")), Some(Ok(())));
        let why = "mount: overlay: permission denied";
        assert_eq!(read(&lines(&format!("hi\nSWARM: room no {why}\n"))), Some(Err(why.to_owned())));
        assert_eq!(read(&lines("room yes\n")), None);
    }
}
