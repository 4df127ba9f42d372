//! Releases as a real Portage client meets them, over HTTP.

use std::path::Path;
use std::process::Child;

use swarm::failpoint::Failpoint;

use super::laboratory::Laboratory;

/// Where the controller's production is served, and the client's half of the command line.
const SERVED: &str = "10.42.0.1:8080";
const CLIENT: &str =
    "PORTAGE_BINHOST=http://10.42.0.1:8080/packages emerge --quiet --oneshot --getbinpkgonly --usepkgonly";

/// Debian's nginx with the configuration that is shipped, and no service behind it.
struct WebServer(Child);

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn serve(lab: &Laboratory) -> WebServer {
    let (address, port) = SERVED.split_once(':').unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/nginx/swarm.conf");
    let server = std::fs::read_to_string(shipped)
        .unwrap()
        .replace("listen 80;", &format!("listen {SERVED};"))
        .replace("/var/cache/swarm/production", lab.controller("production").to_str().unwrap());
    let below = lab.file("nginx");
    std::fs::create_dir(&below).unwrap();
    let text = format!(
        "user root;\ndaemon off;\npid {0}/pid;\nerror_log {0}/log;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {0}/body;\nproxy_temp_path {0}/proxy;\nfastcgi_temp_path {0}/fastcgi;\n\
         uwsgi_temp_path {0}/uwsgi;\nscgi_temp_path {0}/scgi;\n{server}\n}}\n",
        below.display()
    );
    let file = below.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut server = WebServer(lab.run_beside(&["/usr/sbin/nginx", "-c", file.to_str().unwrap()]));
    let probe = format!("exec 3<>/dev/tcp/{address}/{port}");
    lab.wait("the web server answers", || {
        assert!(server.0.try_wait().unwrap().is_none(), "the web server has ended");
        lab.run(&["bash", "-c", &probe]).status == 0
    });
    server
}

/// Installs from the binhost, each time as if it were the first, until it is told to stop.
const INSTALLS: &str = r#"
count=0
while [ ! -e /dev/lab/stop ]; do
	rm -rf /var/cache/binpkgs
	CLIENT app-lab/hello || { echo "round $count failed"; exit 1; }
	count=$((count + 1))
	echo "$count" >/dev/lab/count
done
"#;

#[test]
fn a_client_installs_without_fail_while_releases_are_swapped_rolled_back_pruned_and_the_controller_is_killed() {
    let lab = Laboratory::up("fire");
    let _server = serve(&lab);
    let work = lab.file("work").display().to_string();
    let here = format!(
        "\n[orchestrators.here]\naddress = 'local'\nworkdir = '{work}'\nbinhost = 'http://{SERVED}/packages'\n"
    );
    lab.edit_inventory(|text| text.replacen("state = ", "keep = 2\nstate = ", 1) + &here);
    lab.swarm(&["push", "=app-lab/hello-1.0", "--finalize"]).gives(0, &["the index was read back", "is live"]);
    lab.swarm(&["push", "=app-lab/hello-1.1-r1", "--finalize"]).gives(0, &["1 changed"]);

    let rounds = || std::fs::read_to_string(lab.shared("count")).ok().and_then(|count| count.trim().parse().ok());
    let mut client = lab.on_beside("client", &["sh", "-c", &INSTALLS.replace("CLIENT", CLIENT)]);
    lab.wait("the client has begun", || rounds() >= Some(1_u32));
    let places = [Failpoint::BeforeRelease, Failpoint::AfterRelease, Failpoint::BeforeSwap, Failpoint::AfterSwap];
    let mut swaps = 0;
    while client.try_wait().unwrap().is_none() && (swaps < places.len() || rounds() < Some(5)) {
        // There is the other one, whichever is live.
        let shown = lab.swarm_fed(&["releases", "--json"], "").1;
        let releases: Vec<serde_json::Value> = serde_json::from_str(&shown).unwrap();
        let id = |release: &serde_json::Value| release["id"].as_str().unwrap().to_owned();
        let live = releases.iter().rfind(|release| release["marks"][0] == "live").map(id).unwrap();
        let other = releases
            .iter()
            .rev()
            .map(id)
            .find(|other| !lab.swarm(&["diff", &live, other]).said.contains("no difference"));
        let other = other.unwrap();
        let killed = lab.swarm_with("SWARM_FAILPOINT", places[swaps % places.len()].name(), &["rollback", &other]);
        assert_eq!(killed.status, -1, "{}", killed.said);
        // Killed behind the swap it has been done.
        let done = swaps % places.len() == places.len() - 1;
        lab.swarm(&["rollback", &other])
            .gives(i32::from(done), &[if done { "is live already" } else { "is live: it has" }]);
        lab.swarm(&["prune"]).gives(0, &["releases are kept"]);
        swaps += 1;
    }
    std::fs::write(lab.shared("stop"), "").unwrap();
    let output = client.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    lab.swarm(&["verify"]).gives(0, &["every file is what the index says"]);
    assert!(swaps >= places.len() && rounds() >= Some(5), "{swaps} swaps, {:?} rounds", rounds());
}

/// Makes a client take nothing that is not signed by the key in the shared directory.
const TRUST: &str = r#"
set -e
home=/etc/portage/gnupg
mkdir -m 755 $home
gpg() { command gpg --homedir $home --batch --quiet "$@"; }
gpg --import /dev/lab/key
key=$(gpg --list-keys --with-colons | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | head -n 1)
echo "$key:6:" | gpg --import-ownertrust
gpg --check-trustdb
echo lock-never >$home/gpg.conf
chmod -R a+rX $home
cat >>/etc/portage/make.conf <<'END'
FEATURES="${FEATURES} binpkg-request-signature"
PORTAGE_TRUST_HELPER=""
END
"#;

#[test]
fn a_client_that_asks_for_signatures_takes_what_was_released_with_the_key_and_nothing_else() {
    let lab = Laboratory::up("signed");
    let _server = serve(&lab);
    let home = lab.file("gnupg");
    let home = home.to_str().unwrap();
    lab.run(&["mkdir", "-m", "700", home]).gives(0, &[]);
    let gpg = |arguments: &[&str]| lab.run(&[&["gpg", "--homedir", home, "--batch", "--quiet"], arguments].concat());
    gpg(&["--passphrase", "", "--quick-generate-key", "binhost@lab.invalid", "ed25519", "sign", "never"]).gives(0, &[]);
    std::fs::write(lab.shared("key"), &gpg(&["--armor", "--export"]).gives(0, &["PUBLIC KEY"]).said).unwrap();
    lab.on("client", TRUST).gives(0, &[]);

    lab.swarm(&["push", "dev-lab/libbase", "--finalize"]).gives(0, &["is live"]);
    lab.edit_inventory(|text| text.replacen("state = ", "signing_key = \"binhost@lab.invalid\"\nstate = ", 1));
    lab.swarm(&["push", "app-lab/hello"]).gives(0, &["1 received"]);
    lab.swarm_with("GNUPGHOME", home, &["finalize"])
        .gives(0, &["1 packages are signed with the key binhost@lab.invalid", "1 packages are not signed"]);
    let install = |package: &str| lab.on("client", &format!("{CLIENT} {package}"));
    install("app-lab/hello").gives(0, &[]);
    lab.on("client", "lab-hello").gives(0, &["app-lab/hello-1.1-r1"]);
    assert_ne!(install("dev-lab/libbase").status, 0);
    // Signed by a key that it does not know it is not taken either.
    lab.on("client", "rm -r /var/cache/binpkgs /etc/portage/gnupg/pubring.kbx").gives(0, &[]);
    assert_ne!(install("app-lab/hello").status, 0);
}
