//! The status page in a real browser: what it says of healthy, slow, refusing and recovering mirrors, what its buttons
//! do, and that axe-core finds nothing serious in it. Pictures are left in `target/screenshots`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::dsl::browser::Browser;
use crate::dsl::latency::Latency;
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::wait::until_within;
use crate::dsl::{Config, Proxy, Receiver, Reply, Request, Treatment, Upstream, Writer, until};

const AXE: &str = include_str!("status_page/third-party/axe-core/axe.min.js");
/// A copy is complete again only after some quiet time.
const PATIENCE: Duration = Duration::from_secs(60);

async fn page(proxy: &Proxy, fragment: &str) -> Browser {
    let browser = Browser::start().await;
    browser.resize(1280, 1000).await;
    browser.open(&format!("http://{}/{fragment}", proxy.admin)).await;
    browser
}

/// Nothing that axe-core calls serious or critical, in light and in dark.
async fn assert_accessible(browser: &Browser) {
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let script = format!(
            "{AXE};\nconst done = arguments[arguments.length - 1];
            axe.run(document, {{ resultTypes: ['violations'] }}).then((found) => done(found.violations
                .filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => [one.id, one.nodes.map((node) => [node.html, node.failureSummary])])),
                (error) => done(String(error)));"
        );
        assert_eq!(browser.run_to_the_end(&script).await, json!([]), "{scheme}");
    }
}

/// Waits for words on the page; a write goes out before each look.
async fn written_until(proxy: &Proxy, browser: &Browser, selector: &str, part: &str) {
    until_within(PATIENCE, format!("{part:?} in {selector}"), async || {
        proxy.send(&Request::push("x")).await;
        browser.text(selector).await.contains(part).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_page_tells_healthy_slow_and_refusing_mirrors_apart() {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let healthy = Receiver::treating(Treatment::prompt()).await;
    let slow = Receiver::treating(Treatment::after(&Latency::constant(300))).await;
    let refusing = Port::reserve();
    let config = Config::native()
        .primary(primary.address())
        .mirror("healthy", healthy.address())
        .mirror("slow", slow.address())
        .mirror("refusing", refusing.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let browser = page(&proxy, "#mirror-refusing").await;
    let mut client = proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..20).await;

    browser.says("#mirror-refusing .badge", "Copy not complete").await;
    browser.says("#mirror-refusing .why", "The mirror refuses connections").await;
    browser.says("#mirror-healthy .badge", "Copy complete").await;
    browser.says("#mirror-slow .badge", "Copy complete").await;
    browser.says("#primary-primary .badge", "Well").await;
    browser.says("#well", "✓ Primary well").await;
    browser.says("#copies", "✗ 2 of 3 copies complete").await;
    browser.says("#glance", "✓ primary\n✓ healthy\n✓ slow\n✗ refusing").await;
    browser.says("#mirror-refusing .tables", "failed/connect_failed").await;
    let latency = browser.text("#mirror-slow dl div:nth-child(3)").await;
    let number = latency.strip_prefix("Latency p50\n").and_then(|rest| rest.split_once(' '));
    let ms =
        number.and_then(|(n, unit)| Some(n.parse::<f64>().ok()? * if unit == "s" { 1000.0 } else { 1.0 }));
    assert!(ms.is_some_and(|ms| ms >= 300.0), "{latency:?}");
    let target = browser.run("return document.querySelector(':target')?.id").await;
    assert_eq!(target, "mirror-refusing");
    let label = browser.run("return document.querySelector('#mirror-healthy svg[role=img]').ariaLabel").await;
    assert!(label.as_str().is_some_and(|label| label.starts_with("Copies: to copy ")), "{label}");

    assert_accessible(&browser).await;
    browser.picture("dark").await;
    browser.prefer("light").await;
    browser.picture("light").await;
    browser.resize(390, 844).await;
    let sideways = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.run(sideways).await, 0, "a phone has to scroll sideways");
    browser.picture("phone").await;
}

#[tokio::test]
async fn the_page_follows_a_mirror_into_trouble_and_out_of_it() {
    let trouble = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&trouble);
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::scripted(move |_| {
        if flag.load(Ordering::Relaxed) { Reply::new(503, "<i>overloaded</i>") } else { Reply::ok() }
    })
    .await;
    let config = Config::native().primary(primary.address()).mirror("<b>&", mirror.address());
    let config = config.setting("max_connections", "4");
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let browser = page(&proxy, "").await;
    let card = "section[id='mirror-<b>&']";
    browser.says(&format!("{card} .badge"), "Nothing to copy yet").await;
    written_until(&proxy, &browser, &format!("{card} .badge"), "Copy not complete").await;
    browser.says(&format!("{card} blockquote"), "503 <i>overloaded</i>").await;
    browser.says(&format!("{card} .tables"), "still open").await;
    trouble.store(false, Ordering::Relaxed);
    written_until(&proxy, &browser, &format!("{card} .badge"), "Copy complete").await;
    browser.says(&format!("{card} .tables"), "failed/http_5xx").await;
    assert!(!browser.text(card).await.contains("still open"));
    assert_accessible(&browser).await;
    browser.picture("recovered").await;
    proxy.terminate().await;
    browser.says("#connection", "does not answer").await;
}

#[tokio::test]
async fn buttons_ask_first_and_without_scripts_the_state_is_there() {
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let browser = page(&proxy, "").await;
    browser.says("#mirror-m .badge", "Nothing to copy yet").await;
    browser.press("#mirror-m", "Pause").await;
    browser.says("#question", "Send nothing more to mirror m?").await;
    assert_accessible(&browser).await;
    browser.press("#confirm", "Leave it").await;
    assert_eq!(browser.text("#said").await, "");
    browser.press("#mirror-m", "Pause").await;
    browser.press("#confirm", "Pause").await;
    browser.says("#said", "Pause: OK").await;
    browser.says("#mirror-m .badge", "(paused)").await;
    browser.press("#mirror-m", "Resume").await;
    browser.press("#confirm", "Resume").await;
    until("a mirror that is not paused", async || {
        (!browser.text("#mirror-m .badge").await.contains("paused")).then_some(())
    })
    .await;
    browser.press("#actions", "Fail readiness").await;
    browser.press("#confirm", "Fail readiness").await;
    browser.says("#process", "DRAINING").await;
    browser.press("#mirror-m", "Copy numbers").await;
    browser.says("#said", "Copied: numbers").await;

    browser.protocol("Emulation.setScriptExecutionDisabled", &json!({"value": true})).await;
    browser.protocol("Page.reload", &json!({})).await;
    until("the plain state", async || {
        let seen = browser.protocol("DOMSnapshot.captureSnapshot", &json!({"computedStyles": []})).await;
        let strings = seen["strings"].as_array().cloned().unwrap_or_default();
        let drawn = seen["documents"][0]["layout"]["text"].as_array().cloned().unwrap_or_default();
        let mut texts =
            drawn.iter().filter_map(|at| strings.get(usize::try_from(at.as_i64()?).ok()?)?.as_str());
        texts.any(|text| text.contains("mirror m: nothing to copy yet")).then_some(())
    })
    .await;
}
