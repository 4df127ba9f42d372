//! The five fields of a crontab: minute, hour, day of the month, month, day of the week (crontab(5)).

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};

/// When a job is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// One field: the numbers that it allows, as bits, and whether it begins with a star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    bits: u64,
    star: bool,
}

/// A text that is not five fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {rule}")]
pub struct FieldError {
    text: String,
    what: &'static str,
    rule: String,
}

/// What a field may hold.
struct Kind {
    what: &'static str,
    from: u32,
    to: u32,
    names: &'static [&'static str],
}

const MINUTE: Kind = Kind { what: "minute", from: 0, to: 59, names: &[] };
const HOUR: Kind = Kind { what: "hour", from: 0, to: 23, names: &[] };
const DAY: Kind = Kind { what: "day of the month", from: 1, to: 31, names: &[] };
const MONTH: Kind = Kind {
    what: "month",
    from: 1,
    to: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// 0 and 7 are both Sunday.
const WEEKDAY: Kind =
    Kind { what: "day of the week", from: 0, to: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Kind {
    fn error(&self, text: &str) -> FieldError {
        let names = if self.names.is_empty() { "" } else { ", or the first three letters of a name" };
        let rule = format!("numbers from {} to {}{names}, with `,`, `-`, `*` and `/`", self.from, self.to);
        FieldError { text: text.chars().take(100).collect(), what: self.what, rule }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 2;
        let plain = || text.parse().ok().filter(|_| digits);
        named.and_then(|index| u32::try_from(index).ok()).map(|index| index + u32::from(self.from == 1)).or_else(plain)
    }

    fn read(&self, text: &str) -> Result<Field, FieldError> {
        let parts: Option<Vec<u64>> = text.split(',').map(|part| self.part(part)).collect();
        let bits = parts.ok_or_else(|| self.error(text))?.into_iter().fold(0, |all, bits| all | bits);
        Ok(Field { bits, star: text.starts_with('*') })
    }

    /// `*`, `N`, `N-M`, each but the second with `/STEP`.
    fn part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| (1..=59).contains(step))?),
            None => (text, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.from, self.to),
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None if step == 1 => (self.number(range)?, self.number(range)?),
            None => return None,
        };
        let within = self.from <= from && from <= to && to <= self.to;
        let step = usize::try_from(step).ok()?;
        within.then(|| (from..=to).step_by(step).fold(0, |bits, number| bits | 1 << number))
    }
}

impl Field {
    fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| self.bits & (1 << number) != 0)
    }
}

impl Fields {
    /// Each day, or each of these days of the week (0 is Sunday), at this time.
    pub fn at(time: Time, weekdays: &[i8]) -> Self {
        let only = |number: i8| Field { bits: 1 << u32::try_from(number).unwrap_or(0), star: false };
        let all =
            |kind: &Kind| Field { bits: (kind.from..=kind.to).fold(0, |bits, number| bits | 1 << number), star: true };
        let days = weekdays.iter().fold(0, |bits, day| bits | only(*day).bits);
        Self {
            minutes: only(time.minute()),
            hours: only(time.hour()),
            days: all(&DAY),
            months: all(&MONTH),
            weekdays: if weekdays.is_empty() { all(&WEEKDAY) } else { Field { bits: days, star: false } },
        }
    }

    /// Reads the five fields at the beginning of a line; gives what follows them, too.
    ///
    /// # Errors
    /// One of them is none.
    pub fn read(line: &str) -> Result<(Self, &str), FieldError> {
        let mut rest = line.trim_start();
        let mut next = |kind: &Kind| {
            let (word, behind) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            rest = behind.trim_start();
            kind.read(word)
        };
        let (minutes, hours, days) = (next(&MINUTE)?, next(&HOUR)?, next(&DAY)?);
        let (months, mut weekdays) = (next(&MONTH)?, next(&WEEKDAY)?);
        if weekdays.has(7) {
            weekdays.bits |= 1;
        }
        Ok((Self { minutes, hours, days, months, weekdays }, rest))
    }

    /// Whether a job is due on this day at some time. Where both kinds of days are named, either of them will do.
    pub fn is_on(&self, date: Date) -> bool {
        let day = self.days.has(date.day());
        let weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset());
        let days = if self.days.star || self.weekdays.star { day && weekday } else { day || weekday };
        days && self.months.has(date.month())
    }

    /// The times of such a day, in their order.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        let hours = (0..24).filter(|hour| self.hours.has(*hour));
        hours.flat_map(|hour| {
            let minutes = (0..60).filter(|minute| self.minutes.has(*minute));
            minutes.map(move |minute| Time::constant(hour, minute, 0, 0))
        })
    }

    /// Whether the daemons that treat a change of clocks in a special way do so for it: it names hours and minutes.
    pub fn is_at_fixed_times(&self) -> bool {
        !self.minutes.star && !self.hours.star
    }

    /// Its one time of the day, where it has just one.
    pub fn only_time(&self) -> Option<Time> {
        let mut times = self.times();
        let first = times.next()?;
        times.next().is_none().then_some(first)
    }

    /// The days of the week that it names, 0 for Sunday; none where it names none.
    pub fn named_weekdays(&self) -> Vec<i8> {
        if self.weekdays.star { Vec::new() } else { (0..7).filter(|day| self.weekdays.has(*day)).collect() }
    }
}

impl FromStr for Fields {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let (fields, rest) = Self::read(text)?;
        match rest {
            "" => Ok(fields),
            more => Err(FieldError { text: more.to_owned(), what: "sixth field", rule: "there are five".to_owned() }),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.star {
            return write!(formatter, "*");
        }
        let numbers: Vec<String> =
            (0..60).filter(|number| self.has(*number)).map(|number| number.to_string()).collect();
        write!(formatter, "{}", numbers.join(","))
    }
}

impl fmt::Display for Fields {
    /// As a crontab has it; of those that were made with [`Fields::at`] it is the same again.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, hours, days, months, weekdays } = self;
        write!(formatter, "{minutes} {hours} {days} {months} {weekdays}")
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn fields_allow_what_crontab_says_they_do() {
        let times =
            |text: &str| text.parse::<Fields>().unwrap().times().map(|time| time.to_string()).collect::<Vec<_>>();
        assert_eq!(times("30 2 * * *"), ["02:30:00"]);
        assert_eq!(times("0,30 1-3/2 * * *"), ["01:00:00", "01:30:00", "03:00:00", "03:30:00"]);
        assert_eq!(times("*/20 23 * * *"), ["23:00:00", "23:20:00", "23:40:00"]);
        for (text, day, expected) in [
            ("0 0 * * *", date(2026, 11, 26), true),
            ("0 0 * * 4", date(2026, 11, 26), true),
            ("0 0 * * thu,fri", date(2026, 11, 26), true),
            ("0 0 * * 5-7", date(2026, 11, 26), false),
            ("0 0 * * 7", date(2026, 11, 29), true),
            ("0 0 * * Sun", date(2026, 11, 29), true),
            ("0 0 1 * *", date(2026, 11, 26), false),
            ("0 0 1 * thu", date(2026, 11, 26), true),
            ("0 0 26 * mon", date(2026, 11, 26), true),
            ("0 0 */2 * thu", date(2026, 11, 26), false),
            ("0 0 * jan-oct *", date(2026, 11, 26), false),
            ("0 0 * 11 *", date(2026, 11, 26), true),
        ] {
            assert_eq!(text.parse::<Fields>().unwrap().is_on(day), expected, "{text}");
        }
    }

    #[test]
    fn what_no_daemon_takes_is_refused_with_the_field() {
        for (text, what) in [
            ("60 2 * * *", "minute"),
            ("-1 2 * * *", "minute"),
            ("1-70 2 * * *", "minute"),
            ("5/2 2 * * *", "minute"),
            ("*/0 2 * * *", "minute"),
            ("30 24 * * *", "hour"),
            ("30 5-2 * * *", "hour"),
            ("30 2 0 * *", "day of the month"),
            ("30 2 * 13 *", "month"),
            ("30 2 * foo *", "month"),
            ("30 2 * * 8", "day of the week"),
            ("30 2 * *", "day of the week"),
            ("30 2 * * * root", "sixth field"),
            ("", "minute"),
        ] {
            let error = text.parse::<Fields>().unwrap_err();
            assert_eq!(error.what, what, "{text}: {error}");
        }
    }

    #[test]
    fn what_is_made_of_a_time_is_written_and_read_again() {
        for (days, text) in [(&[][..], "30 2 * * *"), (&[0], "30 2 * * 0"), (&[1, 2, 3, 4, 5], "30 2 * * 1,2,3,4,5")] {
            let fields = Fields::at(time(2, 30, 0, 0), days);
            assert_eq!(fields.to_string(), text);
            assert_eq!((fields.only_time(), fields.named_weekdays().as_slice()), (Some(time(2, 30, 0, 0)), days));
            let read: Fields = text.parse().unwrap();
            assert_eq!(
                (read.to_string(), read.is_on(date(2026, 11, 29))),
                (text.to_owned(), fields.is_on(date(2026, 11, 29)))
            );
        }
    }
}
