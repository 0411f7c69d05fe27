//! Which headers the proxy itself touches, and whom it takes a request to be from.

use std::net::IpAddr;

use http::HeaderValue;

use super::ForwardClientCert;

/// Which headers the proxy itself touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conventions {
    /// The native form: nothing is added, only hop-by-hop headers are removed.
    None,
    /// As Envoy does from the same file.
    Envoy(EnvoyConventions),
}

/// Envoy's own header changes (defaults of its HTTP connection manager).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "switches, each with a name of its own")]
pub struct EnvoyConventions {
    /// `server_name`, default `envoy`.
    pub server_name: String,
    /// What becomes of an answer's `server`.
    pub server_header: ServerHeader,
    /// `via` of requests and answers; `None` leaves it alone.
    pub via: Option<HeaderValue>,
    /// `generate_request_id`, default true.
    pub generate_request_id: bool,
    /// `preserve_external_request_id`, default false: an edge proxy, too, keeps a client's `x-request-id`.
    pub preserve_request_id: bool,
    /// `always_set_request_id_in_response`, default false.
    pub request_id_in_response: bool,
    /// `use_remote_address`, default false: the client's address is appended to `x-forwarded-for`.
    pub use_remote_address: bool,
    /// `skip_xff_append`, default false: it is not appended after all.
    pub skip_xff_append: bool,
    /// `append_x_forwarded_port`, default false.
    pub forwarded_port: bool,
    /// `xff_num_trusted_hops`, default 0: so many of the last addresses in `x-forwarded-for` are proxies' own.
    pub trusted_hops: u32,
    /// What becomes of `x-forwarded-client-cert`.
    pub client_cert: ForwardClientCert,
    /// `internal_address_config.cidr_ranges`: who may steer the proxy with `x-envoy-` headers. Default none.
    pub internal: Vec<Cidr>,
    /// Router's `suppress_envoy_headers`, default false.
    pub suppress_envoy_headers: bool,
    /// Router's `respect_expected_rq_timeout`, default false.
    pub respect_expected_timeout: bool,
}

impl Default for EnvoyConventions {
    fn default() -> Self {
        Self {
            server_name: "envoy".to_owned(),
            server_header: ServerHeader::Overwrite,
            via: None,
            generate_request_id: true,
            preserve_request_id: false,
            request_id_in_response: false,
            use_remote_address: false,
            skip_xff_append: false,
            forwarded_port: false,
            trusted_hops: 0,
            client_cert: ForwardClientCert::Sanitize,
            internal: Vec::new(),
            suppress_envoy_headers: false,
            respect_expected_timeout: false,
        }
    }
}

/// `server_header_transformation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerHeader {
    /// `server_name`, whatever the primary says. The default.
    Overwrite,
    /// `server_name` where the primary says nothing.
    IfAbsent,
    /// The primary's or none.
    PassThrough,
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    length: u32,
}

impl Cidr {
    /// `None` if an address of this kind has fewer bits than `length`.
    pub fn new(address: IpAddr, length: u32) -> Option<Self> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (length <= bits).then_some(Self { address, length })
    }

    /// The address it was written with.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many of the leading bits count.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Whether the address is of the same kind and begins with the same bits.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let differ = match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        differ >= self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_with_its_bits() {
        let range = |address: &str, length| Cidr::new(address.parse().unwrap(), length);
        let holds = |address, length, ip: &str| range(address, length).unwrap().contains(ip.parse().unwrap());
        assert!(holds("10.1.2.3", 8, "10.255.0.1"));
        assert!(!holds("10.0.0.0", 8, "11.0.0.0"));
        assert!(holds("10.0.0.1", 32, "10.0.0.1"));
        assert!(!holds("10.0.0.1", 32, "10.0.0.0"));
        assert!(holds("0.0.0.0", 0, "255.255.255.255"));
        assert!(!holds("0.0.0.0", 0, "::1"));
        assert!(holds("fd00::", 8, "fdff::1"));
        assert_eq!(range("10.0.0.0", 33), None);
        assert!(range("::", 128).is_some());
    }
}
