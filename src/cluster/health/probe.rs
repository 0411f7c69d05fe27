//! One check of one endpoint.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use config::model::{HealthCheck, HttpProbe, Probe, Sockets};
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;

use super::state::Verdict;
use crate::sockets;
use crate::tls::Stream;
use crate::tls::client::{Client, Offer, server_of};

/// Of an answer's body; a connection with a larger one is closed.
const BODY_MAX: usize = 64 << 10;

/// The checks of one endpoint.
#[derive(Debug)]
pub(super) struct Prober {
    /// The cluster's name, which is the `Host` where none is set.
    cluster: HeaderValue,
    sockets: Sockets,
    /// The connection that is used again, and where it leads.
    open: Option<(SocketAddr, SendRequest<Empty<Bytes>>)>,
}

/// Where an attempt goes, and how it is secured.
struct Place {
    address: SocketAddr,
    sockets: Sockets,
    tls: Option<Arc<Client>>,
}

impl Prober {
    pub(super) fn new(cluster: HeaderValue, sockets: Sockets) -> Self {
        Self { cluster, sockets, open: None }
    }

    /// One check. The caller limits its time; a connection on which it did not suffice is not used again.
    pub(super) async fn check(
        &mut self,
        check: &HealthCheck,
        address: SocketAddr,
        tls: Option<Arc<Client>>,
    ) -> Verdict {
        let place = Place { address, sockets: self.sockets, tls };
        let verdict = match &check.probe {
            Probe::Tcp => place.connect(None).await.map(|_| Verdict::Healthy),
            Probe::Http(probe) => self.ask(probe, &place, check.reuse_connection).await,
        };
        verdict.unwrap_or_else(|error| {
            tracing::debug!(%address, %error, "health check");
            Verdict::Network
        })
    }

    async fn ask(&mut self, probe: &HttpProbe, place: &Place, reuse: bool) -> io::Result<Verdict> {
        let host = probe.host.as_ref().unwrap_or(&self.cluster);
        // Taken out: whatever ends this attempt early closes the connection.
        let open =
            self.open.take().filter(|(address, sender)| *address == place.address && sender.is_ready());
        let mut sender = match open {
            Some((_, sender)) => sender,
            None => place.speak(host).await?,
        };
        let answer = sender.send_request(request(probe, host)?).await.map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        let read = Limited::new(answer.into_body(), BODY_MAX).collect().await;
        if reuse && read.is_ok() {
            self.open = Some((place.address, sender));
        }
        Ok(verdict(probe, status))
    }
}

impl Place {
    async fn connect(&self, host: Option<&str>) -> io::Result<Stream> {
        let stream = sockets::connect(self.address, &self.sockets, None).await?;
        let Some(tls) = &self.tls else { return Ok(Stream::Plain(stream)) };
        tls.connect(stream, self.address.ip(), Offer { host, http2: false, stats: None }).await
    }

    async fn speak(&self, host: &HeaderValue) -> io::Result<SendRequest<Empty<Bytes>>> {
        let stream = self.connect(host.to_str().ok().and_then(server_of)).await?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            // Its error reaches the request that was in flight, if there was one.
            let _ = driver.await;
        });
        Ok(sender)
    }
}

/// As Envoy writes it.
fn request(probe: &HttpProbe, host: &HeaderValue) -> io::Result<Request<Empty<Bytes>>> {
    let path = probe.path.to_str().map_err(io::Error::other)?;
    let mut request = Request::builder()
        .method(probe.method.clone())
        .uri(path)
        .body(Empty::new())
        .map_err(io::Error::other)?;
    let headers = request.headers_mut();
    headers.insert(HOST, host.clone());
    headers.insert(USER_AGENT, HeaderValue::from_static("Envoy/HC"));
    for (name, value) in &probe.headers {
        headers.append(name, value.clone());
    }
    if [Method::POST, Method::PUT, Method::PATCH].contains(&probe.method) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}

fn verdict(probe: &HttpProbe, status: u16) -> Verdict {
    let within = |ranges: &[RangeInclusive<u16>]| ranges.iter().any(|range| range.contains(&status));
    if within(&probe.expected) {
        Verdict::Healthy
    } else if within(&probe.retriable) {
        Verdict::Retriable
    } else {
        Verdict::Unhealthy
    }
}
