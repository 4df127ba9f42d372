//! Whole inventories: good ones, and every fault with its message.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ssh::{Become, Keys, Way};

mod routes;

fn parse_files(files: &[(&str, &str)], addresses: &[&str]) -> Result<Inventory, Vec<String>> {
    let files: Vec<(PathBuf, String)> = files.iter().map(|(file, text)| (file.into(), (*text).to_owned())).collect();
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let surroundings = Surroundings { home: Some("/home/op".into()), addresses };
    match Inventory::parse_at(&files, surroundings) {
        Ok(inventory) => Ok(inventory),
        Err(InventoryError::Faults(faults)) => Err(faults.iter().map(ToString::to_string).collect()),
        Err(other) => panic!("{other}"),
    }
}

fn parse(text: &str) -> Result<Inventory, Vec<String>> {
    parse_files(&[("x.toml", text)], &[])
}

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

const ARGO: &str = include_str!("../../inventory/argo.toml");

fn argo_from(addresses: &[&str]) -> Inventory {
    parse_files(&[("argo.toml", ARGO)], addresses).unwrap()
}

#[test]
fn what_piles_up_has_limits_and_their_faults_are_told() {
    let swarm = "[swarm]\ndriver = 'local'\n";
    let set = "[limits]\njournal = '7d'\nlogs_size = '10MiB'\nruns = 3\n";
    let limits = parse(&format!("{swarm}{set}")).unwrap().housekeeping;
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!((limits.journal, limits.logs_size.as_u64(), limits.runs.get()), (week, 10 << 20, 3));
    assert_eq!(limits.builds, Housekeeping::default().builds);
    for (table, fault) in [
        ("[limits]\njornal = '7d'\n", "limits.jornal: unknown key; did you mean `journal`?"),
        ("[limits]\nbuilds = 0\n", "limits.builds: 0 is too small: at least 1"),
        ("[limits]\nlogs = '0s'\n", "limits.logs: \"0s\" is no time at all"),
        ("[limit]\nlogs = '7d'\n", "limit: unknown table; did you mean `limits`?"),
    ] {
        let faults = parse(&format!("{swarm}{table}")).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
    }
}

#[test]
fn packages_have_limits_by_pattern_and_their_faults_are_told() {
    let swarm = "[swarm]\ndriver = 'local'\n";
    let good = parse(&format!("{swarm}[packages.\"dev-qt/qt*\"]\nsilence = '2h'\nlimit = '12h'\n")).unwrap();
    let hours = |hours: u64| Some(Duration::from_secs(3600 * hours));
    assert_eq!(good.limits("dev-qt/qtwebengine"), Limits { silence: hours(2), total: hours(12) });
    assert_eq!(good.limits("app-misc/foo"), Limits::default());
    for (table, fault) in [
        ("[packages.\"a/b\"]\nsilense = '2h'\n", "packages.a/b.silense: unknown key; did you mean `silence`?"),
        ("[packages.\"a/b\"]\nlimit = 'soon'\n", "packages.a/b.limit: \"soon\" is not a duration"),
        ("[packages.\"a/b\"]\nlimit = '0s'\n", "packages.a/b.limit: \"0s\" is no time at all"),
        ("[packages.qtwebengine]\nsilence = '2h'\n", "packages.qtwebengine: \"qtwebengine\" is not a pattern"),
        ("[packages]\n\"a/b\" = '2h'\n", "wanted a table"),
        ("[package.\"a/b\"]\nsilence = '2h'\n", "package: unknown table; did you mean `packages`?"),
    ] {
        let faults = parse(&format!("{swarm}{table}")).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
    }
    let twice = "[packages.\"a/b\"]\nsilence = '1h'\n";
    let faults = parse_files(&[("x.toml", &format!("{swarm}{twice}")), ("y.toml", twice)], &[]).unwrap_err();
    assert!(faults.len() == 1 && faults[0].contains("two tables of one pattern"), "{faults:?}");
}

#[test]
fn channels_have_one_way_and_their_faults_are_told() {
    let swarm = "[swarm]\ndriver = 'local'\n";
    let channels = "[notify.mail]\nmail = 'root@example.org'\n\
        [notify.chat]\nwebhook = 'https://chat.example.net/hook?key=1'\ntoken_file = '/etc/token'\non = ['stall']\n\
        [notify.pager]\ncommand = ['/bin/page', '--now']\nattended = true\n";
    let good = parse(&format!("{swarm}{channels}")).unwrap();
    let shown: Vec<_> = good.channels().iter().map(|channel| (channel.name.as_str(), &channel.settings)).collect();
    let [("chat", chat), ("mail", mail), ("pager", pager)] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!((chat.on.len(), mail.on.len()), (1, 5));
    assert!(pager.attended && !mail.attended);
    assert!(!format!("{chat:?}").contains("key=1"), "an address may hold a secret");
    for (table, fault) in [
        ("[notify.a]\n", "x.toml:3: notify.a: it says no way to tell anybody; give it one of"),
        ("[notify.a]\nmial = 'root'\n", "notify.a.mial: unknown key; did you mean `mail`?"),
        ("[notify.a]\nmail = 'root'\ncommand = ['/bin/x']\n", "x.toml:5: notify.a.command: a channel has one way"),
        ("[notify.a]\nmail = 'root me'\n", "notify.a.mail: \"root me\" is not an address of a mail"),
        ("[notify.a]\nmail = '-oQ/tmp'\n", "notify.a.mail: \"-oQ/tmp\" is not an address of a mail"),
        ("[notify.a]\nmail = 'root'\ntoken_file = '/x'\n", "notify.a.token_file: it is of no use without `webhook`"),
        ("[notify.a]\nwebhook = 'chat.example.net'\n", "notify.a.webhook: it is not a URL: it begins with http://"),
        ("[notify.a]\ncommand = ['page']\n", "notify.a.command: it begins with the path of a program"),
        ("[notify.a]\ncommand = []\n", "notify.a.command: it begins with the path of a program"),
        ("[notify.a]\nmail = 'root'\non = ['stal']\n", "\"stal\" is nothing that is told; did you mean `stall`?"),
        ("[notify.a]\nmail = 'root'\nattended = 'no'\n", "notify.a.attended: wanted true or false, found a string"),
        ("[notify.\"a b\"]\nmail = 'root'\n", "\"a b\" is not a channel's name"),
        ("[notfiy.a]\nmail = 'root'\n", "notfiy: unknown table; did you mean `notify`?"),
    ] {
        let faults = parse(&format!("{swarm}{table}")).unwrap_err();
        assert!(faults.iter().any(|each| each.contains(fault)), "{fault}: {faults:?}");
    }
}

#[test]
fn the_example_fleet_reads_as_it_is_drawn() {
    let argo = argo_from(&["10.42.0.100"]);
    assert_eq!((argo.swarm.name.as_str(), argo.driver().as_str(), argo.swarm.keep.get()), ("argo", "capella", 5));
    assert!(argo.swarm.exclude.matches("sys-kernel/gentoo-sources"));
    let drones: Vec<_> = argo
        .drones()
        .map(|(host, drone)| (host.name.as_str(), drone.cores.unwrap().get(), argo.network_of(host).unwrap().as_str()))
        .collect();
    assert_eq!(
        drones,
        [
            ("drone-izar", 16, "milky-way"),
            ("drone-mizar", 20, "andromeda"),
            ("drone-tarn", 14, "andromeda"),
            ("drone-vega", 8, "milky-way"),
        ]
    );
    let orchestrators: Vec<_> =
        argo.orchestrators().iter().map(|(host, settings)| (host.name.to_string(), settings.priority)).collect();
    assert_eq!(orchestrators, [("orch-izar".to_owned(), 100), ("orch-tarn".to_owned(), 200)]);
    let gateway = argo.gateway().unwrap();
    assert_eq!((gateway.host.as_str(), gateway.listen.to_string().as_str()), ("altair", "10.42.0.199:8090"));
    let drone = argo.drones().find(|(host, _)| host.name == name("drone-izar")).unwrap().1;
    assert_eq!((drone.memory.unwrap().as_u64(), drone.jobs.unwrap().get()), (11 << 30, 4));
    assert!(argo.hosts().all(|host| host.addresses.iter().count() == 2), "each host has a VPN address");
}

#[test]
fn the_example_fleet_shows_the_values_that_hold_where_nothing_is_written() {
    let argo = argo_from(&[]);
    let bare = parse("swarm.driver = 'local'\ndrones.a.address = '10.0.0.1'").unwrap();
    let (written, usual) = (&argo.swarm, &bare.swarm);
    assert_eq!(
        (&written.staging, &written.production, &written.state),
        (&usual.staging, &usual.production, &usual.state)
    );
    assert_eq!((written.controller, written.keep), (usual.controller, usual.keep));
    // That it is written there at all goes before what ssh's own configuration says.
    let values = |access: &Access| Access { ssh_config: None, ..access.clone() };
    let access = |inventory: &Inventory, host| values(&inventory.host(&name(host)).unwrap().access);
    assert_eq!(access(&argo, "capella"), access(&bare, "a"));
    assert_eq!(argo.gateway().unwrap().check_interval, Duration::from_secs(30));
}

#[test]
fn a_hosts_own_keys_lie_over_the_defaults() {
    let text = r#"
        [swarm]
        driver = "a"
        stall_timeout = "5s"
        [defaults]
        user = "builder"
        become = "doas"
        port = 2222
        identity = "~/key"
        tags = ["all"]
        jobs = 2
        [drones.a]
        address = ["10.0.0.1", "a.example.net"]
        port = 22
        known_hosts = "/etc/hosts.known"
        [drones.b]
        address = "10.0.0.2"
        user = "root"
        workdir = "/srv/swarm"
        tags = []
        jobs = 3
        [drones.c]
        address = "10.0.0.3"
        become = "none"
    "#;
    let inventory = parse(text).unwrap();
    let a = inventory.destination(&name("a")).unwrap();
    assert_eq!((a.user.as_str(), a.become_root, a.port), ("builder", Some(Become::Doas), 22));
    assert_eq!((a.keys, a.known_hosts), (Keys::Only(vec!["/home/op/key".into()]), "/etc/hosts.known".into()));
    let written = a.ssh_config.unwrap().written;
    assert!(written.user && written.port && written.identity && written.known_hosts);
    assert_eq!(
        (a.ways, a.stall_timeout),
        (["10.0.0.1", "a.example.net"].map(Way::direct).to_vec(), Duration::from_secs(5))
    );
    let b = inventory.host(&name("b")).unwrap();
    assert_eq!((b.access.become_root, b.access.port, b.access.workdir.as_str()), (None, 2222, "/srv/swarm"));
    assert_eq!(b.access.known_hosts, PathBuf::from("/home/op/.ssh/known_hosts"));
    assert_eq!(inventory.host(&name("c")).unwrap().access.become_root, None);
    let jobs: Vec<_> = inventory.drones().map(|(host, drone)| (host.tags.len(), drone.jobs.unwrap().get())).collect();
    assert_eq!(jobs, [(1, 2), (0, 3), (1, 2)]);
}

#[test]
fn a_driver_that_is_this_machine_needs_no_entry() {
    let inventory = parse("[swarm]\ndriver = 'local'").unwrap();
    let destination = inventory.destination(inventory.driver()).unwrap();
    assert!(destination.is_local());
}

#[test]
fn the_files_of_a_directory_are_one_inventory() {
    let swarm = ("a.toml", "[swarm]\ndriver = 'x'\n[defaults]\nuser = 'op'\n");
    let inventory = parse_files(&[swarm, ("b.toml", "[drones.x]\naddress = '10.0.0.1'")], &[]).unwrap();
    assert_eq!(inventory.host(&name("x")).unwrap().access.user, "op");

    let faults = parse_files(
        &[
            swarm,
            ("b.toml", "[hosts.x]\naddress = '10.0.0.1'\n[swarm]\ndriver = 'x'\n"),
            ("c.toml", "[drones.x]\naddress = '10.0.0.2'"),
        ],
        &[],
    )
    .unwrap_err();
    assert_eq!(
        faults,
        [
            "b.toml:3: swarm: this table is already in a.toml:1",
            "c.toml:1: drones.x: two hosts of one name: the other is hosts.x in b.toml:1",
        ]
    );
}

/// Each inventory has a `[swarm]` before it whose driver `d` is there; lines are counted behind it.
const HEAD: &str = "[swarm]\ndriver = 'd'\n[hosts.d]\naddress = '10.9.9.9'\n";

#[test]
fn the_configuration_of_ssh_is_asked_unless_a_host_or_the_defaults_say_otherwise() {
    for (keys, file) in [
        ("", Some(None)),
        ("ssh_config = false", None),
        ("ssh_config = '~/own'", Some(Some("/home/op/own".into()))),
        ("[defaults]\nssh_config = false", None),
    ] {
        let text = format!("[swarm]\ndriver = 'a'\n[drones.a]\naddress = 'izar'\n{keys}\n");
        let destination = parse(&text).unwrap().destination(&name("a")).unwrap();
        assert_eq!(destination.ssh_config.map(|config| config.file), file, "{keys}");
    }
}

#[test]
fn every_fault_names_file_line_key_and_the_nearest_right_word() {
    for (text, fault) in [
        ("[drone.a]\naddress = '10.0.0.1'", "x.toml:5: drone: unknown table; did you mean `drones`?"),
        ("[drones.a]\nadress = '10.0.0.1'", "x.toml:6: drones.a.adress: unknown key; did you mean `address`?"),
        ("[drones.a]\ncores = 4", "x.toml:5: drones.a.address: this key is missing: where the host is"),
        (
            "[drones.a]\naddress = '10.0.0.1.5'",
            "x.toml:6: drones.a.address: \"10.0.0.1.5\" is not an address: IPv4 has 4",
        ),
        ("[drones.a]\naddress = ['10.0.0.1', '10.0.0.300']", "x.toml:6: drones.a.address: \"10.0.0.300\" is not an"),
        ("[drones.a]\naddress = 10", "x.toml:6: drones.a.address: wanted a text or a list of texts, found an integer"),
        ("[drones.a]\naddress = [1]", "x.toml:6: drones.a.address: wanted a text in quotes, found an integer"),
        ("[drones.a]\naddress = []", "x.toml:6: drones.a.address: the list of addresses is empty"),
        ("[drones.a]\naddress = '10.0.0.1'\ncores = 0", "x.toml:7: drones.a.cores: 0 is too small: at least 1"),
        ("[drones.a]\naddress = '10.0.0.1'\ncores = -3", "x.toml:7: drones.a.cores: -3 is too small: at least 1"),
        (
            "[drones.a]\naddress = '10.0.0.1'\ncores = '8'",
            "x.toml:7: drones.a.cores: wanted a whole number, found a string",
        ),
        ("[drones.a]\naddress = '10.0.0.1'\nport = 70000", "x.toml:7: drones.a.port: 70000 is out of range"),
        ("[drones.a]\naddress = '10.0.0.1'\nmemory = '11G B'", "x.toml:7: drones.a.memory: \"11G B\" is not a size"),
        (
            "[drones.a]\naddress = '10.0.0.1'\nclean_room = 'alway'",
            "x.toml:7: drones.a.clean_room: \"alway\" is none of its words; did you mean `always`?",
        ),
        ("[drones.a]\naddress = '10.0.0.1'\nbecome = true", "x.toml:7: drones.a.become: wanted \"sudo\" or \"doas\""),
        ("[drones.a]\naddress = '10.0.0.1'\nworkdir = '~/x'", "x.toml:7: drones.a.workdir: \"~/x\" is not a directory"),
        (
            "[drones.a]\naddress = '10.0.0.1'\nssh_config = true",
            "x.toml:7: drones.a.ssh_config: wanted a path in quotes, or false",
        ),
        ("[drones.a]\naddress = '10.0.0.1'\nidentity = 'key'", "x.toml:7: drones.a.identity: \"key\" is not a path"),
        ("[drones.a]\naddress = '10.0.0.1'\ntags = ['a b']", "x.toml:7: drones.a.tags: \"a b\" is not a tag"),
        ("[drones.'a b']\naddress = '10.0.0.1'", "x.toml:5: drones.a b: \"a b\" is not a host name"),
        ("[drones.local]\naddress = '10.0.0.1'", "x.toml:5: drones.local: this name is taken"),
        ("[drones]\na = '10.0.0.1'", "x.toml:6: drones.a: wanted a table, [drones.a], found a string"),
        ("[[drones]]\naddress = '10.0.0.1'", "x.toml:5: drones: wanted a table, [drones], found an array"),
        (
            "[drones.d]\naddress = '10.0.0.1'",
            "x.toml:5: drones.d: two hosts of one name: the other is hosts.d in x.toml:3",
        ),
        ("[hosts.d]\naddress = '10.0.0.1'", "x.toml:5: hosts.d: two hosts of one name"),
        ("[hosts.e]\naddress = 'e'\naddress = 'f'", "x.toml:7: hosts.e.address: this is there twice"),
        ("[networks.n]\ncidr = '10.0.0.0/33'", "x.toml:6: networks.n.cidr: \"10.0.0.0/33\" is not a network such as"),
        (
            "[networks.n]\ncidr = '10.0.0.1/24'",
            "x.toml:6: networks.n.cidr: \"10.0.0.1/24\" is one address in a network; did",
        ),
        ("[networks.n]\njump = 'd'", "x.toml:5: networks.n.cidr: this key is missing"),
        (
            "[networks.n]\ncidr = '10.0.0.0/24'\njump = 'e'",
            "x.toml:7: networks.n.jump: there is no host \"e\" to go through; there are: d",
        ),
        (
            "[networks.n]\ncidr = '10.0.0.0/24'\n[networks.o]\ncidr = '10.0.0.0/24'",
            "x.toml:7: networks.o: it has the same addresses as the network n",
        ),
        ("[gateway]\nhost = 'dd'", "x.toml:6: gateway.host: there is no host \"dd\"; did you mean `d`?"),
        ("[gateway]\nlisten = '1.2.3.4:8090'", "x.toml:5: gateway.host: this key is missing"),
        ("[gateway]\nhost = 'd'\nlisten = '8090'", "x.toml:7: gateway.listen: \"8090\" is not an address with a port"),
        ("[gateway]\nhost = 'd'\ncheck_interval = '30'", "x.toml:7: gateway.check_interval: \"30\" is not a duration"),
        ("[orchestrators.o]\naddress = 'o'", "x.toml:5: orchestrators.o.binhost: this key is missing"),
        (
            "[orchestrators.o]\naddress = 'o'\nbinhost = 'o/p'",
            "x.toml:7: orchestrators.o.binhost: \"o/p\" is not a URL",
        ),
        ("[storage.s]\nendpoint = 'http://s.test'", "x.toml:5: storage.s.url: this key is missing: the bucket"),
        ("[storage.s]\nurl = 's3://Argo/x'", "x.toml:6: storage.s.url: \"Argo\" is not the name of a bucket"),
        (
            "[storage.s]\nurl = 's3://argo'\nbinhots = 'http://s.test'",
            "x.toml:7: storage.s.binhots: unknown key; did you mean `binhost`?",
        ),
        ("[storage.d]\nurl = 's3://argo'", "x.toml:5: storage.d: a host has this name: it is hosts.d in x.toml:3"),
        ("[storage.local]\nurl = 's3://argo'", "x.toml:5: storage.local: this name is taken"),
        ("[storages.s]\nurl = 's3://argo'", "x.toml:5: storages: unknown table; did you mean `storage`?"),
        ("[defaults]\naddress = 'o'", "x.toml:6: defaults.address: unknown key; there are: user"),
        ("x = ", "x.toml:5: this is not TOML: "),
        ("[drones.a\naddress = '10.0.0.1'", "x.toml:5: this is not TOML: "),
    ] {
        let faults = parse(&format!("{HEAD}{text}")).map(|_| ()).unwrap_err();
        assert!(faults.len() == 1 && faults[0].starts_with(fault), "{text}\n  wanted {fault}\n  found  {faults:#?}");
    }
}

#[test]
fn the_swarms_own_settings_are_checked_as_strictly() {
    for (text, fault) in [
        ("", "x.toml:1: swarm.driver: this key is missing: the machine whose packages are wanted"),
        ("[swarm]\nname = 'x'", "x.toml:1: swarm.driver: this key is missing"),
        ("[swarm]\ndriver = 'x'", "x.toml:2: swarm.driver: there is no host \"x\""),
        (
            "[swarm]\ndriver = 'x'\n[drones.y]\naddress = 'bad address'\n",
            "x.toml:2: swarm.driver: there is no host \"x\"",
        ),
        ("swarm.driver = 'local'\nswarm.keep = 0", "x.toml:2: swarm.keep: 0 is too small"),
        ("swarm.driver = 'local'\nswarm.state = 'here'", "x.toml:2: swarm.state: \"here\" is not a path"),
        ("swarm.driver = 'local'\nswarm.exclude = ['=a/b-1']", "x.toml:2: swarm.exclude: \"=a/b-1\" is not a pattern"),
        (
            "swarm.driver = 'local'\nswarm.tls_key = '/k'",
            "x.toml:1: swarm.tls_cert: this key is missing: a key is of no",
        ),
        (
            "swarm.driver = 'local'\nswarm.failback = 'off'",
            "x.toml:2: swarm.failback: \"off\" is none of its words; there",
        ),
        ("swarm.driver = 'local'\nswarm.lost_after = '0s'", "x.toml:2: swarm.lost_after: \"0s\" is no time at all"),
        (
            "swarm.driver = 'local'\nswarm.bandwidth_limit = 5",
            "x.toml:2: swarm.bandwidth_limit: wanted a text in quotes",
        ),
    ] {
        let faults = parse(text).map(|_| ()).unwrap_err();
        assert!(faults[0].starts_with(fault), "{text}\n  wanted {fault}\n  found  {faults:#?}");
    }
}

#[test]
fn all_faults_of_all_files_are_reported_at_once_in_their_order() {
    let faults = parse_files(
        &[
            ("a.toml", "[swarm]\ndriver = 'nobody'\nnme = 'x'\n[hosts.h]\naddress = '1.2.3.4.5'\nport = 0\n"),
            ("b.toml", "[drones.x]\ncores = 0\ncore = 1\n"),
        ],
        &[],
    )
    .unwrap_err();
    let places: Vec<String> =
        faults.iter().map(|fault| fault.splitn(4, ':').take(3).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(
        places,
        [
            "a.toml:2: swarm.driver",
            "a.toml:3: swarm.nme",
            "a.toml:5: hosts.h.address",
            "a.toml:6: hosts.h.port",
            "b.toml:1: drones.x.address",
            "b.toml:2: drones.x.cores",
            "b.toml:3: drones.x.core",
        ]
    );
}

#[test]
fn a_broken_line_hides_no_other_fault_and_has_no_echo() {
    let faults = parse("[swarm]\ndriver = capella\n[hosts.h]\naddress = '1.2.3.4.5'\n").unwrap_err();
    assert!(faults[0].starts_with("x.toml:2: this is not TOML"), "{faults:#?}");
    assert!(faults[1].starts_with("x.toml:4: hosts.h.address"), "{faults:#?}");
    assert_eq!(faults.len(), 2, "{faults:#?}");
}

#[test]
fn a_jump_that_goes_round_in_a_circle_is_refused_once() {
    let text = r#"
        swarm.driver = "local"
        networks.a = { cidr = "10.1.0.0/16", jump = "in-b" }
        networks.b = { cidr = "10.2.0.0/16", jump = "in-c" }
        networks.c = { cidr = "10.3.0.0/16", jump = "in-a" }
        networks.d = { cidr = "10.4.0.0/16", jump = "in-a" }
        hosts.in-a.address = "10.1.0.1"
        hosts.in-b.address = "10.2.0.1"
        hosts.in-c.address = "10.3.0.1"
    "#;
    assert_eq!(
        parse(text).unwrap_err(),
        ["x.toml:3: networks.a.jump: the jump goes round in a circle: a is behind in-b, which is in b; \
          b is behind in-c, which is in c; c is behind in-a, which is in a"]
    );
}

/// A piece of an inventory, good or bad.
fn piece() -> impl Strategy<Value = String> {
    let tables = ["[swarm]", "[defaults]", "[gateway]", "[drones.a]", "[hosts.b]", "[orchestrators.c]", "[networks.n]"];
    let keys = ["driver", "address", "cores", "jump", "cidr", "port", "exclude", "host", "tags", "x.y", "priority"];
    let values = [
        "'a'",
        "'10.0.0.1'",
        "['10.0.0.1', 'b']",
        "'10.0.0.0/8'",
        "0",
        "9999999999999",
        "{ a = 1 }",
        "'",
        "[",
        "1979-05-27",
    ];
    prop_oneof![
        proptest::sample::select(tables.to_vec()).prop_map(str::to_owned),
        (proptest::sample::select(keys.to_vec()), proptest::sample::select(values.to_vec()))
            .prop_map(|(key, value)| format!("{key} = {value}")),
        ".{0,20}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_every_fault_is_on_a_line_of_its_file(pieces in prop::collection::vec(piece(), 0..12)) {
        let text = pieces.join("\n");
        let files = [(PathBuf::from("x.toml"), text.clone())];
        match Inventory::parse_at(&files, Surroundings::default()) {
            Ok(inventory) => {
                for host in inventory.hosts() {
                    prop_assert!(inventory.destination(&host.name).is_some());
                }
            }
            Err(InventoryError::Faults(faults)) => {
                prop_assert!(!faults.is_empty());
                let lines = text.split('\n').count();
                for fault in faults {
                    prop_assert!((1..=lines).contains(&fault.line), "{fault}");
                }
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
