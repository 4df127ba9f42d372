//! Packages are signed once, on their way into their first release.
//!
//! Signing makes another file of a package, so size, hashes and entry are derived from that file. What a package was
//! when it was received stays known with it ([`super::record`]): received again, or still in staging, it is the same
//! package, and no second file ever gets its path.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::compose::Incoming;
use super::directory::DIRECTORY_MODE;
use super::imprint;
use crate::portage::gpkg::{self, GpkgError, SignError, SignatureError, Signer};
use crate::portage::index::{DeriveError, PackagePath, Stanza};
use crate::side_by_side::{processors, side_by_side};

/// More of them at once than this only wait for gpg's agent, which holds the key.
const AT_ONCE: usize = 4;

/// Why a package cannot be signed. Completes the sentence "cannot …".
#[derive(Debug, thiserror::Error)]
#[error("release {path} signed: cannot {source}")]
pub struct SigningError {
    /// The package.
    pub path: PackagePath,
    /// Why not.
    pub source: Fault,
}

/// What is at fault.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Signing it.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Looking whether it is signed already.
    #[error(transparent)]
    Verify(#[from] SignatureError),
    /// Reading it once it is signed.
    #[error(transparent)]
    Read(#[from] GpkgError),
    /// Indexing it once it is signed.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// Input or output.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// Signs packages, several at once; the signed ones are written below `workshop`, which is made. One that carries good
/// signatures of this key already stays as it is.
///
/// # Errors
/// One cannot be signed; nothing is to be released then.
pub fn sign(signer: &Signer, packages: &[Incoming], workshop: &Path) -> Result<Vec<Incoming>, SigningError> {
    let Some(first) = packages.first() else { return Ok(Vec::new()) };
    let of = |package: &Incoming| {
        let path = package.stanza.path().clone();
        move |source| SigningError { path, source }
    };
    let keyring = keyring(signer, workshop).map_err(of(first))?;
    let work = |package: &Incoming| sign_one(signer, package, workshop, &keyring).map_err(of(package));
    side_by_side(packages, processors().min(AT_ONCE), work).into_iter().collect()
}

/// The public key, to tell what is signed already.
fn keyring(signer: &Signer, workshop: &Path) -> Result<PathBuf, Fault> {
    make_directory(workshop)?;
    let path = workshop.join("keyring");
    std::fs::write(&path, signer.public_key()?).map_err(io("write", &path))?;
    Ok(path)
}

fn sign_one(signer: &Signer, package: &Incoming, workshop: &Path, keyring: &Path) -> Result<Incoming, Fault> {
    match gpkg::verify_signature(&package.file, keyring) {
        Ok(()) => return Ok(Incoming { signed: true, ..package.clone() }),
        Err(error @ (SignatureError::Keyring { .. } | SignatureError::Run(_))) => return Err(error.into()),
        // Unsigned, or signed by another key.
        Err(_) => {}
    }
    let path = package.stanza.path();
    let file = workshop.join(path.to_string());
    if let Some(parent) = file.parent() {
        make_directory(parent)?;
    }
    signer.sign(&package.file, &file)?;
    let gpkg = gpkg::read(&file)?;
    let imprint = imprint::of(&std::fs::symlink_metadata(&file).map_err(io("read", &file))?);
    Ok(Incoming {
        stanza: Stanza::derive(&gpkg, path, imprint.modified())?,
        file,
        known: Some(imprint),
        received: package.stanza.sha1().map(str::to_owned),
        signed: true,
    })
}

fn make_directory(path: &Path) -> Result<(), Fault> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
    made.map_err(io("make", path))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Fault {
    let path = path.to_owned();
    move |source| Fault::Io { action, path, source }
}
