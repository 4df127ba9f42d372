//! What `packaging/` has for Prometheus and Grafana: it speaks of what the services really tell, and alerts when it should.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::metrics::families;
use super::place::has;
use crate::kept;

const RULES: &str = "packaging/prometheus/swarm.rules.yml";
const CONFIGURATION: &str = "packaging/prometheus/prometheus.yml";
const DASHBOARD: &str = "packaging/grafana/swarm.json";
const ALERTS: &str = "tests/program/services/alerts.yml";

/// The names of metrics of ours in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|each: char| !each.is_ascii_alphanumeric() && each != '_');
    words.filter(|word| word.starts_with("swarm_")).collect()
}

/// What follows this key in lines of YAML.
fn values<'a>(text: &'a str, key: &str) -> BTreeSet<&'a str> {
    let value = |line: &'a str| Some(line.split_once(key)?.1.split([',', '}']).next()?.trim());
    text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(value).collect()
}

fn promtool(arguments: &[&str], file: &Path) {
    let output = Command::new("promtool").args(arguments).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?} {}:\n{said}", file.display());
}

/// Each `expr` of the dashboard.
fn expressions(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("expr").and_then(Value::as_str);
            own.into_iter().chain(fields.values().flat_map(expressions)).collect()
        }
        Value::Array(values) => values.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&kept::read(DASHBOARD)).unwrap()
}

#[test]
fn rules_and_dashboard_speak_only_of_metrics_that_there_are() {
    let known: BTreeSet<&str> = families().into_keys().collect();
    for file in [RULES, DASHBOARD, ALERTS] {
        let text = kept::read(file);
        let unknown: Vec<_> = names(&text).difference(&known).copied().collect();
        assert!(unknown.is_empty(), "{file} speaks of {unknown:?}");
    }
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    let (rules, alerts) = (kept::read(RULES), kept::read(ALERTS));
    assert_eq!(values(&rules, "alert: "), values(&alerts, "alertname: "), "each alert has its tests");
    if has("promtool") {
        promtool(&["check", "config"], &kept::path(CONFIGURATION));
        promtool(&["check", "rules"], &kept::path(RULES));
        promtool(&["test", "rules"], &kept::path(ALERTS));
    }
}

#[test]
fn the_dashboard_asks_in_prometheus_own_language_and_of_whichever_source_is_chosen() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for asked in targets.iter().chain([panel]) {
            assert_eq!(asked["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
    if has("promtool") {
        let rule = |(number, expression): (usize, &str)| {
            format!("  - record: panel:{number}\n    expr: {}\n", serde_json::to_string(expression).unwrap())
        };
        let rules: String = expressions(&dashboard).into_iter().enumerate().map(rule).collect();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("panels.yml");
        std::fs::write(&file, format!("groups:\n- name: panels\n  rules:\n{rules}")).unwrap();
        promtool(&["check", "rules"], &file);
    }
}
