//! A host's installed packages as binary packages: what a driver has and a drone has not.
//!
//! Portage's own `quickpkg` packs them (a fifth of a second each, nothing is compiled), into a directory of its own.

use std::path::Path;

use super::{MARK, run};
use crate::core::package::{Cpv, PackageName};
use crate::portage::index::{Index, Limits, Stanza};
use crate::ssh::{Host, HostError, HostErrorKind, Script};

/// More of a `Packages` file (bytes) than this is not read.
const INDEX_LIMIT: u64 = 16 << 20;

/// Packages that a host has packed.
#[derive(Debug)]
pub struct Packed {
    /// Where they lie there.
    pkgdir: String,
    /// The host's own index entries of them.
    pub stanzas: Vec<Stanza>,
}

/// Lets a host pack those of these packages (name and slot) that it has installed.
///
/// # Errors
/// When the host is lost, or nothing can be packed there.
pub async fn pack(host: &dyn Host, workdir: &str, wanted: &[(PackageName, String)]) -> Result<Packed, HostError> {
    let lines: Vec<String> = wanted.iter().map(|(package, slot)| format!("{package} {slot}")).collect();
    let script =
        Script::new(include_str!("pack.sh")).set("mark", MARK).set("workdir", workdir).set("wanted", &lines.join("\n"));
    let lines = run(host, &script, "packing what drones lack").await?;
    let (pkgdir, packed) = read_packed(&lines);
    // The name is the host's word: what it removes for us later must be what it has just made.
    let Some(pkgdir) = pkgdir.filter(|pkgdir| is_below(pkgdir, workdir)) else {
        return Err(HostError::new(
            host.name(),
            HostErrorKind::Failed,
            format!("packing what drones lack: it named no directory of ours below {workdir}"),
        ));
    };
    let index = host.read(&format!("{pkgdir}/Packages"), INDEX_LIMIT).await?.unwrap_or_default();
    let index = Index::parse(&index, Limits::default())
        .map_err(|error| HostError::new(host.name(), HostErrorKind::Failed, format!("its package index: {error}")))?;
    let stanzas = index.stanzas.into_iter().filter(|stanza| packed.contains(stanza.cpv())).collect();
    Ok(Packed { pkgdir, stanzas })
}

fn is_below(pkgdir: &str, workdir: &str) -> bool {
    pkgdir
        .strip_prefix(workdir)
        .and_then(|rest| rest.strip_prefix("/pack."))
        .is_some_and(|name| !name.is_empty() && name.chars().all(|each| each.is_ascii_alphanumeric()))
}

fn read_packed(lines: &[Vec<String>]) -> (Option<String>, Vec<Cpv>) {
    let mut pkgdir = None;
    let mut packed = Vec::new();
    for line in lines {
        match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["pkgdir", path] => pkgdir = Some((*path).to_owned()),
            ["packed", _, _, cpv] => packed.extend(cpv.parse::<Cpv>()),
            _ => {}
        }
    }
    (pkgdir, packed)
}

impl Packed {
    /// Copies one of them here.
    ///
    /// # Errors
    /// When the host is lost or this side has no room.
    pub async fn collect(&self, host: &dyn Host, stanza: &Stanza, local: &Path) -> Result<(), HostError> {
        host.download(&format!("{}/{}", self.pkgdir, stanza.path()), local).await.map(drop)
    }

    /// Removes them there.
    ///
    /// # Errors
    /// When the host is lost.
    pub async fn remove(&self, host: &dyn Host) -> Result<(), HostError> {
        let script = Script::new("rm -rf \"$pkgdir\"\n").set("pkgdir", &self.pkgdir);
        run(host, &script, "removing what was packed").await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_of_the_scripts_own_making_is_ever_removed() {
        for (path, good) in [
            ("/var/lib/swarm/pack.a1B2c3", true),
            ("/var/lib/swarm/pack.", false),
            ("/var/lib/swarm/pack.a/../..", false),
            ("/etc", false),
            ("/var/lib/swarm/jobs", false),
        ] {
            assert_eq!(is_below(path, "/var/lib/swarm"), good, "{path}");
        }
    }
}
