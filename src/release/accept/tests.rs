//! Packages that are taken and those that are not, each with the reason and whose fault it is.

use md5::{Digest, Md5};
use proptest::prelude::*;
use sha1::Sha1;

use super::*;
use crate::core::names::Timestamp;
use crate::portage::gpkg::sample::Sample;
use crate::portage::index::{Index, Limits};

fn identity() -> Identity {
    Identity {
        cpv: "app-lab/hello-1.0".parse().unwrap(),
        slot: "0".parse().unwrap(),
        repository: "gentoo".to_owned(),
        ebuild_digest: gpkg::hexadecimal(&Md5::digest(b"EAPI=8\n")),
        use_flags: ["amd64", "elibc_glibc", "kernel_linux", "nls"].into_iter().collect(),
        chost: "x86_64-pc-linux-gnu".to_owned(),
        compiler: [("CFLAGS", "-O2 -march=x86-64-v3 -pipe")].into_iter().collect(),
        linked: Default::default(),
    }
}

fn linked(slots: &[(&str, &str)]) -> Identity {
    let linked = slots.iter().map(|(package, slot)| ((*package).to_owned(), slot.parse().unwrap())).collect();
    Identity { linked, ..identity() }
}

fn entry(path: &str, size: usize, bytes: &[u8]) -> Stanza {
    let cpv: PackagePath = path.parse().unwrap();
    let (md5, sha1) = (gpkg::hexadecimal(&Md5::digest(bytes)), gpkg::hexadecimal(&Sha1::digest(bytes)));
    let text = format!("\nCPV: {}\nPATH: {path}\nSIZE: {size}\nMD5: {md5}\nSHA1: {sha1}\n\n", cpv.cpv());
    Index::parse(text.as_bytes(), Limits::default()).unwrap().stanzas.remove(0)
}

const PATH: &str = "app-lab/hello/hello-1.0-1.gpkg.tar";

/// Takes `bytes` where the drone's index speaks of `offered`.
fn take(bytes: &[u8], offered: &Stanza, wanted: &Identity, build_id: Option<BuildId>) -> Result<Accepted, Rejection> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fetched");
    fs_err::write(&file, bytes).unwrap();
    accept(&file, offered, wanted, build_id, None)
}

fn take_whole(sample: &Sample, wanted: &Identity) -> Result<Accepted, Rejection> {
    let bytes = sample.bytes();
    take(&bytes, &entry(PATH, bytes.len(), &bytes), wanted, Some(BuildId(1)))
}

fn unlike(result: Result<Accepted, Rejection>) -> Vec<(String, String, String)> {
    match result {
        Err(Rejection::Unlike(differences)) => {
            differences.into_iter().map(|each| (each.field, each.planned, each.found)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_planned_package_is_accepted_and_can_be_indexed() {
    let accepted = take_whole(&Sample::hello(), &identity()).unwrap();
    assert_eq!(accepted.path.to_string(), PATH);
    let stanza = Stanza::derive(&accepted.gpkg, &accepted.path, Timestamp(1)).unwrap();
    assert_eq!(stanza.build_id(), Some(BuildId(1)));
}

#[test]
fn a_file_that_is_not_what_the_drone_says_may_be_fetched_again() {
    let bytes = Sample::hello().bytes();
    let offered = entry(PATH, bytes.len(), &bytes);
    let mut flipped = bytes.clone();
    flipped[5000] ^= 4;
    let other = Sample::hello().with("DESCRIPTION", Some("another")).bytes();
    for (got, what) in [(&bytes[..9000], "size"), (&[][..], "size"), (&flipped, "MD5"), (&other, "MD5")] {
        match take(got, &offered, &identity(), None) {
            Err(Rejection::Corrupt { what: found, .. }) => assert_eq!(found, what),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_file_that_the_drone_made_badly_is_refused_for_good() {
    let made = |bytes: &[u8]| {
        let offered = entry(PATH, bytes.len(), bytes);
        match take(bytes, &offered, &identity(), None) {
            Err(Rejection::Refused(refusal)) => refusal.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert!(made(b"").contains("only 0 bytes"));
    assert!(made(&[0; 1024]).contains("only 1024 bytes"));
    assert!(made(&[7; 2000]).contains("is none"));
    assert!(made(&[vec![7; 2000], b"XPAKSTOP\0\0\0\0STOP".to_vec()].concat()).contains("BINPKG_FORMAT=\"gpkg\""));
    assert!(made(&Sample::hello().bytes()[..4096]).contains("cut short"));
    assert!(made(&Sample::hello().with("SLOT", None).bytes()).contains("find SLOT in its metadata"));
    let seed = Stanza::seed("app-lab/hello-1.0".parse().unwrap(), BuildId(1));
    let said = take(&Sample::hello().bytes(), &seed, &identity(), None).unwrap_err().to_string();
    assert!(said.contains("has no SIZE"), "{said}");
}

#[test]
fn unsigned_packages_are_refused_where_a_keyring_is_configured() {
    let bytes = Sample::hello().bytes();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fetched");
    fs_err::write(&file, &bytes).unwrap();
    let refused = accept(&file, &entry(PATH, bytes.len(), &bytes), &identity(), None, Some(directory.path()));
    assert!(matches!(refused, Err(Rejection::Refused(Refusal::Signature(SignatureError::Unsigned)))), "{refused:?}");
}

#[test]
fn each_point_of_an_identity_is_held_against_the_package() {
    for (key, value, field, planned, found) in [
        ("CATEGORY", Some("dev-lab"), "CPV", "app-lab/hello-1.0", "dev-lab/hello-1.0"),
        ("PF", Some("hello-1.0-r1"), "CPV", "app-lab/hello-1.0", "app-lab/hello-1.0-r1"),
        ("BUILD_ID", Some("2"), "BUILD_ID", "1", "2"),
        ("BUILD_ID", None, "BUILD_ID", "1", "none"),
        ("SLOT", Some("0/1"), "SLOT", "0", "0/1"),
        ("repository", Some("other"), "repository", "gentoo", "other"),
        ("repository", None, "repository", "gentoo", "none"),
        ("CHOST", Some("aarch64-unknown-linux-gnu"), "CHOST", "x86_64-pc-linux-gnu", "aarch64-unknown-linux-gnu"),
        ("USE", Some("amd64 elibc_glibc kernel_linux ssl"), "USE", "nls -ssl", "-nls ssl"),
        ("USE", Some("amd64 elibc_glibc kernel_linux"), "USE", "nls", "-nls"),
        ("CFLAGS", Some("-O2 -march=znver3"), "CFLAGS", "-march=x86-64-v3", "-march=znver3"),
    ] {
        let differences = unlike(take_whole(&Sample::hello().with(key, value), &identity()));
        assert_eq!(differences, [(field.to_owned(), planned.to_owned(), found.to_owned())], "{key}");
    }
}

#[test]
fn it_is_told_whose_fault_a_refusal_is() {
    let signature = |error: SignatureError| Rejection::Refused(Refusal::Signature(error));
    let member = || "Manifest".to_owned();
    let io = || io::Error::other("broken");
    let corrupt = Rejection::Corrupt { what: "MD5", offered: String::new(), found: String::new() };
    for (rejection, fault) in [
        (corrupt, Fault::Way),
        (Rejection::Unlike(Vec::new()), Fault::Settings),
        (Rejection::Refused(Refusal::Package(GpkgError::Xpak)), Fault::Settings),
        (Rejection::Refused(Refusal::Package(GpkgError::NoMark)), Fault::File),
        (Rejection::Refused(Refusal::TooSmall(0)), Fault::File),
        (signature(SignatureError::Unsigned), Fault::Settings),
        (signature(SignatureError::Bad { member: member(), said: String::new() }), Fault::Settings),
        (signature(SignatureError::Keyring { path: "keys".into(), said: String::new() }), Fault::Here),
        (signature(SignatureError::Run(io())), Fault::Here),
        (Rejection::Unread(io()), Fault::Here),
    ] {
        assert_eq!(rejection.fault(), fault, "{rejection}");
    }
}

#[test]
fn the_ebuild_is_the_planned_one_where_the_plan_knows_it() {
    let edited = Sample::hello().with("hello-1.0.ebuild", Some("EAPI=8\n# edited\n"));
    let differences = unlike(take_whole(&edited, &identity()));
    assert_eq!(differences.iter().map(|(field, ..)| field.as_str()).collect::<Vec<_>>(), ["MD5 of the ebuild"]);
    assert!(take_whole(&edited, &Identity { ebuild_digest: String::new(), ..identity() }).is_ok());
}

#[test]
fn what_an_ebuild_may_change_is_no_difference() {
    for flags in ["-O1", "-O3 -march=native -march=x86-64-v3 -fno-lto"] {
        assert!(take_whole(&Sample::hello().with("CFLAGS", Some(flags)), &identity()).is_ok(), "{flags}");
    }
}

#[test]
fn flags_that_the_package_does_not_know_are_not_compared() {
    let sample = Sample::hello().with("USE", Some("amd64 elibc_glibc kernel_linux nls lab_targets_one"));
    assert!(take_whole(&sample, &identity()).is_ok());
    assert!(take_whole(&Sample::hello().with("IUSE_EFFECTIVE", None), &identity()).is_ok());
}

#[test]
fn a_package_is_linked_against_the_planned_slots() {
    let sample = Sample::hello().with("RDEPEND", Some("dev-lab/libfoo:0/1=[extra] || ( a/b:2/2= c/d:= )"));
    assert!(take_whole(&sample, &linked(&[("dev-lab/libfoo", "0/1")])).is_ok());
    assert!(take_whole(&sample, &linked(&[("a/b", "2/2"), ("dev-lab/libfoo", "0/1")])).is_ok());
    assert_eq!(
        unlike(take_whole(&sample, &linked(&[("dev-lab/libfoo", "0/2"), ("x/y", "3/3")]))),
        [("slot of dev-lab/libfoo", "0/2", "0/1"), ("slot of x/y", "3", "none")].map(|(field, planned, found)| (
            field.to_owned(),
            planned.to_owned(),
            found.to_owned()
        ))
    );
}

#[test]
fn a_package_without_multi_instance_is_accepted_where_no_build_id_was_allotted() {
    let sample = Sample { directory: "hello-1.0".to_owned(), ..Sample::hello().with("BUILD_ID", None) };
    let bytes = sample.bytes();
    let offered = entry("app-lab/hello-1.0.gpkg.tar", bytes.len(), &bytes);
    assert!(take(&bytes, &offered, &identity(), None).is_ok());
    let differences = unlike(take(&bytes, &offered, &identity(), Some(BuildId(1))));
    assert_eq!(differences.len(), 2, "{differences:?}");
}

#[test]
fn a_package_under_the_name_of_another_is_not_accepted() {
    let bytes = Sample::hello().bytes();
    let offered = entry("app-lab/other/other-1.0-1.gpkg.tar", bytes.len(), &bytes);
    let differences = unlike(take(&bytes, &offered, &identity(), Some(BuildId(1))));
    let fields: Vec<_> = differences.iter().map(|(field, ..)| field.as_str()).collect();
    assert_eq!(fields, ["directory", "PATH"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_flipped_bit_is_accepted_and_all_are_worth_a_second_fetch(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = Sample::hello().bytes();
        let offered = entry(PATH, bytes.len(), &bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let rejection = take(&bytes, &offered, &identity(), None);
        prop_assert!(matches!(rejection, Err(Rejection::Corrupt { .. })), "{rejection:?}");
    }
}
