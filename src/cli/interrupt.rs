//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

/// Ready when the operator (or the system) asks this process to stop.
pub async fn interrupt() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
