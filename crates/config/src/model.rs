//! The one configuration model: ready-to-use values, nothing that still needs parsing.
//!
//! Indices stand for references (`Route::cluster` is an index into [`Config::clusters`]); the decoder
//! guarantees that they are in range.

mod access_log;
mod action;
mod admin;
mod balancing;
mod breakers;
mod cluster;
mod conventions;
mod dns;
mod format;
mod headers;
mod health;
mod listener_socket;
mod manager;
mod matching;
mod mirror;
mod pattern;
mod process;
mod protocol;
mod retry;
mod route;
mod targets;
mod tls;

use std::net::SocketAddr;

pub use access_log::{
    AccessLog, Comparison, HeaderFilter, HeaderFilterTest, JsonValue, LogFilter, LogLine, LogSink, Operator,
};
pub use action::{Action, DirectResponse, Forward, HostRewrite, Idle, PathRewrite, Redirect, RedirectPath};
pub use admin::{Admin, AdminAccess, AdminToken};
pub use balancing::Balancing;
pub use breakers::Breakers;
pub use cluster::{Cluster, Discovery, Endpoint, EndpointHealth, Host, Sockets};
pub use conventions::{Cidr, Conventions, EnvoyConventions, ServerHeader};
pub use dns::{Dns, LookupFamily, Resolver};
pub use format::{
    AddressPart, Command, CopyFact, Fact, Format, HeaderChoice, HeaderRef, Piece, TimeFormat, TimePiece,
};
pub use headers::{AddedHeader, AddedValue, AppendAction, HeaderChanges, RouteHeaders};
pub use health::{Health, HealthCheck, HttpProbe, Probe};
pub use listener_socket::{ListenerSocket, TcpKeepalive};
pub use manager::HttpManager;
pub use matching::{
    HeaderMatch, HeaderTest, PathMatch, QueryMatch, QueryTest, RouteMatch, StringMatch, StringTest, Subject,
};
pub use mirror::{Backlog, Delivery, Mirror, Order, Requests, Sync, When};
pub use pattern::{Pattern, Replacement};
pub use process::{Process, RuntimeLayer};
pub use protocol::{
    ClientHttp, ClientHttp1, Codec, ConnectionLimits, Http2, Keepalive, Underscores, UpstreamHttp,
    UpstreamHttp1, UpstreamVersion,
};
pub use retry::{RetryOn, RetryPolicy};
pub use route::{CopyHost, Domain, Fraction, HeaderMutation, MirrorPolicy, Route, VirtualHost};
pub use targets::{StripPort, TargetRules};
pub use tls::{
    CIPHER_SUITES, CURVES, Certificate, ClientCertDetails, ClientCertificates, ClusterTls, DataSource,
    ForwardClientCert, ListenerTls, NameMatch, NamePattern, Names, Resumption, ServerName, ServerTls,
    SubjectName, SubjectNameKind, TlsChain, TlsParameters, TlsVersion, Trust, Verification,
};

/// A whole configuration, checked: every index below is in range, every name is unique in its kind.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to call this configuration in messages: the file's path as given, or `command line`.
    pub origin: String,
    /// Who this proxy says it is (`/server_info`).
    pub node: Node,
    /// The admin listener; absent when the file configures none.
    pub admin: Option<Admin>,
    /// What is said once for all listeners and clusters.
    pub process: Process,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Groups of upstream endpoints, primaries and mirrors alike.
    pub clusters: Vec<Cluster>,
    /// Destinations of copies. Each names the cluster that receives them; one per mirrored cluster.
    pub mirrors: Vec<Mirror>,
    /// Accepted, but worth a line in the log (rendered, several lines each).
    pub warnings: Vec<String>,
    /// The document as the operator wrote it, as JSON with secrets replaced, for `/config_dump`.
    pub document: serde_json::Value,
}

/// Envoy's `node` message, reported and otherwise unused.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`.
    pub cluster: String,
    /// `node.locality.region`.
    pub region: String,
    /// `node.locality.zone`.
    pub zone: String,
    /// `node.locality.sub_zone`.
    pub sub_zone: String,
    /// `node.metadata`, as written.
    pub metadata: Option<serde_json::Value>,
}

/// One listening socket with its HTTP connection manager.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Unique; defaults to the address.
    pub name: String,
    /// Where it binds.
    pub address: SocketAddr,
    /// How its sockets are made.
    pub socket: ListenerSocket,
    /// What is done with its requests.
    pub http: HttpManager,
    /// Its certificates; `None` is plain HTTP.
    pub tls: Option<ListenerTls>,
}

impl Listener {
    /// Every address that it binds to.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        [self.address].into_iter().chain(self.socket.additional.iter().copied())
    }
}
