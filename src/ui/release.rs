//! What a release brought, in words.

use crate::controller::finalize::Released;

/// A line a change, the sum last.
pub fn lines(released: &Released) -> Vec<String> {
    let contents = &released.contents;
    let mut lines: Vec<String> = contents.added.iter().map(|path| format!("+ {path}")).collect();
    lines.extend(contents.superseded.iter().map(|path| format!("- {path}")));
    lines.extend(released.left_out.iter().map(|entry| format!("left out of the old production: {entry}")));
    if released.copied > 0 {
        lines.push(format!(
            "{} packages were copied, since staging and production lie on different file systems",
            released.copied
        ));
    }
    let sum = format!(
        "{} packages, {} new, {} gone",
        contents.index.stanzas.len(),
        contents.added.len(),
        contents.superseded.len()
    );
    lines.push(match &released.release {
        Some(release) => format!("release {release} is live: {sum}"),
        None => format!("a release would have {sum}; nothing was changed"),
    });
    lines
}
