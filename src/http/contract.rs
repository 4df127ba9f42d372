//! Routes with what they promise: a service's router and its OpenAPI document (version 3.1) are made by the same calls, so
//! that no route is without its words, and none is described that is not there.
//!
//! The document's schemas come from the types that are written and read ([`schemars`]); what a type says of itself is what
//! stands there.

use std::convert::Infallible;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Where an OpenAPI document has its schemas.
const SCHEMAS: &str = "/components/schemas";

/// What is in a body.
#[derive(Debug, Clone, Copy)]
enum Content {
    /// JSON of a type.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Server-sent events, each of which is JSON of a type.
    Events(fn(&mut SchemaGenerator) -> Schema),
    /// Something of this media type.
    Other(&'static str),
}

/// An answer that a route may give.
#[derive(Debug, Clone, Copy)]
struct Answer {
    status: u16,
    says: &'static str,
    contents: [Option<Content>; 2],
}

/// What a route promises.
#[derive(Debug, Clone)]
pub struct Promise {
    does: &'static str,
    takes: Option<Content>,
    wants_token: bool,
    answers: Vec<Answer>,
}

impl Promise {
    /// One to do this.
    pub fn to(does: &'static str) -> Self {
        Self { does, takes: None, wants_token: false, answers: Vec::new() }
    }

    fn answer(mut self, status: u16, says: &'static str, content: Option<Content>) -> Self {
        self.answers.push(Answer { status, says, contents: [content, None] });
        self
    }

    /// It may answer with JSON of this type.
    pub fn json<T: JsonSchema>(self, status: u16, says: &'static str) -> Self {
        self.answer(status, says, Some(Content::Json(SchemaGenerator::subschema_for::<T>)))
    }

    /// It may answer with server-sent events, each of which has JSON of this type.
    pub fn events<T: JsonSchema>(self, says: &'static str) -> Self {
        self.answer(200, says, Some(Content::Events(SchemaGenerator::subschema_for::<T>)))
    }

    /// It may answer with text, as all do that say what is wrong.
    pub fn text(self, status: u16, says: &'static str) -> Self {
        self.other(status, "text/plain", says)
    }

    /// It may answer with something of this media type; `*/*` is any.
    pub fn other(self, status: u16, media_type: &'static str, says: &'static str) -> Self {
        self.answer(status, says, Some(Content::Other(media_type)))
    }

    /// It may answer with JSON of this type where that is asked for (`Accept: application/json`), else with text.
    pub fn text_or_json<T: JsonSchema>(mut self, status: u16, says: &'static str) -> Self {
        let contents = [Content::Other("text/plain"), Content::Json(SchemaGenerator::subschema_for::<T>)].map(Some);
        self.answers.push(Answer { status, says, contents });
        self
    }

    /// It may answer with a head alone.
    pub fn head(self, status: u16, says: &'static str) -> Self {
        self.answer(status, says, None)
    }

    /// It takes JSON of this type, of whoever has the token.
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(Content::Json(SchemaGenerator::subschema_for::<T>));
        self
    }

    /// It is done for those alone who have the token.
    pub fn for_who_may(mut self) -> Self {
        self.wants_token = true;
        self.text(401, "The token is missing or another one; `WWW-Authenticate` is there")
            .text(403, "Nothing can be changed here, as no token is configured")
            .text(408, "The body did not arrive in time")
            .text(413, "The body is too large")
            .text(429, "Too many tries came from this address; `Retry-After` says when to come again")
    }
}

/// A route.
#[derive(Debug, Clone)]
struct Route {
    method: &'static str,
    path: &'static str,
    promise: Promise,
}

/// Routes, and what each promises.
#[derive(Debug)]
pub struct Contract<S> {
    router: Router<S>,
    routes: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Contract<S> {
    /// One without routes.
    pub fn new() -> Self {
        Self { router: Router::new(), routes: Vec::new() }
    }

    /// Answers `GET` of a path, and `HEAD` with the head of that answer.
    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, promise: Promise, handler: H) -> Self {
        self.route("get", path, promise, get(handler))
    }

    /// Answers `POST` of a path.
    pub fn post<H: Handler<T, S>, T: 'static>(self, path: &'static str, promise: Promise, handler: H) -> Self {
        self.route("post", path, promise, post(handler))
    }

    fn route(
        mut self,
        method: &'static str,
        path: &'static str,
        promise: Promise,
        handler: MethodRouter<S, Infallible>,
    ) -> Self {
        self.routes.push(Route { method, path, promise });
        Self { router: self.router.route(path, handler), routes: self.routes }
    }

    /// Answers what a web page of our own asks for, and nobody else has to know of.
    pub fn beside(self, router: Router<S>) -> Self {
        Self { router: self.router.merge(router), ..self }
    }

    /// The router.
    pub fn into_router(self) -> Router<S> {
        self.router
    }

    /// Each method and path, as OpenAPI writes them.
    pub fn routes(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.routes.iter().map(|route| (route.method, template(route.path)))
    }

    /// The OpenAPI document.
    pub fn document(&self, title: &str, description: &str) -> Value {
        let mut schemas = Schemas::new();
        let mut paths = Map::new();
        for route in &self.routes {
            let operation = operation(route, &mut schemas);
            let path = paths.entry(template(route.path)).or_insert_with(|| json!({}));
            path[route.method] = operation;
        }
        json!({
            "openapi": "3.1.0",
            "info": { "title": title, "description": description, "version": env!("CARGO_PKG_VERSION") },
            "paths": paths,
            "components": {
                "schemas": schemas.all(),
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            },
        })
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Contract<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// The schemas of what is sent and of what is taken: what may be left out differs.
struct Schemas {
    sent: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
            })
        };
        Self { sent: settings().for_serialize().into_generator(), taken: settings().for_deserialize().into_generator() }
    }

    /// All of them by name. A type that is both sent and taken has one form; where it would have two, and a reference could
    /// mean either, its entry is what no schema can be, so that whoever checks the document finds it.
    fn all(mut self) -> Map<String, Value> {
        let mut all = self.taken.take_definitions(true);
        for (name, sent) in self.sent.take_definitions(true) {
            let clashes = all.get(&name).is_some_and(|taken| *taken != sent);
            all.insert(name, if clashes { "is sent otherwise than it is taken".into() } else { sent });
        }
        all
    }
}

/// A path as OpenAPI writes it: one parameter is one segment there, and the rest of a path cannot be said.
fn template(path: &str) -> String {
    path.replace("{*", "{")
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let Promise { does, takes, wants_token, answers } = &route.promise;
    let mut responses = Map::new();
    for answer in answers {
        let contents = answer.contents.iter().flatten();
        let content: Map<String, Value> = contents.map(|content| media(*content, &mut schemas.sent)).collect();
        let mut response = json!({ "description": answer.says });
        if !content.is_empty() {
            response["content"] = content.into();
        }
        responses.insert(answer.status.to_string(), response);
    }
    let mut operation = json!({ "summary": does, "operationId": id(route), "responses": responses });
    let parameters: Vec<Value> = parameters(route.path).map(parameter).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(content) = takes {
        let content: Map<String, Value> = [media(*content, &mut schemas.taken)].into_iter().collect();
        operation["requestBody"] = json!({ "content": content });
    }
    if *wants_token {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}

/// A name for programs that are made of the document.
fn id(route: &Route) -> String {
    let words = route.path.split(|each: char| !each.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = std::iter::once(route.method).chain(words).collect();
    words.join("_")
}

fn parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_start_matches('*'))
}

fn parameter(name: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": "The rest of the path: it may have slashes, which are not encoded.",
        "schema": { "type": "string" },
    })
}

fn media(content: Content, schemas: &mut SchemaGenerator) -> (String, Value) {
    match content {
        Content::Json(schema) => ("application/json".to_owned(), json!({ "schema": schema(schemas) })),
        Content::Events(schema) => {
            // OpenAPI 3.1 knows no streams; what stands here is true of the `data` of each event.
            let data =
                json!({ "type": "string", "contentMediaType": "application/json", "contentSchema": schema(schemas) });
            ("text/event-stream".to_owned(), json!({ "schema": data }))
        }
        Content::Other(media_type) => (media_type.to_owned(), json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, JsonSchema)]
    struct Said {
        /// A word.
        word: String,
    }

    async fn nothing() {}

    #[test]
    fn a_document_says_of_each_route_what_was_promised_with_it() {
        let contract: Contract<()> = Contract::new()
            .get("/a", Promise::to("tells").json::<Said>(200, "Told"), nothing)
            .post("/a", Promise::to("is told").takes::<Said>().for_who_may().head(204, "Heard"), nothing)
            .get("/b/{*path}", Promise::to("gives").other(200, "*/*", "It"), nothing);
        assert_eq!(contract.routes().collect::<Vec<_>>().len(), 3);
        let document = contract.document("x", "y");
        let said = json!({ "$ref": "#/components/schemas/Said" });
        assert_eq!(document["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"], said);
        assert_eq!(document["paths"]["/a"]["post"]["requestBody"]["content"]["application/json"]["schema"], said);
        assert_eq!(document["paths"]["/a"]["post"]["security"], json!([{ "token": [] }]));
        assert_eq!(document["paths"]["/b/{path}"]["get"]["parameters"][0]["name"], "path");
        assert_eq!(document["components"]["schemas"]["Said"]["properties"]["word"]["description"], "A word.");
    }
}
