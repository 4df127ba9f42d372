//! `binrepos.conf`, as a client writes it once: it names the gateway, which knows the rest.
//!
//! The keys are those of portage(5), binrepos.conf.

use std::fmt::Write;

use crate::inventory::Inventory;

/// Before Gentoo's own binhost, whose shipped entry has 1.
const PRIORITY: u32 = 100;

/// Nobody could be named to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the inventory has neither `[gateway]` nor an orchestrator or storage with a `binhost`, so it does not say where clients fetch packages: \
     add one, or write the address of the web server that serves `production` into binrepos.conf"
)]
pub struct NoBinhost;

/// The file.
///
/// # Errors
/// There is neither a gateway nor an orchestrator nor a storage that clients can read.
pub fn binrepos(inventory: &Inventory) -> Result<String, NoBinhost> {
    let (url, remark) = address(inventory).ok_or(NoBinhost)?;
    let swarm = &inventory.swarm;
    let name: String = swarm.name.chars().map(|each| if each.is_ascii_alphanumeric() { each } else { '-' }).collect();
    let mut text = format!("# /etc/portage/binrepos.conf/{name}.conf\n# {remark}\n[{name}]\n");
    let verify = swarm.signing_key.is_some();
    // A text takes everything.
    let _infallible = write!(text, "priority = {PRIORITY}\nsync-uri = {url}\nverify-signature = {verify}\n");
    Ok(text)
}

fn address(inventory: &Inventory) -> Option<(String, &'static str)> {
    if let Some(gateway) = inventory.gateway_url() {
        let remark = "The gateway sends each request to the orchestrator that serves: this never has to change.";
        return Some((format!("{gateway}/packages"), remark));
    }
    if let Some((_, settings)) = inventory.orchestrators().into_iter().next() {
        let remark =
            "There is no gateway in the inventory: this is the first orchestrator, and no other takes its place.";
        return Some((settings.binhost.to_string(), remark));
    }
    let binhost = inventory.storages().iter().find_map(|storage| storage.settings.binhost.as_ref())?;
    let remark = "There is no gateway and no orchestrator in the inventory: this is the first storage.";
    Some((binhost.to_string(), remark))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::inventory::Surroundings;

    fn printed(text: &str) -> Result<String, NoBinhost> {
        let text =
            format!("{text}\n[hosts.altair]\naddress = '10.42.0.199'\n[hosts.named]\naddress = 'gate.example'\n");
        let surroundings = Surroundings { home: Some(PathBuf::from("/home")), addresses: Vec::new() };
        binrepos(&Inventory::parse_at(&[("fleet.toml".into(), text)], surroundings).unwrap())
    }

    #[test]
    fn a_client_is_told_of_the_gateway_and_whether_to_verify() {
        let swarm = "[swarm]\ndriver = 'local'\nname = 'my argo'\n";
        let gateway = "[gateway]\nhost = 'altair'\n";
        let text = printed(&format!("{swarm}{gateway}")).unwrap();
        let expected =
            "[my-argo]\npriority = 100\nsync-uri = http://10.42.0.199:8090/packages\nverify-signature = false\n";
        assert!(text.ends_with(expected), "{text}");
        for (settings, line) in [
            (format!("{swarm}signing_key = '0x01'\n{gateway}"), "verify-signature = true"),
            (
                format!("{swarm}tls_cert = '/c'\ntls_key = '/k'\n{gateway}"),
                "sync-uri = https://10.42.0.199:8090/packages",
            ),
            (format!("{swarm}{gateway}listen = '10.0.0.7:80'\n"), "sync-uri = http://10.0.0.7:80/packages"),
            (format!("{swarm}[gateway]\nhost = 'named'\n"), "sync-uri = http://gate.example:8090/packages"),
            (
                format!("{swarm}[orchestrators.izar]\naddress = 'izar'\nbinhost = 'https://izar/x'\n"),
                "sync-uri = https://izar/x",
            ),
        ] {
            let text = printed(&settings).unwrap();
            assert!(text.lines().any(|each| each == line), "{line} is not in:\n{text}");
        }
        let storage = format!("{swarm}[storage.attic]\nurl = 's3://argo/amd64'\n");
        assert_eq!(printed(&storage), Err(NoBinhost));
        let text = printed(&format!("{storage}binhost = 'https://packages.example/amd64'\n")).unwrap();
        assert!(text.contains("sync-uri = https://packages.example/amd64\n"), "{text}");
        assert_eq!(printed(swarm), Err(NoBinhost));
    }
}
