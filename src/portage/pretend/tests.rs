//! The shapes are Portage's, the packages are made up.

use proptest::prelude::*;

use super::*;

fn packages(text: &str) -> Vec<String> {
    text.parse::<Pretend>().unwrap().packages.iter().map(Cpv::to_string).collect()
}

fn bad_lines(text: &str) -> Vec<(usize, String)> {
    match text.parse::<Pretend>() {
        Err(PretendError::Lines(BadLines(lines))) => lines.into_iter().map(|line| (line.number, line.reason)).collect(),
        other => panic!("{text:?} gave {other:?}"),
    }
}

const VERBOSE: &str = r#"
These are the packages that would be merged, in order:

Calculating dependencies ... done!
Dependency resolution took 2.11 s (backtrack: 0/20).

[ebuild     U  ] dev-libs/tinyxml-3.1:0/3::gentoo [2.9:0/2::gentoo] USE="static* (-debug) -doc%" 1,204 KiB
[ebuild  N    ~] sys-libs/libsigc++-2.12.1-r3:2::overlay-one  USE="{-test}" PYTHON_TARGETS="p3_12 -p3_13%" 0 KiB
[ebuild  NS    ] app-misc/slotted-2.0_rc1:2/2.0::gentoo [1.0:1::gentoo, 1.5:1.5::gentoo] 12 KiB
[ebuild  rR    ] app-misc/user-1::gentoo  USE="-ssl" 0 KiB
[ebuild   R   #] app-misc/masked-20240101_p2::gentoo [20240101_p2::other] 0 KiB
[ebuild     UD ] app-misc/older-1.0b::gentoo [1.1::gentoo] 0 KiB
[ebuild I R f  ] games-misc/asks-4::gentoo  0 KiB
[binary  N g   ] app-misc/ready-1.1-r1-14::gentoo  USE="nls" 10 KiB
[binary   R    ] virtual/jdk-17-3:17::gentoo  0 KiB

Total: 9 packages (2 upgrades, 1 downgrade, 2 new, 3 reinstalls, 2 binaries), Size of downloads: 1,226 KiB
"#;

const VERBOSE_PACKAGES: [&str; 9] = [
    "dev-libs/tinyxml-3.1",
    "sys-libs/libsigc++-2.12.1-r3",
    "app-misc/slotted-2.0_rc1",
    "app-misc/user-1",
    "app-misc/masked-20240101_p2",
    "app-misc/older-1.0b",
    "games-misc/asks-4",
    "app-misc/ready-1.1-r1",
    "virtual/jdk-17",
];

#[test]
fn a_verbose_list_gives_its_packages_in_order() {
    let pretend: Pretend = VERBOSE.parse().unwrap();
    assert_eq!(packages(VERBOSE), VERBOSE_PACKAGES);
    assert!(!pretend.blockers_unsolved && !pretend.slot_conflict && !pretend.circular);
    assert!(pretend.warnings.is_empty(), "{:?}", pretend.warnings);
}

#[test]
fn windows_line_ends_make_no_difference() {
    assert_eq!(packages(&VERBOSE.replace('\n', "\r\n")), VERBOSE_PACKAGES);
}

#[test]
fn every_other_shape_gives_the_same_packages() {
    let expected = ["dev-libs/tinyxml-3.1", "sys-libs/libsigc++-2.12.1-r3", "app-misc/slotted-2.0"];
    for (shape, text) in [
        (
            "plain",
            "[ebuild     U  ] dev-libs/tinyxml-3.1 [2.9]\n[ebuild  N     ] sys-libs/libsigc++-2.12.1-r3 \n\
             [ebuild  NS    ] app-misc/slotted-2.0 [1.0] USE=\"-ssl\" \n",
        ),
        (
            "quiet",
            "[ebuild     U ] dev-libs/tinyxml-3.1 [2.9]\n[ebuild  N    ] sys-libs/libsigc++-2.12.1-r3 \n\
             [ebuild  NS   ] app-misc/slotted-2.0 [1.0]\n",
        ),
        (
            "columns",
            "[ebuild     U  ] dev-libs/tinyxml                 [3.1:0/3::gentoo]   [2.9:0/2::gentoo] USE=\"a\" 0 KiB\n\
             [ebuild  N     ] sys-libs/libsigc++               [2.12.1-r3::gentoo]    0 KiB\n\
             [ebuild  NS    ] app-misc/slotted [2.0:2::gentoo] [1.0:1::gentoo] 0 KiB\n",
        ),
        (
            "quiet columns",
            "    U  dev-libs/tinyxml 3.1 [2.9]\n N     sys-libs/libsigc++ 2.12.1-r3 \n\
             \x20NS    app-misc/slotted 2.0 [1.0]\n",
        ),
        (
            "to another root",
            "[ebuild     U  ] dev-libs/tinyxml-3.1 [2.9] to /mnt/root/\n\
             [ebuild  N     ] sys-libs/libsigc++-2.12.1-r3 to /mnt/root/\n NS    app-misc/slotted 2.0 to /mnt/root/\n",
        ),
        (
            "quiet repositories",
            "[ebuild     U  ] dev-libs/tinyxml-3.1:0/3 [2.9:0/2] USE=\"a\" 0 KiB [0=>1]\n\
             [ebuild  N     ] sys-libs/libsigc++-2.12.1-r3  0 KiB [0]\n\
             [ebuild  NS    ] app-misc/slotted-2.0:2 [1.0:1] 0 KiB [?]\n",
        ),
    ] {
        assert_eq!(packages(text), expected, "{shape}");
    }
}

#[test]
fn the_build_id_of_a_binary_is_no_part_of_its_version_in_any_shape() {
    for text in [
        "[binary  N g   ] app-misc/ready-1.1-r1-14::gentoo  0 KiB",
        "[binary  N g   ] app-misc/ready-1.1-r1::gentoo  0 KiB",
        "[binary  N g  ] app-misc/ready-1.1-r1-1 ",
        "[binary  N g   ] app-misc/ready          [1.1-r1-2:0::gentoo]   0 KiB",
        " N g   app-misc/ready 1.1-r1-2 ",
    ] {
        assert_eq!(packages(text), ["app-misc/ready-1.1-r1"], "{text}");
    }
}

#[test]
fn colours_and_what_a_terminal_or_a_log_put_before_a_line_are_passed_over() {
    let text = "\u{1b}[32;01mhost\u{1b}[0m ~ # emerge -pv app-misc/foo\r\n\
                Calculating dependencies  |\u{8}\u{8} /\u{8}\u{8} ... done!\r\n\
                2024-05-01T10:00:00 [\u{1b}[32mebuild\u{1b}[39m  \u{1b}[32;01mN\u{1b}[39;49;00m     ] \
                \u{1b}[32;01mapp-misc/foo-1.0\u{1b}[39;49;00m:\u{1b}[01m0/2\u{1b}[0m::gentoo  \
                USE=\"\u{1b}[31mnls\u{1b}[39m\"\r\n12:00:01 > [binary   R    ] app-misc/bar-2-1::gentoo\r\n\
                [10:00] 2024/05/01     U  app-misc/baz 3 [2]\r\n\
                \u{1b}]0;done\u{7}host ~ # \r\n";
    assert_eq!(packages(text), ["app-misc/foo-1.0", "app-misc/bar-2", "app-misc/baz-3"]);
}

#[test]
fn a_tree_is_turned_into_the_order_of_merging() {
    let text = "These are the packages that would be merged, in reverse order:\n\n\
                [ebuild  N     ] app-misc/top-1::gentoo  0 KiB\n\
                [ebuild  N     ]  app-misc/middle-1::gentoo  0 KiB\n\
                [nomerge       ]   app-misc/there-1::gentoo \n\
                [ebuild  N     ]    app-misc/bottom-1::gentoo  0 KiB\n\n\
                Total: 3 packages (3 new), Size of downloads: 0 KiB\n";
    assert_eq!(packages(text), ["app-misc/bottom-1", "app-misc/middle-1", "app-misc/top-1"]);
    let quiet: String = text.lines().filter(|line| line.starts_with('[')).map(|line| format!("{line}\n")).collect();
    assert_eq!(packages(&quiet), ["app-misc/bottom-1", "app-misc/middle-1", "app-misc/top-1"]);
}

#[test]
fn several_lists_in_one_text_are_joined_without_duplicates() {
    let text = "[ebuild  N     ] app-misc/a-1\nTotal: 1 package (1 new)\n\
                These are the packages that would be merged, in reverse order:\n\
                [ebuild  N     ] app-misc/c-1\n[ebuild  N     ]  app-misc/b-1\n[ebuild  N     ]   app-misc/a-1\n";
    assert_eq!(packages(text), ["app-misc/a-1", "app-misc/b-1", "app-misc/c-1"]);
}

#[test]
fn what_is_not_merged_is_left_out() {
    let text = "[nomerge       ] app-misc/there-1::gentoo \n[ebuild  N     ]  app-misc/new-1::gentoo  0 KiB\n\
                [uninstall     ] app-misc/gone-1::gentoo  USE=\"nls\" \n\
                [blocks b      ] app-misc/gone (\"app-misc/gone\" is soft blocking app-misc/new-1)\n\
                Total: 1 package (1 new, 1 uninstall), Size of downloads: 0 KiB\n\
                Conflict: 1 block (all satisfied)\n\
                The following packages are causing rebuilds:\n\
                  (dev-libs/x-2.0:0/2::gentoo, ebuild scheduled for merge) causes rebuilds for:\n";
    let pretend: Pretend = text.parse().unwrap();
    assert_eq!(packages(text), ["app-misc/new-1"]);
    assert!(!pretend.blockers_unsolved);
}

#[test]
fn blockers_without_a_way_out_are_seen_in_every_shape() {
    let merge = "[ebuild  N     ] app-misc/new-1::gentoo  0 KiB\n";
    for line in [
        "[blocks B      ] app-misc/old (\"app-misc/old\" is hard blocking app-misc/new-1)",
        "[blocks B     ] <app-misc/old-2 (is hard blocking app-misc/new-1)",
        "Conflict: 2 blocks (1 unsatisfied)",
        "B      app-misc/old (\"app-misc/old\" is hard blocking app-misc/new-1)",
    ] {
        let pretend: Pretend = format!("{merge}{line}\n").parse().unwrap();
        assert!(pretend.blockers_unsolved, "{line}");
    }
}

#[test]
fn slot_conflicts_and_circles_are_seen() {
    let merge = "[ebuild  N     ] app-misc/new-1::gentoo  0 KiB\n";
    let conflict: Pretend = format!(
        "{merge}!!! Multiple package instances within a single package slot have been pulled\n\
         !!! into the dependency graph, resulting in a slot conflict:\n\napp-misc/new:0\n"
    )
    .parse()
    .unwrap();
    assert!(conflict.slot_conflict && !conflict.circular);
    let circle: Pretend = format!("{merge} * Error: circular dependencies:\n").parse().unwrap();
    assert!(circle.circular && !circle.slot_conflict);
}

#[test]
fn a_line_that_looks_like_a_merge_and_cannot_be_read_is_an_error_with_its_number() {
    for line in [
        "[ebuild  N     ] app-misc/foo",
        "[ebuild  N     ] app-misc/foo USE=\"a\"",
        "[ebuild  N     ]",
        "[ebuild  N     app-misc/foo-1",
        "[ebuild  X     ] app-misc/foo-1",
        "[ebuild  U N   ] app-misc/foo-1",
        "[ebuild  N            ] app-misc/foo-1",
        "[ebuild  N     ] foo-1",
        "[ebuild  N     ] ../../foo-1",
        "[ebuild  N     ] app-misc/foo-1.",
        "[ebuild  N     ] app-misc/foo-1:!::gentoo",
        "[ebuild  N     ] app-misc/foo-1:2:3",
        "[ebuild  N     ] app-misc/foo-1::",
        "[ebuild  N     ] app-misc/foo  [x]",
        "[ebuild  N     ] app-misc/foo  [1::a b]",
        " N     app-misc/foo",
        " N     app-misc/foo [1.0]",
        " N     app-misc/foo 1.x",
        "10:00  N     app-misc/foo 1.x",
    ] {
        let lines = bad_lines(&format!("[ebuild  N     ] app-misc/good-1\n\n{line}\n"));
        assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3], "{line}: {lines:?}");
    }
}

#[test]
fn all_bad_lines_are_reported_together() {
    let lines = bad_lines("[ebuild  N     ] one\n[ebuild  N     ] app-misc/good-1\n[binary  N     ] two\n");
    assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_quiet_tree_in_columns_is_refused_since_it_does_not_tell_what_is_merged() {
    let lines = bad_lines(" N     app-misc/top 1 \n  R     app-misc/below 2 \n");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].0, 2);
    assert!(lines[0].1.contains("--tree"), "{}", lines[0].1);
}

#[test]
fn prose_is_no_merge() {
    for text in [
        "Use N app-misc/foo if you like",
        "I app-misc/foo 1.0",
        "U.S. dev-lang/R has no version here",
        "see /etc/portage/package.use",
        "app-misc/foo 1.0",
        "- app-misc/foo-1.0::gentoo (masked by: ~amd64 keyword)",
        "[lab] Local copy of remote index is up-to-date and will be used.",
    ] {
        let text = format!("[ebuild  N     ] app-misc/good-1\n{text}\n");
        assert_eq!(packages(&text), ["app-misc/good-1"], "{text}");
    }
}

#[test]
fn a_text_without_a_merge_says_what_is_expected() {
    for text in ["", "\n", "hello\n", "[nomerge       ] app-misc/there-1\n", "emerge: there are no ebuilds\n"] {
        assert_eq!(text.parse::<Pretend>(), Err(PretendError::NoList), "{text:?}");
    }
    assert!(PretendError::NoList.to_string().contains("emerge -p"));
}

#[test]
fn a_list_that_says_it_is_empty_is_told_apart_from_no_list() {
    let text = "\nTotal: 0 packages, Size of downloads: 0 KiB\n";
    assert_eq!(text.parse::<Pretend>(), Err(PretendError::Nothing { line: 2 }));
}

#[test]
fn a_list_that_counts_more_than_it_shows_is_warned_about() {
    let cut: String =
        VERBOSE.lines().filter(|line| !line.contains("virtual/jdk")).map(|line| format!("{line}\n")).collect();
    let pretend: Pretend = cut.parse().unwrap();
    assert_eq!(pretend.packages.len(), 8);
    assert_eq!(pretend.warnings, ["line 16 counts 9 packages, but the list above it has only 8: was it cut?"]);
}

/// Real output of Portage, where it lies beside the checkout.
#[test]
fn the_samples_of_real_output_can_be_read() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/portage/samples");
    if !samples.is_dir() {
        eprintln!("skipped: no samples of real output at {}", samples.display());
        return;
    }
    for (file, least) in [("pretend.txt", 14), ("pretend-more.txt", 12)] {
        let text = std::fs::read_to_string(samples.join(file)).unwrap();
        // The first command of a file is no pretence; each `$ emerge` begins another text.
        let mut read = 0;
        for part in text.split("\n$ ").filter(|part| part.contains("\n[ebuild") || part.contains("\n[binary")) {
            let pretend: Pretend = part.parse().unwrap_or_else(|error| panic!("{file}: {error}\n{part}"));
            let lines = part.lines().filter(|line| line.starts_with("[ebuild") || line.starts_with("[binary")).count();
            assert_eq!(pretend.packages.len(), lines, "{part}");
            assert!(pretend.warnings.is_empty(), "{part}");
            assert_eq!(pretend.blockers_unsolved, part.contains("[blocks B"), "{part}");
            read += 1;
        }
        assert!(read >= least, "{file}: only {read}");
    }
}

/// One made-up merge and the shape it is printed in.
#[derive(Debug, Clone)]
struct Merge {
    name: String,
    version: String,
    build_id: Option<u16>,
    slot: Option<String>,
    repository: Option<String>,
    old: Option<String>,
    marks: &'static str,
    masked: bool,
    columns: bool,
    colour: bool,
    before: &'static str,
}

impl Merge {
    fn cpv(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    fn line(&self) -> String {
        let (on, off) = if self.colour { ("\u{1b}[32;01m", "\u{1b}[39;49;00m") } else { ("", "") };
        let kind = if self.build_id.is_some() { "binary" } else { "ebuild" };
        let id = self.build_id.map_or_else(String::new, |id| format!("-{id}"));
        let slot = self.slot.as_ref().map_or_else(String::new, |slot| format!(":{slot}"));
        let repository = self.repository.as_ref().map_or_else(String::new, |name| format!("::{name}"));
        let full = format!("{}{id}{slot}{repository}", self.version);
        let package = if self.columns {
            format!("{on}{}{off}      {on}[{full}]{off}     ", self.name)
        } else {
            format!("{on}{}-{full}{off} ", self.name)
        };
        let old = self.old.as_ref().map_or_else(String::new, |old| format!("{on}[{old}]{off}"));
        let mask = if self.masked { "~" } else { " " };
        format!(
            "{}[{on}{kind}{off} {on}{}{off}{mask}] {package}{old} USE=\"a -b* {{-c}} (d%*)\" 0 KiB",
            self.before, self.marks
        )
    }
}

fn merges() -> impl Strategy<Value = Merge> {
    let name = "[a-z]{2,6}-[a-z]{2,6}/[a-z][a-z+_]{0,8}(-[a-z]{1,5})?";
    let version = r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}[a-z]?(_(rc|p|beta)[0-9]{0,2})?(-r[1-9])?";
    let marks =
        prop::sample::select(vec![" N    ", " NS   ", "    U ", "    UD", "  R   ", " rR   ", "I N F ", " N g  "])
            .prop_filter("in the order of the columns", |marks| in_columns(marks));
    let before = prop::sample::select(vec!["", "  ", "10:00:01 ", "host ~ # ", "[2024-01-01] "]);
    (
        (name, version, proptest::option::of(1..500u16), proptest::option::of(r"[0-9]{1,2}(/[0-9]{1,2}(\.[0-9])?)?")),
        (proptest::option::of("[a-z][a-z-]{1,8}"), proptest::option::of("[0-9]{1,2}(, [0-9]{1,2}:2/3)?")),
        (marks, any::<bool>(), any::<bool>(), any::<bool>(), before),
    )
        .prop_map(
            |((name, version, build_id, slot), (repository, old), (marks, masked, columns, colour, before))| Merge {
                name,
                version,
                build_id,
                slot,
                repository,
                old,
                marks,
                masked,
                columns,
                colour,
                before,
            },
        )
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(.|\n|\r|\u{1b}|\\[ebuild |\\[binary | N|app/x|-1|\\]|Total: ){0,60}") {
        let _ = text.parse::<Pretend>();
    }

    #[test]
    fn what_is_printed_is_what_is_read(list in prop::collection::vec(merges(), 1..8)) {
        let text: String = list.iter().map(|merge| merge.line() + "\n").collect();
        let mut expected: Vec<String> = Vec::new();
        for cpv in list.iter().map(Merge::cpv) {
            if !expected.contains(&cpv) {
                expected.push(cpv);
            }
        }
        prop_assert_eq!(packages(&text), expected);
    }
}
