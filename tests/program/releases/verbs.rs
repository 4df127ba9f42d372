//! The verbs around releases.

use swarm::controller::socket::{Asked, Socket};
use swarm::controller::verb;
use swarm::core::plan::EdgeKind;
use tokio::sync::{broadcast, mpsc};

use super::farm::{Farm, wanted};

#[test]
fn a_dry_run_shows_what_would_come_go_and_change_and_changes_nothing() {
    let farm = Farm::new("");
    farm.swarm(&["finalize", "--dry-run"]).gives(1, &["nothing waits for its release"]);
    assert!(!farm.path("production.releases").exists() && !farm.path("state").exists());
    farm.release(&[wanted("app-lab/foo-1.0", 1), wanted("app-lab/bar-1.0", 1)]);
    farm.build(&[wanted("app-lab/foo-1.1", 1).flags(&["amd64", "nls"]), wanted("app-lab/new-2.0", 1)]);
    let before = farm.swarm(&["releases", "--json"]).json();
    farm.swarm(&["finalize", "--dry-run"]).gives(
        0,
        &[
            "+ app-lab/new/new-2.0-1.gpkg.tar\n~ app-lab/foo/foo-1.1-1.gpkg.tar for app-lab/foo-1.0\n",
            "a release would have 3 packages, 1 new, 0 gone, 1 changed; nothing was changed",
        ],
    );
    assert_eq!(farm.swarm(&["releases", "--json"]).json(), before);
    farm.swarm(&["finalize"]).gives(0, &["release 000001-000002 is live: 3 packages, 1 new, 0 gone, 1 changed"]);
    farm.swarm(&["finalize"]).gives(1, &["nothing waits for its release"]);
}

#[test]
fn a_part_of_a_build_goes_live_with_all_that_it_needs_to_run_and_the_rest_follows() {
    let farm = Farm::new("");
    farm.release(&[wanted("app-lab/old-1.0", 1)]);
    let build = [
        wanted("app-lab/failed-1.0", 1).missing(),
        wanted("app-lab/tool-1.0", 1).needs(0, EdgeKind::Buildtime),
        wanted("app-lab/user-1.0", 1).needs(0, EdgeKind::Runtime),
        wanted("app-lab/top-1.0", 1).needs(2, EdgeKind::RuntimePost),
    ];
    farm.build(&build);
    farm.swarm(&["finalize"]).gives(1, &["is not complete: 0 failed, 1 not built", "swarm finalize --partial"]);
    let kept_back = [
        "kept back: app-lab/user-1.0 needs to run app-lab/failed-1.0, which is not built yet\n",
        "kept back: app-lab/top-1.0 needs to run app-lab/user-1.0, which is kept back itself\n",
    ];
    farm.swarm(&["finalize", "--partial", "--dry-run"]).gives(0, &kept_back).gives(0, &["2 packages, 1 new"]);
    farm.swarm(&["finalize", "--partial"]).gives(0, &kept_back).gives(0, &["is live: 2 packages, 1 new, 0 gone"]);
    assert_eq!(farm.listed(), ["app-lab/old/old-1.0-1.gpkg.tar", "app-lab/tool/tool-1.0-1.gpkg.tar"]);
    // The build stays open, its packages stay in staging for what is still to be built with them.
    let status = farm.swarm(&["status", "--json"]).json();
    assert_eq!(status["release"], "000001-000002");
    assert_eq!(status["received"].as_array().unwrap().len(), 3);
    assert!(farm.path("staging/app-lab/tool/tool-1.0-1.gpkg.tar").exists());
    farm.swarm(&["finalize", "--partial"]).gives(1, &["nothing of build build2 can go live that is not"]);

    let mut build = build.to_vec();
    build[0] = wanted("app-lab/failed-1.0", 1);
    farm.release(&build);
    assert_eq!(farm.listed().len(), 5);
    assert!(!farm.path("staging/app-lab").exists());
    let shown = farm.swarm(&["releases", "--json"]).json();
    let from: Vec<_> =
        shown.as_array().unwrap().iter().map(|each| (each["build"].as_str(), each["partial"] == true)).collect();
    assert_eq!(from, [(Some("build1"), false), (Some("build2"), true), (Some("build3"), false)]);
}

#[test]
fn releases_are_listed_compared_rolled_back_pruned_and_verified() {
    let farm = Farm::new("keep = 2");
    farm.swarm(&["releases"]).gives(0, &["there is no release yet"]);
    farm.swarm(&["rollback"]).gives(1, &["nothing is live"]);
    farm.swarm(&["verify"]).gives(1, &["nothing is live"]);
    farm.release(&[wanted("app-lab/foo-1.0", 1), wanted("app-lab/bar-1.0", 1)]);
    farm.swarm(&["rollback"]).gives(1, &["no release before 000001-000001 is kept that was not left before"]);
    farm.release(&[wanted("app-lab/foo-1.1", 1).flags(&["amd64", "nls"]).size(20_000)]);
    farm.release(&[wanted("app-lab/baz-3", 4), wanted("app-lab/bar-1.0", 2).flags(&["amd64", "nls"])]);

    let diff = farm.swarm(&["diff", "000001-000001", "000001-000003", "--json"]).json();
    assert_eq!(diff["added"][0]["path"], "app-lab/baz/baz-3-4.gpkg.tar");
    assert_eq!(diff["changed"][1]["from"]["cpv"], "app-lab/foo-1.0");
    assert_eq!(diff["changed"][1]["to"]["cpv"], "app-lab/foo-1.1");
    assert!(diff["changed"][1]["to"]["size"].as_u64() > diff["changed"][1]["from"]["size"].as_u64());
    farm.swarm(&["diff", "000001-000001", "000001-000003"]).gives(0, &["+  app-lab/baz-3", "1 new, 0 gone, 2 changed"]);
    farm.swarm(&["diff", "000001-000001", "000009-000001"]).gives(1, &["release 000009-000001 is not there"]);

    // Back, and further back, and not to what was left.
    let timestamp = || {
        let index = std::fs::read_to_string(farm.live("Packages")).unwrap();
        let line = index.lines().find_map(|line| line.strip_prefix("TIMESTAMP: ")).map(str::to_owned);
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = timestamp();
    farm.swarm(&["rollback", "--dry-run"])
        .gives(0, &["a new release would be live: it has the 2 packages of 000001-000002", "nothing was changed"]);
    assert_eq!(timestamp(), before);
    farm.swarm(&["rollback"]).gives(0, &["release 000001-000004 is live: it has the 2 packages of 000001-000002"]);
    assert!(timestamp() > before);
    farm.swarm(&["rollback"]).gives(0, &["release 000001-000005 is live", "000001-000001", "000001-000004 is left"]);
    farm.swarm(&["rollback"]).gives(1, &["that was not left before"]);
    farm.swarm(&["rollback", "000001-000001"]).gives(1, &["is live already, as 000001-000005"]);
    let shown = farm.swarm(&["releases"]);
    let line = |id: &str| shown.stdout.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(
        line("000001-000003").contains("build build3") && line("000001-000003").ends_with("left"),
        "{}",
        shown.stdout
    );
    assert!(line("000001-000005").contains("roll-back to 000001-000001"), "{}", shown.stdout);
    assert!(line("000001-000005").ends_with("live"), "{}", shown.stdout);
    assert_eq!(farm.swarm(&["status", "--json"]).json()["release"], "000001-000005");

    let would =
        ["release 000001-000003 would go\n2 releases would be kept", "events of the journal: ", "build logs: 0 (0 B)"];
    farm.swarm(&["prune", "--dry-run"]).gives(0, &would);
    farm.swarm(&["prune"]).gives(0, &["release 000001-000003 is removed\n2 releases are kept; `keep` is 2"]);
    farm.swarm(&["rollback", "000001-000003"]).gives(1, &["release 000001-000003 is not there", "swarm releases"]);

    farm.swarm(&["verify"]).gives(0, &["release 000001-000005: 2 packages", "every file is what the index says"]);
    let verified = farm.swarm(&["verify", "--json", "000001-000004"]).json();
    assert_eq!((&verified["packages"], &verified["bad"]), (&2.into(), &serde_json::json!({})));
    let damage = |name: &str, act: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let bytes = std::fs::read(farm.live(name)).unwrap();
        std::fs::remove_file(farm.live(name)).unwrap();
        std::fs::write(farm.live(name), act(bytes)).unwrap();
    };
    let flip = |mut bytes: Vec<u8>| {
        bytes[600] ^= 1;
        bytes
    };
    damage("app-lab/foo/foo-1.0-1.gpkg.tar", &flip);
    damage("app-lab/bar/bar-1.0-1.gpkg.tar", &|bytes| bytes[1..].to_vec());
    damage("Packages.gz", &|bytes| bytes[..20].to_vec());
    farm.swarm(&["verify"]).gives(
        1,
        &[
            "Packages.gz",
            "app-lab/bar/bar-1.0-1.gpkg.tar",
            "bytes, the index says",
            "app-lab/foo/foo-1.0-1.gpkg.tar",
            "its file has the MD5",
            "3 bad",
        ],
    );
    farm.swarm(&["verify", "000001-000004"]).gives(0, &["every file"]);
    // The next release is without what is bad.
    farm.build(&[wanted("app-lab/new-1.0", 1)]);
    farm.swarm(&["finalize"]).gives(0, &["left out of the old production: app-lab/foo-1.0: its file has the MD5"]);
    farm.swarm(&["verify"]).gives(0, &["1 packages"]);
}

#[test]
fn what_is_superseded_outlives_a_prune_for_one_release_and_is_then_gone() {
    let farm = Farm::new("keep = 1");
    let old = "app-lab/foo/foo-1.0-1.gpkg.tar";
    farm.release(&[wanted("app-lab/foo-1.0", 1)]);
    farm.release(&[wanted("app-lab/foo-1.1", 1).flags(&["amd64", "nls"])]);
    farm.swarm(&["prune"]).gives(0, &["2 releases are kept; `keep` is 1"]);
    assert_eq!(farm.listed(), ["app-lab/foo/foo-1.1-1.gpkg.tar"]);
    assert!(farm.live(old).exists(), "a client may have read the index before");
    farm.release(&[wanted("app-lab/bar-1.0", 1)]);
    farm.swarm(&["prune"]).gives(0, &["release 000001-000001 is removed"]);
    assert!(!farm.live(old).exists(), "who is two indices behind reads it anew");
    farm.swarm(&["verify"]).gives(0, &["2 packages"]);
}

#[test]
fn an_area_that_cannot_be_tidied_up_is_named_with_status_1_and_the_others_are() {
    let farm = Farm::new("keep = 1");
    farm.release(&[wanted("app-lab/foo-1.0", 1)]);
    std::fs::write(farm.path("state/logs"), "no directory").unwrap();
    let words =
        ["not tidied up: cannot keep the build logs to their limits", "staged packages: ", "1 releases are kept"];
    farm.swarm(&["prune"]).gives(1, &words);
    std::fs::remove_file(farm.path("state/logs")).unwrap();
    farm.swarm(&["prune"]).gives(0, &["build logs: 0 (0 B)"]);
}

#[test]
fn who_does_not_read_what_is_said_stops_nothing() {
    let farm = Farm::new("");
    let unread = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = farm.command(arguments);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        drop(reader);
        command.status().unwrap().code()
    };
    farm.build(&[wanted("app-lab/foo-1.0", 1)]);
    assert_eq!(unread(&["finalize", "--dry-run"]), Some(0));
    assert_eq!(unread(&["finalize"]), Some(0));
    assert_eq!(farm.listed().len(), 1);
    for arguments in
        [&["releases"][..], &["diff", "000001-000001", "000001-000001"], &["verify"], &["prune"], &["status"]]
    {
        assert_eq!(unread(arguments), Some(0), "{arguments:?}");
    }
}

#[tokio::test]
async fn with_a_controller_at_work_it_is_told_and_does_it() {
    let farm = Farm::new("");
    let mut session = farm.session().await;
    farm.open_build(&mut session, &[wanted("app-lab/foo-1.0", 1), wanted("app-lab/bar-1.0", 1).missing()]);
    let (asked, mut asks) = mpsc::channel(1);
    let socket = Socket::open(session.directory(), asked, broadcast::Sender::new(1)).unwrap();
    let works = async {
        while let Some(Asked::Verb(wish, answer)) = asks.recv().await {
            let done = verb::carry_out(&mut session, &wish).await;
            let done = done.map_err(|error| error.to_string());
            answer.send(done).unwrap();
        }
        session
    };
    let asks = async {
        for (arguments, status, words) in [
            (&["finalize"][..], 1, "is not complete"),
            (&["finalize", "--partial"], 0, "release 000001-000001 is live"),
            (&["rollback"], 1, "no release before"),
            (&["prune"], 0, "1 releases are kept"),
        ] {
            let output = tokio::process::Command::from(farm.command(arguments)).output().await.unwrap();
            let said = [output.stdout, output.stderr].concat();
            assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&said));
            assert!(String::from_utf8_lossy(&said).contains(words), "{}", String::from_utf8_lossy(&said));
        }
        drop(socket);
    };
    let (session, ()) = tokio::join!(works, asks);
    assert_eq!(session.state().release.as_ref().unwrap().as_str(), "000001-000001");
}
