//! Clusters.

use std::time::Duration;

use crate::model::{Cluster, Discovery, LookupFamily, Mirror, Requests, UpstreamHttp};
use crate::parts::Destination;
use crate::read::{Field, Object};
use crate::settings;

use super::upstreams::{Declared, Settings, Upstreams};
use super::{endpoint, metadata, protocol_options, unsupported};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DNS_REFRESH: Duration = Duration::from_secs(5);

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

const FAMILIES: [(&str, u32, LookupFamily); 5] = [
    ("AUTO", 0, LookupFamily::Auto),
    ("V4_ONLY", 1, LookupFamily::V4Only),
    ("V6_ONLY", 2, LookupFamily::V6Only),
    ("V4_PREFERRED", 3, LookupFamily::V4Preferred),
    ("ALL", 4, LookupFamily::All),
];

const LB_POLICIES: [(&str, u32, &str); 7] = [
    ("ROUND_ROBIN", 0, ""),
    ("LEAST_REQUEST", 1, "LEAST_REQUEST"),
    ("RING_HASH", 2, "RING_HASH"),
    ("RANDOM", 3, "RANDOM"),
    ("MAGLEV", 5, "MAGLEV"),
    ("CLUSTER_PROVIDED", 6, "CLUSTER_PROVIDED"),
    ("LOAD_BALANCING_POLICY_CONFIG", 7, "LOAD_BALANCING_POLICY_CONFIG"),
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
    let cluster = body(&mut object, name.unwrap_or_default(), http);
    let settings = object.take("metadata").and_then(|field| metadata::settings(&field));
    let settings = settings.and_then(|field| {
        let mut mirror = Mirror::with_defaults(name?.to_owned(), upstreams.next(), Requests::All);
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
                settings,
                http2_only: protocol.http2_only,
                policy_fields: protocol.policies,
                policies: Vec::new(),
                retry: protocol.retry,
            };
            upstreams.declare(&name_field, declared);
        }
        _ => upstreams.declare_nameless(),
    }
}

fn body(object: &mut Object<'_>, name: &str, http: Option<UpstreamHttp>) -> Option<Cluster> {
    let kind = object.take("type").map_or(Some(Type::Static), |field| discovery_type(&field));
    let connect_timeout =
        object.take("connect_timeout").map_or(Some(CONNECT_TIMEOUT), |field| field.positive_duration());
    let refresh = object.take("dns_refresh_rate").map_or(Some(DNS_REFRESH), |field| refresh(&field));
    let family =
        object.take("dns_lookup_family").map_or(Some(LookupFamily::Auto), |field| field.choice(&FAMILIES));
    if let Some(field) = object.take("lb_policy") {
        lb_policy(&field);
    }
    if let Some(limit) = object.take("per_connection_buffer_limit_bytes") {
        limit.whole(0, u32::MAX);
        limit.warn("has no effect: bodies are streamed, nothing depends on a buffer limit", "remove it");
    }
    let endpoints = endpoint::decode(object, kind == Some(Type::Static));
    let (refresh, family) = (refresh?, family?);
    let discovery = match kind? {
        Type::Static => Discovery::Static,
        _ => Discovery::StrictDns { refresh, family },
    };
    Some(Cluster {
        name: name.to_owned(),
        discovery,
        endpoints: endpoints?,
        connect_timeout: connect_timeout?,
        http: http?,
    })
}

fn discovery_type(field: &Field<'_>) -> Option<Type> {
    let kind = field.choice(&TYPES)?;
    let (name, help) = match kind {
        Type::Static | Type::StrictDns => return Some(kind),
        Type::LogicalDns => {
            ("LOGICAL_DNS", "write `type: STRICT_DNS`: every address of the name is an endpoint")
        }
        Type::Eds => ("EDS", "there is no xDS: write the endpoints into the file, with `type: STRICT_DNS`"),
        Type::OriginalDst => ("ORIGINAL_DST", "write the endpoints into the file, with `type: STRICT_DNS`"),
    };
    field.refuse(format!("`{name}` is not supported by this version"), help)
}

/// Envoy requires more than a millisecond.
fn refresh(field: &Field<'_>) -> Option<Duration> {
    match field.duration()? {
        short if short <= Duration::from_millis(1) => {
            field.refuse("must be greater than 0.001s", "write `dns_refresh_rate: 5s`")
        }
        rate => Some(rate),
    }
}

fn lb_policy(field: &Field<'_>) {
    let Some(name) = field.choice(&LB_POLICIES).filter(|name| !name.is_empty()) else { return };
    let help = match name {
        "RING_HASH" | "MAGLEV" => {
            "write `lb_policy: ROUND_ROBIN`: this proxy does not hash requests onto endpoints"
        }
        _ => "write `lb_policy: ROUND_ROBIN` or remove it",
    };
    field.refuse::<()>(format!("`{name}` is not supported by this version"), help);
}
