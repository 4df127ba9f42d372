//! Up or down, with inertia: one outcome of a check that is unlike those before moves nothing.

/// How many outcomes in a row it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Good ones, until what was down is up.
    pub rise: u32,
    /// Bad ones, until what was up is down.
    pub fall: u32,
}

/// What the checks so far come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// There was none yet.
    #[default]
    Unknown,
    /// Up, with so many bad ones since the last good one.
    Up {
        /// Bad ones.
        bad: u32,
    },
    /// Down, with so many good ones since the last bad one.
    Down {
        /// Good ones.
        good: u32,
    },
}

impl Level {
    /// The level after one more check. The first of all decides by itself.
    pub fn after(self, good: bool, counts: Counts) -> Self {
        let (up, down) = (Self::Up { bad: 0 }, Self::Down { good: 0 });
        match (self, good) {
            (Self::Unknown | Self::Up { .. }, true) => up,
            (Self::Unknown | Self::Down { .. }, false) => down,
            (Self::Up { bad }, false) if bad + 1 < counts.fall => Self::Up { bad: bad + 1 },
            (Self::Up { .. }, false) => down,
            (Self::Down { good }, true) if good + 1 < counts.rise => Self::Down { good: good + 1 },
            (Self::Down { .. }, true) => up,
        }
    }

    /// Whether it is up.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// Whether the last outcome was unlike the level, so that the next one is wanted soon.
    pub fn is_in_doubt(self) -> bool {
        matches!(self, Self::Up { bad: 1.. } | Self::Down { good: 1.. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_outcomes_in_a_row_move_it_and_the_first_of_all_does() {
        let counts = Counts { rise: 2, fall: 3 };
        for (outcomes, levels) in [
            ("+", "U"),
            ("-", "D"),
            ("+-+--+", "UUUUUU"),
            ("+---", "UUUD"),
            ("-+-++", "DDDDU"),
            ("+---+--++", "UUUDDDDDU"),
        ] {
            let mut level = Level::default();
            let seen: String = outcomes
                .chars()
                .map(|outcome| {
                    level = level.after(outcome == '+', counts);
                    if level.is_up() { 'U' } else { 'D' }
                })
                .collect();
            assert_eq!(seen, levels, "{outcomes}");
        }
    }

    #[test]
    fn it_is_in_doubt_while_outcomes_say_otherwise() {
        for (level, doubt) in [
            (Level::Unknown, false),
            (Level::Up { bad: 0 }, false),
            (Level::Up { bad: 2 }, true),
            (Level::Down { good: 0 }, false),
            (Level::Down { good: 1 }, true),
        ] {
            assert_eq!(level.is_in_doubt(), doubt, "{level:?}");
        }
    }
}
