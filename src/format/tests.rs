//! Each command with what Envoy 1.40 printed for the same request.

use std::time::UNIX_EPOCH;

use http::{HeaderValue, Request};

use super::*;

fn format(text: &str) -> Format {
    config::format(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

fn facts() -> Facts<'static> {
    Facts {
        begun: Some(UNIX_EPOCH + Duration::from_nanos(1_795_629_291_160_780_000)),
        version: Some(Version::HTTP_11),
        upstream_version: Some(Version::HTTP_11),
        code: Some(StatusCode::OK),
        details: Some(Cow::Borrowed("via_upstream")),
        received: 4,
        sent: 5,
        took: Some(Duration::from_micros(1900)),
        request_took: Some(Duration::from_micros(20)),
        upstream: "127.0.0.1:21010".parse().ok(),
        connected: true,
        cluster: Some("prim"),
        attempts: Some(1),
        peer: "127.0.0.1:46816".parse().ok(),
        local: "127.0.0.1:21000".parse().ok(),
        route: Some("r1"),
        connection: Some(7),
        log: Some("DownstreamEnd"),
        ..Facts::default()
    }
}

fn written(text: &str, facts: &Facts<'_>) -> String {
    let request = Request::post("/rewritten/v1/push?a=1&b=2")
        .header("host", "mimir.example:9009")
        .header("x-a", "h\u{e9}llo")
        .header("x-empty", "")
        .header("x-request-id", "an-id")
        .header("x-scope-orgid", "t1")
        .header("x-envoy-original-path", "/api/v1/push?a=1&b=2")
        .body(())
        .unwrap();
    let mut response = HeaderMap::new();
    response.append("x-two", HeaderValue::from_static("1"));
    response.append("x-two", HeaderValue::from_static("2"));
    response.insert("grpc-status", HeaderValue::from_static("14"));
    let head = RequestHead {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        scheme: "http",
    };
    let view = View { request: Some(head), response: Some(&response), trailers: None, facts };
    let mut out = Vec::new();
    write(&mut out, &format(text), view, "-");
    String::from_utf8_lossy(&out).into_owned()
}

/// Format, and what it yields.
const COMMANDS: &[(&str, &str)] = &[
    ("%START_TIME%", "2026-11-25T17:54:51.160Z"),
    (
        "%START_TIME(%Y/%m/%dT%H:%M:%S%z %s %3f %6f %f)%",
        "2026/11/25T17:54:51+0000 1795629291 160 160780 160780000",
    ),
    (
        "%START_TIME(%a %A %b %B %e %j %I %p %y %Z %T %D %R %%)%",
        "Wed Wednesday Nov November 25 329 05 PM 26 UTC 17:54:51 11/25/26 17:54 %",
    ),
    ("%REQ(X-A)%|%REQ(X-NONE?X-A)%|%REQ(X-A):1%|%REQ(X-NONE)%|%REQ(X-EMPTY)%", "h\u{e9}llo|h\u{e9}llo|h|-|"),
    (
        "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)% %REQ(HOST)%",
        "POST /rewritten/v1/push?a=1&b=2 mimir.example:9009 http mimir.example:9009",
    ),
    ("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PATH(NQ)% %QUERY_PARAM(b)%", "/api/v1/push?a=1&b=2 /api/v1/push 2"),
    ("%RESP(X-TWO)% %RESP(:STATUS)% %RESP(X-NONE)% %TRAILER(X)%", "1 200 - -"),
    (
        "%PROTOCOL% %UPSTREAM_PROTOCOL% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%",
        "HTTP/1.1 HTTP/1.1 200 via_upstream",
    ),
    ("%RESPONSE_FLAGS%%RESPONSE_FLAGS_LONG%", "--"),
    ("%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %REQUEST_DURATION% %RESPONSE_DURATION%", "4 5 1 0 -"),
    (
        "%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT% %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS%",
        "127.0.0.1:21010 21010 prim -",
    ),
    ("%UPSTREAM_TRANSPORT_FAILURE_REASON% %UPSTREAM_REQUEST_ATTEMPT_COUNT%", "- 1"),
    (
        "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%",
        "127.0.0.1:46816 127.0.0.1 46816",
    ),
    (
        "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT%",
        "127.0.0.1:46816 127.0.0.1:21000 21000",
    ),
    ("%REQUESTED_SERVER_NAME% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_TLS_VERSION%", "- - -"),
    (
        "%ROUTE_NAME% %VIRTUAL_CLUSTER_NAME% %CONNECTION_ID% %STREAM_ID% %ACCESS_LOG_TYPE%",
        "r1 - 7 an-id DownstreamEnd",
    ),
    ("%GRPC_STATUS% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%", "Unavailable 14 14"),
    ("%ENVIRONMENT(MIMIR_MIRROR_NO_SUCH_VARIABLE)%", "-"),
    ("%COPY_OUTCOME% %COPY_TENANT%", "- -"),
    ("100%%", "100%"),
];

#[test]
fn each_command_is_what_envoy_prints() {
    let facts = facts();
    for (text, expected) in COMMANDS {
        assert_eq!(&written(text, &facts), expected, "{text}");
    }
    assert_ne!(written("%HOSTNAME%", &facts), "-");
}

#[test]
fn what_is_not_known_is_a_dash_and_a_code_that_was_not_sent_is_0() {
    let facts = Facts::default();
    assert_eq!(
        written("%PROTOCOL% %RESPONSE_CODE% %DURATION% %ROUTE_NAME% %UPSTREAM_HOST%", &facts),
        "- 0 - - -"
    );
}

#[test]
fn flags_stand_in_envoys_order() {
    let flags = Flags::STREAM_IDLE.with(Flags::NO_HEALTHY_UPSTREAM);
    let facts = Facts { flags, ..Facts::default() };
    assert_eq!(
        written("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", &facts),
        "UH,SI NoHealthyUpstream,StreamIdleTimeout"
    );
}

#[test]
fn days_are_counted_over_leap_years() {
    for (unix, expected) in [
        (0, "1970-01-01 Thu 001"),
        (951_782_400, "2000-02-29 Tue 060"),
        (1_735_603_200, "2024-12-31 Tue 366"),
    ] {
        let facts = Facts { begun: Some(UNIX_EPOCH + Duration::from_secs(unix)), ..Facts::default() };
        assert_eq!(written("%START_TIME(%Y-%m-%d %a %j)%", &facts), expected);
    }
}
