//! Where somebody is in a list or in a text that is longer than its place. A part of it is shown; which one follows from
//! where one is, and moves no more than it has to.

use std::ops::Range;

/// A way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One up.
    Up,
    /// One down.
    Down,
    /// A screenful up.
    PageUp,
    /// A screenful down.
    PageDown,
    /// To the first.
    Home,
    /// To the last.
    End,
}

impl Step {
    fn from(self, at: usize, count: usize, page: usize) -> usize {
        let last = count.saturating_sub(1);
        let page = page.saturating_sub(1).max(1);
        let to = match self {
            Self::Up => at.saturating_sub(1),
            Self::Down => at + 1,
            Self::PageUp => at.saturating_sub(page),
            Self::PageDown => at + page,
            Self::Home => 0,
            Self::End => last,
        };
        to.min(last)
    }
}

/// A list with one line that is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct List {
    /// The line that is chosen.
    pub at: usize,
    top: usize,
}

impl List {
    /// Goes on, in a list of so many lines in a place of this height.
    pub fn go(&mut self, step: Step, count: usize, height: usize) {
        self.at = step.from(self.at, count, height);
        self.fit(count, height);
    }

    /// Keeps what is chosen in sight, and the place filled.
    pub fn fit(&mut self, count: usize, height: usize) {
        self.at = self.at.min(count.saturating_sub(1));
        let lowest = self.at.saturating_sub(height.saturating_sub(1));
        self.top = self.top.clamp(lowest, self.at.max(lowest)).min(count.saturating_sub(height));
    }

    /// The lines that are shown.
    pub fn window(&self, count: usize, height: usize) -> Range<usize> {
        let top = self.top.min(count);
        top..(top + height).min(count)
    }
}

/// A text of which a part is shown, or its end as it grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scroll {
    /// The first line that is shown; none: the last ones are.
    top: Option<usize>,
}

impl Scroll {
    /// From the beginning.
    pub const START: Self = Self { top: Some(0) };
    /// With its end, as it grows.
    pub const END: Self = Self { top: None };

    /// Whether the end is shown as it grows.
    pub fn follows(self) -> bool {
        self.top.is_none()
    }

    /// Goes on. Whoever comes to the end follows it.
    pub fn go(&mut self, step: Step, count: usize, height: usize) {
        let last = count.saturating_sub(height);
        let at = self.top.unwrap_or(last).min(last);
        let to = step.from(at, last + 1, height);
        let is_at_end = to == last && !matches!(step, Step::Up | Step::PageUp | Step::Home);
        self.top = (!is_at_end).then_some(to);
    }

    /// Tells that so many lines have gone at the beginning.
    pub fn shift(&mut self, gone: usize) {
        self.top = self.top.map(|top| top.saturating_sub(gone));
    }

    /// The lines that are shown.
    pub fn window(self, count: usize, height: usize) -> Range<usize> {
        let last = count.saturating_sub(height);
        let top = self.top.unwrap_or(last).min(last);
        top..(top + height).min(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEPS: [Step; 6] = [Step::Up, Step::Down, Step::PageUp, Step::PageDown, Step::Home, Step::End];

    proptest! {
        #[test]
        fn what_is_chosen_is_in_sight_and_the_place_is_filled_as_the_list_grows_and_shrinks(
            ways in prop::collection::vec((0usize..6, 0usize..40, 1usize..12), 1..60),
        ) {
            let mut list = List::default();
            for (step, count, height) in ways {
                list.go(STEPS[step], count, height);
                let window = list.window(count, height);
                prop_assert_eq!(window.len(), count.min(height));
                prop_assert!(count == 0 || window.contains(&list.at), "{} in {:?}", list.at, window);
            }
        }

        #[test]
        fn a_text_is_left_only_where_it_ends_and_its_end_is_followed_once_it_is_reached(
            ways in prop::collection::vec((0usize..6, 0usize..40, 1usize..12), 1..60),
        ) {
            let mut scroll = Scroll::START;
            for (step, count, height) in ways {
                scroll.go(STEPS[step], count, height);
                prop_assert_eq!(scroll.window(count, height).len(), count.min(height));
                if STEPS[step] == Step::End {
                    prop_assert!(scroll.follows());
                    prop_assert_eq!(scroll.window(count + 1, height).end, count + 1);
                }
            }
        }
    }

    #[test]
    fn a_step_moves_the_window_no_more_than_it_has_to() {
        let mut list = List::default();
        for (step, at, window) in [
            (Step::Down, 1, 0..4),
            (Step::PageDown, 4, 1..5),
            (Step::Up, 3, 1..5),
            (Step::End, 9, 6..10),
            (Step::Up, 8, 6..10),
            (Step::PageUp, 5, 5..9),
            (Step::Home, 0, 0..4),
        ] {
            list.go(step, 10, 4);
            assert_eq!((list.at, list.window(10, 4)), (at, window), "{step:?}");
        }
    }
}
