//! The way back, and the end of what is kept.

use super::*;

#[test]
fn a_roll_back_is_a_new_release_of_old_content_with_a_later_timestamp() {
    let root = directory();
    let site = Site::open(root.path());
    let live = production(root.path());
    site.publish(&[("app-misc/foo-1.0", 1, "foo one"), ("app-misc/bar-1.0", 2, "bar")]).unwrap();
    write(&live.join("binhost.asc"), "key");
    let second = site.publish(&[("app-misc/foo-1.1", 3, "foo two"), ("app-misc/new-1.0", 4, "new")]).unwrap();
    let rolled = site.roll_back(1).unwrap();
    assert_eq!(rolled.release.name, ReleaseName::new(Epoch(1), 3));
    assert!(rolled.timestamp > second.timestamp);
    let paths: Vec<_> =
        entries(&std::fs::read_to_string(live.join("Packages")).unwrap()).into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, ["app-misc/bar/bar-1.0-2.gpkg.tar", "app-misc/foo/foo-1.0-1.gpkg.tar"]);
    assert_eq!(read_as_client(&live), 2);
    assert_eq!(std::fs::read_to_string(live.join("binhost.asc")).unwrap(), "key");
    // What was live before lingers.
    assert!(live.join("app-misc/new/new-1.0-4.gpkg.tar").exists());
    let about = rolled.release.record().unwrap().unwrap().about;
    assert_eq!((about.content, about.before), (ReleaseName::new(Epoch(1), 1), Some(second.release.name.clone())));
    assert_eq!(about.origin, Origin::Rollback(ReleaseName::new(Epoch(1), 1)));
    assert!(site.releases.chronicle().unwrap().is_left(&second.release.name));
    // The next release builds on that, and what was left does not come back.
    site.publish(&[("app-misc/bar-1.1", 5, "bar two")]).unwrap();
    assert_eq!(read_as_client(&live), 2);
    assert!(!live.join("app-misc/new/new-1.0-4.gpkg.tar").exists());
    let error = site.roll_back(9).unwrap_err();
    assert!(matches!(error, ReleaseError::Unknown { .. }) && error.to_string().contains("swarm releases"), "{error}");
}

#[test]
fn pruning_removes_the_earliest_releases_with_their_records_and_spares_the_one_before_what_is_live() {
    let root = directory();
    let site = Site::open(root.path());
    for id in 1..=5 {
        site.publish(&[("app-misc/foo-1.0", id, &format!("foo {id}"))]).unwrap();
    }
    let name = |number| ReleaseName::new(Epoch(1), number);
    assert_eq!(site.releases.prune(3).unwrap(), [name(1), name(2)]);
    assert_eq!(site.releases.prune(3).unwrap(), []);
    assert_eq!(site.releases.prune(1).unwrap(), [name(3)]);
    let left: Vec<_> = std::fs::read_dir(root.path().join("production.releases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(read_as_client(&production(root.path())), 1);
    assert!(site.roll_back(4).is_ok());

    // One that was being removed when the process was killed is no release any more.
    std::fs::rename(
        site.releases.layout.release(&name(4)),
        root.path().join("production.releases/.gone-000001-000004"),
    )
    .unwrap();
    let site = Site::open(root.path());
    assert_eq!(site.releases.list().unwrap().len(), 2);
    let left: Vec<_> = std::fs::read_dir(root.path().join("production.releases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn a_swap_is_taken_back_to_what_was_there_before() {
    let root = directory();
    let site = Site::open(root.path());
    let first = site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    site.releases.take_back(&first).unwrap();
    assert_eq!(site.releases.live().unwrap(), None);
    assert!(production(root.path()).symlink_metadata().is_err());
    let second = site.publish(&[("app-misc/foo-1.0", 1, "foo one")]).unwrap();
    let third = site.publish(&[("app-misc/bar-1.0", 2, "bar")]).unwrap();
    site.releases.take_back(&third).unwrap();
    assert_eq!(site.releases.live().unwrap(), Some(second.release.name));
    let fourth = site.publish(&[("app-misc/bar-1.0", 2, "bar")]).unwrap();
    assert!(fourth.timestamp > third.timestamp);
    assert!(!site.releases.chronicle().unwrap().was_live(&third.release.name));
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
