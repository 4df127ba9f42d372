//! Moments in texts, as the clocks of a zone show them.
//!
//! Texts of ours have moments in RFC 3339 and in UTC, as JSON has them: who writes them knows no reader's zone. Where a
//! text is shown to people they become what clocks there show. Cost: one pass over the text.

use jiff::tz::TimeZone;

/// How long a moment is in RFC 3339, to the second and in UTC: `2026-11-26T22:31:00Z`.
const LENGTH: usize = 20;

/// A moment as the clocks of a zone show it, with the zone's name for it: `2026-11-26 22:31 CET`.
pub fn shown(moment: jiff::Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// The text with each moment in it as the clocks of this zone show it.
pub fn in_zone(text: &str, zone: &TimeZone) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    // Each moment has one Z, at its end.
    while let Some(end) = rest.find('Z').map(|at| at + 1) {
        let (before, behind) = rest.split_at(end);
        match moment_at_end(before, behind, zone) {
            Some(moment) => {
                shown.push_str(&before[..before.len() - LENGTH]);
                shown.push_str(&moment);
            }
            None => shown.push_str(before),
        }
        rest = behind;
    }
    shown + rest
}

/// The moment with which a text ends, where it is a word of its own: one in a command has to stay as it is.
fn moment_at_end(before: &str, behind: &str, zone: &TimeZone) -> Option<String> {
    let start = before.len().checked_sub(LENGTH)?;
    let (ahead, moment) = (before.get(..start)?, before.get(start..)?);
    let part_of_a_word = |character: char| character.is_alphanumeric() || "=-_/".contains(character);
    if ahead.ends_with(part_of_a_word) || behind.starts_with(part_of_a_word) {
        return None;
    }
    Some(shown(moment.parse().ok()?, zone))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_shown_as_the_clocks_of_the_zone_show_them() {
        let zone = |name: &str| TimeZone::get(name).unwrap();
        for (text, name, local) in [
            ("since 2026-11-26T21:31:00Z", "Europe/Berlin", "since 2026-11-26 22:31 CET"),
            ("since 2026-11-26T21:31:00Z", "UTC", "since 2026-11-26 21:31 UTC"),
            ("2026-07-01T23:00:59Z: lost", "Europe/Berlin", "2026-07-02 01:00 CEST: lost"),
            // The hour that clocks show twice, and the one before they jump.
            ("2026-10-25T00:30:00Z", "Europe/Berlin", "2026-10-25 02:30 CEST"),
            ("2026-10-25T01:30:00Z", "Europe/Berlin", "2026-10-25 02:30 CET"),
            ("2026-03-29T00:59:59Z", "Europe/Berlin", "2026-03-29 01:59 CET"),
            ("2026-03-29T01:00:00Z", "Europe/Berlin", "2026-03-29 03:00 CEST"),
            (
                "(2026-01-01T00:00:00Z, 2026-01-01T01:00:00Z)",
                "Asia/Kolkata",
                "(2026-01-01 05:30 IST, 2026-01-01 06:30 IST)",
            ),
            ("2026-07-01T12:00:00Z", "America/New_York", "2026-07-01 08:00 EDT"),
            ("push --until=2026-11-26T21:31:00Z", "Europe/Berlin", "push --until=2026-11-26T21:31:00Z"),
            ("20261126T023000Z-nightly-world", "Europe/Berlin", "20261126T023000Z-nightly-world"),
            ("2026-13-26T21:31:00Z", "Europe/Berlin", "2026-13-26T21:31:00Z"),
            ("ümläutige Zeit: Z", "Europe/Berlin", "ümläutige Zeit: Z"),
            ("", "UTC", ""),
        ] {
            assert_eq!(in_zone(text, &zone(name)), local, "{text} in {name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_moments_is_changed(text in "[a-zäZT0-9:= -]{0,60}") {
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            prop_assert_eq!(in_zone(&text, &zone), text);
        }
    }
}
