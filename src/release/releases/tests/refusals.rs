//! What is refused, and what stops a release.

use super::*;

#[test]
fn a_release_that_is_not_later_is_refused() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let contents = compose(&site.releases.base().unwrap(), &[], &header(), |_| false).unwrap();
    for name in [ReleaseName::new(Epoch(1), 1), ReleaseName::new(Epoch(0), 99)] {
        let error = site.releases.publish(&contents, &name, origin(), NOW).unwrap_err();
        assert!(matches!(error, ReleaseError::NotLater { .. }), "{error}");
    }
    std::fs::remove_file(production(root.path())).unwrap();
    let error = site.releases.publish(&contents, &ReleaseName::new(Epoch(0), 1), origin(), NOW).unwrap_err();
    assert!(matches!(error, ReleaseError::NotLater { .. }), "{error}");
    assert_eq!(site.releases.next_name(Epoch(2)).unwrap(), ReleaseName::new(Epoch(2), 2));
}

#[test]
fn one_that_must_not_be_any_more_once_it_is_made_leaves_the_one_before_as_it_was() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let live = std::fs::read_link(production(root.path())).unwrap();
    let contents = compose(&site.releases.base().unwrap(), &[], &header(), |_| false).unwrap();
    let next = site.releases.next_name(Epoch(1)).unwrap();
    let error = site.releases.publish_while(&contents, &next, origin(), NOW, || false).unwrap_err();
    assert!(error.to_string().contains("was made and not swapped"), "{error}");
    assert_eq!(std::fs::read_link(production(root.path())).unwrap(), live);
    assert_eq!(site.releases.list().unwrap().len(), 1);
    site.releases.publish_while(&contents, &next, origin(), NOW, || true).unwrap();
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
fn a_full_disk_stops_the_release_and_leaves_the_one_before() {
    in_private_mounts(
        "release::releases::tests::refusals::a_full_disk_stops_the_release_and_leaves_the_one_before",
        "mkdir served; mount -t tmpfs -o size=64k served served",
        |root| {
            let releases = Releases::open(&root.join("served/production"), Some(&root.join("binpkgs"))).unwrap();
            let publish = |cpv: &str, id: u32, content: &str| {
                let incoming = [staged(root, cpv, id, content)];
                let contents = compose(&releases.base()?, &incoming, &header(), |_| false)?;
                releases.publish(&contents, &releases.next_name(Epoch(1))?, origin(), NOW)
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
