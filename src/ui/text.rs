//! Text that is safe on a terminal, and the plain tables made of it.

use super::table::{Cell, Table};
use crate::core::text::{duration, escaped};

/// A table of texts with these headings.
pub fn table(headings: &[&'static str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new(headings.iter().copied());
    for row in rows {
        table.row(row.into_iter().map(Cell::from));
    }
    table.render(false)
}

/// How long something takes, to the precision that matters.
pub fn seconds(seconds: f64) -> String {
    match seconds.round().max(0.0) as u64 {
        0..60 => format!("{seconds:.1} s"),
        whole => duration(whole),
    }
}

/// How long something lasts, in words, to the precision of a look.
pub fn span(seconds: u64) -> String {
    const DAY: u64 = 24 * 3600;
    match (seconds / DAY, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, _) => format!("{minutes} min"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// Text from a host in one line, its control characters shown, not obeyed.
pub fn line(text: &str) -> String {
    escaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_something_lasts_is_told_to_the_precision_of_a_look() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (7500, "2 h 5 min"),
            (86_400, "1 d 0 h"),
            (300_000, "3 d 11 h"),
        ] {
            assert_eq!(span(seconds), words, "{seconds}");
        }
    }
}
