//! What the tests of this folder share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::tree;
use crate::core::names::{BuildId, Timestamp};
use crate::core::package::Cpv;
use crate::portage::index::{Index, Limits, PackagePath, Stanza};

#[path = "../../tests/support/mounts.rs"]
mod mounts;

pub(super) use mounts::in_private_mounts;

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

/// Writes the index of a release over the one that is there.
pub(crate) fn write_index(index: &Index, root: &Path, timestamp: Timestamp) {
    for name in tree::INDEX {
        let _none = std::fs::remove_file(root.join(name));
    }
    tree::write_index(root, index, timestamp, b"").unwrap();
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
