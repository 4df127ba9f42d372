//! What a drone is to have: the driver's tree, the drone's overlay over it, and what is written anew. Pure.
//!
//! `make.conf` is a directory there, which Portage reads in the order of names: `0-old` and `1-driver` are the driver's,
//! `2-drone` the overlay's, `3-host` the drone's own settings that are the host's concern. All other files of an overlay
//! take the place of the driver's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::listing::{Changes, Entry, Listing, Mark};
use super::scripts::{DriverTree, Look, Patch, Repository};
use crate::core::names::Revision;

const PROFILE: &str = "etc/portage/make.profile";
const HOST_SETTINGS: &str = "etc/portage/make.conf/3-host";
/// So many digits of a digest name a revision.
const NAME_LENGTH: usize = 32;

/// A file that does not come from the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// Its permission bits.
    pub mode: u32,
    /// What it holds.
    pub content: Vec<u8>,
}

impl OwnFile {
    fn text(text: String) -> Self {
        Self { mode: 0o644, content: text.into_bytes() }
    }

    fn entry(&self) -> Entry {
        Entry::File { mode: self.mode, size: self.content.len() as u64, mark: Mark::of(&self.content) }
    }
}

/// An overlay that cannot be laid over a driver's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} of an overlay cannot be laid over /etc/portage: {reason}")]
pub struct OverlayError {
    path: String,
    reason: &'static str,
}

/// What a drone is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Its name.
    pub revision: Revision,
    /// All that it holds but repos.conf, which holds its own place.
    pub listing: Listing,
    /// Those of the files that do not come from the driver.
    pub own: BTreeMap<String, OwnFile>,
    /// repos.conf, with `@ROOT@` for the revision's path.
    pub repos_conf: String,
}

/// Puts together what a drone is to have; the overlay's files are by their path below `/etc/portage`.
///
/// # Errors
/// When the overlay has what cannot be laid over.
pub fn compose(
    tree: &DriverTree,
    mut listing: Listing,
    overlay: &BTreeMap<String, OwnFile>,
    look: &Look,
) -> Result<Composed, OverlayError> {
    let mut own = BTreeMap::new();
    for file in &tree.written {
        own.insert(file.path.clone(), OwnFile::text(file.text.clone()));
    }
    if let Some(profile) = &tree.profile {
        let target = format!("../../repos/{}/{}", profile.repository, profile.path);
        listing.insert(PROFILE, Entry::Link { target });
    }
    for (path, file) in overlay {
        own.insert(place(path)?, file.clone());
    }
    own.insert(HOST_SETTINGS.to_owned(), OwnFile::text(host_settings(look)));
    own.insert("revisions".to_owned(), OwnFile::text(revisions(&tree.repositories)));
    for (path, file) in &own {
        listing.remove(path);
        listing.insert(path, file.entry());
    }
    let repos_conf = repos_conf(tree);
    let digest = HEXLOWER.encode(&Sha256::digest(format!("{}\n{repos_conf}", listing.digest())));
    let revision = digest.chars().take(NAME_LENGTH).collect::<String>();
    // Hexadecimal digits are a name.
    let revision = revision.parse().map_err(|_| OverlayError { path: revision, reason: "it has no name" })?;
    Ok(Composed { revision, listing, own, repos_conf })
}

/// Where a file of an overlay comes to lie.
fn place(path: &str) -> Result<String, OverlayError> {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let refuse = |reason| Err(OverlayError { path: path.to_owned(), reason });
    match (first, rest) {
        ("make.conf", None) => Ok("etc/portage/make.conf/2-drone".to_owned()),
        ("make.conf", Some(rest)) => Ok(format!("etc/portage/make.conf/2-drone/{rest}")),
        ("make.profile", _) => refuse("a drone has the driver's profile; add to it in profile/"),
        ("repos.conf", _) => refuse("a drone has the driver's repositories"),
        ("gnupg", _) => refuse("jobs look at no keys"),
        (first, _) if first.starts_with("binrepos.conf") => refuse("jobs ask no binhost"),
        _ => Ok(format!("etc/portage/{path}")),
    }
}

fn revisions(repositories: &[Repository]) -> String {
    repositories.iter().map(|one| format!("{} {}\n", one.name, one.revision)).collect()
}

fn repos_conf(tree: &DriverTree) -> String {
    let mut text = "# Written by swarm.\n".to_owned();
    if let Some(main) = &tree.main {
        let _ = write!(text, "[DEFAULT]\nmain-repo = {main}\n");
    }
    for repository in &tree.repositories {
        let name = &repository.name;
        let _ = write!(text, "\n[{name}]\nlocation = @ROOT@/repos/{name}\nauto-sync = no\n");
        for (key, value) in &repository.settings {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text
}

fn host_settings(look: &Look) -> String {
    // Repositories are those of repos.conf, whatever older variables of the driver's say.
    let mut text = "# Written by swarm: what is this host's own concern.\nPORTDIR_OVERLAY=\"\"\n".to_owned();
    for (key, value) in &look.settings {
        let _ = writeln!(text, "{key}={}", quoted(value));
    }
    if !look.features.is_empty() {
        let _ = writeln!(text, "FEATURES=\"${{FEATURES}} {}\"", look.features.join(" "));
    }
    text
}

/// A value as Portage reads it in make.conf.
fn quoted(value: &str) -> String {
    let escaped = value.chars().fold(String::new(), |mut text, each| {
        if matches!(each, '\\' | '"' | '$') {
            text.push('\\');
        }
        text.push(each);
        text
    });
    format!("\"{escaped}\"")
}

/// The steps from one revision to what a drone is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// What happens there; without archives.
    pub patch: Patch,
    /// The files that come from the driver.
    pub from_driver: Vec<String>,
    /// Those that do not.
    pub own: BTreeMap<String, OwnFile>,
}

impl Composed {
    /// The steps from a base; without one all of it is new.
    pub fn steps_from(&self, base: Option<(&Revision, &Listing)>) -> Steps {
        let nothing = Listing::default();
        let changes = Changes::between(base.map_or(&nothing, |(_, listing)| listing), &self.listing);
        let mut steps = Steps {
            patch: Patch {
                revision: self.revision.clone(),
                digest: self.listing.digest(),
                base: base.map(|(revision, _)| revision.clone()),
                remove: topmost(&changes.removed),
                directories: Vec::new(),
                links: Vec::new(),
                archives: Vec::new(),
                repos_conf: self.repos_conf.clone(),
            },
            from_driver: Vec::new(),
            own: BTreeMap::new(),
        };
        for path in &changes.changed {
            let is_directory = |listing: &Listing| matches!(listing.entries.get(path), Some(Entry::Directory { .. }));
            if !(is_directory(&self.listing) && base.is_some_and(|(_, listing)| is_directory(listing))) {
                steps.patch.remove.push(path.clone());
            }
        }
        for path in changes.added.iter().chain(&changes.changed) {
            match self.listing.entries.get(path) {
                Some(Entry::Directory { mode }) => steps.patch.directories.push((path.clone(), *mode)),
                Some(Entry::Link { target }) => steps.patch.links.push((path.clone(), target.clone())),
                Some(Entry::File { .. }) => match self.own.get(path) {
                    Some(file) => drop(steps.own.insert(path.clone(), file.clone())),
                    None => steps.from_driver.push(path.clone()),
                },
                None => {}
            }
        }
        steps.patch.directories.sort();
        steps
    }
}

/// Those of these sorted paths that lie below no other one of them.
fn topmost(paths: &[String]) -> Vec<String> {
    let mut top: Vec<String> = Vec::new();
    let mut inside: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    for path in paths {
        let above = path.match_indices('/').any(|(end, _)| inside.contains(&path[..end]));
        if !above {
            inside.insert(path);
            top.push(path.clone());
        }
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        Look {
            current: None,
            free: Vec::new(),
            settings: [("FETCHCOMMAND".to_owned(), "wget -O \"${DISTDIR}/${FILE}\"".to_owned())].into(),
            features: vec!["-sandbox".to_owned(), "ccache".to_owned()],
        }
    }

    fn tree() -> DriverTree {
        let profile = r#"{"repository": "gentoo", "path": "profiles/lab"}"#;
        let text = format!(
            r#"{{"digest": "", "main": "gentoo", "profile": {profile}, "written": [], "repositories": [
            {{"name": "gentoo", "settings": {{"priority": "-1000"}}, "revision": "git:1"}},
            {{"name": "local", "settings": {{"masters": "gentoo"}}, "revision": "content:2"}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn listing() -> Listing {
        let text = b"d 755 etc/portage\0d 755 etc/portage/make.conf\0d 755 etc/portage/package.use\0\
            f 644 3 1 etc/portage/package.use/one\0d 755 repos/gentoo\0f 644 3 1 repos/gentoo/a\0";
        Listing::parse(text).unwrap()
    }

    fn overlay(path: &str) -> BTreeMap<String, OwnFile> {
        [(path.to_owned(), OwnFile::text("MAKEOPTS=\"-j2\"\n".to_owned()))].into()
    }

    fn composed(overlay: &BTreeMap<String, OwnFile>) -> Composed {
        compose(&tree(), listing(), overlay, &look()).unwrap()
    }

    #[test]
    fn repositories_are_written_as_the_driver_has_them_at_their_own_place() {
        let composed = composed(&BTreeMap::new());
        assert_eq!(
            composed.repos_conf,
            "# Written by swarm.\n[DEFAULT]\nmain-repo = gentoo\n\n[gentoo]\nlocation = @ROOT@/repos/gentoo\nauto-sync = \
             no\npriority = -1000\n\n[local]\nlocation = @ROOT@/repos/local\nauto-sync = no\nmasters = gentoo\n"
        );
        assert_eq!(composed.own["revisions"].content, b"gentoo git:1\nlocal content:2\n");
        let profile = Entry::Link { target: "../../repos/gentoo/profiles/lab".to_owned() };
        assert_eq!(composed.listing.entries[PROFILE], profile);
    }

    #[test]
    fn settings_of_the_host_are_quoted_as_portage_reads_them() {
        let text = String::from_utf8(composed(&BTreeMap::new()).own[HOST_SETTINGS].content.clone()).unwrap();
        assert!(text.contains("FETCHCOMMAND=\"wget -O \\\"\\${DISTDIR}/\\${FILE}\\\"\"\n"), "{text}");
        assert!(text.contains("FEATURES=\"${FEATURES} -sandbox ccache\"\n"), "{text}");
    }

    #[test]
    fn an_overlay_lies_over_all_but_make_conf_which_it_adds_to() {
        for (path, place) in [
            ("make.conf", "etc/portage/make.conf/2-drone"),
            ("make.conf/jobs", "etc/portage/make.conf/2-drone/jobs"),
            ("package.use/one", "etc/portage/package.use/one"),
            ("package.use", "etc/portage/package.use"),
            ("env/a/b", "etc/portage/env/a/b"),
        ] {
            let composed = composed(&overlay(path));
            assert_eq!(composed.listing.entries[place], overlay(path)[path].entry(), "{path}");
        }
        assert!(!composed(&overlay("package.use")).listing.entries.contains_key("etc/portage/package.use/one"));
        for path in ["repos.conf/a", "make.profile", "gnupg/x", "binrepos.conf"] {
            assert!(compose(&tree(), listing(), &overlay(path), &look()).is_err(), "{path}");
        }
    }

    #[test]
    fn whatever_a_build_could_see_makes_another_revision() {
        let revision = |composed: &Composed| composed.revision.clone();
        let plain = composed(&BTreeMap::new());
        assert_eq!(revision(&plain), revision(&composed(&BTreeMap::new())));
        let mut other = tree();
        other.repositories[1].settings.insert("priority".to_owned(), "9".to_owned());
        let repository = compose(&other, listing(), &BTreeMap::new(), &look()).unwrap();
        let mut own = look();
        own.settings.insert("DISTDIR".to_owned(), "/elsewhere".to_owned());
        let host = compose(&tree(), listing(), &BTreeMap::new(), &own).unwrap();
        for other in [&composed(&overlay("make.conf")), &repository, &host] {
            assert_ne!(revision(&plain), revision(other));
        }
    }

    #[test]
    fn steps_name_what_goes_what_comes_and_from_where() {
        let composed = composed(&overlay("package.use"));
        let all = composed.steps_from(None);
        assert_eq!(all.from_driver, ["repos/gentoo/a"]);
        assert_eq!(all.patch.remove, [""; 0]);
        let own: Vec<_> = all.own.keys().map(String::as_str).collect();
        assert_eq!(own, [HOST_SETTINGS, "etc/portage/package.use", "revisions"]);

        let mut base = composed.listing.clone();
        base.remove("etc/portage/package.use");
        base.insert("etc/portage/package.use/one", Entry::Link { target: "x".to_owned() });
        base.insert("repos/gentoo/b/c", Entry::Directory { mode: 0o755 });
        base.insert("repos/gentoo/b/d", Entry::Directory { mode: 0o755 });
        let steps = composed.steps_from(Some((&"abc".parse().unwrap(), &base)));
        assert_eq!(steps.patch.remove, ["etc/portage/package.use/one", "repos/gentoo/b", "etc/portage/package.use"]);
        assert_eq!(steps.own.keys().collect::<Vec<_>>(), ["etc/portage/package.use"]);
        assert_eq!((steps.from_driver.len(), steps.patch.directories.len()), (0, 0));
    }
}
