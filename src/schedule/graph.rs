//! The packages of a build as numbers: what each costs and what it needs.
//!
//! Read from lines of JSON (`{"name", "serial_s", "cpu_s", "deps": […], "memory_mib"?}`); dependencies may name packages
//! that come later. Cost: linear in packages and edges.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What a package costs, and on what it waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Seconds in which it uses one core.
    pub serial_s: f64,
    /// Processor seconds that it spends on as many cores as it may have.
    pub cpu_s: f64,
    /// The names of the packages that have to be there before it starts.
    pub deps: Vec<String>,
    /// The most memory that it takes, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
}

/// What a package costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds in which it uses one core.
    pub serial: f64,
    /// Processor seconds that it spends on as many cores as it may have.
    pub cpu: f64,
    /// The most memory that it takes, in MiB; zero where that is unknown.
    pub memory: u64,
}

impl Cost {
    /// All of its processor time.
    pub fn work(self) -> f64 {
        self.serial + self.cpu
    }

    /// The same of a package that takes this many times as long.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { serial: self.serial * factor, cpu: self.cpu * factor, ..self }
    }

    /// Seconds that it takes with this many cores for itself.
    pub fn alone(self, cores: f64) -> f64 {
        self.serial + self.cpu / cores.max(1.0)
    }
}

/// Why a graph is refused.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// A line is no package.
    #[error("line {line} is no package: {source}; wanted is {{\"name\", \"serial_s\", \"cpu_s\", \"deps\"}}")]
    Syntax {
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A number that no build can have.
    #[error("line {line}: {field} of {name:?} is {value}; it must be a number that is not negative")]
    Number {
        /// The line.
        line: usize,
        /// The package.
        name: String,
        /// Which number.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// Two packages of one name.
    #[error("line {line}: {name:?} is already on line {first}; a name stands for one package")]
    Duplicate {
        /// The line.
        line: usize,
        /// The name.
        name: String,
        /// Where it came first.
        first: usize,
    },
    /// A dependency that is not there.
    #[error("line {line}: {name:?} needs {dependency:?}, which is not in the graph")]
    Unknown {
        /// The line.
        line: usize,
        /// The package.
        name: String,
        /// What it needs.
        dependency: String,
    },
    /// Packages that wait for each other.
    #[error("line {line}: {name:?} waits for itself, by way of what it needs; leave one dependency of the circle out")]
    Cycle {
        /// The line of one of them.
        line: usize,
        /// Its name.
        name: String,
    },
    /// Nothing to build.
    #[error("the graph has no package")]
    Empty,
}

/// Packages that need each other in no circle, by index.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    costs: Vec<Cost>,
    needs: Vec<Vec<u32>>,
    dependents: Vec<Vec<u32>>,
    order: Vec<u32>,
}

impl Graph {
    /// A graph of these costs and needs; a need that is no package is left out.
    ///
    /// # Errors
    /// Packages wait for each other: the index of one of them.
    pub fn new(costs: Vec<Cost>, mut needs: Vec<Vec<u32>>) -> Result<Self, usize> {
        needs.resize(costs.len(), Vec::new());
        let mut dependents = vec![Vec::new(); costs.len()];
        let mut missing = vec![0usize; costs.len()];
        for (index, list) in needs.iter_mut().enumerate() {
            list.retain(|need| (*need as usize) < costs.len());
            list.sort_unstable();
            list.dedup();
            missing[index] = list.len();
            for need in list {
                dependents[*need as usize].push(index as u32);
            }
        }
        let mut order: Vec<u32> = (0..costs.len() as u32).filter(|index| missing[*index as usize] == 0).collect();
        let mut done = 0;
        while let Some(package) = order.get(done).copied() {
            done += 1;
            for dependent in &dependents[package as usize] {
                missing[*dependent as usize] -= 1;
                if missing[*dependent as usize] == 0 {
                    order.push(*dependent);
                }
            }
        }
        match in_circle(&needs, &missing) {
            Some(package) => Err(package),
            None => Ok(Self { costs, needs, dependents, order }),
        }
    }

    /// Reads a graph, one package a line; blank lines are skipped. Gives the names by index, too.
    ///
    /// # Errors
    /// The text is no graph; the error names the line.
    pub fn read(text: &str) -> Result<(Self, Vec<String>), GraphError> {
        let mut tasks: Vec<(usize, Task)> = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line_number = number + 1;
            let task: Task =
                serde_json::from_str(line).map_err(|source| GraphError::Syntax { line: line_number, source })?;
            for (field, value) in [("serial_s", task.serial_s), ("cpu_s", task.cpu_s)] {
                if !value.is_finite() || value < 0.0 {
                    return Err(GraphError::Number { line: line_number, name: task.name, field, value });
                }
            }
            tasks.push((line_number, task));
        }
        if tasks.is_empty() {
            return Err(GraphError::Empty);
        }
        let mut indices: HashMap<&str, usize> = HashMap::with_capacity(tasks.len());
        for (index, (line, task)) in tasks.iter().enumerate() {
            if let Some(first) = indices.insert(&task.name, index) {
                return Err(GraphError::Duplicate { line: *line, name: task.name.clone(), first: tasks[first].0 });
            }
        }
        let mut needs = Vec::with_capacity(tasks.len());
        for (line, task) in &tasks {
            let found: Result<Vec<u32>, GraphError> = task
                .deps
                .iter()
                .map(|dependency| match indices.get(dependency.as_str()) {
                    Some(index) => Ok(*index as u32),
                    None => Err(GraphError::Unknown {
                        line: *line,
                        name: task.name.clone(),
                        dependency: dependency.clone(),
                    }),
                })
                .collect();
            needs.push(found?);
        }
        let costs = tasks.iter().map(|(_, task)| Cost {
            serial: task.serial_s,
            cpu: task.cpu_s,
            memory: task.memory_mib.unwrap_or(0),
        });
        let graph = Self::new(costs.collect(), needs)
            .map_err(|package| GraphError::Cycle { line: tasks[package].0, name: tasks[package].1.name.clone() })?;
        Ok((graph, tasks.into_iter().map(|(_, task)| task.name).collect()))
    }

    /// What the packages cost.
    pub fn costs(&self) -> &[Cost] {
        &self.costs
    }

    /// How many packages.
    pub fn len(&self) -> usize {
        self.costs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.costs.is_empty()
    }

    /// What a package costs; nothing where it is not in the graph.
    pub fn cost(&self, package: u32) -> Cost {
        self.costs.get(package as usize).copied().unwrap_or_default()
    }

    /// What a package needs.
    pub fn needs(&self, package: u32) -> &[u32] {
        self.needs.get(package as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// What needs a package.
    pub fn dependents(&self, package: u32) -> &[u32] {
        self.dependents.get(package as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// The processor time of all packages.
    pub fn work(&self) -> f64 {
        self.costs.iter().map(|cost| cost.work()).sum()
    }

    /// By package: the seconds from its start to the end of all that waits for it, where each takes the time given.
    pub fn tails(&self, takes: impl Fn(Cost) -> f64) -> Vec<f64> {
        let mut tails = vec![0.0f64; self.len()];
        for package in self.order.iter().rev() {
            let after = self.after(&tails, *package);
            tails[*package as usize] = after + takes(self.cost(*package));
        }
        tails
    }

    /// The longest of the tails of what needs a package.
    pub fn after(&self, tails: &[f64], package: u32) -> f64 {
        self.dependents(package).iter().map(|dependent| tails[*dependent as usize]).fold(0.0, f64::max)
    }
}

/// A package of a circle: from any that could not be ordered, needs that could not be either lead into one.
fn in_circle(needs: &[Vec<u32>], missing: &[usize]) -> Option<usize> {
    let mut package = missing.iter().position(|missing| *missing > 0)?;
    let mut seen = vec![false; needs.len()];
    while !std::mem::replace(&mut seen[package], true) {
        package = needs[package].iter().map(|need| *need as usize).find(|need| missing[*need] > 0)?;
    }
    Some(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, deps: &[&str]) -> String {
        format!("{{\"name\":{name:?},\"serial_s\":2,\"cpu_s\":8,\"deps\":{deps:?}}}\n")
    }

    #[test]
    fn dependencies_may_come_later() {
        let (graph, names) = Graph::read(&(line("b", &["a", "a"]) + "\n" + &line("a", &[]))).unwrap();
        assert_eq!((graph.needs(0), graph.dependents(1), graph.needs(1)), (&[1][..], &[0][..], &[][..]));
        assert_eq!(names, ["b", "a"]);
        assert_eq!(graph.tails(|cost| cost.alone(4.0)), [4.0, 8.0]);
    }

    #[test]
    fn what_is_no_graph_is_refused_with_its_line() {
        let bad = |number: &str| line("a", &[]).replace('8', number);
        for (text, message) in [
            (String::new(), "the graph has no package"),
            (line("a", &[]) + "{", "line 2 is no package"),
            (line("a", &[]) + &line("a", &[]), "line 2: \"a\" is already on line 1"),
            (line("a", &["b"]), "line 1: \"a\" needs \"b\", which is not in the graph"),
            (line("x", &["a"]) + &line("a", &["b"]) + &line("b", &["a"]), "line 2: \"a\" waits for itself"),
            (line("a", &["a"]), "line 1: \"a\" waits for itself"),
            (bad("-1"), "line 1: cpu_s of \"a\" is -1"),
            (bad("1e999"), "line 1 is no package"),
        ] {
            let error = Graph::read(&text).unwrap_err().to_string();
            assert!(error.contains(message), "{error:?} of {text:?}");
        }
    }
}
