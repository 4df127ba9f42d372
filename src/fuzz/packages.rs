//! Binary packages and their index.

use super::{assert_below, assert_shown, fuzz, roughly, shape};
use crate::core::names::Timestamp;
use crate::portage::gpkg::sample::{Member, Sample, archive};
use crate::portage::gpkg::{Gpkg, GpkgError, read_from};
use crate::portage::index::{Index, Limits, PackagePath, Stanza};

const INDEX: &str = "ARCH: amd64\nCHOST: x86_64-pc-linux-gnu\nPACKAGES: 2\nREPO: gentoo\nTIMESTAMP: 1790000000\nVERSION: 0\n\n\
    BDEPEND: virtual/pkgconfig\nBUILD_ID: 2\nBUILD_TIME: 1790000000\nCPV: app-misc/alpha-1.0\nEAPI: 8\nIUSE: +nls doc\n\
    MD5: 00000000000000000000000000000000\nMTIME: 1790000000\nPATH: app-misc/alpha/alpha-1.0-2.gpkg.tar\n\
    RDEPEND: dev-libs/beta:0/2=\nSHA1: 0000000000000000000000000000000000000000\nSIZE: 20480\nUSE: nls\n\n\
    CPV: dev-libs/beta-2.1_rc3-r1\nPATH: dev-libs/beta-2.1_rc3-r1.gpkg.tar\nSLOT: 0/2\nSIZE: 1\nREPO: other\n\n";
const INDEX_WORDS: [&str; 12] = [
    "CPV: ",
    "PATH: ",
    "\n\n",
    "REPO: ",
    "CHOST: ",
    "../",
    ".gpkg.tar",
    "BUILD_ID: ",
    "-1.gpkg.tar",
    "VERSION: 0",
    "DESCRIPTION: ",
    "_mtime_: ",
];

/// Checks what was read of an index, and that it is the same once it has been written.
fn check_index(index: &Index) {
    for stanza in &index.stanzas {
        assert_below(&stanza.path().to_string());
        assert_below(stanza.cpv().as_str());
        for (key, value) in stanza.values() {
            assert!(!key.contains(char::is_control) && !value.contains(char::is_control), "{key:?}: {value:?}");
        }
        assert_eq!(&Stanza::of_values(stanza.values()).unwrap(), stanza);
    }
    let text = index.to_text(Timestamp(7));
    assert!(!text.contains(|each: char| each.is_control() && each != '\n'), "{text:?}");
    let again = Index::parse(text.as_bytes(), Limits { keys: 10_000, ..Limits::default() }).unwrap();
    assert_eq!(again.rejected, []);
    assert_eq!(again.to_text(Timestamp(7)), text);
    assert_eq!(again.stanzas.len(), index.stanzas.len());
}

#[test]
fn indexes() {
    fuzz("index", vec![INDEX.into()], &INDEX_WORDS, |input| match Index::parse(input, Limits::default()) {
        Ok(index) => {
            check_index(&index);
            let reasons: Vec<String> = index.rejected.iter().map(|each| each.reason.to_string()).collect();
            reasons.iter().for_each(|reason| assert_shown(reason, 8000));
            index.rejected.iter().filter_map(|each| each.cpv.as_ref()).for_each(|cpv| assert_shown(cpv, 800));
            let reason = reasons.first().map_or_else(String::new, |reason| shape(reason));
            format!("{} {} {reason}", roughly(index.stanzas.len()), roughly(reasons.len()))
        }
        Err(error) => {
            assert_shown(&error.to_string(), 400);
            shape(&error.to_string())
        }
    });
}

/// Checks a package that was taken as sound, and what an index says of it.
fn judge(read: Result<Gpkg, GpkgError>) -> String {
    let gpkg = match read {
        Ok(gpkg) => gpkg,
        Err(error) => {
            assert_shown(&error.to_string(), 20_000);
            return shape(&error.to_string());
        }
    };
    assert_below(&gpkg.basename);
    let path = gpkg.cpv().and_then(|cpv| Ok(PackagePath::new(cpv, gpkg.build_id()?)));
    let stanza = path.map_err(|error| error.to_string()).and_then(|path| {
        assert_below(&path.to_string());
        Stanza::derive(&gpkg, &path, Timestamp(5)).map_err(|error| error.to_string())
    });
    match stanza {
        Ok(stanza) => {
            check_index(&Index { stanzas: vec![stanza], ..Index::default() });
            format!("sound with {}", gpkg.metadata.iter().count())
        }
        Err(error) => {
            assert_shown(&error, 200_000);
            shape(&error)
        }
    }
}

#[test]
fn whole_packages() {
    let words = ["ustar\u{0}00", "gpkg-1", "Manifest", "metadata.tar.zst", "DATA ", " BLAKE2B ", "0000644"];
    fuzz("gpkg", vec![Sample::hello().bytes()], &words, |input| judge(read_from(input)));
}

/// Headers whose sum does not hold are refused at once; this one makes them hold.
fn with_sums(mut bytes: Vec<u8>) -> Vec<u8> {
    for block in bytes.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

#[test]
fn containers_whose_sums_hold() {
    let words = ["ustar  \u{0}", "L", "hello-1.0-1/", "../", "././@LongLink", "77777777777", "00000000000"];
    fuzz("tar", vec![Sample::hello().bytes()], &words, |input| judge(read_from(with_sums(input.to_vec()).as_slice())));
}

#[test]
fn metadata_in_a_sound_container() {
    let sample = Sample::hello().with("RDEPEND", Some("nls? ( dev-libs/beta:0/2=[x?] ) || ( a/b ( c/d e/f ) )"));
    let words = ["|| ( ", " ) ", "x? ", "metadata/SLOT", "app-lab", "CATEGORY", "BUILD_ID", "[x?]", "../", "\u{1}"];
    fuzz("metadata", vec![sample.metadata_archive()], &words, |input| {
        let packed = zstd::encode_all(with_sums(input.to_vec()).as_slice(), 1).unwrap();
        judge(read_from(archive(&Sample::hello().members_with("metadata.tar.zst", packed)).as_slice()))
    });
}

#[test]
fn values_in_sound_metadata() {
    let seed = "RDEPEND=nls? ( dev-libs/beta:0/2=[x?] ) || ( a/b ( c/d e/f ) )\0SLOT=0/2\0PF=hello-1.0\0CATEGORY=app-lab\0\
                USE=nls amd64\0BUILD_ID=3\0LICENSE=MIT\0KEYWORDS=amd64\0repository=gentoo\0PROVIDES=x86_64: libx.so.0";
    let words = ["|| ( ", " ) ", "x? ( ", "!x? ", "a/b:0/2=", "[x?,-y(+)]", "( ", "\0SLOT=", "\0PF=", "\u{1b}[2J"];
    fuzz("values", vec![seed.into()], &words, |input| {
        let text = String::from_utf8_lossy(input);
        let mut sample = Sample::hello();
        for (key, value) in text.split('\0').filter_map(|field| field.split_once('=')) {
            if !key.is_empty() && key.len() < 40 && key.chars().all(|each| each.is_ascii_alphanumeric() || each == '_')
            {
                sample = sample.with(key, Some(value));
            }
        }
        judge(read_from(sample.bytes().as_slice()))
    });
}

#[test]
fn manifests_in_a_sound_container() {
    let members = Sample::hello().members();
    let words = ["DATA ", "-----BEGIN PGP SIGNED MESSAGE-----\n", "-----BEGIN PGP SIGNATURE-----\n", "- ", "Hash: "];
    fuzz("manifest", vec![members[3].content.clone()], &words, |input| {
        let mut members: Vec<Member> = members.clone();
        members[3].content = input.to_vec();
        judge(read_from(archive(&members).as_slice()))
    });
}

#[test]
fn compressed_metadata() {
    use std::io::Write;
    let archive_of = Sample::hello().metadata_archive();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive_of).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(&archive_of).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&archive_of).unwrap();
    let forms = [
        (0, zstd::encode_all(archive_of.as_slice(), 1).unwrap()),
        (1, gzip.finish().unwrap()),
        (2, bzip2.finish().unwrap()),
        (3, xz.finish().unwrap()),
    ];
    let seeds = forms.into_iter().map(|(form, bytes)| [vec![form], bytes].concat()).collect();
    fuzz("compressed", seeds, &["\u{1}", "(\u{0}"], |input| {
        let Some((form, packed)) = input.split_first() else { return String::new() };
        let name = ["metadata.tar.zst", "metadata.tar.gz", "metadata.tar.bz2", "metadata.tar.xz"][*form as usize % 4];
        judge(read_from(archive(&Sample::hello().members_with(name, packed.to_vec())).as_slice()))
    });
}
