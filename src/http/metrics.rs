//! Prometheus' text form of metrics, version 0.0.4 of the exposition format.
//!
//! A page knows each family that it was asked to show, also one that has no sample at this moment: so the reference and
//! the tests have them all from the very calls that write them.

use std::fmt::{Display, Write};

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// What a family of metrics is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, or begins at zero again.
    Counter,
    /// It is as it is.
    Gauge,
}

impl Kind {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// Samples of one meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// What it is.
    pub kind: Kind,
    /// Its name: what is measured in which base unit, `_total` behind a counter.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// What tells its samples apart.
    pub labels: Vec<&'static str>,
}

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    families: Vec<Family>,
}

impl Page {
    /// Gauges: each with the values of its labels.
    pub fn gauges<'a, const LABELS: usize, V: Display>(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
        samples: impl IntoIterator<Item = ([&'a str; LABELS], V)>,
    ) {
        self.family(Kind::Gauge, name, help, labels, samples);
    }

    /// Counters: each with the values of its labels.
    pub fn counters<'a, const LABELS: usize, V: Display>(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
        samples: impl IntoIterator<Item = ([&'a str; LABELS], V)>,
    ) {
        self.family(Kind::Counter, name, help, labels, samples);
    }

    /// A gauge that there is one of, or none at this moment.
    pub fn gauge<V: Display>(&mut self, name: &'static str, help: &'static str, value: Option<V>) {
        self.family(Kind::Gauge, name, help, [], value.map(|value| ([], value)));
    }

    /// A counter that there is one of.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: impl Display) {
        self.family(Kind::Counter, name, help, [], [([], value)]);
    }

    fn family<'a, const LABELS: usize, V: Display>(
        &mut self,
        kind: Kind,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
        samples: impl IntoIterator<Item = ([&'a str; LABELS], V)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            let _infallible = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
        }
        for (values, value) in samples {
            let mut between = '{';
            self.text.push_str(name);
            for (label, value) in labels.iter().zip(values) {
                let _infallible = write!(self.text, "{between}{label}=\"{}\"", escaped(value));
                between = ',';
            }
            let end = if LABELS == 0 { "" } else { "}" };
            let _infallible = writeln!(self.text, "{end} {value}");
        }
        self.families.push(Family { kind, name, help, labels: labels.to_vec() });
    }

    /// All that it can show.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], self.text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_prometheus_wants_it_and_knows_what_has_no_sample_too() {
        let mut page = Page::default();
        page.counter("a_total", "Counts.", 3);
        page.gauges("b", "Is.", ["name", "state"], [(["x\"\\\n", "up"], 1.5), (["y", "down"], 0.0)]);
        page.gauge("c", "Is sometimes.", None::<u8>);
        let text = "# HELP a_total Counts.\n# TYPE a_total counter\na_total 3\n\
                    # HELP b Is.\n# TYPE b gauge\nb{name=\"x\\\"\\\\\\n\",state=\"up\"} 1.5\nb{name=\"y\",state=\"down\"} 0\n";
        assert_eq!(page.text(), text);
        let known: Vec<_> = page.families().iter().map(|family| (family.name, family.labels.len())).collect();
        assert_eq!(known, [("a_total", 0), ("b", 2), ("c", 0)]);
    }
}
