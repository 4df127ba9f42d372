//! The muster with fake hosts: what is compared before any drone builds.

use swarm::core::event::Trouble;

use fleet::{host, troubles};

/// Plans and hosts for a muster.
mod fleet {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use swarm::controller::muster::{Hosts, Measure, check};
    use swarm::core::event::Trouble;
    use swarm::core::package::Identity;
    use swarm::core::plan::{Plan, PlannedPackage};
    use swarm::core::texts::Words;
    use swarm::ssh::Host;

    use crate::support::{FakeHost, Step};

    /// A plan of one package that is compiled with these CFLAGS.
    fn plan(cflags: &str) -> Plan {
        let identity = Identity {
            cpv: "app-lab/hello-1.0".parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "lab".to_owned(),
            ebuild_digest: String::new(),
            use_flags: Words::default(),
            chost: "x86_64-pc-linux-gnu".to_owned(),
            compiler: [("CFLAGS", cflags)].into_iter().collect(),
            linked: Default::default(),
        };
        Plan {
            driver: "capella".parse().unwrap(),
            packages: vec![PlannedPackage { identity, requested: true, oddities: BTreeSet::new() }],
            edges: Vec::new(),
            index_header: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    /// A host whose processor is of this model, and that answers nothing else.
    pub fn host(name: &str, model: u32) -> FakeHost {
        FakeHost::new(name).answer(move |script| match script.contains("/proc/cpuinfo") {
            true => Step::all_is_well(&format!("SWARM-CPU:vendor_id : Maker\nSWARM-CPU:model : {model}\n"), 0),
            false => Step::all_is_well("", 1),
        })
    }

    /// The trouble that each of the hosts makes, and why.
    pub async fn troubles(hosts: &[FakeHost], cflags: &str) -> Vec<(Trouble, String)> {
        let ways: Hosts =
            hosts.iter().map(|fake| (fake.destination().name, Arc::new(fake.host()) as Arc<dyn Host>)).collect();
        let drones: Vec<_> = ways.keys().filter(|name| name.as_str() != "capella").cloned().collect();
        let plan = plan(cflags);
        let measure = Measure::of(&ways, &plan).await;
        let mut found = Vec::new();
        for drone in drones {
            found.extend(check(ways[&drone].as_ref(), &plan, &measure, None).await.unwrap().err());
        }
        found
    }
}

#[tokio::test]
async fn native_code_is_built_only_on_a_processor_like_the_drivers() {
    let hosts = [host("capella", 97), host("drone-a", 97), host("drone-b", 33)];
    let found = troubles(&hosts, "-O2 -march=native -pipe").await;
    // The first goes on to the comparison of packages, to which this fake has no answer.
    assert_eq!(found[0].0, Trouble::Refused, "{found:?}");
    assert_eq!(found[1].0, Trouble::Differs);
    for part in ["CFLAGS has -march=native", "model 33 there, 97 on the driver", "-march=x86-64-v3"] {
        assert!(found[1].1.contains(part), "{found:?}");
    }
    assert_eq!(troubles(&hosts, "-O2 -march=x86-64-v3").await[1].0, Trouble::Refused);
}

#[tokio::test]
async fn native_code_of_a_driver_that_cannot_be_asked_is_built_nowhere() {
    let found = troubles(&[host("drone-a", 97)], "-mcpu=native").await;
    assert!(found[0].0 == Trouble::Differs && found[0].1.contains("capella"), "{found:?}");
}
