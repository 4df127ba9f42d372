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

/// Text from a host in one line, its control characters shown, not obeyed.
pub fn line(text: &str) -> String {
    escaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
