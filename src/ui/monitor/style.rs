//! How things look: the one table of styles, and the characters that bars and rules are made of.
//!
//! Only colours that are readable on a light and on a dark ground: red, green and magenta of the sixteen of ANSI. The
//! ground itself is the terminal's; what is chosen is shown in reverse. Without colours (<https://no-color.org>) bold,
//! underlined and reverse say as much.

use ratatui::style::{Color, Modifier, Style};

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing in particular.
    Plain,
    /// A heading.
    Title,
    /// The heading of the pane that the keys go to.
    Focus,
    /// What counts.
    Strong,
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// Wrong.
    Bad,
    /// Of less interest.
    Faint,
    /// What is chosen.
    Chosen,
    /// What is chosen in a pane that the keys do not go to.
    ChosenElsewhere,
    /// What is asked.
    Question,
}

/// The characters of bars and rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Of a bar, what is done.
    pub full: &'static str,
    /// Of a bar, what is left.
    pub empty: &'static str,
    /// A rule.
    pub rule: &'static str,
    /// What stands for what does not fit.
    pub cut: &'static str,
}

impl Marks {
    /// For terminals that show Unicode.
    pub const UNICODE: Self = Self { full: "█", empty: "░", rule: "─", cut: "…" };
    /// For those that do not.
    pub const ASCII: Self = Self { full: "#", empty: ".", rule: "-", cut: "~" };

    /// Those for a locale, as the variables of POSIX name it: the first that is set counts.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Self::UNICODE } else { Self::ASCII }
    }
}

/// The styles of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Whether it has colours, and they are wanted.
    pub coloured: bool,
    /// What it can show.
    pub marks: Marks,
}

impl Palette {
    /// How such a text looks.
    pub fn style(&self, role: Role) -> Style {
        let (colour, with, without) = match role {
            Role::Plain => (None, Modifier::empty(), Modifier::empty()),
            Role::Title | Role::Strong => (None, Modifier::BOLD, Modifier::BOLD),
            Role::Focus => (None, Modifier::BOLD.union(Modifier::REVERSED), Modifier::BOLD.union(Modifier::REVERSED)),
            Role::Good => (Some(Color::Green), Modifier::empty(), Modifier::empty()),
            Role::Warning => (Some(Color::Magenta), Modifier::BOLD, Modifier::BOLD),
            Role::Bad => (Some(Color::Red), Modifier::BOLD, Modifier::BOLD.union(Modifier::UNDERLINED)),
            Role::Faint => (None, Modifier::DIM, Modifier::empty()),
            Role::Chosen => (None, Modifier::REVERSED, Modifier::REVERSED),
            Role::ChosenElsewhere => (None, Modifier::UNDERLINED, Modifier::UNDERLINED),
            Role::Question => {
                (None, Modifier::BOLD.union(Modifier::REVERSED), Modifier::BOLD.union(Modifier::REVERSED))
            }
        };
        match colour.filter(|_| self.coloured) {
            Some(colour) => Style::new().fg(colour).add_modifier(with),
            None => Style::new().add_modifier(if self.coloured { with } else { without }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_without_unicode_gets_plain_marks() {
        for (set, marks) in [
            (&[("LANG", "de_DE.UTF-8")][..], Marks::UNICODE),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], Marks::ASCII),
            (&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")], Marks::UNICODE),
            (&[], Marks::ASCII),
        ] {
            let variable = |name: &str| set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Marks::of_locale(variable), marks, "{set:?}");
        }
    }
}
