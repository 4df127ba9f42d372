//! Packages for tests, built here as Portage builds them, and with whatever fault a test asks for.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use blake2::{Blake2b512, Digest};
use sha2::Sha512;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::hexadecimal;

/// A package in the making.
#[derive(Clone)]
pub(crate) struct Sample {
    pub directory: String,
    pub metadata: Vec<(String, Vec<u8>)>,
    pub image: Vec<u8>,
}

/// A member of a container.
#[derive(Clone)]
pub(crate) struct Member {
    pub name: String,
    pub kind: EntryType,
    pub content: Vec<u8>,
}

impl Sample {
    /// `app-lab/hello-1.0`, build 1, in slot 0, with the flag `nls`.
    pub(crate) fn hello() -> Self {
        let pairs = [
            ("BUILD_ID", "1\n"),
            ("BUILD_TIME", "1795503846\n"),
            ("CATEGORY", "app-lab\n"),
            ("CBUILD", "x86_64-pc-linux-gnu\n"),
            ("CHOST", "x86_64-pc-linux-gnu\n"),
            ("DEFINED_PHASES", "compile install\n"),
            ("EAPI", "8\n"),
            ("IUSE", "doc +nls ssl\n"),
            ("IUSE_EFFECTIVE", "amd64 doc elibc_glibc kernel_linux nls prefix ssl\n"),
            ("KEYWORDS", "amd64\n"),
            ("LICENSE", "MIT\n"),
            ("PF", "hello-1.0\n"),
            ("SLOT", "0\n"),
            ("USE", "amd64 elibc_glibc kernel_linux nls\n"),
            ("repository", "gentoo\n"),
            ("hello-1.0.ebuild", "EAPI=8\n"),
        ];
        let mut metadata: Vec<_> = pairs.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).into();
        metadata.push(("environment.bz2".to_owned(), vec![0x42, 0x5a, 0x68, 0xff, 0xfe, 0x00]));
        Self { directory: "hello-1.0-1".to_owned(), metadata, image: vec![7; 700] }
    }

    /// The same with another value of `key`, or without it.
    pub(crate) fn with(mut self, key: &str, value: Option<&str>) -> Self {
        self.metadata.retain(|(name, _)| name != key);
        self.metadata.extend(value.map(|value| (key.to_owned(), value.as_bytes().to_vec())));
        self
    }

    /// The archive of the metadata, not compressed.
    pub(crate) fn metadata_archive(&self) -> Vec<u8> {
        let members = self.metadata.iter().map(|(key, content)| Member {
            name: format!("metadata/{key}"),
            kind: EntryType::Regular,
            content: content.clone(),
        });
        archive(&members.collect::<Vec<_>>())
    }

    /// The members as Portage orders them.
    pub(crate) fn members(&self) -> Vec<Member> {
        let metadata = zstd::encode_all(self.metadata_archive().as_slice(), 1).unwrap();
        self.members_with("metadata.tar.zst", metadata)
    }

    /// The members with these bytes for metadata.
    pub(crate) fn members_with(&self, name: &str, metadata: Vec<u8>) -> Vec<Member> {
        let mut members = vec![
            self.member("gpkg-1", Vec::new()),
            self.member(name, metadata),
            self.member("image.tar.zst", self.image.clone()),
        ];
        members.push(self.member("Manifest", manifest_of(&members).into_bytes()));
        members
    }

    /// A regular file in the package's directory.
    pub(crate) fn member(&self, name: &str, content: Vec<u8>) -> Member {
        Member { name: format!("{}/{name}", self.directory), kind: EntryType::Regular, content }
    }

    /// The whole package.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        archive(&self.members())
    }
}

/// The Manifest that lists these members.
pub(crate) fn manifest_of(members: &[Member]) -> String {
    members.iter().fold(String::new(), |mut text, member| {
        let name = member.name.rsplit('/').next().unwrap();
        let (blake2b, sha512) = (Blake2b512::digest(&member.content), Sha512::digest(&member.content));
        let (blake2b, sha512) = (hexadecimal(&blake2b), hexadecimal(&sha512));
        writeln!(text, "DATA {name} {} BLAKE2B {blake2b} SHA512 {sha512}", member.content.len()).unwrap();
        text
    })
}

/// A tar of these members, filled up to the usual record of 10 KiB.
pub(crate) fn archive(members: &[Member]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for member in members {
        let mut header = Header::new_ustar();
        header.as_old_mut().name.get_mut(..member.name.len()).unwrap().copy_from_slice(member.name.as_bytes());
        header.set_mode(0o644);
        header.set_mtime(1_795_503_846);
        header.set_entry_type(member.kind);
        header.set_size(member.content.len() as u64);
        header.set_cksum();
        builder.append(&header, member.content.as_slice()).unwrap();
    }
    let mut bytes = builder.into_inner().unwrap();
    bytes.resize(bytes.len().next_multiple_of(10240), 0);
    bytes
}

/// Somebody with a key of their own.
pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new(name: &str) -> Self {
        let keys = Self(TempDir::with_prefix("swarm-key-").unwrap());
        keys.gpg(&["--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never"], b"");
        keys
    }

    /// The GnuPG home that the key is in.
    pub(crate) fn home(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home()).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("these tests need gnupg");
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The public key in a file.
    pub(crate) fn export(&self, armour: bool) -> PathBuf {
        let path = self.home().join("exported");
        let arguments: &[&str] = if armour { &["--armor", "--export"] } else { &["--export"] };
        std::fs::write(&path, self.gpg(arguments, b"")).unwrap();
        path
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        let _ = command.arg("--homedir").arg(self.home()).args(["--kill", "all"]).output();
    }
}
