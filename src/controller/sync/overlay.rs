//! A drone's overlay: a directory beside the inventory that is laid over the driver's `/etc/portage` there.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::local;
use crate::controller::error::ControlError;
use crate::drone::configuration::compose::OwnFile;

/// No overlay has so many files, or so large ones: it is a few settings.
const FILES_LIMIT: usize = 10_000;
const SIZE_LIMIT: u64 = 16 << 20;

/// Its files, by their path below it; links are followed, and what Portage takes for a backup is left out.
pub(super) fn read(directory: Option<PathBuf>) -> Result<BTreeMap<String, OwnFile>, ControlError> {
    let mut files = BTreeMap::new();
    if let Some(directory) = directory {
        let what = format!("read the overlay {}", directory.display());
        add(&directory, "", &mut files).map_err(|source| local(&what, source))?;
    }
    Ok(files)
}

fn add(directory: &Path, above: &str, files: &mut BTreeMap<String, OwnFile>) -> std::io::Result<()> {
    for entry in fs_err::read_dir(directory)? {
        let place = entry?.path();
        let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.is_empty() || name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = format!("{above}{name}");
        let metadata = fs_err::metadata(&place)?;
        if metadata.is_dir() {
            add(&place, &format!("{path}/"), files)?;
        } else if metadata.len() > SIZE_LIMIT || files.len() >= FILES_LIMIT {
            return Err(std::io::Error::other(format!("{} is more than settings are", place.display())));
        } else {
            let mode = metadata.permissions().mode() & 0o777;
            files.insert(path, OwnFile { mode, content: fs_err::read(&place)? });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_is_read_as_portage_would_read_it() {
        let directory = tempfile::tempdir().unwrap();
        for (path, content) in [("make.conf", "a"), ("env/x/y", "b"), ("env/.x.swp", "c"), ("package.use~", "d")] {
            let place = directory.path().join(path);
            fs_err::create_dir_all(place.parent().unwrap()).unwrap();
            fs_err::write(place, content).unwrap();
        }
        let files = read(Some(directory.path().to_owned())).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["env/x/y", "make.conf"]);
        assert_eq!(files["env/x/y"].content, b"b");
        assert_eq!(read(None).unwrap(), BTreeMap::new());
        assert!(read(Some(directory.path().join("none"))).is_err());
    }
}
