//! The comparison over what real Portage told (`recorded/`, made by the lab test `parity`) and over made-up tables.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::configuration::{Tool, Version};
use super::revision::Revision;
use super::*;

const DRIVER: &str = include_str!("recorded/driver.json");
const ODD: &str = include_str!("recorded/odd.json");

fn read(recorded: &str) -> Configuration {
    serde_json::from_str(recorded).unwrap()
}

fn with(change: impl FnOnce(&mut Configuration)) -> Configuration {
    let mut configuration = read(DRIVER);
    change(&mut configuration);
    configuration
}

fn set(name: &str, value: &str) -> Configuration {
    with(|configuration| drop(configuration.settings.insert(name.to_owned(), value.to_owned())))
}

/// The differences in short: `MATTER POINT: DRIVER | DRONE`.
fn said(driver: &Configuration, drone: &Configuration) -> Vec<String> {
    let side = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let line = |one: Difference| format!("{:?} {}: {} | {}", one.matter, one.point, side(one.driver), side(one.drone));
    compare(driver, drone).into_iter().map(line).collect()
}

#[test]
fn what_real_portage_tells_of_an_odd_drone_is_judged_point_by_point() {
    let (driver, odd) = (read(DRIVER), read(ODD));
    let found = said(&driver, &odd);
    for line in [
        "Binary ACCEPT_KEYWORDS: - | ~amd64",
        "Binary FEATURES: - | splitdebug",
        "Binary LAB_TARGETS: one | two",
        "Binary USE: - | ssl",
        "Binary package.mask app-lab/dog: - | listed",
        "Carried CFLAGS: -O2 -pipe | -O3",
        "Harmless FEATURES: - | ccache",
        "Harmless MAKEOPTS: -j4 | -j14",
    ] {
        assert!(found.iter().any(|one| one == line), "{line} is not in {found:#?}");
    }
    assert_eq!(found.len(), 21, "{found:#?}");
    assert_eq!(driver.profile.as_deref(), Some("gentoo:lab"));
    assert_eq!(said(&driver, &driver), [""; 0]);
}

#[test]
fn a_setting_matters_as_far_as_a_package_comes_out_otherwise() {
    for (name, value, expected) in [
        ("USE", "amd64 nls ssl", "Binary USE: - | ssl"),
        ("USE", "amd64", "Binary USE: nls | -"),
        ("USE", "nls   amd64", ""),
        ("LAB_TARGETS", "one two", "Binary LAB_TARGETS: - | two"),
        ("CHOST", "i686-pc-linux-gnu", "Binary CHOST: x86_64-pc-linux-gnu | i686-pc-linux-gnu"),
        ("ACCEPT_LICENSE", "@FREE", "Binary ACCEPT_LICENSE: * | @FREE"),
        ("PKG_INSTALL_MASK", "/usr/share/doc", "Binary PKG_INSTALL_MASK: - | /usr/share/doc"),
        ("PORTAGE_COMPRESS", "zstd", "Binary PORTAGE_COMPRESS: bzip2 | zstd"),
        ("CC", "clang", "Binary CC: - | clang"),
        ("LDFLAGS", "-Wl,-O1", "Carried LDFLAGS: - | -Wl,-O1"),
        ("EMERGE_DEFAULT_OPTS", "--ask", "Carried EMERGE_DEFAULT_OPTS: - | --ask"),
        ("MAKEOPTS", "-j1", "Harmless MAKEOPTS: -j4 | -j1"),
        ("DISTDIR", "/srv/distfiles", "Harmless DISTDIR: /var/cache/distfiles | /srv/distfiles"),
        ("PORTAGE_NICENESS", "19", "Harmless PORTAGE_NICENESS: - | 19"),
        ("CCACHE_DIR", "/srv/ccache", "Harmless CCACHE_DIR: - | /srv/ccache"),
    ] {
        let found = said(&read(DRIVER), &set(name, value)).join("; ");
        assert_eq!(found, expected, "{name}={value}");
    }
}

#[test]
fn a_newer_or_another_tool_matters_and_an_older_one_does_not() {
    let of = |tool: Tool, told: Option<(&str, &str)>| {
        with(|configuration| {
            let version = |(kind, number): (&str, &str)| Version { kind: kind.to_owned(), number: number.to_owned() };
            configuration.tools = told.map(|told| (tool, version(told))).into_iter().collect();
        })
    };
    for (tool, driver, drone, expected) in [
        (Tool::Libc, Some(("glibc", "2.38")), Some(("glibc", "2.38")), ""),
        (Tool::Libc, Some(("glibc", "2.9")), Some(("glibc", "2.38")), "Binary libc: glibc 2.9 | glibc 2.38"),
        (Tool::Libc, Some(("glibc", "2.38")), Some(("glibc", "2.9")), "Harmless libc: glibc 2.38 | glibc 2.9"),
        (Tool::Libc, Some(("glibc", "2.38")), Some(("musl", "1.2.4")), "Binary libc: glibc 2.38 | musl 1.2.4"),
        (Tool::Compiler, Some(("gcc", "13.2.1")), Some(("gcc", "14.1.0")), "Binary compiler: gcc 13.2.1 | gcc 14.1.0"),
        (Tool::Compiler, Some(("gcc", "13.2.1")), None, "Harmless compiler: gcc 13.2.1 | -"),
        (
            Tool::KernelHeaders,
            Some(("linux", "6.1.55")),
            Some(("linux", "6.12.0")),
            "Binary kernel headers: linux 6.1.55 | linux 6.12.0",
        ),
        (
            Tool::Portage,
            Some(("portage", "3.0.60")),
            Some(("portage", "3.0.83")),
            "Harmless Portage: portage 3.0.60 | portage 3.0.83",
        ),
    ] {
        assert_eq!(said(&of(tool, driver), &of(tool, drone)).join("; "), expected);
    }
}

#[test]
fn entries_are_what_is_said_of_a_thing_in_whatever_files_and_lines() {
    let of = |lines: &[&str]| {
        let mut raw: serde_json::Value = serde_json::from_str(DRIVER).unwrap();
        raw["lines"] = serde_json::json!({ "package.use": lines });
        serde_json::from_value::<Configuration>(raw).unwrap()
    };
    for (driver, drone, expected) in [
        (&["a/b x", "a/b -y", "c/d z"][..], &["c/d z", "a/b x -y"][..], &[""; 0][..]),
        (&["a/b x"], &["a/b x -x"], &["Binary package.use a/b: x | x -x"]),
        (&["a/b x"], &[], &["Binary package.use a/b: x | -"]),
        (&["a/b"], &["c/d"], &["Binary package.use a/b: listed | -", "Binary package.use c/d: - | listed"]),
    ] {
        assert_eq!(said(&of(driver), &of(drone)), expected);
    }
}

#[test]
fn what_a_host_tells_commands_no_terminal_and_stays_in_its_line() {
    let text = DRIVER.replacen("\"-j4\"", "\"-j4\\n\\u001b[2J\"", 1);
    assert_ne!(text, DRIVER);
    assert_eq!(read(&text).settings["MAKEOPTS"], "-j4 \\u{1b}[2J");
}

#[test]
fn a_revision_is_one_of_three_forms_and_nothing_else() {
    let (short, long) = ("0123456789abcdef0123456789abcdef01234567", "f".repeat(64));
    for (text, shown) in [
        (format!("git:{short}"), "git:0123456789ab"),
        (format!("git:{long}+{long}"), "git:ffffffffffff+ffffffffffff"),
        (format!("manifest:{long}"), "manifest:ffffffffffff"),
        (format!("content:{long}"), "content:ffffffffffff"),
    ] {
        let revision: Revision = text.parse().unwrap();
        assert_eq!((revision.to_string(), revision.short().as_str()), (text, shown));
    }
    let bad = [&format!("content:{long}+{long}"), "git:", "git:xyz", "svn:1", "", "git:0123456789abcdef+"];
    for text in bad {
        assert!(text.parse::<Revision>().is_err(), "{text}");
    }
}

fn configurations() -> impl Strategy<Value = Configuration> {
    let word = "[a-c]";
    let map = || prop::collection::btree_map("[A-C]", "[a-c]( [a-c]){0,2}", 0..3);
    (prop::option::of(word), map(), map(), prop::collection::btree_map("package.[a-b]", map(), 0..2)).prop_map(
        |(profile, settings, files, entries)| Configuration {
            profile,
            settings,
            files,
            entries,
            expand: ["A".to_owned()].into(),
            tools: BTreeMap::new(),
            ..Configuration::default()
        },
    )
}

proptest! {
    #[test]
    fn nothing_differs_from_itself_and_what_differs_does_so_from_both_sides(
        one in configurations(), other in configurations(),
    ) {
        prop_assert_eq!(compare(&one, &one), vec![]);
        let turned = |found: Vec<Difference>| -> std::collections::BTreeSet<_> {
            found.into_iter().map(|each| (each.point, each.drone, each.driver)).collect()
        };
        let there: std::collections::BTreeSet<_> =
            compare(&one, &other).into_iter().map(|each| (each.point, each.driver, each.drone)).collect();
        prop_assert_eq!(turned(compare(&other, &one)), there);
    }
}
