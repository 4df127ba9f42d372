//! A plan as a table.

use crate::controller::planning::Planned;
use crate::core::plan::Plan;

/// The packages in their order, with what each waits for.
pub fn table(plan: &Plan) -> String {
    let needs = plan.needs();
    let rows = plan
        .packages
        .iter()
        .zip(&needs.direct)
        .enumerate()
        .map(|(index, (package, needs))| {
            let identity = &package.identity;
            let flags: Vec<_> = identity.use_flags.iter().collect();
            let waits: Vec<_> = needs.iter().map(|need| (need.index() + 1).to_string()).collect();
            let why = if package.requested { "asked for" } else { "needed" };
            vec![
                (index + 1).to_string(),
                identity.cpv.to_string(),
                identity.slot.to_string(),
                why.to_owned(),
                waits.join(","),
                flags.join(" "),
            ]
        })
        .collect();
    super::text::table(&["", "PACKAGE", "SLOT", "WHY", "AFTER", "USE"], rows)
}

/// The first few of these names, and how many there are besides.
pub fn some(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// What an operator should know of it besides.
pub fn notes(planned: &Planned) -> Vec<String> {
    let plan = &planned.plan;
    let mut notes: Vec<String> = plan.warnings.iter().map(|warning| format!("note: {warning}")).collect();
    for cycle in plan.needs().cycles {
        let names: Vec<_> = cycle.iter().map(|package| plan.packages[package.index()].identity.cpv.as_str()).collect();
        notes.push(format!("note: {} need each other; they are built one after the other", names.join(", ")));
    }
    if !planned.build_locally.is_empty() {
        notes.push(format!("build locally (excluded, or needing what is): {}", planned.build_locally.join(" ")));
    }
    if !planned.left_out.is_empty() {
        notes.push(format!(
            "not in the list but needed by it: {}; a drone that lacks them is fed with what the driver has, or builds them once for all",
            planned.left_out.join(" ")
        ));
    }
    notes
}
