//! The hosts field of a known_hosts line: patterns, or one hashed name.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Which hosts a line is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hosts {
    /// HMAC-SHA1 of one name with a salt.
    Hashed {
        /// The HMAC's key.
        salt: Vec<u8>,
        /// The HMAC.
        hash: Vec<u8>,
    },
    /// A list of patterns in lower case.
    Patterns(Vec<Pattern>),
}

/// One pattern of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// A name that matches is not meant by the line, whatever else matches.
    negated: bool,
    glob: String,
}

impl Hosts {
    /// Reads the field; none where it is hashed in a way that nobody defines.
    pub(super) fn parse(field: &str) -> Option<Self> {
        if let Some(hashed) = field.strip_prefix('|') {
            let mut parts = hashed.split('|');
            let (method, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
            if method != "1" || parts.next().is_some() {
                return None;
            }
            let decode = |text: &str| BASE64.decode(text.as_bytes()).ok();
            return Some(Self::Hashed { salt: decode(salt)?, hash: decode(hash)? });
        }
        let patterns = field.split(',').filter(|text| !text.is_empty()).map(|text| match text.strip_prefix('!') {
            Some(rest) => Pattern { negated: true, glob: rest.to_lowercase() },
            None => Pattern { negated: false, glob: text.to_lowercase() },
        });
        Some(Self::Patterns(patterns.collect()))
    }

    /// Whether the line is for this name, given in lower case.
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|mac| mac.chain_update(name.as_bytes()).verify_slice(hash).is_ok()),
            Self::Patterns(patterns) => {
                let mut matching = patterns.iter().filter(|pattern| matches(&pattern.glob, name)).peekable();
                matching.peek().is_some() && matching.all(|pattern| !pattern.negated)
            }
        }
    }
}

/// Whether a name matches a pattern with `*` and `?`.
///
/// Goes back to the latest `*` only, which suffices for these two wildcards; at most pattern times name steps.
pub(super) fn matches(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut at_glob, mut at_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = name.get(at_name) {
        match glob.get(at_glob) {
            Some('*') => {
                star = Some((at_glob, at_name));
                at_glob += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == character => {
                at_glob += 1;
                at_name += 1;
            }
            _ => {
                let Some((star_glob, star_name)) = star else { return false };
                star = Some((star_glob, star_name + 1));
                at_glob = star_glob + 1;
                at_name = star_name + 1;
            }
        }
    }
    glob.get(at_glob..).is_some_and(|rest| rest.iter().all(|character| *character == '*'))
}
