//! How drones are reached: host keys, jump hosts, users who are not root.

use super::laboratory::Laboratory;

#[test]
fn a_drone_whose_host_key_changed_is_left_out_with_both_fingerprints() {
    let lab = Laboratory::up("host-key");
    let fingerprint = |host: &str| {
        let said = lab.on(host, "ssh-keygen -lf /etc/ssh/lab_host_key.pub").gives(0, &[]).said.clone();
        said.split_whitespace().nth(1).unwrap().to_owned()
    };
    let known = fingerprint("drone-vega");
    let renew = "rm /etc/ssh/lab_host_key* && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lab_host_key";
    lab.on("drone-vega", renew).gives(0, &[]);
    lab.lab(&["power-off", "drone-vega"]).gives(0, &[]);
    lab.lab(&["power-on", "drone-vega"]).gives(0, &[]);
    let new = fingerprint("drone-vega");
    assert_ne!(known, new);
    lab.swarm(&["push", "app-lab/hello"]).gives(0, &["refused     drone-vega", &known, &new, "1 received, 0 failed"]);
    assert_eq!(lab.status()["drones"]["drone-vega"]["state"], "refused");
    lab.swarm(&["push", "--on", "drone-vega", "--replace", "dev-lab/libbase"])
        .gives(4, &["refused     drone-vega", &known, &new, "no drone can take the rest", "swarm hosts check"]);
    lab.compiled_once(&["app-lab/hello-1.1-r1"]);
}

#[test]
fn an_ordinary_user_builds_through_sudo_and_behind_a_jump_host() {
    let lab = Laboratory::up("sudo");
    lab.lab(&["up", "tarn"]).gives(0, &[]);
    // This machine has an address in andromeda, but none in the half of it that is taken for a network of its own here.
    lab.edit_inventory(|text| {
        text.replace("user = \"root\"", "user = \"builder\"\nbecome = \"sudo\"")
            .replace("cidr = \"192.168.20.0/24\"", "cidr = \"192.168.20.128/25\"\njump = \"tarn\"")
            .replace(", \"100.64.0.17\"", "")
            .replace("[hosts.capella]", "[hosts.tarn]\naddress = \"192.168.20.100\"\n\n[hosts.capella]")
    });
    lab.swarm(&["push", "--on", "drone-tarn,drone-vega", "app-lab/consumer", "--finalize"])
        .gives(0, &["5 received, 0 failed", "is live"]);
    let compiled = lab.compiled();
    assert!(compiled.values().all(|hosts| hosts.len() == 1), "{compiled:?}");
    let hosts: std::collections::BTreeSet<_> = compiled.values().flatten().map(String::as_str).collect();
    assert_eq!(hosts.into_iter().collect::<Vec<_>>(), ["drone-tarn", "drone-vega"]);
    lab.on("drone-tarn", "grep 'Accepted publickey for builder from 192.168.20.100' /var/log/sshd.log").gives(0, &[]);
    lab.on("drone-tarn", "grep 'publickey for root\\|publickey for builder from 192.168.20.1 ' /var/log/sshd.log")
        .gives(1, &[]);
    lab.on("drone-tarn", "test -z \"$(ls /var/lib/swarm/jobs)\"").gives(0, &[]);
}
