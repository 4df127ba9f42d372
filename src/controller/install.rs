//! `push --install`: the driver updates itself from what was just released.
//!
//! Where an orchestrator is the controller the driver installs from a binhost, as every client does. A controller of the
//! operator's own may serve nobody: from there the packages go to the driver as a job's needs go to a drone, by SFTP into
//! a PKGDIR of their own with an index, removed afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ControlError;
use super::planning;
use super::session::{Session, now};
use crate::inventory::Inventory;
use crate::portage::index::{Index, Stanza};
use crate::ssh::{Host, HostError, HostErrorKind, Output, Script};

/// An empty PKGDIR with these directories.
const PREPARE: &str = r#"
rm -rf "$pkgdir" && mkdir -p "$pkgdir" && cd "$pkgdir" || exit 73
printf '%s\n' "$parents" | while IFS= read -r parent; do mkdir -p "$parent" || exit 73; done
"#;

const INSTALL: &str = r#"
cd / || exit 1
export PKGDIR="$pkgdir" NOCOLOR=true EMERGE_DEFAULT_OPTS= PORTAGE_BINHOST=
# They came by SSH; who asks for signatures all the same (binpkg-request-signature) gets them checked.
export FEATURES="binpkg-ignore-signature"
emerge --ignore-default-opts --ask=n --color=n --update --deep --newuse --usepkg --getbinpkg=n \
	--binpkg-respect-use=y --with-bdeps=y @world
status=$?
rm -rf "$pkgdir"
exit "$status"
"#;

/// Carries packages of the live release to the driver and runs its world update there; gives emerge's output.
///
/// # Errors
/// When the live release cannot be read, the driver not be reached, or its emerge fails: with its last words.
pub async fn install(session: &Session, packages: Vec<Stanza>) -> Result<String, ControlError> {
    let host = planning::driver(&session.inventory, session.inventory.driver())?;
    let pkgdir = format!("{}/install", session.inventory.workdir(session.inventory.driver()));
    let header = session.releases.base()?.index.header;
    carry(session, host.as_ref(), &pkgdir, header, packages).await.map_err(fault)?;
    outcome(host.run(&Script::new(INSTALL).set("pkgdir", &pkgdir)).await.map_err(fault)?)
}

const INSTALL_FROM: &str = r#"
cd / || exit 1
export PORTAGE_BINHOST="$binhost" NOCOLOR=true EMERGE_DEFAULT_OPTS=
emerge --ignore-default-opts --ask=n --color=n --update --deep --newuse --usepkg --getbinpkg \
	--binpkg-respect-use=y --with-bdeps=y @world
"#;

/// Lets the driver update its world from a binhost, by its URL; gives emerge's output.
///
/// # Errors
/// When the driver cannot be reached, or its emerge fails: with its last words.
pub async fn install_from(inventory: &Inventory, binhost: &str) -> Result<String, ControlError> {
    let host = planning::driver_here(inventory)?;
    outcome(host.run(&Script::new(INSTALL_FROM).set("binhost", binhost)).await.map_err(fault)?)
}

fn outcome(output: Output) -> Result<String, ControlError> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status == 0 {
        return Ok(said);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(ControlError::Refused(format!(
        "the packages are live, but `emerge -uDN @world` on the driver ended with status {}:\n{}",
        output.status,
        words.trim()
    )))
}

fn fault(error: HostError) -> ControlError {
    ControlError::Refused(format!("cannot install on the driver: {error}"))
}

async fn carry(
    session: &Session,
    host: &dyn Host,
    pkgdir: &str,
    header: BTreeMap<String, String>,
    packages: Vec<Stanza>,
) -> Result<(), HostError> {
    let parents: BTreeSet<&str> = packages.iter().map(|stanza| stanza.cpv().package()).collect();
    let parents = parents.into_iter().collect::<Vec<_>>().join("\n");
    let output = host.run(&Script::new(PREPARE).set("pkgdir", pkgdir).set("parents", &parents)).await?;
    if output.status != 0 {
        let message = format!("making {pkgdir}: {}", String::from_utf8_lossy(&output.stderr).trim());
        return Err(HostError { host: host.name().clone(), kind: HostErrorKind::Failed, message });
    }
    let live = &session.inventory.swarm.production;
    for stanza in &packages {
        host.upload(&live.join(stanza.path().to_string()), &format!("{pkgdir}/{}", stanza.path()), 0o644).await?;
    }
    let text = Index { header, stanzas: packages, ..Index::default() }.to_text(now());
    host.write(&format!("{pkgdir}/Packages"), text.as_bytes(), 0o644).await
}
