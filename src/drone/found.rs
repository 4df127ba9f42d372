//! What lies in a drone's directory of jobs: whose it is, and whether it was ever started.

use super::{MARK, failed};
use crate::drone::job::Manifest;
use crate::ssh::{Host, HostError, Script};

/// A longer manifest (bytes) than this is none of ours.
const MANIFEST_LIMIT: usize = 256 << 10;
/// More jobs than this are not listed.
const JOBS_LIMIT: usize = 1000;

const SCRIPT: &str = r#"
cd "$workdir/jobs" 2>/dev/null || exit 0
for job in *; do
	[ -e "$job/manifest.json" ] || continue
	started=no
	[ ! -e "$job/pid" ] && [ ! -e "$job/status" ] || started=yes
	printf '%s %s %s ' "$mark" "$job" "$started"
	head -c "$limit" "$job/manifest.json" | tr '\n' ' '
	echo
done
"#;

/// A job on a drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundJob {
    /// What its manifest says.
    pub manifest: Manifest,
    /// Whether its build was ever started.
    pub started: bool,
}

/// The jobs that lie on a drone. A directory whose manifest does not read, or names another job, is passed over.
///
/// # Errors
/// When the drone is lost.
pub async fn jobs(host: &dyn Host, workdir: &str) -> Result<Vec<FoundJob>, HostError> {
    let script =
        Script::new(SCRIPT).set("mark", MARK).set("workdir", workdir).set("limit", &MANIFEST_LIMIT.to_string());
    let output = host.run(&script).await?;
    if output.status != 0 {
        return Err(failed(host, "listing its jobs", &output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(read).take(JOBS_LIMIT).collect())
}

pub(crate) fn read(line: &str) -> Option<FoundJob> {
    let (name, rest) = line.strip_prefix(MARK)?.trim_start().split_once(' ')?;
    let (started, manifest) = rest.split_once(' ')?;
    let manifest: Manifest = serde_json::from_str(manifest).ok()?;
    (manifest.job.as_str() == name).then_some(FoundJob { manifest, started: started == "yes" })
}
