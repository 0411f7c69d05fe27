//! A real browser: Debian's Chromium without a window, driven over the WebDriver protocol.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::client::Client;
use super::dir::Dir;
use super::ports::Port;
use super::process::Process;
use super::request::Request;
use super::wait::until;

/// Answers to the driver's commands come at once, but for the start of the browser on a busy machine.
const FAREWELL: Duration = Duration::from_secs(10);

/// A browser with one page.
pub(crate) struct Browser {
    session: String,
    port: Port,
    _driver: Process,
    _profile: Dir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let (port, profile) = (Port::reserve(), Dir::new("browser"));
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={}", port.number()));
        // Whatever it and the browser leave behind goes with the folder.
        command.env("HOME", profile.path()).env("TMPDIR", profile.path());
        let driver = Process::spawn("chromedriver", command, Dir::new("chromedriver"));
        until("the driver", async || Client::try_connect(port.address()).await.map(|_| ())).await;
        let folder = format!("--user-data-dir={}", profile.path().join("profile").display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            &folder,
        ];
        let options = json!({"goog:chromeOptions": {"args": arguments}});
        let wanted = json!({"capabilities": {"alwaysMatch": options}});
        let session = ask(port.address(), "POST", "/session", &wanted).await;
        let session =
            session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}")).to_owned();
        Self { session, port, _driver: driver, _profile: profile }
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        ask(self.port.address(), method, &format!("/session/{}/{path}", self.session), body).await
    }

    pub(crate) async fn open(&self, url: &str) {
        self.command("POST", "url", &json!({"url": url})).await;
    }

    /// The page's inside in pixels.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.protocol("Emulation.setDeviceMetricsOverride", &size).await;
    }

    /// A command of Chromium's own protocol.
    pub(crate) async fn protocol(&self, name: &str, parameters: &Value) -> Value {
        self.command("POST", "goog/cdp/execute", &json!({"cmd": name, "params": parameters})).await
    }

    /// `light` or `dark`.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.protocol("Emulation.setEmulatedMedia", &feature).await;
    }

    /// What this body of a function returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("POST", "execute/sync", &json!({"script": script, "args": []})).await
    }

    /// What this body of a function gives to `arguments[0]`.
    pub(crate) async fn run_to_the_end(&self, script: &str) -> Value {
        self.command("POST", "execute/async", &json!({"script": script, "args": []})).await
    }

    /// The text that stands in the first element of a selector; nothing if there is none.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText", json!(selector));
        self.run(&script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the first element of a selector says so.
    pub(crate) async fn says(&self, selector: &str, part: &str) {
        until(format!("{part:?} in {selector}"), async || {
            self.text(selector).await.contains(part).then_some(())
        })
        .await;
    }

    /// Clicks the button of this text within a selector.
    pub(crate) async fn press(&self, selector: &str, text: &str) {
        let find = format!(
            "return [...document.querySelectorAll({})].find((b) => b.textContent === {} && !b.hidden)",
            json!(format!("{selector} button")),
            json!(text)
        );
        let element = self.run(&find).await;
        let id = element.as_object().and_then(|object| object.values().next()).and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("no button {text} in {selector}"));
        self.command("POST", &format!("element/{id}/click"), &json!({})).await;
    }

    /// Presses a key, as the WebDriver protocol names it: `Tab`, `Enter`, `Escape`.
    pub(crate) async fn key(&self, name: &str) {
        let key = match name {
            "Tab" => "\u{e004}",
            "Enter" => "\u{e007}",
            "Escape" => "\u{e00c}",
            other => other,
        };
        let presses = ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key}));
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": presses});
        self.command("POST", "actions", &json!({"actions": [keyboard]})).await;
    }

    /// A picture of the page in `target/screenshots`.
    pub(crate) async fn picture(&self, name: &str) {
        let picture = self.command("GET", "screenshot", &Value::Null).await;
        let bytes = STANDARD.decode(picture.as_str().expect("a picture")).expect("base64");
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("room for a picture");
    }
}

impl Drop for Browser {
    /// The driver ends its browser when asked to, and not when it is killed.
    fn drop(&mut self) {
        let Ok(mut stream) = std::net::TcpStream::connect(self.port.address()) else { return };
        let _ = stream.set_read_timeout(Some(FAREWELL));
        let head =
            format!("DELETE /session/{} HTTP/1.1\r\nhost: {}\r\n\r\n", self.session, self.port.address());
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.read(&mut [0; 64]);
    }
}

async fn ask(driver: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    let request = Request::new(method, path).host(&driver.to_string()).header("connection", "close");
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    let answer = Client::once(driver, &request).await;
    let json: Value =
        serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.text()));
    assert_eq!(answer.status(), 200, "{method} {path}: {json}");
    json["value"].clone()
}
