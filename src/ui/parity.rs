//! How drones differ from the driver, as people and programs see it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::table::{Cell, Table, Tone};
use super::terminal;
use crate::core::names::HostName;
use crate::core::text::escaped;
use crate::portage::parity::{Difference, Matter};
use crate::ssh::HostError;

/// A drone, and all in what it differs, or why that cannot be said.
pub type Compared<'a> = (&'a HostName, Result<&'a [Difference], &'a HostError>);

/// So many differences of a drone are shown unless all are wanted.
const SHOWN: usize = 25;
/// So much of a value is shown unless all are wanted.
const WIDTH: usize = 60;

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer<'a> {
    Differences(&'a [Difference]),
    Error(&'a str),
}

#[derive(Serialize)]
struct Answers<'a> {
    driver: &'a HostName,
    drones: BTreeMap<&'a HostName, Answer<'a>>,
}

/// The whole as JSON, in one line.
///
/// # Errors
/// Never: strings and maps always serialise.
pub fn json(driver: &HostName, compared: &[Compared<'_>]) -> serde_json::Result<String> {
    let answer = |differences| match differences {
        Ok(differences) => Answer::Differences(differences),
        Err(error) => Answer::Error(error),
    };
    let told = compared.iter().map(|(drone, told)| (*drone, told.map_err(|error| error.message.as_str())));
    let drones = told.map(|(drone, told)| (drone, answer(told))).collect();
    Ok(serde_json::to_string(&Answers { driver, drones })? + "\n")
}

/// A paragraph a drone, and what to do next.
pub fn text(driver: &HostName, compared: &[Compared<'_>], all: bool) -> String {
    let coloured = terminal::colours_output();
    let paragraphs: Vec<String> = compared
        .iter()
        .map(|(drone, differences)| match differences {
            Ok([]) => format!("{drone}: like the driver\n"),
            Ok(differences) => {
                format!("{drone}: {}\n{}", count(differences), table(differences, all).render(coloured))
                    + &rest(differences.len(), all)
            }
            Err(error) => format!("{drone}: cannot be compared: {}\n", escaped(&error.message)),
        })
        .collect();
    paragraphs.join("\n") + &next(driver, compared)
}

/// Such as `3 differences that matter, 1 that does not`.
fn count(differences: &[Difference]) -> String {
    let matter = differences.iter().filter(|difference| difference.matter == Matter::Binary).count();
    let first = match matter {
        0 => "like the driver in what matters".to_owned(),
        1 => "1 difference that matters".to_owned(),
        _ => format!("{matter} differences that matter"),
    };
    match (matter, differences.len() - matter) {
        (_, 0) => first,
        (0, 1) => format!("{first}, 1 difference that does not"),
        (0, rest) => format!("{first}, {rest} differences that do not"),
        (_, 1) => format!("{first}, 1 that does not"),
        (_, rest) => format!("{first}, {rest} that do not"),
    }
}

fn table(differences: &[Difference], all: bool) -> Table {
    let mut table = Table::new(["matters", "what", "on the driver", "there", "why"]);
    let value = |text: &Option<String>| {
        Cell::optional(text.as_ref().map(|text| match text.char_indices().nth(WIDTH) {
            Some((end, _)) if !all => format!("{}…", &text[..end]),
            _ => text.clone(),
        }))
    };
    for difference in differences.iter().take(if all { usize::MAX } else { SHOWN }) {
        let matters = match difference.matter {
            Matter::Binary => Cell::new("yes", Tone::Bad),
            Matter::Carried => Cell::new("carried", Tone::Faint),
            Matter::Harmless => Cell::new("no", Tone::Faint),
        };
        let (driver, drone) = (value(&difference.driver), value(&difference.drone));
        table.row([matters, Cell::from(&difference.point), driver, drone, Cell::from(difference.why)]);
    }
    table
}

fn rest(differences: usize, all: bool) -> String {
    match differences.saturating_sub(SHOWN) {
        rest if rest > 0 && !all => format!("… and {rest} more: swarm parity --all\n"),
        _ => String::new(),
    }
}

/// What to do about it.
fn next(driver: &HostName, compared: &[Compared<'_>]) -> String {
    let names = |wanted: &dyn Fn(&Compared<'_>) -> bool| {
        compared.iter().filter(|each| wanted(each)).map(|(drone, _)| drone.as_str()).collect::<Vec<_>>().join(",")
    };
    let differ = |(_, differences): &Compared<'_>| {
        differences.is_ok_and(|all| all.iter().any(|difference| difference.matter == Matter::Binary))
    };
    let (differing, silent) = (names(&differ), names(&|(_, differences)| differences.is_err()));
    let mut text = String::new();
    if !differing.is_empty() {
        text += &format!("\nTo give them what {driver} has: swarm sync --on {differing}\n");
    }
    if !silent.is_empty() {
        text += &format!("\nTo see what is wrong: swarm hosts check {}\n", silent.replace(',', " "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::parity::Point;
    use crate::ssh::HostErrorKind;

    fn difference(matter: Matter, name: &str, drone: &str) -> Difference {
        Difference::new(Point::Setting(name.to_owned()), (None, Some(drone.to_owned())), (matter, "because"))
    }

    #[test]
    fn each_drone_has_a_paragraph_and_the_end_says_what_to_do() {
        let [izar, vega, tarn]: [HostName; 3] = ["izar", "vega", "tarn"].map(|name| name.parse().unwrap());
        let driver = "capella".parse().unwrap();
        let found = [
            difference(Matter::Binary, "USE", "ssl"),
            difference(Matter::Carried, "CFLAGS", "-O3"),
            difference(Matter::Harmless, "MAKEOPTS", &"x".repeat(100)),
        ];
        let error = HostError::new(&tarn, HostErrorKind::Unreachable, "no answer");
        let compared = [(&izar, Ok(&found[..])), (&vega, Ok(&[][..])), (&tarn, Err(&error))];
        let wanted = format!(
            "izar: 1 difference that matters, 2 that do not\n\
             MATTERS  WHAT      ON THE DRIVER  THERE{0}  WHY\n\
             yes      USE       -              ssl{1}because\n\
             carried  CFLAGS    -              -O3{1}because\n\
             no       MAKEOPTS  -              {2}…  because\n\
             \nvega: like the driver\n\
             \ntarn: cannot be compared: no answer\n\
             \nTo give them what capella has: swarm sync --on izar\n\
             \nTo see what is wrong: swarm hosts check tarn\n",
            " ".repeat(56),
            " ".repeat(60),
            "x".repeat(60),
        );
        assert_eq!(text(&driver, &compared, false), wanted);
        assert!(text(&driver, &compared, true).contains(&"x".repeat(100)));
        let json = json(&driver, &compared[1..]).unwrap();
        assert_eq!(
            json,
            "{\"driver\":\"capella\",\"drones\":{\"tarn\":{\"error\":\"no answer\"},\"vega\":{\"differences\":[]}}}\n"
        );
    }

    #[test]
    fn differences_are_counted_in_words() {
        let of =
            |matters: &[Matter]| count(&matters.iter().map(|matter| difference(*matter, "x", "y")).collect::<Vec<_>>());
        let (binary, harmless, carried) = (Matter::Binary, Matter::Harmless, Matter::Carried);
        for (matters, words) in [
            (&[binary][..], "1 difference that matters"),
            (&[binary, binary, harmless], "2 differences that matter, 1 that does not"),
            (&[binary, carried, harmless], "1 difference that matters, 2 that do not"),
            (&[carried], "like the driver in what matters, 1 difference that does not"),
            (&[carried, harmless], "like the driver in what matters, 2 differences that do not"),
        ] {
            assert_eq!(of(matters), words);
        }
    }

    #[test]
    fn of_many_differences_the_first_are_shown() {
        let drone = "izar".parse().unwrap();
        let many: Vec<Difference> =
            (0..SHOWN + 3).map(|number| difference(Matter::Binary, &format!("V{number}"), "y")).collect();
        let compared = [(&drone, Ok(&many[..]))];
        let driver = "capella".parse().unwrap();
        let some = text(&driver, &compared, false);
        assert!(some.contains("V24") && !some.contains("V25") && some.contains("… and 3 more: swarm parity --all\n"));
        let all = text(&driver, &compared, true);
        assert!(all.contains("V27") && !all.contains("more"));
    }
}
