//! `emaint binhost --fix` of a real Portage, the one that `tests/lab/setup` installs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Portage with settings of its own, whose PKGDIR is anywhere.
pub struct Emaint {
    program: PathBuf,
    directory: tempfile::TempDir,
}

impl Emaint {
    /// None where it is not installed here.
    pub fn find() -> Option<Self> {
        let program = installed().join("bin/emaint");
        if !program.exists() {
            println!("no {}: tests/lab/setup brings it", program.display());
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        configure(directory.path());
        Some(Self { program, directory })
    }

    /// Writes the index of these packages.
    pub fn fix(&self, pkgdir: &Path) {
        let mut command = Command::new(&self.program);
        command.args(["binhost", "--fix"]).env("PORTAGE_CONFIGROOT", self.directory.path()).env("PKGDIR", pkgdir);
        command.envs([("PORTAGE_USERNAME", "root"), ("PORTAGE_GRPNAME", "root"), ("NOCOLOR", "true")]);
        let output = command.output().expect("emaint runs");
        assert!(
            output.status.success() && pkgdir.join("Packages").exists(),
            "emaint: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Where `tests/lab/setup` puts the version that it pins.
fn installed() -> PathBuf {
    let common = include_str!("../../tests/lab/lib/common.sh");
    let version = common.lines().find_map(|line| line.strip_prefix("PORTAGE_VERSION=")).expect("a version is pinned");
    let cache = std::env::var_os("SWARM_LAB_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| PathBuf::from("/var/cache"), PathBuf::from);
        caches.join("swarm-lab")
    });
    cache.join(format!("portage-{version}"))
}

/// The least that Portage begins with: a repository without an ebuild, and a profile in it.
fn configure(root: &Path) {
    let repository = root.join("repository");
    let files = [
        ("repository/profiles/repo_name", "gentoo\n".to_owned()),
        ("repository/profiles/arch.list", "amd64\n".to_owned()),
        ("repository/profiles/base/eapi", "8\n".to_owned()),
        (
            "repository/profiles/base/make.defaults",
            "ARCH=\"amd64\"\nACCEPT_KEYWORDS=\"amd64\"\nCHOST=\"x86_64-pc-linux-gnu\"\n".to_owned(),
        ),
        ("repository/metadata/layout.conf", "masters =\nprofile-formats = portage-2\n".to_owned()),
        (
            "etc/portage/repos.conf",
            format!("[DEFAULT]\nmain-repo = gentoo\n[gentoo]\nlocation = {}\n", repository.display()),
        ),
        ("etc/portage/make.conf", "BINPKG_FORMAT=\"gpkg\"\n".to_owned()),
    ];
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("the directory is made");
        fs::write(path, text).expect("the file is written");
    }
    let profile = root.join("etc/portage/make.profile");
    std::os::unix::fs::symlink(repository.join("profiles/base"), profile).expect("the link is made");
}
