//! A release on another host: an orchestrator gets what it lacks of it, and makes it live by one swap of its own.
//!
//! What is there is told by content: a release whose index is ours to the byte has our files, of anything else its own
//! index tells the sums. What is missing goes by SFTP into `RELEASES/.incoming/SHA1`, resumably; there it is held against
//! its sum, linked into a tree beside the live one, and production is pointed to that. So a file goes over the line once,
//! whatever release it is in or on a standby before it is in one (its staging is looked at), and until the swap nothing
//! changes for clients. Nothing of ours has to run there: a shell, SFTP and the usual tools are enough.
//!
//! Cost: a listing of what is live there, and the difference to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use futures::stream::{self, StreamExt, TryStreamExt};
use sha2::Digest as _;

use super::items::{Item, items};
use super::kept::Release;
use crate::core::names::ReleaseName;
use crate::epoch::{EPOCH, Visitor};
use crate::portage::index::{Index, Limits, Stanza};
use crate::ssh::ask::{MARK, ask, failed, run};
use crate::ssh::{Host, HostError, HostErrorKind, Script};

/// So many files go there side by side: what is small is waiting for answers most of the time.
const SIDE_BY_SIDE: usize = 6;
/// A file that comes to its end and is not what was sent is sent anew so often in all.
const SENT: u32 = 3;
/// More (bytes) of a foreign index than this is not read.
const INDEX_LIMIT: u64 = 256 << 20;

/// What a directory is called there that cannot be exchanged, as something is mounted on it.
const MOUNT: &str = "a mount point";

/// What a host was given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// Whether the release was live there already.
    pub was_live: bool,
    /// How many files it lacked.
    pub files: usize,
    /// Their size, in bytes.
    pub bytes: u64,
    /// The release that was live there until then.
    pub before: Option<ReleaseName>,
}

/// What production is on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Live {
    Nothing,
    Directory,
    Release(ReleaseName),
    Other(String),
}

/// What a host has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sight {
    live: Live,
    /// The sum of each release's index.
    releases: BTreeMap<ReleaseName, String>,
    /// The files of what is live, with their sizes.
    files: BTreeMap<String, u64>,
    /// What was sent and not released yet, by its sum.
    incoming: BTreeSet<String>,
}

/// Where a release goes on a host, and who brings it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What clients get there.
    pub production: &'a str,
    /// Its staging: one that stands by has the packages of a release there before it is one.
    pub staging: &'a str,
    /// The host's work directory, with its record of epochs.
    pub workdir: &'a str,
    /// Who brings it: nobody whose epoch is below what the host knows may.
    pub visitor: &'a Visitor,
}

/// A release that goes to hosts, read once for all of them.
#[derive(Debug)]
pub struct Shipment {
    release: Release,
    /// The files of the releases that are here.
    kept: Vec<(Release, BTreeMap<String, Item>)>,
    /// The sum of each one's index.
    indexes: BTreeMap<ReleaseName, String>,
    items: BTreeMap<String, Item>,
}

impl Shipment {
    /// Reads a release; `kept` are those that are here, itself among them or not.
    ///
    /// # Errors
    /// An index or a file cannot be read, or has a name that cannot be published.
    pub fn read(release: &Release, kept: &[Release]) -> std::io::Result<Self> {
        // The sums of what any of them lists, by path: a path names one content for ever.
        let (mut indexes, mut sums) = (BTreeMap::new(), BTreeMap::new());
        for release in kept.iter().chain([release]) {
            let text = match std::fs::read(release.root.join("Packages")) {
                // An empty directory was taken over as a release.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                text => text?,
            };
            let index = Index::parse(&text, Limits::default()).map_err(std::io::Error::other)?;
            let sum = |stanza: &Stanza| Some((stanza.path().to_string(), stanza.sha1()?.to_ascii_lowercase()));
            sums.extend(index.stanzas.iter().filter_map(sum));
            indexes.insert(release.name.clone(), data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(text)));
        }
        let kept: std::io::Result<Vec<_>> =
            kept.iter().map(|release| Ok((release.clone(), items(&release.root, &sums)?))).collect();
        let items = items(&release.root, &sums)?;
        Ok(Self { release: release.clone(), kept: kept?, indexes, items })
    }

    /// Whether a host has this release just as it is here.
    fn is_the_same(&self, sight: &Sight, name: &ReleaseName) -> bool {
        sight.releases.get(name).is_some_and(|sum| self.indexes.get(name) == Some(sum))
    }
}

/// Makes a release live on a host. Releases that are not kept here go from there once they are neither live nor the one
/// before.
///
/// # Errors
/// When the host is lost or refuses, or a file here cannot be read; what was live there is live then.
pub async fn publish(host: &dyn Host, place: &Place<'_>, shipment: &Shipment) -> Result<Sent, HostError> {
    let Shipment { release, items, .. } = shipment;
    let production = place.production;
    let sight = look(host, production).await?;
    if sight.live == Live::Release(release.name.clone()) && shipment.is_the_same(&sight, &release.name) {
        return Ok(Sent { was_live: true, ..Sent::default() });
    }
    if let Live::Other(what) = &sight.live {
        let cure = match what.as_str() {
            MOUNT => format!("name a directory in it ({production}/packages, say) as `production`"),
            _ => "move it out of the way".to_owned(),
        };
        let text = format!("{production} is {what} there, which no release can take the place of: {cure}");
        return Err(HostError::new(host.name(), HostErrorKind::Failed, text));
    }
    refuse_to_go_back(host, production, &sight, shipment)?;
    let index = live_index(host, production, &sight, shipment).await?;
    let known = there_already(production, &sight, shipment, &index);
    let list = List::new(items, &sight, &known, &index);
    let mut sent = send(host, place, shipment, &list).await?;
    swap(host, place, shipment, &sight, &list).await?;
    if let Live::Release(before) = sight.live {
        sent.before = Some(before);
    }
    Ok(sent)
}

/// What another controller has released since is not replaced by something from before: only a roll-back goes back, and
/// that is a later release.
fn refuse_to_go_back(host: &dyn Host, production: &str, sight: &Sight, shipment: &Shipment) -> Result<(), HostError> {
    let ours = &shipment.release.name;
    match &sight.live {
        Live::Release(there) if there.parts() >= ours.parts() && !shipment.is_the_same(sight, there) => {
            let text = format!(
                "release {there} is live there, which was not made here, and {ours} is no later one. Release from the \
                 controller that made it; where that is no more, remove {production} there, and the next command \
                 brings {ours}"
            );
            Err(HostError::new(host.name(), HostErrorKind::Failed, text))
        }
        _ => Ok(()),
    }
}

/// Makes the release live again that was live on a host before this one.
///
/// # Errors
/// When the host is lost or refuses, or something else is live there by now.
pub async fn take_back(
    host: &dyn Host,
    production: &str,
    release: &ReleaseName,
    before: &ReleaseName,
) -> Result<(), HostError> {
    let script = script(include_str!("publish/back.sh"), production);
    let script = script.set("id", release.as_str()).set("before", before.as_str());
    let doing = format!("swapping back to release {before}");
    let lines = run(host, &script, &doing).await?;
    match lines.iter().any(|line| line.as_slice() == ["back"]) {
        true => Ok(()),
        false => Err(failed(host, &doing, b"no answer")),
    }
}

/// That a release could not be read, for whoever does not get it.
pub fn unread(release: &Release, error: &std::io::Error) -> String {
    format!("cannot read release {} in {}: {error}", release.name, release.root.display())
}

fn script(text: &str, production: &str) -> Script {
    Script::new(text).set("mark", MARK).set("production", production)
}

async fn look(host: &dyn Host, production: &str) -> Result<Sight, HostError> {
    ask(host, &script(include_str!("publish/look.sh"), production), "looking at its releases", read_sight).await
}

fn read_sight(lines: &[Vec<String>]) -> Option<Sight> {
    let mut sight =
        Sight { live: Live::Nothing, releases: BTreeMap::new(), files: BTreeMap::new(), incoming: BTreeSet::new() };
    let mut whole = false;
    for line in lines {
        match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["live", "none"] => sight.live = Live::Nothing,
            ["live", "directory"] => sight.live = Live::Directory,
            ["live", "release", name] => sight.live = Live::Release(name.parse().ok()?),
            ["live", "other", what @ ..] => sight.live = Live::Other(what.join(" ")),
            ["release", name, sum] => drop(sight.releases.insert(name.parse().ok()?, (*sum).to_owned())),
            // A name with blanks is none of ours.
            ["file", size, path] => {
                sight.files.insert(path.trim_start_matches("./").to_owned(), size.parse().ok()?);
            }
            ["incoming", name] => drop(sight.incoming.insert(name.trim_start_matches("./").to_owned())),
            ["looked"] => whole = true,
            _ => {}
        }
    }
    whole.then_some(sight)
}

/// The files that are known to be on the host, by path and sum: where each lies below its releases.
type There = BTreeMap<(String, String), String>;

/// The index of what is live on the host, read here where it is the same. One that cannot be read tells nothing: then
/// all is sent.
async fn live_index(host: &dyn Host, production: &str, sight: &Sight, shipment: &Shipment) -> Result<Index, HostError> {
    let same = |release: &&Release| {
        sight.live == Live::Release(release.name.clone()) && shipment.is_the_same(sight, &release.name)
    };
    let text = match (&sight.live, shipment.kept.iter().map(|(release, _)| release).find(same)) {
        (Live::Nothing | Live::Other(_), _) => Vec::new(),
        (_, Some(release)) => std::fs::read(release.root.join("Packages"))
            .map_err(|error| HostError::new(host.name(), HostErrorKind::Local, unread(release, &error)))?,
        (Live::Release(_) | Live::Directory, None) => {
            host.read(&format!("{production}/Packages"), INDEX_LIMIT).await?.unwrap_or_default()
        }
    };
    Ok(Index::parse(&text, Limits::default()).unwrap_or_default())
}

/// `index` is that of what is live on the host.
fn there_already(production: &str, sight: &Sight, shipment: &Shipment, index: &Index) -> There {
    let mut there = There::new();
    let root = match &sight.live {
        Live::Nothing | Live::Other(_) => None,
        Live::Release(name) => Some(name.to_string()),
        Live::Directory => Some(format!("../{}", production.rsplit('/').next().unwrap_or_default())),
    };
    for (root, stanza) in root.iter().flat_map(|root| index.stanzas.iter().map(move |stanza| (root, stanza))) {
        let path = stanza.path().to_string();
        if let Some(sha1) = stanza.sha1().filter(|_| sight.files.get(&path).copied() == stanza.size()) {
            there.insert((path.clone(), sha1.to_ascii_lowercase()), format!("{root}/{path}"));
        }
    }
    for (release, items) in shipment.kept.iter().filter(|(release, _)| shipment.is_the_same(sight, &release.name)) {
        for (path, item) in items {
            there.insert((path.clone(), item.sha1.clone()), format!("{}/{path}", release.name));
        }
    }
    there
}

/// How the release differs from what is live on the host.
#[derive(Debug, Default, PartialEq, Eq)]
struct List {
    /// The files that go.
    goes: Vec<String>,
    /// The files that come, and where they lie below the releases there.
    comes: Vec<(String, String)>,
    /// The sums of those that have to be sent.
    lacking: BTreeSet<String>,
}

impl List {
    /// `index` is that of what is live there.
    fn new(items: &BTreeMap<String, Item>, sight: &Sight, there: &There, index: &Index) -> Self {
        let mut list = Self::default();
        let listed: BTreeSet<String> = index.stanzas.iter().map(|stanza| stanza.path().to_string()).collect();
        // What a directory holds besides is its owner's, and clients may have its index: it stays. So does what the
        // index of a release lists: a host that was away goes on by several releases at once, its clients by one.
        if let Live::Release(_) = sight.live {
            let is_wanted = |path: &String| items.contains_key(path) || listed.contains(path);
            list.goes.extend(sight.files.keys().filter(|path| !is_wanted(path)).cloned());
        }
        let live = match &sight.live {
            Live::Release(name) => format!("{name}/"),
            Live::Nothing | Live::Directory | Live::Other(_) => "../".to_owned(),
        };
        for (path, item) in items {
            let place = there.get(&(path.clone(), item.sha1.clone()));
            match place {
                Some(place) if place.starts_with(&live) && sight.files.contains_key(path) => {}
                Some(place) => list.comes.push((place.clone(), path.clone())),
                None => {
                    list.comes.push((format!(".incoming/{}", item.sha1), path.clone()));
                    if !sight.incoming.contains(&item.sha1) {
                        list.lacking.insert(item.sha1.clone());
                    }
                }
            }
        }
        list
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for path in &self.goes {
            let _infallible = writeln!(text, "- {path}");
        }
        for (place, path) in &self.comes {
            let _infallible = writeln!(text, "+ {place} {path}");
        }
        text
    }
}

/// Sends what is lacking, until all of it is there and whole.
async fn send(host: &dyn Host, place: &Place<'_>, shipment: &Shipment, list: &List) -> Result<Sent, HostError> {
    let (Shipment { release, items, .. }, Place { production, staging, .. }) = (shipment, place);
    let by_sum: BTreeMap<&String, (&String, &Item)> = items
        .iter()
        .filter(|(_, item)| list.lacking.contains(&item.sha1))
        .map(|(path, item)| (&item.sha1, (path, item)))
        .collect();
    let lines: Vec<String> =
        by_sum.iter().map(|(sha1, (path, item))| format!("{sha1} {} {} {path}", item.size, item.mtime)).collect();
    let receive =
        script(include_str!("publish/receive.sh"), production).set("staging", staging).set("wanted", &lines.join("\n"));
    let mut sums = BTreeSet::new();
    for sent in 0..=SENT {
        let missing = ask(host, &receive, "taking in what was sent", read_missing).await?;
        if missing.is_empty() {
            let bytes = sums.iter().filter_map(|sha1| by_sum.get(sha1)).map(|(_, item)| item.size).sum();
            return Ok(Sent { files: sums.len(), bytes, ..Sent::default() });
        }
        sums.extend(missing.iter().cloned());
        if sent == SENT {
            break;
        }
        let mut files = Vec::new();
        for (path, item) in missing.iter().filter_map(|sha1| by_sum.get(sha1)) {
            let remote = format!("{production}.releases/.incoming/{}.part", item.sha1);
            files.push(async move { host.upload_on(&release.root.join(path), &remote, 0o644).await });
        }
        stream::iter(files).buffer_unordered(SIDE_BY_SIDE).try_collect::<()>().await?;
    }
    Err(failed(host, "sending a release", b"what arrives there is not what was sent"))
}

fn read_missing(lines: &[Vec<String>]) -> Option<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    let mut whole = false;
    for line in lines {
        match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["missing", sha1] => drop(missing.insert((*sha1).to_owned())),
            ["received"] => whole = true,
            _ => {}
        }
    }
    whole.then_some(missing)
}

async fn swap(
    host: &dyn Host,
    place: &Place<'_>,
    shipment: &Shipment,
    sight: &Sight,
    list: &List,
) -> Result<(), HostError> {
    let Shipment { release, kept, .. } = shipment;
    let production = place.production;
    let before = match &sight.live {
        Live::Nothing => "none",
        Live::Directory => "directory",
        Live::Release(name) => name.as_str(),
        Live::Other(what) => what,
    };
    let stays = |name: &ReleaseName| {
        *name == release.name || name.as_str() == before || kept.iter().any(|(kept, _)| kept.name == *name)
    };
    let gone: Vec<&str> = sight.releases.keys().filter(|name| !stays(name)).map(ReleaseName::as_str).collect();
    host.write(&format!("{production}.releases/.incoming/list"), list.to_text().as_bytes(), 0o644).await?;
    let script = script(&format!("{EPOCH}{}", include_str!("publish/swap.sh")), production)
        .set("workdir", place.workdir)
        .set("id", release.name.as_str())
        .set("before", before)
        .set("gone", &gone.join(" "));
    let doing = format!("making release {} live", release.name);
    let lines = run(host, &place.visitor.introduce(script), &doing).await?;
    let refusal = |what: String| {
        let text = format!("{doing}: {what}; nothing was changed there");
        HostError::new(host.name(), HostErrorKind::Failed, text)
    };
    match lines.iter().flatten().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["swapped"] => Ok(()),
        ["unknown"] => Err(refusal("it has lost its record of who may release, and has not been told yet".to_owned())),
        ["outranked", epoch, controller @ ..] => {
            let by = controller.first().copied().unwrap_or("of no name");
            Err(refusal(format!("another controller ({by}, epoch {epoch}) has taken over there")))
        }
        _ => Err(failed(host, &doing, b"no answer")),
    }
}

pub mod storage;
#[cfg(test)]
mod tests;
