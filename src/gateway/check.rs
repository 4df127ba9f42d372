//! A look at one orchestrator: its binhost's index as a client would fetch it, and its API.
//!
//! The index is read when it has changed; otherwise the binhost is asked whether it has (`If-Modified-Since` with the
//! very date that it gave).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};

use super::fleet::{Look, Orchestrator};
use crate::core::names::Timestamp;
use crate::core::role::Health;
use crate::http::client::{AskError, Client};
use crate::portage::index::{self, Index, Limits};

/// What is asked for first by clients, and what where that is not there.
const FILES: [&str; 2] = ["Packages.gz", "Packages"];
/// The longest index (bytes) as it comes.
const INDEX_LIMIT: usize = 64 << 20;
/// The longest answer of an API (bytes).
const ANSWER_LIMIT: usize = 1 << 20;
/// No step of a look may take longer than this, nor need it be shorter than the other.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// A whole look takes no longer than this, however slowly an index trickles in.
const LONGEST_LOOK: Duration = Duration::from_secs(300);

/// How long a step of a look may take when looks are so far apart: a third of that, so that an orchestrator that
/// accepts connections and says nothing is found out as soon as one that is gone.
pub fn patience(interval: Duration) -> Duration {
    (interval / 3).clamp(PATIENCE.0, PATIENCE.1)
}

/// Looks at one orchestrator.
pub struct Checker {
    client: Client,
    orchestrator: Orchestrator,
    /// The index that was read last.
    read: Option<ReadIndex>,
}

struct ReadIndex {
    file: &'static str,
    modified: HeaderValue,
    timestamp: Timestamp,
}

impl Checker {
    /// One that asks through this client.
    pub fn new(client: Client, orchestrator: Orchestrator) -> Self {
        Self { client, orchestrator, read: None }
    }

    /// Looks once.
    pub async fn look(&mut self) -> Look {
        let (client, api) = (self.client.clone(), self.orchestrator.api.clone());
        let api = async move {
            let url = format!("{}/health", api?);
            Some(answer(&client, &url).await)
        };
        let index = async {
            let read = tokio::time::timeout(LONGEST_LOOK, self.index()).await;
            read.unwrap_or_else(|_| Err(format!("does not send its index within {} s", LONGEST_LOOK.as_secs())))
        };
        let (index, api) = tokio::join!(index, api);
        Look { index, api }
    }

    async fn index(&mut self) -> Result<Timestamp, String> {
        for file in FILES {
            let url = format!("{}/{file}", self.orchestrator.binhost);
            let known = self.read.as_ref().filter(|read| read.file == file);
            let date = known.map(|read| (header::IF_MODIFIED_SINCE, read.modified.clone()));
            let response = get(&self.client, &url, date).await.map_err(|error| error.to_string())?;
            match (response.status(), known) {
                (StatusCode::NOT_MODIFIED, Some(known)) => return Ok(known.timestamp),
                (StatusCode::OK, _) => return self.read(file, response).await,
                (StatusCode::NOT_FOUND, _) => {}
                (other, _) => return Err(format!("answers {other} for {url}")),
            }
        }
        Err("has no index: there is neither Packages.gz nor Packages".to_owned())
    }

    async fn read(&mut self, file: &'static str, response: Response<Incoming>) -> Result<Timestamp, String> {
        self.read = None;
        let modified = response.headers().get(header::LAST_MODIFIED).cloned();
        let bytes = self.client.read(response.into_body(), INDEX_LIMIT).await.map_err(|error| error.to_string())?;
        let read = tokio::task::spawn_blocking(move || timestamp(&bytes, file == FILES[0]));
        let timestamp = read.await.map_err(|error| format!("could not be looked at: {error}"))?;
        let timestamp = timestamp.map_err(|error| format!("has an index that is of no use: {error}"))?;
        self.read = modified.map(|modified| ReadIndex { file, modified, timestamp });
        Ok(timestamp)
    }
}

async fn get(
    client: &Client,
    url: &str,
    header: Option<(HeaderName, HeaderValue)>,
) -> Result<Response<Incoming>, AskError> {
    let mut request = Request::get(url)
        .header(header::USER_AGENT, concat!("swarm-gateway/", env!("CARGO_PKG_VERSION")))
        .body(Full::<Bytes>::default())
        .map_err(|_| AskError::Address(url.to_owned()))?;
    request.headers_mut().extend(header);
    client.ask(request).await
}

async fn answer(client: &Client, url: &str) -> Result<Health, String> {
    let response = get(client, url, None).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("answers {} for {url}", response.status()));
    }
    let body = client.read(response.into_body(), ANSWER_LIMIT).await.map_err(|error| error.to_string())?;
    // It answers, which is what counts; one of another form has neither epoch nor release.
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

/// The TIMESTAMP of an index that a client could use.
fn timestamp(bytes: &[u8], packed: bool) -> Result<Timestamp, String> {
    let limits = Limits::default();
    let index = if packed {
        let text = index::unpacked(bytes, limits.bytes).map_err(|error| format!("it does not unpack: {error}"))?;
        Index::parse(&text, limits)
    } else {
        Index::parse(bytes, limits)
    };
    let index = index.map_err(|error| error.to_string())?;
    let said = |key: &str| index.header.get(key).map(String::as_str);
    if said("VERSION") != Some("0") {
        return Err("it has no `VERSION: 0`".to_owned());
    }
    if index.stanzas.is_empty() {
        return Err("no package is in it".to_owned());
    }
    said("TIMESTAMP").and_then(|text| text.parse().ok()).map(Timestamp).ok_or_else(|| "it has no TIMESTAMP".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const INDEX: &str = "PACKAGES: 1\nTIMESTAMP: 1795504993\nVERSION: 0\n\nCPV: app-lab/hello-1.0\n\
                         PATH: app-lab/hello/hello-1.0-1.gpkg.tar\n\n";

    #[test]
    fn an_index_counts_when_a_client_could_use_it() {
        assert_eq!(timestamp(INDEX.as_bytes(), false), Ok(Timestamp(1_795_504_993)));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(INDEX.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(timestamp(&packed, true), Ok(Timestamp(1_795_504_993)));
        for (bytes, packed, part) in [
            (&packed[..packed.len() - 9], true, "it does not unpack"),
            (INDEX.as_bytes(), true, "it does not unpack"),
            (b"", true, "it does not unpack"),
            (b"", false, "VERSION"),
            (b"<html>404</html>", false, "VERSION"),
            (INDEX.replace("VERSION: 0", "VERSION: 1").as_bytes(), false, "VERSION"),
            (INDEX.split("CPV").next().unwrap().as_bytes(), false, "no package is in it"),
            (INDEX.replace("PATH", "PART").as_bytes(), false, "no package is in it"),
            (INDEX.replace("TIMESTAMP", "TIME").as_bytes(), false, "no TIMESTAMP"),
        ] {
            let error = timestamp(bytes, packed).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_silent_orchestrator_is_found_out_within_three_intervals() {
        for seconds in [3_u64, 5, 30, 300] {
            let interval = Duration::from_secs(seconds);
            // It falls silent just after a look; then there are three looks, the later two half an interval apart.
            let found_out = interval + interval / 2 * 2 + patience(interval);
            assert!(found_out <= interval * 3, "{seconds}");
        }
    }
}
