//! Binary packages as a drone's Portage makes them: small, real, with a Manifest that holds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use blake2::{Blake2b512, Digest};
use md5::Md5;
use sha2::Sha512;
use swarm::core::names::{BuildId, Timestamp};
use swarm::core::package::Identity;
use swarm::portage::gpkg;
use swarm::portage::index::{Index, Limits, PackagePath, Stanza};
use tar::{Builder, Header};

/// The ebuild that all packages are built from.
const EBUILD: &[u8] = b"EAPI=8\n";

/// The digest of the ebuild, as a plan has it.
pub fn ebuild_digest() -> String {
    hexadecimal(&Md5::digest(EBUILD))
}

/// A package in the making.
#[derive(Debug, Clone)]
pub struct Package {
    /// Where it belongs.
    pub path: PackagePath,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// The bytes that stand for its image.
    pub image: Vec<u8>,
}

impl Package {
    /// What a build of this identity brings.
    pub fn of(identity: &Identity, build_id: BuildId, build_time: u64) -> Self {
        let flags: Vec<&str> = identity.use_flags.iter().collect();
        let linked: Vec<String> =
            identity.linked.iter().map(|(name, slot)| format!("{name}:{}/{}=", slot.slot, slot.sub_slot)).collect();
        let mut metadata: BTreeMap<String, String> = [
            ("BUILD_ID", build_id.to_string()),
            ("BUILD_TIME", build_time.to_string()),
            ("CATEGORY", identity.cpv.category().to_owned()),
            ("CHOST", identity.chost.clone()),
            ("DEFINED_PHASES", "compile install".to_owned()),
            ("EAPI", "8".to_owned()),
            ("IUSE", "doc nls ssl".to_owned()),
            ("IUSE_EFFECTIVE", format!("doc nls ssl {}", flags.join(" "))),
            ("KEYWORDS", "amd64".to_owned()),
            ("PF", identity.cpv.pf().to_owned()),
            ("RDEPEND", linked.join(" ")),
            ("SLOT", identity.slot.to_string()),
            ("USE", flags.join(" ")),
            ("repository", identity.repository.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        metadata.extend(identity.compiler.iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        let path = PackagePath::new(identity.cpv.clone(), Some(build_id));
        Self { path, metadata, image: vec![7; 700] }
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut keys: Vec<(String, Vec<u8>)> = self
            .metadata
            .iter()
            .map(|(key, value)| (format!("metadata/{key}"), format!("{value}\n").into_bytes()))
            .collect();
        keys.push((format!("metadata/{}.ebuild", self.path.cpv().pf()), EBUILD.to_vec()));
        let metadata = zstd::encode_all(archive(&keys).as_slice(), 1).unwrap();
        let mut members =
            vec![("gpkg-1", Vec::new()), ("metadata.tar.zst", metadata), ("image.tar.zst", self.image.clone())];
        let mut manifest = String::new();
        for (name, content) in &members {
            let (blake2b, sha512) = (hexadecimal(&Blake2b512::digest(content)), hexadecimal(&Sha512::digest(content)));
            writeln!(manifest, "DATA {name} {} BLAKE2B {blake2b} SHA512 {sha512}", content.len()).unwrap();
        }
        members.push(("Manifest", manifest.into_bytes()));
        let directory = self.path.basename();
        let members: Vec<_> =
            members.into_iter().map(|(name, content)| (format!("{directory}/{name}"), content)).collect();
        archive(&members)
    }

    /// Puts it into a PKGDIR, file and index, as emerge does. Seeds of the same package leave the index.
    pub fn put_into(&self, pkgdir: &Path) {
        let file = pkgdir.join(self.path.to_string());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, self.bytes()).unwrap();
        let mut index = read_index(pkgdir);
        index.stanzas.retain(|stanza| stanza.cpv() != self.path.cpv() || stanza.md5().is_some());
        index.stanzas.push(Stanza::derive(&gpkg::read(&file).unwrap(), &self.path, Timestamp(1)).unwrap());
        std::fs::write(pkgdir.join("Packages"), index.to_text(Timestamp(1))).unwrap();
    }
}

/// The index of a PKGDIR; empty where it has none.
pub fn read_index(pkgdir: &Path) -> Index {
    let text = std::fs::read(pkgdir.join("Packages")).unwrap_or_default();
    Index::parse(&text, Limits::default()).unwrap_or_default()
}

/// A tar of these files, filled up to the usual record of 10 KiB.
fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_mode(0o644);
        header.set_mtime(1_795_503_846);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_slice()).unwrap();
    }
    let mut bytes = builder.into_inner().unwrap();
    bytes.resize(bytes.len().next_multiple_of(10240), 0);
    bytes
}

fn hexadecimal(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
