//! Releases on a disk, as finalize leaves them: a symlink to a directory with an index and files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use swarm::core::names::{Epoch, ReleaseName, Timestamp};
use swarm::portage::index::{Index, Limits};

/// The path of the one package in each release.
pub const HELLO: &str = "app-lab/hello/hello-1.0-1.gpkg.tar";
/// The TIMESTAMP of release 0; that of release n is n minutes later.
pub const FIRST: i64 = 1_795_504_980;

/// Makes release `number` below a production, with this for its package, and makes it live.
pub fn release(production: &Path, number: u32, package: &[u8]) -> PathBuf {
    let name = ReleaseName::new(Epoch(1), number.into());
    let releases = production.with_file_name("production.releases");
    let root = releases.join(name.as_str());
    fs::create_dir_all(root.join(HELLO).parent().unwrap()).unwrap();
    fs::write(root.join(HELLO), package).unwrap();
    let stanza = format!("VERSION: 0\n\nCPV: app-lab/hello-1.0\nPATH: {HELLO}\nSIZE: {}\n\n", package.len());
    let index = Index::parse(stanza.as_bytes(), Limits::default()).unwrap();
    let timestamp = Timestamp(FIRST + 60 * i64::from(number));
    let files = index.to_files(timestamp);
    let packed = files.packed(b"").unwrap();
    for (name, content) in [("Packages", files.text.as_bytes()), ("Packages.gz", &packed)] {
        let file = root.join(name);
        fs::write(&file, content).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(timestamp.0.unsigned_abs());
        fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    }
    let next = releases.join("next");
    symlink(Path::new("production.releases").join(name.as_str()), &next).unwrap();
    fs::rename(&next, production).unwrap();
    root
}

/// A moment as HTTP writes it.
pub fn httpdate(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
