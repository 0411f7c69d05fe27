//! Clusters.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{Cluster, Discovery, Mirror, Requests};
use crate::parts::Destination;
use crate::read::{Field, Object};
use crate::settings;

use super::upstreams::{Declared, Settings, Upstreams};
use super::{
    balancing, breakers, dns, endpoint, health, metadata, protocol_options, sockets, tls, unsupported,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Static,
    StrictDns,
    LogicalDns,
    Eds,
    OriginalDst,
}

const TYPES: [(&str, u32, Type); 5] = [
    ("STATIC", 0, Type::Static),
    ("STRICT_DNS", 1, Type::StrictDns),
    ("LOGICAL_DNS", 2, Type::LogicalDns),
    ("EDS", 3, Type::Eds),
    ("ORIGINAL_DST", 4, Type::OriginalDst),
];

/// Decodes a cluster and declares it.
pub(super) fn decode<'a>(field: &Field<'a>, upstreams: &mut Upstreams<'a>) {
    let Some(mut object) = field.object() else { return };
    let name_field = object.require("name", "name the cluster: `name: mimir_primary`");
    let name = name_field.as_ref().and_then(Field::name);
    let protocol = protocol_options::decode(&mut object);
    let usable = protocol.is_some();
    let protocol = protocol.unwrap_or_default();
    let http = usable.then_some(protocol.http);
    let written = breakers::decode(&mut object);
    let source = upstreams.source();
    let cluster = body(&mut object, name.unwrap_or_default(), protocol.tls.as_ref(), source);
    let cluster = cluster.zip(written).zip(http).map(|((cluster, written), http)| Cluster {
        breakers: written.complete(),
        http,
        ..cluster
    });
    let settings = object.take("metadata").and_then(|field| metadata::settings(&field));
    let settings = settings.and_then(|field| {
        let mut mirror = Mirror::with_defaults(name?.to_owned(), upstreams.next(), Requests::All);
        written.into_iter().for_each(|written| written.bound(&mut mirror));
        let mut object = field.object()?;
        let durable = settings::read(&mut object, &mut mirror);
        object.finish(settings::UNSUPPORTED);
        Some(Settings { destination: Destination { mirror, durable }, field })
    });
    object.finish(unsupported::CLUSTER);
    match (name_field, name) {
        (Some(name_field), Some(name)) => {
            let declared = Declared {
                name: name.to_owned(),
                cluster,
                breakers: written.unwrap_or_default(),
                settings,
                http2_only: protocol.http2_only,
                host_sni: protocol.tls,
                policy_fields: protocol.policies,
                policies: Vec::new(),
                retry: protocol.retry,
            };
            upstreams.declare(&name_field, declared);
        }
        _ => upstreams.declare_nameless(),
    }
}

fn body(
    object: &mut Object<'_>,
    name: &str,
    options: Option<&Field<'_>>,
    source: Option<SocketAddr>,
) -> Option<Cluster> {
    let kind = object.take("type");
    let written = kind.as_ref().map(discovery_type);
    let kind = written.unwrap_or(Some(Type::Static));
    let connect_timeout =
        object.take("connect_timeout").map_or(Some(CONNECT_TIMEOUT), |field| field.positive_duration());
    let of_cluster = dns::of_cluster(object, kind == Some(Type::LogicalDns));
    let discovery = match (object.take("cluster_type"), kind) {
        (Some(field), _) => dns::of_type(&field).map(Discovery::Dns),
        (None, Some(Type::Static)) => Some(Discovery::Static),
        (None, _) => of_cluster.map(Discovery::Dns),
    };
    let balancing = balancing::decode(object);
    let health = health::decode(object);
    let sockets = sockets::decode(object, source);
    if let Some(limit) = object.take("per_connection_buffer_limit_bytes") {
        limit.whole(0, u32::MAX);
        limit.warn("has no effect: bodies are streamed, nothing depends on a buffer limit", "remove it");
    }
    if let Some(timeout) = object.take("per_connection_buffer_high_watermark_timeout") {
        timeout.duration();
        timeout.warn("is not needed: a mirror that does not read cannot hold up a client here", "remove it");
    }
    let tls = tls::of_cluster(object, options);
    let endpoints = endpoint::decode(object, discovery == Some(Discovery::Static));
    let mut cluster = Cluster::new(name.to_owned(), discovery?, endpoints?, connect_timeout?);
    if matches!(&cluster.discovery, Discovery::Dns(dns) if dns.logical) && cluster.endpoints.len() != 1 {
        return object.field.refuse_key(
            "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint",
            "",
            "write one endpoint, or `type: STRICT_DNS`",
        );
    }
    kind?;
    cluster.balancing = balancing?;
    cluster.health = health?;
    cluster.sockets = sockets?;
    cluster.tls = tls?;
    Some(cluster)
}

fn discovery_type(field: &Field<'_>) -> Option<Type> {
    let kind = field.choice(&TYPES)?;
    let (name, help) = match kind {
        Type::Static | Type::StrictDns | Type::LogicalDns => return Some(kind),
        Type::Eds => ("EDS", "there is no xDS: write the endpoints into the file, with `type: STRICT_DNS`"),
        Type::OriginalDst => ("ORIGINAL_DST", "write the endpoints into the file, with `type: STRICT_DNS`"),
    };
    field.refuse(format!("`{name}` is not supported by this version"), help)
}
