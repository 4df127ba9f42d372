//! The two files of an index, as a release has them.

use std::io::Write;
use std::path::Path;

use swarm::controller::now;
use swarm::portage::index::Index;

/// Brings both to the disk; `before` is the packed one whose pieces are taken again.
pub fn write(index: &Index, root: &Path, before: &[u8]) {
    let write = |name: &str, content: &[u8]| {
        let mut file = std::fs::File::create(root.join(name)).expect("its file is made");
        file.write_all(content).expect("it is written");
        file.sync_all().expect("it comes to the disk");
    };
    let files = index.to_files(now());
    std::thread::scope(|scope| {
        scope.spawn(|| write("Packages", files.text.as_bytes()));
        write("Packages.gz", &files.packed(before).expect("it is packed"));
    });
}
