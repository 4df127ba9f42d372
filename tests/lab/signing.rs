//! Packages that drones sign, and a controller that wants them signed.

use super::laboratory::Laboratory;

/// Gives a host a key and lets its Portage sign with it; prints the public key.
const SIGN: &str = r#"
set -e
home=/etc/portage/signing
mkdir -m 700 $home
gpg() { command gpg --homedir $home --batch --quiet "$@"; }
gpg --passphrase '' --quick-generate-key "$(cat /etc/hostname)" ed25519 sign never
key=$(gpg --list-keys --with-colons | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | head -n 1)
cat >>/etc/portage/make.conf <<END
FEATURES="\${FEATURES} binpkg-signing"
BINPKG_GPG_SIGNING_GPG_HOME="$home"
BINPKG_GPG_SIGNING_KEY="$key"
END
gpg --armor --export
"#;

#[test]
fn with_a_keyring_only_packages_signed_by_its_keys_are_taken_and_each_drone_is_fed_with_them() {
    let lab = Laboratory::up("signing");
    let keys = ["drone-tarn", "drone-vega"].map(|drone| lab.on(drone, SIGN).gives(0, &["PUBLIC KEY"]).said.clone());
    // Where nobody checks them, packages are not signed.
    lab.swarm(&["push", "--on", "drone-vega", "app-lab/hello", "--finalize"]).gives(0, &["1 received", "is live"]);
    let members =
        |path: &str| lab.run(&["tar", "-tf", lab.controller(path).to_str().unwrap()]).gives(0, &[]).said.clone();
    assert!(!members("production/app-lab/hello/hello-1.1-r1-1.gpkg.tar").contains(".sig"));

    std::fs::write(lab.file("keys"), keys.concat()).unwrap();
    let keyring = format!("verify_keyring = {:?}\ndriver = ", lab.file("keys"));
    lab.edit_inventory(|text| text.replace("driver = ", &keyring));
    // drone-izar signs nothing.
    lab.swarm(&["push", "--on", "drone-izar", "dev-lab/libbase"])
        .gives(5, &["not built  dev-lab/libbase-1.0 on drone-izar: parity: cannot verify its signature: it has none"]);
    lab.swarm(&["push", "--on", "drone-tarn"]).gives(0, &["1 received"]);
    lab.swarm(&["push", "--on", "drone-vega", "--replace", "dev-lab/libbar", "--finalize"])
        .gives(0, &["2 received", "is live"]);
    for path in ["libbase/libbase-1.0-2", "libbar/libbar-1.0-1"] {
        assert!(members(&format!("production/dev-lab/{path}.gpkg.tar")).contains("image.tar.zst.sig"), "{path}");
    }
    assert_eq!(lab.compiled()["dev-lab/libbase-1.0"], ["drone-izar", "drone-tarn"]);
    assert_eq!(lab.compiled()["dev-lab/libbar-1.0"], ["drone-vega"]);

    // Of a drone whose key is not in the keyring nothing is taken.
    std::fs::write(lab.file("keys"), &keys[0]).unwrap();
    lab.swarm(&["push", "--on", "drone-vega", "app-lab/multislot:1"])
        .gives(5, &["differs     drone-vega: cannot verify the signature of \"Manifest\""]);
    lab.edit_inventory(|text| text.replace("/keys\"", "/nowhere\""));
    lab.swarm(&["push", "--on", "drone-tarn"]).gives(1, &["cannot use the keyring", "/nowhere"]);
    std::fs::write(lab.file("nowhere"), &keys[0]).unwrap();
    lab.swarm(&["push", "--on", "drone-tarn"]).gives(0, &["taken up again", "1 received"]);
    assert_eq!(lab.compiled()["app-lab/multislot-1.0"], ["drone-vega", "drone-tarn"]);
}
