//! The staging directory: what is admitted, what never leads out of it, and what a full disk leaves.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::testing::{directory, in_private_mounts, tree, write};
use super::*;

const PATH: &str = "app-misc/foo/foo-1.0-1.gpkg.tar";

fn job() -> JobName {
    "b1-1".parse().unwrap()
}

fn path(text: &str) -> PackagePath {
    text.parse().unwrap()
}

/// A staging directory with a verified download of this content.
fn with_download(root: &Path, content: &str) -> (Staging, PathBuf) {
    let staging = Staging::open(&root.join("staging")).unwrap();
    let file = staging.incoming(&job()).unwrap().join("download");
    write(&file, content);
    (staging, file)
}

#[test]
fn an_admitted_package_is_at_its_place_and_nowhere_else() {
    let root = directory();
    let (staging, file) = with_download(root.path(), "package");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(staging.admit(&file, &path(PATH)).unwrap(), Admitted::New);
    let admitted = staging.file(&path(PATH));
    assert_eq!(std::fs::read_to_string(&admitted).unwrap(), "package");
    assert_eq!(std::fs::metadata(&admitted).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(staging.list().unwrap(), [Staged { path: path(PATH), size: 7 }]);
    assert_eq!(staging.size(&path(PATH)).unwrap(), Some(7));
    assert!(!file.exists());
}

#[test]
fn the_same_package_may_be_admitted_again_and_another_one_may_not() {
    let root = directory();
    let (staging, file) = with_download(root.path(), "package");
    staging.admit(&file, &path(PATH)).unwrap();
    write(&file, "package");
    assert_eq!(staging.admit(&file, &path(PATH)).unwrap(), Admitted::AlreadyThere);
    assert!(!file.exists());
    write(&file, "pockage");
    let error = staging.admit(&file, &path(PATH)).unwrap_err();
    assert!(matches!(error, StagingError::Occupied { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(staging.file(&path(PATH))).unwrap(), "package");
    assert!(file.exists());
}

#[test]
fn where_a_rename_cannot_refuse_to_replace_a_link_does() {
    let root = directory();
    let (staging, file) = with_download(root.path(), "package");
    let incoming = staging.incoming.child("b1-1").unwrap();
    link_and_unlink(&incoming, "download", &staging.root, "new").unwrap();
    assert!(!file.exists());
    write(&file, "other");
    assert_eq!(link_and_unlink(&incoming, "download", &staging.root, "new"), Err(Errno::EXIST));
    assert_eq!(std::fs::read_to_string(root.path().join("staging/new")).unwrap(), "package");
}

#[test]
fn only_the_path_of_a_build_is_admitted() {
    let root = directory();
    let (staging, file) = with_download(root.path(), "package");
    let error = staging.admit(&file, &path("app-misc/foo-1.0.gpkg.tar")).unwrap_err();
    assert!(matches!(error, StagingError::NoPlace { .. }), "{error}");
}

#[test]
fn only_a_regular_file_of_a_job_is_admitted() {
    let root = directory();
    let (staging, file) = with_download(root.path(), "package");
    write(&root.path().join("secret"), "secret");
    let incoming = file.parent().unwrap();
    symlink(root.path().join("secret"), incoming.join("link")).unwrap();
    std::fs::create_dir(incoming.join("directory")).unwrap();
    symlink(root.path(), incoming.parent().unwrap().join("elsewhere")).unwrap();
    for file in [
        root.path().join("secret"),
        incoming.join("../../../secret"),
        incoming.parent().unwrap().join("elsewhere/secret"),
        incoming.join("link"),
        incoming.join("directory"),
        incoming.join("absent"),
        incoming.to_owned(),
    ] {
        assert!(staging.admit(&file, &path(PATH)).is_err(), "{}", file.display());
    }
    assert!(staging.list().unwrap().is_empty());
    assert!(root.path().join("secret").exists());
}

#[test]
fn a_symlink_in_staging_leads_nowhere() {
    for link in ["app-misc", "app-misc/foo"] {
        let root = directory();
        let (staging, file) = with_download(root.path(), "package");
        let outside = root.path().join("outside");
        std::fs::create_dir_all(outside.join("foo")).unwrap();
        let link = root.path().join("staging").join(link);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&outside, &link).unwrap();
        let message = staging.admit(&file, &path(PATH)).unwrap_err().to_string();
        assert!(message.contains("symlink"), "{message}");
        assert_eq!(tree(&outside), ["foo/"]);
        write(&outside.join("foo/foo-1.0-1.gpkg.tar"), "x");
        write(&outside.join("foo-1.0-1.gpkg.tar"), "x");
        assert!(staging.remove(&path(PATH)).is_err());
        assert!(staging.list().unwrap().is_empty());
        assert_eq!(tree(&outside).len(), 3);
    }
}

#[test]
fn a_removed_package_leaves_no_empty_directories() {
    let root = directory();
    let (staging, file) = with_download(root.path(), "one");
    staging.admit(&file, &path(PATH)).unwrap();
    write(&file, "two");
    staging.admit(&file, &path("app-misc/bar/bar-2-1.gpkg.tar")).unwrap();
    staging.discard(&job()).unwrap();
    assert!(staging.remove(&path(PATH)).unwrap());
    assert!(!staging.remove(&path(PATH)).unwrap());
    assert_eq!(tree(staging.root()), [".incoming/", "app-misc/", "app-misc/bar/", "app-misc/bar/bar-2-1.gpkg.tar"]);
}

#[test]
fn build_ids_are_compared_as_numbers_and_for_one_package_alone() {
    let root = directory();
    let staging = Staging::open(root.path()).unwrap();
    for name in ["foo-1.0-9", "foo-1.0-10", "foo-1.0-r1-50", "foo-1.0.1-70", "foo-1.0-010", "foo-1.0-x"] {
        write(&root.path().join(format!("app-misc/foo/{name}.gpkg.tar")), "x");
    }
    write(&root.path().join("app-misc/foo-1.0-80.gpkg.tar"), "x");
    let largest = |cpv: &str| staging.largest_build_id(&cpv.parse().unwrap()).unwrap();
    assert_eq!(largest("app-misc/foo-1.0"), Some(BuildId(10)));
    assert_eq!(largest("app-misc/foo-1.0-r1"), Some(BuildId(50)));
    assert_eq!(largest("app-misc/foo-2"), None);
    assert_eq!(largest("app-misc/bar-2"), None);
    assert_eq!(largest("dev-libs/foo-1.0"), None);
}

#[test]
fn downloads_are_known_by_their_job_and_can_be_discarded() {
    let root = directory();
    let (staging, _) = with_download(root.path(), "package");
    assert_eq!(staging.incoming_jobs().unwrap(), [job()]);
    staging.discard(&job()).unwrap();
    staging.discard(&job()).unwrap();
    assert!(staging.incoming_jobs().unwrap().is_empty());
}

#[test]
fn a_full_disk_is_told_with_its_cure() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let message = StagingError::io("write", "/x", io::Error::from(kind)).to_string();
        assert!(message.contains("staging is full") && message.contains("swarm push"), "{message}");
    }
}

#[test]
fn a_disk_that_is_full_when_the_package_gets_its_place_is_told_and_loses_nothing() {
    in_private_mounts(
        "release::staging::tests::a_disk_that_is_full_when_the_package_gets_its_place_is_told_and_loses_nothing",
        // The inodes are used up by the root and the directories `.incoming` and `.incoming/b1-1` and the download.
        "mkdir staging; mount -t tmpfs -o nr_inodes=5 staging staging",
        |root| {
            let (staging, file) = with_download(root, "package");
            let error = staging.admit(&file, &path(PATH)).unwrap_err();
            assert!(matches!(error, StagingError::Full { .. }), "{error}");
            assert!(file.exists());
        },
    );
}

#[test]
fn whether_there_is_room_is_told_and_leaves_nothing_behind() {
    in_private_mounts(
        "release::staging::tests::whether_there_is_room_is_told_and_leaves_nothing_behind",
        "mkdir staging; mount -t tmpfs -o size=2m staging staging",
        |root| {
            let (staging, file) = with_download(root, "package");
            staging.require_room(&job()).unwrap();
            write(&file, "x".repeat(3 << 19));
            let error = staging.require_room(&job()).unwrap_err();
            assert!(matches!(error, StagingError::Full { .. }), "{error}");
            assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        },
    );
}
