//! What the tests of this folder share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::core::names::BuildId;
use crate::core::package::Cpv;
use crate::portage::index::{Index, Limits, PackagePath, Stanza};

/// A directory on a disk (where the test binary lies), gone when dropped.
pub(super) fn directory() -> tempfile::TempDir {
    let binary = std::env::current_exe().unwrap();
    tempfile::tempdir_in(binary.parent().unwrap()).unwrap()
}

/// Writes a file and the directories above it.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// All files below a directory by relative path, in order; symlinks show where they lead, directories end in `/`.
pub(super) fn tree(root: &Path) -> Vec<String> {
    fn walk(root: &Path, below: &Path, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                into.push(format!("{}/", path.display()));
                walk(root, &path, into);
            } else if kind.is_symlink() {
                into.push(format!("{} -> {}", path.display(), std::fs::read_link(entry.path()).unwrap().display()));
            } else {
                into.push(path.display().to_string());
            }
        }
    }
    let mut into = Vec::new();
    walk(root, &PathBuf::new(), &mut into);
    into.sort();
    into
}

/// Set in the test process that [`in_private_mounts`] starts.
const PRIVATE: &str = "SWARM_TEST_PRIVATE_MOUNTS";

/// Runs the test of this name again in a mount namespace of its own after the shell commands there; what it does
/// there is `test`. Says so and does nothing where this machine permits no mounts.
pub(super) fn in_private_mounts(name: &str, mounts: &str, test: impl FnOnce(&Path)) {
    if let Some(root) = std::env::var_os(PRIVATE) {
        return test(Path::new(&root));
    }
    let root = directory();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "--propagation", "private", "sh", "-ec", script, "sh"]);
        command.arg(root.path()).arg(std::env::current_exe().unwrap()).arg(name).env(PRIVATE, root.path());
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

/// The entry of a package as an index has it; `values` go on top of, or replace, plain ones.
pub(super) fn stanza(cpv: &str, build_id: u32, values: &[(&str, &str)]) -> Stanza {
    let cpv: Cpv = cpv.parse().unwrap();
    let path = PackagePath::new(cpv.clone(), Some(BuildId(build_id)));
    let mut all = BTreeMap::from([
        ("BUILD_ID", build_id.to_string()),
        ("CHOST", "x86_64-pc-linux-gnu".to_owned()),
        ("CPV", cpv.to_string()),
        ("PATH", path.to_string()),
        ("SIZE", "7".to_owned()),
        ("MD5", "0123".to_owned()),
        ("SHA1", "4567".to_owned()),
    ]);
    all.extend(values.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let block: String = all.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    let index = Index::parse(format!("VERSION: 0\n\n{block}\n").as_bytes(), Limits::default()).unwrap();
    assert!(index.rejected.is_empty(), "{:?}", index.rejected);
    index.stanzas.into_iter().next().unwrap()
}
