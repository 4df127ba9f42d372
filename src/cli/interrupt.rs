//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::controller::run::Halt;

/// From here on neither ends this process by itself: each comes as a word to the loop.
///
/// # Errors
/// When the system does not let us listen.
pub fn listen() -> std::io::Result<mpsc::Receiver<Halt>> {
    let mut key = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let (halts, halted) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let halt = tokio::select! {
                _ = key.recv() => Halt::ByKey,
                _ = terminated.recv() => Halt::BySystem,
            };
            if halts.send(halt).await.is_err() {
                return;
            }
        }
    });
    Ok(halted)
}
