//! What builds took.

use super::laboratory::Laboratory;

#[test]
fn builds_are_measured_on_their_drones_and_the_logs_of_emerge_are_learned_from() {
    let lab = Laboratory::up("history");
    lab.swarm(&["history"]).gives(1, &["nothing is known yet"]);
    lab.swarm(&["push", "--finalize", "app-lab/hello"]).gives(0, &["1 received, 0 failed"]);
    let shown = lab.swarm(&["history", "--json", "hello"]);
    let sample: serde_json::Value = serde_json::from_str(shown.said.trim()).unwrap();
    let measured = |key: &str| sample[key].as_f64().unwrap_or_else(|| panic!("no {key}: {sample}"));
    assert!(measured("wall_s") > 0.2 && measured("cpu_s") > 0.2 && measured("width") >= 1.0, "{sample}");

    // The drone's own log has what was merged by hand; what came from a binary is no build.
    lab.on("drone-tarn", "emerge --quiet --oneshot dev-lab/libbar").gives(0, &[]);
    lab.swarm(&["history", "import", "--on", "drone-tarn"]).gives(0, &["drone-tarn: 2 builds"]);
    let known = lab.swarm(&["history", "libbar"]);
    known.gives(0, &["dev-lab/libbar-1.0", "drone-tarn", "next dev-lab/libbar"]);
    lab.swarm(&["history", "import", "--on", "drone-tarn"]).gives(0, &[]);
    assert_eq!(lab.swarm(&["history", "--json", "libbar"]).said.lines().count(), 1, "the same log is learned once");

    lab.swarm(&["push", "--rebuild", "app-lab/hello"]).gives(0, &["1 received, 0 failed"]);
    lab.swarm(&["history", "accuracy"]).gives(0, &["1 estimates, off by a factor of"]);
    lab.swarm(&["history", "nonsense"]).gives(1, &["no build of nonsense is known"]);
}
