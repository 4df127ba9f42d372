//! Signatures of packages, checked by `gpg` against a keyring that the operator names.
//!
//! A signed GPKG has a clear-signed Manifest and a detached signature beside each archive (GLEP 78). All of them have to
//! be good: the Manifest's would be enough to know where the package comes from, but a client asks for the others too.
//! `gpg` runs in a private, empty home with nothing but that keyring, so that no other key of this machine counts; the
//! keys in it are the trusted ones, which is why its own trust model is switched off.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::gpg::{Fed, last_line};
use super::manifest::{Manifest, ManifestFault};
use super::tar_reader::{TarFault, TarReader};
use super::{MANIFEST, MARK};

/// The largest signature or Manifest that is held in memory.
const SMALL: u64 = 1024 * 1024;

/// A keybox file, GnuPG's own form of a keyring, has this from its ninth byte on; anything else is imported first.
const KEYBOX: &[u8] = b"KBXf";

/// Why a package's origin is not proven.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// No signature at all.
    #[error(
        "verify its signature: it has none; build with FEATURES=\"binpkg-signing\" or leave out verify_keyring in the \
         inventory"
    )]
    Unsigned,
    /// A member without a signature in a package that is signed otherwise.
    #[error("verify its signature: {0:?} has none")]
    Missing(String),
    /// A signature that is not good, or is by a key that is not in the keyring.
    #[error("verify the signature of {member:?}: {said}")]
    Bad {
        /// The member.
        member: String,
        /// What gpg says.
        said: String,
    },
    /// The keyring is of no use.
    #[error("use the keyring {path}: {said}")]
    Keyring {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        said: String,
    },
    /// `gpg` cannot be run, or the file cannot be read.
    #[error("verify its signature with gpg (is it installed?): {0}")]
    Run(#[from] io::Error),
    /// The container is no proper tar archive.
    #[error("verify its signature: {0}")]
    Container(#[from] TarFault),
    /// The signed Manifest cannot be read.
    #[error("verify its signature: {0}")]
    Manifest(#[from] ManifestFault),
}

/// Checks every signature of the package at `path` against `keyring`: a keybox, a file of exported keys (armoured or
/// not), or a GnuPG home. That the members are what the Manifest says is for [`super::read`] to find out.
///
/// # Errors
/// A signature is missing, or not good by that keyring; `gpg`, the keyring or the package is of no use.
pub fn verify_signature(path: &Path, keyring: &Path) -> Result<(), SignatureError> {
    let small = small_members(path)?;
    let manifest = small.get(MANIFEST).ok_or(SignatureError::Unsigned)?;
    let listed = Manifest::parse(manifest)?;
    if !listed.signed {
        return Err(SignatureError::Unsigned);
    }
    let gpg = Gpg::with(keyring)?;
    let covered = gpg.verify_clear_signed(MANIFEST, manifest)?;
    if Manifest::parse(&covered)?.records != listed.records {
        return Err(SignatureError::Manifest(ManifestFault::Signature));
    }
    let mut reader = TarReader::new(fs_err::File::open(path)?);
    while let Some(entry) = reader.next_entry()? {
        let name = last_part(&entry.name);
        if [MANIFEST, MARK].contains(&name.as_str()) || name.ends_with(".sig") {
            reader.content(entry.size, |_| ())?;
            continue;
        }
        let signature = small.get(&format!("{name}.sig")).ok_or_else(|| SignatureError::Missing(name.clone()))?;
        let mut check = gpg.check_detached(&name, signature)?;
        reader.content(entry.size, |piece| check.gpg.update(piece))?;
        check.finish()?;
    }
    Ok(())
}

/// The Manifest and the signatures, which lie behind what they are about.
fn small_members(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, SignatureError> {
    let mut small = BTreeMap::new();
    let mut reader = TarReader::new(fs_err::File::open(path)?);
    while let Some(entry) = reader.next_entry()? {
        let name = last_part(&entry.name);
        let wanted = (name == MANIFEST || name.ends_with(".sig")) && entry.size <= SMALL;
        let mut kept = Vec::new();
        reader.content(entry.size, |piece| {
            if wanted {
                kept.extend_from_slice(piece)
            }
        })?;
        if wanted {
            small.insert(name, kept);
        }
    }
    Ok(small)
}

fn last_part(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

/// `gpg` with one keyring.
struct Gpg {
    home: TempDir,
    keyring: PathBuf,
}

impl Gpg {
    fn with(given: &Path) -> Result<Self, SignatureError> {
        let home = TempDir::with_prefix("swarm-gpg-")?;
        let fault = |said: String| SignatureError::Keyring { path: given.to_owned(), said };
        let file = if given.is_dir() {
            let candidates = ["pubring.kbx", "pubring.gpg"].map(|name| given.join(name));
            candidates
                .into_iter()
                .find(|file| file.is_file())
                .ok_or_else(|| fault("no pubring.kbx in it".to_owned()))?
        } else {
            given.to_owned()
        };
        let file = fs_err::canonicalize(file).map_err(|error| fault(error.to_string()))?;
        let mut start = [0; 12];
        let mut opened = fs_err::File::open(&file).map_err(|error| fault(error.to_string()))?;
        if opened.read_exact(&mut start).is_ok() && start.ends_with(KEYBOX) {
            return Ok(Self { home, keyring: file });
        }
        let keyring = home.path().join("keyring.kbx");
        let gpg = Self { home, keyring };
        let output = gpg.command().arg("--import").arg("--").arg(&file).stdin(Stdio::null()).output()?;
        if output.status.success() { Ok(gpg) } else { Err(fault(last_line(&output.stderr))) }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("LC_ALL", "C").env_remove("GNUPGHOME").arg("--homedir").arg(self.home.path());
        command.args(["--batch", "--no-tty", "--no-auto-check-trustdb", "--trust-model", "always", "--status-fd", "1"]);
        command.args(["--no-default-keyring", "--keyring"]).arg(&self.keyring);
        command
    }

    /// What a clear-signed message covers, if its signature is good.
    fn verify_clear_signed(&self, member: &str, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let covered = self.home.path().join("covered");
        let signed = self.home.path().join("signed");
        fs_err::write(&signed, message)?;
        let mut command = self.command();
        command.arg("--output").arg(&covered).arg("--verify").arg("--").arg(&signed);
        let output = command.stdin(Stdio::null()).output()?;
        judge(member, output.status.success(), &output.stdout, &output.stderr)?;
        Ok(fs_err::read(&covered)?)
    }

    fn check_detached(&self, member: &str, signature: &[u8]) -> Result<Check, SignatureError> {
        let file = self.home.path().join("signature");
        fs_err::write(&file, signature)?;
        let mut command = self.command();
        command.arg("--verify").arg("--").arg(&file).arg("-");
        Ok(Check { member: member.to_owned(), gpg: Fed::start(&mut command)? })
    }
}

/// A check that is under way.
struct Check {
    member: String,
    gpg: Fed,
}

impl Check {
    fn finish(self) -> Result<(), SignatureError> {
        let output = self.gpg.finish()?;
        judge(&self.member, output.status.success(), &output.stdout, &output.stderr)
    }
}

/// Reads the status lines (`doc/DETAILS` of GnuPG): success needs a good signature and no other one.
fn judge(member: &str, succeeded: bool, status: &[u8], said: &[u8]) -> Result<(), SignatureError> {
    let status = String::from_utf8_lossy(status);
    let keywords: Vec<&str> =
        status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")?.split(' ').next()).collect();
    let spoiling = ["BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NO_PUBKEY", "NODATA"];
    let good = succeeded
        && keywords.contains(&"GOODSIG")
        && keywords.contains(&"VALIDSIG")
        && !keywords.iter().any(|keyword| spoiling.contains(keyword));
    if good { Ok(()) } else { Err(SignatureError::Bad { member: member.to_owned(), said: last_line(said) }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::gpkg::read;
    use crate::portage::gpkg::sample::{Keys, Member, Sample, archive, manifest_of};

    fn members(by: &Keys) -> Vec<Member> {
        let sample = Sample::hello();
        let mut members = Vec::new();
        for member in sample.members().into_iter().take(3) {
            let signature = by.gpg(&["--detach-sign"], &member.content);
            let name = format!("{}.sig", last_part(member.name.as_bytes()));
            let is_mark = name == "gpkg-1.sig";
            members.push(member);
            if !is_mark {
                members.push(sample.member(&name, signature));
            }
        }
        let listing = by.gpg(&["--clear-sign"], manifest_of(&members).as_bytes());
        members.push(sample.member("Manifest", listing));
        members
    }

    #[test]
    fn every_signature_has_to_be_good_and_by_a_key_of_the_keyring() {
        let (signer, stranger) = (Keys::new("signer@lab.invalid"), Keys::new("stranger@lab.invalid"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hello-1.0-1.gpkg.tar");
        let verify = |members: &[Member], keyring: &Path| {
            fs_err::write(&path, archive(members)).unwrap();
            verify_signature(&path, keyring).map_err(|error| error.to_string())
        };
        let members = members(&signer);
        for keyring in
            [signer.export(true), signer.export(false), signer.home().join("pubring.kbx"), signer.home().into()]
        {
            assert_eq!(verify(&members, &keyring), Ok(()), "{}", keyring.display());
        }
        assert!(read(&path).unwrap().signed);

        let keyring = signer.export(true);
        let said = verify(&members, &stranger.export(true)).unwrap_err();
        assert!(said.contains("\"Manifest\"") && said.contains("No public key"), "{said}");

        let unsigned = verify(&Sample::hello().members(), &keyring).unwrap_err();
        assert!(unsigned.contains("binpkg-signing"), "{unsigned}");

        // Members in the order gpkg-1, metadata, its signature, image, its signature, Manifest.
        let mut image = members.clone();
        image[3].content[9] ^= 1;
        let said = verify(&image, &keyring).unwrap_err();
        assert!(said.contains("\"image.tar.zst\"") && said.contains("BAD signature"), "{said}");

        let mut by_stranger = members.clone();
        by_stranger[2].content = stranger.gpg(&["--detach-sign"], &members[1].content);
        assert!(verify(&by_stranger, &keyring).unwrap_err().contains("\"metadata.tar.zst\""));

        let mut without = members.clone();
        without.remove(4);
        assert_eq!(verify(&without, &keyring).unwrap_err(), "verify its signature: \"image.tar.zst\" has none");

        let mut listing = members.clone();
        let text = String::from_utf8(listing[5].content.clone()).unwrap();
        listing[5].content = text.replacen("DATA gpkg-1 0", "DATA gpkg-1 1", 1).into_bytes();
        assert!(verify(&listing, &keyring).unwrap_err().contains("BAD signature"));

        let nothing = verify(&members, &directory.path().join("none")).unwrap_err();
        assert!(nothing.starts_with("use the keyring") && nothing.contains("none"), "{nothing}");
        fs_err::write(directory.path().join("noise"), "noise").unwrap();
        assert!(verify(&members, &directory.path().join("noise")).unwrap_err().starts_with("use the keyring"));
    }
}
