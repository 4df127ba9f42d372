//! When a run may do something: its window of the day, and its deadline.
//!
//! Both are meant by the wall clock of the machine, so that `06:00` is when people come, in summer and winter. What is
//! reckoned is a span of time, whatever the clock does in between: a window from 01:00 to 06:00 lasts four hours in the
//! night in which clocks are put forward, six in the other one. A time that a day lacks is the moment just after the gap.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::{ToSpan, ZonedDateTime};

use crate::core::names::Timestamp;

/// A time of the day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(Time);

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').filter(|(hour, minute)| (1..=2).contains(&hour.len()) && minute.len() == 2);
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i8>().ok()).flatten();
        parts
            .and_then(|(hour, minute)| Time::new(number(hour)?, number(minute)?, 0, 0).ok())
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a time of the day such as 01:00 or 22:30"))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl TimeOfDay {
    /// The first moment after `now` at which clocks show it; none at the end of all time.
    pub fn after(self, now: &ZonedDateTime) -> Option<Timestamp> {
        self.around(now).into_iter().find(|at| *at > moment(now))
    }

    /// The last moment up to `now` at which clocks showed it.
    pub fn before(self, now: &ZonedDateTime) -> Option<Timestamp> {
        self.around(now).into_iter().rfind(|at| *at <= moment(now))
    }

    /// Yesterday, today, tomorrow and the day after.
    fn around(self, now: &ZonedDateTime) -> Vec<Timestamp> {
        let days = (-1..=2).filter_map(|day: i64| now.date().checked_add(day.days()).ok());
        let times = days.map(|date| DateTime::from_parts(date, self.0));
        times.filter_map(|time| Some(moment(&time.to_zoned_datetime(now.time_zone().clone()).ok()?))).collect()
    }
}

fn moment(zoned: &ZonedDateTime) -> Timestamp {
    Timestamp(zoned.timestamp().as_second())
}

/// The hours in which something new may start; they may lie around midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From here.
    pub from: TimeOfDay,
    /// Up to here.
    pub to: TimeOfDay,
}

/// How a window stands to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// It is in it, until then.
    Inside(Timestamp),
    /// It is outside, until then.
    Outside(Timestamp),
}

impl Window {
    /// How the window stands to this moment; none at the end of all time.
    pub fn at(self, now: &ZonedDateTime) -> Option<Hours> {
        let (opens, closes) = (self.from.after(now)?, self.to.after(now)?);
        // Of the two, what comes first says on which side of it we are.
        Some(if closes < opens { Hours::Inside(closes) } else { Hours::Outside(opens) })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} to {}", self.from, self.to)
    }
}

/// After it nothing new starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// So long after the run began.
    After(Duration),
    /// When clocks next show this.
    At(TimeOfDay),
}

impl FromStr for Deadline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            return text.parse().map(Self::At);
        }
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() => Ok(Self::After(duration)),
            _ => Err(format!("{text:?} is neither a duration such as 5h nor a time of the day such as 06:00")),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(duration) => write!(formatter, "{} after its beginning", humantime::format_duration(*duration)),
            Self::At(time) => time.fmt(formatter),
        }
    }
}

impl Deadline {
    /// The moment that it is for a run that began then.
    pub fn of(self, began: &ZonedDateTime) -> Option<Timestamp> {
        match self {
            Self::After(duration) => {
                let seconds = i64::try_from(duration.as_secs()).ok()?;
                Some(Timestamp(moment(began).0.saturating_add(seconds)))
            }
            Self::At(time) => time.after(began),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> ZonedDateTime {
        format!("{text}[Europe/Berlin]").parse().unwrap()
    }

    fn stamp(text: &str) -> Timestamp {
        moment(&at(text))
    }

    #[test]
    fn times_of_the_day_and_deadlines_are_parsed_strictly() {
        for (text, shown) in [("01:00", "01:00"), ("1:05", "01:05"), ("23:59", "23:59"), ("0:00", "00:00")] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), shown);
        }
        for text in ["", "1", "24:00", "12:60", "12:5", "+1:00", "-1:00", "12:00:00", "noon"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text:?}");
        }
        for text in ["5h", "90m", "06:30"] {
            assert!(text.parse::<Deadline>().is_ok(), "{text:?}");
        }
        for text in ["", "0s", "5", "soon", "25:00"] {
            assert!(text.parse::<Deadline>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_window_is_of_the_wall_clock_around_midnight_and_where_clocks_are_changed() {
        for (from, to, now, hours) in [
            ("01:00", "06:00", "2026-11-26T00:59:59", Hours::Outside(stamp("2026-11-26T01:00"))),
            ("01:00", "06:00", "2026-11-26T01:00:00", Hours::Inside(stamp("2026-11-26T06:00"))),
            ("01:00", "06:00", "2026-11-26T06:00:00", Hours::Outside(stamp("2026-11-27T01:00"))),
            ("22:00", "06:00", "2026-11-26T23:00:00", Hours::Inside(stamp("2026-11-27T06:00"))),
            ("22:00", "06:00", "2026-11-27T00:00:00", Hours::Inside(stamp("2026-11-27T06:00"))),
            ("22:00", "06:00", "2026-11-27T12:00:00", Hours::Outside(stamp("2026-11-27T22:00"))),
            // 02:30 is not there: the window opens after the gap. It is there twice: the first one counts.
            ("02:30", "06:00", "2026-03-29T01:30:00", Hours::Outside(stamp("2026-03-29T03:30"))),
            ("02:30", "06:00", "2026-10-25T02:40:00+02:00", Hours::Inside(stamp("2026-10-25T06:00"))),
        ] {
            let window = Window { from: from.parse().unwrap(), to: to.parse().unwrap() };
            assert_eq!(window.at(&at(now)), Some(hours), "{window} at {now}");
        }
    }

    #[test]
    fn a_deadline_is_a_span_or_the_next_time_of_the_day() {
        for (deadline, began, wanted) in [
            ("5h", "2026-11-26T01:00", "2026-11-26T06:00"),
            ("5h", "2026-03-29T01:00", "2026-03-29T07:00"),
            ("06:30", "2026-11-26T01:00", "2026-11-26T06:30"),
            ("06:30", "2026-11-26T06:30", "2026-11-27T06:30"),
        ] {
            let deadline: Deadline = deadline.parse().unwrap();
            assert_eq!(deadline.of(&at(began)), Some(stamp(wanted)), "{deadline} from {began}");
        }
        let due: TimeOfDay = "02:00".parse().unwrap();
        assert_eq!(due.before(&at("2026-11-26T02:00:10")), Some(stamp("2026-11-26T02:00")));
        assert_eq!(due.before(&at("2026-11-26T01:59:59")), Some(stamp("2026-11-25T02:00")));
    }

    proptest! {
        #[test]
        fn one_is_inside_or_outside_until_a_later_moment_at_which_that_changes(
            second in 1_700_000_000_i64..1_900_000_000, from in 0_i8..24, to in 0_i8..24, minute in 0_i8..60,
        ) {
            prop_assume!(from != to);
            let time = |hour| TimeOfDay(Time::new(hour, minute, 0, 0).unwrap());
            let window = Window { from: time(from), to: time(to) };
            let zoned = |second| jiff::Timestamp::from_second(second).unwrap().in_tz("Europe/Berlin").unwrap();
            let (until, inside) = match window.at(&zoned(second)).unwrap() {
                Hours::Inside(until) => (until, true),
                Hours::Outside(until) => (until, false),
            };
            prop_assert!(until.0 > second && until.0 <= second + 25 * 3600 + 3600);
            let is_inside = |second| matches!(window.at(&zoned(second)), Some(Hours::Inside(_)));
            prop_assert_eq!(is_inside(until.0 - 1), inside);
            prop_assert_eq!(is_inside(until.0), !inside);
        }
    }
}
