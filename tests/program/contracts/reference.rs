//! The files of `docs/reference/` that are made from the types: `SWARM_BLESS=1` writes them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use swarm::controller::api::Told;
use swarm::controller::socket;
use swarm::core::event::Event;
use swarm::core::status::{OwnStatus, Status};
use swarm::ui::event_line::EventLine;
use swarm::{gateway, orchestrator};

use super::Held;
use crate::kept;

/// The schema of what this type writes.
pub fn schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    readable(generator.into_root_schema_for::<T>().to_value())
}

/// The documents of all that is asked over HTTP, by the last part of their file's name.
pub fn documents() -> [(&'static str, Value); 3] {
    [
        ("orchestrator", readable(orchestrator::routes::document())),
        ("gateway", readable(gateway::routes::document())),
        ("controller", readable(socket::document())),
    ]
}

/// The same with descriptions that can be read outside of the code: lines are joined, and links to it are its names.
fn readable(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let field = |(key, value): (String, Value)| {
                let value = match value {
                    Value::String(text) if key == "description" => {
                        text.replace('\n', " ").replace("[`", "`").replace("`]", "`").into()
                    }
                    value => readable(value),
                };
                (key, value)
            };
            fields.into_iter().map(field).collect()
        }
        Value::Array(values) => values.into_iter().map(readable).collect(),
        value => value,
    }
}

#[test]
fn the_kept_files_are_what_the_types_say() {
    let schemas = [
        ("event", schema::<Event>()),
        ("told", schema::<Told>()),
        ("push-event", schema::<EventLine>()),
        ("status", schema::<Status>()),
        ("orchestrator-status", schema::<OwnStatus>()),
    ];
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n";
    for (name, schema) in schemas {
        kept::hold(&format!("docs/reference/{name}.schema.json"), &text(&schema));
    }
    for (name, document) in documents() {
        kept::hold(&format!("docs/reference/openapi-{name}.json"), &text(&document));
    }
}

#[test]
fn the_documents_are_openapi() {
    let mut held = Held::default();
    for (_, document) in documents() {
        held.openapi(&document);
    }
    held.assert_good();
}
