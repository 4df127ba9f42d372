//! The two files of an index, as a release has them.

use std::io::Write;
use std::path::Path;

use swarm::controller::now;
use swarm::portage::index::Index;

/// Brings both to the disk; `before` is the packed one whose pieces are taken again.
pub fn write(index: &Index, root: &Path, before: &[u8]) {
    let (text, packed) = index.to_files(now(), before).expect("it is packed");
    for (name, content) in [("Packages", text), ("Packages.gz", packed)] {
        let mut file = std::fs::File::create(root.join(name)).expect("its file is made");
        file.write_all(&content).expect("it is written");
        file.sync_all().expect("it comes to the disk");
    }
}
