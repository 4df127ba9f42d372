//! The words of a playbook that whoever runs it gives: parameters.
//!
//! A parameter stands for a whole word, `{name}`, and for nothing else: what is given is never put into the middle of
//! another text, so it stays the one word that it was, whatever is in it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::core::nearest::did_you_mean;

/// The name of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParameterName(String);

impl ParameterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ParameterName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is not the name of a parameter: small letters, digits and '_'"))
        }
    }
}

impl TryFrom<String> for ParameterName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ParameterName> for String {
    fn from(name: ParameterName) -> String {
        name.0
    }
}

impl fmt::Display for ParameterName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Whether a parameter has to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// It has to be.
    Required,
    /// Without it, what it stands for is left out.
    Optional,
    /// Without it, this counts.
    Default(String),
}

/// A parameter that a playbook declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Whether it has to be given.
    pub need: Need,
    /// What it is for, in a line.
    pub help: String,
}

impl Parameter {
    /// Whether it always has a value.
    pub fn is_certain(&self) -> bool {
        !matches!(self.need, Need::Optional)
    }
}

/// The parameters of a playbook.
pub type Parameters = BTreeMap<ParameterName, Parameter>;

/// What was given for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Given(BTreeMap<ParameterName, String>);

impl Given {
    /// What is given, held against what is declared; the defaults are filled in.
    ///
    /// # Errors
    /// Something is given that is none of the parameters, given twice, or missing.
    pub fn new(
        parameters: &Parameters,
        given: impl IntoIterator<Item = (ParameterName, String)>,
    ) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for (name, value) in given {
            if !parameters.contains_key(&name) {
                let known = parameters.keys().map(ParameterName::as_str);
                let help = did_you_mean(name.as_str(), known)
                    .map_or_else(|| "; this playbook has none".to_owned(), |help| format!("; {help}"));
                return Err(format!("{name} is no parameter of this playbook{help}"));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(format!("{name} is given twice"));
            }
        }
        for (name, parameter) in parameters {
            match &parameter.need {
                Need::Default(value) => drop(values.entry(name.clone()).or_insert_with(|| value.clone())),
                Need::Required if !values.contains_key(name) => {
                    return Err(format!("{name} is to be given, with --set {name}=…: {}", parameter.help));
                }
                Need::Required | Need::Optional => {}
            }
        }
        Ok(Self(values))
    }

    /// What was given for a parameter.
    pub fn get(&self, name: &ParameterName) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A word of a playbook: itself, or what is given for a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<T> {
    /// As it stands.
    Plain(T),
    /// What is given.
    Given(ParameterName),
}

impl<T: FromStr> Word<T>
where
    T::Err: fmt::Display,
{
    /// Reads a word: `{name}` as a whole is a parameter.
    ///
    /// # Errors
    /// It is neither a parameter nor what is wanted here.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).map(str::parse::<ParameterName>) {
            Some(Ok(name)) => Ok(Self::Given(name)),
            _ => text.parse().map(Self::Plain).map_err(|error| format!("{error}")),
        }
    }
}

impl<T: FromStr + Clone> Word<T>
where
    T::Err: fmt::Display,
{
    /// What it stands for; none where its parameter is not given.
    ///
    /// # Errors
    /// What was given is not what is wanted here.
    pub fn resolve(&self, given: &Given) -> Result<Option<T>, String> {
        match self {
            Self::Plain(value) => Ok(Some(value.clone())),
            Self::Given(name) => match given.get(name) {
                Some(text) => text.parse().map(Some).map_err(|error| format!("{name}: {error}")),
                None => Ok(None),
            },
        }
    }
}

impl<T> Word<T> {
    /// The parameter that it stands for.
    pub fn parameter(&self) -> Option<&ParameterName> {
        match self {
            Self::Plain(_) => None,
            Self::Given(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let parameter = |need| Parameter { need, help: "what for".to_owned() };
        [
            ("host", parameter(Need::Required)),
            ("package", parameter(Need::Optional)),
            ("limit", parameter(Need::Default("3".to_owned()))),
        ]
        .map(|(name, parameter)| (name.parse().unwrap(), parameter))
        .into()
    }

    fn given(pairs: &[(&str, &str)]) -> Result<Given, String> {
        Given::new(&parameters(), pairs.iter().map(|(name, value)| (name.parse().unwrap(), (*value).to_owned())))
    }

    #[test]
    fn what_is_given_is_held_against_what_is_declared() {
        for (pairs, problem) in [
            (&[][..], "host is to be given, with --set host=…: what for"),
            (&[("host", "a"), ("hots", "b")], "hots is no parameter of this playbook; did you mean `host`?"),
            (&[("host", "a"), ("host", "b")], "host is given twice"),
        ] {
            assert_eq!(given(pairs).unwrap_err(), problem);
        }
        let given = given(&[("host", "a")]).unwrap();
        let of = |name: &str| given.get(&name.parse().unwrap()).map(str::to_owned);
        assert_eq!((of("host").as_deref(), of("package"), of("limit").as_deref()), (Some("a"), None, Some("3")));
    }

    #[test]
    fn a_parameter_is_a_whole_word_and_what_is_given_stays_one() {
        let given = given(&[("host", "a b; rm -rf / {limit} $(x)")]).unwrap();
        let word = |text: &str| Word::<String>::read(text).unwrap().resolve(&given).unwrap();
        for (text, wanted) in [
            ("{host}", Some("a b; rm -rf / {limit} $(x)")),
            ("{package}", None),
            ("on {host}", Some("on {host}")),
            ("{host} ", Some("{host} ")),
            ("{Host}", Some("{Host}")),
            ("{}", Some("{}")),
        ] {
            assert_eq!(word(text).as_deref(), wanted, "{text:?}");
        }
        assert_eq!(Word::<u32>::read("{limit}").unwrap().resolve(&given), Ok(Some(3)));
        assert!(Word::<u32>::read("{host}").unwrap().resolve(&given).unwrap_err().starts_with("host: "));
        assert!(Word::<u32>::read("many").is_err());
    }
}
