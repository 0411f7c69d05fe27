//! What becomes of an endpoint's requests when DNS no longer names it, or does not answer.
//!
//! The test decides what the DNS server says; the proxy asks it again every 0.2 s.

use http::Response;

use crate::dsl::dns::DnsServer;
use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::ports::Port;
use crate::dsl::streams::Stream;
use crate::dsl::{Config, Gate, H2Upstream, Proxy, Reply, Request, Upstream, until};

const ONE_WORKER: [&str; 2] = ["--concurrency", "1"];

/// Clusters found by asking this server.
fn by(dns: &DnsServer, config: Config) -> Config {
    let at = dns.address();
    config.discovery(&format!(
        "type: STRICT_DNS, dns_refresh_rate: 0.2s, dns_lookup_family: V4_ONLY, dns_resolvers: [{{ socket_address: \
         {{ address: {}, port_value: {} }} }}]",
        at.ip(),
        at.port()
    ))
}

fn primary(port: &Port) -> Config {
    Config::envoy().cluster("primary", &[("mimir.test", port.number())])
}

fn at(n: u8, port: &Port) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::new(127, 0, 0, n), port.number()).into()
}

/// Answers with its number; what asks for `/held` waits behind the gate.
async fn server(n: u8, port: &Port, gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::at(at(n, port), move |request| {
        let reply = Reply::new(200, &n.to_string());
        if request.target() == "/held" { reply.behind(&gate) } else { reply }
    })
    .await
}

/// DNS names another endpoint, and the proxy knows it.
async fn moves(dns: &DnsServer, proxy: &Proxy, cluster: &str) {
    dns.set("mimir.test", &[2], 300);
    let (gone, here) = (format!("{cluster}::127.0.0.1:"), format!("{cluster}::127.0.0.2:"));
    until("the new endpoint alone", async || {
        let text = proxy.admin_get("/clusters").await.text();
        (text.contains(&here) && !text.contains(&gone)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn c1_what_is_in_flight_at_an_endpoint_that_leaves_is_answered() {
    let (port, gate) = (Port::reserve(), Gate::closed());
    let (one, two) = (server(1, &port, &gate).await, server(2, &port, &gate).await);
    let dns = DnsServer::start().await.with("mimir.test", &[1], 300);
    let proxy = Proxy::launch_with(&by(&dns, primary(&port)), &ONE_WORKER).await;
    let mut held = proxy.client().await;
    held.send(Request::get("/held").bytes()).await;
    one.received(1).await;
    moves(&dns, &proxy, "primary").await;
    for _ in 0..5 {
        assert_eq!(proxy.send(&Request::get("/x")).await.text(), "2");
    }
    gate.open();
    let answer = held.answer().await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "1"));
    // Its connection is not used again, not even by the client that it served.
    assert_eq!(held.exchange(&Request::get("/x")).await.text(), "2");
    assert_eq!((one.completed(), one.abandoned(), two.completed()), (1, 0, 6));
}

/// The same over HTTP/2, where new requests would find room on the old connection.
#[tokio::test]
async fn c1_streams_at_an_endpoint_that_leaves_are_answered() {
    let (port, gate) = (Port::reserve(), Gate::closed());
    let serve = async |n: u8| {
        let gate = gate.clone();
        H2Upstream::at(at(n, &port), 100, move |request, book| {
            let gate = gate.clone();
            async move {
                let held = request.uri().path() == "/held";
                book.read(request).await;
                if held {
                    gate.wait().await;
                }
                Ok(Response::new(Stream::of([n.to_string().into()], None)))
            }
        })
        .await
    };
    let (one, two) = (serve(1).await, serve(2).await);
    let dns = DnsServer::start().await.with("mimir.test", &[1], 300);
    let proxy = Proxy::launch_with(&by(&dns, primary(&port).http2("")), &ONE_WORKER).await;
    let client = H2Client::connect(proxy.listen).await;
    let get = |target: &str| http::Request::get(format!("http://mimir.example{target}"));
    let (feed, held) = client.open(get("/held"));
    drop(feed);
    let held = tokio::spawn(held);
    one.received(1).await;
    moves(&dns, &proxy, "primary").await;
    assert_eq!(client.exchange(get("/x"), Frames::default()).await.body.as_ref(), b"2");
    gate.open();
    let answer = crate::dsl::h2c::collect(held.await.unwrap()).await;
    assert_eq!((answer.head.status().as_u16(), answer.body.as_ref()), (200, &b"1"[..]));
    assert_eq!((one.seen().len(), two.seen().len()), (1, 1));
}

/// A copy that is being sent is judged by the endpoint that has it; the next ones go to the new one.
#[tokio::test]
async fn c7_a_copy_at_an_endpoint_that_leaves_is_delivered() {
    let (port, gate) = (Port::reserve(), Gate::closed());
    let (one, two) = (server(1, &port, &gate).await, server(2, &port, &gate).await);
    let dns = DnsServer::start().await.with("mimir.test", &[1], 300);
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror_at("m", &[("mimir.test", port.number())]);
    let proxy = Proxy::launch_with(&by(&dns, config), &ONE_WORKER).await;
    until("the mirror's endpoint", async || {
        proxy.admin_get("/clusters").await.text().contains("m::127.0.0.1:").then_some(())
    })
    .await;
    assert_eq!(proxy.send(&Request::get("/held")).await.status(), 200);
    one.received(1).await;
    moves(&dns, &proxy, "m").await;
    assert_eq!(proxy.send(&Request::get("/x")).await.status(), 200);
    two.received(1).await;
    gate.open();
    assert_eq!(proxy.settled_at("m", 2).await.delivered(), 2);
    assert_eq!((one.completed(), two.completed()), (1, 1));
}

/// The last addresses stay in use while DNS fails: for requests in flight, for new ones, and in turn.
#[tokio::test]
async fn c1_endpoints_stay_in_the_rotation_when_dns_fails() {
    let (port, gate) = (Port::reserve(), Gate::closed());
    let (one, two) = (server(1, &port, &gate).await, server(2, &port, &gate).await);
    let dns = DnsServer::start().await.with("mimir.test", &[1, 2], 300);
    let proxy = Proxy::launch_with(&by(&dns, primary(&port)), &ONE_WORKER).await;
    let mut held = [proxy.client().await, proxy.client().await];
    for client in &mut held {
        client.send(Request::get("/held").bytes()).await;
    }
    one.received(1).await;
    two.received(1).await;
    let count = async |name: &str| {
        let own = [("envoy_cluster_name", "primary")];
        proxy.metrics().await.sum(&format!("envoy_cluster_{name}"), &own)
    };
    for (trouble, counted) in [
        (Trouble::Empty, "update_empty"),
        (Trouble::Unknown, "update_empty"),
        (Trouble::Failure, "update_failure"),
    ] {
        match trouble {
            Trouble::Empty => dns.set("mimir.test", &[], 300),
            Trouble::Unknown => dns.forget("mimir.test"),
            Trouble::Failure => dns.fail(),
        }
        let then = count(counted).await;
        until("more look-ups", async || (count(counted).await >= then + 3).then_some(())).await;
        let mut client = proxy.client().await;
        let before = [one.completed(), two.completed()];
        for _ in 0..10 {
            assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
        }
        assert_eq!([one.completed(), two.completed()], before.map(|count| count + 5));
    }
    assert_eq!(count("membership_total").await, 2);
    gate.open();
    for client in &mut held {
        assert_eq!(client.answer().await.status(), 200);
    }
}

/// What DNS says.
enum Trouble {
    /// The name has no address.
    Empty,
    /// There is no such name.
    Unknown,
    /// SERVFAIL.
    Failure,
}
