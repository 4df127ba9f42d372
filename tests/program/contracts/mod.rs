//! What other programs rely on: the JSON of `push`, `status`, the journal and HTTP. The schemas and documents that are
//! kept in `docs/reference/` are those of the types, and what the real program says is as they have it.

mod events;
mod reference;
mod services;
mod status;

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{installed, kept};

/// What is to be held against schemas, and is all at once: the checker takes a moment to start.
#[derive(Default)]
struct Held(Vec<Value>);

impl Held {
    /// Values that come from here on are held against this.
    fn root(&mut self, root: &Value) {
        self.0.push(json!({ "root": root }));
    }

    /// This value, said by whom the name has, is as the root says.
    fn hold(&mut self, name: &str, value: Value) {
        self.hold_besides(name, &json!({}), value);
    }

    /// The same, and as this schema says, whose references lead into the root.
    fn hold_besides(&mut self, name: &str, schema: &Value, value: Value) {
        self.0.push(json!({ "schema": schema, "name": name, "value": value }));
    }

    /// This is a document as OpenAPI wants it.
    fn openapi(&mut self, document: &Value) {
        self.0.push(json!({ "openapi": document }));
    }

    /// Whatever is wrong with any of them.
    fn faults(&self) -> String {
        let Some(python) = installed::program("OPENAPI_VENV", "python") else { return String::new() };
        let mut command = Command::new(python);
        command.arg(kept::path("tests/program/contracts/check.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut checking = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut into = checking.stdin.take().unwrap();
        let lines: String = self.0.iter().map(|each| format!("{each}\n")).collect();
        // It says all at the end.
        let writing = std::thread::spawn(move || into.write_all(lines.as_bytes()).is_ok());
        let output = checking.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && writing.join().unwrap(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn assert_good(&self) {
        let faults = self.faults();
        assert!(faults.is_empty(), "{faults}");
    }
}

#[test]
fn the_checker_finds_what_is_not_as_its_schema_says() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"] });
    let mut held = Held::default();
    held.root(&json!({}));
    for value in [json!({ "a": 1 }), json!({ "a": "x" }), json!({}), json!({ "a": 1, "b": 2 })] {
        held.hold_besides("it", &json!({ "allOf": [schema] }), value);
    }
    held.root(&schema);
    held.hold("closed", json!({ "a": 1, "b": 2 }));
    held.openapi(&json!({ "openapi": "3.1.0", "info": { "title": "x" } }));
    let faults = held.faults();
    if installed::program("OPENAPI_VENV", "python").is_some() {
        for part in [
            "it: 'x' is not of type",
            "it: 'a' is a required",
            "closed: Additional properties",
            "x: 'version' is a required",
        ] {
            assert!(faults.contains(part), "{part} is not in:\n{faults}");
        }
    }
}
