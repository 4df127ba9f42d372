//! Signs packages with the operator's key, as Portage does it.
//!
//! Behind each archive comes a detached signature of it (`NAME.sig`, armoured), and the Manifest, which lists those too,
//! is clear-signed (GLEP 78; `portage.gpkg.gpkg.update_signature` of Portage 3.0). Signatures that are there already go.
//! The archives pass through once, are hashed on the way and held against the Manifest that they came with, so that
//! nothing is signed that is not what its maker said. `gpg` is the operator's, with its own home: `GNUPGHOME`, else
//! `~/.gnupg`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tar::Header;

use super::gpg::{Fed, last_line};
use super::manifest::{Manifest, ManifestFault};
use super::tar_reader::{Entry, TarFault, TarReader};
use super::{MANIFEST, MANIFEST_LIMIT, MARK, MemberHash, Seen};

/// Tar archives are made of blocks of so many bytes, and filled up to a whole record.
const BLOCK: usize = 512;
const RECORD: u64 = 10 * 1024;

/// Why a package was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// `gpg` does not sign.
    #[error(
        "sign with the key {key}: {said}; `gpg --list-secret-keys` shows which there are, GNUPGHOME says where, and one \
         with a passphrase wants a running gpg-agent that knows it"
    )]
    Key {
        /// The key, as the inventory names it.
        key: String,
        /// What gpg says.
        said: String,
    },
    /// `gpg` cannot be run at all.
    #[error("run gpg (is it installed?): {0}")]
    Run(#[source] io::Error),
    /// A file could not be read or written.
    #[error("write the signed package {}: {source}", path.display())]
    Write {
        /// The signed package.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The package cannot be read.
    #[error("sign the package: {0}")]
    Read(#[from] io::Error),
    /// The container is no proper tar archive.
    #[error("sign the package: {0}")]
    Container(#[from] TarFault),
    /// The Manifest cannot be read.
    #[error("sign the package: {0}")]
    Manifest(#[from] ManifestFault),
    /// An archive is not what the package's own Manifest says.
    #[error("sign {0:?}: it is not what the package's Manifest says")]
    Changed(String),
    /// A name that no package has.
    #[error("sign {0:?}: that is no name of a member of a GPKG")]
    Name(String),
}

/// Signs with one key.
#[derive(Debug, Clone)]
pub struct Signer {
    key: String,
    home: Option<PathBuf>,
}

impl Signer {
    /// One that signs with this key, named as `gpg --local-user` takes it.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), home: None }
    }

    /// The same with another home than the operator's.
    #[cfg(test)]
    pub(crate) fn at(mut self, home: &Path) -> Self {
        self.home = Some(home.to_owned());
        self
    }

    /// The key, as it was named.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The public half of the key, for whoever verifies.
    ///
    /// # Errors
    /// `gpg` has no such key.
    pub fn public_key(&self) -> Result<Vec<u8>, SignError> {
        let output = self.gpg().arg("--export").arg(&self.key).stdin(Stdio::null()).output().map_err(SignError::Run)?;
        if output.status.success() && !output.stdout.is_empty() {
            Ok(output.stdout)
        } else {
            Err(SignError::Key { key: self.key.clone(), said: last_line(&output.stderr) })
        }
    }

    /// Writes the package at `source` to `target`, which must not be there yet, with all the signatures that a client
    /// asks for. It is on the disk when this returns; its name need not be.
    ///
    /// # Errors
    /// `gpg` does not sign, the package is damaged, or it cannot be read or written. What is at `target` then is no
    /// package.
    pub fn sign(&self, source: &Path, target: &Path) -> Result<(), SignError> {
        let file = fs_err::File::open(source)?;
        let mtime = file.metadata()?.modified()?;
        let seconds = mtime.duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let failed = |source| SignError::Write { path: target.to_owned(), source };
        let out = File::create_new(target).map_err(failed)?;
        let mut archive = Archive { out: BufWriter::new(out), written: 0, mtime: seconds, failed: None };
        self.sign_into(file, &mut archive)?;
        let out = archive.end().map_err(failed)?;
        out.set_modified(mtime).and_then(|()| out.sync_all()).map_err(failed)
    }

    fn sign_into(&self, source: impl io::Read, archive: &mut Archive) -> Result<(), SignError> {
        let mut reader = TarReader::new(source);
        let mut members: Vec<(String, Seen)> = Vec::new();
        let mut listing = Vec::new();
        let mut directory = String::new();
        while let Some(entry) = reader.next_entry()? {
            let (own, name) = names(&entry)?;
            directory = own;
            if name == MANIFEST && entry.size <= MANIFEST_LIMIT {
                reader.content(entry.size, |piece| listing.extend_from_slice(piece))?;
                continue;
            }
            if name == MANIFEST || name.ends_with(".sig") {
                reader.content(entry.size, |_| ())?;
                continue;
            }
            archive.header(&format!("{directory}/{name}"), entry.size)?;
            let mut signing = if name == MARK { None } else { Some(self.start("--detach-sign")?) };
            let mut hash = MemberHash::default();
            reader.content(entry.size, |piece| {
                hash.update(piece);
                archive.write(piece);
                if let Some(signing) = &mut signing {
                    signing.update(piece);
                }
            })?;
            archive.padding();
            members.push((name.clone(), hash.finish()));
            if let Some(signing) = signing {
                let (name, signature) = (format!("{name}.sig"), self.signed(signing)?);
                archive.member(&format!("{directory}/{name}"), &signature)?;
                members.push((name, MemberHash::of(&signature)));
            }
        }
        hold_against(&Manifest::parse(&listing)?, &members)?;
        let lines = members
            .iter()
            .map(|(name, seen)| format!("DATA {name} {} BLAKE2B {} SHA512 {}\n", seen.size, seen.blake2b, seen.sha512));
        let mut signing = self.start("--clear-sign")?;
        lines.for_each(|line| signing.update(line.as_bytes()));
        archive.member(&format!("{directory}/{MANIFEST}"), &self.signed(signing)?)
    }

    fn gpg(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("LC_ALL", "C").args(["--batch", "--no-tty", "--quiet"]);
        if let Some(home) = &self.home {
            command.arg("--homedir").arg(home);
        }
        command
    }

    fn start(&self, how: &str) -> Result<Fed, SignError> {
        let mut command = self.gpg();
        command.args(["--digest-algo", "SHA512", "--armor", "--local-user"]).arg(&self.key).arg(how);
        Fed::start(&mut command).map_err(SignError::Run)
    }

    fn signed(&self, signing: Fed) -> Result<Vec<u8>, SignError> {
        let output = signing.finish().map_err(SignError::Run)?;
        if output.status.success() && !output.stdout.is_empty() {
            Ok(output.stdout)
        } else {
            Err(SignError::Key { key: self.key.clone(), said: last_line(&output.stderr) })
        }
    }
}

/// The directory and the name of a member.
fn names(entry: &Entry) -> Result<(String, String), SignError> {
    let name = String::from_utf8_lossy(&entry.name).into_owned();
    let parts = name.split_once('/').filter(|(directory, name)| !directory.is_empty() && !name.contains('/'));
    let parts = parts.map(|(directory, name)| (directory.to_owned(), name.to_owned()));
    parts.ok_or(SignError::Name(name))
}

/// Everything but signatures has to be what the package's own Manifest says, and all of it has to be there.
fn hold_against(listed: &Manifest, members: &[(String, Seen)]) -> Result<(), SignError> {
    let own = || members.iter().filter(|(name, _)| !name.ends_with(".sig"));
    for (name, record) in listed.records.iter().filter(|(name, _)| !name.ends_with(".sig")) {
        let is_same =
            |seen: &Seen| (seen.size, &seen.blake2b, &seen.sha512) == (record.size, &record.blake2b, &record.sha512);
        if !own().any(|(other, seen)| other == name && is_same(seen)) {
            return Err(SignError::Changed(name.clone()));
        }
    }
    match own().find(|(name, _)| !listed.records.contains_key(name)) {
        Some((name, _)) => Err(SignError::Changed(name.clone())),
        None => Ok(()),
    }
}

/// A tar archive that is being written. What fails is told at its end: what is read goes on in the meantime.
struct Archive {
    out: BufWriter<File>,
    written: u64,
    mtime: u64,
    failed: Option<io::Error>,
}

impl Archive {
    fn header(&mut self, name: &str, size: u64) -> Result<(), SignError> {
        let mut header = Header::new_ustar();
        header.set_path(name).map_err(|_| SignError::Name(name.to_owned()))?;
        header.set_mode(0o644);
        header.set_mtime(self.mtime);
        header.set_size(size);
        header.set_cksum();
        self.write(header.as_bytes());
        Ok(())
    }

    fn member(&mut self, name: &str, content: &[u8]) -> Result<(), SignError> {
        self.header(name, content.len() as u64)?;
        self.write(content);
        self.padding();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(bytes).err();
        }
        self.written += bytes.len() as u64;
    }

    fn padding(&mut self) {
        let over = usize::try_from(self.written % BLOCK as u64).unwrap_or(0);
        let zeros = [0; BLOCK];
        self.write(zeros.get(..(BLOCK - over) % BLOCK).unwrap_or_default());
    }

    fn end(mut self) -> io::Result<File> {
        let zeros = [0; BLOCK];
        self.write(&zeros);
        self.write(&zeros);
        while !self.written.is_multiple_of(RECORD) {
            self.write(&zeros);
        }
        match self.failed {
            Some(error) => Err(error),
            None => self.out.into_inner().map_err(io::IntoInnerError::into_error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Keys, Sample, archive};
    use super::*;
    use crate::portage::gpkg::{read, verify_signature};

    #[test]
    fn a_signed_package_is_the_same_one_with_signatures_that_hold() {
        let keys = Keys::new("binhost@lab.invalid");
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut sample = Sample::hello();
        // More than a pipe holds, and not a whole number of blocks.
        sample.image = (0..3_000_001_u32).map(|number| number.to_le_bytes()[0]).collect();
        fs_err::write(at("unsigned"), sample.bytes()).unwrap();
        let signer = Signer::new("binhost@lab.invalid").at(keys.home());
        signer.sign(&at("unsigned"), &at("signed")).unwrap();
        let keyring = at("keyring");
        fs_err::write(&keyring, signer.public_key().unwrap()).unwrap();
        verify_signature(&at("signed"), &keyring).unwrap();
        let (before, after) = (read(&at("unsigned")).unwrap(), read(&at("signed")).unwrap());
        assert!(after.signed && !before.signed);
        assert_eq!(
            (after.metadata, after.ebuild_md5, after.basename),
            (before.metadata, before.ebuild_md5, before.basename)
        );
        assert!(after.size.is_multiple_of(10_240) && after.size >= before.size);
        let modified = |name: &str| fs_err::metadata(at(name)).unwrap().modified().unwrap();
        assert_eq!(modified("signed"), modified("unsigned"));

        // Signatures of another key give way.
        let stranger = Keys::new("drone@lab.invalid");
        Signer::new("drone@lab.invalid").at(stranger.home()).sign(&at("unsigned"), &at("by-drone")).unwrap();
        assert!(verify_signature(&at("by-drone"), &keyring).is_err());
        signer.sign(&at("by-drone"), &at("again")).unwrap();
        verify_signature(&at("again"), &keyring).unwrap();
        assert_eq!(read(&at("again")).unwrap().metadata, read(&at("signed")).unwrap().metadata);
        let error = signer.sign(&at("unsigned"), &at("again")).unwrap_err();
        assert!(matches!(error, SignError::Write { .. }), "{error}");
    }

    #[test]
    fn what_is_not_what_its_manifest_says_is_not_signed() {
        let keys = Keys::new("binhost@lab.invalid");
        let signer = Signer::new("binhost@lab.invalid").at(keys.home());
        let directory = tempfile::tempdir().unwrap();
        let sign = |bytes: &[u8], number: &str| {
            fs_err::write(directory.path().join("package"), bytes).unwrap();
            signer.sign(&directory.path().join("package"), &directory.path().join(number)).unwrap_err().to_string()
        };
        let members = Sample::hello().members();
        let mut image = members.clone();
        image[2].content[9] ^= 1;
        assert_eq!(sign(&archive(&image), "1"), "sign \"image.tar.zst\": it is not what the package's Manifest says");
        assert_eq!(sign(&archive(&[&members[..2], &members[3..]].concat()), "2"), sign(&archive(&image), "3"));
        let mut more = members.clone();
        more.insert(1, Sample::hello().member("more", Vec::new()));
        assert!(sign(&archive(&more), "4").contains("\"more\""));
        assert!(sign(&archive(&members)[..2000], "5").contains("cut short"));

        let unknown = Signer::new("nobody@lab.invalid").at(keys.home());
        let target = directory.path().join("6");
        fs_err::write(directory.path().join("package"), archive(&members)).unwrap();
        let error = unknown.sign(&directory.path().join("package"), &target).unwrap_err().to_string();
        assert!(error.contains("nobody@lab.invalid") && error.contains("No secret key"), "{error}");
        assert!(unknown.public_key().is_err());
    }
}
