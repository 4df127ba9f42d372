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
    let evaluated = match (words, token.split_once('[')) {
        (Words::Plain, _) => (!token.contains(char::is_control)).then(|| token.to_owned()),
        (Words::Atoms, None) => is_atom(token).then(|| token.to_owned()),
        (Words::Atoms, Some((atom, flags))) => {
            let flags = flags.strip_suffix(']').filter(|_| is_atom(atom));
            flags.and_then(|flags| evaluate_flags(atom, flags, enabled))
        }
    };
    evaluated.ok_or_else(|| DependencyError::Word(token.to_owned()))
}

/// Whether this can be an atom without its USE dependencies. Versions and operators are not looked into: that has been
/// done by the Portage that wrote them.
fn is_atom(token: &str) -> bool {
    let package = token.trim_start_matches(['!', '<', '>', '=', '~']);
    package.split_once('/').is_some_and(|(category, name)| !category.is_empty() && !name.is_empty())
        && package.chars().all(|each| each.is_ascii_alphanumeric() || "+_.-/:=*".contains(each))
}

/// The atom with its USE dependencies decided. PMS, section 8.2.6.4: `flag?` and `!flag?` fall away where they ask for
/// nothing, `flag=` and `!flag=` become what the package itself has.
fn evaluate_flags(atom: &str, flags: &str, enabled: &BTreeSet<&str>) -> Option<String> {
    let (mut kept, mut conditional) = (Vec::new(), false);
    for flag in flags.split(',') {
        let (unsigned, operator) = match flag.strip_suffix(['?', '=']) {
            Some(unsigned) => (unsigned, flag.get(unsigned.len()..)),
            None => (flag, None),
        };
        let signs: &[char] = if operator.is_some() { &['!'] } else { &['-'] };
        let (negated, named) = match unsigned.strip_prefix(signs) {
            Some(named) => (true, named),
            None => (false, unsigned),
        };
        let bare = named.strip_suffix("(+)").or_else(|| named.strip_suffix("(-)")).unwrap_or(named);
        if !is_flag(bare) {
            return None;
        }
        conditional |= operator.is_some();
        let wanted = enabled.contains(bare) != negated;
        match (operator, negated, wanted) {
            (None, ..) => kept.push(flag.to_owned()),
            (Some("?"), false, true) | (Some("="), _, true) => kept.push(named.to_owned()),
            (Some("?"), true, true) | (Some("="), _, false) => kept.push(format!("-{named}")),
            _ => {}
        }
    }
    // Portage rebuilds an atom with conditional flags from its parts, and the repository is not among them.
    let atom = if conditional { atom.split_once("::").map_or(atom, |(plain, _)| plain) } else { atom };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms(text: &str, enabled: &[&str]) -> String {
        reduce(text, Words::Atoms, &enabled.iter().copied().collect()).unwrap()
    }

    #[test]
    fn conditional_groups_are_decided_and_needless_brackets_go() {
        for (text, enabled, reduced) in [
            ("a/b", &[][..], "a/b"),
            ("  a/b\n\tc/d ", &[], "a/b c/d"),
            ("x? ( a/b ) !x? ( c/d )", &["x"], "a/b"),
            ("x? ( a/b ) !x? ( c/d )", &[], "c/d"),
            ("x? ( y? ( a/b ) ) c/d", &["x"], "c/d"),
            ("( ( a/b ) c/d )", &[], "a/b c/d"),
            ("|| ( a/b )", &[], "a/b"),
            ("|| ( ( a/b c/d ) )", &[], "a/b c/d"),
            ("|| ( a/b || ( c/d e/f ) )", &[], "|| ( a/b c/d e/f )"),
            ("|| ( ( || ( a/b c/d ) ) e/f )", &[], "|| ( a/b c/d e/f )"),
            ("|| ( x? ( a/b c/d ) e/f )", &["x"], "|| ( ( a/b c/d ) e/f )"),
            ("|| ( x? ( a/b c/d ) e/f )", &[], "e/f"),
            ("|| ( x? ( a/b ) )", &[], "__const__/empty-any-of"),
            ("|| ( a/b || ( x? ( c/d ) ) )", &[], "|| ( a/b ( __const__/empty-any-of ) )"),
            ("|| ( a/b ( c/d || ( ( e/f g/h ) ) ) )", &[], "|| ( a/b ( c/d ( e/f g/h ) ) )"),
        ] {
            assert_eq!(atoms(text, enabled), reduced, "{text} with {enabled:?}");
        }
    }

    #[test]
    fn use_dependencies_are_decided() {
        for (text, on, off) in [
            ("a/b[x?]", "a/b[x]", "a/b"),
            ("a/b[!x?]", "a/b", "a/b[-x]"),
            ("a/b[x=]", "a/b[x]", "a/b[-x]"),
            ("a/b[!x=]", "a/b[-x]", "a/b[x]"),
            ("a/b:0/2=[x(+)=,y,-z(-)]", "a/b:0/2=[x(+),y,-z(-)]", "a/b:0/2=[-x(+),y,-z(-)]"),
            ("!!<a/b-2:1::repo[x?]", "!!<a/b-2:1[x]", "!!<a/b-2:1"),
            ("a/b::repo[x]", "a/b::repo[x]", "a/b::repo[x]"),
        ] {
            assert_eq!((atoms(text, &["x"]).as_str(), atoms(text, &[]).as_str()), (on, off), "{text}");
        }
    }

    #[test]
    fn licences_and_restrictions_are_no_atoms() {
        let reduced = reduce("|| ( MIT GPL-2+ ) doc? ( FDL-1.3 )", Words::Plain, &BTreeSet::from(["doc"]));
        assert_eq!(reduced.as_deref(), Ok("|| ( MIT GPL-2+ ) FDL-1.3"));
    }

    #[test]
    fn what_is_no_dependency_is_refused() {
        for text in [
            "(",
            ")",
            "( )",
            "|| a/b",
            "||",
            "x?",
            "x? a/b",
            "x? ( a/b",
            "a/b )",
            "|| ( ) a/b",
            "|| || ( a/b )",
            "?x? ( a/b )",
            "? ( a/b )",
            "-x? ( a/b )",
            "a",
            "a/",
            "/b",
            "a/b)",
            "(a/b",
            "a/b[",
            "a/b[]",
            "a/b[x",
            "a/b[x]]",
            "a/b[x][y]",
            "a/b[-x?]",
            "a/b[!x]",
            "a/b[x(*)]",
            "a/b;c",
            "a/b\u{7f}",
            "a/$(b)",
        ] {
            assert!(reduce(text, Words::Atoms, &BTreeSet::new()).is_err(), "{text:?}");
        }
        let deep = format!("{} a/b {}", "( ".repeat(10_000), ") ".repeat(10_000));
        assert_eq!(reduce(&deep, Words::Atoms, &BTreeSet::new()), Err(DependencyError::Depth));
    }
}
