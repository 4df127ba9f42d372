//! The files of a release, as another host needs to know them to have the same ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha1::Digest as _;

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its SHA1, in hexadecimal digits.
    pub sha1: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last, in seconds: clients compare that of an index.
    pub mtime: i64,
}

/// The files of a release here, by their paths; what is no package that an index lists is read for its sum.
pub(super) fn items(root: &Path, sums: &BTreeMap<String, String>) -> std::io::Result<BTreeMap<String, Item>> {
    let mut items = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        for entry in std::fs::read_dir(root.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() {
                let (path, item) = item(root, &path, sums)?;
                items.insert(path, item);
            }
        }
    }
    Ok(items)
}

fn item(root: &Path, path: &Path, sums: &BTreeMap<String, String>) -> std::io::Result<(String, Item)> {
    let text = path.to_str().filter(|text| !text.contains(char::is_whitespace)).ok_or_else(|| {
        std::io::Error::other(format!("{} has a name that cannot be published; rename it", path.display()))
    })?;
    let file = root.join(path);
    let metadata = std::fs::metadata(&file)?;
    let sha1 = match sums.get(text) {
        Some(sum) => sum.clone(),
        None => data_encoding::HEXLOWER.encode(&sha1::Sha1::digest(std::fs::read(&file)?)),
    };
    let mtime = std::os::unix::fs::MetadataExt::mtime(&metadata);
    Ok((text.to_owned(), Item { sha1, size: metadata.len(), mtime }))
}
