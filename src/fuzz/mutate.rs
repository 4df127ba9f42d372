//! Mutations of inputs: of bytes, of lines, of numbers, of words that the target knows.

use crate::seeded::Seeded;

/// What parsers stumble over.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "99999999999999999999999",
    "1e999",
];
const PIECES: [&str; 22] = [
    "\0",
    "\u{1b}[2J",
    "\u{9b}31m",
    "\r",
    "\n",
    "\n\n",
    "\t",
    "\u{7f}",
    "\u{202e}",
    "\u{2028}",
    "\u{feff}",
    "..",
    "../",
    "/",
    "//",
    "$(id)",
    "'",
    "\"",
    "\\",
    "ß",
    "\u{0}\u{fffd}",
    "%s",
];

impl Seeded {
    fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// One of these inputs, or parts of two, after some mutations.
    pub(super) fn mutated(&mut self, kept: &[Vec<u8>], dictionary: &[&str]) -> Vec<u8> {
        let mut input = self.one(kept).cloned().unwrap_or_default();
        if self.below(5) == 0 {
            let other = self.one(kept).cloned().unwrap_or_default();
            input.truncate(self.below(input.len() + 1));
            input.extend_from_slice(other.get(self.below(other.len() + 1)..).unwrap_or_default());
        }
        for _ in 0..=self.below(4) {
            self.mutate(&mut input, dictionary);
        }
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, dictionary: &[&str]) {
        let at = self.below(input.len() + 1);
        let span = at..(at + 1 + self.below(16)).min(input.len());
        match self.below(12) {
            0 => {
                let bit = 1 << self.below(8);
                input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
            }
            1 => {
                let byte = self.below(256) as u8;
                input.iter_mut().skip(at).take(1).for_each(|old| *old = byte);
            }
            2 => input.truncate(at),
            3 => drop(input.drain(span)),
            4 => {
                let piece = input.get(span).unwrap_or_default().to_vec();
                let times = [1, 2, 50, 2000];
                let times = self.one(&times).copied().unwrap_or(1);
                insert(input, at, &piece.repeat(times));
            }
            5 => {
                let piece = self.one(&PIECES).copied().unwrap_or_default();
                insert(input, at, piece.as_bytes());
            }
            6 => self.replace_number(input),
            7 => {
                let word = self.one(dictionary).copied().unwrap_or_default();
                insert(input, at, word.as_bytes());
            }
            8 => {
                let word = self.one(dictionary).copied().unwrap_or_default();
                let end = (at + word.len()).min(input.len());
                input.splice(at..end, word.bytes());
            }
            9 => self.exchange_lines(input),
            10 => self.repeat_line(input),
            _ => {
                let text = String::from_utf8_lossy(input);
                let (from, to) = (self.one(&PIECES).copied(), self.one(&PIECES).copied());
                *input = text.replacen(from.unwrap_or("/"), to.unwrap_or_default(), 2).into_bytes();
            }
        }
    }

    fn replace_number(&mut self, input: &mut Vec<u8>) {
        let begins: Vec<usize> = (0..input.len())
            .filter(|at| input[*at].is_ascii_digit() && !at.checked_sub(1).is_some_and(|at| input[at].is_ascii_digit()))
            .collect();
        let Some(begin) = self.one(&begins).copied() else { return };
        let length = input[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.one(&NUMBERS).copied().unwrap_or("0");
        input.splice(begin..begin + length, number.bytes());
    }

    fn exchange_lines(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        let (one, other) = (self.below(lines.len()), self.below(lines.len()));
        lines.swap(one, other);
        *input = lines.join(&b'\n');
    }

    fn repeat_line(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        let (from, to) = (self.below(lines.len()), self.below(lines.len()));
        let line = lines[from];
        for _ in 0..=self.below(3) {
            lines.insert(to, line);
        }
        *input = lines.join(&b'\n');
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}
