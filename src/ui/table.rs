//! Tables, one form for all verbs: a line of headings, columns two blanks apart, no borders.
//!
//! Cells may hold what a host or a package said, so characters that move a cursor, colour a line or turn the reading
//! direction are shown escaped; of a multi-line text the lines stay lines. Moments are shown in local time. Colour is put
//! on only where the output takes it.

use std::fmt::Write as _;
use std::io::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::{Cell as Position, Columns, Rows};
use tabled::settings::{Alignment, Color, Padding, Style};

use super::terminal;
use super::time::local;
use crate::core::text::escaped;

/// What a cell's colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// Wrong.
    Bad,
    /// Of less interest.
    Faint,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text with a tone.
    pub fn new(text: impl ToString, tone: Tone) -> Self {
        Self { text: local(&escaped(&text.to_string())), tone }
    }

    /// A text, or a faint dash where there is none.
    pub fn optional(text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => Self::new(text, Tone::Plain),
            None => Self::new("-", Tone::Faint),
        }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// A table in the making.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headings: Vec<&'static str>,
    numbers: Vec<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: impl IntoIterator<Item = &'static str>) -> Self {
        Self { headings: headings.into_iter().collect(), ..Self::default() }
    }

    /// Puts the column of this heading to the right, as numbers stand.
    pub fn numbers(mut self, heading: &str) -> Self {
        self.numbers.extend(self.headings.iter().position(|other| *other == heading));
        self
    }

    /// Adds a row; what is missing at its end is empty, what is too much is left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<Cell> = cells.into_iter().take(self.headings.len()).collect();
        row.resize(self.headings.len(), Cell::from(""));
        self.rows.push(row);
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, with a line end behind each line; nothing where it has no row.
    pub fn render(&self, coloured: bool) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut builder = Builder::default();
        builder.push_record(self.headings.iter().map(|heading| heading.to_uppercase()));
        for row in &self.rows {
            builder.push_record(row.iter().map(|cell| cell.text.as_str()));
        }
        let mut table = builder.build();
        table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
        for column in &self.numbers {
            table.modify(Columns::one(*column), Alignment::right());
        }
        if coloured {
            table.modify(Rows::first(), Color::BOLD);
            for (row, column, color) in self.colours() {
                table.modify(Position::new(row + 1, column), color);
            }
        }
        table.to_string().lines().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{}", line.trim_end());
            text
        })
    }

    fn colours(&self) -> impl Iterator<Item = (usize, usize, Color)> {
        self.rows.iter().enumerate().flat_map(|(row, cells)| {
            cells.iter().enumerate().filter_map(move |(column, cell)| Some((row, column, colour(cell.tone)?)))
        })
    }

    /// Writes it to standard output, coloured where that is a terminal.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self) -> io::Result<()> {
        write_out(&self.render(terminal::colours_output()))
    }
}

/// Writes to standard output; a reader that has seen enough is no fault of ours.
///
/// # Errors
/// Standard output cannot be written for another reason.
pub fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Tells whoever looks on, on standard error. Nobody has to listen.
pub fn tell(text: impl std::fmt::Display) {
    let _unheard = writeln!(io::stderr().lock(), "{text}");
}

/// The same with whole lines, where there are any.
pub fn tell_lines(lines: &str) {
    if !lines.is_empty() {
        tell(lines.trim_end_matches('\n'));
    }
}

fn colour(tone: Tone) -> Option<Color> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some(Color::FG_GREEN),
        Tone::Warning => Some(Color::FG_YELLOW),
        Tone::Bad => Some(Color::FG_RED),
        Tone::Faint => Some(Color::FG_BRIGHT_BLACK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["host", "cores", "state"]).numbers("cores");
        table.row([Cell::from("drone-izar"), Cell::from(16), Cell::new("ok", Tone::Good)]);
        table.row([Cell::from("tarn"), Cell::optional(None::<u32>), Cell::new("unreachable", Tone::Bad)]);
        table
    }

    #[test]
    fn columns_stand_two_blanks_apart_and_numbers_to_the_right() {
        assert_eq!(
            table().render(false),
            "HOST        CORES  STATE\n\
             drone-izar     16  ok\n\
             tarn            -  unreachable\n"
        );
    }

    #[test]
    fn colour_changes_no_width() {
        let coloured = table().render(true);
        assert!(coloured.contains("\u{1b}[32mok\u{1b}[39m"), "{coloured:?}");
        let mut plain = String::new();
        let mut inside = false;
        for character in coloured.chars() {
            match character {
                '\u{1b}' => inside = true,
                'm' if inside => inside = false,
                other if !inside => plain.push(other),
                _ => {}
            }
        }
        let trimmed: String = plain.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        assert_eq!(trimmed, table().render(false));
    }

    #[test]
    fn a_table_without_rows_prints_nothing() {
        assert_eq!(Table::new(["host"]).render(false), "");
    }

    #[test]
    fn rows_may_be_short_or_long_and_cells_have_lines() {
        let mut table = Table::new(["host", "what"]);
        table.row([Cell::from("a")]);
        table.row([Cell::from("b"), Cell::from("one\ntwo"), Cell::from("too much")]);
        assert_eq!(table.render(false), "HOST  WHAT\na\nb     one\n      two\n");
    }

    #[test]
    fn a_cell_is_safe_on_a_terminal() {
        assert_eq!(Cell::from("\u{1b}[2Jgone").text, "\\u{1b}[2Jgone");
    }
}
