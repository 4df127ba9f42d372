//! Two drivers whose controller is an orchestrator: one pushes from itself, the other is asked over SSH.

use std::process::Child;

use serde_json::Value;

use super::laboratory::Laboratory;

const GATEWAY: &str = "http://10.42.0.1:8090";
const API: &str = "http://10.42.0.1:8091";
/// The client is a second driver.
const FLEET: &str = "
[hosts.client]
address = '10.42.0.50'
[hosts.altair]
address = '10.42.0.199'
[gateway]
host = 'altair'
listen = '10.42.0.1:8090'
check_interval = '1s'
[orchestrators.orch-izar]
address = '10.42.0.1'
binhost = 'http://10.42.0.1:8091/packages'
api = 'http://10.42.0.1:8091'
";

/// Writes inventory and token for the orchestrator and, where every host sees it, for the driver, with the program.
fn set_up(lab: &Laboratory) {
    let text = std::fs::read_to_string(lab.inventory()).unwrap();
    let text = text.replace("controller = \"local\"", "controller = \"orchestrator\"");
    let fleet = format!("{FLEET}workdir = {:?}\n", lab.file("work"));
    for (place, token) in [(lab.inventory(), lab.file("token")), (lab.shared("fleet.toml"), "/dev/lab/token".into())] {
        let swarm = format!("[swarm]\ntoken_file = {token:?}");
        std::fs::write(place, format!("{}{fleet}", text.replace("[swarm]", &swarm))).unwrap();
    }
    for token in [lab.file("token"), lab.shared("token")] {
        std::fs::write(&token, "opensesame\n").unwrap();
        lab.run(&["chmod", "600", token.to_str().unwrap()]).gives(0, &[]);
    }
    let program = lab.shared("swarm");
    lab.run(&["cp", env!("CARGO_BIN_EXE_swarm"), program.to_str().unwrap()]).gives(0, &[]);
}

fn get(lab: &Laboratory, url: &str) -> Option<String> {
    let got = lab.run(&["wget", "-qO-", "-T", "30", "-t", "1", url]);
    (got.status == 0).then_some(got.said)
}

fn status(lab: &Laboratory) -> Value {
    get(lab, &format!("{API}/status")).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// `swarm` on the driver.
fn on_driver(arguments: &str) -> String {
    format!("echo $$ >/dev/lab/process; exec /dev/lab/swarm --inventory /dev/lab/fleet.toml {arguments}")
}

fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn two_drivers_push_to_an_orchestrator_that_compiles_once_what_both_want_and_releases_each_build() {
    let lab = Laboratory::up("queue");
    set_up(&lab);
    std::fs::write(lab.shared("hold/libbase"), "").unwrap();
    let mut services = Vec::new();
    for (service, url) in [("orchestrator", API), ("gateway", GATEWAY)] {
        services.push(lab.swarm_beside(&[service]));
        lab.wait("it listens", || get(&lab, &format!("{url}/health")).is_some());
    }
    lab.wait("the gateway has a controller", || {
        get(&lab, &format!("{GATEWAY}/status")).is_some_and(|status| status.contains("\"controller\":\"orch-izar\""))
    });

    // What has no plan has none there either.
    lab.on("capella", &on_driver("push app-lab/masked")).gives(1, &["the driver capella has no plan for"]);
    let push = on_driver("push dev-lab/libbar");
    let first = lab.on_beside("capella", &["sh", "-c", &push]);
    lab.wait("its first package is compiled", || lab.compiled().contains_key("dev-lab/libbase-1.0"));
    let build = status(&lab)["build"]["id"].as_str().unwrap().to_owned();

    // The other driver is asked by the orchestrator, and waits.
    let order = r#"--post-data={"driver":"client","packages":["dev-lab/libfoo"]}"#;
    let url = format!("{GATEWAY}/build");
    let ordered = lab.run(&["wget", "-qO-", "--header=Authorization: Bearer opensesame", order, &url]);
    let other: Value = serde_json::from_str(&ordered.gives(0, &["build"]).said).unwrap();
    let other = other["build"].as_str().unwrap().to_owned();
    assert_eq!(status(&lab)["queue"][0]["id"], other.as_str());

    // Interrupted and repeated it follows the same build.
    lab.on("capella", "kill -s INT $(cat /dev/lab/process)").gives(0, &[]);
    let (exit, said) = ended(first);
    assert!(
        exit == Some(130) && said.contains(&format!("build {build} goes on at the orchestrator")),
        "{exit:?} {said}"
    );
    let second = lab.on_beside("capella", &["sh", "-c", &on_driver("push dev-lab/libbar --finalize")]);
    lab.wait("it is to be released", || {
        get(&lab, &format!("{API}/state")).is_some_and(|state| state.contains("\"finalize\":true"))
    });
    std::fs::remove_file(lab.shared("hold/libbase")).unwrap();
    let (exit, said) = ended(second);
    assert_eq!(exit, Some(0), "{said}");
    for words in [
        &format!("needed     2 packages for dev-lab/libbar, build {build}"),
        "received   dev-lab/libbar-1.0",
        "2 received, 0 failed, 0 not built",
        "+ dev-lab/libbase/libbase-1.0-1.gpkg.tar",
        "is live: 2 packages, 2 new",
    ] {
        assert!(said.contains(words), "{words:?} is not in:\n{said}");
    }

    lab.wait("the other build is over", || {
        let status = status(&lab);
        status["build"]["id"] == other.as_str() && status["build"]["finished"].is_string()
    });
    lab.compiled_once(&["dev-lab/libbar-1.0", "dev-lab/libbase-1.0", "dev-lab/libfoo-2.0"]);
    lab.on("capella", &on_driver("finalize")).gives(0, &["is live: 3 packages, 1 new"]);
    lab.on("capella", &on_driver("status")).gives(0, &["the build went live with release"]);
    for mut service in services {
        service.kill().unwrap();
        service.wait().unwrap();
    }
}
