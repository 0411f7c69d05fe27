//! The clusters of a file while its routes are read: names to indices, and which clusters became mirrors.

use std::net::SocketAddr;

use crate::model::{Cluster, Endpoint, Mirror, Requests, RetryPolicy, ServerName};
use crate::parts::Destination;
use crate::read::Field;

use super::breakers::Written;
use super::mirror::{self, Policy};
use super::shares::Shares;

/// Every cluster that was declared, usable or not.
#[derive(Default)]
pub(super) struct Upstreams<'a> {
    declared: Vec<Declared<'a>>,
    mirrors: Vec<Destination<'a>>,
    /// Some cluster has no usable name: routes to unknown clusters may mean it.
    nameless: bool,
    /// What a static layer of the runtime says.
    shares: Shares<'a>,
    /// Where connections of all clusters come from.
    source: Option<SocketAddr>,
}

/// A declared cluster. One that was refused keeps its name, so that routes to it are not refused as well.
pub(super) struct Declared<'a> {
    pub(super) name: String,
    pub(super) cluster: Option<Cluster>,
    /// Its circuit breakers, which bound the mirror that it may become.
    pub(super) breakers: Written,
    /// Its `mimir_mirror` settings.
    pub(super) settings: Option<Settings<'a>>,
    /// What declares it to speak nothing but HTTP/2.
    pub(super) http2_only: Option<Field<'a>>,
    /// Where its own mirror policies stand, ...
    pub(super) policy_fields: Vec<Field<'a>>,
    /// ... and what they are, once all clusters are known.
    pub(super) policies: Vec<Policy>,
    /// Its own retry policy, and where it stands.
    pub(super) retry: Option<(Field<'a>, RetryPolicy)>,
    /// What asks for the cluster by the `Host` of each request, if anything does.
    pub(super) host_sni: Option<Field<'a>>,
}

/// The mirror that a cluster becomes if a route mirrors to it.
pub(super) struct Settings<'a> {
    pub(super) destination: Destination<'a>,
    /// Where they stand.
    pub(super) field: Field<'a>,
}

impl<'a> Upstreams<'a> {
    /// None yet.
    pub(super) fn with(shares: Shares<'a>, source: Option<SocketAddr>) -> Self {
        Self { shares, source, ..Self::default() }
    }

    /// Where connections of clusters come from that do not say it themselves.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// What a `runtime_key` may name.
    pub(super) fn shares(&self) -> &Shares<'a> {
        &self.shares
    }

    /// Adds a cluster; its name must be new.
    pub(super) fn declare(&mut self, field: &Field<'_>, declared: Declared<'a>) {
        if self.declared.iter().any(|other| other.name == declared.name) {
            field.refuse::<()>(
                format!("cluster manager: duplicate cluster '{}'", declared.name),
                "give every cluster a name of its own",
            );
            self.nameless = true;
            return;
        }
        self.declared.push(declared);
    }

    /// Notes a cluster without a usable name, already reported.
    pub(super) fn declare_nameless(&mut self) {
        self.nameless = true;
    }

    /// The index that the next cluster will have.
    pub(super) fn next(&self) -> usize {
        self.declared.len()
    }

    /// The cluster of this name, or an error in Envoy's words.
    pub(super) fn find(&self, field: &Field<'_>, name: &str, words: &str) -> Option<usize> {
        if let Some(index) = self.declared.iter().position(|other| other.name == name) {
            return Some(index);
        }
        if self.nameless {
            return None;
        }
        let names: Vec<&str> = self.declared.iter().map(|other| other.name.as_str()).collect();
        let help = match crate::read::nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it in `static_resources.clusters`; declared: {}", listed(&names)),
        };
        field.refuse(format!("{words} '{name}'"), help)
    }

    /// Reads the clusters' own mirror policies. All clusters have been declared.
    pub(super) fn decode_policies(&mut self) {
        for index in 0..self.declared.len() {
            let fields = self.declared.get_mut(index).map(|d| std::mem::take(&mut d.policy_fields));
            let fields = fields.unwrap_or_default();
            let policies = fields.iter().filter_map(|field| mirror::decode(field, self)).collect();
            if let Some(declared) = self.declared.get_mut(index) {
                declared.policies = policies;
            }
        }
    }

    /// A cluster's own mirror policies, which go before those of routes.
    pub(super) fn policies(&self, cluster: usize) -> &[Policy] {
        self.declared.get(cluster).map_or(&[], |declared| &declared.policies)
    }

    /// A cluster's own retry policy, which goes before those of routes.
    pub(super) fn retry(&self, cluster: usize) -> Option<&RetryPolicy> {
        self.declared.get(cluster)?.retry.as_ref().map(|(_, policy)| policy)
    }

    /// Where a cluster leads, if it is usable.
    pub(super) fn endpoints(&self, cluster: usize) -> Option<&[Endpoint]> {
        self.declared.get(cluster)?.cluster.as_ref().map(|cluster| cluster.endpoints.as_slice())
    }

    /// The mirror of a cluster, made on first use.
    pub(super) fn mirror(&mut self, cluster: usize) -> Option<usize> {
        if let Some(index) = self.mirrors.iter().position(|other| other.mirror.cluster == cluster) {
            return Some(index);
        }
        let declared = self.declared.get(cluster)?;
        let destination = match &declared.settings {
            Some(settings) => settings.destination.clone(),
            None => {
                let mut mirror = Mirror::with_defaults(declared.name.clone(), cluster, Requests::All);
                declared.breakers.bound(&mut mirror);
                Destination { mirror, durable: None }
            }
        };
        self.mirrors.push(destination);
        Some(self.mirrors.len() - 1)
    }

    /// All clusters and mirrors; `None` if any cluster was refused.
    pub(super) fn finish(self) -> Option<(Vec<Cluster>, Vec<Destination<'a>>)> {
        self.shares.finish();
        for (index, declared) in self.declared.iter().enumerate() {
            let mirror = self.mirrors.iter().find(|destination| destination.mirror.cluster == index);
            let mirrored = mirror.is_some();
            if let (Some(destination), Some((field, _))) = (mirror, &declared.retry)
                && destination.durable.is_none()
            {
                field.warn(
                    "has no effect on copies: from memory each has one attempt",
                    "write `delivery: durable` in the cluster's `metadata.filter_metadata.mimir_mirror`: copies of \
                     writes are then repeated until the mirror has them",
                );
            }
            if let Some(settings) = declared.settings.as_ref().filter(|_| !mirrored) {
                settings.field.warn(
                    "has no effect: no route mirrors to this cluster",
                    "remove it, or mirror to the cluster",
                );
            }
            if let Some(field) = declared.http2_only.as_ref().filter(|_| mirrored) {
                field.refuse_key::<()>(
                    "does not go with a mirror",
                    "copies are sent in HTTP/1.1",
                    "remove it: Mimir speaks HTTP/1.1 on the same port; or mirror to a cluster of its own",
                );
            }
            let tls = declared.cluster.as_ref().and_then(|cluster| cluster.tls.as_ref());
            let by_host = tls.is_some_and(|tls| tls.server_name == ServerName::Host);
            if let Some(field) = declared.host_sni.as_ref().filter(|_| mirrored && by_host) {
                field.refuse_key::<()>(
                    "does not go with a mirror",
                    "copies for all hosts share connections, which are asked for by one name",
                    "write the name as `sni` of its `UpstreamTlsContext`, with `auto_sni_san_validation: true` if its \
                     certificate must be for it",
                );
            }
        }
        let clusters: Option<Vec<Cluster>> =
            self.declared.into_iter().map(|declared| declared.cluster).collect();
        Some((clusters?, self.mirrors))
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
