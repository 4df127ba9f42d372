//! Indexes as Portage reads and writes them, and what is refused of a host's.

use std::collections::BTreeSet;

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::read::PART;
use super::reduce::{Words, reduce};
use super::*;
use crate::core::names::{BuildId, Timestamp};
use crate::portage::gpkg::{Gpkg, Metadata};

const TEXT: &str = "\
ARCH: amd64
CHOST: x86_64-pc-linux-gnu
PACKAGES: 2
TIMESTAMP: 1795505199
URI: http://elsewhere.invalid/
USE: amd64 nls
VERSION: 0

BDEPEND: app-lab/hello
BUILD_ID: 1
BUILD_TIME: 1795505198
CPV: app-lab/consumer-1.0
DEFINED_PHASES: compile install
DEPEND: dev-lab/libfoo:0/1=[extra]
EAPI: 8
MD5: 3d70cde9d7af6ea9b55487be9dab326b
PATH: app-lab/consumer/consumer-1.0-1.gpkg.tar
REPO_REVISIONS: {}
SHA1: 9492640e2d60778c5a5d91f895909d130429f16f
SIZE: 10240
USE: amd64 elibc_glibc
MTIME: 1795505199
REPO: gentoo

CHOST: aarch64-unknown-linux-gnu
CPV: dev-lab/libfoo-1.0
DESC: a library
PATH: dev-lab/libfoo-1.0.gpkg.tar
SLOT: 0/1

";

fn parse(text: &str) -> Index {
    Index::parse(text.as_bytes(), Limits::default()).unwrap()
}

fn consumer() -> Gpkg {
    let metadata: Metadata = [
        ("BUILD_ID", "3"),
        ("BUILD_TIME", "1795505198"),
        ("CATEGORY", "app-lab"),
        ("CFLAGS", "-O2"),
        ("CHOST", "x86_64-pc-linux-gnu"),
        ("DEPEND", "ssl? ( dev-lab/libfoo:0/1=[extra,ssl?] )  !ssl? ( dev-lab/none )"),
        ("DESCRIPTION", "not indexed"),
        ("EAPI", "8"),
        ("IUSE", "+ssl doc"),
        ("LICENSE", "|| ( MIT ) doc? ( FDL-1.3 )"),
        ("PF", "consumer-1.0"),
        ("RDEPEND", "doc? ( app-lab/doc )"),
        ("SIZE", "57"),
        ("SLOT", "0"),
        ("USE", "amd64 ssl"),
        ("repository", "gentoo"),
    ]
    .into_iter()
    .collect();
    Gpkg {
        basename: "consumer-1.0-3".to_owned(),
        metadata,
        ebuild_md5: None,
        size: 10240,
        md5: "3d70cde9d7af6ea9b55487be9dab326b".to_owned(),
        sha1: "9492640e2d60778c5a5d91f895909d130429f16f".to_owned(),
        signed: false,
    }
}

fn at(path: &str) -> PackagePath {
    path.parse().unwrap()
}

#[test]
fn an_index_is_read_entry_by_entry() {
    let index = parse(TEXT);
    assert_eq!(index.rejected, []);
    assert_eq!(index.header.get("ARCH").map(String::as_str), Some("amd64"));
    let [consumer, libfoo] = index.stanzas.as_slice() else { panic!("{index:?}") };
    assert_eq!(consumer.cpv().as_str(), "app-lab/consumer-1.0");
    assert_eq!(consumer.build_id(), Some(BuildId(1)));
    assert_eq!((consumer.size(), consumer.mtime()), (Some(10240), Some(Timestamp(1_795_505_199))));
    assert_eq!(consumer.use_flags(), BTreeSet::from(["amd64", "elibc_glibc"]));
    assert_eq!(consumer.get("CHOST"), Some("x86_64-pc-linux-gnu"), "said by the header");
    assert_eq!(consumer.get("REPO_REVISIONS"), None, "Portage does not read it back");
    assert_eq!(consumer.slot().unwrap().to_string(), "0");
    assert_eq!(libfoo.get("CHOST"), Some("aarch64-unknown-linux-gnu"));
    assert_eq!(libfoo.slot().unwrap().to_string(), "0/1");
    assert_eq!((libfoo.build_id(), libfoo.md5()), (None, None));
}

#[test]
fn an_index_is_written_as_it_was_read() {
    let written = parse(TEXT).to_text(Timestamp(1_795_505_199));
    assert_eq!(written, TEXT.replace("REPO_REVISIONS: {}\n", ""));
}

#[test]
fn a_header_is_taken_over_without_what_speaks_of_the_other_index() {
    let written = Index::with_header_of(&parse(TEXT)).to_text(Timestamp(5));
    assert_eq!(
        written,
        "ARCH: amd64\nCHOST: x86_64-pc-linux-gnu\nPACKAGES: 0\nTIMESTAMP: 5\nUSE: amd64 nls\nVERSION: 0\n\n"
    );
}

#[test]
fn an_entry_that_is_of_no_use_does_not_spoil_the_others() {
    let hello = "CPV: app-lab/hello-1.0\nPATH: ";
    for (entry, reason) in [
        ("PATH: app-lab/hello-1.0.gpkg.tar".to_owned(), StanzaError::NoCpv),
        ("CPV: hello\nPATH: app-lab/hello-1.0.gpkg.tar".to_owned(), StanzaError::Cpv("hello".to_owned())),
        ("CPV: app-lab/hello-1.0".to_owned(), StanzaError::NoPath),
        (
            format!("{hello}app-lab/hello-1.0.tbz2"),
            StanzaError::Path(PathError::Xpak("app-lab/hello-1.0.tbz2".to_owned())),
        ),
        (
            format!("{hello}../../etc/hello-1.0.gpkg.tar"),
            StanzaError::Path(PathError::Odd("../../etc/hello-1.0.gpkg.tar".to_owned())),
        ),
        (
            format!("{hello}/app-lab/hello-1.0.gpkg.tar"),
            StanzaError::Path(PathError::Odd("/app-lab/hello-1.0.gpkg.tar".to_owned())),
        ),
        (format!("{hello}app-lab/other-1.0.gpkg.tar"), StanzaError::Unfit("app-lab/other-1.0.gpkg.tar".to_owned())),
        (format!("BUILD_ID: x\n{hello}app-lab/hello-1.0.gpkg.tar"), StanzaError::BuildId("x".to_owned())),
        (format!("USE: a\u{1b}[31m\n{hello}app-lab/hello-1.0.gpkg.tar"), StanzaError::Control("USE".to_owned())),
    ] {
        let index = parse(&format!("VERSION: 0\n\n{entry}\n\nCPV: a/b-1\nPATH: a/b-1.gpkg.tar\n\n"));
        assert_eq!(index.stanzas.len(), 1, "{entry}");
        assert_eq!(index.rejected.iter().map(|rejected| &rejected.reason).collect::<Vec<_>>(), [&reason]);
    }
}

#[test]
fn a_value_of_several_lines_is_none() {
    let values = [("CPV", "a/b-1"), ("PATH", "a/b-1.gpkg.tar"), ("USE", "x\n\nCPV: a/c-1\nPATH: a/c-1.gpkg.tar")];
    assert_eq!(Stanza::of_values(values), Err(StanzaError::Control("USE".to_owned())));
}

#[test]
fn a_line_that_stands_elsewhere_or_twice_counts_as_portage_counts_it() {
    let text = "VERSION: 0\n\nSLOT:2\nPATH: a/b-1.gpkg.tar\nUSE: x\nEAPI: 8\nCPV: a/b-1\nUSE: y\nEAPI: 0\n_mtime_: 7\n";
    let index = parse(text);
    let values: Vec<_> = index.stanzas[0].values().collect();
    assert_eq!(values, [("CPV", "a/b-1"), ("PATH", "a/b-1.gpkg.tar"), ("SLOT", "2"), ("USE", "y"), ("MTIME", "7")]);
    assert_eq!(index.stanzas[0].get("USER_PATCHES"), None, "USE is no beginning of it");
}

#[test]
fn an_index_with_the_line_ends_of_another_system_is_read_like_any() {
    assert_eq!(parse(&TEXT.replace('\n', "\r\n")), parse(TEXT));
}

#[test]
fn all_that_is_taken_from_a_package_is_a_line_of_its_entry() {
    assert_eq!(lines::copied().count(), 20);
    for key in lines::copied() {
        assert_eq!(lines::Values::of([(key, "x")]).get(key), Some("x"));
    }
}

#[test]
fn a_long_index_that_is_read_in_parts_is_read_in_order() {
    let seed = |number| Stanza::seed(format!("a/b{number:05}-1").parse().unwrap(), BuildId(1));
    let index = Index { stanzas: (0..12_000).map(seed).collect(), ..Index::default() };
    let text = index.to_text(Timestamp(1));
    assert!(text.len() > 2 * PART);
    assert!(parse(&text).stanzas == index.stanzas);
    let limits = Limits { stanzas: 11_999, ..Limits::default() };
    assert!(matches!(Index::parse(text.as_bytes(), limits), Err(IndexError::TooLarge { what: "packages", .. })));
}

#[test]
fn an_index_beyond_the_limits_is_refused() {
    let limits = Limits { bytes: 10_000, stanzas: 1, keys: 20 };
    let fault = |text: &str| Index::parse(text.as_bytes(), limits).unwrap_err().to_string();
    assert!(fault(TEXT).contains("more than 1 packages"));
    assert!(fault(&"x".repeat(10_001)).contains("more than 10000 bytes"));
    let many: String = (0..21).map(|number| format!("K{number}: x\n")).collect();
    assert!(fault(&many).contains("more than 20 keys"));
    assert!(fault("VERSION: 1\n\n").contains("its VERSION is \"1\""));
}

#[test]
fn an_entry_is_derived_as_portage_derives_it() {
    let stanza = Stanza::derive(&consumer(), &at("app-lab/consumer/consumer-1.0-3.gpkg.tar"), Timestamp(7)).unwrap();
    let header = [("CHOST".to_owned(), "x86_64-pc-linux-gnu".to_owned())].into();
    let index = Index { header, stanzas: vec![stanza], rejected: vec![] };
    assert_eq!(
        index.to_text(Timestamp(9)),
        "\
CHOST: x86_64-pc-linux-gnu
PACKAGES: 1
TIMESTAMP: 9
VERSION: 0

BUILD_ID: 3
BUILD_TIME: 1795505198
CPV: app-lab/consumer-1.0
DEPEND: dev-lab/libfoo:0/1=[extra,ssl]
EAPI: 8
IUSE: +ssl doc
LICENSE: MIT
MD5: 3d70cde9d7af6ea9b55487be9dab326b
PATH: app-lab/consumer/consumer-1.0-3.gpkg.tar
SHA1: 9492640e2d60778c5a5d91f895909d130429f16f
SIZE: 10240
USE: amd64 ssl
MTIME: 7
REPO: gentoo

"
    );
}

#[test]
fn a_package_is_not_indexed_where_it_does_not_belong() {
    for path in ["app-lab/consumer/consumer-1.1-3.gpkg.tar", "app-lab/other-1.0.gpkg.tar"] {
        let error = Stanza::derive(&consumer(), &at(path), Timestamp(7)).unwrap_err();
        assert!(matches!(error, DeriveError::Path { .. }), "{path}: {error}");
    }
}

#[test]
fn a_package_of_quickpkg_keeps_the_build_id_that_it_was_installed_with() {
    let stanza = Stanza::derive(&consumer(), &at("app-lab/consumer/consumer-1.0-4.gpkg.tar"), Timestamp(7)).unwrap();
    assert_eq!((stanza.build_id(), stanza.path().build_id()), (Some(BuildId(3)), Some(BuildId(4))));
    let text = Index { stanzas: vec![stanza.clone()], ..Index::default() }.to_text(Timestamp(9));
    assert_eq!(parse(&text).stanzas, [stanza]);
}

#[test]
fn the_index_is_sorted_by_name_and_build() {
    let index = Index {
        stanzas: [("a/b-10", 1), ("a/b-9", 10), ("a/b-9", 9), ("a/a-1", 1)]
            .map(|(cpv, build)| Stanza::seed(cpv.parse().unwrap(), BuildId(build)))
            .into(),
        ..Index::default()
    };
    let text = index.to_text(Timestamp(1));
    let paths: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("PATH: ")).collect();
    // By the text of the CPV, as Portage sorts them, not by version.
    assert_eq!(paths, ["a/a/a-1-1", "a/b/b-10-1", "a/b/b-9-9", "a/b/b-9-10"].map(|path| format!("{path}.gpkg.tar")));
}

#[test]
fn the_packed_file_is_the_same_text_and_says_its_time() {
    let index = parse(TEXT);
    let before = index.to_files(Timestamp(1_794_000_000)).packed(b"").unwrap();
    for before in [b"".as_slice(), &before] {
        let files = index.to_files(Timestamp(1_795_000_000));
        let packed = files.packed(before).unwrap();
        assert!(files.text.contains("TIMESTAMP: 1795000000\n"));
        assert!(text::unpacked(&packed, files.text.len()).unwrap() == files.text.as_bytes());
        assert_eq!(GzDecoder::new(packed.as_slice()).header().unwrap().mtime(), 1_795_000_000);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = Index::parse(&bytes, Limits::default());
    }

    #[test]
    fn a_mangled_index_never_yields_an_odd_path(line in any::<prop::sample::Index>(), text in "[ -~]{0,40}") {
        let mut lines: Vec<&str> = TEXT.lines().collect();
        let at = line.index(lines.len());
        lines[at] = &text;
        if let Ok(index) = Index::parse(lines.join("\n").as_bytes(), Limits::default()) {
            for stanza in index.stanzas {
                prop_assert!(stanza.path().to_string().parse::<PackagePath>().is_ok());
            }
        }
    }

    #[test]
    fn arbitrary_dependencies_never_panic(text in r"([a-z|?!()\[\]=, ]{0,3} ?){0,30}") {
        let _ = reduce(&text, Words::Atoms, &BTreeSet::from(["a", "b"]));
        let _ = reduce(&text, Words::Plain, &BTreeSet::new());
    }
}
