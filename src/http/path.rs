//! The path of a file below a directory, as a request names it.

/// A relative path that stays below its directory and names nothing hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(String);

impl FilePath {
    /// Takes a path that is decoded already; none where it could lead elsewhere or names what is no client's business:
    /// a part that is empty or begins with a dot (`..`, lock files, what is being written).
    pub fn parse(text: &str) -> Option<Self> {
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.chars().any(char::is_control);
        text.split('/').all(part).then(|| Self(text.to_owned()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else_and_to_nothing_hidden() {
        for good in ["Packages", "app-lab/hello/hello-1.1-r1-1.gpkg.tar", "dev-libs/libsigc++/x", "a..b/c", "a b"] {
            assert_eq!(FilePath::parse(good).as_ref().map(FilePath::as_str), Some(good));
        }
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            ".Packages.portage_lockfile",
            "a/.new",
            "a\0b",
            "a\nb",
        ] {
            assert_eq!(FilePath::parse(bad), None, "{bad:?}");
        }
    }
}
