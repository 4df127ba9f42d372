//! Which packages of a plan have to be there before each is built, and in what order that can be done.
//!
//! A package is built in a root in which what it needs *to build* is merged, and with each of these what that needs *to
//! run*. It is not merged there itself, so what it needs to run alone may come later: cycles at run time are none here.
//! A package *waits* for all of that. What has been received was itself built after what it needs to build, so only
//! what it needs to run besides, or what it did not wait for, has to be looked for behind it.
//!
//! Where packages wait for each other, Portage has found an order all the same, since the driver has an older version
//! of one of them installed. In a cycle whoever comes first in that order does not wait for those behind it.
//!
//! Cost: for each package the edges that are looked at behind what it needs to build, bounded by the caller; the order
//! is linear in what waits (Tarjan's strongly connected components, without recursion).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Edge;

/// By package, in ascending order, the packages that it waits for, those included that come behind it in this order of
/// packages; none where more than `limit` edges would have to be looked at.
pub(super) fn waits(size: usize, edges: &[Edge], limit: usize) -> Option<Vec<Vec<usize>>> {
    let mut targets: Vec<Vec<(usize, bool, bool)>> = vec![Vec::new(); size];
    for edge in edges {
        targets[edge.from.index()].push((edge.to.index(), edge.builds(), edge.runs()));
    }
    let mut looked_at = 0;
    let mut reached_by = vec![usize::MAX; size];
    let mut waits = Vec::with_capacity(size);
    for package in 0..size {
        let mut found = Vec::new();
        reached_by[package] = package;
        looked_at += targets[package].len();
        for (target, _, _) in targets[package].iter().filter(|(_, builds, _)| *builds) {
            if std::mem::replace(&mut reached_by[*target], package) != package {
                found.push(*target);
            }
        }
        let mut next = 0;
        while let Some(need) = found.get(next).copied() {
            next += 1;
            looked_at += targets[need].len();
            for (target, builds, runs) in &targets[need] {
                let waited_for = *builds && *target < need;
                if *runs && !waited_for && std::mem::replace(&mut reached_by[*target], package) != package {
                    found.push(*target);
                }
            }
            if looked_at > limit {
                return None;
            }
        }
        found.sort_unstable();
        waits.push(found);
    }
    Some(waits)
}

/// The packages so that each lies behind what it waits for, cycles apart, the one that comes first in the given order
/// first.
pub(super) fn order(waits: &[Vec<usize>]) -> Vec<usize> {
    let components = components(waits);
    let holds = |from: usize, to: usize| from > to || components[from] != components[to];
    let mut missing = vec![0_usize; waits.len()];
    let mut wanted_by = vec![Vec::new(); waits.len()];
    for (package, list) in waits.iter().enumerate() {
        for need in list.iter().copied().filter(|need| holds(package, *need)) {
            missing[package] += 1;
            wanted_by[need].push(package);
        }
    }
    let mut ready: BinaryHeap<_> = (0..waits.len()).filter(|package| missing[*package] == 0).map(Reverse).collect();
    let mut sorted = Vec::with_capacity(waits.len());
    while let Some(Reverse(package)) = ready.pop() {
        sorted.push(package);
        for waiting in &wanted_by[package] {
            missing[*waiting] -= 1;
            if missing[*waiting] == 0 {
                ready.push(Reverse(*waiting));
            }
        }
    }
    sorted
}

/// By package the number of its strongly connected component.
fn components(targets: &[Vec<usize>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let size = targets.len();
    let mut component = vec![UNSEEN; size];
    let mut entered = vec![UNSEEN; size];
    let mut lowest = vec![UNSEEN; size];
    let mut stack = Vec::new();
    let (mut clock, mut found) = (0, 0);
    for root in 0..size {
        // Each frame is a package and how many of its targets have been looked at.
        let mut frames = vec![(root, 0)];
        while let Some((package, next)) = frames.pop() {
            if next == 0 {
                if entered[package] != UNSEEN {
                    continue;
                }
                entered[package] = clock;
                lowest[package] = clock;
                clock += 1;
                stack.push(package);
            } else {
                let done = targets[package][next - 1];
                if component[done] == UNSEEN {
                    lowest[package] = lowest[package].min(lowest[done]);
                }
            }
            if let Some(target) = targets[package].get(next) {
                frames.push((package, next + 1));
                frames.push((*target, 0));
            } else if lowest[package] == entered[package] {
                while let Some(member) = stack.pop() {
                    component[member] = found;
                    if member == package {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}
