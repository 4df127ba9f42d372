//! Releases on a disk, read as a client reads them: while they are made, swapped, and after an interruption.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::SystemTime;

use super::super::compose::{Incoming, compose};
use super::super::imprint;
use super::super::record::FileRecord;
use super::super::testing::{directory, in_private_mounts, stanza, tree, write};
use super::*;
use crate::portage::gpkg;

mod adoption;
mod back;
mod interruption;
mod refusals;

const NOW: Timestamp = Timestamp(1_700_000_000);

/// A production directory, and a staging directory beside it.
struct Site<'a> {
    root: &'a Path,
    releases: Releases,
}

impl<'a> Site<'a> {
    fn open(root: &'a Path) -> Self {
        Self { root, releases: Releases::open(&production(root), Some(&root.join("binpkgs"))).unwrap() }
    }

    /// Stages packages and publishes them on top of what is live.
    fn publish(&self, packages: &[(&str, u32, &str)]) -> Result<Published, ReleaseError> {
        let incoming: Vec<_> = packages.iter().map(|(cpv, id, content)| staged(self.root, cpv, *id, content)).collect();
        self.publish_incoming(&incoming)
    }

    fn publish_incoming(&self, incoming: &[Incoming]) -> Result<Published, ReleaseError> {
        let contents = compose(&self.releases.base()?, incoming, &header(), |_| false)?;
        self.releases.publish(&contents, &self.releases.next_name(Epoch(1))?, origin(), NOW)
    }

    fn roll_back(&self, to: u64) -> Result<Published, ReleaseError> {
        let to = ReleaseName::new(Epoch(1), to);
        let (contents, _) = self.releases.restored(&to)?;
        self.releases.publish(&contents, &self.releases.next_name(Epoch(1))?, Origin::Rollback(to), NOW)
    }
}

fn origin() -> Origin {
    Origin::Build("build1".parse().unwrap())
}

fn production(root: &Path) -> PathBuf {
    root.join("production")
}

fn header() -> BTreeMap<String, String> {
    BTreeMap::from([("CHOST".to_owned(), "x86_64-pc-linux-gnu".to_owned())])
}

fn staged(root: &Path, cpv: &str, build_id: u32, content: &str) -> Incoming {
    let path = stanza(cpv, build_id, &[]).path().clone();
    let file = root.join("staging").join(path.to_string());
    write(&file, content);
    let (md5, sha1) = gpkg::hashes(&file).unwrap();
    let values = [("SIZE", content.len().to_string()), ("MD5", md5), ("SHA1", sha1)];
    let values: Vec<_> = values.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let known = Some(imprint::of(&std::fs::metadata(&file).unwrap()));
    Incoming { stanza: stanza(cpv, build_id, &values), file, known, received: None, signed: false }
}

/// Reads production as a client does, by its path: each entry of the index has its file, and it is the right one. The
/// number of entries.
fn read_as_client(production: &Path) -> usize {
    let index = std::fs::read_to_string(production.join("Packages")).unwrap();
    let entries = entries(&index);
    for entry in &entries {
        let found = std::fs::read(production.join(&entry.path));
        entry.check(&found.unwrap_or_else(|error| panic!("{} is in the index: {error}", entry.path)));
    }
    entries.len()
}

/// What a client knows of a package.
struct Listed {
    path: String,
    size: usize,
    sha1: String,
}

impl Listed {
    fn check(&self, content: &[u8]) {
        use sha1::Digest;
        assert_eq!(content.len(), self.size, "{}", self.path);
        // Those of a binhost that was taken over are made up.
        if self.sha1.len() == 40 {
            assert_eq!(gpkg::hexadecimal(&sha1::Sha1::digest(content)), self.sha1, "{}", self.path);
        }
    }
}

fn entries(index: &str) -> Vec<Listed> {
    let entries = index.split("\n\n").filter(|block| block.contains("PATH: "));
    entries
        .map(|entry| {
            let value =
                |key: &str| entry.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
            Listed { path: value("PATH: "), size: value("SIZE: ").parse().unwrap(), sha1: value("SHA1: ") }
        })
        .collect()
}

fn modified(path: &Path) -> u64 {
    let time = std::fs::metadata(path).unwrap().modified().unwrap();
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn the_first_release_makes_production_a_symlink_to_it() {
    let root = directory();
    let site = Site::open(root.path());
    assert_eq!(site.releases.current().unwrap(), None);
    assert!(!production(root.path()).exists());
    let published = site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    assert_eq!((published.linked, published.copied, published.timestamp), (1, 0, NOW));
    assert_eq!(site.releases.current().unwrap(), Some(published.release));
    assert_eq!(site.releases.live().unwrap(), Some(ReleaseName::new(Epoch(1), 1)));
    let shown: Vec<_> = tree(root.path()).into_iter().filter(|path| path.starts_with("production")).collect();
    assert_eq!(
        shown,
        [
            "production -> production.releases/000001-000001",
            "production.releases/",
            "production.releases/000001-000001.json",
            "production.releases/000001-000001/",
            "production.releases/000001-000001/Packages",
            "production.releases/000001-000001/Packages.gz",
            "production.releases/000001-000001/app-misc/",
            "production.releases/000001-000001/app-misc/foo/",
            "production.releases/000001-000001/app-misc/foo/foo-1.0-1.gpkg.tar",
        ]
    );
}

#[test]
fn the_index_and_its_packed_form_are_one_text_and_as_old_as_its_timestamp() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let production = production(root.path());
    let text = std::fs::read_to_string(production.join("Packages")).unwrap();
    let mut unpacked = String::new();
    let packed = std::fs::File::open(production.join("Packages.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);
    assert!(
        text.contains("TIMESTAMP: 1700000000\n") && text.contains("VERSION: 0\n") && text.contains("PACKAGES: 1\n")
    );
    for name in tree::INDEX {
        assert_eq!(modified(&production.join(name)), 1_700_000_000);
    }
}

#[test]
fn a_release_keeps_what_was_there_and_drops_what_is_superseded() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one"), ("app-misc/bar-1.0", 2, "bar")]).unwrap();
    let first = site.releases.current().unwrap().unwrap();
    site.publish(&[("app-misc/foo-1.1", 3, "foo two")]).unwrap();
    let live = production(root.path());
    assert_eq!(read_as_client(&live), 2);
    assert!(live.join("app-misc/foo/foo-1.1-3.gpkg.tar").exists());
    // Who has read the index before is still on the way to it.
    assert!(live.join("app-misc/foo/foo-1.0-1.gpkg.tar").exists());
    // The one before is as it was.
    assert_eq!(read_as_client(&first.root), 2);
    assert!(first.root.join("app-misc/foo/foo-1.0-1.gpkg.tar").exists());
    let inode = |root: &Path| std::fs::metadata(root.join("app-misc/bar/bar-1.0-2.gpkg.tar")).unwrap().ino();
    assert_eq!(inode(&first.root), inode(&live));
    assert_eq!(site.releases.list().unwrap().len(), 2);
    site.publish(&[("app-misc/new-1.0", 4, "new")]).unwrap();
    assert!(!live.join("app-misc/foo/foo-1.0-1.gpkg.tar").exists(), "it lingers for one release");
    assert_eq!(read_as_client(&live), 3);
}

#[test]
fn a_file_that_is_not_the_accepted_one_is_hashed_and_counts_by_what_it_holds() {
    let root = directory();
    let site = Site::open(root.path());
    let replace = |path: &Path, content: &str| {
        std::fs::remove_file(path).unwrap();
        write(path, content);
    };
    // Restored from elsewhere it is the same package; another one of the same size is not.
    let incoming = staged(root.path(), "app-misc/foo-1.0", 1, "foo one");
    replace(&incoming.file, "foo one");
    site.publish_incoming(&[incoming]).unwrap();
    let incoming = staged(root.path(), "app-misc/bar-1.0", 2, "bar");
    replace(&incoming.file, "BAR");
    let error = site.publish_incoming(&[incoming]).unwrap_err();
    assert!(matches!(error, ReleaseError::Changed { .. }), "{error}");
    assert!(error.to_string().contains("MD5"), "{error}");

    let live = production(root.path()).join("app-misc/foo/foo-1.0-1.gpkg.tar");
    replace(&live, "foo one");
    assert_eq!(site.releases.base().unwrap().left_out, Vec::<String>::new());
    replace(&live, "foo two");
    assert_eq!(site.releases.base().unwrap().index.stanzas.len(), 0);
    site.publish(&[("app-misc/new-1.0", 3, "new")]).unwrap();
    assert_eq!(read_as_client(&production(root.path())), 1);
}

#[test]
fn what_was_signed_for_a_release_is_found_by_what_it_was_before() {
    let root = directory();
    let site = Site::open(root.path());
    let mut incoming = staged(root.path(), "app-misc/foo-1.0", 1, "foo, signed");
    incoming.received = Some("as received".to_owned());
    let path = incoming.stanza.path().clone();
    site.publish_incoming(&[incoming.clone()]).unwrap();
    // In the release after that it is known, too, and in one that was left.
    site.publish(&[("app-misc/bar-1.0", 2, "bar")]).unwrap();
    let known = |received: &str| site.releases.known(&BTreeMap::from([(&path, received)])).unwrap();
    let signed = known("as received").signed.remove(&path).unwrap();
    assert_eq!(signed.stanza, incoming.stanza);
    assert!(signed.file.starts_with(site.releases.current().unwrap().unwrap().root));
    let Known { signed: another, as_received } = known("another");
    assert!(another.is_empty() && as_received.is_empty());
    let Known { signed: another, as_received } = known(incoming.stanza.sha1().unwrap());
    assert!(another.is_empty() && as_received.contains(&path), "it is what the release has");
    let record = site.releases.current().unwrap().unwrap().record().unwrap().unwrap();
    let FileRecord { sha1, imprint, received, signed: _ } = &record.files[&path];
    assert_eq!((sha1.as_str(), received.as_deref()), (incoming.stanza.sha1().unwrap(), Some("as received")));
    assert_eq!(Some(*imprint), signed.known);
}

#[test]
fn a_look_changes_nothing_and_sees_a_directory_that_is_not_adopted_yet() {
    let root = directory();
    write(&production(root.path()).join("Packages"), "VERSION: 0\n\nCPV: a/b-1\nPATH: a/b-1.gpkg.tar\nSIZE: 7\n");
    write(&production(root.path()).join("a/b-1.gpkg.tar"), "package");
    let before = tree(root.path());
    let shelf = Shelf::look(&production(root.path())).unwrap();
    assert_eq!(shelf.base().unwrap().index.stanzas.len(), 1);
    assert_eq!((shelf.live().unwrap(), shelf.list().unwrap()), (None, Vec::new()));
    assert_eq!(tree(root.path()), before);
    let nothing = Shelf::look(&root.path().join("nothing/there")).unwrap();
    assert!(nothing.base().unwrap().root.is_none() && nothing.list().unwrap().is_empty());
}

#[test]
fn what_is_no_package_is_carried_from_release_to_release() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let first = site.releases.current().unwrap().unwrap();
    for name in
        ["binhost.asc", "pages/index.html", ".Packages.portage_lockfile", "Packages.bak", "x/foo-1.gpkg.tar.part"]
    {
        write(&first.root.join(name), "kept");
    }
    site.publish(&[("app-misc/bar-1.0", 2, "bar")]).unwrap();
    let live = production(root.path());
    assert_eq!(std::fs::read_to_string(live.join("binhost.asc")).unwrap(), "kept");
    assert_eq!(std::fs::read_to_string(live.join("pages/index.html")).unwrap(), "kept");
    assert!(!live.join(".Packages.portage_lockfile").exists() && !live.join("Packages.bak").exists());
    assert!(!live.join("x").exists());
}

#[test]
fn entries_of_the_base_that_clients_cannot_have_are_left_out_and_named() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one"), ("app-misc/bar-1.0", 2, "bar")]).unwrap();
    std::fs::remove_file(production(root.path()).join("app-misc/foo/foo-1.0-1.gpkg.tar")).unwrap();
    let base = site.releases.base().unwrap();
    assert_eq!(base.index.stanzas.len(), 1);
    assert_eq!(base.left_out, ["app-misc/foo-1.0: its file is not there (app-misc/foo/foo-1.0-1.gpkg.tar)"]);
    site.publish(&[("app-misc/new-1.0", 3, "new")]).unwrap();
    assert_eq!(read_as_client(&production(root.path())), 2);
}

#[test]
fn the_largest_build_id_of_all_kept_releases_counts() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 11, "foo one"), ("app-misc/foo-1.0-r1", 30, "x")]).unwrap();
    site.publish(&[("app-misc/foo-1.0-r1", 31, "y")]).unwrap();
    let largest = |cpv: &str| site.releases.largest_build_id(&cpv.parse().unwrap()).unwrap();
    assert_eq!(largest("app-misc/foo-1.0"), Some(BuildId(11)));
    assert_eq!(largest("app-misc/foo-1.0-r1"), Some(BuildId(31)));
    assert_eq!(largest("app-misc/bar-1.0"), None);
}

#[test]
fn packages_on_another_file_system_are_copied_with_their_time_and_counted() {
    in_private_mounts(
        "release::releases::tests::packages_on_another_file_system_are_copied_with_their_time_and_counted",
        "mkdir staging; mount -t tmpfs staging staging",
        |root| {
            let site = Site::open(root);
            let incoming = staged(root, "app-misc/foo-1.0", 1, "foo one");
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
            std::fs::File::options().write(true).open(&incoming.file).unwrap().set_modified(time).unwrap();
            let published = site.publish_incoming(&[incoming]).unwrap();
            assert_eq!((published.linked, published.copied), (0, 1));
            assert_eq!(read_as_client(&production(root)), 1);
            assert_eq!(modified(&production(root).join("app-misc/foo/foo-1.0-1.gpkg.tar")), 1_600_000_000);
            let error = {
                let link = staged(root, "app-misc/bar-1.0", 2, "bar");
                std::fs::remove_file(&link.file).unwrap();
                symlink("/etc/passwd", &link.file).unwrap();
                site.publish_incoming(&[link]).unwrap_err()
            };
            assert!(matches!(error, ReleaseError::Missing { .. }), "{error}");
        },
    );
}
