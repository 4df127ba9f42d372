//! Packages as Portage builds them, and every way to be none: each fault has its message.

use std::io::Write;

use proptest::prelude::*;
use tar::EntryType;

use super::sample::{Member, Sample, archive, manifest_of};
use super::*;

fn read_bytes(bytes: &[u8]) -> Result<Gpkg, GpkgError> {
    read_from(bytes)
}

fn fault_of(members: &[Member]) -> String {
    read_bytes(&archive(members)).unwrap_err().to_string()
}

/// The members with a Manifest that fits whatever a test did to the others.
fn listed(mut members: Vec<Member>) -> Vec<Member> {
    let at = members.iter().position(|member| member.name.ends_with("/Manifest")).unwrap();
    let manifest = members.remove(at);
    let content = manifest_of(&members).into_bytes();
    members.push(Member { content, ..manifest });
    members
}

#[test]
fn a_package_yields_its_metadata_and_the_hashes_of_its_bytes() {
    let bytes = Sample::hello().bytes();
    let gpkg = read_bytes(&bytes).unwrap();
    assert_eq!((gpkg.basename.as_str(), gpkg.size, gpkg.signed), ("hello-1.0-1", bytes.len() as u64, false));
    assert_eq!(gpkg.md5, hexadecimal(&Md5::digest(&bytes)));
    assert_eq!(gpkg.sha1, hexadecimal(&Sha1::digest(&bytes)));
    assert_eq!(gpkg.ebuild_md5, Some(hexadecimal(&Md5::digest(b"EAPI=8\n"))));
    assert_eq!(gpkg.metadata.get("IUSE"), Some("doc +nls ssl"));
    assert_eq!(gpkg.metadata.get("repository"), Some("gentoo"));
    assert_eq!(gpkg.metadata.get("environment.bz2"), None);
    assert_eq!(gpkg.cpv().unwrap().as_str(), "app-lab/hello-1.0");
    assert_eq!(gpkg.build_id().unwrap(), Some(BuildId(1)));
}

/// `content` in every form that is read, with the member's name.
fn compressed(content: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(content).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(content).unwrap();
    [
        ("metadata.tar.zst", zstd::encode_all(content, 1).unwrap()),
        ("metadata.tar.gz", gzip.finish().unwrap()),
        ("metadata.tar.bz2", bzip2.finish().unwrap()),
        ("metadata.tar.xz", xz.finish().unwrap()),
    ]
}

#[test]
fn each_common_compression_is_read() {
    let sample = Sample::hello();
    for (name, packed) in compressed(&sample.metadata_archive()) {
        let gpkg = read_bytes(&archive(&sample.members_with(name, packed))).unwrap();
        assert_eq!(gpkg.metadata.get("PF"), Some("hello-1.0"), "{name}");
    }
}

#[test]
fn another_compression_or_none_is_refused_with_the_setting_that_cures_it() {
    for suffix in ["", ".lz4", ".lz", ".lzo", ".br"] {
        let members = Sample::hello().members_with(&format!("metadata.tar{suffix}"), vec![1, 2, 3]);
        assert!(fault_of(&members).contains("BINPKG_COMPRESS=\"zstd\""));
    }
}

#[test]
fn a_member_that_is_not_what_the_manifest_says_is_found() {
    let sample = Sample::hello();
    for (at, name) in [(0, "gpkg-1"), (1, "metadata.tar.zst"), (2, "image.tar.zst")] {
        let mut longer = sample.members();
        longer[at].content.push(0);
        assert_eq!(fault_of(&longer), format!("verify {name:?}: its size is not what its Manifest says"));
    }
    let mut other = sample.members();
    other[2].content[3] ^= 1;
    assert_eq!(fault_of(&other), "verify \"image.tar.zst\": its BLAKE2B is not what its Manifest says");
    let mut sha512 = sample.members();
    let listing = String::from_utf8(sha512[3].content.clone()).unwrap();
    sha512[3].content = listing.replace("SHA512 ", "SHA512 0").into_bytes();
    assert!(fault_of(&sha512).contains("its SHA512 is not what its Manifest says"));
}

#[test]
fn members_and_manifest_have_to_be_the_same_set() {
    let sample = Sample::hello();
    let mut unlisted = sample.members();
    unlisted.insert(3, sample.member("extra", vec![1]));
    assert_eq!(fault_of(&unlisted), "verify \"extra\": its Manifest does not list it");
    assert!(read_bytes(&archive(&listed(unlisted))).is_ok());
    let mut absent = sample.members();
    absent.remove(2);
    assert_eq!(fault_of(&absent), "verify \"image.tar.zst\": its Manifest lists it, but it is not there");
    assert_eq!(fault_of(&listed(absent)), "read it as a GPKG: it has no image.tar");
    let mut no_metadata = sample.members();
    no_metadata.remove(1);
    assert_eq!(fault_of(&listed(no_metadata)), "read it as a GPKG: it has no metadata.tar");
    let mut no_manifest = sample.members();
    no_manifest.pop();
    assert_eq!(fault_of(&no_manifest), "read it as a GPKG: it has no Manifest");
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let sample = Sample::hello();
    for at in 0..4 {
        let mut members = sample.members();
        members.push(members[at].clone());
        assert!(fault_of(&members).contains("there are two of that name"));
    }
    let mut two_metadata = sample.members();
    two_metadata.insert(3, sample.member("metadata.tar", sample.metadata_archive()));
    assert!(fault_of(&listed(two_metadata)).contains("there are two of that name"));
    let twice = sample.clone().with("PF", None);
    let twice = Sample { metadata: [twice.metadata.clone(), twice.metadata].concat(), ..sample };
    assert!(fault_of(&twice.members()).contains("there are two of that name"));
}

#[test]
fn the_mark_of_the_format_comes_first() {
    let mut members = Sample::hello().members();
    members.swap(0, 1);
    assert_eq!(fault_of(&members), "read it as a GPKG: its first member is not gpkg-1");
    assert_eq!(fault_of(&[]), "read it as a GPKG: its first member is not gpkg-1");
}

#[test]
fn names_that_leave_the_one_directory_are_refused() {
    for name in [
        "../gpkg-1",
        "/hello-1.0-1/x",
        "hello-1.0-1/../x",
        "hello-1.0-1/a/b",
        "hello-1.0-2/x",
        "x",
        "./x",
        "hello-1.0-1/.x",
        "hello-1.0-1/-x",
        "hello-1.0-1/a b",
        "hello-1.0-1/a\u{1b}[1m",
        "hello-1.0-1/ä",
        "hello-1.0-1/",
    ] {
        let mut members = Sample::hello().members();
        members.insert(3, Member { name: name.to_owned(), kind: EntryType::Regular, content: vec![] });
        let fault = fault_of(&listed(members));
        assert!(fault.contains("that is no name of a member of a GPKG"), "{name:?}: {fault}");
        assert!(!fault.contains('\u{1b}'));
    }
}

#[test]
fn links_devices_and_extension_headers_are_refused() {
    for (kind, named) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a named pipe"),
        (EntryType::Directory, "a directory"),
        (EntryType::XHeader, "an extension header"),
        (EntryType::XGlobalHeader, "an extension header"),
        (EntryType::GNUSparse, "an extension header"),
        (EntryType::GNULongLink, "an extension header"),
    ] {
        let mut members = Sample::hello().members();
        members.insert(3, Member { name: "hello-1.0-1/x".to_owned(), kind, content: vec![] });
        assert!(fault_of(&members).contains(named), "{kind:?}");
    }
}

#[test]
fn a_long_name_in_gnu_form_is_followed_within_bounds() {
    let long = "x".repeat(120);
    let mut sample = Sample::hello();
    sample.directory = "hello-1.0-1".to_owned();
    let mut members = sample.members();
    let name = format!("hello-1.0-1/{long}\0");
    members
        .insert(3, Member { name: "././@LongLink".into(), kind: EntryType::GNULongName, content: name.into_bytes() });
    members.insert(4, Member { name: "hello-1.0-1/cut".into(), kind: EntryType::Regular, content: vec![5] });
    let manifest = {
        let named = Member { name: format!("hello-1.0-1/{long}"), kind: EntryType::Regular, content: vec![5] };
        manifest_of(&[members[0].clone(), members[1].clone(), members[2].clone(), named])
    };
    members[5].content = manifest.into_bytes();
    assert!(read_bytes(&archive(&members)).is_ok());
    members[3].content = vec![b'x'; 5000];
    assert!(fault_of(&members).contains("an extension header"));
}

#[test]
fn a_cut_or_lengthened_file_is_refused() {
    let bytes = Sample::hello().bytes();
    let content_ends = bytes.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(512);
    for length in (0..content_ends + 1024).step_by(97) {
        assert!(read_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let lengthened = [bytes.clone(), vec![0; 10240], vec![1]].concat();
    assert_eq!(
        read_bytes(&lengthened).unwrap_err().to_string(),
        "read it as one tar archive: there is more behind its end"
    );
    assert!(read_bytes(&[bytes.clone(), bytes.clone()].concat()).is_err());
    assert!(read_bytes(&[bytes, vec![0; 2 << 20]].concat()).is_err());
}

#[test]
fn what_is_no_tar_is_said_to_be_none() {
    for bytes in [vec![], vec![1; 100], vec![b'x'; 20000]] {
        assert_eq!(read_bytes(&bytes).unwrap_err().to_string(), "read it as a tar archive: it is none");
    }
}

#[test]
fn an_xpak_is_refused_with_its_cure_by_name_and_by_content() {
    let directory = tempfile::tempdir().unwrap();
    let xpak = [vec![b'B'; 3000], b"XPAKSTOP\0\0\x01\0STOP".to_vec()].concat();
    for (name, bytes) in [("a.gpkg.tar", xpak.clone()), ("a.xpak", xpak), ("a.tbz2", Sample::hello().bytes())] {
        let path = directory.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(error, GpkgError::Xpak), "{name}: {error}");
        assert!(error.to_string().contains("BINPKG_FORMAT=\"gpkg\""));
    }
    let absent = read(&directory.path().join("none.gpkg.tar")).unwrap_err().to_string();
    assert!(absent.contains("none.gpkg.tar"), "{absent}");
}

#[test]
fn metadata_that_unpacks_without_end_is_refused() {
    let sample = Sample::hello();
    let part = vec![0; metadata::METADATA_LIMIT / 16];
    for (name, packed) in compressed(&part) {
        // All four formats allow one stream behind another.
        let packed = packed.repeat(17);
        assert!(packed.len() < 1_000_000, "{name}");
        let fault = read_bytes(&archive(&sample.members_with(name, packed))).unwrap_err();
        assert!(matches!(fault, GpkgError::Compression { .. } | GpkgError::TooLarge(_)), "{name}: {fault}");
    }
}

#[test]
fn metadata_outside_its_directory_is_refused() {
    for name in ["CATEGORY", "metadata/../x", "metadata/a/b", "/metadata/x", "metadata/", "metadata/a b"] {
        let member = Member { name: name.to_owned(), kind: EntryType::Regular, content: vec![] };
        let packed = zstd::encode_all(archive(&[member]).as_slice(), 1).unwrap();
        let fault = fault_of(&Sample::hello().members_with("metadata.tar.zst", packed));
        assert!(fault.contains("that is no name of a member"), "{name:?}: {fault}");
    }
}

#[test]
fn damaged_compression_is_said_to_be_that() {
    let sample = Sample::hello();
    for (name, packed) in compressed(&sample.metadata_archive()) {
        for bytes in [vec![9; 100], packed[..packed.len() / 2].to_vec(), packed[..packed.len() - 1].to_vec(), vec![]] {
            let fault = fault_of(&sample.members_with(name, bytes));
            assert!(fault.starts_with(&format!("decompress its {name}")) || fault.contains("tar archive"), "{fault}");
        }
    }
}

#[test]
fn a_clear_signed_manifest_is_understood() {
    let sample = Sample::hello();
    let mut members = sample.members();
    members.insert(2, sample.member("metadata.tar.zst.sig", vec![1, 2]));
    members.insert(4, sample.member("image.tar.zst.sig", vec![3, 4]));
    let listing = manifest_of(&members[..5]);
    let with_manifest = |text: String| {
        let mut members = members.clone();
        members[5].content = text.into_bytes();
        read_bytes(&archive(&members))
    };
    let begin = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n";
    let end = "-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END PGP SIGNATURE-----\n";
    assert!(with_manifest(format!("{begin}{listing}{end}")).unwrap().signed);
    assert!(with_manifest(listing.clone()).unwrap().signed, "signatures of members are signatures");
    for text in [
        format!("{listing}{begin}{listing}{end}"),
        format!("{begin}{listing}{end}{listing}"),
        format!("{begin}{listing}"),
        format!("{begin}{listing}-----BEGIN PGP SIGNATURE-----\n"),
        format!("-----BEGIN PGP SIGNED MESSAGE-----\nComment: x\n\n{listing}{end}"),
        format!("{begin}-----BEGIN PGP MESSAGE-----\n{listing}{end}"),
    ] {
        let fault = with_manifest(text.clone()).unwrap_err().to_string();
        assert_eq!(fault, "read its Manifest: its signature does not enclose it", "{text}");
    }
}

#[test]
fn a_manifest_that_is_none_is_refused() {
    let sample = Sample::hello();
    let listing = manifest_of(&sample.members()[..3]);
    for (text, fault) in [
        (format!("{listing}{listing}"), "read its Manifest: \"gpkg-1\" is listed twice"),
        (format!("{listing}EBUILD x 1"), "read line 4 of its Manifest"),
        (format!("{listing}DATA x"), "read line 4 of its Manifest"),
        (format!("{listing}DATA x -1 BLAKE2B 0 SHA512 0"), "read line 4 of its Manifest"),
        (format!("{listing}DATA x 1 BLAKE2B"), "read line 4 of its Manifest"),
        (listing.replace("BLAKE2B", "MD5"), "read its Manifest: \"gpkg-1\" is listed without BLAKE2B or SHA512"),
    ] {
        let mut members = sample.members();
        members[3].content = text.into_bytes();
        assert_eq!(fault_of(&members), fault);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_flipped_bit_goes_unseen(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = Sample::hello().bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(read_bytes(&bytes).is_err(), "byte {at}, bit {bit}");
    }

    #[test]
    fn arbitrary_bytes_are_no_package(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(read_bytes(&bytes).is_err());
        for suffix in ["", ".zst", ".gz", ".bz2", ".xz"] {
            let name = format!("metadata.tar{suffix}");
            prop_assert!(metadata::unpack(&name, &bytes).is_err());
        }
        let _ = Manifest::parse(&bytes);
    }

    #[test]
    fn a_mangled_package_never_panics(
        start in any::<prop::sample::Index>(),
        patch in prop::collection::vec(any::<u8>(), 1..600),
    ) {
        let mut bytes = Sample::hello().bytes();
        let start = start.index(bytes.len());
        for (byte, new) in bytes[start..].iter_mut().zip(&patch) {
            *byte = *new;
        }
        if bytes != Sample::hello().bytes() {
            prop_assert!(read_bytes(&bytes).is_err());
        }
    }
}
