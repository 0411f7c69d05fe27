//! TLS, towards clients and towards clusters, by rustls.
//!
//! Enters: the configuration with the files it names. Leaves: [`Materials`], from which any thread makes connections:
//! [`server`] ends clients' TLS, [`client`] begins it towards clusters, both on the thread that has the connection.
//! [`reload`] looks on the control thread whether a file has changed and publishes new materials; connections that are
//! open keep what they began with. [`verify`] says which certificates are believed, [`describe`] what they say of
//! themselves.

pub(crate) mod client;
pub(crate) mod describe;
mod load;
mod names;
mod peer;
pub(crate) mod provider;
pub(crate) mod reload;
pub(crate) mod server;
mod stream;
mod verify;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use crate::stats::tls::TlsStats;
pub(crate) use client::Client;
pub(crate) use peer::PeerCertificate;
pub(crate) use server::{Secured, Server};
pub(crate) use stream::Stream;

/// Everything that was loaded, ready for connections.
#[derive(Debug, Default)]
pub(crate) struct Materials {
    /// By listener; `None` is a plain one.
    pub(crate) listeners: Vec<Option<Arc<Server>>>,
    /// By cluster; `None` is a plain one.
    pub(crate) clusters: Vec<Option<Arc<Client>>>,
    /// `None` is a plain one.
    pub(crate) admin: Option<Arc<Server>>,
}

/// Whether every certificate and key can be used.
///
/// # Errors
/// The first that cannot be.
pub(crate) fn check(config: config::model::Config) -> anyhow::Result<()> {
    reload::Store::load(&Arc::new(config), reload::Wanted::All).map(drop)
}

/// One thread's view of the materials in force.
#[derive(Debug, Default)]
pub(crate) struct Current(RefCell<Arc<Materials>>);

impl Current {
    /// What is published now, and whatever follows. Must be called on the thread's runtime.
    pub(crate) fn following(published: &watch::Receiver<Arc<Materials>>) -> Rc<Self> {
        let mut published = published.clone();
        let current = Rc::new(Self(RefCell::new(Arc::clone(&published.borrow_and_update()))));
        let follower = Rc::clone(&current);
        tokio::task::spawn_local(async move {
            while published.changed().await.is_ok() {
                let materials = Arc::clone(&published.borrow_and_update());
                *follower.0.borrow_mut() = materials;
            }
        });
        current
    }

    /// How clients of a listener are met.
    pub(crate) fn listener(&self, index: usize) -> Option<Arc<Server>> {
        self.0.borrow().listeners.get(index).cloned().flatten()
    }

    /// How a cluster is reached.
    pub(crate) fn cluster(&self, index: usize) -> Option<Arc<Client>> {
        self.0.borrow().clusters.get(index).cloned().flatten()
    }
}

/// One thread's transport to one cluster: what a dial needs beside an address.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    current: Rc<Current>,
    cluster: usize,
    /// What is asked for is each request's `Host`; the configuration says so once for all.
    by_host: bool,
}

impl Transport {
    pub(crate) fn new(current: &Rc<Current>, cluster: usize) -> Self {
        let by_host = current.cluster(cluster).is_some_and(|client| client.asks_for_host());
        Self { current: Rc::clone(current), cluster, by_host }
    }

    /// The `Host` of a request, if the cluster is asked for by that name. Connections are not shared between names then.
    pub(crate) fn host_in(&self, head: &http::HeaderMap) -> Option<Box<str>> {
        if !self.by_host {
            return None;
        }
        let host = head.get(http::header::HOST)?.to_str().ok()?;
        client::server_of(host).map(|name| name.to_ascii_lowercase().into())
    }

    /// `None`: in plain TCP.
    pub(crate) fn client(&self) -> Option<Arc<Client>> {
        self.current.cluster(self.cluster)
    }
}

/// Counts why a handshake failed.
fn count_failure(stats: &TlsStats, error: Option<&rustls::Error>) {
    use rustls::{CertificateError as Why, Error};
    match error {
        Some(Error::NoCertificatesPresented) => stats.fail_verify_no_cert.inc(),
        Some(Error::InvalidCertificate(Why::NotValidForName | Why::NotValidForNameContext { .. })) => {
            stats.fail_verify_san.inc();
        }
        Some(Error::InvalidCertificate(Why::ApplicationVerificationFailure)) => {
            stats.fail_verify_cert_hash.inc()
        }
        Some(Error::InvalidCertificate(_)) => stats.fail_verify_error.inc(),
        _ => stats.connection_error.inc(),
    }
}

impl TlsStats {
    /// Counts a handshake with what was agreed on.
    fn succeeded(&self, connection: &rustls::CommonState) {
        self.handshake.inc();
        if connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
            self.session_reused.inc();
        }
        let version = usize::from(connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3));
        self.versions.get(version).inspect(|counter| counter.inc());
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        for ((known, _), counter) in provider::SUITES.iter().zip(&self.ciphers) {
            if suite == Some(*known) {
                counter.inc();
            }
        }
        let group = connection.negotiated_key_exchange_group().map(|group| group.name());
        for ((known, _), counter) in provider::GROUPS.iter().zip(&self.curves) {
            if group == Some(*known) {
                counter.inc();
            }
        }
    }
}
