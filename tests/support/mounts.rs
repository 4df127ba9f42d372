//! Tests in a mount namespace of their own.

use std::path::Path;
use std::process::Command;

/// Set in the test process that [`in_private_mounts`] starts.
const PRIVATE: &str = "SWARM_TEST_PRIVATE_MOUNTS";

/// Runs the test of this name again in a mount namespace of its own after the shell commands there; what it does
/// there is `test`. Says so and does nothing where this machine permits no mounts.
pub fn in_private_mounts(name: &str, mounts: &str, test: impl FnOnce(&Path)) {
    if let Some(root) = std::env::var_os(PRIVATE) {
        return test(Path::new(&root));
    }
    // Beside the test's program is a disk, which the place for temporary files need not be.
    let program = std::env::current_exe().unwrap();
    let root = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "--propagation", "private", "sh", "-ec", script, "sh"]);
        command.arg(root.path()).arg(&program).arg(name).env(PRIVATE, root.path());
        command
    };
    let possible = unshare("mkdir \"$1/probe\" && mount -t tmpfs probe \"$1/probe\"").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine permits no mounts in a namespace of one's own");
        return;
    }
    let output =
        unshare(&format!("cd \"$1\"; {mounts}\ncd /; exec \"$2\" --exact \"$3\" --nocapture")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
