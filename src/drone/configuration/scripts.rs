//! What is asked of driver and drone, and the form of their answers.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ConfigurationRoot, parent};
use crate::core::names::{HostName, Revision};
use crate::portage::parity::REVISION;
use crate::ssh::ask::{MARK, failed};
use crate::ssh::{Host, HostError, Script};

const RUN: &str = include_str!("run.sh");
const TREE: &str = include_str!("tree.py");
const DRIVER: &str = include_str!("driver.py");
const DRONE: &str = include_str!("drone.py");

/// What a driver has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DriverTree {
    /// The digest of its listing.
    pub digest: String,
    /// Its repositories.
    pub repositories: Vec<Repository>,
    /// Which of them is the main one.
    pub main: Option<String>,
    /// Its profile; none where that is a directory of the configuration's own.
    pub profile: Option<Profile>,
    /// Files that are not as they lie there.
    pub written: Vec<Written>,
}

/// A repository as Portage resolves it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// What repos.conf says of it, by key, as far as that concerns builds.
    pub settings: BTreeMap<String, String>,
    /// Its revision.
    pub revision: String,
}

/// A profile in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Profile {
    /// The repository's name.
    pub repository: String,
    /// Its path there.
    pub path: String,
}

/// A file that is written anew.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Written {
    /// Where it lies.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// What a drone has of a driver's configuration, and of its own that goes along.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Look {
    /// The revision that counts.
    pub current: Option<Revision>,
    /// Others that nothing uses; the latest first.
    pub free: Vec<Revision>,
    /// Its own settings that go along, by variable.
    pub settings: BTreeMap<String, String>,
    /// Those of its FEATURES that go along, `-` before one that is off; empty where its Portage does not tell.
    pub features: Vec<String>,
}

/// How a drone gets a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// The revision.
    pub revision: Revision,
    /// The digest of its listing.
    pub digest: String,
    /// The revision that it is made of; none makes it of nothing.
    pub base: Option<Revision>,
    /// What goes first, each with all below it.
    pub remove: Vec<String>,
    /// Directories with their modes, outer ones first.
    pub directories: Vec<(String, u32)>,
    /// Links with their targets.
    pub links: Vec<(String, String)>,
    /// Archives with the files, in `incoming`.
    pub archives: Vec<String>,
    /// repos.conf, with `@ROOT@` where the revision's own path belongs.
    pub repos_conf: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// The drone has it, and it counts.
    Done,
    /// The revision that it was to be made of has gone meanwhile.
    Gone,
    /// What came of it is something else: the driver's files have changed since they were listed.
    Other,
}

#[derive(Deserialize)]
struct State {
    state: Applied,
}

/// Asks a driver what it has. Where its listing has another digest than `known` it lies there as `sync/DIGEST.listing`.
///
/// # Errors
/// When it is lost, or has something that a drone cannot have; the message names it.
pub async fn list(host: &dyn Host, workdir: &str, known: &str) -> Result<DriverTree, HostError> {
    let script = export(driver_script("list", workdir), "known", known);
    run(host, &script, "listing the driver's configuration").await
}

/// Has a driver pack the files of `sync/KEY.wanted` into `sync/KEY.archive`; gives its size in bytes.
///
/// # Errors
/// When it is lost, or a file cannot be read any more.
pub async fn pack(host: &dyn Host, workdir: &str, key: &str) -> Result<u64, HostError> {
    #[derive(Deserialize)]
    struct Packed {
        size: u64,
    }
    let script = export(driver_script("pack", workdir), "key", key);
    Ok(run::<Packed>(host, &script, "packing the driver's configuration").await?.size)
}

/// Removes these files from a driver's `sync`.
///
/// # Errors
/// When it is lost.
pub async fn forget(host: &dyn Host, workdir: &str, names: &[String]) -> Result<(), HostError> {
    let script = export(driver_script("forget", workdir), "names", &names.join(" "));
    run::<serde_json::Value>(host, &script, "clearing up on the driver").await.map(drop)
}

/// Asks a drone what it has.
///
/// # Errors
/// When it is lost or cannot tell.
pub async fn look(host: &dyn Host, workdir: &str, driver: &HostName) -> Result<Look, HostError> {
    let script = export(script(&[TREE, DRONE], "look").set("workdir", workdir), "driver", driver.as_str());
    run(host, &script, "looking at the drone's configuration").await
}

/// Makes a drone have a revision; the patch lies there as `incoming/REVISION.patch`.
///
/// # Errors
/// When it is lost, or has no room.
pub async fn apply(host: &dyn Host, workdir: &str, driver: &HostName, patch: &Patch) -> Result<Applied, HostError> {
    let file = format!("{}/incoming/{}.patch", parent(workdir, driver), patch.revision);
    let text =
        serde_json::to_vec(patch).map_err(|error| failed(host, "writing a patch", error.to_string().as_bytes()))?;
    host.write(&file, &text, 0o600).await?;
    let script = export(script(&[TREE, DRONE], "apply").set("workdir", workdir), "driver", driver.as_str());
    let script = export(script, "patch", &file);
    Ok(run::<State>(host, &script, "making the drone's configuration").await?.state)
}

/// Tells a drone that a revision is no more built with but by the jobs that it has: what nothing uses any more goes there,
/// in its own time.
///
/// # Errors
/// When the drone is lost.
pub async fn leave(host: &dyn Host, workdir: &str, root: &ConfigurationRoot) -> Result<(), HostError> {
    let script = export(script(&[TREE, DRONE], "leave").set("workdir", workdir), "driver", root.driver.as_str());
    let script = export(script, "revision", root.revision.as_str());
    run::<serde_json::Value>(host, &script, "leaving the driver's configuration").await.map(drop)
}

/// What is done to a drone's own `/etc/portage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// What counts there of the driver's takes its place; what was there before the first time is kept.
    Replace,
    /// What was kept takes its place again.
    Undo,
    /// It is only asked whether that could be.
    TryUndo,
}

/// Changes a drone's own `/etc/portage`; where its repositories lie and whom its owner trusts stays as it is.
///
/// # Errors
/// When it is lost, or nothing is there to take its place; the message says what.
pub async fn system(host: &dyn Host, workdir: &str, driver: &HostName, system: System) -> Result<(), HostError> {
    let (task, doing) = match system {
        System::Replace => ("system", "replacing its own /etc/portage"),
        System::Undo => ("undo", "bringing its own /etc/portage back"),
        System::TryUndo => ("undoable", "looking for its own /etc/portage"),
    };
    let script = export(script(&[TREE, DRONE], task).set("workdir", workdir), "driver", driver.as_str());
    run::<serde_json::Value>(host, &script, doing).await.map(drop)
}

fn driver_script(task: &str, workdir: &str) -> Script {
    let revision = format!("REVISION = r'''\n{REVISION}'''\n");
    script(&[TREE, &revision, DRIVER], task).set("workdir", workdir)
}

fn script(parts: &[&str], task: &str) -> Script {
    // The task's own part ends with the call, so it comes last.
    Script::new(RUN.replace("@PYTHON@", &parts.join("\n"))).set("task", task).set("mark", MARK)
}

/// Sets a variable that the script's Python sees.
fn export(script: Script, name: &str, value: &str) -> Script {
    let text = format!("export {name}\n{}", script.text());
    Script::new(text).set(name, value)
}

async fn run<T: DeserializeOwned>(host: &dyn Host, script: &Script, doing: &str) -> Result<T, HostError> {
    let output = host.run(script).await?;
    if output.status != 0 {
        return Err(failed(host, doing, &output.stderr));
    }
    let begin = format!("{MARK} answer ");
    let said = String::from_utf8_lossy(&output.stdout);
    let answer = said.lines().rev().find_map(|line| line.split_once(&begin)).map(|(_noise, answer)| answer);
    let answer = answer.ok_or_else(|| failed(host, doing, b"it gave no answer"))?;
    serde_json::from_str(answer).map_err(|error| failed(host, doing, format!("the answer: {error}").as_bytes()))
}
