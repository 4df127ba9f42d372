//! Dependency strings as a binhost's index has them: with the USE conditionals decided.
//!
//! The index of a binary package no longer asks which flags are set, so Portage evaluates `flag? ( … )` groups and
//! `[flag?]` USE dependencies, and takes out the brackets that became needless on the way. The same is done here, on a
//! tree: parse, drop what is inactive, then simplify from the inside out. Linear in the length of the text, but for the
//! copying of groups that are merged into the one around them.
//!
//! Grammar: PMS, section 8.2. What counts as a needless bracket is Portage's own (`portage.dep.use_reduce`): a
//! conjunction within a conjunction, and any group of one member; an any-of group within an any-of group is merged into
//! it; an empty any-of group becomes an atom that nothing satisfies (PMS, section 8.2.3, since EAPI 7).

use std::collections::BTreeSet;

/// How deep groups may be nested; real ones reach five.
const DEPTH_LIMIT: usize = 64;

/// What stands for an any-of group in which nothing is left to choose from.
const NOTHING_SATISFIES: &str = "__const__/empty-any-of";

/// Why a dependency string cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// Brackets that do not pair, or stand where none may.
    #[error("brackets do not pair near {0:?}")]
    Brackets(String),
    /// Deeper than any ebuild goes.
    #[error("groups are nested deeper than {DEPTH_LIMIT}")]
    Depth,
    /// A word that is no atom, flag or operator.
    #[error("{0:?} is no dependency")]
    Word(String),
}

/// A part of a dependency string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Word(String),
    AllOf(Vec<Node>),
    AnyOf(Vec<Node>),
}

/// What the words of a string are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// Atoms, whose USE dependencies are evaluated too.
    Atoms,
    /// Licences, restrictions, properties.
    Plain,
}

/// `text` with all conditionals decided by the enabled flags, as Portage writes it into an index.
pub(super) fn reduce(text: &str, words: Words, enabled: &BTreeSet<&str>) -> Result<String, DependencyError> {
    let nodes = parse(text, words, enabled)?;
    let mut out = String::with_capacity(text.len());
    write(&simplify_all_of(nodes, false), &mut out);
    Ok(out)
}

/// A group that is still open while its text is read.
struct Open {
    kind: Kind,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
enum Kind {
    AllOf,
    AnyOf,
    /// A conditional group, and whether it holds.
    Conditional(bool),
}

fn parse(text: &str, words: Words, enabled: &BTreeSet<&str>) -> Result<Vec<Node>, DependencyError> {
    let mut open = vec![Open { kind: Kind::AllOf, nodes: Vec::new() }];
    // What a `(` that has to come next will open.
    let mut awaited = None;
    let mut tokens = text.split_ascii_whitespace().peekable();
    while let Some(token) = tokens.next() {
        let brackets = || DependencyError::Brackets(token.to_owned());
        match token {
            "(" => {
                if tokens.peek() == Some(&")") {
                    return Err(brackets());
                }
                if open.len() > DEPTH_LIMIT {
                    return Err(DependencyError::Depth);
                }
                open.push(Open { kind: awaited.take().unwrap_or(Kind::AllOf), nodes: Vec::new() });
            }
            _ if awaited.is_some() => return Err(brackets()),
            ")" => {
                let closed = open.pop().ok_or_else(brackets)?;
                let around = open.last_mut().ok_or_else(brackets)?;
                match closed.kind {
                    Kind::AllOf => around.nodes.push(Node::AllOf(closed.nodes)),
                    Kind::AnyOf => around.nodes.push(Node::AnyOf(closed.nodes)),
                    Kind::Conditional(true) => around.nodes.push(Node::AllOf(closed.nodes)),
                    Kind::Conditional(false) => {}
                }
            }
            "||" => awaited = Some(Kind::AnyOf),
            _ => match token.strip_suffix('?') {
                Some(condition) => awaited = Some(Kind::Conditional(holds(condition, enabled)?)),
                None => {
                    let around = open.last_mut().ok_or_else(brackets)?;
                    around.nodes.push(Node::Word(word(token, words, enabled)?));
                }
            },
        }
    }
    match (open.pop(), open.is_empty(), awaited) {
        (Some(all), true, None) => Ok(all.nodes),
        _ => Err(DependencyError::Brackets(text.chars().rev().take(40).collect::<Vec<_>>().iter().rev().collect())),
    }
}

fn holds(condition: &str, enabled: &BTreeSet<&str>) -> Result<bool, DependencyError> {
    let (flag, wanted) = match condition.strip_prefix('!') {
        Some(flag) => (flag, false),
        None => (condition, true),
    };
    if is_flag(flag) { Ok(enabled.contains(flag) == wanted) } else { Err(DependencyError::Word(condition.to_owned())) }
}

fn is_flag(flag: &str) -> bool {
    flag.starts_with(|first: char| first.is_ascii_alphanumeric())
        && flag.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '+' | '_' | '@' | '-'))
}

fn word(token: &str, words: Words, enabled: &BTreeSet<&str>) -> Result<String, DependencyError> {
    let odd = || DependencyError::Word(token.to_owned());
    if token.chars().any(|each| !each.is_ascii_graphic() || matches!(each, '|' | '?' | '(' | ')'))
        && words == Words::Plain
    {
        return Err(odd());
    }
    match (words, token.find('[')) {
        (Words::Atoms, Some(at)) => {
            let (atom, flags) = token.split_at(at);
            let flags = flags.strip_prefix('[').and_then(|flags| flags.strip_suffix(']')).ok_or_else(odd)?;
            evaluate_flags(atom, flags, enabled).ok_or_else(odd)
        }
        _ => Ok(token.to_owned()),
    }
}

/// The atom with its USE dependencies decided. PMS, section 8.2.6.4: `flag?` and `!flag?` fall away where they ask for
/// nothing, `flag=` and `!flag=` become what the package itself has.
fn evaluate_flags(atom: &str, flags: &str, enabled: &BTreeSet<&str>) -> Option<String> {
    if !flags.contains(['?', '=']) {
        return Some(format!("{atom}[{flags}]"));
    }
    let mut kept = Vec::new();
    for flag in flags.split(',') {
        let (negated, rest) = match flag.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, flag),
        };
        let operator = rest.chars().last().filter(|last| matches!(last, '?' | '='));
        let named = rest.strip_suffix(['?', '=']).unwrap_or(rest);
        let bare = named.strip_suffix("(+)").or_else(|| named.strip_suffix("(-)")).unwrap_or(named);
        let is_on = enabled.contains(bare);
        match (operator, negated) {
            (None, _) => kept.push(flag.to_owned()),
            _ if !is_flag(bare) => return None,
            (Some('?'), false) if is_on => kept.push(named.to_owned()),
            (Some('?'), true) if !is_on => kept.push(format!("-{named}")),
            (Some('?'), _) => {}
            (_, negated) if is_on != negated => kept.push(named.to_owned()),
            _ => kept.push(format!("-{named}")),
        }
    }
    // Portage rebuilds such an atom from its parts and leaves the repository out.
    let atom = atom.split_once("::").map_or(atom, |(plain, _)| plain);
    Some(if kept.is_empty() { atom.to_owned() } else { format!("{atom}[{}]", kept.join(",")) })
}

/// The members of a conjunction, simplified. Within an any-of group (`within_any`) a group of one keeps its brackets
/// where its member is a conjunction itself.
fn simplify_all_of(nodes: Vec<Node>, within_any: bool) -> Vec<Node> {
    let mut out = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node {
            Node::Word(_) => out.push(node),
            Node::AllOf(members) => out.extend(simplify_all_of(members, within_any)),
            Node::AnyOf(members) => {
                let mut choices = simplify_any_of(members);
                match (choices.len(), choices.pop()) {
                    (_, None) => out.push(Node::Word(NOTHING_SATISFIES.to_owned())),
                    (1, Some(Node::AllOf(members))) if !within_any => out.extend(members),
                    (1, Some(only)) => out.push(only),
                    (_, Some(last)) => {
                        choices.push(last);
                        out.push(Node::AnyOf(choices));
                    }
                }
            }
        }
    }
    out
}

/// The choices of an any-of group, simplified; none where there is nothing left to choose from.
fn simplify_any_of(nodes: Vec<Node>) -> Vec<Node> {
    let mut choices = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node {
            Node::Word(_) => choices.push(node),
            Node::AnyOf(members) => {
                let nested = simplify_any_of(members);
                if nested.is_empty() {
                    choices.push(Node::AllOf(vec![Node::Word(NOTHING_SATISFIES.to_owned())]));
                } else {
                    choices.extend(nested);
                }
            }
            Node::AllOf(members) => {
                let mut members = simplify_all_of(members, true);
                match (members.len(), members.pop()) {
                    (_, None) => {}
                    (1, Some(Node::AnyOf(nested))) => choices.extend(nested),
                    (1, Some(only)) => choices.push(only),
                    (_, Some(last)) => {
                        members.push(last);
                        choices.push(Node::AllOf(members));
                    }
                }
            }
        }
    }
    choices
}

fn write(nodes: &[Node], out: &mut String) {
    for node in nodes {
        if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
        let members = match node {
            Node::Word(word) => {
                out.push_str(word);
                continue;
            }
            Node::AllOf(members) => members,
            Node::AnyOf(members) => {
                out.push_str("|| ");
                members
            }
        };
        out.push_str("( ");
        write(members, out);
        out.push_str(" )");
    }
}
