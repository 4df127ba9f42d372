//! Lines of what a command prints, without what a login shell says before it begins.

use super::BEGIN;

/// A longer line (bytes) comes in pieces.
const LINE_LIMIT: usize = 64 << 10;

/// So many lines before that may be a login shell's; more are shown.
const NOISE_LIMIT: usize = 1000;

/// Makes lines of pieces, and leaves out what comes before the command.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    begun: bool,
    before: Vec<String>,
}

impl Lines {
    /// The lines that end with this piece.
    pub(super) fn add(&mut self, data: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if self.unfinished.ends_with(b"\n") || self.unfinished.len() >= LINE_LIMIT {
                lines.extend(self.line());
            }
        }
        self.own(lines)
    }

    /// What is left at the end, if anything.
    pub(super) fn rest(&mut self) -> Vec<String> {
        let last = self.line().into_iter().collect();
        let own = self.own(last);
        if self.begun { own } else { std::mem::take(&mut self.before) }
    }

    fn line(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.unfinished);
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }

    /// Those of the lines that are the command's.
    fn own(&mut self, lines: Vec<String>) -> Vec<String> {
        if self.begun {
            return lines;
        }
        self.before.extend(lines);
        // A shell's greeting may not end its last line.
        if let Some(begin) = self.before.iter().position(|line| line.ends_with(BEGIN)) {
            self.begun = true;
            let own = self.before.split_off(begin + 1);
            self.before.clear();
            return own;
        }
        if self.before.len() > NOISE_LIMIT {
            self.begun = true;
            return std::mem::take(&mut self.before);
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_from_pieces_and_cut_where_they_never_end() {
        let mut lines = Lines { begun: true, ..Lines::default() };
        assert_eq!(lines.add(b"one\ntw"), ["one"]);
        assert_eq!(lines.add(b"o\n\nth"), ["two", ""]);
        assert_eq!(lines.rest(), ["th"]);
        assert_eq!(lines.rest(), [""; 0]);
        let endless = vec![b'x'; LINE_LIMIT - 1];
        assert_eq!((lines.add(&endless).len(), lines.add(&endless).len(), lines.rest().len()), (0, 1, 0));
        assert_eq!(lines.add(b"\xff\n"), ["\u{fffd}"]);
    }

    #[test]
    fn a_login_shells_noise_is_left_out_unless_the_command_never_begins() {
        let mut lines = Lines::default();
        assert_eq!(lines.add(b"Welcome!\nlast login: "), [""; 0]);
        assert_eq!(lines.add(format!("{BEGIN}\nmine\n").as_bytes()), ["mine"]);
        assert_eq!(lines.add(format!("{BEGIN}\n").as_bytes()), [BEGIN]);

        let mut refused = Lines::default();
        assert_eq!(refused.add(b"sudo: no\nreally"), [""; 0]);
        assert_eq!(refused.rest(), ["sudo: no", "really"]);

        let mut endless = Lines::default();
        assert_eq!(endless.add("x\n".repeat(NOISE_LIMIT + 1).as_bytes()).len(), NOISE_LIMIT + 1);
        assert_eq!(endless.add(b"y\n"), ["y"]);
    }
}
