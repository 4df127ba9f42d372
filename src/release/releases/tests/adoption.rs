//! A directory that clients know becomes the first release.

use super::super::adopt;
use super::*;

/// Production as an operator left it, with three packages, a page, and an entry of the older layout.
fn binhost(root: &Path) {
    let mut index = "PACKAGES: 3\nTIMESTAMP: 1600000000\nVERSION: 0\n\n".to_owned();
    for (cpv, path) in [
        ("app-misc/foo-1.0", "app-misc/foo/foo-1.0-1.gpkg.tar"),
        ("app-misc/bar-2.0", "app-misc/bar/bar-2.0-7.gpkg.tar"),
        ("app-misc/old-3.0", "app-misc/old-3.0.gpkg.tar"),
    ] {
        let hashes = "MD5: 0123\nSHA1: 4567\n";
        index += &format!("CPV: {cpv}\n{hashes}PATH: {path}\nSIZE: {}\n\n", cpv.len());
        write(&production(root).join(path), cpv);
    }
    write(&production(root).join("Packages"), &index);
    write(&production(root).join("Packages.gz"), "as it was");
    write(&production(root).join("pages/index.html"), "page");
    symlink("app-misc/old-3.0.gpkg.tar", production(root).join("latest")).unwrap();
}

/// What an adopted binhost looks like; once it has been opened again, with no trace of the work.
fn assert_adopted(root: &Path, inode: u64) {
    let site = Site::open(root);
    let name = ReleaseName::new(Epoch(0), 1);
    assert_eq!(site.releases.live().unwrap(), Some(name.clone()));
    assert_eq!(read_as_client(&production(root)), 3);
    assert_eq!(std::fs::read_to_string(production(root).join("latest")).unwrap(), "app-misc/old-3.0");
    assert_eq!(std::fs::metadata(production(root)).unwrap().ino(), inode, "the directory itself is the release");
    let releases: Vec<_> = std::fs::read_dir(root.join("production.releases")).unwrap().collect();
    assert_eq!(releases.len(), 1);
    let left: Vec<_> = tree(root).into_iter().filter(|path| path.contains("swarm") || path.contains("adopt")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn inode(root: &Path) -> u64 {
    std::fs::metadata(production(root)).unwrap().ino()
}

#[test]
fn a_binhost_that_is_there_becomes_the_first_release_as_it_is() {
    let root = directory();
    binhost(root.path());
    let inode = inode(root.path());
    let site = Site::open(root.path());
    assert_eq!(site.releases.adopted().unwrap().name, ReleaseName::new(Epoch(0), 1));
    assert_adopted(root.path(), inode);
    let again = Site::open(root.path());
    assert_eq!(again.releases.adopted(), None);
    assert_adopted(root.path(), inode);
}

#[test]
fn the_next_release_builds_on_what_was_adopted() {
    let root = directory();
    binhost(root.path());
    let site = Site::open(root.path());
    let published = site.publish(&[("app-misc/foo-1.1", 2, "foo new")]).unwrap();
    assert_eq!(published.release.name, ReleaseName::new(Epoch(1), 2));
    // The adopted entries name no CHOST, so nothing of them is superseded.
    assert_eq!(read_as_client(&production(root.path())), 4);
    assert_eq!(std::fs::read_to_string(production(root.path()).join("pages/index.html")).unwrap(), "page");
}

#[test]
fn an_adoption_that_was_interrupted_anywhere_is_finished_or_begun_anew() {
    let name = ReleaseName::new(Epoch(0), 1);
    for step in 0..=5 {
        let root = directory();
        binhost(root.path());
        let inode = inode(root.path());
        let layout = Layout::new(&production(root.path())).unwrap();
        layout.make().unwrap();
        let stand_in = layout.stand_in(&name);
        let steps: [&dyn Fn() -> Result<(), ReleaseError>; 5] = [
            &|| adopt::stand_in(&layout, &name),
            &|| layout.make_next(&stand_in).map(|_| ()),
            &|| adopt::exchange(&layout, &name),
            &|| adopt::move_to_release(&layout, &name),
            &|| layout.point_to(&layout.release(&name)).map(|_| ()),
        ];
        for done in &steps[..step] {
            done().unwrap();
            assert_eq!(read_as_client(&production(root.path())), 3, "{step} steps");
        }
        let site = Site::open(root.path());
        assert_eq!(site.releases.current().unwrap().unwrap().name, name, "{step} steps");
        assert_adopted(root.path(), inode);
    }
}

#[test]
fn a_stand_in_that_was_half_made_is_made_anew() {
    let root = directory();
    binhost(root.path());
    let inode = inode(root.path());
    write(&root.path().join("production.releases/.adopt-000000-000001/app-misc/foo/half"), "x");
    Site::open(root.path());
    assert_adopted(root.path(), inode);
}

#[test]
fn what_is_written_while_it_is_adopted_is_there_afterwards() {
    let root = directory();
    binhost(root.path());
    let layout = Layout::new(&production(root.path())).unwrap();
    let name = ReleaseName::new(Epoch(0), 1);
    layout.make().unwrap();
    adopt::stand_in(&layout, &name).unwrap();
    write(&production(root.path()).join("late"), "late");
    adopt::exchange(&layout, &name).unwrap();
    adopt::resume(&layout, &name).unwrap();
    assert_eq!(std::fs::read_to_string(production(root.path()).join("late")).unwrap(), "late");
}

#[test]
fn an_empty_directory_is_adopted_and_one_that_is_no_binhost_is_not() {
    let root = directory();
    std::fs::create_dir(production(root.path())).unwrap();
    let site = Site::open(root.path());
    assert!(site.releases.base().unwrap().index.stanzas.is_empty());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    assert_eq!(read_as_client(&production(root.path())), 1);

    let home = directory();
    write(&production(home.path()).join("letters/mother.txt"), "x");
    let before = tree(&production(home.path()));
    let error = Releases::open(&production(home.path()), Some(&home.path().join("binpkgs"))).unwrap_err();
    assert!(matches!(error, ReleaseError::NoBinhost { .. }), "{error}");
    assert_eq!(tree(&production(home.path())), before);
}

#[test]
fn a_directory_in_place_of_a_removed_symlink_becomes_the_latest_release() {
    let root = directory();
    let site = Site::open(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    std::fs::remove_file(production(root.path())).unwrap();
    binhost(root.path());
    let site = Site::open(root.path());
    assert_eq!(site.releases.current().unwrap().unwrap().name, ReleaseName::new(Epoch(1), 2));
}

#[test]
fn a_mount_point_is_refused_with_its_cure_and_left_as_it_is() {
    in_private_mounts(
        "release::releases::tests::adoption::a_mount_point_is_refused_with_its_cure_and_left_as_it_is",
        "mkdir production bound source; mount -t tmpfs production production\n\
         touch source/Packages; mount --bind source bound",
        |root| {
            binhost(root);
            for name in ["production", "bound"] {
                let production = root.join(name);
                let before = tree(&production);
                let error = Releases::open(&production, Some(&root.join("binpkgs"))).unwrap_err();
                assert!(matches!(error, ReleaseError::NotExchangeable { .. }), "{error}");
                assert!(error.to_string().contains(&format!("{name}/packages")), "{error}");
                assert_eq!(tree(&production), before);
            }
            let left = tree(root);
            assert!(left.iter().all(|path| !path.contains(".adopt") && !path.contains(".swarm")), "{left:?}");
        },
    );
}
