//! A DNS server that knows a few names: over UDP and TCP, on one port of 127.0.0.1.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::task::Task;

/// Names with their IPv4 addresses and their time to live in seconds.
#[derive(Default)]
struct Zone {
    names: Mutex<HashMap<String, (Vec<Ipv4Addr>, u32)>>,
    /// Answers are SERVFAIL.
    fails: AtomicBool,
    /// By transport: queries over UDP and over TCP.
    asked: [Mutex<usize>; 2],
}

/// A running DNS server. What it does not know does not exist.
pub(crate) struct DnsServer {
    address: SocketAddr,
    zone: Arc<Zone>,
    _tasks: [Task; 2],
}

impl DnsServer {
    pub(crate) async fn start() -> Self {
        // A port that is free for both.
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("bound")).await {
                break (tcp, udp);
            }
        };
        let (zone, address) = (Arc::new(Zone::default()), tcp.local_addr().expect("bound"));
        let tasks =
            [Task::spawn(datagrams(udp, Arc::clone(&zone))), Task::spawn(streams(tcp, Arc::clone(&zone)))];
        Self { address, zone, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the name has these addresses of the loopback network: `127.0.0.N`.
    pub(crate) fn set(&self, name: &str, hosts: &[u8], ttl: u32) {
        let addresses = hosts.iter().map(|n| Ipv4Addr::new(127, 0, 0, *n)).collect();
        self.zone.names.lock().expect("no panic in there").insert(name.to_owned(), (addresses, ttl));
    }

    /// The same, at its start.
    pub(crate) fn with(self, name: &str, hosts: &[u8], ttl: u32) -> Self {
        self.set(name, hosts, ttl);
        self
    }

    /// From now on the name does not exist.
    pub(crate) fn forget(&self, name: &str) {
        self.zone.names.lock().expect("no panic in there").remove(name);
    }

    /// From now on it cannot answer (SERVFAIL).
    pub(crate) fn fail(&self) {
        self.zone.fails.store(true, Ordering::SeqCst);
    }

    /// Queries over UDP and over TCP.
    pub(crate) fn asked(&self) -> [usize; 2] {
        self.zone.asked.each_ref().map(|asked| *asked.lock().expect("no panic in there"))
    }
}

async fn datagrams(socket: UdpSocket, zone: Arc<Zone>) {
    let mut query = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut query).await {
        *zone.asked[0].lock().expect("no panic in there") += 1;
        if let Some(answer) = answer(&zone, &query[..length]) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

async fn streams(listener: TcpListener, zone: Arc<Zone>) {
    while let Ok((stream, _)) = listener.accept().await {
        *zone.asked[1].lock().expect("no panic in there") += 1;
        let _ = stream_of_queries(stream, &zone).await;
    }
}

async fn stream_of_queries(mut stream: TcpStream, zone: &Zone) -> std::io::Result<()> {
    let mut query = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut query).await?;
    let answer = answer(zone, &query).unwrap_or_default();
    stream.write_u16(u16::try_from(answer.len()).expect("small")).await?;
    stream.write_all(&answer).await
}

/// The answer to a query with one question: its address records, none for other kinds.
fn answer(zone: &Zone, query: &[u8]) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    while let Some(&length @ 1..) = query.get(at) {
        let label = query.get(at + 1..at + 1 + usize::from(length))?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += 1 + usize::from(length);
    }
    let question = query.get(12..at + 5)?;
    let is_a = question.ends_with(&[0, 1, 0, 1]);
    let known = zone.names.lock().expect("no panic in there").get(&labels.join(".")).cloned();
    let fails = zone.fails.load(Ordering::SeqCst);
    let code = match known {
        _ if fails => 2,
        Some(_) => 0,
        None => 3,
    };
    let (addresses, ttl) = known.filter(|_| is_a && !fails).unwrap_or_default();
    let count = u8::try_from(addresses.len()).expect("few");
    let mut out = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    out.extend_from_slice(question);
    for address in addresses {
        out.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1]);
        out.extend_from_slice(&ttl.to_be_bytes());
        out.extend_from_slice(&[0, 4]);
        out.extend_from_slice(&address.octets());
    }
    Some(out)
}
