//! A real client that knows nothing but the gateway, while orchestrators change under it.

use std::process::Child;

use serde_json::Value;

use super::laboratory::Laboratory;

const GATEWAY: &str = "http://10.42.0.1:8090";
const IZAR: &str = "http://10.42.0.1:8091";
const TARN: &str = "http://192.168.20.1:8091";

/// Lets the client's first package that is being merged say so, and wait while it is told to.
const HOLD: &str = r#"
cat >/etc/portage/bashrc <<'END'
pre_pkg_preinst() {
	: >/dev/lab/client-merges
	while [ -e /dev/lab/hold/client ]; do sleep 0.1; done
}
END
"#;

/// Object storage, where the controller is: a bucket that anybody may read, and only whoever has a key may write.
const S3: &str = "http://10.42.0.1:9000";
const START_S3: &str = r#"
. "$1/tests/lab/lib/common.sh"
"$MOTO_VENV/bin/moto_server" -H 10.42.0.1 -p 9000 >"$2/s3.log" 2>&1 &
trap 'kill $!' TERM
wait
"#;
const MAKE_BUCKET: &str = r#"
put() { wget -qO- --method=PUT --header="Authorization: AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/s3/aws4_request" "$@"; }
put "$1/argo" && put --header="Content-Type: application/json" --body-data='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
"Action":"s3:GetObject","Resource":"arn:aws:s3:::argo/*"}]}' "$1/argo?policy"
"#;

/// Starts the storage and puts it into the inventory.
fn storage(lab: &Laboratory) -> Child {
    let directory = lab.file("");
    let arguments = [env!("CARGO_MANIFEST_DIR"), directory.to_str().unwrap()];
    let server = lab.run_beside(&[&["bash", "-c", START_S3, "bash"], arguments.as_slice()].concat());
    lab.wait("the storage has a bucket", || lab.run(&["sh", "-c", MAKE_BUCKET, "sh", S3]).status == 0);
    let credentials = lab.file("credentials");
    std::fs::write(&credentials, "aws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
    lab.run(&["chmod", "600", credentials.to_str().unwrap()]).gives(0, &[]);
    let entry = format!(
        "\n[storage.attic]\nurl = 's3://argo/lab'\nendpoint = '{S3}'\ncredentials = {credentials:?}\n\
         binhost = '{S3}/argo/lab'\n"
    );
    lab.edit_inventory(|text| text + &entry);
    server
}

/// The two orchestrators and the gateway, all where the controller is, each at its own address and port.
struct Site {
    lab: Laboratory,
}

impl Site {
    /// An inventory for each: they differ in the production that they serve.
    fn new(lab: Laboratory) -> Self {
        std::fs::write(lab.file("token"), "opensesame\n").unwrap();
        lab.run(&["chmod", "600", lab.file("token").to_str().unwrap()]).gives(0, &[]);
        let text = std::fs::read_to_string(lab.inventory()).unwrap();
        let swarm = format!("[swarm]\ntoken_file = {:?}", lab.file("token"));
        let work = |name: &str| lab.file(&format!("work-{name}")).display().to_string();
        let (izar_work, tarn_work) = (work("izar"), work("tarn"));
        let entries = format!(
            "[hosts.altair]\naddress = '10.42.0.199'\n\
             [gateway]\nhost = 'altair'\nlisten = '10.42.0.1:8090'\ncheck_interval = '2s'\n\
             [orchestrators.orch-izar]\naddress = '10.42.0.1'\nworkdir = '{izar_work}'\npriority = 100\nbinhost = '{IZAR}/packages'\napi = '{IZAR}'\n\
             [orchestrators.orch-tarn]\naddress = '192.168.20.1'\nworkdir = '{tarn_work}'\npriority = 200\nbinhost = '{TARN}/packages'\napi = '{TARN}'\n"
        );
        let izar = format!("{}\n{entries}", text.replace("[swarm]", &swarm));
        std::fs::write(lab.file("izar.toml"), &izar).unwrap();
        let elsewhere = lab.file("tarn").display().to_string();
        let own = lab.file("controller").display().to_string();
        std::fs::write(lab.file("tarn.toml"), izar.replace(&own, &elsewhere)).unwrap();
        Self { lab }
    }

    fn start(&self, inventory: &str, arguments: &[&str], url: &str) -> Child {
        let inventory = self.lab.file(inventory);
        let service = self.lab.swarm_beside(&[&["--inventory", inventory.to_str().unwrap()], arguments].concat());
        self.lab.wait("it listens", || self.get(&format!("{url}/health")).is_some());
        service
    }

    fn get(&self, url: &str) -> Option<String> {
        let got = self.lab.run(&["wget", "-qO-", "-T", "30", "-t", "1", url]);
        (got.status == 0).then_some(got.said)
    }

    /// How many bytes of files an orchestrator has sent.
    fn sent(&self, url: &str) -> u64 {
        let metrics = self.get(&format!("{url}/metrics")).unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix("swarm_binhost_sent_bytes_total "));
        line.unwrap().parse().unwrap()
    }

    fn active(&self) -> Value {
        let status: Value = serde_json::from_str(&self.get(&format!("{GATEWAY}/status")).unwrap()).unwrap();
        status["active"].clone()
    }

    /// What is wrong with an orchestrator, as the gateway sees it.
    fn error(&self, name: &str) -> String {
        let status: Value = serde_json::from_str(&self.get(&format!("{GATEWAY}/status")).unwrap()).unwrap();
        let one = status["orchestrators"].as_array().unwrap().iter().find(|each| each["name"] == name).unwrap();
        one["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Brings the other orchestrator the releases of the first, links and times included.
    fn publish(&self) {
        let (from, to) = (self.lab.file("controller"), self.lab.file("tarn"));
        std::fs::create_dir_all(&to).unwrap();
        let script = "cp -a \"$1\"/production.releases \"$2\"; cp -aT \"$1\"/production \"$2\"/next; mv -T \"$2\"/next \"$2\"/production";
        self.lab.run(&["sh", "-ec", script, "sh", from.to_str().unwrap(), to.to_str().unwrap()]).gives(0, &[]);
    }
}

#[test]
fn a_client_of_the_gateway_installs_and_updates_while_orchestrators_come_and_go() {
    let lab = Laboratory::up("gateway");
    let mut attic = storage(&lab);
    let site = Site::new(lab);
    let lab = &site.lab;
    let mut izar = site.start("izar.toml", &["orchestrator", "orch-izar"], IZAR);
    let mut tarn = site.start("tarn.toml", &["orchestrator", "orch-tarn"], TARN);
    let mut gateway = site.start("izar.toml", &["gateway"], GATEWAY);
    lab.on("client", "emerge --pretend --getbinpkgonly app-lab/hello 2>&1; true");

    // A build that is asked of the gateway.
    let order = |data: &str| {
        let url = format!("{GATEWAY}/build");
        let data = format!("--post-data={data}");
        lab.run(&["wget", "-qO-", "--content-on-error", "--header=Authorization: Bearer opensesame", &data, &url])
    };
    order(r#"{"packages":["app-lab/masked"]}"#).gives(8, &["the driver capella has no plan for"]);
    let begun = order(r#"{"packages":["app-lab/hello"]}"#);
    let build: Value = serde_json::from_str(&begun.gives(0, &["build"]).said).unwrap();
    lab.wait_for("it has its turn", |status| status["build"]["id"] == build["build"]);
    let again: Value =
        serde_json::from_str(&order(r#"{"packages":["app-lab/hello"]}"#).gives(0, &["build"]).said).unwrap();
    assert_eq!(again["build"], build["build"]);
    lab.wait_for("all is received", |status| status["build"]["finished"].is_string());
    lab.wait("the push has ended", || lab.swarm(&["finalize"]).status == 0);
    site.publish();
    lab.wait("clients get the first", || site.active() == "orch-izar");

    let inventory = lab.file("izar.toml");
    let printed = lab.swarm(&["--inventory", inventory.to_str().unwrap(), "client-config"]);
    printed.gives(0, &["sync-uri = http://10.42.0.1:8090/packages"]);
    let configuration = format!(
        "mkdir -p /etc/portage/binrepos.conf && cat >/etc/portage/binrepos.conf/lab.conf <<'END'\n{}END\n",
        printed.said
    );
    lab.on("client", &configuration).gives(0, &[]);
    let install = "emerge --quiet --oneshot --getbinpkgonly --usepkgonly";
    lab.on("client", &format!("{install} app-lab/hello && lab-hello")).gives(0, &["app-lab/hello-1.1-r1"]);
    let known = "Local copy of remote index is up-to-date and will be used";
    let pretend = "emerge --pretend --getbinpkgonly --usepkgonly app-lab/hello";
    lab.on("client", pretend).gives(0, &[known, "app-lab/hello-1.1-r1"]);

    // A release that the second one does not have yet.
    lab.swarm(&["push", "dev-lab/libbar", "--finalize"]).gives(0, &["is live"]);
    lab.wait("the second is behind", || site.error("orch-tarn").starts_with("is behind"));
    site.publish();
    lab.wait("it is not any more", || site.error("orch-tarn").is_empty());

    // The first one dies while the client is between two packages, none of which it has fetched before it needs it.
    lab.on("client", HOLD).gives(0, &[]);
    std::fs::write(lab.shared("hold/client"), "").unwrap();
    let update = format!("FEATURES=-parallel-fetch {install} dev-lab/libbar");
    let update = lab.on_beside("client", &["sh", "-c", &update]);
    lab.wait("the client merges its first package", || lab.shared("client-merges").exists());
    let before = site.sent(TARN);
    izar.kill().unwrap();
    izar.wait().unwrap();
    std::fs::remove_file(lab.shared("hold/client")).unwrap();
    let updated = update.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[updated.stdout, updated.stderr].concat()).into_owned();
    assert!(updated.status.success() && said.contains("dev-lab/libbase") && said.contains("dev-lab/libbar"), "{said}");
    let package = std::fs::metadata(lab.file("tarn/production/dev-lab/libbar/libbar-1.0-1.gpkg.tar")).unwrap().len();
    assert!(site.sent(TARN) >= before + package, "the second one sent what came after");
    lab.wait("clients get the second", || site.active() == "orch-tarn");
    assert_eq!(site.get(&format!("{GATEWAY}/binhost")).unwrap(), format!("{TARN}/packages"));
    lab.on("client", pretend).gives(0, &[known]);

    // The first comes back with the release from before, and gets no clients.
    let first = "cd \"$1\" && ln -sfn production.releases/\"$(ls production.releases | head -n 1)\" production";
    lab.run(&["sh", "-ec", first, "sh", lab.file("controller").to_str().unwrap()]).gives(0, &[]);
    let mut izar = site.start("izar.toml", &["orchestrator", "orch-izar"], IZAR);
    lab.wait("it is seen that it is behind", || site.error("orch-izar").starts_with("is behind"));
    assert_eq!(site.active(), "orch-tarn");
    lab.on("client", &pretend.replace("app-lab/hello", "dev-lab/libbar")).gives(0, &[known, "dev-lab/libbar-1.0"]);

    // With no orchestrator left there is the storage, and with none at all the client says so.
    for each in [&mut izar, &mut tarn] {
        each.kill().unwrap();
        each.wait().unwrap();
    }
    lab.wait("clients get the storage", || site.active() == "attic");
    lab.on("client", &format!("rm -rf /var/cache/binpkgs; {install} dev-lab/libbar")).gives(0, &["dev-lab/libbar-1.0"]);
    lab.run(&["kill", &attic.id().to_string()]).gives(0, &[]);
    attic.wait().unwrap();
    lab.wait("there is none", || site.active().is_null());
    lab.on("client", pretend).gives(0, &["HTTP Error 503"]);
    gateway.kill().unwrap();
    gateway.wait().unwrap();
}
