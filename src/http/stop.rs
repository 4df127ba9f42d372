//! The word to stop, from whoever ends a service to all that goes on in it.

use tokio::sync::watch;

/// Says it. Dropping it says it, too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears it.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// Both ends.
pub fn channel() -> (Stopper, Stop) {
    let (stopper, stop) = watch::channel(false);
    (Stopper(stopper), Stop(stop))
}

impl Stopper {
    /// From here on everybody has heard it.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Comes back once it has been said.
    pub async fn wait(mut self) {
        // That nobody is there any more to say it means the same.
        let _gone = self.0.wait_for(|stopped| *stopped).await;
    }
}
