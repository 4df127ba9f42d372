//! A line of `swarm push --json`: an event's name, when it happened, and its fields, all side by side.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::core::event::Event;
use crate::core::names::Timestamp;
use crate::core::status::Moment;

/// The key of the event's name.
const NAME: &str = "event";
/// The key of the moment.
const TIME: &str = "time";

/// The line of an event.
pub fn of(event: &Event, at: Timestamp) -> Value {
    let mut flat = Map::new();
    if let Ok(Value::Object(object)) = serde_json::to_value(event)
        && let Some((name, fields)) = object.into_iter().next()
    {
        flat.insert(NAME.to_owned(), name.into());
        flat.insert(TIME.to_owned(), json!(Moment(at)));
        if let Value::Object(fields) = fields {
            flat.extend(fields);
        }
    }
    Value::Object(flat)
}

/// The type of such a line, for its schema: that of [`Event`], turned as [`of`] turns an event.
#[derive(Debug)]
pub struct EventLine;

impl JsonSchema for EventLine {
    fn schema_name() -> Cow<'static, str> {
        "EventLine".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = generator.subschema_for::<Moment>();
        let event = Event::json_schema(generator);
        let kinds = event.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
        let lines: Vec<Value> = kinds.iter().filter_map(|kind| line_of(kind, &time)).collect();
        json_schema!({ "description": "An event, with its name and when it happened.", "oneOf": lines })
    }
}

/// The schema of the line of one kind of event: `{"NAME": {fields}}` becomes `{"event": "NAME", "time": …, fields}`.
fn line_of(kind: &Value, time: &Schema) -> Option<Value> {
    let (name, mut fields) = kind["properties"].as_object()?.iter().next().map(|(name, of)| (name, of.clone()))?;
    if let Some(description) = kind.get("description") {
        fields["description"] = description.clone();
    }
    fields["properties"][NAME] = json!({ "const": name });
    fields["properties"][TIME] = time.clone().to_value();
    let required = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    fields["required"] = [json!(NAME), json!(TIME)].into_iter().chain(required).collect();
    Some(fields)
}
