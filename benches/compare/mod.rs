//! Figures side by side with what an operator would use instead, and the table of them.
#![allow(dead_code, reason = "each benchmark uses what it needs of it")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One line of the table: what was measured, ours, the others', and what was to be reached.
pub struct Row {
    what: String,
    ours: Figure,
    beside: Vec<(String, Option<Figure>)>,
    bar: Bar,
}

/// What is measured; of each, less is better.
#[derive(Clone, Copy)]
pub enum Figure {
    Time(Duration),
    /// In bytes.
    Size(u64),
    /// In hundredths.
    Percent(f64),
}

/// What is to be reached.
pub enum Bar {
    /// So many times as fast as the fastest of the others that could be measured.
    Times(f64),
    /// No more than this.
    Most(Figure),
    /// Told alone.
    None,
}

impl Figure {
    fn value(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Size(bytes) => bytes as f64,
            Self::Percent(percent) => percent,
        }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Time(time) if time < Duration::from_millis(1) => write!(formatter, "{} µs", time.as_micros()),
            Self::Time(time) if time < Duration::from_secs(1) => {
                write!(formatter, "{:.1} ms", time.as_secs_f64() * 1000.0)
            }
            Self::Time(time) => write!(formatter, "{:.2} s", time.as_secs_f64()),
            Self::Size(bytes) => write!(formatter, "{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
            Self::Percent(percent) => write!(formatter, "{percent:.2} %"),
        }
    }
}

impl Row {
    pub fn new(what: &str, ours: Figure, bar: Bar) -> Self {
        Self { what: what.to_owned(), ours, beside: Vec::new(), bar }
    }

    /// What another took for the same; none where it is not installed here.
    pub fn beside(mut self, name: &str, figure: Option<Figure>) -> Self {
        self.beside.push((name.to_owned(), figure));
        self
    }

    /// How many times as fast we are as the fastest of the others.
    fn ratio(&self) -> Option<f64> {
        let others = self.beside.iter().filter_map(|(_, figure)| *figure).map(Figure::value);
        others.min_by(f64::total_cmp).map(|fastest| fastest / self.ours.value())
    }

    /// Whether the bar is reached; not where there is nothing to compare with.
    fn is_good(&self) -> bool {
        match self.bar {
            Bar::Times(times) => self.ratio().is_some_and(|ratio| ratio >= times),
            Bar::Most(most) => self.ours.value() <= most.value(),
            Bar::None => true,
        }
    }

    /// A line of a Markdown table.
    fn line(&self) -> String {
        let others = self.beside.iter().map(|(name, figure)| format!("{name} {}", shown(*figure)));
        let bar = match self.bar {
            Bar::Times(times) => format!("{times} times"),
            Bar::Most(most) => format!("{most}"),
            Bar::None => "–".to_owned(),
        };
        let ratio = self.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        let verdict = if self.is_good() { "" } else { " **missed**" };
        format!(
            "| {} | {} | {} | {ratio} | {bar}{verdict} |",
            self.what,
            self.ours,
            others.collect::<Vec<_>>().join(", ")
        )
    }
}

/// Prints the lines; whether every bar was reached.
pub fn report(rows: &[Row]) -> bool {
    for row in rows {
        println!("{}", row.line());
    }
    rows.iter().all(Row::is_good)
}

/// The number in an environment variable, or the usual one.
pub fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

/// The program that is measured: the one that SWARM_BENCH_PROGRAM names, as it is shipped, or that of this profile.
pub fn program() -> PathBuf {
    std::env::var_os("SWARM_BENCH_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_swarm").into(), PathBuf::from)
}

/// A figure, or that there is none.
pub fn shown(figure: Option<Figure>) -> String {
    figure.map_or_else(|| "not installed".to_owned(), |figure| figure.to_string())
}

/// The median of the times of so many rounds.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// How long something takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begin = Instant::now();
    let result = work();
    (begin.elapsed(), result)
}
