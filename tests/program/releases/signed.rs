//! What is released is signed, once.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use swarm::core::plan::EdgeKind;
use swarm::portage::gpkg;
use tempfile::TempDir;

use super::farm::{Farm, Ran, wanted};

const KEY: &str = "binhost@lab.invalid";

/// The operator's GnuPG home, with a key that has no passphrase.
struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        keys.gpg(&["--passphrase", "", "--quick-generate-key", KEY, "ed25519", "sign", "never"]);
        keys
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.0.path()).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn swarm(&self, farm: &Farm, arguments: &[&str]) -> Ran {
        Ran::of(&farm.command(arguments).env("GNUPGHOME", self.0.path()).output().unwrap())
    }

    /// Whether a package carries good signatures of the key.
    fn signed(&self, file: &Path) -> bool {
        let keyring = self.0.path().join("public");
        std::fs::File::create(&keyring).unwrap().write_all(&self.gpg(&["--export", KEY])).unwrap();
        gpkg::verify_signature(file, &keyring).is_ok()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        let _ = command.arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).output();
    }
}

#[test]
fn a_package_is_signed_on_its_way_into_its_first_release_and_never_again() {
    let (farm, keys) = (Farm::new(""), Keys::new());
    farm.release(&[wanted("app-lab/old-1.0", 1)]);
    let with_key = format!("signing_key = '{KEY}'\nkeep = 1");
    farm.write_inventory(&with_key);
    let build = [
        wanted("app-lab/foo-1.0", 1),
        wanted("app-lab/missing-1.0", 1).missing(),
        wanted("app-lab/bar-1.0", 1).needs(1, EdgeKind::Runtime),
    ];
    farm.build(&build);
    keys.swarm(&farm, &["finalize", "--partial"]).gives(
        0,
        &[
            "1 packages are signed with the key binhost@lab.invalid",
            "1 packages are not signed: they were released before `signing_key` was set",
        ],
    );
    let foo = farm.live("app-lab/foo/foo-1.0-1.gpkg.tar");
    assert!(keys.signed(&foo) && !keys.signed(&farm.live("app-lab/old/old-1.0-1.gpkg.tar")));
    // What waits in staging for the rest of the build is as it was received.
    assert!(!keys.signed(&farm.path("staging/app-lab/foo/foo-1.0-1.gpkg.tar")));
    farm.swarm(&["verify"]).gives(0, &["2 packages"]);
    let once = std::fs::read(&foo).unwrap();

    // With what comes later it is the same file, whatever is between: a roll-back, another release, a pruning.
    farm.swarm(&["rollback"]).gives(0, &["000001-000001"]);
    assert_eq!(farm.listed(), ["app-lab/old/old-1.0-1.gpkg.tar"]);
    let whole = [wanted("app-lab/foo-1.0", 1), wanted("app-lab/missing-1.0", 1), build[2].clone()];
    farm.build(&whole);
    keys.swarm(&farm, &["finalize"]).gives(0, &["2 packages are signed", "is live: 4 packages"]);
    assert!(std::fs::read(&foo).unwrap() == once);
    assert!(keys.signed(&farm.live("app-lab/bar/bar-1.0-1.gpkg.tar")));
    farm.swarm(&["prune"]).gives(0, &["2 releases are kept"]);
    farm.build(&[wanted("app-lab/foo-1.0", 1), wanted("app-lab/new-1.0", 1)]);
    keys.swarm(&farm, &["finalize"]).gives(0, &["1 packages are signed", "is live: 5 packages, 1 new"]);
    assert!(std::fs::read(&foo).unwrap() == once);
    farm.swarm(&["verify"]).gives(0, &["5 packages", "every file"]);
    assert!(!farm.path("production.releases/.new-signed").exists());

    // A key that is not there stops the release before anything has changed.
    farm.write_inventory("signing_key = 'nobody@lab.invalid'");
    farm.build(&[wanted("app-lab/more-1.0", 1)]);
    keys.swarm(&farm, &["finalize"])
        .gives(1, &["cannot release app-lab/more/more-1.0-1.gpkg.tar signed", "nobody@lab.invalid"]);
    assert_eq!(farm.listed().len(), 5);
    // Without one it goes live as it is.
    farm.write_inventory("");
    farm.swarm(&["finalize"]).gives(0, &["is live: 6 packages"]);
    assert!(!keys.signed(&farm.live("app-lab/more/more-1.0-1.gpkg.tar")) && keys.signed(&foo));
}
