//! The watch over a drone's jobs: one command there tells at once when any of them ends.
//!
//! It reads job ids from its input and, for each, blocks in `flock` on the job's lock file, which the job's wrapper and
//! all its children hold; when the last of them is gone, the lock is got and the id is printed. Nothing polls. When
//! the channel is lost everybody who waits is told so, and the next one who asks starts a new watch.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, oneshot};

use crate::core::names::JobName;
use crate::ssh::{Chunk, Host, HostError, HostErrorKind, Script};

const MARK: &str = "SWARM-ENDED:";
const SCRIPT: &str = r#"
while read -r job; do
	( flock -s "$jobs/$job/lock" true 2>/dev/null; printf '%s%s\n' "$mark" "$job" ) </dev/null &
done
kill $(jobs -p) 2>/dev/null
"#;
/// A line that grows longer than this (bytes) is no answer of ours.
const LINE_LIMIT: usize = 4096;

type Waiting = HashMap<JobName, Vec<oneshot::Sender<Result<(), HostError>>>>;

/// A drone's watch.
#[derive(Debug)]
pub struct Watch {
    host: Arc<dyn Host>,
    jobs: String,
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    ask: tokio::sync::mpsc::UnboundedSender<(JobName, oneshot::Sender<Result<(), HostError>>)>,
}

impl Watch {
    /// A watch over `WORKDIR/jobs` of a host; it starts with the first job that is asked about.
    pub fn new(host: Arc<dyn Host>, jobs: String) -> Self {
        Self { host, jobs, current: Mutex::new(None) }
    }

    /// Waits until nothing of a job is alive.
    ///
    /// # Errors
    /// [`HostErrorKind::Lost`] when the connection is lost before; ask again.
    pub async fn ended(&self, job: &JobName) -> Result<(), HostError> {
        let (answer, ended) = oneshot::channel();
        {
            let mut current = self.current.lock().await;
            let open = current.as_ref().is_some_and(|current| !current.ask.is_closed());
            if !open {
                *current = Some(self.begin().await?);
            }
            if let Some(current) = current.as_ref() {
                // A closed receiver drops the answer, which the wait below reports as lost.
                let _closed = current.ask.send((job.clone(), answer));
            }
        }
        ended.await.unwrap_or_else(|_| Err(self.lost()))
    }

    fn lost(&self) -> HostError {
        let message = "the watch over its jobs was lost".to_owned();
        HostError { host: self.host.name().clone(), kind: HostErrorKind::Lost, message }
    }

    async fn begin(&self) -> Result<Current, HostError> {
        let script = Script::new(SCRIPT).set("jobs", &self.jobs).set("mark", MARK);
        let running = self.host.start(&script).await?;
        let (ask, mut asked) = tokio::sync::mpsc::unbounded_channel::<(JobName, oneshot::Sender<_>)>();
        tokio::spawn(async move {
            let mut running = running;
            let mut waiting = Waiting::new();
            let mut line = Vec::new();
            loop {
                tokio::select! {
                    job = asked.recv() => {
                        let Some((job, answer)) = job else { return };
                        let known = waiting.contains_key(&job);
                        waiting.entry(job.clone()).or_default().push(answer);
                        if !known && running.input.send(format!("{job}\n").into_bytes()).await.is_err() {
                            return;
                        }
                    }
                    chunk = running.output.recv() => match chunk {
                        Some(Chunk::Stdout(bytes)) => tell(&mut line, &bytes, &mut waiting),
                        Some(Chunk::Stderr(_)) => {}
                        Some(Chunk::Ended(_) | Chunk::Lost(_)) | None => return,
                    }
                }
            }
        });
        Ok(Current { ask })
    }
}

fn tell(line: &mut Vec<u8>, bytes: &[u8], waiting: &mut Waiting) {
    for byte in bytes {
        if *byte != b'\n' {
            if line.len() < LINE_LIMIT {
                line.push(*byte);
            }
            continue;
        }
        let text = String::from_utf8_lossy(line).into_owned();
        line.clear();
        // A shell's greeting may stand before the first one, without a line end.
        let job = text.split_once(MARK).and_then(|(_noise, job)| job.trim().parse::<JobName>().ok());
        for answer in job.and_then(|job| waiting.remove(&job)).into_iter().flatten() {
            // Whoever asked may have gone away.
            let _gone = answer.send(Ok(()));
        }
    }
}
