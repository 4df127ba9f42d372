//! An orchestrator that follows another one, over a real sshd.

mod site;
mod way;

use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm::core::event::Event;
use swarm::core::names::{Epoch, HostName};
use swarm::ssh::{Pace, RemoteHost};
use swarm::standby::follow::{FollowError, follow};
use swarm::standby::peer::Peer;
use swarm::standby::progress;
use swarm::standby::serve::{Resign, Socket};
use swarm::standby::watch::Watcher;
use swarm::store::{Journal, Lock};
use tokio::task::JoinHandle;

use crate::sshd::Sshd;
use site::Site;
use way::Counted;

/// A longer wait is one without end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something holds.
async fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        // Not to wait for it, but to leave the processors to what is waited for.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

/// Follows as long as the leader is there.
fn following(standby: &Site, leader: Peer) -> JoinHandle<FollowError> {
    let ground = standby.ground();
    tokio::spawn(async move {
        match follow(ground, name("tarn"), leader).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    })
}

/// Waits until the standby has all that the leader has.
async fn even(leader: &Site, standby: &Site) {
    wait("the standby has every event", || {
        let there = Journal::open_to_read(&leader.path("state")).unwrap().unwrap().last().unwrap();
        progress::read(&leader.path("state"), &name("tarn")).is_some_and(|progress| progress.has == there)
    })
    .await;
    assert_eq!(leader.events(), standby.events());
    // What nobody wants any more goes once its release is here.
    wait("staging is the same", || leader.staged() == standby.staged()).await;
}

/// There is no controller that could be told to stand down.
fn nobody() -> Resign {
    tokio::sync::mpsc::channel(1).0
}

/// A way that counts what comes by it, and the server at its other end.
fn counted() -> (Sshd, Arc<Counted>) {
    let sshd = Sshd::start();
    let way = Counted::new(RemoteHost::new(&sshd.destination()), u64::MAX);
    (sshd, way)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_leader_receives_and_releases_is_at_the_standby_each_byte_of_it_once() {
    let (_sshd, way) = counted();
    let (leader, standby) = (Site::new(), Site::new());
    let _socket = Socket::open(leader.ground(), nobody()).unwrap();
    let mut controller = leader.controller().await;
    controller.open(4);
    let sizes = [3_000_000, 200_000, 1_000];
    for (number, size) in sizes.into_iter().enumerate() {
        controller.receive(number, size);
    }
    let peer = leader.peer("izar", 100, way.clone());
    let follows = following(&standby, peer.clone());
    even(&leader, &standby).await;
    // And on as it comes.
    controller.receive(3, 70_000);
    even(&leader, &standby).await;
    assert_eq!(way.come(), 3_271_000);
    let views = progress::views(&leader.path("state"), &[name("tarn")], swarm::controller::now()).unwrap();
    assert_eq!((views[&name("tarn")].lag.events, views[&name("tarn")].away), (0, false));
    assert_eq!(progress::read_own(&standby.path("state")).unwrap().leader, name("izar"));
    follows.abort();
    let _aborted = follows.await;

    // While it is away the build goes live: its packages are here already, and are what the release is made of here.
    let release = controller.release().await;
    controller.open(1);
    let follows = following(&standby, peer);
    wait("the release is live", || std::fs::read_link(standby.path("production")).is_ok()).await;
    even(&leader, &standby).await;
    assert_eq!(leader.served(), standby.served());
    assert!(standby.staged().is_empty());
    let index: u64 = ["Packages", "Packages.gz"]
        .iter()
        .map(|name| std::fs::metadata(standby.path("production").join(name)).unwrap().len())
        .sum();
    assert_eq!(way.come(), 3_271_000 + index, "of {release} only the index comes");
    follows.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_away_for_longer_than_events_are_kept_goes_on_from_their_sum() {
    let (_sshd, way) = counted();
    let (leader, standby) = (Site::new(), Site::new());
    let _socket = Socket::open(leader.ground(), nobody()).unwrap();
    let mut controller = leader.controller().await;
    controller.open(4);
    controller.receive(0, 5_000);
    let peer = leader.peer("izar", 100, way.clone());
    let follows = following(&standby, peer.clone());
    even(&leader, &standby).await;
    follows.abort();
    let _aborted = follows.await;

    controller.claim(2);
    controller.receive(1, 6_000);
    controller.prune_journal();
    controller.receive(2, 7_000);
    let follows = following(&standby, peer);
    wait("the standby has what happened meanwhile", || {
        let last = leader.events().last().unwrap().sequence;
        progress::read(&leader.path("state"), &name("tarn")).is_some_and(|progress| progress.has == last)
    })
    .await;
    assert_eq!(leader.staged(), standby.staged());
    let text = |site: &Site| serde_json::to_value(site.state()).unwrap();
    assert_eq!(text(&leader), text(&standby));
    // And on as it comes.
    controller.receive(3, 8_000);
    let follows_on = || leader.events().last() == standby.events().last();
    wait("it follows on", || follows_on() && leader.staged() == standby.staged()).await;
    follows.abort();
}

#[test]
fn a_standby_that_is_killed_again_and_again_goes_on_from_the_byte_that_it_had() {
    // Each life has a runtime of its own, and with that threads, connections and an end, as a process has.
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sshd = Sshd::start();
    let (leader, standby) = (Site::new(), Site::new());
    let leading = runtime();
    let (_socket, whole) = leading.block_on(async {
        let socket = Socket::open(leader.ground(), nobody()).unwrap();
        let mut controller = leader.controller().await;
        controller.open(30);
        let sizes = (0..30).map(|number| if number == 7 { 24 << 20 } else { 100_000 + number * 10_007 });
        let whole: usize = sizes.clone().sum();
        sizes.enumerate().for_each(|(number, size)| drop(controller.receive(number, size)));
        (socket, whole as u64)
    });
    let (mut come, mut kills) = (0, 0);
    loop {
        let life = runtime();
        let way = Counted::new(RemoteHost::new(&sshd.destination()), 4 << 20);
        let ended = life.block_on(async {
            let _follows = following(&standby, leader.peer("izar", 100, way.clone()));
            tokio::select! {
                () = way.enough() => false,
                () = even(&leader, &standby) => true,
            }
        });
        drop(life);
        come += way.come();
        if ended {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 3, "{kills}");
    assert_eq!(come, whole);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it waits for a quarter of a minute for whoever publishes"]
async fn a_package_that_is_released_before_it_has_come_is_told_of_once_its_release_is_here() {
    let sshd = Sshd::start();
    let (leader, standby) = (Site::new(), Site::new());
    let _socket = Socket::open(leader.ground(), nobody()).unwrap();
    let mut controller = leader.controller().await;
    controller.open(30);
    // A line on which thirty packages take longer than it takes to release them.
    let pace = Pace::new(std::num::NonZeroU64::new(2_500_000).unwrap());
    let way = Counted::new(RemoteHost::new(&sshd.destination()).at_pace(Some(Arc::new(pace))), u64::MAX);
    let follows = following(&standby, leader.peer("izar", 100, way.clone()));
    even(&leader, &standby).await;
    (0..30).for_each(|number| drop(controller.receive(number, 1_000_000)));
    // Far more events than a connection holds come behind the packages; the connection is free for others all the same.
    for number in 0..1_500 {
        let drone = name("izar");
        controller.record(&Event::DrainAsked { drone, drain: number % 2 == 0, at: swarm::controller::now() });
    }
    let peer = leader.peer("izar", 100, way.clone());
    for _ in 0..10 {
        tokio::time::timeout(Duration::from_secs(2), peer.standing()).await.unwrap().unwrap();
    }
    let all = leader.events().len() as i64;
    let release = controller.release().await;
    let released = standby.path("production.releases").join(release.as_str());
    let mut has = 0;
    wait("it has told that it has everything", || {
        has = progress::read(&leader.path("state"), &name("tarn")).map_or(0, |progress| progress.has);
        assert!(has < all || released.exists() || standby.staged().len() == 30);
        has > all
    })
    .await;
    even(&leader, &standby).await;
    assert_eq!(leader.served(), standby.served());
    follows.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_led_and_finds_a_higher_epoch_cuts_off_what_nobody_else_has() {
    let sshd = Sshd::start();
    let (leader, standby) = (Site::new(), Site::new());
    let _socket = Socket::open(leader.ground(), nobody()).unwrap();
    let mut controller = leader.controller().await;
    controller.open(3);
    controller.receive(0, 1_000);
    let way: Arc<RemoteHost> = Arc::new(RemoteHost::new(&sshd.destination()));
    let follows = following(&standby, leader.peer("izar", 100, way.clone()));
    even(&leader, &standby).await;
    follows.abort();
    let _aborted = follows.await;
    // Both go on by themselves, the standby under an epoch of its own.
    let before = standby.events().len();
    {
        let mut alone = standby.controller().await;
        alone.claim(7);
        alone.receive(1, 2_000);
    }
    let tail = standby.events().len() - before;
    controller.claim(9);
    controller.receive(1, 3_000);
    let follows = following(&standby, leader.peer("izar", 100, way));
    even(&leader, &standby).await;
    follows.abort();
    let _aborted = follows.await;
    let journal = Journal::open(&standby.path("state")).unwrap();
    assert_eq!(journal.cut_off().unwrap(), tail as u64);
    assert_ne!(
        swarm::store::name::own(&standby.path("state"), None).unwrap(),
        swarm::store::name::own(&leader.path("state"), None).unwrap(),
        "a copied journal brings no name along"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_follows_whoever_leads_and_lets_go_of_the_state_directory_when_asked_to() {
    let sshd = Sshd::start();
    let way: Arc<RemoteHost> = Arc::new(RemoteHost::new(&sshd.destination()));
    let (izar, tarn) = (Site::new(), Site::new());
    let _sockets = [&izar, &tarn].map(|site| Socket::open(site.ground(), nobody()).unwrap());
    let mut controller = izar.controller().await;
    controller.open(2);
    controller.receive(0, 1_000);
    let peers = vec![izar.peer("izar", 100, way.clone())];
    let (watcher, reins) = Watcher::new(tarn.ground(), name("tarn"), 200, peers);
    let watching = tokio::spawn(watcher.run());
    even(&izar, &tarn).await;
    assert!(Lock::take(&tarn.path("state")).is_err());
    let pause = reins.pause().await;
    let lock = Lock::take(&tarn.path("state")).unwrap();
    controller.receive(1, 1_000);
    drop(lock);
    drop(pause);
    even(&izar, &tarn).await;
    // Somebody takes over there: the journal is nobody's copy any more, and the watcher sees that.
    let pause = reins.pause().await;
    {
        let mut successor = tarn.controller().await;
        successor.claim(5);
    }
    drop(pause);
    wait("it does not follow any more", || progress::read_own(&tarn.path("state")).is_none()).await;
    assert!(matches!(tarn.state().epoch, Epoch(5)));
    // The old one follows it now.
    drop(controller);
    let (watcher, _reins) = Watcher::new(izar.ground(), name("izar"), 100, vec![tarn.peer("tarn", 200, way)]);
    let old = tokio::spawn(watcher.run());
    wait("the old one has all of it", || izar.events() == tarn.events()).await;
    watching.abort();
    old.abort();
}
