//! `mimir-mirror status`: what `/api/status` of a running proxy says, at a glance in a terminal.
//!
//! Enters: the admin's address. Leaves: lines on standard output, and an exit code that scripts can ask: 0 if every
//! mirror's copy is complete, 2 if one is not, 1 if nobody answered.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::admin::client;
use crate::admin::words::{self, Style};
use crate::cli;
use crate::terminal::wants_colours;

/// The admin answers at once; the way to it may be long.
const PATIENCE: Duration = Duration::from_secs(5);
/// As often as the proxy itself judges.
const EVERY: Duration = Duration::from_secs(2);
/// A copy is not complete.
const NOT_COMPLETE: u8 = 2;

/// Asks once, or again and again.
///
/// # Errors
/// If the address is none, nobody answers there (once), or standard output is closed.
pub(crate) fn run(command: &cli::Status) -> anyhow::Result<ExitCode> {
    let place = Place::parse(&command.admin)?;
    let screen = Screen::of(command);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if !command.watch {
            let status = place.ask().await?;
            screen.show(&status)?;
            let complete = status["complete"] == true;
            return Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(NOT_COMPLETE) });
        }
        loop {
            match place.ask().await {
                Ok(status) => screen.show(&status)?,
                Err(error) => screen.complain(&error)?,
            }
            tokio::time::sleep(EVERY).await;
        }
    })
}

/// Where the admin is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// `host:port`.
    at: String,
    path: String,
}

impl Place {
    fn parse(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        if rest.contains("://") {
            bail!("{url}: the admin speaks HTTP, so this begins with http://");
        }
        let uri: http::Uri = format!("http://{rest}").parse().with_context(|| format!("{url} is no URL"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("{url} names no host"))?;
        let port = uri.port_u16().unwrap_or(9901);
        let path = format!("{}/api/status", uri.path().trim_end_matches('/'));
        Ok(Self { at: format!("{host}:{port}"), path })
    }

    async fn ask(&self) -> anyhow::Result<Value> {
        let asked = client::get(&self.at, &self.path, PATIENCE).await;
        let (status, page) = asked.with_context(|| format!("no status from {}", self.at))?;
        ensure!(status.is_success(), "{} answered {status} to {}", self.at, self.path);
        serde_json::from_str(&page).with_context(|| format!("{} answered what is no status", self.at))
    }
}

/// How it is shown.
struct Screen {
    json: bool,
    style: Style,
    /// Each picture replaces the one before.
    in_place: bool,
}

impl Screen {
    fn of(command: &cli::Status) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let style = if wants_colours() { Style::Colours } else { Style::Plain };
        Self { json: command.json, style, in_place: terminal && command.watch && !command.json }
    }

    fn show(&self, status: &Value) -> std::io::Result<()> {
        if self.json {
            return say(&format!("{status}\n"));
        }
        let text = words::text(status, self.style);
        if !self.in_place {
            return say(&text);
        }
        // Home; each line is cleared behind its end, and what is below the last.
        say(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")))
    }

    fn complain(&self, error: &anyhow::Error) -> std::io::Result<()> {
        let before = if self.in_place { "\x1b[H\x1b[J" } else { "" };
        writeln!(std::io::stderr(), "{before}status: {error:#}")
    }
}

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_or_the_better_part_of_one() {
        for (url, at, path) in [
            ("http://127.0.0.1:9901", "127.0.0.1:9901", "/api/status"),
            ("http://[::1]:9901/", "[::1]:9901", "/api/status"),
            ("proxy:1234", "proxy:1234", "/api/status"),
            ("http://proxy/mirror/", "proxy:9901", "/mirror/api/status"),
        ] {
            let place = Place::parse(url).unwrap();
            assert_eq!((place.at.as_str(), place.path.as_str()), (at, path), "{url}");
        }
        for url in ["https://proxy:9901", "", "http://", "http://a b"] {
            assert!(Place::parse(url).is_err(), "{url}");
        }
    }
}
