//! How the page's routes answer: JSON with a tag by which a browser asks for it again, or one sentence.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::controller::api::Refusal;
use crate::http::sentence;

/// So many bytes of a digest tell one body from another.
const TAG_BYTES: usize = 12;

/// Why there is no answer: its status, and a sentence.
#[derive(Debug)]
pub struct Trouble(StatusCode, String);

impl Trouble {
    /// What was asked for is not there.
    pub fn absent(text: impl std::fmt::Display) -> Self {
        Self(StatusCode::NOT_FOUND, text.to_string())
    }

    /// What was asked for cannot be meant.
    pub fn senseless(text: impl std::fmt::Display) -> Self {
        Self(StatusCode::BAD_REQUEST, text.to_string())
    }

    /// There may be room for it later.
    pub fn later(text: impl std::fmt::Display) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, text.to_string())
    }

    /// It is there and cannot be shown; the service's log has it, too.
    pub fn unreadable(error: impl std::fmt::Display) -> Self {
        tracing::error!("{error}");
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<Refusal> for Trouble {
    fn from((status, text): Refusal) -> Self {
        Self(status, text.trim_end().to_owned())
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        guarded(sentence(self.0, self.1))
    }
}

/// The query of a request, in which every key has to be known and to make sense.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Trouble> {
        let query = Query::try_from_uri(&parts.uri).map_err(|error| Trouble::senseless(error.body_text()))?;
        Ok(Self(query.0))
    }
}

/// A body, and the tag that it is known by.
#[derive(Debug, Clone)]
pub struct Tagged {
    kind: HeaderValue,
    bytes: Bytes,
    tag: HeaderValue,
}

impl Tagged {
    /// These bytes of this kind.
    pub fn new(kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = Sha256::digest(&bytes);
        let text = format!("\"{}\"", HEXLOWER.encode(&digest[..TAG_BYTES]));
        // Digits and quotation marks can stand in a header.
        let tag = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"\""));
        Self { kind: HeaderValue::from_static(kind), bytes, tag }
    }

    /// A value as JSON.
    ///
    /// # Errors
    /// It has no JSON form.
    pub fn json(value: &impl Serialize) -> Result<Self, Trouble> {
        let bytes = serde_json::to_vec(value).map_err(Trouble::unreadable)?;
        Ok(Self::new("application/json", bytes))
    }

    /// Itself, or the word that whoever asks has it already.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let is_tag = |tag: &str| tag.trim().trim_start_matches("W/").as_bytes() == self.tag.as_bytes();
        let is_known = known.is_some_and(|tags| tags.split(',').any(is_tag));
        let own = [(header::ETAG, self.tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
        guarded(if is_known {
            (StatusCode::NOT_MODIFIED, own).into_response()
        } else {
            (own, [(header::CONTENT_TYPE, self.kind.clone())], self.bytes.clone()).into_response()
        })
    }
}

/// A value as JSON, for whoever sent these headers.
///
/// # Errors
/// It has no JSON form.
pub fn json(headers: &HeaderMap, value: &impl Serialize) -> Result<Response, Trouble> {
    Tagged::json(value).map(|tagged| tagged.answer(headers))
}

/// What each answer says to a browser: nothing is to be loaded from elsewhere or to run but the page's own files, and
/// nothing is anything else than it is said to be.
const GUARDS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// An answer with the guards of the page.
pub fn guarded(mut answer: Response) -> Response {
    answer.headers_mut().extend(GUARDS);
    answer
}
