//! `/metrics` of both services, with a state in which everything is there, as Prometheus' own tool reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use swarm::controller::now;
use swarm::core::event::{Event, JobOutcome};
use swarm::core::names::HostName;
use swarm::core::standby::{Following, Lag, Progress};
use swarm::gateway::board::View;
use swarm::http::metrics::{Family, Page};
use swarm::http::server::Tally;
use swarm::orchestrator::books::Read;
use swarm::orchestrator::metrics::{Disks, Sight};
use swarm::standby::progress;
use swarm::store::{Lock, name};

use super::place::{Place, Service, free_port, has, wait};
use super::production::{FIRST, release};
use crate::http::get;
use crate::{kept, plenty};

/// What an orchestrator can show.
fn families_of_an_orchestrator() -> Vec<Family> {
    let read = Read::default();
    let (standbys, follows, disks) = (BTreeMap::new(), None, Disks::default());
    with_tally(Sight { read: &read, leads: false, standbys, follows, disks, sent: 0, now: now() }.page())
}

/// What a gateway can show.
fn families_of_a_gateway() -> Vec<Family> {
    with_tally(swarm::gateway::metrics::page(&View::default(), 0))
}

fn with_tally(mut page: Page) -> Vec<Family> {
    Tally::default().show(&mut page);
    page.families().to_vec()
}

/// All families of both services, by name.
pub fn families() -> BTreeMap<&'static str, Family> {
    let all = [families_of_an_orchestrator(), families_of_a_gateway()].concat();
    all.into_iter().map(|family| (family.name, family)).collect()
}

/// The metrics of a service; Prometheus' tool has nothing against them.
fn scrape(service: &Service) -> String {
    let answer = get(&service.url, "/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let page = answer.text();
    if has("promtool") {
        let mut command = Command::new("promtool");
        command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut checking = command.spawn().unwrap();
        checking.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
        let checked = checking.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        assert!(checked.status.success() && said.is_empty(), "{said}\n{page}");
    }
    page
}

fn sampled(page: &str) -> BTreeSet<&str> {
    let names = page.lines().filter(|line| !line.starts_with('#'));
    names.map(|line| line.split(['{', ' ']).next().unwrap()).collect()
}

fn assert_has(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|each| each == *line), "{line} is not in:\n{page}");
    }
}

fn names(families: &[Family]) -> BTreeSet<&str> {
    families.iter().map(|family| family.name).collect()
}

/// An orchestrator beside another one that cannot be reached, on this port.
fn inventory(port: u16) -> (String, String) {
    let entry = |name: &str, address: &str, port: u16| {
        let url = format!("http://{address}:{port}");
        format!("[orchestrators.{name}]\naddress = '{address}'\nport = 1\nbinhost = '{url}/packages'\napi = '{url}'\n")
    };
    let gateway = "[hosts.altair]\naddress = '127.0.0.1'\nport = 1\n\
                   [gateway]\nhost = 'altair'\nlisten = '127.0.0.1:0'\ncheck_interval = '100ms'\n";
    let others = entry("other", "127.1.2.3", 1).replace("port = 1\n", "port = 1\npriority = 200\n");
    let swarm = "controller = 'orchestrator'\nfall = 1\n";
    (swarm.to_owned(), format!("{gateway}{}{others}", entry("orch", "127.0.0.1", port)))
}

#[test]
fn every_family_of_an_orchestrator_has_its_samples_and_promtool_has_nothing_against_them() {
    let (swarm, rest) = inventory(free_port());
    let (leader, standby) = (Place::new(&swarm, &rest), Place::new(&swarm, &rest));
    release(&leader.production(), 1, b"package");
    let state = leader.path("state");
    plenty::write(&state, now());
    name::own(&state, Some(&"here".parse().unwrap())).unwrap();
    let told = Progress { has: 7, events: 9, heard: now() };
    progress::write(&state, &"other".parse().unwrap(), &told).unwrap();
    // No controller is to begin with what waits there.
    let at_work = Lock::take(&state).unwrap();
    let service = leader.serve(&["orchestrator", "orch"]);
    get(&service.url, "/packages/Packages");

    let busy = scrape(&service);
    assert_has(
        &busy,
        &[
            "swarm_epoch 3",
            "swarm_leads 1",
            "swarm_build_open 1",
            r#"swarm_packages{state="needed"} 3"#,
            r#"swarm_packages{state="delegated"} 1"#,
            r#"swarm_packages{state="received"} 0"#,
            r#"swarm_packages{state="failed"} 2"#,
            r#"swarm_packages{state="blocked"} 1"#,
            "swarm_queue_builds 1",
            "swarm_builds_set_aside 1",
            "swarm_work_stands_still 0",
            r#"swarm_drone_state{drone="izar",state="building"} 1"#,
            r#"swarm_drone_state{drone="izar",state="idle"} 0"#,
            r#"swarm_drone_state{drone="mizar",state="idle"} 1"#,
            r#"swarm_drone_state{drone="alcor",state="draining"} 1"#,
            r#"swarm_drone_state{drone="vega",state="grounded"} 1"#,
            r#"swarm_drone_state{drone="deneb",state="unreachable"} 1"#,
            r#"swarm_drone_state{drone="altair",state="unwell"} 1"#,
            r#"swarm_drone_state{drone="tarn",state="refused"} 1"#,
            r#"swarm_drone_cores{drone="izar"} 16"#,
            r#"swarm_drone_jobs{drone="izar"} 1"#,
            r#"swarm_jobs_ended_total{outcome="failed"} 10"#,
            r#"swarm_jobs_ended_total{outcome="delivered"} 1"#,
            r#"swarm_job_failures_total{class="build"} 2"#,
            r#"swarm_job_failures_total{class="lost"} 2"#,
            r#"swarm_job_failures_total{class="parity"} 1"#,
            "swarm_received_packages_total 1",
            "swarm_received_bytes_total 1000",
            "swarm_job_cpu_seconds_total 210.5",
            r#"swarm_release_info{release="000001-000001"} 1"#,
            &format!("swarm_release_timestamp_seconds {}", FIRST + 60),
            r#"swarm_orchestrator_up_to_date{orchestrator="bucket"} 0"#,
            r#"swarm_run_exit_status{playbook="nightly-world"} 3"#,
            r#"swarm_run_exit_status{playbook="security"} 0"#,
            r#"swarm_standby_away{standby="other"} 0"#,
            r#"swarm_alarms{kind="failure"} 2"#,
            r#"swarm_alarms{kind="stall"} 0"#,
            r#"swarm_channel_failures{channel="hook"} 1"#,
            "swarm_disk_low 0",
            "swarm_http_requests_total 2",
        ],
    );
    let sent = busy.lines().find_map(|line| line.strip_prefix("swarm_binhost_sent_bytes_total ")).unwrap();
    assert_ne!(sent, "0");
    assert!(!busy.contains("app-lab"), "no label names a package: there can be any number of them");

    let ended = Event::JobEnded { job: "world-12".parse().unwrap(), outcome: JobOutcome::Discarded, at: now() };
    let state = plenty::append(&state, &[ended], now());
    // What was read a moment ago is taken as it is.
    let mut still = scrape(&service);
    wait("the service sees that nothing is built any more", || {
        still = scrape(&service);
        still.lines().any(|line| line == "swarm_work_stands_still 1")
    });
    let since = state.moved.unwrap().0;
    assert_has(&still, &[&format!("swarm_work_stands_still_since_timestamp_seconds {since}")]);
    drop(at_work);

    let following = Following {
        leader: "other".parse::<HostName>().unwrap(),
        lag: Lag { events: 3, packages: 1, seconds: 40 },
        heard: now(),
        trouble: Some("no answer".into()),
    };
    // The controller of its journal is another one.
    plenty::write(&standby.path("state"), now());
    name::own(&standby.path("state"), Some(&"there".parse().unwrap())).unwrap();
    progress::write_own(&standby.path("state"), Some(&following)).unwrap();
    drop(service);
    let follows = scrape(&standby.serve(&["orchestrator", "orch"]));
    assert_has(&follows, &["swarm_leads 0", r#"swarm_following_lag_seconds{leader="other"} 40"#]);

    let shown: BTreeSet<&str> = [busy.as_str(), &still, &follows].into_iter().flat_map(sampled).collect();
    assert_eq!(shown, names(&families_of_an_orchestrator()));
}

#[test]
fn every_family_of_a_gateway_has_its_samples_and_promtool_has_nothing_against_them() {
    let port = free_port();
    let (swarm, rest) = inventory(port);
    let place = Place::new(&swarm, &rest);
    release(&place.production(), 1, b"package");
    plenty::write(&place.path("state"), now());
    name::own(&place.path("state"), Some(&"here".parse().unwrap())).unwrap();
    let _at_work = Lock::take(&place.path("state")).unwrap();
    let _orchestrator = place.serve(&["orchestrator", "orch"]);
    let gateway = place.serve(&["gateway"]);
    wait("both were looked at", || {
        let status = get(&gateway.url, "/status").json();
        status["active"] == "orch" && status["orchestrators"][1]["last_check"].is_string()
    });
    let page = scrape(&gateway);
    assert_has(
        &page,
        &[
            r#"swarm_gateway_healthy{orchestrator="orch"} 1"#,
            r#"swarm_gateway_healthy{orchestrator="other"} 0"#,
            r#"swarm_gateway_api_up{orchestrator="orch"} 1"#,
            r#"swarm_gateway_leads{orchestrator="orch"} 1"#,
            r#"swarm_gateway_leads{orchestrator="other"} 0"#,
            "swarm_gateway_switches_total 1",
        ],
    );
    assert_eq!(sampled(&page), names(&families_of_a_gateway()));
}

#[test]
fn the_document_lists_every_family_as_the_program_has_it() {
    let row = |family: &Family| {
        let Family { kind, name, help, labels } = family;
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {} | {} | {help} |\n", kind.as_str(), labels.join(", "))
    };
    for (part, families) in [("orchestrator", families_of_an_orchestrator()), ("gateway", families_of_a_gateway())] {
        let rows: String = families.iter().map(row).collect();
        let table = format!("| name | type | labels | what it says |\n|---|---|---|---|\n{rows}");
        kept::hold_part("docs/metrics.md", part, &table);
    }
}
