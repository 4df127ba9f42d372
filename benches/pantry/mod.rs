//! Real small packages on the disk, made from the numbers of an imagined large swarm.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use swarm::core::names::{BuildId, Timestamp};
use swarm::core::plan::Plan;
use swarm::portage::gpkg;
use swarm::portage::index::{PackagePath, Stanza};

use super::compare::timed;
use super::fleet;
use super::package::{Package, ebuild_digest};

/// So many bytes stand for the image of a package.
const IMAGE: usize = 20_000;

/// A directory on the disk, and what packages there are.
pub struct Pantry {
    directory: tempfile::TempDir,
    /// All that there are.
    pub plan: Plan,
    /// So many of them, the first ones, are there from the beginning; the others come one by one.
    pub packages: usize,
}

impl Pantry {
    /// Makes so many packages in the directory `files`, and knows of so many others.
    pub fn new(packages: usize, others: usize) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the disk");
        let mut plan = fleet::plan(1, packages + others);
        plan.packages.iter_mut().for_each(|package| package.identity.ebuild_digest = ebuild_digest());
        let pantry = Self { directory, plan, packages };
        let (time, bytes) = timed(|| (0..packages).map(|number| pantry.put(number, "files")).sum::<usize>());
        println!("{packages} packages, {} MiB, made in {:.1} s", bytes >> 20, time.as_secs_f64());
        pantry
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The package with this number.
    pub fn package(&self, number: usize) -> Package {
        let build_time = 1_790_000_000 + number as u64;
        let mut package = Package::of(&self.plan.packages[number].identity, BuildId(1), build_time);
        package.image = (0..IMAGE).map(|byte| (byte * byte / 7 + number) as u8).collect();
        package
    }

    /// A plan of the first packages.
    pub fn first(&self, count: usize) -> Plan {
        let Plan { packages, edges, .. } = &self.plan;
        let packages = packages.iter().take(count).cloned().collect();
        let edges = edges.iter().filter(|edge| edge.from.index().max(edge.to.index()) < count).cloned().collect();
        Plan { packages, edges, ..fleet::plan(1, 0) }
    }

    /// A plan of this package alone.
    pub fn only(&self, number: usize) -> Plan {
        Plan { packages: vec![self.plan.packages[number].clone()], edges: Vec::new(), ..fleet::plan(1, 0) }
    }

    /// What an index says of all of them.
    pub fn header(&self) -> BTreeMap<String, String> {
        self.plan.index_header.clone()
    }

    /// Puts a package below a directory; the size of its file.
    pub fn put(&self, number: usize, below: &str) -> usize {
        let package = self.package(number);
        let file = self.path(below).join(package.path.to_string());
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("the directory is made");
        let bytes = package.bytes();
        std::fs::write(file, &bytes).expect("the file is written");
        bytes.len()
    }

    /// Takes it away from there.
    pub fn take(&self, number: usize, below: &str) {
        let file = self.path(below).join(self.package(number).path.to_string());
        std::fs::remove_file(file).expect("the file goes");
    }
}

/// The entry of a package in an index, from its file, which is verified as one that was received.
pub fn entry(root: &Path, path: &PackagePath) -> Stanza {
    let file = root.join(path.to_string());
    let mtime = std::fs::metadata(&file).expect("the file is there").mtime();
    let package = gpkg::read(&file).expect("a package");
    Stanza::derive(&package, path, Timestamp(mtime)).expect("an entry")
}
