//! What is on the screen, in a real browser: Debian's Chromium. `SWARM_SCREENSHOTS=DIRECTORY` keeps pictures.

use serde_json::{Value, json};

use super::browser::{Browser, DESKTOP, PHONE};
use super::farm::{Farm, REASON, label};
use crate::services::place::{Place, free_port};
use crate::services::production::release;

/// A build that began so many seconds ago, with two packages that fail, up to now.
fn farm(place: &Place, size: usize, seconds: i64) -> Farm {
    let now = jiff::Timestamp::now().as_second();
    let farm = Farm::open(&place.path("state"), size, now - seconds).failing([0, 3]).play(now);
    farm.write_logs(0, &format!("{REASON}\n").repeat(50));
    farm
}

/// Fails at the first text whose contrast with what is behind it is less than 4.5 (WCAG 2.2, 1.4.3), and where the page
/// is wider than the screen.
const LEGIBLE: &str = r"(() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
  const light = ({ r, g, b }) => { const [x, y, z] = [r, g, b].map((each) => { const s = each / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; }); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const behind = (element) => { for (let at = element; at; at = at.parentElement) { const ground = parse(getComputedStyle(at).backgroundColor); if (ground.a === 1) return ground; } return { r: 255, g: 255, b: 255 }; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const bad = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.unseen, .skip, :disabled')) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(parse(element instanceof SVGElement ? style.fill : style.color)), light(behind(element))].sort((left, right) => right - left);
    if ((one + 0.05) / (other + 0.05) < 4.5) bad.push(`${walker.currentNode.data}: ${(one + 0.05) / (other + 0.05)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) bad.push(`${document.documentElement.scrollWidth} wide`);
  return bad;
})()";

/// What has the focus, and whether it can be seen that it has.
const FOCUS: &str = r"(() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const drawn = at.querySelector('rect');
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || drawn && parseFloat(getComputedStyle(drawn).strokeWidth) >= 4;
  const name = at.getAttribute('aria-label') ?? (at.labels?.[0]?.textContent || at.textContent);
  return { tag: at.tagName.toLowerCase(), name: name.trim(), ring: Boolean(ring), href: at.getAttribute('href') };
})()";

#[test]
fn a_look_tells_how_things_stand_on_a_telephone_and_on_a_desk_by_day_and_by_night() {
    let Some(mut browser) = Browser::start() else { return };
    let place = Place::new("", "");
    release(&place.production(), 1, b"one");
    release(&place.production(), 2, b"another");
    let _farm = farm(&place, 300, 3000).in_trouble();
    let service = place.orchestrator();
    let first = label(0);
    browser.open(&service.url);
    for text in ["123 MiB left", "work waits and nothing is built", "At deneb", "two packages failed", "In turn 1"] {
        browser.wait_for(text);
    }
    let views = [
        ("overview", "overview".to_owned(), "Next:"),
        ("packages", "packages".to_owned(), "300 packages"),
        ("failed", "packages?place=failed".to_owned(), first.as_str()),
        ("package", format!("package/{}", label(0).replace('/', "%2F")), "is not tried again"),
        ("log", format!("log/{}", label(0).replace('/', "%2F")), "compile phase"),
        ("timeline", "timeline".to_owned(), "jobs on 4 drones"),
        ("waiting", "waiting".to_owned(), "packages that are not there yet"),
        ("history", "history".to_owned(), "at the 90th percentile"),
        ("releases", "releases".to_owned(), "what changed"),
        ("changes", "releases/000001-000001/000001-000002".to_owned(), "No difference."),
    ];
    for (size, screen) in [("phone", PHONE), ("desk", DESKTOP)] {
        for (light, dark) in [("day", false), ("night", true)] {
            browser.screen(screen, dark);
            browser.open(&service.url);
            browser.wait_for("Next:");
            for (name, fragment, text) in &views {
                browser.value(&format!("location.hash = {}", json!(fragment)));
                browser.wait_for(text);
                browser.wait("document.getElementById('connection').innerText === 'live'");
                assert_eq!(browser.value(LEGIBLE), json!([]), "{name} on a {size} by {light}");
                browser.picture(&format!("{name}-{size}-{light}"));
                assert_eq!(browser.complaints(), [""; 0], "{name} on a {size} by {light}");
            }
        }
    }
}

#[test]
fn nothing_of_a_name_a_reason_or_a_log_runs_and_what_acts_unseen_is_shown() {
    let Some(mut browser) = Browser::start() else { return };
    let place = Place::new("", "");
    let _farm = farm(&place, 60, 3000);
    let service = place.orchestrator();
    browser.screen(DESKTOP, false);
    for fragment in [
        "overview",
        "package/0",
        "log/0",
        "packages?filter=%3Cimg%20src%3Dx%3E",
        "package/%3Cimg%20src=x%20onerror=alert(1)%3E",
    ] {
        browser.open(&format!("{}/#{fragment}", service.url));
        browser.wait("document.querySelector('.body')?.childElementCount > 0 || document.querySelector('[role=alert]')?.innerText.length > 0");
        browser.wait("document.getElementById('connection').innerText === 'live'");
        assert_eq!(
            browser.value("document.querySelectorAll('img, main script, main b > *, iframe, base').length"),
            0,
            "{fragment}"
        );
        assert!(!browser.value("document.title").as_str().unwrap().contains("ran"), "{fragment}");
        let names_it_all = fragment.ends_with('0');
        if names_it_all {
            // A log comes after the page that shows it.
            browser.wait("document.body.innerText.includes('desrever')");
        }
        let text = browser.text();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text}");
        if names_it_all {
            for part in [
                "<img src=x onerror=\"document.title='ran'\">",
                "</script><script>",
                "\\u{1b}[31merror",
                "\\u{202e}desrever",
            ] {
                assert!(text.contains(part), "{part} is not in {fragment}: {text}");
            }
        }
        let complaints = browser.complaints();
        let only_absent =
            complaints.iter().all(|complaint| complaint.contains("404 (Not Found)") && fragment.contains("onerror"));
        assert!(only_absent, "{fragment}: {complaints:?}");
    }
    // Even what a script of the page's own would do is refused by its policy.
    let tried = browser.value(
        "new Promise((told) => { addEventListener('securitypolicyviolation', (event) => told(event.effectiveDirective), { once: true }); \
         const script = document.createElement('script'); script.textContent = 'document.title = \"ran\"'; document.body.append(script); })",
    );
    assert_eq!(tried, "script-src-elem");
}

#[test]
fn all_of_it_is_reached_from_the_keyboard_and_the_focus_is_seen() {
    let Some(mut browser) = Browser::start() else { return };
    let place = Place::new("", "");
    let _farm = farm(&place, 60, 1500);
    let service = place.orchestrator();
    browser.screen(DESKTOP, false);
    browser.open(&format!("{}/", service.url));
    browser.wait_for("Next:");
    browser.press("Tab");
    assert_eq!(
        browser.value(FOCUS),
        json!({"tag": "a", "name": "Skip to the content", "ring": true, "href": "#content"})
    );
    browser.press("Enter");
    assert_eq!(browser.value("document.activeElement.id"), "content");
    browser.press("Tab");
    assert_eq!(browser.value(FOCUS)["href"], "#packages?place=received");

    // Through the header to another view, whose heading then has the focus.
    browser.open(&format!("{}/#overview", service.url));
    browser.wait_for("Next:");
    let mut seen = Vec::new();
    while seen.last().is_none_or(|focus: &Value| focus["href"] != "#timeline") {
        browser.press("Tab");
        seen.push(browser.value(FOCUS));
        assert!(seen.len() < 9, "{seen:?}");
    }
    browser.press("Enter");
    browser.wait("document.activeElement.tagName === 'H1' && document.activeElement.innerText === 'Timeline'");
    browser.wait("document.querySelector('details') !== null");
    // Everything on a view in turn, each with a name and a ring; the chart moves by its keys.
    let mut names = Vec::new();
    loop {
        browser.press("Tab");
        let focus = browser.value(FOCUS);
        if focus["tag"] == "body" {
            break;
        }
        assert!(focus["ring"] == true && focus["name"].as_str().is_some_and(|name| !name.is_empty()), "{focus}");
        names.push(focus["name"].as_str().unwrap().to_owned());
        assert!(names.len() < 60, "{names:?}");
        if focus["tag"] == "canvas" {
            let picture = "document.querySelector('.timeline canvas').toDataURL()";
            let before = browser.value(picture);
            browser.press("+");
            browser.wait(&format!("{picture} !== {before}"));
        }
        if focus["tag"] == "summary" {
            browser.press("Enter");
            browser.wait(
                "document.querySelector('details').open && document.querySelectorAll('details tbody tr').length > 10",
            );
        }
    }
    for name in ["Show less time", "Show all", "The same as a table, the latest first", "Jobs of the build"] {
        assert!(names.iter().any(|each| each == name), "{name} is not among {names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("Timeline of jobs")), "{names:?}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn what_happens_is_seen_and_said_at_once_and_so_is_a_connection_that_is_lost_and_found() {
    let Some(mut browser) = Browser::start() else { return };
    let place = Place::new("", "");
    let mut farm = farm(&place, 300, 1500);
    let address = format!("127.0.0.1:{}", free_port());
    let service = place.serve(&["orchestrator", "--listen", &address]);
    browser.screen(PHONE, false);
    browser.open(&format!("{}/", service.url));
    browser.wait_for("Next:");
    let received = |browser: &mut Browser| {
        browser.value("Number(document.querySelector('.counts .received b').innerText)").as_u64().unwrap()
    };
    let before = received(&mut browser);
    // The focus stays where it is while the view changes.
    browser.value("document.querySelector('.counts .failed a').focus()");
    farm.end(&farm.job());
    browser.wait(&format!("Number(document.querySelector('.counts .received b').innerText) === {}", before + 1));
    assert_eq!(browser.value(FOCUS)["href"], "#packages?place=failed");

    // The last attempt of a package on the last drone that it was not tried on.
    farm.fail();
    browser.wait("document.getElementById('announcement').innerText.includes('have failed')");

    service.kill();
    browser.wait("document.getElementById('connection').innerText.startsWith('not connected since')");
    assert_eq!(browser.value("document.getElementById('connection').getAttribute('role')"), "status");
    let service = place.serve(&["orchestrator", "--listen", &address]);
    browser.wait("document.getElementById('connection').innerText === 'live'");
    drop(service);
}

#[test]
fn a_large_build_is_shown_in_parts() {
    let Some(mut browser) = Browser::start() else { return };
    let place = Place::new("", "");
    let _farm = farm(&place, 1500, 4000);
    let service = place.orchestrator();
    browser.screen(DESKTOP, false);
    browser.open(&format!("{}/#packages", service.url));
    browser.wait_for("1 to 100 of");
    assert_eq!(browser.value("document.querySelectorAll('tbody tr').length"), 100);
    browser.value("[...document.querySelectorAll('.pages button')].at(-1).click()");
    browser.wait_for("101 to 200 of");
    assert_eq!(browser.value("location.hash"), "#packages?offset=100");
    browser.value("(() => { const field = document.querySelector('input'); field.focus(); field.value = 'python'; field.oninput({ target: field }); })()");
    browser.wait("[...document.querySelectorAll('tbody th')].every((cell) => cell.innerText.includes('python'))");
    assert_eq!(browser.value("document.activeElement.tagName"), "INPUT");
    browser.open(&format!("{}/#waiting", service.url));
    browser.wait("document.querySelectorAll('.graph a').length === 80");
    assert_eq!(browser.complaints(), [""; 0]);
}
