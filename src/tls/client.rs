//! Begins TLS towards clusters: for requests on the worker, for copies on the thread that sends them.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use config::model::{Cluster, ClusterTls, Host, Names, ServerName as Asked, Trust};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::{Stream, load, provider, verify};
use crate::stats::tls::TlsStats;

/// A handshake that failed, for the log.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(super) cluster: Arc<str>,
    pub(super) reason: String,
    pub(super) remedy: &'static str,
}

/// What a handshake asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    /// The request's `Host`, for a cluster that is asked for it.
    pub(crate) host: Option<&'a str>,
    /// HTTP/2, and nothing else.
    pub(crate) http2: bool,
    /// Where it counts.
    pub(crate) stats: Option<&'a TlsStats>,
}

/// One cluster's TLS.
#[derive(Debug)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    /// The same for HTTP/2.
    http2: Arc<ClientConfig>,
    asked: Asked,
    cluster: Arc<str>,
    failures: mpsc::Sender<Failure>,
    /// Its certificates are verified against the system's CAs.
    by_system: bool,
}

impl Client {
    /// Loads what a cluster needs.
    pub(super) fn load(
        cluster: &Cluster,
        tls: &ClusterTls,
        system: &Option<Arc<RootCertStore>>,
        failures: &mpsc::Sender<Failure>,
    ) -> anyhow::Result<Self> {
        let provider = provider::provider(&tls.parameters);
        let hosts = cluster.endpoints.iter().filter_map(|endpoint| match &endpoint.host {
            Host::Name(name) => ServerName::try_from(name.clone()).ok(),
            Host::Ip(ip) => Some(ServerName::from(*ip)),
        });
        let verifier = verify::OfCluster::new(&tls.verification, hosts.collect(), &provider, system)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&provider::versions(&tls.parameters))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &tls.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let identity = load::identity(certificate, &provider)?;
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity)))
            }
        };
        let mut http2 = config.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        config.alpn_protocols = offered(tls);
        Ok(Self {
            http2: Arc::new(http2),
            config: Arc::new(config),
            asked: tls.server_name.clone(),
            cluster: Arc::from(cluster.name.as_str()),
            failures: failures.clone(),
            by_system: tls.verification.trust == Trust::System && tls.verification.names == Names::Asked,
        })
    }

    /// Whether the name asked for is each request's `Host`.
    pub(crate) fn asks_for_host(&self) -> bool {
        self.asked == Asked::Host
    }

    /// The handshake. An error has been counted and told to the log.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        address: IpAddr,
        offer: Offer<'_>,
    ) -> io::Result<Stream> {
        let Offer { host, http2, stats } = offer;
        let asked = match &self.asked {
            Asked::None => None,
            Asked::Literal(name) => Some(name.as_str()),
            Asked::Host => host.and_then(server_of),
        };
        let name = asked.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        // An address is never sent; it stands for "no name".
        let name = name.unwrap_or_else(|| ServerName::from(address.to_canonical()));
        match TlsConnector::from(Arc::clone(if http2 { &self.http2 } else { &self.config }))
            .connect(name, stream)
            .await
        {
            Ok(stream) => {
                stats.inspect(|stats| stats.succeeded(stream.get_ref().1));
                Ok(Stream::Tls(Box::new(stream.into())))
            }
            Err(error) => {
                self.failed(&error, stats);
                Err(error)
            }
        }
    }

    fn failed(&self, error: &io::Error, stats: Option<&TlsStats>) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        stats.inspect(|stats| super::count_failure(stats, inner));
        let remedy = match inner {
            Some(rustls::Error::InvalidCertificate(why)) => remedy(why, self.by_system),
            Some(rustls::Error::AlertReceived(_)) => {
                "the cluster refused: it may want a client certificate, another name (SNI) or another version"
            }
            Some(rustls::Error::InvalidMessage(_)) => "what answers does not speak TLS: check the port",
            _ => "check that TLS is spoken at this address",
        };
        // The log may miss some: it says one in ten seconds anyway.
        let reason = error.to_string();
        let _ = self.failures.try_send(Failure { cluster: Arc::clone(&self.cluster), reason, remedy });
    }
}

fn remedy(why: &rustls::CertificateError, by_system: bool) -> &'static str {
    use rustls::CertificateError as Why;
    match why {
        Why::UnknownIssuer if by_system => {
            "no CA that the system trusts has signed it: name the CA (`trusted_ca`, native `tls: {ca: ...}`)"
        }
        Why::UnknownIssuer => "another CA has signed it: the file of CAs must hold that one",
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "it is for another name: set the name that it is for (`sni`, native `server_name`), or the names to match"
        }
        Why::Expired | Why::ExpiredContext { .. } => "it has expired: renew the cluster's certificate",
        Why::ApplicationVerificationFailure => {
            "it is not the pinned one: renew the hash in the configuration"
        }
        _ => "check the cluster's certificate",
    }
}

/// Where HTTP/1.1 will be spoken; an offer of anything else would be a lie.
fn offered(tls: &ClusterTls) -> Vec<Vec<u8>> {
    let spoken = tls.alpn.iter().filter(|name| *name == "http/1.1");
    spoken.map(|name| name.as_bytes().to_vec()).collect()
}

/// The name in a `Host`, without port; none in an address.
pub(crate) fn server_of(host: &str) -> Option<&str> {
    if host.starts_with('[') {
        return None;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    (name.parse::<IpAddr>().is_err() && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_asked_for() {
        assert_eq!(server_of("a.test:9009"), Some("a.test"));
        assert_eq!(server_of("a.test"), Some("a.test"));
        for host in ["127.0.0.1", "127.0.0.1:80", "[::1]:80", "[::1]", ""] {
            assert_eq!(server_of(host), None, "{host}");
        }
    }
}
