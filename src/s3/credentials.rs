//! Who may write: an access key from a file, or what the environment has.
//!
//! The file is that of Amazon's own tools (`~/.aws/credentials`): lines `aws_access_key_id = …`,
//! `aws_secret_access_key = …` and, for a key of limited time, `aws_session_token = …`, in a section `[default]` or in
//! none.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Whoever is neither the owner nor in the group of a file.
const OTHERS: u32 = 0o007;
/// A file of credentials is not longer than this (bytes).
const LONGEST: usize = 64 << 10;
/// One of these says that the environment has credentials.
const ENVIRONMENT: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
];

/// Who may write.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// An access key.
    Key {
        /// Its public half.
        id: String,
        /// Its secret half.
        secret: String,
        /// What goes with one of limited time.
        token: Option<String>,
    },
    /// What the environment has.
    Environment,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials")
    }
}

impl Credentials {
    /// Those of a file, or of the environment where none is named.
    ///
    /// # Errors
    /// There are none, or the file is of no use; the message never holds what is in it.
    pub fn find(file: Option<&Path>) -> Result<Self, String> {
        match file {
            Some(path) => Self::read(path),
            None if ENVIRONMENT.iter().any(|name| std::env::var_os(name).is_some()) => Ok(Self::Environment),
            None => Err("there are no credentials: name a file with `credentials` in the inventory, or set \
                         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                .to_owned()),
        }
    }

    fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let unreadable = |error: std::io::Error| format!("cannot read the credentials {shown}: {error}");
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(format!(
                "the credentials {shown} are open to others (mode {mode:04o}): `chmod o= {shown}` closes them"
            ));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST);
        text.as_deref().and_then(Self::parse).ok_or_else(|| {
            format!(
                "the credentials {shown} hold no key: lines `aws_access_key_id = …` and `aws_secret_access_key = …`, in \
                 the section [default] where there are sections"
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (mut id, mut secret, mut token) = (None, None, None);
        let mut is_ours = true;
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[') {
                is_ours = section.trim_end_matches(']').trim() == "default";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| is_ours) else { continue };
            let place = match key.trim() {
                "aws_access_key_id" => &mut id,
                "aws_secret_access_key" => &mut secret,
                "aws_session_token" => &mut token,
                _ => continue,
            };
            *place = Some(value.trim().to_owned());
        }
        let visible = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        Some(Self::Key { id: id.filter(visible)?, secret: secret.filter(visible)?, token: token.filter(visible) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &str, token: Option<&str>) -> Option<Credentials> {
        Some(Credentials::Key { id: id.to_owned(), secret: secret.to_owned(), token: token.map(str::to_owned) })
    }

    #[test]
    fn a_key_is_read_as_amazons_tools_write_it() {
        for (text, read) in [
            ("aws_access_key_id = A\naws_secret_access_key=b/+=\n", key("A", "b/+=", None)),
            (
                "[default]\naws_access_key_id=A\naws_secret_access_key=b\naws_session_token = c\n",
                key("A", "b", Some("c")),
            ),
            (
                "[other]\naws_access_key_id=X\n[default]\naws_access_key_id=A\naws_secret_access_key=b",
                key("A", "b", None),
            ),
            ("[other]\naws_access_key_id=A\naws_secret_access_key=b\n", None),
            ("aws_access_key_id = A\n", None),
            ("aws_access_key_id = A\naws_secret_access_key = \n", None),
            ("", None),
        ] {
            assert!(Credentials::parse(text) == read, "{text}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_or_that_holds_no_key_is_refused_without_telling_what_it_holds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let find = |text: &str, mode: u32| {
            std::fs::write(file.path(), text).unwrap();
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            Credentials::find(Some(file.path()))
        };
        let good = "aws_access_key_id=A\naws_secret_access_key=secret\n";
        assert_eq!(format!("{:?}", find(good, 0o640).unwrap()), "Credentials");
        for (text, mode, part) in [
            (good, 0o644, "`chmod o= "),
            ("aws_access_key_id=secret", 0o600, "hold no key"),
            (&good.repeat(2000), 0o600, "hold no key"),
        ] {
            let error = find(text, mode).unwrap_err();
            assert!(error.contains(part) && !error.contains("secret\n") && !error.contains("=secret"), "{error}");
        }
        assert!(Credentials::find(Some(Path::new("/nowhere"))).unwrap_err().contains("/nowhere"));
    }
}
