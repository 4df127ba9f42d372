//! What is shown and is in no journal: what is live, and how far standbys are. Here it is read, elsewhere asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::place::Place;
use crate::controller::now;
use crate::controller::remote::Remote;
use crate::core::names::HostName;
use crate::core::standby::StandbyView;
use crate::core::status::Status;
use crate::inventory::Inventory;
use crate::release::Shelf;
use crate::standby::view::View;

/// Between two questions to the controller elsewhere.
const ASKED: Duration = Duration::from_secs(5);

/// What lies beside the journal.
pub enum Beside {
    /// In these directories.
    Here {
        /// What clients get.
        production: PathBuf,
        /// What standbys told.
        view: View,
    },
    /// At the controller elsewhere.
    There {
        /// That one.
        remote: Arc<Remote>,
        /// What is being asked.
        asked: Option<JoinHandle<anyhow::Result<BTreeMap<HostName, StandbyView>>>>,
        /// When it is asked again.
        due: Instant,
        /// What it said last.
        standbys: BTreeMap<HostName, StandbyView>,
    },
}

impl Beside {
    /// Of a place.
    pub fn new(place: &Place, inventory: &Inventory) -> Self {
        match place {
            Place::Here(_) => {
                let production = inventory.swarm.production.clone();
                Self::Here { production, view: View::new(inventory, None) }
            }
            Place::There(remote) => {
                Self::There { remote: remote.clone(), asked: None, due: Instant::now(), standbys: BTreeMap::new() }
            }
        }
    }

    /// Fills it in.
    ///
    /// # Errors
    /// It cannot be read, or was not answered.
    pub fn fill(&mut self, status: &mut Status) -> anyhow::Result<()> {
        match self {
            Self::Here { production, view } => {
                status.release = Shelf::look(production)?.live()?;
                view.fill(status, now())?;
            }
            Self::There { remote, asked, due, standbys } => {
                let answer = asked.as_mut().and_then(FutureExt::now_or_never);
                if answer.is_some() {
                    (*asked, *due) = (None, Instant::now() + ASKED);
                } else if asked.is_none() && Instant::now() >= *due {
                    *asked = Some(tokio::spawn(ask(remote.clone())));
                }
                let told = answer.transpose()?.transpose();
                if let Ok(Some(told)) = &told {
                    standbys.clone_from(told);
                }
                status.standbys.clone_from(standbys);
                told.context("how far standbys are is not known")?;
            }
        }
        Ok(())
    }
}

async fn ask(remote: Arc<Remote>) -> anyhow::Result<BTreeMap<HostName, StandbyView>> {
    Ok(remote.status().await?.standbys)
}
