//! Who may change something: whoever has the bearer token (RFC 6750), so often.
//!
//! Tries are counted by address before the token is looked at, in a bucket that holds a minute's and is filled by one
//! each second: that bounds guesses, and what one mistaken script can ask for.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::{retry_after, sentence};

/// So many tries at once.
const BURST: u32 = 60;
/// After so long there is one more.
const REFILL: Duration = Duration::from_secs(1);
/// So many addresses are remembered; beyond, those are forgotten that have all their tries again, and as long as there
/// are none nobody new is let in.
const ADDRESSES: usize = 4096;
/// A token file is not longer than this (bytes).
const LONGEST: u64 = 4096;
/// Whoever is neither the owner nor in the group of a file.
const OTHERS: u32 = 0o007;

/// The secret word.
pub struct Token(Box<[u8]>);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

/// A token file that is of no use. The messages never hold what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the token file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Anybody can read or write it.
    #[error("the token file {} is open to others (mode {mode:04o}): `chmod o= {}` closes it", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What is in it is no token.
    #[error("the token file {} holds no token: one word of visible ASCII characters, for example from `openssl rand -hex 32`", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// The value of an `Authorization` header that shows it; a debugging output does not.
    pub fn bearer(&self) -> HeaderValue {
        let value = [b"Bearer ", &*self.0].concat();
        // It was read as visible ASCII.
        let mut value = HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }

    /// Reads the file; a line end behind the token is no part of it.
    ///
    /// # Errors
    /// It cannot be read, others can read it, or it holds no token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |source| TokenError::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(TokenError::Open { path: path.to_owned(), mode });
        }
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
        let word = text.trim_ascii();
        if word.is_empty() || text.len() as u64 > LONGEST || !word.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::NoToken { path: path.to_owned() });
        }
        Ok(Self(word.into()))
    }

    /// Whether the request carries it. Takes as long for a wrong one as for the right one.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        match given.split_at_checked(BEARER.len()) {
            Some((scheme, word)) if scheme.eq_ignore_ascii_case(BEARER) => self.0.ct_eq(word.trim_ascii()).into(),
            _ => false,
        }
    }
}

const BEARER: &[u8] = b"Bearer ";

/// The door to what changes something.
#[derive(Debug)]
pub struct Door {
    token: RwLock<Option<Token>>,
    tries: Mutex<HashMap<IpAddr, Tries>>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    left: u32,
    since: Instant,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no token, so nobody may.
    NoToken,
    /// The request does not carry it.
    WrongToken,
    /// Too often.
    TooOften,
}

impl Door {
    /// A door that this token opens; none keeps it shut.
    pub fn new(token: Option<Token>) -> Self {
        Self { token: RwLock::new(token), tries: Mutex::default() }
    }

    /// Another token opens it from now on, or none does. Tries are counted on.
    pub fn renew(&self, token: Option<Token>) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, from: IpAddr, headers: &HeaderMap) -> Result<(), Refusal> {
        self.admit_at(from, headers, Instant::now())
    }

    fn admit_at(&self, from: IpAddr, headers: &HeaderMap, now: Instant) -> Result<(), Refusal> {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        let token = token.as_ref().ok_or(Refusal::NoToken)?;
        if !self.take_try(from, now) {
            return Err(Refusal::TooOften);
        }
        if token.is_in(headers) { Ok(()) } else { Err(Refusal::WrongToken) }
    }

    fn take_try(&self, from: IpAddr, now: Instant) -> bool {
        let mut all = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ADDRESSES && !all.contains_key(&from) {
            // Whoever has waited long enough is as one who never came.
            all.retain(|_, tries| tries.at(now).left < BURST);
            if all.len() >= ADDRESSES {
                return false;
            }
        }
        let tries = all.entry(from).or_insert(Tries { left: BURST, since: now });
        *tries = tries.at(now);
        let granted = tries.left > 0;
        tries.left = tries.left.saturating_sub(1);
        granted
    }
}

impl Tries {
    fn at(self, now: Instant) -> Self {
        let waited = now.saturating_duration_since(self.since);
        let more = u32::try_from(waited.as_secs() / REFILL.as_secs()).unwrap_or(u32::MAX);
        let left = self.left.saturating_add(more).min(BURST);
        Self { left, since: if left == BURST { now } else { self.since + REFILL * more } }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken => {
                let text = "no `token_file` is set in the inventory, so nothing can be changed over HTTP";
                sentence(StatusCode::FORBIDDEN, text)
            }
            Self::WrongToken => {
                let text = "this needs the token: `Authorization: Bearer TOKEN`";
                let mut response = sentence(StatusCode::UNAUTHORIZED, text);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Self::TooOften => {
                let response = sentence(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many tries from this address; try again after the seconds of Retry-After",
                );
                retry_after(response, REFILL.as_secs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    fn carrying(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    const SOMEBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_token_file_that_others_can_read_or_that_holds_no_word_is_refused_without_telling_what_it_holds() {
        for (text, mode, part) in [
            ("secret\n", 0o644, "`chmod o= "),
            ("secret\n", 0o602, "is open to others (mode 0602)"),
            ("", 0o600, "holds no token"),
            (" \n", 0o600, "holds no token"),
            ("secret word\n", 0o600, "holds no token"),
            ("secret\u{1b}[2J", 0o600, "holds no token"),
            (&"secret".repeat(1000), 0o600, "holds no token"),
        ] {
            let error = Token::read(file(text, mode).path()).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(part) && !shown.contains("secret"), "{shown}");
        }
        for mode in [0o600, 0o640, 0o400] {
            assert_eq!(format!("{:?}", Token::read(file("secret\n", mode).path()).unwrap()), "Token");
        }
        assert!(Token::read(Path::new("/nowhere")).unwrap_err().to_string().contains("/nowhere"));
    }

    #[test]
    fn only_the_whole_token_opens_the_door_and_without_one_nothing_does() {
        let door = Door::new(Some(Token::read(file("secret\n", 0o600).path()).unwrap()));
        for good in ["Bearer secret", "bearer secret", "Bearer  secret "] {
            assert_eq!(door.admit(SOMEBODY, &carrying(good)), Ok(()), "{good}");
        }
        for bad in ["Bearer secre", "Bearer secrets", "Bearer ", "Bearer", "Basic secret", "secret", "Bearer Secret"] {
            assert_eq!(door.admit(SOMEBODY, &carrying(bad)), Err(Refusal::WrongToken), "{bad}");
        }
        assert_eq!(door.admit(SOMEBODY, &HeaderMap::new()), Err(Refusal::WrongToken));
        assert_eq!(Door::new(None).admit(SOMEBODY, &carrying("Bearer secret")), Err(Refusal::NoToken));
    }

    #[test]
    fn tries_are_bounded_for_each_address_and_come_back_with_time() {
        let door = Door::new(Some(Token::read(file("secret", 0o600).path()).unwrap()));
        let (begun, right) = (Instant::now(), carrying("Bearer secret"));
        for _ in 0..BURST {
            assert_eq!(door.admit_at(SOMEBODY, &HeaderMap::new(), begun), Err(Refusal::WrongToken));
        }
        assert_eq!(door.admit_at(SOMEBODY, &right, begun), Err(Refusal::TooOften));
        let another = IpAddr::from([192, 0, 2, 2]);
        assert_eq!(door.admit_at(another, &right, begun), Ok(()), "nobody else is kept out by it");
        let later = begun + REFILL * 2;
        let outcomes: Vec<_> = (0..3).map(|_| door.admit_at(SOMEBODY, &right, later)).collect();
        assert_eq!(outcomes, [Ok(()), Ok(()), Err(Refusal::TooOften)]);
    }

    #[test]
    fn what_is_remembered_of_addresses_has_an_end() {
        let door = Door::new(Some(Token::read(file("secret", 0o600).path()).unwrap()));
        let (begun, right) = (Instant::now(), carrying("Bearer secret"));
        for address in 0..u32::try_from(ADDRESSES).unwrap() {
            assert_eq!(door.admit_at(std::net::Ipv4Addr::from(address).into(), &right, begun), Ok(()));
        }
        assert_eq!(door.admit_at(SOMEBODY, &right, begun), Err(Refusal::TooOften));
        assert_eq!(door.admit_at(SOMEBODY, &right, begun + REFILL), Ok(()));
        assert_eq!(door.tries.lock().unwrap().len(), 1);
    }
}
