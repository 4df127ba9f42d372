//! What operators and hosts write as text: `emerge -p`, package lists, the inventory, known_hosts, facts.

use std::path::{Path, PathBuf};

use super::{assert_below, assert_shown, fuzz, roughly, shape};
use crate::core::package::Cpv;
use crate::inventory::{Inventory, InventoryError, Surroundings};
use crate::portage::list;
use crate::portage::pretend::Pretend;
use crate::ssh::known_hosts::KnownHosts;

const PRETEND: &str = "These are the packages that would be merged, in order:\n\n\
    [ebuild  N     ] app-misc/alpha-1.0:0/2::gentoo  USE=\"nls -doc\" 12 KiB\n\
    [ebuild     U ~] \u{1b}[32mdev-libs/beta-2.1_rc3-r1\u{1b}[0m [2.0]\n\
    [binary  NS    ] dev-lang/gamma-3-2:3::gentoo 0 KiB\n\
    [ebuild  rR   ] app-misc/delta      [1.0:0::gentoo]    [0.9]\n\
    [nomerge       ] app-misc/omega-1\n[blocks B      ] <app-misc/alpha-1 (\"<app-misc/alpha-1\" is blocking x)\n\
    \nTotal: 4 packages (1 upgrade, 3 new), Size of downloads: 12 KiB\nConflict: 1 block (1 unsatisfied)\n";
const QUIET: &str = " N     app-misc/alpha 1.0\n    U  dev-libs/beta 2.0-r1 [1.9]\n R     dev-libs/gamma 3\n";
const PRETEND_WORDS: [&str; 17] = [
    "[ebuild ",
    "[binary ",
    "[nomerge ",
    "] ",
    " N     ",
    "    UD ",
    "app-misc/x-1",
    "cat/pn",
    "-1",
    ":0/2",
    "::gentoo",
    "[1.0]",
    "Total: ",
    " packages",
    "These are the packages that would be merged, in reverse order:",
    "Conflict: 1 block (1 unsatisfied)",
    "* Error: circular dependencies",
];

/// Checks packages that were read, and gives them as a list in which they would be read again.
fn check_packages(packages: &[Cpv]) -> Vec<String> {
    let texts: Vec<String> = packages.iter().map(Cpv::to_string).collect();
    for text in &texts {
        assert_below(text);
        assert_eq!(text.parse::<Cpv>().unwrap().as_str(), text);
    }
    let mut sorted = texts.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), texts.len(), "one is there twice");
    texts
}

#[test]
fn what_emerge_would_merge() {
    let seeds = [PRETEND, QUIET, ""].map(|text| text.as_bytes().to_vec());
    fuzz("pretend", seeds.into(), &PRETEND_WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        match text.parse::<Pretend>() {
            Ok(pretend) => {
                assert!(!pretend.packages.is_empty());
                let texts = check_packages(&pretend.packages);
                let printed: String = texts.iter().map(|cpv| format!("[ebuild  N     ] {cpv} \n")).collect();
                assert_eq!(printed.parse::<Pretend>().unwrap().packages, pretend.packages);
                pretend.warnings.iter().for_each(|warning| assert_shown(warning, 400));
                format!("{} {} {}", roughly(texts.len()), pretend.blockers_unsolved, pretend.warnings.len())
            }
            Err(error) => {
                assert_shown(&error.to_string(), 20_000);
                shape(&error.to_string())
            }
        }
    });
}

#[test]
fn package_lists() {
    let seed = "\u{feff}# wanted\napp-misc/alpha-1.0\n=dev-libs/beta-2.1_rc3-r1 # why\n\nx11-libs/libx++-3\n";
    fuzz("list", vec![seed.into()], &["=", ">=", "#", " # ", "a/b-1", ":0", "-r1", "_rc1", "[x]"], |input| {
        match list::parse(&String::from_utf8_lossy(input)) {
            Ok(packages) => {
                let texts = check_packages(&packages);
                assert_eq!(list::parse(&texts.join("\n")).unwrap(), packages);
                format!("{}", roughly(texts.len()))
            }
            Err(error) => {
                assert_shown(&error.to_string(), 20_000);
                shape(&error.to_string())
            }
        }
    });
}

const INVENTORY: &str = r#"
[swarm]
name = "argo"
driver = "capella"
exclude = ["sys-kernel/*"]
keep = 5
lost_after = "15m"
[defaults]
user = "root"
port = 22
[networks.near]
cidr = "10.42.0.0/24"
[networks.far]
cidr = "192.168.20.0/24"
jump = "tarn"
[hosts.capella]
address = "10.42.0.100"
[hosts.tarn]
address = ["192.168.20.100", "100.64.0.16"]
[gateway]
host = "tarn"
listen = "10.42.0.199:8090"
[orchestrators.orch]
address = "10.42.0.201"
priority = 100
binhost = "http://10.42.0.201/packages"
[storage.attic]
url = "s3://argo-packages/amd64"
endpoint = "https://s3.example.net"
priority = 300
[drones.izar]
address = "10.42.0.203"
cores = 16
memory = "11GiB"
jobs = 4
clean_room = "auto"
tags = ["lan"]
"#;

#[test]
fn inventories() {
    let words = ["jump", "address", "= [", "]", "[drones.x]", "workdir = '/a/../b'", "{", "'''", "cores = ", "\"\"\""];
    fuzz("inventory", vec![INVENTORY.into()], &words, |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let files = [(PathBuf::from("x.toml"), text.clone())];
        match Inventory::parse_at(&files, Surroundings::default()) {
            Ok(inventory) => {
                for host in inventory.hosts() {
                    assert_below(host.name.as_str());
                    let destination = inventory.destination(&host.name).unwrap();
                    assert_shown(&format!("{destination:?}"), 100_000);
                }
                format!("{} {}", inventory.hosts().count(), inventory.networks().count())
            }
            Err(InventoryError::Faults(faults)) => {
                // It is the operator's own file: a word of it may be quoted in full.
                faults.iter().for_each(|fault| assert_shown(&fault.to_string(), 4 * text.len() + 4000));
                faults.iter().take(4).map(|fault| shape(&fault.to_string())).collect()
            }
            Err(other) => panic!("{other}"),
        }
    });
}

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJg3Hs2lHYXW1uIHKr5vGM5jNyCjUX1qxjbSGvKmvC1s";

#[test]
fn known_hosts_files() {
    let seed = format!(
        "# ours\ntarn,10.42.0.1 ssh-ed25519 {KEY} a comment\n[tor]:2222 ssh-ed25519 {KEY}\n*.lan,!bad.lan ssh-ed25519 {KEY}\n\
         |1|AAECAwQFBgcICQoLDA0ODxAREhM=|AAECAwQFBgcICQoLDA0ODxAREhM= ssh-ed25519 {KEY}\n\
         @revoked old ssh-ed25519 {KEY}\n@cert-authority *.lan ssh-ed25519 {KEY}\n"
    );
    let key = russh::keys::parse_public_key_base64(KEY).unwrap();
    let words = ["@revoked ", "@cert-authority ", "|1|", "*", "?", "!", ",", "[tarn]:", " ssh-rsa ", KEY];
    fuzz("known_hosts", vec![seed.into_bytes()], &words, |input| {
        match KnownHosts::parse(Path::new("known_hosts"), input) {
            Ok(known) => {
                let verdicts = ["tarn", "tor", "a.lan", "bad.lan", "old"].map(|host| known.check(host, 22, &key));
                let text = format!("{verdicts:?}");
                assert_shown(&text, 1_000_000);
                shape(&text)
            }
            Err(error) => {
                assert_shown(&error.to_string(), 400);
                shape(&error.to_string())
            }
        }
    });
}
