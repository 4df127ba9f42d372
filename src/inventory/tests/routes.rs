//! The ways to hosts: which address goes through which other host, as seen from where.

use super::*;
use crate::ssh::Way;

#[test]
fn a_jump_host_is_used_only_from_elsewhere() {
    for (addresses, drone, jump) in [
        (&["10.42.0.100"][..], "drone-tarn", Some("tarn")),
        (&["192.168.20.7"], "drone-tarn", None),
        (&["10.42.0.100", "192.168.20.7"], "drone-tarn", None),
        (&["10.42.0.100"], "drone-izar", None),
        (&[], "drone-izar", None),
        (&[], "orch-tarn", Some("tarn")),
        (&[], "tarn", None),
    ] {
        let destination = argo_from(addresses).destination(&name(drone)).unwrap();
        let through: Vec<_> =
            destination.ways.iter().map(|way| way.jump.as_ref().map(|jump| jump.name.as_str())).collect();
        // The second address is in the VPN, which is routed.
        assert_eq!(through, [jump, None], "{drone} from {addresses:?}");
    }
}

#[test]
fn a_jump_host_is_reached_from_outside_before_its_inner_address_is_tried() {
    for (from, order) in
        [("10.42.0.100", ["100.64.0.16", "192.168.20.100"]), ("192.168.20.7", ["192.168.20.100", "100.64.0.16"])]
    {
        let destination = argo_from(&[from]).destination(&name("tarn")).unwrap();
        assert!(destination.addresses().eq(order), "{destination:?} from {from}");
    }
}

#[test]
fn jumps_follow_one_another() {
    let text = r#"
        swarm.driver = "local"
        networks.dmz = { cidr = "10.1.0.0/16", jump = "edge" }
        networks.inner = { cidr = "10.1.9.0/24", jump = "door" }
        hosts.edge.address = "edge.example.net"
        hosts.door.address = "10.1.0.2"
        drones.deep.address = "10.1.9.3"
    "#;
    let deep = parse(text).unwrap().destination(&name("deep")).unwrap();
    let [Way { jump: Some(door), .. }] = deep.ways.as_slice() else { panic!("{deep:?}") };
    let [Way { jump: Some(edge), .. }] = door.ways.as_slice() else { panic!("{door:?}") };
    assert_eq!((door.name.as_str(), edge.name.as_str()), ("door", "edge"));
    assert_eq!(edge.ways, [Way::direct("edge.example.net")]);
    assert_eq!(deep.jumps(), 2);
}

#[test]
fn every_address_has_its_own_way() {
    let text = r#"
        swarm.driver = "local"
        networks.site = { cidr = "10.1.0.0/16", jump = "gate" }
        networks.vpn = { cidr = "100.64.0.0/10", jump = "hub" }
        hosts.gate.address = "gate.example.net"
        hosts.hub.address = ["hub.example.net", "10.1.0.9"]
        drones.deep.address = ["10.1.0.3", "100.64.0.3", "deep.example.net"]
    "#;
    for (from, jumps) in [
        (&[][..], [Some("gate"), Some("hub"), None]),
        (&["100.64.0.9"], [Some("gate"), None, None]),
        (&["10.1.0.9"], [None, Some("hub"), None]),
        (&["10.1.0.9", "100.64.0.9"], [None, None, None]),
    ] {
        let deep = parse_files(&[("x.toml", text)], from).unwrap().destination(&name("deep")).unwrap();
        let through: Vec<_> = deep.ways.iter().map(|way| way.jump.as_ref().map(|jump| jump.name.as_str())).collect();
        assert_eq!(through, jumps, "from {from:?}");
    }
}

#[test]
fn no_way_leads_through_a_host_that_is_on_it_already() {
    let text = r#"
        swarm.driver = "local"
        networks.a = { cidr = "10.1.0.0/16", jump = "x" }
        networks.b = { cidr = "10.2.0.0/16", jump = "y" }
        hosts.x.address = ["x.example.net", "10.2.0.1"]
        hosts.y.address = ["y.example.net", "10.1.0.1"]
        drones.deep.address = ["10.1.0.3"]
    "#;
    let deep = parse(text).unwrap().destination(&name("deep")).unwrap();
    let [Way { jump: Some(x), .. }] = deep.ways.as_slice() else { panic!("{deep:?}") };
    let [first, Way { jump: Some(y), .. }] = x.ways.as_slice() else { panic!("{x:?}") };
    assert_eq!(*first, Way::direct("x.example.net"));
    assert_eq!(y.ways, [Way::direct("y.example.net")]);
}
