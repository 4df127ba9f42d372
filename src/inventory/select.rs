//! Which hosts `--on` means: `NAME,GLOB*,@TAG,%NETWORK`, and the same with `!` before it to leave hosts out.
//!
//! All that is named counts first (with nothing but exclusions: every host that may be chosen), then what is excluded
//! is taken away, so that the order of the items makes no difference. An item that matches nothing is an error: it is
//! a slip of the pen, or a host that is no longer there.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

use crate::core::names::{HostName, NetworkName, Tag};
use crate::core::nearest::did_you_mean;

use super::{Host, Inventory};

/// What `--on` says, parsed.
#[derive(Debug, Clone)]
pub struct Selection {
    items: Vec<Item>,
}

#[derive(Debug, Clone)]
struct Item {
    text: String,
    excludes: bool,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Name(HostName),
    Glob(GlobMatcher),
    Tag(Tag),
    Network(NetworkName),
}

/// A selection that cannot be read, or that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// There is no item in it.
    #[error("no host is selected: say NAME, GLOB*, @TAG or %NETWORK, separated by commas")]
    Empty,
    /// An item is none of the known forms.
    #[error("{item:?} selects no host: {problem}")]
    Item {
        /// The item as it was given.
        item: String,
        /// Why.
        problem: String,
    },
    /// An item matches nothing.
    #[error("{item:?} matches no host{}", help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
    NoMatch {
        /// The item as it was given.
        item: String,
        /// The nearest right word, or those that there are.
        help: Option<String>,
    },
    /// Everything that is named is excluded again.
    #[error("the selection leaves no host: everything that it names is excluded again")]
    NothingLeft,
}

impl FromStr for Selection {
    type Err = SelectError;

    fn from_str(text: &str) -> Result<Self, SelectError> {
        let items: Vec<Item> =
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(item).collect::<Result<_, _>>()?;
        if items.is_empty() { Err(SelectError::Empty) } else { Ok(Self { items }) }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.items.iter().map(|item| item.text.as_str()).collect();
        formatter.write_str(&texts.join(","))
    }
}

fn item(text: &str) -> Result<Item, SelectError> {
    let (excludes, body) = match text.strip_prefix('!') {
        Some(body) => (true, body.trim()),
        None => (false, text),
    };
    let bad = |problem: String| SelectError::Item { item: text.to_owned(), problem };
    let matcher = if let Some(tag) = body.strip_prefix('@') {
        Matcher::Tag(tag.parse().map_err(|error| bad(format!("{error}")))?)
    } else if let Some(network) = body.strip_prefix('%') {
        Matcher::Network(network.parse().map_err(|error| bad(format!("{error}")))?)
    } else if body.contains(['*', '?', '[']) {
        let glob = GlobBuilder::new(body).build().map_err(|error| bad(error.kind().to_string()))?;
        Matcher::Glob(glob.compile_matcher())
    } else {
        Matcher::Name(body.parse().map_err(|error| bad(format!("{error}")))?)
    };
    Ok(Item { text: text.to_owned(), excludes, matcher })
}

impl Selection {
    /// All items of several selections; none where there is no selection.
    pub fn joined(selections: &[Self]) -> Option<Self> {
        let items: Vec<Item> = selections.iter().flat_map(|selection| selection.items.clone()).collect();
        (!items.is_empty()).then_some(Self { items })
    }

    /// The hosts that are meant, by name, among those that `may` be chosen.
    ///
    /// # Errors
    /// An item matches none of them, or none is left.
    pub fn select<'a>(
        &self,
        inventory: &'a Inventory,
        may: impl Fn(&Host) -> bool,
    ) -> Result<Vec<&'a Host>, SelectError> {
        let candidates: Vec<&Host> = inventory.hosts().filter(|host| may(host)).collect();
        let mut named: BTreeSet<&HostName> = BTreeSet::new();
        let mut excluded: BTreeSet<&HostName> = BTreeSet::new();
        for item in &self.items {
            let mut matches = candidates.iter().filter(|host| item.matcher.matches(host, inventory)).peekable();
            if matches.peek().is_none() {
                let help = item.matcher.help(inventory, &candidates);
                return Err(SelectError::NoMatch { item: item.text.clone(), help });
            }
            let set = if item.excludes { &mut excluded } else { &mut named };
            set.extend(matches.map(|host| &host.name));
        }
        let all = self.items.iter().all(|item| item.excludes);
        let selected: Vec<&Host> = candidates
            .into_iter()
            .filter(|host| (all || named.contains(&host.name)) && !excluded.contains(&host.name))
            .collect();
        if selected.is_empty() { Err(SelectError::NothingLeft) } else { Ok(selected) }
    }
}

impl Matcher {
    fn matches(&self, host: &Host, inventory: &Inventory) -> bool {
        match self {
            Self::Name(name) => host.name == *name,
            Self::Glob(glob) => glob.is_match(host.name.as_str()),
            Self::Tag(tag) => host.tags.contains(tag),
            Self::Network(network) => inventory.network_of(host) == Some(network),
        }
    }

    /// The nearest right word for one that matches nothing.
    fn help(&self, inventory: &Inventory, candidates: &[&Host]) -> Option<String> {
        let names = || candidates.iter().map(|host| host.name.as_str());
        let (word, words): (&str, BTreeSet<&str>) = match self {
            Self::Name(name) => (name.as_str(), names().collect()),
            Self::Glob(glob) => (glob.glob().glob(), names().collect()),
            Self::Tag(tag) => (tag.as_str(), candidates.iter().flat_map(|host| &host.tags).map(Tag::as_str).collect()),
            Self::Network(network) => {
                let networks = candidates.iter().filter_map(|host| inventory.network_of(host));
                (network.as_str(), networks.map(NetworkName::as_str).collect())
            }
        };
        did_you_mean(word, words)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::Surroundings;
    use super::*;

    const FLEET: &str = r#"
        [swarm]
        driver = "capella"
        [networks.near]
        cidr = "10.42.0.0/24"
        [networks.far]
        cidr = "192.168.20.0/24"
        [hosts.capella]
        address = "10.42.0.100"
        [drones.drone-izar]
        address = "10.42.0.203"
        tags = ["lan", "big"]
        [drones.drone-vega]
        address = "10.42.0.204"
        tags = ["lan"]
        [drones.drone-tarn]
        address = ["100.64.0.22", "192.168.20.203"]
        tags = ["big"]
    "#;

    fn fleet() -> Inventory {
        let surroundings = Surroundings { home: Some("/home/op".into()), addresses: Vec::new() };
        Inventory::parse_at(&[(PathBuf::from("fleet.toml"), FLEET.to_owned())], surroundings).unwrap()
    }

    fn select(text: &str) -> Result<String, String> {
        let inventory = fleet();
        let selection: Selection = text.parse().map_err(|error: SelectError| error.to_string())?;
        let hosts = selection.select(&inventory, |_| true).map_err(|error| error.to_string())?;
        Ok(hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn hosts_are_selected_by_name_glob_tag_and_network() {
        for (text, hosts) in [
            ("drone-vega", "drone-vega"),
            ("drone-vega, capella", "capella drone-vega"),
            ("drone-*", "drone-izar drone-tarn drone-vega"),
            ("*", "capella drone-izar drone-tarn drone-vega"),
            ("@lan", "drone-izar drone-vega"),
            ("%near", "capella drone-izar drone-vega"),
            ("%far", "drone-tarn"),
            ("@lan,!@big", "drone-vega"),
            ("!@big,@lan", "drone-vega"),
            ("!%near", "drone-tarn"),
            ("drone-?zar,,", "drone-izar"),
        ] {
            assert_eq!(select(text), Ok(hosts.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn an_item_that_matches_nothing_is_an_error_with_the_nearest_right_word() {
        for (text, part) in [
            ("drone-vga", "did you mean `drone-vega`?"),
            ("@lam", "did you mean `lan`?"),
            ("%nera", "did you mean `near`?"),
            ("zzz*", "there are: capella, drone-izar"),
            ("@lan,!drone-x*", "\"!drone-x*\" matches no host"),
            ("@lan,!%near", "leaves no host"),
            ("", "no host is selected"),
            (" , ", "no host is selected"),
            ("a b", "\"a b\" selects no host"),
            ("@", "\"@\" selects no host"),
            ("[a", "\"[a\" selects no host"),
        ] {
            let error = select(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn only_hosts_that_may_be_chosen_are_selected() {
        let inventory = fleet();
        let drones = |host: &Host| host.name.as_str().starts_with("drone");
        let all: Selection = "%near".parse().unwrap();
        assert_eq!(all.select(&inventory, drones).unwrap().len(), 2);
        let capella: Selection = "capella".parse().unwrap();
        assert!(matches!(capella.select(&inventory, drones), Err(SelectError::NoMatch { .. })));
    }
}
