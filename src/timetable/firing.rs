//! When the fields of a crontab come due, in a time zone whose clocks are changed.
//!
//! A day's times are looked at one by one: most are one moment each, one in a gap (clocks put forward) is none, or the end
//! of the gap, and one in a fold (clocks put back) is two moments, or the first of them, as the daemon has it
//! ([`Clocks`]). The next firing is the first moment after now of the first day that has one; the cost is one step a day,
//! and one a time of the days that are meant.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::fields::Fields;

/// What a daemon does when clocks are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// Debian's cron and cronie (cron(8)): what names hour and minute fires once, right after a gap where it lies in one.
    /// What does not goes by the clock alone.
    OnceADay,
    /// dcron, busybox: by the clock alone.
    AsTheyShow,
    /// systemd: not in a gap, once in a fold.
    NotInAGap,
}

/// Leap days are eight years apart at the most; nothing that ever fires waits longer.
const LONGEST_DAYS: u32 = 8 * 366 + 1;

/// The first moment after this one at which it fires; none where it never does.
pub fn next(fields: &Fields, zone: &TimeZone, clocks: Clocks, after: Timestamp) -> Option<Timestamp> {
    // Clocks that are put back over midnight show the day before again.
    let mut day = zone.to_datetime(after).date().yesterday().ok()?;
    for _ in 0..LONGEST_DAYS {
        if fields.is_on(day)
            && let Some(found) = moments(fields, zone, clocks, day).into_iter().filter(|moment| *moment > after).min()
        {
            return Some(found);
        }
        day = day.tomorrow().ok()?;
    }
    None
}

/// The last moment at or before this one at which it was to fire, no more than a year and a day ago.
pub fn last(fields: &Fields, zone: &TimeZone, clocks: Clocks, until: Timestamp) -> Option<Timestamp> {
    let mut day = zone.to_datetime(until).date().tomorrow().ok()?;
    for _ in 0..368 {
        if fields.is_on(day)
            && let Some(found) = moments(fields, zone, clocks, day).into_iter().filter(|moment| *moment <= until).max()
        {
            return Some(found);
        }
        day = day.yesterday().ok()?;
    }
    None
}

/// The moments of one day.
fn moments(fields: &Fields, zone: &TimeZone, clocks: Clocks, day: Date) -> Vec<Timestamp> {
    let special = clocks == Clocks::OnceADay && fields.is_at_fixed_times();
    let once = special || clocks == Clocks::NotInAGap;
    let mut found = Vec::new();
    for time in fields.times() {
        let at = DateTime::from_parts(day, time);
        match zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => found.extend(offset.to_timestamp(at).ok()),
            AmbiguousOffset::Gap { before, after } if special && is_a_change(before, after) => {
                let counted_on = before.to_timestamp(at).ok();
                found.extend(counted_on.and_then(|moment| change_before(zone, moment)));
            }
            AmbiguousOffset::Gap { .. } => {}
            AmbiguousOffset::Fold { before, after } => {
                found.extend(before.to_timestamp(at).ok());
                let again = !once || special && !is_a_change(before, after);
                found.extend(after.to_timestamp(at).ok().filter(|_| again));
            }
        }
    }
    found
}

/// Whether clocks are changed by so little that cron takes it for daylight saving, and not for a correction.
fn is_a_change(before: Offset, after: Offset) -> bool {
    (after.seconds() - before.seconds()).abs() <= 3 * 3600
}

/// When clocks were changed last, at this moment or before.
fn change_before(zone: &TimeZone, moment: Timestamp) -> Option<Timestamp> {
    let behind = Timestamp::from_second(moment.as_second() + 1).ok()?;
    zone.preceding(behind).next().map(|change| change.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        // Half an hour, in the other half of the year.
        "Australia/Lord_Howe",
        // At midnight.
        "America/Santiago",
        "Atlantic/Azores",
        // A whole day was left out in 2011.
        "Pacific/Apia",
        "Asia/Kathmandu",
    ];
    const ALL: [Clocks; 3] = [Clocks::OnceADay, Clocks::AsTheyShow, Clocks::NotInAGap];

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn due(fields: &Fields, at: DateTime) -> bool {
        fields.is_on(at.date()) && fields.times().any(|time| time == at.time())
    }

    /// Goes from minute to minute as a daemon does, with its eyes on the clock on the wall.
    fn found_by_waiting(
        fields: &Fields,
        zone: &TimeZone,
        clocks: Clocks,
        after: Timestamp,
        minutes: i64,
    ) -> Option<Timestamp> {
        let special = clocks == Clocks::OnceADay && fields.is_at_fixed_times();
        // Long enough before to know what was shown already.
        let begin = after.as_second().div_euclid(60) * 60 - 4 * 3600;
        let mut seen = zone.to_datetime(Timestamp::from_second(begin - 60).unwrap());
        for minute in 0..minutes + 240 {
            let moment = Timestamp::from_second(begin + minute * 60).unwrap();
            let shown = zone.to_datetime(moment);
            let mut fires = match clocks {
                Clocks::AsTheyShow => due(fields, shown),
                Clocks::OnceADay if !special => due(fields, shown),
                Clocks::OnceADay | Clocks::NotInAGap => shown > seen && due(fields, shown),
            };
            let mut skipped = seen.checked_add(jiff::Span::new().minutes(1)).unwrap();
            // More than three hours are no daylight saving.
            let corrected = (shown.duration_since(seen)).abs() > jiff::SignedDuration::from_mins(181);
            while special && !corrected && skipped < shown {
                fires |= due(fields, skipped);
                skipped = skipped.checked_add(jiff::Span::new().minutes(1)).unwrap();
            }
            seen = seen.max(shown);
            if fires && moment > after {
                return Some(moment);
            }
        }
        None
    }

    #[test]
    fn a_change_of_clocks_is_taken_as_each_daemon_takes_it() {
        let fields = |text: &str| text.parse::<Fields>().unwrap();
        for (clocks, text, after, expected) in [
            // On 2026-03-29 02:00 becomes 03:00 in Berlin, on 2026-10-25 03:00 becomes 02:00.
            (Clocks::OnceADay, "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            (Clocks::AsTheyShow, "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
            (Clocks::NotInAGap, "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
            (Clocks::OnceADay, "30 * * * *", "2026-03-29T00:45:00Z", "2026-03-29T01:30:00Z"),
            (Clocks::OnceADay, "0 3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            (Clocks::OnceADay, "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            (Clocks::OnceADay, "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            (Clocks::AsTheyShow, "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            (Clocks::NotInAGap, "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            (Clocks::OnceADay, "0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-28T23:00:00Z"),
        ] {
            let (after, expected): (Timestamp, Timestamp) = (after.parse().unwrap(), expected.parse().unwrap());
            assert_eq!(next(&fields(text), &zone("Europe/Berlin"), clocks, after), Some(expected), "{clocks:?} {text}");
            assert_eq!(last(&fields(text), &zone("Europe/Berlin"), clocks, expected), Some(expected));
        }
        assert_eq!(next(&fields("0 0 31 2 *"), &zone("UTC"), Clocks::AsTheyShow, Timestamp::UNIX_EPOCH), None);
    }

    /// Fields that fire within two days.
    fn often() -> impl Strategy<Value = Fields> {
        let minute =
            prop_oneof![Just("*".to_owned()), (0..60).prop_map(|at: i32| at.to_string()), Just("*/17".to_owned())];
        let hour =
            prop_oneof![Just("*".to_owned()), (0..4).prop_map(|at: i32| at.to_string()), Just("0-3,23".to_owned())];
        (minute, hour).prop_map(|(minute, hour)| format!("{minute} {hour} * * *").parse().unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(192))]

        #[test]
        fn the_next_firing_is_the_one_that_waiting_for_it_finds(
            fields in often(), name in prop::sample::select(&ZONES[..]), clocks in prop::sample::select(&ALL[..]),
            change in 0_usize..40, hours in -30_i64..6, seconds in 0_i64..3600,
        ) {
            let zone = zone(name);
            // Near a change of clocks since 2011, where the zone has so many.
            let begin: Timestamp = "2011-06-01T00:00:00Z".parse().unwrap();
            let near = zone.following(begin).nth(change).map_or(begin, |change| change.timestamp());
            let after = Timestamp::from_second(near.as_second() + hours * 3600 + seconds).unwrap();
            let waited = found_by_waiting(&fields, &zone, clocks, after, 4 * 1440);
            prop_assert!(waited.is_some());
            prop_assert_eq!(next(&fields, &zone, clocks, after), waited);
        }

        #[test]
        fn between_the_last_firing_and_the_next_there_is_none(
            fields in often(), name in prop::sample::select(&ZONES[..]), clocks in prop::sample::select(&ALL[..]),
            second in 1_300_000_000_i64..2_000_000_000,
        ) {
            let (zone, now) = (zone(name), Timestamp::from_second(second).unwrap());
            let last = last(&fields, &zone, clocks, now).unwrap();
            prop_assert!(last <= now);
            prop_assert!(next(&fields, &zone, clocks, last).is_none_or(|next| next > now));
        }
    }
}
