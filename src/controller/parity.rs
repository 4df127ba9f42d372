//! How drones differ from the driver: all of them are asked side by side.

use std::sync::Arc;

use futures::future::join_all;

use super::error::ControlError;
use super::planning;
use crate::core::names::HostName;
use crate::drone::configuration;
use crate::drone::processor::Processor;
use crate::drone::survey::survey;
use crate::inventory::Inventory;
use crate::portage::parity::{Configuration, Difference, Matter, Point, compare};
use crate::ssh::{self, Host, HostError};

/// A drone and how it differs from the driver.
#[derive(Debug)]
pub struct Compared {
    /// The drone.
    pub drone: HostName,
    /// All in what it differs; why it cannot be said.
    pub differences: Result<Vec<Difference>, HostError>,
}

impl Compared {
    /// Whether it differs in what matters; none where that is not known.
    pub fn differs(&self) -> Option<bool> {
        let differences = self.differences.as_ref().ok()?;
        Some(differences.iter().any(|difference| difference.matter == Matter::Binary))
    }
}

/// What the driver builds with.
struct Standard {
    configuration: Configuration,
    /// Where its settings leave the processor to the compiler.
    processor: Option<Processor>,
}

/// Compares drones of the inventory with its driver.
///
/// # Errors
/// The driver does not answer.
pub async fn parity(inventory: &Inventory, drones: &[HostName]) -> Result<Vec<Compared>, ControlError> {
    let driver = planning::driver_here(inventory)?;
    let ways: Vec<(HostName, Arc<dyn Host>)> =
        drones.iter().filter_map(|drone| Some((drone.clone(), ssh::host(&inventory.destination(drone)?)))).collect();
    let surveys = join_all(ways.iter().map(|(drone, host)| {
        let root = configuration::parent(&inventory.workdir(drone), inventory.driver()) + "/current";
        async move { survey(host.as_ref(), Some(&root), true).await }
    }));
    let (standard, surveys) = futures::join!(standard(driver.as_ref()), surveys);
    let standard = standard.map_err(ControlError::Driver)?;
    let compared = ways.iter().zip(surveys).map(async |((drone, host), surveyed)| {
        let differences = match surveyed {
            Ok(configuration) => differences(host.as_ref(), &standard, &configuration).await,
            Err(error) => Err(error),
        };
        Compared { drone: drone.clone(), differences }
    });
    Ok(join_all(compared).await)
}

async fn standard(driver: &dyn Host) -> Result<Standard, HostError> {
    let configuration = survey(driver, None, true).await?;
    let processor = if configuration.is_native() { Some(Processor::of(driver).await?) } else { None };
    Ok(Standard { configuration, processor })
}

async fn differences(
    host: &dyn Host,
    standard: &Standard,
    configuration: &Configuration,
) -> Result<Vec<Difference>, HostError> {
    let mut found = compare(&standard.configuration, configuration);
    if let Some(processor) = &standard.processor
        && let Some(difference) = processor.difference(&Processor::of(host).await?)
    {
        let verdict = (Matter::Binary, "the driver's flags say native");
        found.insert(0, Difference::new(Point::Processor, (None, Some(difference)), verdict));
    }
    Ok(found)
}
