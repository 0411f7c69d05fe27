//! The status page in a real browser: what it says of healthy, slow, refusing and recovering mirrors, what its buttons
//! do, and that axe-core finds nothing serious in it. Pictures are left in `target/screenshots`.

use std::net::{Ipv4Addr, SocketAddr};
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
    // One tenant alone is no table; another one makes one.
    assert!(!browser.text("#mirror-healthy .tables").await.contains("Tenants"));
    Writer::new("b").tenant("<b>other").catch_up(&mut client, 0..3).await;
    browser.says("#mirror-healthy .tables", "Tenants").await;
    browser.says("#mirror-healthy .tables", "<b>other").await;
    // The slow mirror's first answers may come after the looks that the others' were seen in.
    let latency = until("a latency of the slow mirror", async || {
        let latency = browser.text("#mirror-slow dl div:nth-child(3)").await;
        (!latency.contains("no data")).then_some(latency)
    })
    .await;
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

/// The words of all buttons that can be seen.
async fn buttons(browser: &Browser) -> Vec<String> {
    let script = "return [...document.querySelectorAll('main button')]
        .filter((b) => b.checkVisibility() && !b.closest('#endpoints')).map((b) => b.textContent)";
    serde_json::from_value(browser.run(script).await).expect("a list of words")
}

#[tokio::test]
async fn buttons_are_shown_to_whom_the_admin_obeys() {
    const COPIES: [&str; 3] = ["Copy numbers", "Copy numbers", "Copy configuration"];
    const MIRROR: [&str; 2] = ["Pause", "Skip to now"];
    const PROCESS: [&str; 3] = ["Fail readiness", "Pass readiness", "Drain listeners"];
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let browser = Browser::start().await;
    for (config, lines, expected) in [
        (Config::native(), "", &[][..]),
        (Config::native(), "\nadmin_writes: true\n", &[&MIRROR[..], &PROCESS]),
        (Config::envoy(), "", &[&PROCESS]),
    ] {
        let config = config.primary(primary.address()).mirror("m", mirror.address());
        let text = |listen: SocketAddr, admin: SocketAddr| {
            config.text(listen, (Ipv4Addr::UNSPECIFIED, admin.port()).into()) + lines
        };
        let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &[]).await;
        browser.open(&format!("http://{}/", proxy.admin)).await;
        browser.says(".badge", "Well").await;
        browser.says("#whole", "Copy configuration").await;
        let seen = buttons(&browser).await;
        let mut expected = expected.concat();
        let all_open = expected.len() == MIRROR.len() + PROCESS.len();
        expected.extend(COPIES);
        let sorted = |list: Vec<String>| list.into_iter().collect::<std::collections::BTreeSet<_>>();
        let expected = expected.iter().map(ToString::to_string).collect();
        assert_eq!(sorted(seen), sorted(expected), "{lines:?}");
        let told = browser.run("return document.querySelector('#closed').checkVisibility()").await;
        assert_eq!(told, !all_open, "{lines:?}");
        assert_accessible(&browser).await;
    }
}

/// With a keyboard alone: from the address bar to a paused mirror, and back where the dialog was opened.
#[tokio::test]
async fn a_keyboard_is_enough() {
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let browser = page(&proxy, "").await;
    browser.says("#mirror-m .badge", "Nothing to copy yet").await;
    let focused = async || browser.run("return document.activeElement.textContent").await;
    for expected in ["✓ primary", "✓ m", "#", "Copy numbers", "#", "Pause"] {
        browser.key("Tab").await;
        assert_eq!(focused().await, expected);
        let outline = "return getComputedStyle(document.activeElement).outlineStyle";
        assert_eq!(browser.run(outline).await, "solid", "{expected} does not show that it has the focus");
    }
    browser.key("Enter").await;
    browser.says("#question", "Send nothing more to mirror m?").await;
    assert_eq!(focused().await, "Leave it", "what is safe comes first");
    browser.key("Escape").await;
    assert_eq!(focused().await, "Pause");
    browser.key("Enter").await;
    browser.key("Tab").await;
    assert_eq!(focused().await, "Pause");
    browser.key("Enter").await;
    browser.says("#said", "Pause: OK").await;
    browser.says("#mirror-m .badge", "(paused)").await;
    // The button that had the focus is gone: another must have it, or the next Tab starts from the top.
    until("the focus", async || (focused().await == "Resume").then_some(())).await;
}

/// What is copied is what the proxy says.
#[tokio::test]
async fn numbers_and_configuration_can_be_copied() {
    let [primary, mirror] = [Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await];
    let config = Config::native().primary(primary.address()).mirror("m", mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let browser = page(&proxy, "").await;
    let allowed = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    browser.protocol("Browser.grantPermissions", &allowed).await;
    browser.says("#mirror-m .badge", "Nothing to copy yet").await;
    for (place, button, part) in [
        ("#mirror-m", "Copy numbers", "\"pending_copies\": 0"),
        ("#actions", "Copy configuration", "\"configs\""),
    ] {
        browser.press(place, button).await;
        let clipboard = "navigator.clipboard.readText().then(arguments[0], (e) => arguments[0](String(e)))";
        until(format!("{part:?} in the clipboard"), async || {
            let copied = browser.run_to_the_end(clipboard).await;
            copied.as_str().is_some_and(|text| text.contains(part)).then_some(())
        })
        .await;
    }
}
