//! The services over TLS, with a certificate that the operator signed himself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::http::Request;
use swarm::http::client::Client;
use swarm::http::tls;

use super::place::{Place, free_port, has, wait};
use super::production::{HELLO, release};

/// Makes a certificate and its key; gives the keys of the inventory for them.
pub fn certificate(place: &Place, name: &str) -> String {
    let (certificate, key) = (place.path(&format!("{name}.crt")), place.path(&format!("{name}.key")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=swarm.test", "-days", "2", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    format!("tls_cert = '{}'\ntls_key = '{}'\n", certificate.display(), key.display())
}

/// Asks, trusting this certificate.
fn ask(url: &str, trusted: Option<&Path>) -> Result<(u16, String), String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = Client::new(Some(tls::connector(trusted).unwrap()), Duration::from_secs(60));
        let answer = client.ask(Request::get(url).body(<_>::default()).unwrap()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = client.read(answer.into_body(), 1 << 20).await.map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8(body).unwrap()))
    })
}

#[test]
fn with_a_certificate_both_services_speak_tls_alone_and_know_each_other_by_it() {
    if !has("openssl") {
        return;
    }
    let place = Place::new("", "");
    let keys = certificate(&place, "own");
    let port = free_port();
    let url = format!("https://127.0.0.1:{port}");
    let orchestrator = format!(
        "[orchestrators.izar]\naddress = '127.0.0.1'\nbinhost = '{url}/packages'\napi = '{url}'\n\
         [hosts.altair]\naddress = '127.0.0.1'\n[gateway]\nhost = 'altair'\nlisten = '127.0.0.1:0'\ncheck_interval = '100ms'\n"
    );
    place.write_inventory(&keys, &orchestrator);
    release(&place.production(), 1, b"package");
    let service = place.serve(&["orchestrator"]);
    assert_eq!(service.url, url);
    let own = place.path("own.crt");
    assert_eq!(ask(&format!("{url}/packages/{HELLO}"), Some(&own)), Ok((200, "package".to_owned())));
    let stranger = ask(&url, None).unwrap_err();
    assert!(stranger.contains("certificate"), "{stranger}");
    let plain = ask(&url.replace("https", "http"), None);
    assert!(plain.is_err(), "{plain:?}");

    let gateway = place.serve(&["gateway"]);
    assert!(gateway.url.starts_with("https:"), "{}", gateway.url);
    let binhost = || ask(&format!("{}/binhost", gateway.url), Some(&own)).unwrap();
    wait("it is healthy", || binhost() == (200, format!("{url}/packages")));
    let status = ask(&format!("{}/status", gateway.url), Some(&own)).unwrap().1;
    assert!(status.contains(r#""controller":"izar""#), "{status}");
    let printed = String::from_utf8(place.swarm(&["client-config"]).stdout).unwrap();
    assert!(printed.contains("sync-uri = https://127.0.0.1:0/packages"), "{printed}");
    drop(gateway);

    // One that shows another certificate is not taken for it.
    let other = Place::new("", "");
    other.write_inventory(&certificate(&other, "other"), &orchestrator);
    let gateway = other.serve(&["gateway"]);
    gateway.says("izar is not healthy: it cannot be reached: invalid peer certificate");
    drop(gateway);

    // A certificate ends: the next one is shown from the word on, and one that is of no use never is.
    let gateway = place.serve(&["gateway"]);
    let services = [(&service, "token and the certificate"), (&gateway, "inventory was not taken, the one before")];
    let old = std::fs::read(&own).unwrap();
    std::fs::write(&own, "no certificate").unwrap();
    for (service, kept) in services {
        service.signal("HUP");
        service.says("there is no certificate in");
        assert!(service.log().contains(kept), "{}", service.log());
    }
    std::fs::write(place.path("old.crt"), old).unwrap();
    let shows = |url: &str, trusted: &str| ask(&format!("{url}/health"), Some(&place.path(trusted))).is_ok();
    assert!(shows(&url, "old.crt") && shows(&gateway.url, "old.crt"));
    certificate(&place, "own");
    for service in [&service, &gateway] {
        service.signal("HUP");
        service.says("read again");
        wait("the new one is shown", || shows(&service.url, "own.crt"));
        assert!(!shows(&service.url, "old.crt"));
    }
    place.write_inventory("", &orchestrator.replace("https", "http"));
    gateway.signal("HUP");
    gateway.says("to begin or to end TLS takes a restart");
    assert!(shows(&gateway.url, "own.crt"));
    drop(gateway);
    drop(service);

    place.write_inventory(&keys.replace("own.key", "fleet.toml"), &orchestrator);
    let refused = place.swarm(&["orchestrator"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("cannot read the private key"), "{said}");
}
