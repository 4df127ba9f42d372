//! The services as an ordinary user who may write nothing but its own directories.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use super::place::{Place, Service, wait};
use super::production::{HELLO, release};
use crate::http::{ask, get};

/// The user nobody, and its group; both have had these numbers on every distribution for long.
const NOBODY: u32 = 65534;

/// `swarm` without any privilege, and without a way to get one.
fn unprivileged(place: &Place, arguments: &[&str]) -> Command {
    // The one of the tests may lie where nobody else can go.
    let swarm = place.path("swarm");
    if !swarm.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_swarm"), &swarm).unwrap();
    }
    let swarm = swarm.to_str().unwrap();
    let user = NOBODY.to_string();
    let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
    let by =
        ["setpriv", &user, &group, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", swarm];
    let is_root = rustix::process::geteuid().is_root();
    place.command_by(if is_root { &by } else { &by[by.len() - 1..] }, arguments)
}

/// Gives a directory, and what is in it, to that user.
fn give(path: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    let Ok(entries) = std::fs::read_dir(path) else { return };
    entries.flatten().filter(|_| !path.is_symlink()).for_each(|entry| give(&entry.path()));
}

#[test]
fn an_ordinary_user_with_its_own_directories_is_enough_for_both_services() {
    let place = Place::new("", "");
    // The token is its group's to read, as sysusers.d and the packaging notes have it.
    let token = place.token("opensesame", 0o640);
    release(&place.production(), 1, b"package");
    for own in ["state", "staging"] {
        std::fs::create_dir(place.path(own)).unwrap();
    }
    let entry = "[orchestrators.here]\naddress = '127.0.0.1'\nbinhost = 'http://here.test/packages'\n";
    place.write_inventory(&token, entry);
    if rustix::process::geteuid().is_root() {
        for own in ["state", "staging", "production", "production.releases"] {
            give(&place.path(own));
        }
        chown(place.path("token"), Some(0), Some(NOBODY)).unwrap();
        // It may look into the directory, and write nothing there.
        std::fs::set_permissions(place.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let orchestrator = Service::start(unprivileged(&place, &["orchestrator", "--listen", "127.0.0.1:0"]));
    get(&orchestrator.url, &format!("/packages/{HELLO}")).gives(200, "package");
    get(&orchestrator.url, "/health").gives(200, "000001-000001");
    // Its driver cannot be reached.
    let body = br#"{"packages":["app-misc/foo"]}"#;
    let length = format!("content-length: {}", body.len());
    let headers = ["authorization: Bearer opensesame", &length];
    ask(&orchestrator.url, "POST /build", &headers, body).gives(422, "capella");
    // A controller of that user's has a journal.
    let finalized = unprivileged(&place, &["finalize"]).output().unwrap();
    assert!(String::from_utf8_lossy(&finalized.stderr).contains("nothing waits for its release"), "{finalized:?}");
    let journal = std::fs::metadata(place.path("state/journal.db")).unwrap();
    assert!(journal.uid() == NOBODY || !rustix::process::geteuid().is_root());

    let gateway = format!(
        "[hosts.altair]\naddress = '127.0.0.1'\n[gateway]\nhost = 'altair'\nlisten = '127.0.0.1:0'\n\
         check_interval = '100ms'\n[orchestrators.here]\naddress = '127.0.0.1'\nbinhost = '{}/packages'\n",
        orchestrator.url
    );
    place.write_inventory(&token, &gateway);
    let gateway = Service::start(unprivileged(&place, &["gateway"]));
    wait("clients get the orchestrator", || get(&gateway.url, "/binhost").status == 200);
}
