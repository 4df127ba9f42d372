//! Text as it came over a terminal, made plain.
//!
//! Escape sequences are those of ECMA-48: control sequences (`ESC [ … final`), strings (`ESC ] … BEL` and the like),
//! and two-character ones; the forms with one eight-bit character instead of `ESC x` too.

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';

/// The texts that one line showed, one after the other where it was overwritten from its start (`CR`), without
/// escape sequences and control characters; a backspace takes back one character.
pub fn shown(line: &str) -> impl Iterator<Item = String> {
    line.split('\r').map(plain)
}

/// The text without escape sequences and control characters; a tab becomes a blank.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(each) = rest.next() {
        match each {
            ESCAPE => match rest.next() {
                Some('[') => skip_control_sequence(&mut rest),
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut rest),
                // Designations such as `ESC ( B` have their final character behind the intermediate ones.
                Some(' '..='/') => {
                    rest.find(|next| !matches!(next, ' '..='/'));
                }
                _ => {}
            },
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{9d}' | '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            '\u{8}' => {
                out.pop();
            }
            '\t' | '\u{a0}' => out.push(' '),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

/// Parameters and intermediate characters up to the final one. An unfinished sequence ends where something else comes.
fn skip_control_sequence(rest: &mut std::str::Chars<'_>) {
    rest.find(|next| !matches!(next, ' '..='?'));
}

/// A string up to its terminator; without one, to the end of the line.
fn skip_string(rest: &mut std::str::Chars<'_>) {
    while let Some(next) = rest.next() {
        match next {
            BELL | '\u{9c}' => return,
            ESCAPE => {
                rest.next();
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_shows_is_what_remains() {
        for (line, expected) in [
            ("plain", vec!["plain"]),
            ("\u{1b}[32;01mgreen\u{1b}[39;49;00m", vec!["green"]),
            ("\u{1b}]0;title\u{7}text\u{1b}]2;other\u{1b}\\", vec!["text"]),
            ("\u{9b}1mbold\u{1b}(B", vec!["bold"]),
            ("\u{1b}[?25lhidden cursor", vec!["hidden cursor"]),
            ("spin |\u{8}/\u{8}-", vec!["spin -"]),
            ("first\rsecond\r", vec!["first", "second", ""]),
            ("a\tb\u{0}", vec!["a b"]),
            ("cut \u{1b}[3", vec!["cut "]),
            ("cut \u{1b}", vec!["cut "]),
        ] {
            assert_eq!(shown(line).collect::<Vec<_>>(), expected, "{line:?}");
        }
    }
}
