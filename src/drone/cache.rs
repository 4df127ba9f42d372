//! What a drone has been sent stays there for its next jobs.
//!
//! A job's PKGDIR is its own and goes with it, but what it needs is needed by many: each file goes over the line once,
//! into `WORKDIR/cache/SHA1`, and every job that needs it gets a link. A file that is being sent has `.part` behind its
//! name; broken off, it goes on from where it ended, and it gets its name once the drone has found its SHA1 right.
//! Trimmed whenever a job is removed (`trim.sh`).

use super::job::{JobDirectory, Need};
use super::{ask, failed, job_script};
use crate::ssh::{Host, HostError};

/// A file that comes to its end and is not what was sent is sent anew so often in all.
const SENT: u32 = 3;
/// So much the cache holds at the most, in KiB: a few large updates.
const LIMIT: u64 = 8 << 20;

/// One drone's cache, as the controller sees it.
#[derive(Debug, Default)]
pub struct Cache {
    /// Held by the job that sends: two jobs that need the same do not send it twice.
    turn: tokio::sync::Mutex<()>,
}

impl Cache {
    /// Brings what a job needs into its PKGDIR.
    ///
    /// # Errors
    /// When the drone is lost, has no room, or what arrives there is not what was sent.
    pub async fn bring(&self, host: &dyn Host, directory: &JobDirectory, needs: &[Need]) -> Result<(), HostError> {
        if link(host, directory, needs).await?.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        for sent in 0..=SENT {
            let missing = link(host, directory, needs).await?;
            if missing.is_empty() {
                return Ok(());
            }
            if sent == SENT {
                break;
            }
            for need in needs.iter().filter(|need| sha1(need).is_some_and(|sha1| missing.contains(&sha1))) {
                let remote = format!("{}/cache/{}.part", directory.workdir, sha1(need).unwrap_or_default());
                host.upload_on(&need.local, &remote, 0o644).await?;
            }
        }
        Err(failed(host, "sending what the package needs", b"what arrives there is not what was sent"))
    }
}

fn sha1(need: &Need) -> Option<String> {
    need.stanza.sha1().map(str::to_ascii_lowercase)
}

/// Links what is there; the SHA1 of what is not.
async fn link(host: &dyn Host, directory: &JobDirectory, needs: &[Need]) -> Result<Vec<String>, HostError> {
    let line = |need: &Need| Some(format!("{} {} {}", sha1(need)?, need.stanza.size()?, need.stanza.path()));
    let wanted: Option<Vec<String>> = needs.iter().map(line).collect();
    // Our own index entries have both; the journal's may be damaged.
    let wanted =
        wanted.ok_or_else(|| failed(host, "sending what the package needs", b"an entry has no SHA1 or size"))?;
    let script = directory.script(&job_script(include_str!("cache.sh"))).set("wanted", &wanted.join("\n"));
    ask(host, &script, "linking what the package needs", read_missing).await
}

fn read_missing(lines: &[Vec<String>]) -> Option<Vec<String>> {
    let mut missing = Vec::new();
    let mut whole = false;
    for line in lines {
        match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["missing", sha1] => missing.push((*sha1).to_owned()),
            ["linked"] => whole = true,
            _ => {}
        }
    }
    whole.then_some(missing)
}

/// The part of a script that trims the cache.
pub(super) fn trim() -> String {
    format!("limit={LIMIT}\n{}", include_str!("trim.sh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_whole() {
        let read = |text: &str| read_missing(&crate::ssh::ask::marked(text.as_bytes()));
        assert_eq!(read("SWARM:missing aa\nSWARM:missing bb\nSWARM:linked"), Some(vec!["aa".into(), "bb".into()]));
        assert_eq!(read("SWARM:linked"), Some(vec![]));
        assert_eq!(read("SWARM:missing aa"), None);
    }
}
