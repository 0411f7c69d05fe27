//! The admin listener: where it binds, and who may ask what.

use std::net::SocketAddr;

use http::HeaderValue;

use super::ListenerTls;

/// The admin listener.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it binds.
    pub address: SocketAddr,
    /// Who may ask, and what.
    pub access: AdminAccess,
}

/// Who may ask the admin listener, and what.
#[derive(Debug, Clone, Default)]
pub struct AdminAccess {
    /// The file is Envoy's: so whoever reaches the listener may do what he may do with Envoy.
    pub envoy: bool,
    /// `admin_writes`: whoever reaches the listener may change things.
    pub writes: bool,
    /// `admin_token_file`: whoever asks has to show it.
    pub token: Option<AdminToken>,
    /// `admin_tls`.
    pub tls: Option<ListenerTls>,
}

/// A secret that requests to the admin listener have to bring.
#[derive(Debug, Clone)]
pub struct AdminToken {
    /// Where it was read.
    pub file: String,
    /// The value of `Authorization`, marked sensitive: it never prints.
    pub header: HeaderValue,
}
