//! The text of a first inventory.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::bail;

use crate::core::names::HostName;
use crate::inventory::Address;
use crate::orchestrator::place::PORT;
use crate::ssh::{LOCAL, Target};

/// A host as ssh is told it: `[USER@]HOST[:PORT]`. What is left out is left to ssh's configuration and the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    name: HostName,
    address: Address,
    user: Option<String>,
    port: Option<u16>,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Target { user, host, port } = text.parse()?;
        let bad = |problem: String| format!("{text:?} is not [USER@]HOST[:PORT]: {problem}");
        let address: Address = host.parse().map_err(|problem| bad(format!("{problem}")))?;
        // Of a name its first part is enough to know it by.
        let name = match &address {
            Address::Ip(ip) => format!("host-{ip}").replace(['.', ':'], "-"),
            Address::Local | Address::Name(_) => host.split('.').next().unwrap_or(&host).to_owned(),
        };
        Ok(Self { name: name.parse().map_err(|problem| bad(format!("{problem}")))?, address, user, port })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        match (&self.address, self.port) {
            (address, None) => write!(formatter, "{address}"),
            (Address::Ip(IpAddr::V6(ip)), Some(port)) => write!(formatter, "[{ip}]:{port}"),
            (address, Some(port)) => write!(formatter, "{address}:{port}"),
        }
    }
}

impl Named {
    /// Whether user and port are left to others.
    fn says_no_more(&self) -> bool {
        self.user.is_none() && self.port.is_none()
    }

    /// Its table.
    fn table(&self, kind: &str, more: &str) -> String {
        let Self { name, address, user, port } = self;
        let user = user.as_ref().map_or_else(String::new, |user| format!("user = {}\n", quoted(user)));
        let port = port.map_or_else(String::new, |port| format!("port = {port}\n"));
        format!("\n[{kind}.{name}]\naddress = {}\n{user}{port}{more}", quoted(&address.to_string()))
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// What a first inventory says.
#[derive(Debug, Clone)]
pub struct Draft {
    pub name: String,
    pub driver: Named,
    pub drones: Vec<Named>,
    pub orchestrators: Vec<Named>,
    pub gateway: Option<Named>,
    pub state: String,
    pub staging: String,
    pub production: String,
}

impl Draft {
    /// The inventory.
    ///
    /// # Errors
    /// Two different hosts would have one name, or one host would be reached in two ways.
    pub fn text(&self) -> anyhow::Result<String> {
        let mut text = format!(
            "# The fleet, as `swarm init` was told of it and has tried it. inventory/argo.toml, which comes with swarm, has\n\
             # every key that there is; `swarm hosts check` says what is to be mended.\n\n\
             [swarm]\nname       = {}\n\
             driver     = {:11} # whose packages are wanted; \"local\" is this machine\n\
             state      = {} # here: the journal and the build logs\n\
             staging    = {} # here: what has been received\n\
             production = {} # what clients get\n",
            quoted(&self.name),
            quoted(self.driver_name()),
            quoted(&self.state),
            quoted(&self.staging),
            quoted(&self.production),
        );
        if self.drones.iter().all(|drone| drone.user.is_none()) {
            text.push_str(
                "\n# What ssh's configuration does not say is: user root, port 22. Any key of a host may stand here.\n\
                 # [defaults]\n# user   = \"build\"\n# become = \"sudo\"\n",
            );
        }
        let mut known: BTreeMap<&HostName, &Named> = BTreeMap::new();
        for (host, table) in self.tables() {
            match known.insert(&host.name, host) {
                None => text.push_str(&table),
                Some(same) if same == host || (same.address == host.address && host.says_no_more()) => {}
                Some(other) => bail!(
                    "{other} and {host} would both be called {}: name one of them by an alias of ssh's configuration",
                    host.name
                ),
            }
        }
        if let Some(gateway) = &self.gateway {
            text.push_str(&format!("\n[gateway]\nhost = {}\n", quoted(gateway.name.as_str())));
        }
        Ok(text)
    }

    fn driver_name(&self) -> &str {
        if self.driver.address == Address::Local { LOCAL } else { self.driver.name.as_str() }
    }

    /// The hosts with their tables, the one that counts for a host first.
    fn tables(&self) -> Vec<(&Named, String)> {
        let drones = self.drones.iter().map(|host| (host, host.table("drones", "")));
        let orchestrators = self.orchestrators.iter().enumerate().map(|(place, host)| {
            let address = match &host.address {
                Address::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
                other => other.to_string(),
            };
            let url = format!("http://{address}:{PORT}");
            let more = format!(
                "priority = {}\nbinhost = {}\napi = {}\n",
                (place + 1) * 100,
                quoted(&format!("{url}/packages")),
                quoted(&url)
            );
            (host, host.table("orchestrators", &more))
        });
        let driver = Some(&self.driver).filter(|driver| driver.address != Address::Local);
        let plain = driver.into_iter().chain(&self.gateway).map(|host| (host, host.table("hosts", "")));
        orchestrators.chain(drones).chain(plain).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Inventory, NAME, PRODUCTION, Role, STAGING, STATE, Surroundings};

    fn named(text: &str) -> Named {
        text.parse().unwrap()
    }

    fn draft(driver: &str, drones: &[&str], orchestrators: &[&str], gateway: Option<&str>) -> Draft {
        Draft {
            name: NAME.to_owned(),
            driver: named(driver),
            drones: drones.iter().map(|text| named(text)).collect(),
            orchestrators: orchestrators.iter().map(|text| named(text)).collect(),
            gateway: gateway.map(named),
            state: STATE.to_owned(),
            staging: STAGING.to_owned(),
            production: PRODUCTION.to_owned(),
        }
    }

    fn read(draft: &Draft) -> Inventory {
        let surroundings = Surroundings { home: Some("/home/op".into()), ..Surroundings::default() };
        Inventory::parse_at(&[("fleet.toml".into(), draft.text().unwrap())], surroundings).unwrap()
    }

    #[test]
    fn what_it_writes_is_read_as_the_fleet_that_was_meant() {
        let whole = draft(
            "capella.lan",
            &["root@10.42.0.7:2222", "drone-izar", "[fe80::1]:22", "tarn", "capella.lan"],
            &["tarn", "vega"],
            Some("vega"),
        );
        let inventory = read(&whole);
        let drones: Vec<&str> = inventory.drones().map(|(host, _)| host.name.as_str()).collect();
        assert_eq!(drones, ["capella", "drone-izar", "host-10-42-0-7", "host-fe80--1"], "tarn serves");
        assert_eq!((inventory.driver().as_str(), inventory.orchestrators().len()), ("capella", 2));
        assert_eq!(inventory.gateway().unwrap().host.as_str(), "vega");
        let host = inventory.host(&"host-10-42-0-7".parse().unwrap()).unwrap();
        assert_eq!((host.access.port, host.access.user.as_str()), (2222, "root"));
        let written = host.access.ssh_config.as_ref().unwrap().written;
        assert!(written.port && written.user && !written.known_hosts);
        assert!(matches!(inventory.host(&"tarn".parse().unwrap()).unwrap().role, Role::Orchestrator(_)));
        assert_eq!(read(&draft("local", &["izar"], &[], None)).driver().as_str(), "local");
    }

    #[test]
    fn hosts_that_cannot_be_told_apart_or_read_are_refused() {
        let twice = draft("local", &["izar.one", "izar.two"], &[], None);
        assert!(twice.text().unwrap_err().to_string().contains("izar.one and izar.two would both be called izar"));
        // Behind one address there may be several machines.
        let shared = draft("local", &["[fe80::1]:22", "a@[fe80::1]:23"], &[], None);
        let error = shared.text().unwrap_err().to_string();
        assert!(error.contains("[fe80::1]:22 and a@[fe80::1]:23 would both be called host-fe80--1"), "{error}");
        for text in ["", "root@", "a:b", "10.42.0.300", "a/24"] {
            assert!(text.parse::<Named>().is_err(), "{text:?}");
        }
    }
}
