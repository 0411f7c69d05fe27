//! Envoy's own headers: whom a request is from, what only those inside may say, what is added.
//!
//! The order is Envoy's: the source is found in what was received, before anything is appended.

use std::net::IpAddr;
use std::time::Duration;

use config::model::{Cidr, Conventions, EnvoyConventions, ServerHeader};
use http::header::{SERVER, VIA};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::request_id;
use super::{Received, rebuild};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXTERNAL_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");
pub(crate) const EXPECTED_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
const FORCE_TRACE: HeaderName = HeaderName::from_static("x-envoy-force-trace");
const INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
const TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-upstream-rq-timeout-ms");

/// Headers by which a caller inside a mesh steers Envoy; from anyone else Envoy removes them, and so do we.
const STEERING: [&str; 12] = [
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
];

/// Headers of a mesh's own proxies, which an edge proxy believes nobody.
const AT_THE_EDGE: [&str; 5] = [
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-original-host",
    "x-envoy-original-path",
];

/// What of the first the router reads and does not pass on, beside the timeout.
const ROUTERS: [&str; 7] = [
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-per-try-timeout-ms",
];

/// Whom a request is from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Source {
    /// By `x-forwarded-for`; `None` is the other end of the connection.
    pub(crate) forwarded: Option<IpAddr>,
    pub(super) is_internal: bool,
}

impl Source {
    /// Reads `x-forwarded-for` as it was received.
    pub(crate) fn of(headers: &HeaderMap, conventions: &Conventions, peer: IpAddr) -> Self {
        let Conventions::Envoy(envoy) = conventions else { return Self::default() };
        let values: Vec<&HeaderValue> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        // Only one hop says for sure whom a request is from.
        let (forwarded, is_sure) = if envoy.use_remote_address {
            let hops = envoy.trusted_hops.checked_sub(1);
            (hops.and_then(|hops| from_the_right(&values, hops)), values.is_empty())
        } else {
            let single = values.len() == 1 && values.iter().all(|value| !value.as_bytes().contains(&b','));
            let found = from_the_right(&values, envoy.trusted_hops);
            (found, single && envoy.trusted_hops == 0 && found.is_some())
        };
        let address = forwarded.unwrap_or(peer).to_canonical();
        Self {
            forwarded,
            is_internal: is_sure && envoy.internal.iter().any(|range: &Cidr| range.contains(address)),
        }
    }

    fn is_at_the_edge(self, envoy: &EnvoyConventions) -> bool {
        envoy.use_remote_address && !self.is_internal
    }
}

/// The address that stands before so many others in the list.
fn from_the_right(values: &[&HeaderValue], hops: u32) -> Option<IpAddr> {
    let texts = values.iter().rev().map(|value| value.to_str().unwrap_or_default());
    let mut addresses = texts.flat_map(|text| text.rsplit(','));
    addresses.nth(hops as usize)?.trim().parse().ok()
}

/// Whether a header goes because of whom a request is from.
pub(super) fn is_distrusted(name: &HeaderName, envoy: &EnvoyConventions, source: Source) -> bool {
    let name = name.as_str();
    if !name.starts_with("x-envoy-") {
        return false;
    }
    if source.is_internal {
        return name == INTERNAL.as_str();
    }
    STEERING.contains(&name) || (envoy.use_remote_address && AT_THE_EDGE.contains(&name))
}

/// Adds what the connection manager adds.
pub(super) fn request(headers: &mut HeaderMap, envoy: &EnvoyConventions, received: Received<'_>) {
    let Received { peer, source, .. } = received;
    let distrusts_proxies = envoy.use_remote_address && envoy.trusted_hops == 0;
    if envoy.use_remote_address && !envoy.skip_xff_append {
        append(headers, X_FORWARDED_FOR, ",", peer.to_canonical().to_string().as_bytes());
    }
    if distrusts_proxies || !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(
            X_FORWARDED_PROTO,
            HeaderValue::from_static(received.secured.map_or("http", |_| "https")),
        );
    }
    if envoy.forwarded_port && (distrusts_proxies || !headers.contains_key(X_FORWARDED_PORT)) {
        headers.insert(X_FORWARDED_PORT, HeaderValue::from(received.port));
    }
    let at_the_edge = source.is_at_the_edge(envoy);
    if source.is_internal {
        headers.insert(INTERNAL, HeaderValue::from_static("true"));
    }
    let address = source.forwarded.unwrap_or(peer).to_canonical().to_string();
    if at_the_edge && let Ok(address) = HeaderValue::from_str(&address) {
        headers.insert(EXTERNAL_ADDRESS, address);
    }
    // An edge proxy does not trust a client's id.
    let distrusted = at_the_edge && !envoy.preserve_request_id;
    if envoy.generate_request_id && (distrusted || !headers.contains_key(X_REQUEST_ID)) {
        headers.insert(X_REQUEST_ID, request_id::new());
    }
    if let Some(via) = &envoy.via {
        append(headers, VIA, ", ", via.as_bytes());
    }
}

/// Makes one value of a header's values and a further one.
fn append(headers: &mut HeaderMap, name: HeaderName, separator: &str, last: &[u8]) {
    let mut list: Vec<u8> = Vec::new();
    let mut values = headers.get_all(&name).iter().peekable();
    while let Some(value) = values.next() {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(if values.peek().is_some() { b"," } else { separator.as_bytes() });
    }
    list.extend_from_slice(last);
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(name, list);
    }
}

/// Does to a request's headers what the router does, and returns how long the route may take: what a caller inside
/// asks for, or what the file says.
pub(crate) fn add_route_headers(
    headers: &mut HeaderMap,
    conventions: &Conventions,
    timeout: Option<Duration>,
) -> Option<Duration> {
    let Conventions::Envoy(envoy) = conventions else { return timeout };
    let expected = headers.get(EXPECTED_TIMEOUT).filter(|_| envoy.respect_expected_timeout);
    let asked = expected.or_else(|| headers.get(TIMEOUT)).and_then(|value| value.to_str().ok()?.parse().ok());
    let timeout =
        asked.map_or(timeout, |asked: u64| Some(Duration::from_millis(asked)).filter(|t| !t.is_zero()));
    // From anyone outside they are gone by now.
    let is_expected = expected.is_some();
    let read = |name: &HeaderName| {
        name.as_str().starts_with("x-envoy-")
            && (ROUTERS.contains(&name.as_str()) || (!is_expected && *name == TIMEOUT))
    };
    if headers.keys().any(read) {
        rebuild(headers, |name, _| read(name));
    }
    if let Some(timeout) = timeout
        && !envoy.suppress_envoy_headers
    {
        headers.insert(EXPECTED_TIMEOUT, HeaderValue::from(timeout.as_millis() as u64));
    }
    timeout
}

/// The id of a request, where its answer is to have it.
pub(crate) fn request_id_told(headers: &HeaderMap, conventions: &Conventions) -> Option<HeaderValue> {
    let Conventions::Envoy(envoy) = conventions else { return None };
    let told = envoy.request_id_in_response || headers.contains_key(FORCE_TRACE);
    headers.get(X_REQUEST_ID).filter(|_| told).cloned()
}

/// Adds to an answer what the connection manager adds, but `date`.
pub(super) fn answer(headers: &mut HeaderMap, envoy: &EnvoyConventions, request_id: Option<&HeaderValue>) {
    if let Some(id) = request_id {
        headers.insert(X_REQUEST_ID, id.clone());
    }
    if let Some(via) = &envoy.via {
        append(headers, VIA, ", ", via.as_bytes());
    }
    let says = match envoy.server_header {
        ServerHeader::Overwrite => true,
        ServerHeader::IfAbsent => !headers.contains_key(SERVER),
        ServerHeader::PassThrough => false,
    };
    if says && let Ok(name) = HeaderValue::from_str(&envoy.server_name) {
        headers.insert(SERVER, name);
    }
}
