//! C6, how many: a mirror that is to get a share of the requests gets that share, and shares nest.

use std::collections::BTreeSet;

use crate::dsl::{Config, Proxy, Reply, Request, Upstream};

/// Sends `count` numbered reads; returns which of them each mirror got.
async fn sampled(config: Config, mirrors: &[&Upstream], count: usize) -> Vec<BTreeSet<String>> {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = Proxy::start(&config.primary(primary.address())).await;
    let mut client = proxy.client().await;
    for n in 0..count {
        assert_eq!(client.exchange(&Request::get(&format!("/{n}"))).await.status(), 200);
    }
    assert_eq!(primary.completed(), count);
    let names: Vec<_> = (0..mirrors.len()).map(|n| format!("mirror-{n}")).collect();
    for name in &names {
        proxy.settled(name).await;
    }
    mirrors.iter().map(|m| m.requests().iter().map(|r| r.target().to_owned()).collect()).collect()
}

/// How many of 3000 a mirror of this share gets.
async fn share(numerator: u32, denominator: &str) -> usize {
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().mirror("mirror-0", mirror.address()).share(numerator, denominator);
    sampled(config, &[&mirror], 3000).await[0].len()
}

#[tokio::test]
async fn c6_a_share_of_nothing_is_nothing_and_of_all_is_all() {
    assert_eq!(share(0, "HUNDRED").await, 0);
    assert_eq!(share(100, "HUNDRED").await, 3000);
    assert_eq!(share(1_000_000, "MILLION").await, 3000);
}

/// Six standard deviations around the expectation: a right program fails once in five hundred million runs.
#[tokio::test]
async fn c6_a_share_is_a_share() {
    for (numerator, denominator, expected, spread) in
        [(1, "HUNDRED", 30.0, 5.45), (10, "HUNDRED", 300.0, 16.4), (9_900, "TEN_THOUSAND", 2970.0, 5.45)]
    {
        let got = share(numerator, denominator).await;
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let distance = (got as f64 - expected).abs();
        assert!(distance <= 6.0 * spread, "{got} of 3000 at {numerator} of {denominator}");
    }
}

#[tokio::test]
async fn c6_smaller_shares_are_parts_of_larger_ones() {
    let small = Upstream::answering(Reply::ok()).await;
    let large = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().mirror("mirror-0", small.address()).share(10, "HUNDRED");
    let config = config.mirror("mirror-1", large.address()).share(30, "HUNDRED");
    let got = sampled(config, &[&small, &large], 2000).await;
    assert!(!got[0].is_empty() && got[0].len() < got[1].len(), "{} and {}", got[0].len(), got[1].len());
    assert!(got[0].is_subset(&got[1]), "the smaller share is no part of the larger one");
}

#[tokio::test]
async fn c6_a_native_percentage_is_a_share() {
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::native().mirror("mirror-0", mirror.address()).setting("percent", "50");
    let got = sampled(config, &[&mirror], 2000).await[0].len();
    // Six standard deviations.
    assert!((866..=1134).contains(&got), "{got} of 2000 at half");
}
