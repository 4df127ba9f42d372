//! Tables of lines and verdicts, and a comparison with ssh-keygen's own reading.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use proptest::prelude::*;
use russh::keys::PrivateKey;
use russh::keys::key::safe_rng;
use russh::keys::ssh_key::certificate::Builder;
use tempfile::TempDir;

use super::*;

fn private_key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

fn public_key() -> PublicKey {
    private_key().public_key().clone()
}

fn written(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.public_key_base64())
}

fn read(text: &str) -> KnownHosts {
    KnownHosts::parse(Path::new("known_hosts"), text.as_bytes()).unwrap()
}

#[test]
fn a_line_is_for_the_hosts_that_its_patterns_name() {
    let key = public_key();
    let cases = [
        ("tarn", "tarn", 22, true),
        ("tarn", "TARN", 22, true),
        ("Tarn", "tarn", 22, true),
        ("tarn", "tarn2", 22, false),
        ("other,tarn", "tarn", 22, true),
        ("*.example.org", "a.example.org", 22, true),
        ("*.example.org", "example.org", 22, false),
        ("10.0.0.?", "10.0.0.7", 22, true),
        ("10.0.0.?", "10.0.0.17", 22, false),
        ("*,!tarn", "tarn", 22, false),
        ("!tarn,*", "tarn", 22, false),
        ("!tarn,*", "tor", 22, true),
        ("!tarn", "tor", 22, false),
        ("[tarn]:2222", "tarn", 2222, true),
        ("[tarn]:2222", "tarn", 22, false),
        ("[tarn]:2222", "tarn", 2223, false),
        ("[*]:2222", "tarn", 2222, true),
        // As ssh does: the key under the name without the port will do.
        ("tarn", "tarn", 2222, true),
        ("fd00::1", "fd00::1", 22, true),
        ("[fd00::1]:2222", "fd00::1", 2222, true),
        ("*", "anything", 22, true),
    ];
    for (patterns, host, port, known) in cases {
        let verdict = read(&format!("{patterns} {} comment\n", written(&key))).check(host, port, &key);
        assert_eq!(verdict == Verdict::Known, known, "{patterns} for {host} port {port}: {verdict:?}");
    }
}

#[test]
fn a_host_is_known_by_any_of_its_keys_and_changed_with_none() {
    let (first, second, other) = (public_key(), public_key(), public_key());
    let known = read(&format!("# keys\n\ntarn {}\ntarn {}\r\n", written(&first), written(&second)));
    assert_eq!(known.check("tarn", 22, &first), Verdict::Known);
    assert_eq!(known.check("tarn", 22, &second), Verdict::Known);
    let Verdict::Changed { expected, got } = known.check("tarn", 22, &other) else { panic!("not changed") };
    assert_eq!(got, fingerprint(&other));
    let lines: Vec<_> = expected.iter().map(|pin| (pin.line, pin.fingerprint.clone())).collect();
    assert_eq!(lines, [(3, fingerprint(&first)), (4, fingerprint(&second))]);
    assert_eq!(known.check("tor", 22, &other), Verdict::Unknown { fingerprint: fingerprint(&other) });
}

#[test]
fn a_host_whose_key_is_of_another_type_than_the_pinned_one_has_changed() {
    let ecdsa = PrivateKey::random(&mut safe_rng(), Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 });
    let known = read(&format!("tarn {}\n", written(ecdsa.unwrap().public_key())));
    assert!(matches!(known.check("tarn", 22, &public_key()), Verdict::Changed { .. }));
    assert_eq!(known.algorithms("tarn", 22).len(), 1);
}

#[test]
fn a_revoked_key_is_refused_even_where_it_is_pinned() {
    let key = public_key();
    let known = read(&format!("tarn {}\n@revoked * {}\n", written(&key), written(&key)));
    assert_eq!(known.check("tarn", 22, &key), Verdict::Revoked { fingerprint: fingerprint(&key), line: 2 });
    assert!(matches!(known.check("tarn", 2222, &key), Verdict::Revoked { .. }));
}

#[test]
fn a_marked_line_that_cannot_be_read_is_an_error_and_another_is_passed_over() {
    let parse = |text: &str| KnownHosts::parse(Path::new("f"), text.as_bytes()).map(|known| known.entries.len());
    assert_eq!(parse("tarn ssh-ed25519 rubbish\ntarn\n1024 35 1423 old\n@unknown * x y\n").unwrap(), 0);
    let error = parse("\n@revoked * ssh-ed25519 rubbish\n").unwrap_err().to_string();
    assert_eq!(error, "f:2: a @revoked line that cannot be read: correct or remove it");
    assert!(parse("@cert-authority *\n").is_err());
}

#[test]
fn the_type_that_is_written_must_be_that_of_the_key() {
    let line = format!("tarn ssh-rsa {}\n", public_key().public_key_base64());
    assert!(read(&line).entries.is_empty());
}

/// A certificate for `principal`, valid from 1000 to 2000.
fn certificate(authority: &PrivateKey, kind: CertType, principal: Option<&str>) -> Certificate {
    let mut builder = Builder::new_with_random_nonce(&mut safe_rng(), public_key(), 1000, 2000).unwrap();
    builder.cert_type(kind).unwrap();
    match principal {
        Some(principal) => builder.valid_principal(principal).unwrap(),
        None => builder.all_principals_valid().unwrap(),
    };
    builder.sign(authority).unwrap()
}

#[test]
fn a_certificate_counts_if_a_listed_authority_signed_it_for_this_host_and_time() {
    let (authority, other) = (private_key(), private_key());
    let known = read(&format!("@cert-authority *.site {}\n", written(authority.public_key())));
    let cases = [
        (&authority, CertType::Host, Some("tarn.site"), "tarn.site", 1500, Ok(())),
        (&authority, CertType::Host, Some("*.site"), "tarn.site", 1500, Ok(())),
        (&authority, CertType::Host, Some("tor.site"), "tarn.site", 1500, Err("it is for")),
        (&authority, CertType::Host, None, "tarn.site", 1500, Err("it is for")),
        (&authority, CertType::Host, Some("tarn.site"), "tarn.site", 999, Err("not valid at this time")),
        (&authority, CertType::Host, Some("tarn.site"), "tarn.site", 2000, Err("not valid at this time")),
        (&authority, CertType::User, Some("tarn.site"), "tarn.site", 1500, Err("user's certificate")),
        (&other, CertType::Host, Some("tarn.site"), "tarn.site", 1500, Err("is not listed")),
        (&authority, CertType::Host, Some("tarn"), "tarn", 1500, Err("is not listed")),
    ];
    for (signer, kind, principal, host, now, wanted) in cases {
        let result = known.check_certificate(host, 22, &certificate(signer, kind, principal), now);
        match (&result, wanted) {
            (Ok(()), Ok(())) => {}
            (Err(reason), Err(part)) if reason.contains(part) => {}
            _ => panic!("{principal:?} for {host}: {result:?}, not {wanted:?}"),
        }
    }
    assert!(known.has_authority("tarn.site", 2222) && !known.has_authority("tarn", 22));
}

#[test]
fn a_key_is_recorded_once_in_a_private_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("new/known_hosts");
    let (key, other) = (public_key(), public_key());
    assert!(record(&path, "Tarn", 2222, &key).unwrap());
    assert!(!record(&path, "tarn", 2222, &key).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().trim_end()).unwrap();
    assert!(record(&path, "tor", 22, &other).unwrap());
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("[tarn]:2222 {}\ntor {}\n", written(&key), written(&other)));
}

#[test]
fn a_missing_file_pins_nothing_and_an_unreadable_one_is_an_error() {
    let directory = TempDir::new().unwrap();
    assert!(KnownHosts::read(&directory.path().join("none")).unwrap().entries.is_empty());
    // A directory in its place cannot be read, even by root.
    let error = KnownHosts::read(directory.path()).unwrap_err();
    assert!(error.to_string().contains(directory.path().to_str().unwrap()), "{error}");
}

#[test]
fn hashed_files_are_read_as_ssh_keygen_reads_them() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        return;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("known_hosts");
    let (tarn, tor) = (public_key(), public_key());
    record(&path, "tarn", 22, &tarn).unwrap();
    record(&path, "tor", 2222, &tor).unwrap();
    let hashed = Command::new("ssh-keygen").args(["-H", "-f"]).arg(&path).output().unwrap();
    assert!(hashed.status.success());
    assert!(std::fs::read_to_string(&path).unwrap().lines().all(|line| line.starts_with("|1|")));
    let known = KnownHosts::read(&path).unwrap();
    for (host, port, key) in [("tarn", 22, &tarn), ("tor", 2222, &tor), ("tor", 22, &tor), ("elsewhere", 22, &tor)] {
        let found = Command::new("ssh-keygen").args(["-F", &host_name(host, port), "-f"]).arg(&path).output().unwrap();
        let ours = known.check(host, port, key);
        assert_eq!(ours == Verdict::Known, found.status.success(), "{host} {port}: {ours:?}");
    }
    assert!(matches!(known.check("tarn", 22, &tor), Verdict::Changed { .. }));
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(content: Vec<u8>) {
        let _ = KnownHosts::parse(Path::new("f"), &content);
    }

    #[test]
    fn no_line_makes_the_reader_panic(line in "(@revoked |@cert-authority )?[|1!*?a,\\[\\]:= ]{0,40} ssh-ed25519 [A-Za-z0-9+/=]{0,80}") {
        if let Ok(known) = KnownHosts::parse(Path::new("f"), line.as_bytes()) {
            let _ = known.check("a", 22, &public_key());
        }
    }

    #[test]
    fn a_pattern_matches_as_its_slow_definition_does(glob in "[ab*?]{0,8}", name in "[ab]{0,8}") {
        fn slowly(glob: &[u8], name: &[u8]) -> bool {
            match (glob.split_first(), name.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => slowly(rest, name) || name.split_first().is_some_and(|(_, name)| slowly(glob, name)),
                (Some((wanted, glob)), Some((is, name))) => (wanted == is || *wanted == b'?') && slowly(glob, name),
                _ => false,
            }
        }
        prop_assert_eq!(pattern::matches(&glob, &name), slowly(glob.as_bytes(), name.as_bytes()));
    }
}
