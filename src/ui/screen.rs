//! A terminal's second screen, for what is redrawn; what stood on the first one is there again afterwards.

use std::io::{self, Write};

/// Control sequences of ECMA-48, and the DEC and xterm private modes 25 (cursor) and 1049 (second screen).
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";
/// A terminal that does not say how high it is has so many lines at least.
const HEIGHT: usize = 24;

/// The second screen, until it is dropped.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    /// Turns to it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn open() -> io::Result<Self> {
        // From here on it is left again, whatever happens.
        let screen = Self(());
        write(ENTER)?;
        Ok(screen)
    }

    /// Puts a text in the place of the one before, as far as it fits.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let (rows, columns) = size.map_or((0, 0), |size| (usize::from(size.ws_row), usize::from(size.ws_col)));
        write(&frame(text, rows, columns))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing more.
        let _gone = write(LEAVE);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// What draws a plain text over the one before, without a flicker; zero rows or columns are unknown ones.
fn frame(text: &str, rows: usize, columns: usize) -> String {
    let rows = if rows == 0 { HEIGHT } else { rows };
    let columns = if columns == 0 { usize::MAX } else { columns };
    let count = text.lines().count();
    let fitting = if count > rows { rows.saturating_sub(1) } else { count };
    let mut lines: Vec<String> = text.lines().take(fitting).map(|line| line.chars().take(columns).collect()).collect();
    if count > fitting {
        lines.push(format!("… {} more lines", count - fitting));
    }
    format!("{HOME}{}{CLEAR_LINE}{CLEAR_BELOW}", lines.join(&format!("{CLEAR_LINE}\r\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_its_screen_and_leaves_nothing_of_the_one_before() {
        for (text, rows, columns, lines) in [
            ("one\ntwo\n", 2, 80, "one\u{1b}[K\r\ntwo"),
            ("one\ntwo\nthree\n", 2, 80, "one\u{1b}[K\r\n… 2 more lines"),
            ("ümläut\n", 5, 3, "üml"),
            ("one\n", 0, 0, "one"),
            ("", 5, 5, ""),
        ] {
            assert_eq!(frame(text, rows, columns), format!("\u{1b}[H{lines}\u{1b}[K\u{1b}[J"), "{text:?}");
        }
    }
}
