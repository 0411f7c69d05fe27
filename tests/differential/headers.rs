//! Headers that routes and what stands above them add and remove, with literal and formatted values, and the changes
//! of mirror policies.

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;
use crate::dsl::http1::Message;
use crate::dsl::{Reply, Request};

fn add(name: &str, value: &str, action: &str) -> String {
    format!("{{ header: {{ key: {name}, value: \"{value}\" }}, append_action: {action} }}")
}

const APPEND: &str = "APPEND_IF_EXISTS_OR_ADD";
const OVERWRITE: &str = "OVERWRITE_IF_EXISTS_OR_ADD";

/// The same header changed on all three levels, in requests and answers.
fn level(name: &str) -> String {
    let both = format!("[ {}, {} ]", add("x-order", name, APPEND), add("x-last", name, OVERWRITE));
    format!(
        "request_headers_to_add: {both}, response_headers_to_add: {both}, request_headers_to_remove: [ x-rm-{name} ], \
         response_headers_to_remove: [ x-rm-{name} ]"
    )
}

fn with_headers(status: &str, headers: &[(&str, &str)]) -> Reply {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Reply::raw(format!("HTTP/1.1 {status}\r\n{lines}content-length: 2\r\n\r\nok"))
}

fn answering(_: &Message) -> Reply {
    let changed = [("x-order", "primary"), ("x-last", "primary"), ("x-rm-route", "1"), ("x-rm-host", "1")];
    with_headers("200 OK", &[&changed[..], &[("x-kept", "1")]].concat())
}

fn asking() -> Request {
    Request::push("x")
        .header("x-order", "client")
        .header("x-last", "client")
        .header("x-rm-route", "1")
        .header("x-rm-host", "1")
        .header("x-rm-config", "1")
        .header("x-kept", "1")
}

fn levels() -> File {
    File::new().route_config(&level("config")).host(&level("host")).route(&level("route"))
}

#[tokio::test]
async fn levels_change_headers_from_the_route_outwards() {
    Scenario::of(levels())
        .upstream("primary", answering)
        .run(async |run| drop(run.exchange("all levels", &asking(), &BOTH).await))
        .await;
}

#[tokio::test]
async fn the_most_specific_level_can_have_the_last_word() {
    Scenario::of(levels().route_config("most_specific_header_mutations_wins: true"))
        .upstream("primary", answering)
        .run(async |run| drop(run.exchange("all levels", &asking(), &BOTH).await))
        .await;
}

#[tokio::test]
async fn each_action_meets_present_and_absent_headers() {
    let mut entries = vec![
        "{ header: { key: x-empty, value: '' } }".to_owned(),
        "{ header: { key: x-kept, value: '' }, keep_empty_value: true }".to_owned(),
        "{ header: { key: x-old-append, value: new }, append: true }".to_owned(),
        "{ header: { key: x-old-overwrite, value: new }, append: false }".to_owned(),
        add("x-percent", "100%%", APPEND),
    ];
    for action in [APPEND, "ADD_IF_ABSENT", OVERWRITE, "OVERWRITE_IF_EXISTS"] {
        for name in ["x-present", "x-absent"] {
            let name = format!("{name}-{}", action.replace('_', "-").to_ascii_lowercase());
            entries.push(add(&name, "new", action));
        }
    }
    let list = format!("request_headers_to_add: [ {} ]", entries.join(", "));
    let mut request = Request::push("x").header("x-old-append", "old").header("x-old-overwrite", "old");
    for action in
        ["append-if-exists-or-add", "add-if-absent", "overwrite-if-exists-or-add", "overwrite-if-exists"]
    {
        request = request.header(&format!("x-present-{action}"), "old");
    }
    // Envoy warns of the deprecated `append`, and conversion prints what it means.
    Scenario::of(File::new().route(&list))
        .run(async |run| drop(run.exchange("each action", &request, &BOTH).await))
        .await;
}

#[tokio::test]
async fn values_are_worked_out_for_each_request() {
    let asked = "%REQ(:method)% %REQ(:path)% %REQ(:authority)% %REQ(x-none?x-here)% %REQ(x-here):3% %REQ(x-none)% \
                 %PROTOCOL% %UPSTREAM_CLUSTER% %ROUTE_NAME% %RESPONSE_CODE% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \
                 %DOWNSTREAM_LOCAL_ADDRESS%";
    let told = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %REQ(x-here)% %REQ(:path)% \
                %RESP(x-primary)% %RESP(x-gone)% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% %PROTOCOL% %ROUTE_NAME%";
    let file = File::new().route("name: the-route").route(&format!(
        "request_headers_to_add: [ {}, {}, {} ], response_headers_to_remove: [ x-gone ], response_headers_to_add: [ {} ]",
        add("x-asked", asked, APPEND),
        add("x-nothing", "%REQ(x-none)%", APPEND),
        add("x-here", "later", OVERWRITE),
        add("x-told", told, APPEND),
    ));
    Scenario::of(file)
        .upstream("primary", |_| with_headers("201 Created", &[("x-primary", "p"), ("x-gone", "g")]))
        .run(async |run| {
            let request = Request::new("POST", "/api/v1/push?a=1").header("x-here", "hello").body("x");
            run.exchange("formats", &request, &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn an_answer_of_the_proxys_own_has_the_routes_headers() {
    let told = add("x-told", "%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER%", APPEND);
    let file = File::new()
        .policies("[]")
        .route_config(&format!("response_headers_to_add: [ {told} ]"))
        .routes(
            "[ { match: { prefix: /nobody }, route: { cluster: nobody } }, \
             { match: { prefix: /x }, route: { cluster: primary } } ]",
        )
        .cluster("nobody", "load_assignment: { cluster_name: nobody }");
    Scenario::of(file)
        .run(async |run| {
            run.exchange("no endpoint", &Request::get("/nobody"), &[]).await;
            run.exchange("no route", &Request::get("/"), &[]).await;
            run.exchange("a route", &Request::get("/x"), &["primary"]).await;
        })
        .await;
}

#[tokio::test]
async fn a_policy_changes_its_copies() {
    let asked = "%REQ(:path)% %UPSTREAM_CLUSTER% %REQ(x-here)% %REQ(:authority)%";
    let file = File::new().policy(&format!(
        "request_headers_mutations: [ {{ append: {} }}, {{ append: {} }}, {{ append: {} }}, {{ remove: x-here }}, \
         {{ append: {} }} ]",
        add("x-asked", asked, OVERWRITE),
        add("x-nothing", "%REQ(x-none)%", APPEND),
        add("x-scope-orgid", "%REQ(x-here)%", OVERWRITE),
        add("x-literal", "50%%", "ADD_IF_ABSENT"),
    ));
    Scenario::of(file)
        .run(async |run| {
            let request = Request::push("x").header("x-here", "hello").header("x-scope-orgid", "t");
            run.exchange("a copy", &request, &BOTH).await;
        })
        .await;
}
