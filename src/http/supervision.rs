//! What a service tells whoever supervises it (sd_notify(3)): that it serves, that it still does, that it ends.
//!
//! It finds that out as a client would, over its own port: a connection, TLS where that is spoken, a request, an answer.
//! So what is told holds for the loop that accepts, for the router and for the threads behind it, not for a timer. Any
//! answer counts, an error as well: what is behind that is not mended by a restart. Where nobody listens at
//! `NOTIFY_SOCKET`, nothing is asked and nothing told.
//!
//! A service that is full has no place for its own question, and restarting it would help whoever fills it: while so
//! many connections are open as one address may have, having no place is no failure.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::Request;
use http_body_util::Full;
use hyper::body::Bytes;
use sd_notify::NotifyState;
use tokio::time::Instant;

use super::client::Client;
use super::server::{Bounds, Tally};
use super::stop::Stop;
use super::tls;

/// Between two questions until the first answer.
const PAUSE: Duration = Duration::from_millis(50);
/// So long the first answer may take, and each where no watchdog waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is asked for.
const PATH: &str = "/health";

/// A service, as it is asked by itself.
pub struct Own {
    /// Where it listens, as URLs without a path.
    pub urls: Vec<String>,
    /// The certificate that it shows.
    pub certificate: Certificate,
    /// What it has done.
    pub tally: Arc<Tally>,
    /// What it takes.
    pub bounds: Bounds,
}

/// The file of the certificate that a service shows; with the next configuration it may be another one.
#[derive(Debug, Clone, Default)]
pub struct Certificate(Arc<RwLock<Option<PathBuf>>>);

impl Certificate {
    /// This one, where TLS is spoken.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self(Arc::new(RwLock::new(file)))
    }

    /// Another one from now on.
    pub fn renew(&self, file: Option<PathBuf>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = file;
    }

    fn now(&self) -> Option<PathBuf> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether somebody wants to be told.
fn is_supervised() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("whoever supervises this service cannot be told how it stands: {error}");
    }
}

/// Says in a line for people what the service does at the moment.
pub fn status(text: &str) {
    let line: String = text.chars().map(|each| if each.is_control() { ' ' } else { each }).collect();
    tell(&[NotifyState::Status(&line)]);
}

/// Says that the configuration is read again; [`reloaded`] must follow.
pub fn reloading() {
    // Without the moment a manager takes the word for a mistake; one that never has it does not want it.
    match NotifyState::monotonic_usec_now() {
        Ok(moment) => tell(&[NotifyState::Reloading, moment]),
        Err(error) => tracing::warn!("this machine has no monotonic clock: {error}"),
    }
}

/// Says that it has been read again, or that the one before stays.
pub fn reloaded() {
    tell(&[NotifyState::Ready]);
}

impl Own {
    /// Tells how the service stands, until the word to stop and that as well.
    pub async fn report(self, stop: Stop) {
        if is_supervised() {
            self.report_by(tell, sd_notify::watchdog_enabled(), stop).await;
        }
    }

    async fn report_by(self, tell: impl Fn(&[NotifyState<'_>]), limit: Option<Duration>, stop: Stop) {
        tokio::select! {
            () = self.watch(&tell, limit) => {}
            () = stop.wait() => tell(&[NotifyState::Stopping]),
        }
    }

    /// Never comes back. `limit` is what the watchdog waits for.
    async fn watch(&self, tell: impl Fn(&[NotifyState<'_>]), limit: Option<Duration>) {
        let mut client = self.client(PATIENCE);
        while let Err(why) = self.ask(&client).await {
            tracing::debug!("not ready yet: {why}");
            tokio::time::sleep(PAUSE).await;
            client = self.client(PATIENCE);
        }
        tell(&[NotifyState::Ready]);
        let Some(limit) = limit else { return std::future::pending().await };
        // Two questions within the limit, so that one that takes its time is not the end.
        let (pause, patience) = (limit / 2, (limit / 4).min(PATIENCE));
        let mut client = self.client(patience);
        loop {
            let begun = Instant::now();
            match self.ask(&client).await {
                Err(why) if !self.is_full() => {
                    tracing::error!("this service does not answer itself: {why}");
                    // It may show another certificate by now.
                    client = self.client(patience);
                    tokio::time::sleep_until(begun + patience).await;
                }
                Ok(()) | Err(_) => {
                    tell(&[NotifyState::Watchdog]);
                    tokio::time::sleep_until(begun + pause).await;
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.tally.open.load(Ordering::Relaxed) >= self.bounds.each as u64
    }

    fn client(&self, patience: Duration) -> Client {
        let speaks_tls = self.urls.iter().any(|url| url.starts_with("https:"));
        // One that cannot be read is told of by whoever reads it for the service.
        let tls = if speaks_tls { tls::connector(self.certificate.now().as_deref()).ok() } else { None };
        Client::new(tls, patience)
    }

    async fn ask(&self, client: &Client) -> Result<(), String> {
        for url in &self.urls {
            let url = format!("{url}{PATH}");
            let request = Request::get(&url).body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
            client.ask(request).await.map_err(|error| format!("{url} {error}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use axum::Router;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;
    use crate::http::stop;

    const LIMIT: Duration = Duration::from_millis(400);

    /// What was told, in short.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Heard {
        fn hear(&self, state: &[NotifyState<'_>]) {
            self.0.lock().unwrap().extend(state.iter().map(ToString::to_string));
        }

        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }

        async fn wait_for(&self, word: &str) {
            while !self.0.lock().unwrap().iter().any(|heard| heard == word) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    #[tokio::test]
    async fn a_service_that_hangs_is_told_of_to_nobody_until_it_answers_again_and_a_full_one_is_not_taken_for_one() {
        let hangs = Arc::new(AtomicBool::new(false));
        let (seen, tally) = (hangs.clone(), Arc::new(Tally::default()));
        let health = move || async move {
            while seen.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let urls = vec![format!("http://{}", port.local_addr().unwrap())];
        let bounds = Bounds { each: 2, ..Bounds::of_this_process() };
        let own = Own { urls, certificate: Certificate::default(), tally: tally.clone(), bounds };
        let (heard, (stopper, stop)) = (Heard::default(), stop::channel());
        let ears = heard.clone();
        let reporting = tokio::spawn(own.report_by(move |state| ears.hear(state), Some(LIMIT), stop));
        // The port is open, and nobody answers there.
        tokio::time::sleep(LIMIT).await;
        assert!(heard.take().is_empty());
        tokio::spawn(async move { axum::serve(port, Router::new().route(PATH, get(health))).await });
        heard.wait_for("WATCHDOG=1").await;
        assert_eq!(heard.take()[..2], ["READY=1", "WATCHDOG=1"]);

        hangs.store(true, Ordering::Relaxed);
        // One may have been answered just before.
        tokio::time::sleep(LIMIT).await;
        heard.take();
        tokio::time::sleep(LIMIT * 2).await;
        assert!(heard.take().is_empty());
        tally.open.store(2, Ordering::Relaxed);
        heard.wait_for("WATCHDOG=1").await;
        tally.open.store(0, Ordering::Relaxed);
        hangs.store(false, Ordering::Relaxed);
        heard.take();
        heard.wait_for("WATCHDOG=1").await;
        stopper.stop();
        reporting.await.unwrap();
        assert_eq!(heard.take().last().unwrap(), "STOPPING=1");
    }
}
