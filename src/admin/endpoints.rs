//! The table of endpoints: what is served, what `/help` says, and which of them change something.

use std::fmt::Write;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode};

use super::View;
use super::access::Rights;
use super::answer::Answer;
use super::query::Query;
use super::{
    absent, access, certs, clusters, commands, config_dump, logging, memory, mirrors, page, server_info,
    stats, status,
};

/// Answers from the view and the request's parameters, without waiting.
pub(crate) type Handler = fn(&View, &Query) -> Answer;

struct Endpoint {
    path: &'static str,
    help: &'static str,
    /// Names of parameters and what they do.
    parameters: &'static [(&'static str, &'static str)],
    /// Changes something: needs POST.
    mutates: bool,
    answer: Handler,
}

const fn get(path: &'static str, help: &'static str, answer: Handler) -> Endpoint {
    Endpoint { path, help, parameters: &[], mutates: false, answer }
}

const fn post(path: &'static str, help: &'static str, answer: Handler) -> Endpoint {
    Endpoint { path, help, parameters: &[], mutates: true, answer }
}

impl Endpoint {
    const fn with(self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        Self { parameters, ..self }
    }
}

const MIRROR: (&str, &str) = ("mirror", "the mirror's name; not needed if there is but one");
const FORMAT: (&str, &str) = ("format", "one of text, json");
const FILTER: (&str, &str) = ("filter", "regular expression; keeps the names it matches");
const INVERT: (&str, &str) = ("invert_filter", "keeps the others instead");
const USED_ONLY: (&str, &str) = ("usedonly", "leaves out counters at 0 and empty histograms");

const ENABLE: (&str, &str) = ("enable", "one of y, n");
const BUCKETS: &str = "histogram_buckets";

/// Sorted by path, the order of `/help`.
static ENDPOINTS: [Endpoint; 38] = [
    get("/", "Admin home page", index),
    post("/allocprofiler", "allocation profiler (not in this build)", absent::allocation_profiler)
        .with(&[ENABLE]),
    get("/api/status", "how primary and mirrors fare, for programs and the home page", status::status)
        .with(&[("since", "milliseconds since 1970; adds what was seen every two seconds from then on")]),
    get("/certs", "print certs on machine", certs::certs),
    get("/clusters", "upstream cluster status", clusters::clusters).with(&[FILTER, FORMAT]),
    get("/config_dump", "dump the configuration in force, without secrets", config_dump::report).with(&[
        ("resource", "one repeated field of a section, such as static_clusters"),
        ("mask", "field paths, separated by commas: only these are shown"),
        ("name_regex", "regular expression; keeps the items whose name it matches"),
        ("include_eds", "with the addresses that clusters have now"),
    ]),
    get("/contention", "mutex contention (not traced)", absent::contention),
    post("/cpuprofiler", "CPU profiler (not in this build)", absent::cpu_profiler).with(&[ENABLE]),
    post("/drain_listeners", "drain listeners", commands::drain_listeners).with(&[
        ("graceful", "let clients leave during the drain time, then close"),
        ("skip_exit", "let clients leave, and never close"),
        ("inboundonly", "inbound listeners only: none is marked so"),
    ]),
    post("/healthcheck/fail", "cause the server to fail health checks", commands::fail_health_check),
    post("/healthcheck/ok", "cause the server to pass health checks", commands::pass_health_check),
    get("/heap_dump", "heap profile (not in this build)", absent::heap_dump),
    post("/heapprofiler", "heap profiler (not in this build)", absent::heap_profiler).with(&[ENABLE]),
    get("/help", "print out list of admin commands", |_, _| Answer::text(help())),
    get(
        "/hot_restart_version",
        "print the hot restart compatibility version",
        server_info::hot_restart_version,
    ),
    get("/init_dump", "what the start still waits for: nothing, once this answers", absent::init_dump)
        .with(&[("mask", "no effect")]),
    get("/listeners", "print listener info", clusters::listeners).with(&[FORMAT]),
    post("/logging", "query/change logging levels", logging::logging).with(&[
        ("paths", "change several levels: name1:level1,name2:level2,..."),
        ("level", "change all levels: trace, debug, info, warning, error, critical, off"),
    ]),
    get("/memory", "print current memory usage", memory::report),
    get("/memory/tcmalloc", "statistics of tcmalloc (not in this build)", absent::tcmalloc),
    get("/mirrors", "how each mirror fares, and its last refusals", mirrors::mirrors).with(&[FORMAT]),
    post("/mirrors/pause", "send nothing to a mirror; copies wait", commands::pause).with(&[MIRROR]),
    post("/mirrors/resume", "send to a mirror again", commands::resume).with(&[MIRROR]),
    post("/mirrors/skip", "let go of all copies that wait for a mirror", commands::skip).with(&[MIRROR]),
    get("/peak_heap_dump", "heap profile at its peak (not in this build)", absent::heap_dump),
    post("/quitquitquit", "drain, then exit the server", commands::quit),
    get("/ready", "print server state, return 200 if LIVE, otherwise return 503", server_info::ready)
        .with(&[("primary", "503 too while a primary is out of service")]),
    post("/reopen_logs", "reopen access logs", commands::reopen_logs),
    post("/reset_counters", "let the counters of Envoy's names begin at zero", commands::reset_counters),
    get("/runtime", "print runtime values", server_info::runtime),
    post(
        "/runtime_modify",
        "change runtime values (needs an admin layer: there is none)",
        commands::runtime_modify,
    ),
    get("/server_info", "print server version/status information", server_info::server_info),
    get("/stats", "print server stats", stats::any).with(&[
        USED_ONLY,
        FILTER,
        INVERT,
        ("format", "one of html, active-html, text, json, prometheus"),
        ("type", "one of All, Counters, Histograms, Gauges, TextReadouts"),
        (BUCKETS, "one of cumulative, disjoint, detailed, summary"),
    ]),
    get("/stats/prometheus", "print server stats in prometheus format", stats::prometheus).with(&[
        USED_ONLY,
        ("text_readouts", "no effect: there are none"),
        FILTER,
        INVERT,
        (BUCKETS, "one of cumulative, summary"),
    ]),
    get("/stats/recentlookups", "recent look-ups of names (none: names are not looked up)", absent::lookups),
    post("/stats/recentlookups/clear", "no effect", absent::ok),
    post("/stats/recentlookups/disable", "no effect", absent::ok),
    post("/stats/recentlookups/enable", "no effect", absent::ok),
];

/// Answers one request. `body` counts only as a form, as in Envoy: `curl -d level=debug`.
pub(crate) fn answer(view: &View, head: &Parts, body: &[u8]) -> Answer {
    if let Some(refusal) = access::refusal(view.config.admin.as_ref(), head) {
        return refusal;
    }
    let Some(endpoint) = ENDPOINTS.iter().find(|endpoint| endpoint.path == head.uri.path()) else {
        let missing = || Answer::error(StatusCode::NOT_FOUND, format!("invalid path. {}", help()));
        return page::part(head.uri.path()).unwrap_or_else(missing);
    };
    if endpoint.mutates && head.method != Method::POST {
        let sentence = format!("Method {} not allowed, POST required.", head.method);
        return Answer::error(StatusCode::METHOD_NOT_ALLOWED, sentence);
    }
    let rights = Rights::of(view.config.admin.as_ref(), &head.headers);
    (endpoint.answer)(view, &query(head, body).of(rights))
}

fn query(head: &Parts, body: &[u8]) -> Query {
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let is_form = head.headers.get(CONTENT_TYPE).is_some_and(|v| v == "application/x-www-form-urlencoded");
    match std::str::from_utf8(body) {
        Ok(form) if query.is_empty() && is_form => Query::parse(form.trim()),
        _ => query,
    }
}

/// `/help`, and the end of a 404.
fn help() -> String {
    let mut out = String::from("admin commands are:\n");
    for endpoint in &ENDPOINTS {
        let method = if endpoint.mutates { " (POST)" } else { "" };
        let _ = writeln!(out, "  {}{method}: {}", endpoint.path, endpoint.help);
        for (name, help) in endpoint.parameters {
            let _ = writeln!(out, "      {name}: {help}");
        }
    }
    out
}

/// `/`: the status page, below it the table as links, and as buttons for who may press them. All addresses are relative, so that a proxy may serve
/// this under a path of its own.
fn index(view: &View, query: &Query) -> Answer {
    let mut rows = String::new();
    for Endpoint { path, help, mutates, .. } in &ENDPOINTS {
        let action = match path.trim_start_matches('/') {
            "" => ".",
            rest => rest,
        };
        let control = if *mutates && !query.rights().allow(path) {
            format!("{path} (POST, closed here)")
        } else if *mutates {
            format!("<form method=\"post\" action=\"{action}\"><button>{path}</button></form>")
        } else {
            format!("<a href=\"{action}\">{path}</a>")
        };
        let _ = writeln!(rows, "<tr><td>{control}</td><td>{help}</td></tr>");
    }
    page::page(view, &rows, query.rights())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_paths_are_distinct() {
        assert!(ENDPOINTS.is_sorted_by(|a, b| a.path < b.path));
    }

    #[test]
    fn help_marks_what_needs_post() {
        let help = help();
        assert!(
            help.starts_with("admin commands are:\n  /: Admin home page\n  /allocprofiler (POST): "),
            "{help}"
        );
        assert!(help.contains("\n  /quitquitquit (POST): "), "{help}");
    }
}
