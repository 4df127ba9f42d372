//! Chromium without a screen, asked by the DevTools protocol over a pair of pipes (`--remote-debugging-pipe`: messages are
//! JSON, each ended by a zero byte).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::PATIENCE;
use crate::services::place::has;

/// What a browser is told at its start: nothing but what it is pointed at goes out.
const OPTIONS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
];

/// A size of a screen, in CSS pixels.
#[derive(Debug, Clone, Copy)]
pub struct Screen(pub u32, pub u32);

pub const PHONE: Screen = Screen(360, 740);
pub const DESKTOP: Screen = Screen(1280, 800);

/// A browser with one page.
pub struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: String,
    asked: u64,
    /// What the page has complained of: messages of its console, faults of its scripts, what its policy has refused.
    complaints: VecDeque<String>,
    _profile: TempDir,
}

impl Browser {
    /// One with a profile of its own; none where this machine has none.
    pub fn start() -> Option<Self> {
        if !has("chromium") {
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // It reads from 3 and writes to 4.
        command.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]).args(OPTIONS);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        command.env("HOME", profile.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (to, out) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (told, from) = channel();
        std::thread::spawn(move || {
            let messages = BufReader::new(out).split(0).map_while(Result::ok);
            messages.map_while(|message| told.send(serde_json::from_slice(&message).ok()?).ok()).for_each(drop);
        });
        let (session, complaints) = Default::default();
        let mut browser = Self { process, to, from, session, asked: 0, complaints, _profile: profile };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Asks for something, and waits for the answer.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let told = self.from.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{method}: {error}"));
            if told["id"] == self.asked {
                assert!(told.get("error").is_none(), "{method}: {told}");
                return told["result"].clone();
            }
            self.hear(&told);
        }
    }

    fn hear(&mut self, told: &Value) {
        let complaint = match told["method"].as_str() {
            Some("Runtime.consoleAPICalled") => &told["params"]["args"],
            Some("Runtime.exceptionThrown") => &told["params"]["exceptionDetails"],
            Some("Log.entryAdded") => &told["params"]["entry"],
            // That nobody has clicked yet is said of every page that a program opens.
            Some("Audits.issueAdded") if told["params"]["issue"]["code"] == "GenericIssue" => return,
            Some("Audits.issueAdded") => &told["params"]["issue"],
            _ => return,
        };
        let complaint = complaint.to_string();
        // A test that opens one page after the other is no user who clicks.
        if !complaint.contains("NavigationEntryMarkedSkippable") {
            self.complaints.push_back(complaint);
        }
    }

    /// What the page has complained of since this was asked last.
    pub fn complaints(&mut self) -> Vec<String> {
        // What was said before this answer was heard on the way to it.
        self.value("0");
        self.complaints.drain(..).collect()
    }

    /// A screen of this size, dark or light.
    pub fn screen(&mut self, Screen(width, height): Screen, dark: bool) {
        let mobile = width < 500;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Opens a page anew.
    pub fn open(&mut self, url: &str) {
        self.ask("Page.navigate", json!({"url": "about:blank"}));
        let opened = self.ask("Page.navigate", json!({"url": url}));
        assert!(opened.get("errorText").is_none(), "{url}: {opened}");
    }

    /// What an expression comes to in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let wanted = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", wanted);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What is to be read in the page.
    pub fn text(&mut self) -> String {
        self.value("document.body ? document.body.innerText : ''").as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub fn wait(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression) != json!(true) {
            assert!(begun.elapsed() < PATIENCE, "never: {expression} in\n{}\n{:?}", self.text(), self.complaints);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits until this is to be read.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait(&format!("document.body?.innerText.includes({})", json!(text)));
    }

    /// Presses and lets go of a key by its name, such as `Tab` or `Enter`.
    pub fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" {
                event["text"] = text.into();
            }
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// Keeps what is on the screen as a picture where somebody wants to look at them: in the directory that
    /// `SWARM_SCREENSHOTS` names.
    pub fn picture(&mut self, name: &str) {
        let Some(directory) = std::env::var_os("SWARM_SCREENSHOTS") else { return };
        let data = self.ask("Page.captureScreenshot", json!({"format": "png"}))["data"].clone();
        let bytes = BASE64.decode(data.as_str().unwrap().as_bytes()).unwrap();
        std::fs::write(Path::new(&directory).join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closed = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0").is_ok();
        let begun = Instant::now();
        while closed && begun.elapsed() < PATIENCE && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}
