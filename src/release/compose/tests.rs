//! What a release consists of: tables of what supersedes what, and what always holds of a composition.

use std::slice::from_ref;

use proptest::prelude::*;

use super::super::testing::stanza;
use super::*;

fn base(stanzas: &[Stanza]) -> Base {
    let index = Index { stanzas: stanzas.to_vec(), ..Index::default() };
    Base { root: Some("/release".into()), index, ..Base::default() }
}

fn incoming(stanzas: &[Stanza]) -> Vec<Incoming> {
    let staged = |stanza: &Stanza| Path::new("/staging").join(stanza.path().to_string());
    let incoming = |stanza: &Stanza| Incoming {
        stanza: stanza.clone(),
        file: staged(stanza),
        known: None,
        received: None,
        signed: false,
    };
    stanzas.iter().map(incoming).collect()
}

fn composed(old: &[Stanza], new: &[Stanza]) -> Contents {
    compose(&base(old), &incoming(new), &BTreeMap::new(), |_| false).unwrap()
}

fn paths(contents: &Contents) -> Vec<String> {
    contents.index.stanzas.iter().map(|stanza| stanza.path().to_string()).collect()
}

#[test]
fn what_is_incoming_joins_what_is_there_with_a_file_for_each_entry() {
    let contents = composed(&[stanza("app-misc/old-1", 3, &[])], &[stanza("app-misc/new-1", 4, &[])]);
    assert_eq!(paths(&contents), ["app-misc/new/new-1-4.gpkg.tar", "app-misc/old/old-1-3.gpkg.tar"]);
    let files: Vec<_> = contents.entries.iter().map(|entry| entry.source.to_str().unwrap()).collect();
    assert_eq!(files, ["/staging/app-misc/new/new-1-4.gpkg.tar", "/release/app-misc/old/old-1-3.gpkg.tar"]);
    assert_eq!(contents.added.len(), 1);
    assert!(contents.superseded.is_empty());
}

#[test]
fn a_package_supersedes_what_it_replaces_and_nothing_else() {
    let new = stanza("app-misc/foo-2.0", 9, &[("SLOT", "2/2.0"), ("USE", "nls amd64"), ("IUSE", "+nls ssl")]);
    let slot = ("SLOT", "2");
    let (nls, iuse) = (("USE", "nls amd64"), ("IUSE", "nls ssl"));
    for (why, old, is_superseded) in [
        ("an older version", stanza("app-misc/foo-1.0", 1, &[slot, nls, iuse]), true),
        ("an older revision of a suffix", stanza("app-misc/foo-2.0_rc1-r9", 1, &[slot, nls, iuse]), true),
        ("another build of the version", stanza("app-misc/foo-2.0", 8, &[slot, nls, iuse]), true),
        ("a newer version", stanza("app-misc/foo-2.0-r1", 1, &[slot, nls, iuse]), false),
        ("another slot", stanza("app-misc/foo-1.0", 1, &[("SLOT", "1"), nls, iuse]), false),
        ("a flag that is off in the new one", stanza("app-misc/foo-1.0", 1, &[slot, ("USE", "nls ssl"), iuse]), false),
        ("a flag that is on in the new one", stanza("app-misc/foo-1.0", 1, &[slot, ("USE", "amd64"), iuse]), false),
        (
            "a flag that the new one lacks",
            stanza("app-misc/foo-1.0", 1, &[slot, ("USE", "nls x"), ("IUSE", "nls x")]),
            true,
        ),
        ("a flag that the old one lacked", stanza("app-misc/foo-1.0", 1, &[slot, ("USE", ""), ("IUSE", "ssl")]), true),
        ("a flag of the profile", stanza("app-misc/foo-1.0", 1, &[slot, ("USE", "nls arm64"), iuse]), true),
        (
            "another CHOST",
            stanza("app-misc/foo-1.0", 1, &[slot, nls, iuse, ("CHOST", "aarch64-unknown-linux-gnu")]),
            false,
        ),
        ("another package", stanza("app-misc/foo-bar-1.0", 1, &[slot, nls, iuse]), false),
        ("another category", stanza("dev-misc/foo-1.0", 1, &[slot, nls, iuse]), false),
    ] {
        let contents = composed(from_ref(&old), from_ref(&new));
        assert_eq!(contents.superseded == [old.path().clone()], is_superseded, "{why}");
        assert_eq!(contents.index.stanzas.contains(&old), !is_superseded, "{why}");
        assert!(contents.index.stanzas.contains(&new), "{why}");
        let lingering: Vec<_> = contents.lingering.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(lingering, contents.superseded, "{why}");
    }
}

#[test]
fn an_earlier_release_comes_back_as_it_was_and_what_is_live_lingers() {
    let (kept, first, second) =
        (stanza("app-misc/kept-1", 1, &[]), stanza("app-misc/foo-1", 2, &[]), stanza("app-misc/foo-2", 3, &[]));
    let (mut earlier, mut live) = (base(&[first.clone(), kept.clone()]), base(&[kept.clone(), second.clone()]));
    earlier.root = Some("/earlier".into());
    for (base, profile) in [(&mut earlier, "then"), (&mut live, "now")] {
        base.index.header = BTreeMap::from([("PROFILE".to_owned(), profile.to_owned())]);
    }
    let contents = restore(&earlier, &live).unwrap();
    assert_eq!(paths(&contents), ["app-misc/foo/foo-1-2.gpkg.tar", "app-misc/kept/kept-1-1.gpkg.tar"]);
    assert_eq!(contents.index.header["PROFILE"], "then");
    assert!(contents.entries.iter().all(|entry| entry.source.starts_with("/earlier")));
    assert_eq!((contents.added, contents.superseded), (vec![first.path().clone()], vec![second.path().clone()]));
    assert_eq!(contents.lingering, [(second.path().clone(), "/release/app-misc/foo/foo-2-3.gpkg.tar".into())]);
}

#[test]
fn what_is_needed_stays_though_it_is_superseded() {
    let old = stanza("app-misc/foo-1.0", 1, &[]);
    let new = [stanza("app-misc/foo-2.0", 2, &[])];
    let contents = compose(&base(from_ref(&old)), &incoming(&new), &BTreeMap::new(), |other| *other == old).unwrap();
    assert_eq!(contents.index.stanzas.len(), 2);
}

#[test]
fn a_library_stays_as_long_as_a_package_that_stays_was_linked_against_it() {
    let library = |version: &str, id, sub_slot: &str| {
        stanza(&format!("dev-libs/lib-{version}"), id, &[("SLOT", &format!("0/{sub_slot}"))])
    };
    let user =
        |version: &str, id, depend: &str| stanza(&format!("app-misc/user-{version}"), id, &[("RDEPEND", depend)]);
    for depend in ["dev-libs/lib:0/1=", ">=dev-libs/lib-1.0:0/1=[nls]", "x/y || ( dev-libs/lib:0/1= a/b )"] {
        let old = [library("1.0", 1, "1"), user("1", 2, depend)];
        let alone = composed(&old, &[library("2.0", 3, "2")]);
        assert!(alone.superseded.is_empty(), "{depend}");
        let with_its_user = composed(&old, &[library("2.0", 3, "2"), user("1", 4, "dev-libs/lib:0/2=")]);
        assert_eq!(with_its_user.superseded.len(), 2, "{depend}");
    }
    for depend in
        ["dev-libs/lib", "dev-libs/lib-x:0/1=", "dev-libs/lib:0/10=", "dev-libs/lib:1/1=", "!dev-libs/lib:0/1="]
    {
        let contents = composed(&[library("1.0", 1, "1"), user("1", 2, depend)], &[library("2.0", 3, "2")]);
        assert_eq!(contents.superseded.len(), 1, "{depend}");
    }
    let same_sub_slot =
        composed(&[library("1.0", 1, "1"), user("1", 2, "dev-libs/lib:0/1=")], &[library("1.1", 3, "1")]);
    assert_eq!(same_sub_slot.superseded.len(), 1);
}

#[test]
fn what_a_kept_library_was_linked_against_is_kept_too() {
    let old = [
        stanza("dev-libs/base-1", 1, &[("SLOT", "0/1")]),
        stanza("dev-libs/lib-1", 2, &[("SLOT", "0/1"), ("RDEPEND", "dev-libs/base:0/1=")]),
        stanza("app-misc/user-1", 3, &[("RDEPEND", "dev-libs/lib:0/1=")]),
    ];
    let new = [
        stanza("dev-libs/base-2", 4, &[("SLOT", "0/2")]),
        stanza("dev-libs/lib-2", 5, &[("SLOT", "0/2"), ("RDEPEND", "dev-libs/base:0/2=")]),
    ];
    assert!(composed(&old, &new).superseded.is_empty());
}

#[test]
fn the_same_package_again_is_no_addition_and_another_at_its_path_is_refused() {
    let old = stanza("app-misc/foo-1.0", 1, &[]);
    let contents = composed(from_ref(&old), from_ref(&old));
    assert_eq!((contents.added.len(), contents.superseded.len(), contents.index.stanzas.len()), (0, 0, 1));
    for other in [[("SHA1", "89ab")], [("MD5", "89ab")], [("SIZE", "8")], [("SHA1", "")]] {
        let other = stanza("app-misc/foo-1.0", 1, &other);
        let error = compose(&base(from_ref(&old)), &incoming(&[other]), &BTreeMap::new(), |_| false).unwrap_err();
        assert!(matches!(error, ReleaseError::Taken { .. }), "{error}");
    }
}

#[test]
fn an_entry_that_cannot_be_held_against_its_file_is_refused() {
    let error = compose(&base(&[stanza("app-misc/foo-1.0", 1, &[("SIZE", "")])]), &[], &BTreeMap::new(), |_| false)
        .unwrap_err();
    assert!(matches!(error, ReleaseError::NoSize { .. }), "{error}");
}

#[test]
fn the_header_is_the_drivers_or_where_that_is_not_known_the_one_before() {
    let mut base = base(&[]);
    base.index.header = [("PROFILE", "old"), ("URI", "http://elsewhere/"), ("TIMESTAMP", "1")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let kept = compose(&base, &[], &BTreeMap::new(), |_| false).unwrap().index.header;
    assert_eq!(kept, BTreeMap::from([("PROFILE".to_owned(), "old".to_owned())]));
    let drivers = BTreeMap::from([("PROFILE".to_owned(), "new".to_owned())]);
    assert_eq!(compose(&base, &[], &drivers, |_| false).unwrap().index.header, drivers);
}

fn some_stanzas(first_id: u32) -> impl Strategy<Value = Vec<Stanza>> {
    let one = (
        "[a-c]",
        1..4u32,
        "[01](/[12])?",
        "|nls",
        "|[a-c]".prop_map(|name| if name.is_empty() { name } else { format!("x/{name}:0/1=") }),
    );
    prop::collection::vec(one, 0..8).prop_map(move |list| {
        let numbered = list.into_iter().zip(first_id..);
        numbered
            .map(|((name, version, slot, flags, depend), id)| {
                let values = [("SLOT", slot.as_str()), ("USE", &flags), ("IUSE", "nls"), ("RDEPEND", &depend)];
                stanza(&format!("x/{name}-{version}"), id, &values)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn nothing_is_lost_that_nothing_replaces(old in some_stanzas(1), new in some_stanzas(100)) {
        let contents = composed(&old, &new);
        for stanza in &new {
            prop_assert!(contents.index.stanzas.contains(stanza));
        }
        for stanza in &old {
            let stays = contents.index.stanzas.contains(stanza);
            prop_assert_eq!(stays, !contents.superseded.contains(stanza.path()));
            if !stays {
                prop_assert!(new.iter().any(|other| supersedes(other, stanza)));
            }
        }
        prop_assert_eq!(contents.entries.len(), contents.index.stanzas.len());
    }
}
