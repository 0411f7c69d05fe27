//! Access logs: the same lines, but for time.

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;
use crate::dsl::{Reply, Request};

const TYPES: &str = "type.googleapis.com/envoy.extensions.access_loggers";

/// A file log in `<dir>`.
fn log(file: &str, entries: &str) -> String {
    format!(
        "{{ name: a, typed_config: {{ \"@type\": {TYPES}.file.v3.FileAccessLog, path: \"<dir>/{file}\"{entries} }} }}"
    )
}

fn text(file: &str, format: &str) -> String {
    log(file, &format!(", log_format: {{ text_format_source: {{ inline_string: \"{format}\\n\" }} }}"))
}

fn logs(entries: &[String]) -> String {
    format!("access_log: [ {} ]", entries.join(", "))
}

/// Facts that time and chance do not decide.
const SETTLED: &str = "%REQ(X-A)%|%REQ(X-NONE?X-A)%|%REQ(X-A):2%|%REQ(X-NONE)%|%REQ(:METHOD)%|%REQ(:PATH)%|%REQ(:AUTHORITY)%|\
    %REQ(:SCHEME)%|%REQ(HOST)%|%RESP(X-ODD)%|%RESP(X-EMPTY)%|%RESP(X-TWO)%|%RESP(:STATUS)%|%TRAILER(X)%|%PROTOCOL%|\
    %UPSTREAM_PROTOCOL%|%RESPONSE_CODE%|%RESPONSE_CODE_DETAILS%|%CONNECTION_TERMINATION_DETAILS%|%RESPONSE_FLAGS%|\
    %RESPONSE_FLAGS_LONG%|%BYTES_RECEIVED%|%BYTES_SENT%|%UPSTREAM_HOST%|%UPSTREAM_CLUSTER%|%UPSTREAM_REMOTE_ADDRESS%|\
    %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%|\
    %DOWNSTREAM_LOCAL_ADDRESS%|%REQUESTED_SERVER_NAME%|%DOWNSTREAM_PEER_SUBJECT%|%DOWNSTREAM_TLS_VERSION%|%ROUTE_NAME%|\
    %VIRTUAL_CLUSTER_NAME%|%FILTER_CHAIN_NAME%|%HOSTNAME%|%UPSTREAM_REQUEST_ATTEMPT_COUNT%|%GRPC_STATUS%|\
    %GRPC_STATUS_NUMBER%|%ENVIRONMENT(NO_SUCH_VARIABLE)%|%ACCESS_LOG_TYPE%|%LOCAL_REPLY_BODY%|%PATH(NQ)%|\
    %QUERY_PARAM(a)%|%REQUEST_HEADERS_BYTES%|%%";

fn odd(_: &crate::dsl::http1::Message) -> Reply {
    Reply::raw(
        &b"HTTP/1.1 200 OK\r\nx-odd: a\"b\\c\td\xe9\r\nx-empty: \r\nx-two: 1\r\nx-two: 2\r\ncontent-length: 5\r\n\r\nhello"[..],
    )
}

/// Lines of text have values as they are, so that these must be UTF-8 to be compared.
fn readable(_: &crate::dsl::http1::Message) -> Reply {
    Reply::raw(
        "HTTP/1.1 200 OK\r\nx-odd: a\"b\\c\td\r\nx-empty: \r\nx-two: 1\r\nx-two: 2\r\ncontent-length: 5\r\n\r\nhello",
    )
}

#[tokio::test]
async fn every_command() {
    let file = File::new().route("name: the-route").manager(&logs(&[text("a.log", SETTLED)]));
    Scenario::of(file)
        .upstream("primary", readable)
        .run(async |run| {
            let write = Request::new("POST", "/api/v1/push?a=1&b=2").header("X-A", "hello").body("body");
            run.exchange("a write", &write, &BOTH).await;
            run.exchange(
                "forwarded",
                &Request::push("x").header("X-Forwarded-For", "192.0.2.9, 192.0.2.7"),
                &BOTH,
            )
            .await;
            run.log("a.log", 2).await;
        })
        .await;
}

#[tokio::test]
async fn answers_of_the_proxys_own() {
    let format = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %BYTES_SENT% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% \
                  %UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_PROTOCOL% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %ROUTE_NAME% \
                  %REQ(:PATH)% %RESPONSE_DURATION% [%LOCAL_REPLY_BODY%] %RESP(SERVER)%";
    let file = File::new()
        .policies("[]")
        .manager(&logs(&[text("a.log", format)]))
        .routes(
            "[ { match: { prefix: /nobody }, route: { cluster: nobody } }, \
             { match: { prefix: /refused }, name: refused, route: { cluster: refused } }, \
             { match: { prefix: /slow }, route: { cluster: primary, timeout: 0.2s } } ]",
        )
        .cluster("nobody", "load_assignment: { cluster_name: nobody }")
        .cluster("refused", "");
    Scenario::of(file)
        .port("refused")
        .upstream("primary", |_| Reply::silence())
        .run(async |run| {
            run.exchange("no endpoint", &Request::get("/nobody"), &[]).await;
            run.exchange("no route", &Request::get("/"), &[]).await;
            run.exchange("refused", &Request::get("/refused"), &[]).await;
            run.exchange("no answer", &Request::get("/slow"), &["primary"]).await;
            run.log("a.log", 4).await;
        })
        .await;
}

#[tokio::test]
async fn json() {
    let members = "code: \"%RESPONSE_CODE%\", both: \"%RESPONSE_CODE% %REQ(X-NONE)%\", none: \"%REQ(X-NONE)%\", \
                   empty: \"%RESP(X-EMPTY)%\", odd: \"%RESP(X-ODD)%\", a: \"%REQ(X-A)%\", list: [ \"%PROTOCOL%\", 1, true ], \
                   nest: { z: \"%BYTES_RECEIVED%\", n: \"%REQ(X-NONE)%\" }, gone: { n: \"%REQ(X-NONE)%\" }, number: -12, \
                   fraction: 2.5, large: 12345678901, percent: \"100%%\", flags: \"%RESPONSE_FLAGS%\", short: \"%REQ(X-A):2%\"";
    let file = File::new().manager(&logs(&[
        log("a.log", &format!(", log_format: {{ json_format: {{ {members} }} }}")),
        log("b.log", &format!(", log_format: {{ json_format: {{ {members} }}, omit_empty_values: true }}")),
    ]));
    Scenario::of(file)
        .upstream("primary", odd)
        .run(async |run| {
            run.exchange("a write", &Request::push("x").header("X-A", "a\"b\\c\td/\u{e9}"), &BOTH).await;
            run.log("a.log", 1).await;
            run.log("b.log", 1).await;
        })
        .await;
}

#[tokio::test]
async fn older_spellings() {
    let file = File::new().manager(&logs(&[
        log("a.log", ", format: \"%RESPONSE_CODE% a\\n\""),
        log("b.log", ", json_format: { c: \"%RESPONSE_CODE%\" }"),
        log("c.log", ", typed_json_format: { c: \"%RESPONSE_CODE%\" }"),
        log(
            "d.log",
            ", log_format: { text_format: \"%RESPONSE_CODE% d %REQ(X-NONE)%\\n\", omit_empty_values: true }",
        ),
    ]));
    Scenario::of(file)
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            for file in ["a.log", "b.log", "c.log", "d.log"] {
                run.log(file, 1).await;
            }
        })
        .await;
}

#[tokio::test]
async fn filters() {
    let of = |name: &str, filter: &str| {
        let log = text(&format!("{name}.log"), "%REQ(:PATH)% %RESPONSE_CODE%");
        log.replacen("{ name: a,", &format!("{{ name: a, filter: {{ {filter} }},"), 1)
    };
    let compare = |op: &str, value: u32| {
        format!("comparison: {{ op: {op}, value: {{ default_value: {value}, runtime_key: none }} }}")
    };
    let file = File::new().policies("[]").manager(&logs(&[
        of("status", &format!("status_code_filter: {{ {} }}", compare("GE", 400))),
        of("duration", &format!("duration_filter: {{ {} }}", compare("LE", 60_000))),
        of("health", "not_health_check_filter: {}"),
        of("flags", "response_flag_filter: { flags: [NR, UH] }"),
        of("header", "header_filter: { header: { name: x-log, string_match: { prefix: ye } } }"),
        of(
            "and",
            &format!(
                "and_filter: {{ filters: [ {{ status_code_filter: {{ {} }} }}, {{ header_filter: {{ header: {{ name: x-log, present_match: true }} }} }} ] }}",
                compare("EQ", 200)
            ),
        ),
        of(
            "or",
            &format!(
                "or_filter: {{ filters: [ {{ status_code_filter: {{ {} }} }}, {{ response_flag_filter: {{}} }} ] }}",
                compare("EQ", 299)
            ),
        ),
        of("share", "runtime_filter: { runtime_key: none, percent_sampled: { numerator: 100 } }"),
    ]));
    let file = file.routes("[ { match: { prefix: /x }, route: { cluster: primary } } ]");
    Scenario::of(file)
        .run(async |run| {
            run.exchange("nowhere", &Request::get("/nowhere"), &[]).await;
            run.exchange("plain", &Request::get("/x"), &["primary"]).await;
            run.exchange("marked", &Request::get("/x/1").header("x-log", "yes"), &["primary"]).await;
            for (file, lines) in [
                ("duration", 3),
                ("health", 3),
                ("share", 3),
                ("status", 1),
                ("flags", 1),
                ("header", 1),
                ("and", 1),
                ("or", 1),
            ] {
                run.log(&format!("{file}.log"), lines).await;
            }
        })
        .await;
}

/// What goes to standard output is not compared; that the request passes is.
#[tokio::test]
async fn a_stream_and_a_content_type() {
    let stream = |kind: &str| {
        format!(
            "{{ name: a, typed_config: {{ \"@type\": {TYPES}.stream.v3.{kind}, log_format: {{ content_type: text/plain, \
             text_format_source: {{ inline_string: \"%PROTOCOL%\\n\" }} }} }} }}"
        )
    };
    let file =
        File::new().manager(&logs(&[stream("StdoutAccessLog"), stream("StderrAccessLog"), log("a.log", "")]));
    Scenario::of(file).run(async |run| drop(run.exchange("a write", &Request::push("x"), &BOTH).await)).await;
}
