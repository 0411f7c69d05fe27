//! `/api/status` and `mimir-mirror status`: whether the primary is well and each copy complete, since when and why not.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::wait::until_within;
use crate::dsl::{Backlog, Config, Proxy, Reply, Request, Upstream, until};

/// What a mirror in trouble says.
const COMPLAINT: &str = "ingestion rate limit of 7 exceeded";
/// A copy is complete again only after some quiet time.
const PATIENCE: Duration = Duration::from_secs(60);

async fn status(proxy: &Proxy) -> Value {
    let answer = proxy.admin_get("/api/status").await;
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.text()))
}

/// The status once it is as wanted; a write goes out before each look.
async fn written_until(proxy: &Proxy, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until_within(PATIENCE, what, async || {
        proxy.send(&Request::push("x")).await;
        let status = status(proxy).await;
        wanted(&status).then_some(status)
    })
    .await
}

async fn command(proxy: &Proxy, flags: &[&str]) -> Output {
    let mut command = Program::MimirMirror.command();
    command.args(["status", "--admin", &format!("http://{}", proxy.admin)]).args(flags);
    let run = tokio::task::spawn_blocking(move || command.output());
    run.await.unwrap().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A cluster that answers 503 for as long as the flag stands.
async fn troubled(flag: &Arc<AtomicBool>) -> Upstream {
    let flag = Arc::clone(flag);
    Upstream::scripted(
        move |_| {
            if flag.load(Ordering::Relaxed) { Reply::new(503, COMPLAINT) } else { Reply::ok() }
        },
    )
    .await
}

#[tokio::test]
async fn a_copy_is_not_complete_from_its_first_loss_until_the_mirror_is_well_again() {
    let trouble = Arc::new(AtomicBool::new(false));
    let primary = Upstream::answering(Reply::ok()).await;
    let (good, bad) = (Upstream::answering(Reply::ok()).await, troubled(&trouble).await);
    let config = Config::native()
        .primary(primary.address())
        .mirror("good", good.address())
        .mirror("bad", bad.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let idle = status(&proxy).await;
    assert_eq!(
        (&idle["mirrors"][1]["state"], &idle["complete"], &idle["well"]),
        (&"idle".into(), &true.into(), &true.into())
    );

    let is = |state: &'static str| move |status: &Value| status["mirrors"][1]["state"] == state;
    written_until(&proxy, "a complete copy", is("complete")).await;
    let output = command(&proxy, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output).contains("\nmirror bad: copy complete for "), "{}", text(&output));

    trouble.store(true, Ordering::Relaxed);
    let lost = written_until(&proxy, "a loss", is("incomplete")).await;
    let [one, other] = [&lost["mirrors"][0], &lost["mirrors"][1]];
    assert_eq!(
        (&one["complete"], &other["complete"], &lost["complete"]),
        (&true.into(), &false.into(), &false.into())
    );
    assert_eq!(other["why"][0]["reason"], "http_5xx", "{other}");
    assert_eq!(
        (&other["last_refusal"]["status"], &other["last_refusal"]["text"]),
        (&503.into(), &COMPLAINT.into())
    );
    assert!(other["gaps"][0]["open"] == true && other["missing_copies"].as_u64() > Some(0), "{other}");
    let output = command(&proxy, &[]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output).contains("\nmirror bad: copy NOT COMPLETE for "), "{}", text(&output));
    assert!(text(&output).contains(COMPLAINT) && !text(&output).contains('\x1b'), "{}", text(&output));

    trouble.store(false, Ordering::Relaxed);
    let again = written_until(&proxy, "a complete copy after a loss", is("complete")).await;
    let gap = &again["mirrors"][1]["gaps"][0];
    assert_eq!((&gap["open"], &again["complete"]), (&false.into(), &true.into()));
    assert_eq!(
        (&gap["to_ms"], &gap["copies"]),
        (&again["mirrors"][1]["since_ms"], &again["mirrors"][1]["missing_copies"])
    );
    assert_eq!(command(&proxy, &[]).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_failing_primary_is_not_well_and_what_both_refuse_is_not_missing() {
    let primary = Upstream::answering(Reply::new(503, "")).await;
    let mirror = Upstream::answering(Reply::new(503, "")).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let told = written_until(&proxy, "a primary that is not well", |status| status["well"] == false).await;
    let one = &told["primaries"][0];
    assert_eq!((&one["well"], &one["why"][0]["reason"]), (&false.into(), &"recent_failures".into()), "{one}");
    let pairs = written_until(&proxy, "a pair of refusals", |status| {
        status["mirrors"][0]["status_pairs"][0]["primary"] == "5xx"
    })
    .await;
    assert_eq!(pairs["mirrors"][0]["complete"], true, "{pairs}");
}

#[tokio::test]
async fn the_history_holds_rates_and_latencies_of_both_sides() {
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    until("a moment with latencies of both", async || {
        proxy.send(&Request::push("x")).await;
        let answer = proxy.admin_get("/api/status?since=0").await;
        let status: Value = serde_json::from_slice(&answer.body).unwrap();
        let some = |side: &str, column: &str| {
            let values = status[side][0]["history"][column].as_array().unwrap();
            values.iter().any(|value| value.as_f64().is_some_and(|value| value > 0.0))
        };
        let all = some("primaries", "p50_ms") && some("primaries", "requests_per_second");
        (all && some("mirrors", "p99_ms") && some("mirrors", "taken_per_second")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_command_prints_what_it_was_told_or_why_nobody_told_it() {
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let output = command(&proxy, &["--json"]).await;
    let json: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!((output.status.code(), &json["version"]), (Some(0), &1.into()));
    proxy.terminate().await;
    let output = command(&proxy, &[]).await;
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), ""));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.starts_with("status: no status from 127.0.0.1:"), "{complaint}");
}

/// On a terminal there are colours, unless they are refused; `script` lends one.
#[tokio::test]
async fn the_command_colours_a_terminal_unless_no_color_is_set() {
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let ours = Program::MimirMirror.command().get_program().to_string_lossy().into_owned();
    for (no_color, coloured) in [("", true), ("1", false)] {
        let mut script = std::process::Command::new("script");
        let asked = format!("{ours} status --admin {}", proxy.admin);
        script.args(["--quiet", "--return", "--command", &asked, "/dev/null"]).env("NO_COLOR", no_color);
        let output = tokio::task::spawn_blocking(move || script.output()).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(text(&output).contains("mirror m: "), "{output:?}");
        assert_eq!(text(&output).contains('\x1b'), coloured, "NO_COLOR={no_color} {output:?}");
    }
}

#[tokio::test]
async fn a_watching_command_goes_on_when_the_proxy_is_away() {
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let mut watch = Program::MimirMirror.command();
    watch.args(["status", "--watch", "--json", "--admin", &proxy.admin.to_string()]);
    let dir = Dir::new("watch");
    let shown = dir.path().join("stdout");
    let watch = Process::spawn("watch", watch, dir);
    let lines = || std::fs::read_to_string(&shown).unwrap_or_default().lines().count();
    until("two answers", async || (lines() >= 2).then_some(())).await;
    proxy.terminate().await;
    until("a complaint", async || watch.stderr().contains("no status from").then_some(())).await;
    let before = lines();
    proxy.start_again().await;
    until("another answer", async || (lines() > before).then_some(())).await;
}

/// Durable copies of a mirror that is away are late and not lost.
#[tokio::test]
async fn a_durable_copy_of_a_mirror_that_is_away_is_behind_and_nothing_is_missing() {
    let (backlog, away) = (Backlog::new(), Port::reserve());
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address()).mirror("m", away.address());
    let settings = backlog.settings();
    let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    let behind = until_within(PATIENCE, "a copy that is behind", async || {
        let status = status(&proxy).await;
        (status["mirrors"][0]["state"] == "behind").then_some(status)
    })
    .await;
    let one = &behind["mirrors"][0];
    assert_eq!(
        (&one["complete"], &one["missing_copies"], &one["gaps"]),
        (&false.into(), &0.into(), &Value::Array(vec![]))
    );
    assert_eq!(
        (&one["why"][0]["outcome"], &one["why"][0]["copies"]),
        (&"waiting".into(), &1.into()),
        "{one}"
    );
    assert!(one["backlog"]["bound_bytes"].as_u64() > Some(0), "{one}");
}

/// Of several tenants the one that the mirror refuses comes first, and the bound holds.
#[tokio::test]
async fn tenants_are_told_apart_the_troubled_first() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::scripted(|request| match request.tenant().as_str() {
        "refused" => {
            Reply::raw("HTTP/1.1 429 Too Many Requests\r\nretry-after: 600\r\ncontent-length: 0\r\n\r\n")
        }
        "judged" => Reply::new(400, "too old"),
        _ => Reply::ok(),
    })
    .await;
    for delivery in ["memory", "durable"] {
        let backlog = Backlog::new();
        let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
        let settings = if delivery == "durable" { backlog.settings() } else { Vec::new() };
        let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
        let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
        let mut client = proxy.client().await;
        let mut write = async |tenant: &str| {
            let request = Request::new("POST", "/api/v1/push").header("x-scope-orgid", tenant).body("x");
            assert_eq!(client.exchange(&request).await.status(), 200);
        };
        for name in ["refused", "refused", "judged"]
            .into_iter()
            .map(str::to_owned)
            .chain((0..30).map(|n| format!("t{n}")))
        {
            write(&name).await;
        }
        let tenants = until("all outcomes", async || {
            let tenants = status(&proxy).await["mirrors"][0]["tenants"].clone();
            let first = &tenants["most"][0];
            let ended = first["limited_ms"].is_u64() && tenants["most"][1]["rejected_copies"] == 1;
            let waits = delivery == "memory" || first["waiting_copies"] == 2;
            (ended && waits && tenants["seen"] == 32).then_some(tenants)
        })
        .await;
        let most = tenants["most"].as_array().unwrap();
        assert_eq!(
            (most.len(), &most[0]["name"], &most[1]["name"]),
            (20, &"refused".into(), &"judged".into())
        );
        assert_eq!(most[0]["copies"], 2, "{tenants}");
        let (lost, waiting) = (&most[0]["lost_copies"], &most[0]["waiting_copies"]);
        assert_eq!(lost.as_u64().unwrap() + waiting.as_u64().unwrap(), 2, "{tenants}");
        assert_eq!(lost.as_u64().unwrap() > 0, delivery == "memory", "{tenants}");
    }
}
