//! What a simulated build came to.

use super::table::{Cell, Table};
use crate::schedule::model::Outcome;

/// Ways to spread a build beside each other.
pub fn table(rows: &[(&str, Outcome)], bound: f64) -> String {
    let columns = ["way", "makespan", "ratio", "utilisation"];
    let mut table = Table::new(columns).numbers("makespan").numbers("ratio").numbers("utilisation");
    for (way, outcome) in rows {
        table.row([
            Cell::from(way),
            Cell::from(format!("{:.0} s", outcome.makespan)),
            Cell::from(format!("{:.3}", ratio(outcome.makespan, bound))),
            Cell::from(format!("{:.0} %", outcome.utilisation * 100.0)),
        ]);
    }
    table.render(false)
}

/// One outcome as JSON.
pub fn json(outcome: Outcome, bound: f64, packages: usize) -> serde_json::Value {
    serde_json::json!({
        "makespan_s": outcome.makespan,
        "lower_bound_s": bound,
        "ratio": ratio(outcome.makespan, bound),
        "packages": packages,
        "utilisation": outcome.utilisation,
    })
}

fn ratio(makespan: f64, bound: f64) -> f64 {
    if bound > 0.0 { makespan / bound } else { 1.0 }
}
