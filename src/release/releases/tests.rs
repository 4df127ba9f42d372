use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::time::SystemTime;

use super::super::compose::{Incoming, compose};
use super::super::testing::{directory, in_private_mounts, stanza, tree, write};
use super::*;

mod adoption;
mod interruption;

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
        self.releases.publish(&contents, &self.releases.next_name(Epoch(1))?, NOW)
    }
}

fn production(root: &Path) -> PathBuf {
    root.join("production")
}

fn header() -> BTreeMap<String, String> {
    BTreeMap::from([("CHOST".to_owned(), "x86_64-pc-linux-gnu".to_owned())])
}

fn staged(root: &Path, cpv: &str, build_id: u32, content: &str) -> Incoming {
    let stanza = stanza(cpv, build_id, &[("SIZE", &content.len().to_string()), ("SHA1", content)]);
    let file = root.join("staging").join(stanza.path().to_string());
    write(&file, content);
    Incoming { stanza, file }
}

/// Reads production as a client does, by its path: each entry of the index has its file. The number of entries.
fn read_as_client(production: &Path) -> usize {
    let index = std::fs::read_to_string(production.join("Packages")).unwrap();
    let entries = index.split("\n\n").filter(|block| block.contains("PATH: "));
    entries
        .map(|entry| {
            let value = |key: &str| entry.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            let (path, size) = (value("PATH: "), value("SIZE: "));
            let file = std::fs::metadata(production.join(path));
            let found = file.unwrap_or_else(|error| panic!("{path} is in the index: {error}")).len();
            assert_eq!(found.to_string(), size, "{path}");
        })
        .count()
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
    assert_eq!(live(&production(root.path())).unwrap(), Some(ReleaseName::new(Epoch(1), 1)));
    let shown: Vec<_> = tree(root.path()).into_iter().filter(|path| path.starts_with("production")).collect();
    assert_eq!(
        shown,
        [
            "production -> production.releases/000001-000001",
            "production.releases/",
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
    flate2::read::GzDecoder::new(packed).read_to_string(&mut unpacked).unwrap();
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
    assert!(!live.join("app-misc/foo/foo-1.0-1.gpkg.tar").exists());
    // The one before is as it was.
    assert_eq!(read_as_client(&first.root), 2);
    assert!(first.root.join("app-misc/foo/foo-1.0-1.gpkg.tar").exists());
    let inode = |root: &Path| std::fs::metadata(root.join("app-misc/bar/bar-1.0-2.gpkg.tar")).unwrap().ino();
    assert_eq!(inode(&first.root), inode(&live));
    assert_eq!(site.releases.list().unwrap().len(), 2);
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
fn timestamps_rise_though_the_clock_goes_back_or_an_adopted_index_is_from_the_future() {
    let root = directory();
    let site = Site::open(root.path());
    let mut last = site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap().timestamp;
    for id in 2..5 {
        let next = site.publish(&[("app-misc/foo-1.0", id, "foo next")]).unwrap().timestamp;
        assert_eq!(next.0, last.0 + 1);
        last = next;
    }
    let first = site.releases.list().unwrap().remove(0);
    write(&first.root.join("Packages"), "PACKAGES: 0\nTIMESTAMP: 4000000000\n\nTIMESTAMP: 5000000000\n");
    assert_eq!(site.releases.next_timestamp(NOW).unwrap(), Timestamp(4_000_000_001));
    assert_eq!(site.releases.next_timestamp(Timestamp(6_000_000_000)).unwrap(), Timestamp(6_000_000_000));
}

#[test]
fn a_release_that_is_not_later_is_refused() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let contents = compose(&site.releases.base().unwrap(), &[], &header(), |_| false).unwrap();
    for name in [ReleaseName::new(Epoch(1), 1), ReleaseName::new(Epoch(0), 99)] {
        let error = site.releases.publish(&contents, &name, NOW).unwrap_err();
        assert!(matches!(error, ReleaseError::NotLater { .. }), "{error}");
    }
    std::fs::remove_file(production(root.path())).unwrap();
    let error = site.releases.publish(&contents, &ReleaseName::new(Epoch(0), 1), NOW).unwrap_err();
    assert!(matches!(error, ReleaseError::NotLater { .. }), "{error}");
    assert_eq!(site.releases.next_name(Epoch(2)).unwrap(), ReleaseName::new(Epoch(2), 2));
}

#[test]
fn an_entry_without_its_file_stops_the_release_and_the_one_before_stays() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let before = tree(&root.path().join("production.releases"));
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("absent", |file| std::fs::remove_file(file).unwrap()),
        ("cut", |file| std::fs::write(file, "ba").unwrap()),
        ("a symlink", |file| {
            std::fs::remove_file(file).unwrap();
            symlink("/etc/passwd", file).unwrap();
        }),
        ("a directory", |file| {
            std::fs::remove_file(file).unwrap();
            std::fs::create_dir(file).unwrap();
        }),
    ];
    for (damage, make) in damages {
        let incoming = staged(root.path(), "app-misc/bar-1.0", 2, "bar");
        make(&incoming.file);
        let message = site.publish_incoming(&[incoming]).expect_err(damage).to_string();
        assert!(message.contains("bar-1.0-2.gpkg.tar"), "{damage}: {message}");
        assert_eq!(tree(&root.path().join("production.releases")), before, "{damage}");
        assert_eq!(read_as_client(&production(root.path())), 1, "{damage}");
        let _ = std::fs::remove_dir_all(root.path().join("staging"));
    }
}

#[test]
fn entries_of_the_base_that_clients_cannot_have_are_left_out_and_named() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one"), ("app-misc/bar-1.0", 2, "bar")]).unwrap();
    std::fs::remove_file(production(root.path()).join("app-misc/foo/foo-1.0-1.gpkg.tar")).unwrap();
    let base = site.releases.base().unwrap();
    assert_eq!(base.index.stanzas.len(), 1);
    assert_eq!(base.left_out, ["app-misc/foo-1.0: its file app-misc/foo/foo-1.0-1.gpkg.tar is not there"]);
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
fn production_and_the_pkgdir_of_this_host_must_not_overlap() {
    let root = directory();
    let at = |path: &str| root.path().join(path);
    std::fs::create_dir_all(at("cache/binpkgs")).unwrap();
    symlink("cache", at("link")).unwrap();
    symlink("cache/binpkgs", at("production-link")).unwrap();
    for (production, pkgdir) in [
        ("cache/binpkgs", "cache/binpkgs"),
        ("link/binpkgs", "cache/binpkgs"),
        ("cache/binpkgs", "link/binpkgs"),
        ("cache/binpkgs/production", "cache/binpkgs"),
        ("cache", "cache/binpkgs"),
        ("production-link", "cache/binpkgs"),
        ("new", "new/binpkgs"),
        ("new/below", "new"),
        ("new", "new.releases/000001-000001"),
    ] {
        let error = Releases::open(&at(production), Some(&at(pkgdir))).unwrap_err();
        assert!(matches!(error, ReleaseError::Pkgdir { .. }), "{production} {pkgdir}: {error}");
        assert!(error.to_string().contains("name another directory as `production`"));
    }
    let error = Releases::open(Path::new("/var/cache/binpkgs"), None).unwrap_err();
    assert!(matches!(error, ReleaseError::Pkgdir { .. }), "{error}");
    assert!(Releases::open(&at("cache/binpkgs.production"), Some(&at("cache/binpkgs"))).is_ok());
    assert!(!at("new").exists() && !at("new.releases").exists());
}

#[test]
fn staging_must_not_be_where_clients_see_it() {
    let root = directory();
    let site = Site::open(root.path());
    let staging = |path: &str| Staging::open(&root.path().join(path)).unwrap();
    for path in ["production.releases", "production.releases/x", "."] {
        let error = site.releases.refuse_staging(&staging(path)).unwrap_err();
        assert!(matches!(error, ReleaseError::Staging { .. }), "{path}: {error}");
    }
    site.releases.refuse_staging(&staging("staging")).unwrap();
}

#[test]
fn a_production_that_is_something_else_is_refused() {
    let root = directory();
    let at = |path: &str| root.path().join(path);
    write(&at("file"), "x");
    std::fs::create_dir(at("elsewhere")).unwrap();
    symlink("elsewhere", at("foreign")).unwrap();
    symlink("dangling.releases/000001-000001", at("dangling")).unwrap();
    symlink("odd.releases/../elsewhere", at("odd")).unwrap();
    for (production, message) in [
        ("file", "is a file"),
        ("foreign", "a symlink to elsewhere"),
        ("dangling", "which is not there"),
        ("odd", "a symlink to"),
    ] {
        let error = Releases::open(&at(production), Some(&at("binpkgs"))).unwrap_err().to_string();
        assert!(error.contains(message), "{production}: {error}");
    }
    for production in ["/", "..", "/tmp/.."] {
        let error = Releases::open(Path::new(production), Some(&at("binpkgs"))).unwrap_err();
        assert!(matches!(error, ReleaseError::NoPlace { .. }), "{production}: {error}");
    }
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

#[test]
fn a_full_disk_stops_the_release_and_leaves_the_one_before() {
    in_private_mounts(
        "release::releases::tests::a_full_disk_stops_the_release_and_leaves_the_one_before",
        "mkdir served; mount -t tmpfs -o size=64k served served",
        |root| {
            let releases = Releases::open(&root.join("served/production"), Some(&root.join("binpkgs"))).unwrap();
            let publish = |cpv: &str, id: u32, content: &str| {
                let incoming = [staged(root, cpv, id, content)];
                let contents = compose(&releases.base()?, &incoming, &header(), |_| false)?;
                releases.publish(&contents, &releases.next_name(Epoch(1))?, NOW)
            };
            publish("app-misc/foo-1.0", 1, "foo one").unwrap();
            let before = tree(&root.join("served"));
            let error = publish("app-misc/big-1.0", 2, &"x".repeat(100_000)).unwrap_err();
            assert!(matches!(error, ReleaseError::Full { .. }), "{error}");
            assert!(error.to_string().contains("swarm finalize"));
            assert_eq!(tree(&root.join("served")), before);
            publish("app-misc/small-1.0", 2, "small").unwrap();
        },
    );
}
