//! What to build and where: the options that `push` and `plan` share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::complete;
use crate::core::event::{Selection, Wanted};
use crate::core::names::HostName;
use crate::core::package::Cpv;
use crate::inventory::{self, Inventory, Role};
use crate::portage::{list, pretend};

/// Stands for standard input where a file is named.
const STANDARD_INPUT: &str = "-";

/// What to build, and where.
#[derive(Debug, Clone, Args)]
pub struct Selected {
    /// Atoms, as emerge takes them
    #[arg(value_name = "ATOM")]
    pub atoms: Vec<Wanted>,
    /// `emerge --update --deep --newuse @world` of the driver
    #[arg(long, conflicts_with_all = ["atoms", "list", "pretend"])]
    pub world: bool,
    /// The packages of a file of `category/name-version` lines
    #[arg(long, value_name = "FILE", conflicts_with_all = ["atoms", "pretend"])]
    pub list: Option<PathBuf>,
    /// The packages of the output of `emerge --pretend`, `-` for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with = "atoms")]
    pub pretend: Option<PathBuf>,
    /// On these drones alone: names, globs, @tag, %network; `!` excludes
    #[arg(long, value_name = "HOSTS", add = complete::drones())]
    pub on: Option<inventory::Selection>,
}

impl Selected {
    /// The selection; none where nothing was asked for.
    pub fn selection(&self) -> anyhow::Result<Option<Selection>> {
        if self.world {
            return Ok(Some(Selection::World));
        }
        if let Some(file) = &self.list {
            return Ok(Some(Selection::Packages(read_list(file)?)));
        }
        if let Some(file) = &self.pretend {
            let text = read(file)?;
            let pretend: pretend::Pretend =
                text.parse().with_context(|| format!("cannot use {} as --pretend", file.display()))?;
            return Ok(Some(Selection::Packages(pretend.packages.into_iter().collect())));
        }
        let atoms: BTreeSet<Wanted> = self.atoms.iter().cloned().collect();
        Ok(if atoms.is_empty() { None } else { Some(Selection::Atoms(atoms)) })
    }

    /// Whether it is read from standard input.
    pub fn wants_standard_input(&self) -> bool {
        [&self.list, &self.pretend].into_iter().flatten().any(|file| file == STANDARD_INPUT)
    }

    /// The drones to use.
    pub fn drones(&self, inventory: &Inventory) -> anyhow::Result<Vec<HostName>> {
        drones(self.on.as_ref(), inventory)
    }
}

/// The drones that are meant; all of them where nothing is selected.
pub fn drones(selection: Option<&inventory::Selection>, inventory: &Inventory) -> anyhow::Result<Vec<HostName>> {
    let is_drone = |host: &inventory::Host| matches!(host.role, Role::Drone(_));
    let Some(selection) = selection else {
        return Ok(inventory.drones().map(|(host, _)| host.name.clone()).collect());
    };
    Ok(selection.select(inventory, is_drone)?.into_iter().map(|host| host.name.clone()).collect())
}

/// The packages of a list file.
pub fn read_list(file: &Path) -> anyhow::Result<BTreeSet<Cpv>> {
    let packages = list::parse(&read(file)?).with_context(|| format!("cannot use {} as a list", file.display()))?;
    anyhow::ensure!(!packages.is_empty(), "{} lists no package; it takes category/name-version lines", file.display());
    Ok(packages.into_iter().collect())
}

fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = if file == Path::new(STANDARD_INPUT) {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).context("cannot read standard input")?;
        bytes
    } else {
        fs_err::read(file)?
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
