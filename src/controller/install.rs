//! `push --install`: the driver updates itself from what was just released.
//!
//! Until orchestrators serve binhosts, the packages go to the driver as a job's needs go to a drone: by SFTP into a
//! PKGDIR of their own with an index, removed afterwards.

use super::error::ControlError;
use super::planning;
use super::session::{Session, now};
use crate::portage::index::Index;
use crate::release::Contents;
use crate::ssh::{HostError, Script};

const SCRIPT: &str = r#"
cd / || exit 1
export PKGDIR="$pkgdir" NOCOLOR=true EMERGE_DEFAULT_OPTS= PORTAGE_BINHOST=
emerge --ignore-default-opts --ask=n --color=n --update --deep --newuse --usepkg --getbinpkg=n \
	--binpkg-respect-use=y --with-bdeps=y @world
status=$?
rm -rf "$pkgdir"
exit "$status"
"#;

/// Carries the added packages to the driver and runs its world update there; gives emerge's output.
///
/// # Errors
/// When the driver cannot be reached, or its emerge fails: with its last words.
pub async fn install(session: &Session, contents: &Contents) -> Result<String, ControlError> {
    let host = planning::driver(&session.inventory)?;
    let fault = |error: HostError| ControlError::Refused(format!("cannot install on the driver: {error}"));
    let workdir =
        session.inventory.host(session.inventory.driver()).map(|host| host.access.workdir.as_str().to_owned());
    let pkgdir = format!("{}/install", workdir.unwrap_or_else(|| "/var/lib/swarm".to_owned()));
    let live = session.inventory.swarm.production.clone();
    for path in &contents.added {
        host.upload(&live.join(path.to_string()), &format!("{pkgdir}/{path}"), 0o644).await.map_err(fault)?;
    }
    let added = contents.index.stanzas.iter().filter(|stanza| contents.added.contains(stanza.path()));
    let stanzas = added.cloned().collect();
    let index = Index { header: contents.index.header.clone(), stanzas, ..Index::default() };
    let text = index.to_text(now());
    host.write(&format!("{pkgdir}/Packages"), text.as_bytes(), 0o644).await.map_err(fault)?;
    let output = host.run(&Script::new(SCRIPT).set("pkgdir", &pkgdir)).await.map_err(fault)?;
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
