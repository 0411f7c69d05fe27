//! HTTP/2 connections of clients through an upgrade: they are asked to leave (GOAWAY), what is in flight is answered,
//! and every request reaches the primary once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Request as H2Request;
use tokio::task::JoinSet;

use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::{Config, Gate, H2Upstream, Reply, Upstream, until};

use super::line::Line;

fn post(target: &str) -> http::request::Builder {
    H2Request::post(format!("http://mimir.example{target}"))
}

#[tokio::test]
async fn what_is_in_flight_over_http2_is_finished_by_the_old_process() {
    const HELD: usize = 5;
    let gate = Gate::closed();
    let primary = Upstream::scripted({
        let gate = gate.clone();
        move |request| {
            let reply = Reply::new(200, request.target());
            if request.target().starts_with("/held") { reply.behind(&gate) } else { reply }
        }
    })
    .await;
    let config = Config::native().primary(primary.address());
    let (mut line, mut proxy) = Line::first(&config).await;
    let client = Arc::new(H2Client::connect(proxy.listen).await);
    let mut held = JoinSet::new();
    for n in 0..HELD {
        let client = Arc::clone(&client);
        held.spawn(async move {
            let answer = client.exchange(post(&format!("/held/{n}")), Frames::default().data("body")).await;
            (answer.head.status().as_u16(), answer.body == format!("/held/{n}").as_bytes())
        });
    }
    primary.received(HELD).await;
    let mut old = line.upgrade(&mut proxy, &config, &[]).await;
    let mut probes = 0;
    until("the end of new streams over the old connection", async || {
        let Some(answer) = client.attempt(post(&format!("/probe/{probes}")), Frames::default()).await else {
            return Some(());
        };
        assert_eq!(answer.head.status().as_u16(), 200);
        probes += 1;
        None
    })
    .await;
    assert!(old.ended().is_none(), "the old process left what is in flight");
    let new = H2Client::connect(proxy.listen).await;
    assert_eq!(new.exchange(post("/new"), Frames::default()).await.body.as_ref(), b"/new");
    gate.open();
    assert_eq!(held.join_all().await, [(200, true); HELD]);
    assert_eq!(old.end().await.code(), Some(0));
    let targets: BTreeSet<_> = primary.requests().iter().map(|seen| seen.target().to_owned()).collect();
    assert_eq!((primary.completed(), targets.len()), (HELD + probes + 1, HELD + probes + 1));
}

/// Sends numbered requests, one after the other, and goes over to a new connection where it is asked to.
async fn visit(to: SocketAddr, name: usize, enough: Arc<AtomicBool>, served: Arc<AtomicUsize>) -> usize {
    let (mut client, mut moved) = (H2Client::connect(to).await, 0);
    for n in 0.. {
        if enough.load(Ordering::SeqCst) {
            break;
        }
        let target = format!("/{name}/{n}");
        let answer = loop {
            match client.attempt(post(&target), Frames::default().data("body")).await {
                Some(answer) => break answer,
                None => (client, moved) = (H2Client::connect(to).await, moved + 1),
            }
        };
        assert_eq!((answer.head.status().as_u16(), answer.body.as_ref()), (200, target.as_bytes()));
        served.fetch_add(1, Ordering::SeqCst);
    }
    moved
}

#[tokio::test]
async fn c1_three_upgrades_under_load_lose_no_request_over_http2() {
    const CLIENTS: usize = 4;
    let primary = H2Upstream::echoing().await;
    let config = Config::envoy().primary(primary.address()).http2("");
    let (mut line, mut proxy) = Line::first(&config).await;
    let (enough, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for name in 0..CLIENTS {
        clients.spawn(visit(proxy.listen, name, Arc::clone(&enough), Arc::clone(&served)));
    }
    for _ in 0..3 {
        let goal = served.load(Ordering::SeqCst) + 50;
        until("requests that are served", async || (served.load(Ordering::SeqCst) >= goal).then_some(()))
            .await;
        let mut old = line.upgrade(&mut proxy, &config, &[]).await;
        assert_eq!(old.end().await.code(), Some(0), "{}", old.stderr());
    }
    enough.store(true, Ordering::SeqCst);
    let moved = clients.join_all().await;
    assert!(moved.iter().all(|moves| *moves >= 3), "{moved:?}");
    let served = served.load(Ordering::SeqCst);
    let seen: BTreeSet<_> = primary.seen().iter().map(|seen| seen.head.uri.path().to_owned()).collect();
    assert_eq!((seen.len(), primary.seen().len()), (served, served), "a request came twice, or not at all");
}
