//! Tables, and text that is safe on a terminal.

use tabled::builder::Builder;
use tabled::settings::{Padding, Style};

/// A table with a header line; columns two spaces apart, no borders, no trailing blanks.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut builder = Builder::default();
    builder.push_record(header.iter().map(|cell| (*cell).to_owned()));
    for row in rows {
        builder.push_record(row.into_iter().map(|cell| line(&cell)));
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    let text = table.to_string();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Text from a host with its control characters shown, not obeyed; line ends and tabs stay.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|each| {
            let shown = each.is_control() && !matches!(each, '\n' | '\t');
            let escaped: String = if shown { each.escape_default().collect() } else { each.to_string() };
            escaped.chars().collect::<Vec<_>>()
        })
        .collect()
}

/// The same in one line.
pub fn line(text: &str) -> String {
    printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_from_a_host_are_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\r\n\tc"), "a\\u{1b}[31mb\\r\n\tc");
    }

    #[test]
    fn a_table_has_a_header_and_no_trailing_blanks() {
        let text = table(&["NAME", "CORES"], vec![vec!["izar".into(), "16".into()], vec!["v\n".into(), "8".into()]]);
        assert_eq!(text, "NAME  CORES\nizar  16\nv     8\n");
    }
}
