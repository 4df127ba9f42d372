//! The page's own files, as a browser gets them: compiled in, so that page and service are always of one version.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::answer::{Tagged, Trouble};

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! script {
    ($name:literal) => {
        ($name, SCRIPT, include_str!(concat!("files/", $name)))
    };
}

/// Name, kind and content of each.
const FILES: &[(&str, &str, &str)] = &[
    ("index.html", "text/html; charset=utf-8", include_str!("files/index.html")),
    ("page.css", "text/css; charset=utf-8", include_str!("files/page.css")),
    ("icon.svg", "image/svg+xml", include_str!("files/icon.svg")),
    script!("app.js"),
    script!("dom.js"),
    script!("words.js"),
    script!("server.js"),
    script!("overview.js"),
    script!("packages.js"),
    script!("package.js"),
    script!("log.js"),
    script!("timeline.js"),
    script!("waiting.js"),
    script!("history.js"),
    script!("releases.js"),
];

static TAGGED: LazyLock<Vec<(&'static str, Tagged)>> =
    LazyLock::new(|| FILES.iter().map(|(name, kind, text)| (*name, Tagged::new(kind, *text))).collect());

fn find(name: &str) -> Option<&'static Tagged> {
    TAGGED.iter().find_map(|(each, tagged)| (*each == name).then_some(tagged))
}

/// `GET /page/FILE`.
///
/// # Errors
/// There is no such file.
pub async fn answer(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Trouble> {
    find(&name).map(|file| file.answer(&headers)).ok_or_else(|| Trouble::absent("the page has no such file"))
}

/// The page itself, where these headers are those of a browser: it asks for `text/html` by name.
pub fn page(headers: &HeaderMap) -> Option<Response> {
    let accepted = headers.get(header::ACCEPT)?.to_str().ok()?;
    if !accepted.to_ascii_lowercase().contains("text/html") {
        return None;
    }
    let mut answer = find("index.html")?.answer(headers);
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_script_makes_elements_of_text_or_loads_from_elsewhere() {
        for (name, _, text) in FILES {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "DOMParser",
                "createContextualFragment",
                "eval(",
                "new Function",
                "http://",
                "https://",
                "localStorage",
            ] {
                let text = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!text.contains(word), "{word} in {name}");
            }
        }
    }

    #[test]
    fn every_file_that_the_page_loads_is_there_and_none_besides() {
        let is_named = |name: &str| {
            let named = |text: &str| ["\"", "/"].iter().any(|before| text.contains(&format!("{before}{name}\"")));
            FILES.iter().any(|(_, _, text)| named(text))
        };
        for (name, _, text) in FILES {
            assert!(*name == "index.html" || is_named(name), "nothing loads {name}");
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let from = line.split('"').nth(1).unwrap();
                assert!(from.strip_prefix("./").is_some_and(|from| find(from).is_some()), "{name}: {line}");
            }
        }
    }
}
