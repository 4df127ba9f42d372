//! What matters to a binary, and why.

use serde::Serialize;

use super::configuration::{Configuration, Tool, Version};

/// What a difference means to the packages that are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Matter {
    /// It changes what is built, or which version.
    Binary,
    /// It would, but each job carries the driver's.
    Carried,
    /// It changes no binary.
    Harmless,
}

/// What it means, and the reason.
pub(super) type Verdict = (Matter, &'static str);

/// What is said of these variables; of the others [`of_setting`] says it.
const SETTINGS: [(&[&str], Verdict); 8] = [
    (&["USE"], (Matter::Binary, "flags of packages")),
    (&["CHOST", "CBUILD", "CTARGET", "ARCH"], (Matter::Binary, "the machine that packages are built for")),
    (
        &["ACCEPT_KEYWORDS", "ACCEPT_LICENSE", "ACCEPT_PROPERTIES", "ACCEPT_RESTRICT"],
        (Matter::Binary, "another version would be chosen"),
    ),
    (
        &["CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "FFLAGS", "FCFLAGS", "RUSTFLAGS", "COMMON_FLAGS"],
        (Matter::Carried, "jobs carry the driver's"),
    ),
    (&["BINPKG_FORMAT", "BINPKG_COMPRESS", "EMERGE_DEFAULT_OPTS"], (Matter::Carried, "jobs carry their own")),
    (&["INSTALL_MASK", "PKG_INSTALL_MASK"], (Matter::Binary, "files that packages lack")),
    (
        &["PORTAGE_COMPRESS", "PORTAGE_COMPRESS_FLAGS", "PORTAGE_COMPRESS_EXCLUDE_SUFFIXES"],
        (Matter::Binary, "how documents in packages are compressed"),
    ),
    (&["PORTAGE_STRIP_FLAGS", "STRIP_MASK"], (Matter::Binary, "what is stripped from programs in packages")),
];

/// The FEATURES that change what is in a package (make.conf(5)): debug information, documents, modes, compression. Of the
/// others [`CHECKS`] may fail a build; the rest tells how Portage goes about it: locks, sandboxes, downloads, logs.
const CONTENT: [&str; 16] = [
    "binpkg-docompress",
    "binpkg-dostrip",
    "compressdebug",
    "dedupdebug",
    "fixlafiles",
    "force-prefix",
    "installsources",
    "nodoc",
    "noinfo",
    "noman",
    "nostrip",
    "selinux",
    "sfperms",
    "splitdebug",
    "suidctl",
    "xattr",
];
const CHECKS: [&str; 4] = ["multilib-strict", "stricter", "test", "test-fail-continue"];

/// Files of lines, by the beginning of their names: what is said there of packages.
const ENTRIES: [(&str, Verdict); 6] = [
    ("package.use", (Matter::Binary, "flags of packages")),
    ("package.env", (Matter::Binary, "settings of single packages")),
    ("package.bashrc", (Matter::Binary, "what runs while packages are built")),
    ("package.", (Matter::Binary, "another version would be chosen")),
    ("profile/", (Matter::Binary, "the host's own changes to the profile")),
    ("", (Matter::Binary, "another version would be chosen")),
];

/// Other files, by the beginning of their paths. What is none of these Portage does not build with.
const FILES: [(&str, Verdict); 6] = [
    ("bashrc", (Matter::Binary, "what runs while packages are built")),
    ("env/", (Matter::Binary, "settings of single packages")),
    ("patches/", (Matter::Binary, "what is changed in the sources")),
    ("savedconfig/", (Matter::Binary, "how single packages are configured")),
    ("profile/", (Matter::Binary, "the host's own changes to the profile")),
    ("", (Matter::Harmless, "Portage builds with nothing of it")),
];

/// What a variable means. Beside the known ones: members of USE_EXPAND are flags; what Portage keeps from ebuilds, or
/// has for its own use, changes no package; all else is in the environment of every ebuild.
pub(super) fn of_setting(name: &str, driver: &Configuration, drone: &Configuration) -> Verdict {
    if let Some((_, verdict)) = SETTINGS.iter().find(|(names, _)| names.contains(&name)) {
        return *verdict;
    }
    if driver.expand.contains(name) || drone.expand.contains(name) {
        return (Matter::Binary, "flags of packages");
    }
    let own = driver.own.contains(name) || drone.own.contains(name);
    match own || ["PORTAGE_", "EMERGE_", "CCACHE_", "DISTCC_"].iter().any(|beginning| name.starts_with(beginning)) {
        true => (Matter::Harmless, "Portage's own"),
        false => (Matter::Binary, "ebuilds see it"),
    }
}

/// What a word of FEATURES means.
pub(super) fn of_feature(feature: &str) -> Verdict {
    match feature {
        content if changes_content(content) => (Matter::Binary, "what is in a package"),
        check if CHECKS.contains(&check) => (Matter::Binary, "whether a package is built"),
        _ => (Matter::Harmless, "how Portage goes about it"),
    }
}

/// Whether a word of FEATURES changes what is in a package.
pub(super) fn changes_content(feature: &str) -> bool {
    CONTENT.contains(&feature)
}

fn by_beginning(rules: &[(&str, Verdict)], name: &str) -> Verdict {
    let rule = rules.iter().find(|(beginning, _)| name.starts_with(beginning));
    rule.map_or((Matter::Binary, "Portage reads it"), |(_, verdict)| *verdict)
}

/// What an entry of a file of lines means.
pub(super) fn of_entry(file: &str) -> Verdict {
    by_beginning(&ENTRIES, file)
}

/// What another file means.
pub(super) fn of_file(path: &str) -> Verdict {
    by_beginning(&FILES, path)
}

/// What tools mean that differ. A program needs at least the library and the headers that it was built with, so newer
/// ones than the driver's may make what the driver cannot run; older ones may not.
pub(super) fn of_tool(tool: Tool, driver: Option<&Version>, drone: Option<&Version>) -> Verdict {
    match (tool, driver, drone) {
        (Tool::Portage, _, _) => (Matter::Harmless, "builds the same"),
        (_, Some(driver), Some(drone)) if driver.kind != drone.kind => (Matter::Binary, "of another kind"),
        (_, Some(driver), Some(drone)) if drone.is_newer_than(driver) => {
            (Matter::Binary, "newer: what is built with it may need what the driver lacks")
        }
        (_, Some(_), Some(_)) => (Matter::Harmless, "older: what is built with it runs on the driver"),
        _ => (Matter::Harmless, "cannot be compared"),
    }
}
