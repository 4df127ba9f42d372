//! Before a drone gets work it is compared with the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::event::Trouble;
use crate::core::names::HostName;
use crate::core::package::Identity;
use crate::core::plan::Plan;
use crate::drone;
use crate::drone::processor::{Processor, native_setting};
use crate::drone::survey::survey;
use crate::portage::parity::concern::concerning;
use crate::portage::parity::{Configuration, compare};
use crate::portage::probe::{self, Offer, Offers};
use crate::ssh::{Host, HostError, Output, Script};

/// Differences named in a reason; the rest is counted.
const NAMED: usize = 3;

/// Drones by name; each connects, and comes back after a loss, by itself.
pub type Hosts = BTreeMap<HostName, Arc<dyn Host>>;

/// What drones are held against besides the plan.
#[derive(Debug)]
pub struct Measure {
    native: Option<Native>,
    /// What the driver builds with. None where it cannot be asked: a build that has begun goes on without its driver, on
    /// drones that were held against it when it began.
    driver: Option<Configuration>,
    /// How each drone is asked; the whole plan is in it.
    script: Script,
}

impl Measure {
    /// Asks the driver of a plan.
    pub async fn of(hosts: &Hosts, plan: &Plan) -> Self {
        let driver = driver_configuration(hosts, plan).await;
        let script = Script::new(probe::script(&probe::request_of_drone(plan, driver.is_some())));
        Self { native: Native::of(hosts, plan).await, driver, script }
    }
}

async fn driver_configuration(hosts: &Hosts, plan: &Plan) -> Option<Configuration> {
    match survey(hosts.get(&plan.driver)?.as_ref(), None, false).await {
        Ok(configuration) => Some(configuration),
        Err(error) => {
            tracing::warn!("{error}; drones are not compared with it in what packages do not tell");
            None
        }
    }
}

/// A plan that is built for whatever processor compiles it.
#[derive(Debug)]
struct Native {
    /// The setting that says so.
    setting: String,
    /// The processor that it means; why it is not known.
    driver: Result<Processor, String>,
}

impl Native {
    /// What the plan leaves to the processor, and the driver's; none where it leaves nothing to it.
    async fn of(hosts: &Hosts, plan: &Plan) -> Option<Self> {
        Some(Self { setting: native_setting(plan)?, driver: driver_processor(hosts, plan).await })
    }
}

async fn driver_processor(hosts: &Hosts, plan: &Plan) -> Result<Processor, String> {
    let host = hosts.get(&plan.driver).ok_or_else(|| format!("the inventory has no host {}", plan.driver))?;
    Processor::of(host.as_ref()).await.map_err(|error| error.to_string())
}

/// Whether a drone's processor is the driver's, where the plan leaves it to the processor.
async fn compare_processors(host: &dyn Host, native: &Native) -> Result<Result<(), String>, HostError> {
    let fault = match &native.driver {
        Err(reason) => format!("the driver does not tell its processor ({reason})"),
        Ok(driver) => {
            let own = Processor::of(host).await?;
            match driver.difference(&own) {
                None => return Ok(Ok(())),
                Some(difference) => format!("the processors differ: {difference}"),
            }
        }
    };
    Ok(Err(format!(
        "the driver's {}, and {fault}; name a processor that all of them are, such as -march=x86-64-v3, in the driver's \
         make.conf",
        native.setting
    )))
}

/// Compares a drone with the plan: what it lacks besides, or what keeps it out. `root` is the PORTAGE_CONFIGROOT that its
/// jobs will have; none leaves it with its own configuration.
///
/// # Errors
/// When the drone is lost.
pub async fn check(
    host: &dyn Host,
    plan: &Plan,
    measure: &Measure,
    root: Option<&str>,
) -> Result<Result<Vec<Identity>, (Trouble, String)>, HostError> {
    if let Some(native) = &measure.native
        && let Err(reason) = compare_processors(host, native).await?
    {
        return Ok(Err((Trouble::Differs, reason)));
    }
    let script = measure.script.clone().set("configuration", root.unwrap_or_default());
    let read = |output: &Output| probe::read_identities(&output.stdout, &output.stderr, plan.packages.len());
    let Offers { offers, lacking, configuration, inherited } = match drone::probe(host, &script, read).await? {
        Ok(offers) => offers,
        Err(error) => return Ok(Err((Trouble::Refused, error.to_string()))),
    };
    let differences: Vec<String> =
        plan.packages.iter().zip(&offers).filter_map(|(package, offer)| difference(&package.identity, offer)).collect();
    if !differences.is_empty() {
        return Ok(Err((Trouble::Differs, named(&differences))));
    }
    let unseen = match (&measure.driver, &configuration) {
        (Some(driver), Some(drone)) => unseen(plan, &inherited, driver, drone),
        _ => Vec::new(),
    };
    if !unseen.is_empty() {
        let reason = format!("{}; swarm parity --on {} shows all", named(&unseen), host.name());
        return Ok(Err((Trouble::Differs, reason)));
    }
    Ok(Ok(lacking))
}

/// In what a drone would build packages of the plan otherwise though their identities are the planned ones.
fn unseen(plan: &Plan, inherited: &BTreeSet<String>, driver: &Configuration, drone: &Configuration) -> Vec<String> {
    concerning(&compare(driver, drone), plan, inherited, (driver, drone)).iter().map(ToString::to_string).collect()
}

/// The first few of the differences, and how many there are besides.
fn named(differences: &[String]) -> String {
    let reason = differences.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    match differences.len().saturating_sub(NAMED) {
        0 => reason,
        more => format!("{reason}; and {more} more"),
    }
}

/// In what a drone would build a package otherwise than planned; none where it would not. Compiler settings are the
/// plan's: the job carries them there.
pub fn difference(planned: &Identity, offer: &Offer) -> Option<String> {
    let cpv = &planned.cpv;
    let offered = match offer {
        Offer::AsPlanned => return None,
        Offer::Trouble(trouble) => return Some(format!("{cpv}: {trouble}")),
        Offer::Identity(identity) => identity,
    };
    let points = [
        ("version", planned.cpv.to_string(), offered.cpv.to_string()),
        ("slot", planned.slot.to_string(), offered.slot.to_string()),
        ("repository", planned.repository.clone(), offered.repository.clone()),
        ("ebuild", planned.ebuild_digest.clone(), offered.ebuild_digest.clone()),
        ("CHOST", planned.chost.clone(), offered.chost.clone()),
    ];
    if let Some((point, planned, offered)) = points.iter().find(|(_, planned, offered)| planned != offered) {
        return Some(format!("{cpv}: its {point} is {offered} there, {planned} on the driver"));
    }
    let more: Vec<String> = offered.use_flags.difference(&planned.use_flags).map(|flag| format!("+{flag}")).collect();
    let less: Vec<String> = planned.use_flags.difference(&offered.use_flags).map(|flag| format!("-{flag}")).collect();
    let flags = [more, less].concat();
    (!flags.is_empty()).then(|| format!("{cpv}: USE differs from the driver's there by {}", flags.join(" ")))
}
