//! Chromium by chromedriver and the W3C WebDriver protocol: HTTP and JSON, of which the tests need a dozen commands. A crate for it would
//! bring a second HTTP client and its TLS for those; what only DevTools can do (colour schemes, scripts that are switched off, the width
//! of a telephone, what was fetched) goes through the same connection.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::kit::{say, until};
use crate::program::{has, not_run};
use crate::wire::ask;

/// How long a command may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What WebDriver calls an element in JSON (section 12.2.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that have no character (WebDriver, section 17.4.2).
pub(crate) mod key {
    pub(crate) const TAB: char = '\u{E004}';
    pub(crate) const ENTER: char = '\u{E007}';
    pub(crate) const RIGHT: char = '\u{E014}';
}

/// Chromium's own program: the script of the same name in the path says things of its own on standard error.
fn chromium() -> Option<&'static str> {
    ["/usr/lib/chromium/chromium", "/usr/bin/chromium"].into_iter().find(|path| Path::new(path).is_file())
}

/// Whether there are Chromium, chromedriver and axe-core; what is missing is said.
#[track_caller]
pub(crate) fn can_browse(test: &str) -> bool {
    let missing = [
        (chromium().is_some(), "chromium"),
        (has("chromedriver"), "chromedriver (Debian: chromium-driver)"),
        (Path::new(AXE).is_file(), "axe-core (npm ci in tests/browser)"),
    ];
    let missing = missing.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect::<Vec<_>>();
    if !missing.is_empty() {
        not_run(test, &missing.join(" and "));
    }
    missing.is_empty()
}

/// Where `npm ci` lays axe-core.
pub(crate) const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/node_modules/axe-core/axe.min.js");

/// A Chromium of a test's own, with one window and nothing remembered.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

/// An element of the page that is open; void with the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element(String);

/// What the page made the browser do since the last look.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The addresses of everything that was asked for.
    pub(crate) requests: Vec<String>,
    /// What stands in the console, violations of the policy among it.
    pub(crate) complaints: Vec<String>,
}

impl Browser {
    /// Starts chromedriver on a free port and Chromium by it. Names lead nowhere in it: whatever a page asks for elsewhere fails, and is
    /// heard of.
    pub(crate) async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').parse().unwrap();
            }
        };
        // Whoever writes to a pipe that nobody reads is stopped by it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut browser = Self { driver, address, session: String::new() };
        let options = json!({
            "binary": chromium(),
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync",
                "--force-color-profile=srgb", "--lang=en-GB", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        });
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let began = browser.post("/session", json!({ "capabilities": { "alwaysMatch": wanted } })).await;
        began["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser
    }

    /// Ends Chromium, which outlives a chromedriver that is killed.
    pub(crate) async fn stop(mut self) {
        let _ = self.ask("DELETE", "", None).await;
        self.session.clear();
        let _ = self.driver.kill().await;
    }

    /// A command's value, or what WebDriver calls the error.
    async fn ask(&self, method: &str, command: &str, body: Option<Value>) -> Result<Value, String> {
        let path =
            if command == "/session" { command.to_owned() } else { format!("/session/{}{command}", self.session) };
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let asked = ask(self.address, method, &path, &[("Content-Type", "application/json")], body.as_bytes());
        let answer = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| format!("{command} takes too long"))?;
        let answer = answer.map_err(|error| format!("{command}: {error}"))?;
        let mut value: Value = serde_json::from_slice(&answer.body).map_err(|error| format!("{command}: {error}"))?;
        let value = value["value"].take();
        if answer.status == 200 { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }

    #[track_caller]
    fn post(&self, command: &str, body: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let asked = self.ask("POST", command, Some(body)).await;
            asked.unwrap_or_else(|error| panic!("{place}: {command}: {error}"))
        }
    }

    /// Goes to an address and waits until the page is loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    /// Where it is.
    pub(crate) async fn address(&self) -> String {
        self.ask("GET", "/url", None).await.unwrap().as_str().unwrap().to_owned()
    }

    /// The page as it was parsed.
    pub(crate) async fn source(&self) -> String {
        self.ask("GET", "/source", None).await.unwrap().as_str().unwrap().to_owned()
    }

    /// Every element that a CSS selector names.
    pub(crate) async fn all(&self, css: &str) -> Vec<Element> {
        let found = self.post("/elements", json!({ "using": "css selector", "value": css })).await;
        let found = found.as_array().unwrap().iter();
        found.map(|one| Element(one[ELEMENT].as_str().unwrap().to_owned())).collect()
    }

    /// The one element that a CSS selector names.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let mut found = self.all(css).await;
        if found.len() != 1 {
            panic!("{} of {css} in {}", found.len(), self.source().await);
        }
        found.remove(0)
    }

    /// A property of the one element, as text.
    pub(crate) async fn value(&self, css: &str, property: &str) -> String {
        let Element(id) = self.find(css).await;
        let value = self.ask("GET", &format!("/element/{id}/property/{property}"), None).await.unwrap();
        value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
    }

    /// What a person reads in the one element.
    pub(crate) async fn text(&self, css: &str) -> String {
        let Element(id) = self.find(css).await;
        self.ask("GET", &format!("/element/{id}/text"), None).await.unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks the one element.
    pub(crate) async fn click(&self, css: &str) {
        let Element(id) = self.find(css).await;
        self.post(&format!("/element/{id}/click"), json!({})).await;
    }

    /// Clicks the one link or button, and waits for the page that comes of it.
    pub(crate) async fn follow(&self, css: &str) {
        let before = self.find("html").await;
        self.click(css).await;
        self.until_gone(before).await;
    }

    /// Presses Enter where the focus is, and waits for the page that comes of it.
    pub(crate) async fn enter(&self) {
        let before = self.find("html").await;
        self.press(&[key::ENTER]).await;
        self.until_gone(before).await;
    }

    /// Waits until an element is of a page that was left, and the next one is loaded.
    async fn until_gone(&self, Element(id): Element) {
        until("the next page comes", async || self.ask("GET", &format!("/element/{id}/name"), None).await.err()).await;
        until("the next page is there", async || {
            let state =
                self.ask("POST", "/execute/sync", Some(json!({ "script": "return document.readyState", "args": [] })));
            (state.await.ok()? == "complete").then_some(())
        })
        .await;
    }

    /// Puts text into the one field in place of what stands there, as pasting would: chromedriver types no characters beyond the
    /// first plane.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let Element(id) = self.find(css).await;
        self.post(&format!("/element/{id}/clear"), json!({})).await;
        self.post(&format!("/element/{id}/click"), json!({})).await;
        self.devtools("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses and lets go of keys, one after the other, wherever the focus is.
    pub(crate) async fn press(&self, keys: &[char]) {
        let strokes = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })));
        let source = json!({ "type": "key", "id": "keys", "actions": strokes.collect::<Vec<_>>() });
        self.post("/actions", json!({ "actions": [source] })).await;
    }

    /// What a script of the test's own returns. Scripts of the page are bound by its policy, this one is not.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The same of a script that calls its last argument when it is done.
    pub(crate) async fn script_later(&self, script: &str) -> Value {
        self.post("/execute/async", json!({ "script": script, "args": [] })).await
    }

    /// A command of DevTools.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Whether pages may run scripts, from the next page on.
    pub(crate) async fn allow_scripts(&self, may: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !may })).await;
    }

    /// The width of the window and the colours that the person prefers; below 600 pixels it is a telephone.
    pub(crate) async fn look_as(&self, width: u32, scheme: &str) {
        let phone = width < 600;
        let metrics = json!({
            "width": width, "height": if phone { 812 } else { 900 }, "deviceScaleFactor": 1, "mobile": phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "media": "", "features": features })).await;
    }

    /// The whole page as a PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let taken =
            self.devtools("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
        Base64::decode_vec(taken["data"].as_str().unwrap()).unwrap()
    }

    /// What was fetched and complained of since the last call.
    pub(crate) async fn heard(&self) -> Heard {
        let mut heard = Heard::default();
        for entry in self.log("performance").await {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str().unwrap();
                heard.requests.push(url.to_owned());
            }
        }
        for entry in self.log("browser").await {
            heard.complaints.push(entry["message"].as_str().unwrap().to_owned());
        }
        heard
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let mut log = self.post("/se/log", json!({ "type": kind })).await;
        log.as_array_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl Drop for Browser {
    /// Chromium outlives a chromedriver that is killed, so a test that fails asks for its end on the way out.
    fn drop(&mut self) {
        use std::io::{Read as _, Write as _};
        if self.session.is_empty() {
            return;
        }
        let end = || -> std::io::Result<()> {
            let mut stream = std::net::TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(stream, "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\n\r\n", self.session, self.address)?;
            stream.read(&mut [0; 16]).map(|_| ())
        };
        if let Err(error) = end() {
            say(&format!("Chromium may be left behind: {error}"));
        }
    }
}
