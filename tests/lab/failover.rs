//! The orchestrator that builds dies, and the other one goes on.

use std::time::{Duration, Instant};

use super::pair::{INTERVAL, PAIR, Pair};

const SUITE: [&str; 15] = [
    "app-lab/consumer-1.1",
    "app-lab/daemon-0.9_beta1",
    "app-lab/editor-2.4b",
    "app-lab/hello-1.1-r1",
    "app-lab/multislot-1.0",
    "app-lab/multislot-2.0",
    "app-lab/plugins-3",
    "app-lab/suite-1.0",
    "app-lab/viewer-1.0.20240229",
    "dev-lab/generator-1.0_rc2_p3-r1",
    "dev-lab/libbar-1.0",
    "dev-lab/libbase-1.0",
    "dev-lab/libbaz-1.3_p2",
    "dev-lab/libfoo-2.0",
    "dev-lab/libsigc++-2.12.1",
];

#[test]
fn a_standby_finishes_what_the_orchestrator_that_lost_power_began_and_nothing_is_built_twice() {
    let mut pair = Pair::up("failover");
    let (first, second) = (PAIR[0].0, PAIR[1].0);
    pair.configure_client();

    // Every drone builds, and something has been received.
    let mut push = pair.push_that_is_held_up();

    pair.lab.lab(&["power-off", first]).gives(0, &[]);
    let died = Instant::now();
    pair.lab.wait("the gateway answers with the other", || pair.gateway()["controller"] == second);
    let took = died.elapsed();
    assert!(took < Duration::from_secs(3 * INTERVAL + 2), "{took:?}: three intervals, and the time to ask");
    pair.let_go_on();
    let ended = push.wait().unwrap();
    assert_eq!(ended.code(), Some(0), "{}", pair.swarm());
    pair.lab.compiled_once(&SUITE);
    pair.lab.wait("clients get it from there", || pair.gateway()["active"] == second);
    let install = "emerge --quiet --oneshot --getbinpkgonly --usepkgonly app-lab/suite && lab-suite";
    pair.lab.on("client", install).gives(0, &["app-lab/suite-1.0"]);

    // The first comes back, follows, and gets the role back, since nothing is being built.
    pair.lab.lab(&["power-on", first]).gives(0, &[]);
    pair.start(first, &["orchestrator", first]);
    pair.lab.wait("the first has the role again", || pair.gateway()["controller"] == first);
    pair.lab.wait("both have the same", || pair.production(first) == pair.production(second));
    pair.run(&["push", "=app-lab/hello-1.0", "--finalize"]).gives(0, &["is live"]);
    pair.lab.wait("both have the next one", || {
        pair.production(first).contains("hello-1.0") && pair.production(first) == pair.production(second)
    });
}

/// Andromeda on one side, milky-way with the gateway on the other; whoever is at the controller's place in the lab still
/// sees both.
fn part(pair: &Pair, apart: bool) {
    let (forward, vpn) = if apart { ("0", "down") } else { ("1", "up") };
    let script = format!("echo {forward} >/proc/sys/net/ipv4/ip_forward && ip link set vpn {vpn}");
    pair.lab.run(&["sh", "-ec", &script]).gives(0, &[]);
}

#[test]
#[ignore = "the sites are apart for two minutes: `tests/run --all`"]
fn sites_that_are_cut_apart_in_mid_build_come_to_one_line_of_releases_and_build_nothing_twice() {
    let pair = Pair::up("sites");
    let (first, second) = (PAIR[0].0, PAIR[1].0);
    pair.run(&["push", "app-lab/hello", "--finalize"]).gives(0, &["is live"]);
    // Whoever leads is to be on the smaller side.
    pair.run(&["failover", "--to", second]).gives(0, &["orch-tarn is the controller from here on, epoch 2"]);
    pair.run(&["failover", "--to", second]).gives(0, &["it is the controller already"]);
    pair.run(&["failover", "--to", "orch-tara"]).gives(1, &["orch-tarn"]);
    pair.lab.wait("the gateway asks it", || pair.gateway()["controller"] == second);

    let mut push = pair.push_that_is_held_up();
    let before = pair.lab.compiled();
    part(&pair, true);
    let begun = Instant::now();
    pair.lab.wait("the gateway asks the one on its side", || pair.gateway()["controller"] == first);
    pair.let_go_on();
    // That they are apart for so long is what is tried.
    std::thread::sleep(Duration::from_secs(120).saturating_sub(begun.elapsed()));
    part(&pair, false);

    assert_eq!(push.wait().unwrap().code(), Some(0), "{}", pair.swarm());
    // What the smaller side began before it knew may have been begun on the other as well: nobody there could know.
    for (package, hosts) in pair.lab.compiled() {
        let mut others = hosts.clone();
        others.retain(|host| host != "drone-tarn");
        assert!(others.len() <= 1 && hosts.len() - others.len() <= 1, "{package}: {hosts:?}");
        assert!(!before.contains_key(&package) || hosts.len() == 1, "{package} was begun before: {hosts:?}");
    }
    pair.lab.wait("both binhosts are equal, file by file", || pair.production(first) == pair.production(second));
    let line = |host: &str| pair.lab.on(host, "ls /var/cache/swarm/production.releases | grep -v json").said;
    assert_eq!(line(first), line(second));
    let epochs: Vec<String> = line(first).lines().map(|id| id[..6].to_owned()).collect();
    assert_eq!(epochs, ["000001", "000003"], "the second one released nothing");
}
