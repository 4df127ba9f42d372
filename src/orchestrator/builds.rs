//! `POST /build`: the driver is asked for its plan, where none came with the order, and the build waits for its turn.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::wishes::{WishError, Wishes};
use crate::controller::planning;
use crate::controller::verb::Verb;
use crate::core::event::Selection;
use crate::core::names::{BuildName, HostName};
use crate::core::order::{Form, Order, Submission};
use crate::core::text::escaped;
use crate::inventory::Inventory;

/// So many drivers are asked at one time; others wait.
const ASKED_AT_ONCE: usize = 4;

/// What came of an order.
#[derive(Debug)]
pub enum Outcome {
    /// The build is under way, or waits for its turn.
    Accepted(BuildName, Vec<String>),
    /// There was nothing to build; why.
    Nothing(Vec<String>),
    /// No.
    Refused(StatusCode, String),
}

/// Takes orders.
#[derive(Debug)]
pub struct Builds {
    inventory: Arc<Inventory>,
    wishes: Arc<Wishes>,
    asking: Semaphore,
}

fn unprocessable(why: impl std::fmt::Display) -> Outcome {
    Outcome::Refused(StatusCode::UNPROCESSABLE_ENTITY, escaped(&why.to_string()))
}

impl Builds {
    /// For the drivers of this inventory.
    pub fn new(inventory: Arc<Inventory>, wishes: Arc<Wishes>) -> Self {
        Self { inventory, wishes, asking: Semaphore::new(ASKED_AT_ONCE) }
    }

    /// Takes an order. It is carried out by a task of its own: whoever asked may go.
    pub async fn take(self: &Arc<Self>, form: Form) -> Outcome {
        let builds = Arc::clone(self);
        let taken = tokio::spawn(async move {
            let outcome = builds.carry_out(form).await.unwrap_or_else(|refused| refused);
            tracing::info!("asked for a build: {outcome:?}");
            outcome
        });
        let lost = |error| {
            Outcome::Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the order of a build broke off: {error}; this is a fault of swarm, please report it"),
            )
        };
        taken.await.unwrap_or_else(lost)
    }

    async fn carry_out(&self, form: Form) -> Result<Outcome, Outcome> {
        let submission = match Order::try_from(form).map_err(unprocessable)? {
            Order::Planned(submission) => *submission,
            Order::Ask { driver, selection, finalize, rebuild } => {
                let driver = driver.unwrap_or_else(|| self.inventory.driver().clone());
                if let Some(build) = self.under_way(&driver, &selection, finalize || rebuild).await? {
                    return Ok(build);
                }
                let planned = self.ask(&driver, &selection).await?;
                if planned.plan.packages.is_empty() {
                    return Ok(Outcome::Nothing(vec![planned.nothing().to_owned()]));
                }
                Submission { selection, plan: planned.plan, finalize, rebuild }
            }
        };
        if self.inventory.host(&submission.plan.driver).is_none() {
            return Err(unknown(&submission.plan.driver));
        }
        let answer = self.wishes.grant(&Verb::Submit(Box::new(submission))).await.map_err(refused)?;
        Ok(match answer.build {
            Some(build) => Outcome::Accepted(build, answer.lines),
            None => Outcome::Nothing(answer.lines),
        })
    }

    /// What is worked off or waits already needs no other plan.
    async fn under_way(
        &self,
        driver: &HostName,
        selection: &Selection,
        changes: bool,
    ) -> Result<Option<Outcome>, Outcome> {
        if self.inventory.host(driver).is_none() {
            return Err(unknown(driver));
        }
        let read = self.wishes.books().read().await;
        let read = read.map_err(|error| Outcome::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let same = read.state.under_way(driver, selection).filter(|_| !changes);
        let line = |build: &BuildName| format!("build {build} of {selection} for {driver} is under way already");
        Ok(same.map(|build| Outcome::Accepted(build.clone(), vec![line(build)])))
    }

    async fn ask(&self, driver: &HostName, selection: &Selection) -> Result<planning::Planned, Outcome> {
        let _turn = self.asking.acquire().await.map_err(unprocessable)?;
        planning::plan_for(&self.inventory, driver, selection).await.map_err(unprocessable)
    }
}

fn unknown(driver: &HostName) -> Outcome {
    unprocessable(format!("the driver {driver} is no host of this controller's inventory"))
}

fn refused(error: WishError) -> Outcome {
    Outcome::Refused(error.status(), escaped(&error.to_string()))
}
