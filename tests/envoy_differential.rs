//! The same requests through Envoy and through ours, from one file: the client, the primary and the mirror must see
//! the same, but for what stands in [`DIFFERENCES`].

use std::collections::BTreeMap;

use crate::dsl::http1::{Fields, Message};
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Upstream};

mod cases;
mod differences;

use cases::Case;
use differences::{DIFFERENCES, Difference};

/// What somebody saw, by what it is.
type Seen = BTreeMap<String, String>;

/// Where a message came from; what time and place alone decide is replaced by what it is.
fn seen(who: &str, message: &Message) -> Seen {
    let mut seen = Seen::new();
    let mut put = |what: &str, value: String| seen.insert(format!("{who}: {what}"), value);
    if who == "client" {
        put("status", message.status().to_string());
    } else {
        put("line", message.start.clone());
    }
    let short = String::from_utf8_lossy(&message.body[..message.body.len().min(100)]).into_owned();
    put("body", format!("{} {short}", message.body.len()));
    put("framing", format!("{:?}", message.framing));
    put("complete", message.complete.to_string());
    put("interim", format!("{:?}", message.interim));
    put("trailers", format!("{:?}", message.trailers));
    let mut names: Vec<_> = message.headers.iter().map(|(n, _)| n.clone()).collect();
    names.dedup();
    for name in names {
        let value = of_name(&message.headers, &name);
        put(&name, settled(&name, &value));
    }
    seen
}

fn of_name(headers: &Fields, name: &str) -> String {
    let values: Vec<_> =
        headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.escape_ascii().to_string()).collect();
    values.join(" | ")
}

fn settled(name: &str, value: &str) -> String {
    let is_id = value.len() == 36 && value.bytes().filter(|b| *b == b'-').count() == 4;
    match name {
        "x-request-id" if is_id => "(an id)".to_owned(),
        "date" if !value.contains("1970") => "(now)".to_owned(),
        "x-envoy-upstream-service-time" => "(milliseconds)".to_owned(),
        "x-forwarded-for" => match value.rsplit_once(',') {
            Some((client, _)) => format!("{client},(the proxy)"),
            None if value == "192.0.2.1" => value.to_owned(),
            None => "(the proxy)".to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// Sends every case through one program; what everybody saw of each.
async fn observe(program: Program, cases: &[Case]) -> Vec<Seen> {
    let mut all = Vec::new();
    for case in cases {
        let primary = Upstream::answering(Reply::raw(case.reply)).await;
        let mirror = Upstream::answering(Reply::ok()).await;
        let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
        let proxy = Proxy::launch(program, &config, &[]).await;
        all.push(one(&proxy, case, &primary, &mirror).await);
    }
    all
}

async fn one(proxy: &Proxy, case: &Case, primary: &Upstream, mirror: &Upstream) -> Seen {
    let mut client = proxy.client().await;
    let answer = if case.to_head {
        client.send(&case.bytes).await;
        Some(client.answer_to_head().await)
    } else {
        client.attempt(&case.bytes).await.0
    };
    let mut all = match &answer {
        Some(answer) => seen("client", answer),
        None => Seen::from([("client: status".to_owned(), "closed".to_owned())]),
    };
    // The copy comes when the primary was asked; a refusal reaches neither.
    if primary.begun() > 0 {
        all.extend(seen("primary", &primary.only().await));
        all.extend(seen("mirror", &mirror.only().await));
    }
    all
}

/// Compares what `matters`; what differs must be in the table, and what is in the table must differ.
async fn compare(cases: Vec<Case>, matters: impl Fn(&str) -> bool) {
    let envoy = observe(Program::Envoy, &cases).await;
    let ours = observe(Program::MimirMirror, &cases).await;
    let mut wrong = Vec::new();
    for (case, (envoy, ours)) in cases.iter().zip(envoy.iter().zip(&ours)) {
        let mut expected: Vec<_> = DIFFERENCES.iter().filter(|d| d.case == case.name).collect();
        let mut all: Vec<_> = envoy.keys().chain(ours.keys()).filter(|k| matters(k)).collect();
        all.sort();
        all.dedup();
        for what in all {
            let absent = "(absent)".to_owned();
            let (theirs, own) = (envoy.get(what).unwrap_or(&absent), ours.get(what).unwrap_or(&absent));
            let known = |d: &&Difference| d.what == what && d.envoy == theirs && d.ours == own;
            let listed = expected.iter().any(known);
            expected.retain(|d| !known(d));
            if theirs != own && !listed {
                wrong.push(format!("{}: {what}: Envoy {theirs:?}, ours {own:?}", case.name));
            }
        }
        wrong.extend(
            expected.iter().map(|d| format!("{}: {}: no longer differs ({})", d.case, d.what, d.why)),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn bodies_and_targets_are_seen_alike() {
    compare(cases::bodies_and_targets(), |_| true).await;
}

#[tokio::test]
async fn headers_are_seen_alike() {
    compare(cases::headers(), |_| true).await;
}

#[tokio::test]
async fn answers_are_seen_alike() {
    compare(cases::answers(), |_| true).await;
}

/// The status, and whom the request reached. Most of these are hyper's own answers, which have no body.
#[tokio::test]
async fn refusals_are_seen_alike() {
    let matters = |what: &str| matches!(what, "client: status" | "primary: line" | "mirror: line");
    compare(cases::refusals(), matters).await;
}
