//! `/api/status` as lines for a terminal, and for a browser without scripts. Pure: JSON in, text out.
//!
//! What comes over the network may hold control characters; none reaches the terminal.

use std::fmt::Write;

use serde_json::Value;

/// Whether colours help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Colours,
}

/// Turns the text between into a colour. Colour is never all that tells: the words say the same.
#[derive(Clone, Copy)]
enum Tone {
    Good,
    Bad,
    Warning,
}

impl Style {
    fn paint(self, tone: Tone, text: &str) -> String {
        let code = match (self, tone) {
            (Self::Plain, _) => return text.to_owned(),
            (_, Tone::Good) => 32,
            (_, Tone::Bad) => 31,
            (_, Tone::Warning) => 33,
        };
        format!("\x1b[1;{code}m{text}\x1b[0m")
    }
}

/// All of it.
pub(crate) fn text(status: &Value, style: Style) -> String {
    let now = number(&status["at_ms"]);
    let process = &status["process"];
    let mut out = format!(
        "mimir-mirror {}  {}  up {}  {} of memory  {} client connections\n",
        clean(&process["version"]),
        clean(&process["state"]),
        span(number(&process["uptime_seconds"]) * 1000.0),
        bytes(&process["resident_bytes"]),
        count(&process["client_connections"]),
    );
    if process["configuration_refused"] == true {
        let what =
            style.paint(Tone::Warning, "the file was refused at the last reload, the one before is in force");
        line(&mut out, "config", &what);
    }
    for one in list(&status["primaries"]) {
        primary(one, now, style, &mut out);
    }
    for one in list(&status["mirrors"]) {
        mirror(one, now, style, &mut out);
    }
    out
}

// Writing to a String cannot fail.
fn line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:<10} {value}");
}

fn primary(one: &Value, now: f64, style: Style, out: &mut String) {
    let well = one["well"] == true;
    let verdict = if well { style.paint(Tone::Good, "well") } else { style.paint(Tone::Bad, "NOT WELL") };
    let _ = writeln!(out, "\nprimary {}: {verdict} {}", clean(&one["name"]), since(one, now));
    for why in list(&one["why"]) {
        line(out, "why", &format!("{}: {}", clean(&why["reason"]), clean(&why["meaning"])));
    }
    let rates = [&one["requests_per_second"], &one["failed_per_second"]].map(rate);
    line(out, "requests", &format!("{} failed {}", rates[0], rates[1]));
    line(out, "latency", &latency(one));
    let endpoints = &one["endpoints"];
    line(
        out,
        "endpoints",
        &format!("{} healthy of {}", count(&endpoints["healthy"]), count(&endpoints["total"])),
    );
}

fn mirror(one: &Value, now: f64, style: Style, out: &mut String) {
    let verdict = match (one["complete"] == true, one["state"].as_str()) {
        (true, Some("idle")) => style.paint(Tone::Good, "nothing to copy yet"),
        (true, _) => style.paint(Tone::Good, "copy complete"),
        (false, Some("behind")) => style.paint(Tone::Warning, "copy BEHIND, nothing lost"),
        (false, _) => style.paint(Tone::Bad, "copy NOT COMPLETE"),
    };
    let paused = if one["paused"] == true { style.paint(Tone::Warning, "  PAUSED") } else { String::new() };
    let _ = writeln!(out, "\nmirror {}: {verdict} {}{paused}", clean(&one["name"]), since(one, now));
    for why in list(&one["why"]) {
        let name = [clean(&why["outcome"]), clean(&why["reason"])].join("/");
        line(
            out,
            "why",
            &format!("{} {}: {}", count(&why["copies"]), name.trim_end_matches('/'), clean(&why["meaning"])),
        );
    }
    // What it said before all this is no reason of it.
    let recent = number(&one["last_refusal"]["at_ms"]) >= number(&one["since_ms"]);
    if one["complete"] != true && one["last_refusal"].is_object() && recent {
        line(out, "it said", &refusal(&one["last_refusal"], now));
    }
    let rates = [&one["received_per_second"], &one["taken_per_second"], &one["missing_per_second"]].map(rate);
    line(out, "copies", &format!("{} taken {} lost {}", rates[0], rates[1], rates[2]));
    line(out, "latency", &latency(one));
    let lag = span(number(&one["lag_ms"]));
    line(out, "lag", &format!("{lag}, {} pending", count(&one["pending_copies"])));
    let memory = &one["memory"];
    line(out, "memory", &format!("{} of {}", bytes(&memory["used_bytes"]), bytes(&memory["bound_bytes"])));
    if one["backlog"].is_object() {
        line(out, "backlog", &backlog(&one["backlog"]));
    }
    if number(&one["missing_copies"]) > 0.0 {
        let gaps = list(&one["gaps"]).len();
        let gaps = if gaps == 1 { "1 gap".to_owned() } else { format!("{gaps} gaps") };
        line(out, "lost", &format!("{} copies since the start, {gaps} known", count(&one["missing_copies"])));
    }
}

fn backlog(backlog: &Value) -> String {
    let open = if backlog["open"] == true { "" } else { "NOT OPEN, copies are in memory only: " };
    format!(
        "{open}{} copies, {} of {}, oldest {}",
        count(&backlog["copies"]),
        bytes(&backlog["used_bytes"]),
        bytes(&backlog["bound_bytes"]),
        span(number(&backlog["oldest_age_ms"])),
    )
}

fn refusal(refusal: &Value, now: f64) -> String {
    let ago = span(now - number(&refusal["at_ms"]));
    match refusal["status"].as_u64() {
        Some(status) => format!("{ago} ago: {status} {}", clean(&refusal["text"])),
        None => format!("{ago} ago: no answer"),
    }
}

fn since(one: &Value, now: f64) -> String {
    format!("for {}", span(now - number(&one["since_ms"])))
}

fn latency(one: &Value) -> String {
    let latency = &one["latency_ms"];
    let ms = |value: &Value| value.as_f64().map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
    format!("p50 {}  p99 {}", ms(&latency["p50"]), ms(&latency["p99"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| "?".to_owned(), |n| n.to_string())
}

fn rate(value: &Value) -> String {
    format!("{:.1}/s", number(value))
}

/// Text without control characters, on one line.
fn clean(value: &Value) -> String {
    let text = value.as_str().unwrap_or("?");
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn bytes(value: &Value) -> String {
    let Some(mut n) = value.as_f64() else { return "?".to_owned() };
    for unit in ["B", "KiB", "MiB"] {
        if n < 1024.0 {
            return if unit == "B" { format!("{n:.0} B") } else { format!("{n:.1} {unit}") };
        }
        n /= 1024.0;
    }
    format!("{n:.1} GiB")
}

/// `1.5 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
fn span(ms: f64) -> String {
    let seconds = (ms / 1000.0).max(0.0);
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let parts = |big: f64, small: f64| ((seconds / big).floor(), (seconds % big / small).floor());
    let ((high, low), [one, other]) = match seconds {
        s if s < 3600.0 => (parts(60.0, 1.0), ["min", "s"]),
        s if s < 86_400.0 => (parts(3600.0, 60.0), ["h", "min"]),
        _ => (parts(86_400.0, 3600.0), ["d", "h"]),
    };
    format!("{high} {one} {low} {other}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status() -> Value {
        json!({
            "at_ms": 100_000,
            "process": {"version": "0.1.0", "state": "LIVE", "uptime_seconds": 7300, "resident_bytes": 3 << 20,
                "client_connections": 4},
            "primaries": [{"name": "primary", "well": false, "since_ms": 38_500,
                "why": [{"reason": "no_endpoint", "meaning": "Its name has no address: ask DNS."}],
                "requests_per_second": 12.34, "failed_per_second": 0.0, "endpoints": {"total": 0, "healthy": 0},
                "latency_ms": {"p50": 4.25, "p99": null}}],
            "mirrors": [{"name": "a", "complete": false, "state": "incomplete", "since_ms": 98_000, "paused": true,
                "why": [{"outcome": "failed", "reason": "http_5xx", "copies": 3, "meaning": "Ask its log."}],
                "last_refusal": {"status": 503, "at_ms": 99_000, "text": "over\u{1b}[2Jloaded\nx"},
                "received_per_second": 2.0, "taken_per_second": 1.0, "missing_per_second": 1.0, "lag_ms": 1500,
                "pending_copies": 5, "memory": {"used_bytes": 10, "bound_bytes": 256 << 20}, "missing_copies": 3,
                "gaps": [{}], "backlog": null}],
        })
    }

    #[test]
    fn a_glance_says_it_all() {
        let expected = "\
mimir-mirror 0.1.0  LIVE  up 2 h 1 min  3.0 MiB of memory  4 client connections

primary primary: NOT WELL for 1 min 1 s
  why        no_endpoint: Its name has no address: ask DNS.
  requests   12.3/s failed 0.0/s
  latency    p50 4.2 ms  p99 -
  endpoints  0 healthy of 0

mirror a: copy NOT COMPLETE for 2.0 s  PAUSED
  why        3 failed/http_5xx: Ask its log.
  it said    1.0 s ago: 503 over [2Jloaded x
  copies     2.0/s taken 1.0/s lost 1.0/s
  latency    p50 -  p99 -
  lag        1.5 s, 5 pending
  memory     10 B of 256.0 MiB
  lost       3 copies since the start, 1 gap known
";
        assert_eq!(text(&status(), Style::Plain), expected);
    }

    #[test]
    fn colours_are_added_and_nothing_else() {
        let coloured = text(&status(), Style::Colours);
        assert!(coloured.contains("\x1b[1;31mcopy NOT COMPLETE\x1b[0m"), "{coloured}");
        let bare = ["\x1b[1;31m", "\x1b[1;33m", "\x1b[1;32m", "\x1b[0m"];
        let without = bare.iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(without, text(&status(), Style::Plain));
    }

    #[test]
    fn what_is_not_there_is_no_trouble() {
        assert!(text(&Value::Null, Style::Plain).starts_with("mimir-mirror ?"));
        assert_eq!(span(90_061_000.0), "1 d 1 h");
        assert_eq!(bytes(&json!(5u64 << 30)), "5.0 GiB");
    }
}
