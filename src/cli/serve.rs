//! Signals to a service: SIGTERM and Ctrl-C end it, SIGHUP lets it read its files again.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::http::stop::{self, Stop};

/// The word to stop comes with the first of these signals; what is being answered then has its time to end. With the
/// second the process ends as the system ends it.
///
/// # Errors
/// When the system does not let us listen.
pub fn until_terminated() -> std::io::Result<Stop> {
    let mut key = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let (stopper, stop) = stop::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = key.recv() => {}
            _ = terminated.recv() => {}
        }
        stopper.stop();
        tokio::select! {
            _ = key.recv() => {}
            _ = terminated.recv() => {}
        }
        std::process::exit(1);
    });
    Ok(stop)
}

/// A word for each SIGHUP; several that come while nobody listens are one.
///
/// # Errors
/// When the system does not let us listen.
pub fn hangups() -> std::io::Result<mpsc::Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (again, words) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // One that waits already says the same.
            let _said = again.try_send(());
        }
    });
    Ok(words)
}
