//! How a cluster's names become addresses: `cluster_type` with its DnsCluster message, and the older fields of the
//! cluster itself, which bear the same names.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{Dns, LookupFamily, Resolver};
use crate::read::{Field, Object};

use super::{address, any, unsupported};

const REFRESH: Duration = Duration::from_secs(5);
const MIN_REFRESH: Duration = Duration::from_secs(1);
const DNS_CLUSTER: &str = "envoy.extensions.clusters.dns.v3.DnsCluster";
const CARES: &str = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
const GETADDRINFO: &str = "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig";

const FAMILIES: [(&str, u32, LookupFamily); 5] = [
    ("AUTO", 0, LookupFamily::Auto),
    ("V4_ONLY", 1, LookupFamily::V4Only),
    ("V6_ONLY", 2, LookupFamily::V6Only),
    ("V4_PREFERRED", 3, LookupFamily::V4Preferred),
    ("ALL", 4, LookupFamily::All),
];

/// The same in the DnsCluster message.
const FAMILIES_OF_MESSAGE: [(&str, u32, LookupFamily); 6] = [
    ("UNSPECIFIED", 0, LookupFamily::Auto),
    ("AUTO", 1, LookupFamily::Auto),
    ("V4_ONLY", 2, LookupFamily::V4Only),
    ("V6_ONLY", 3, LookupFamily::V6Only),
    ("V4_PREFERRED", 4, LookupFamily::V4Preferred),
    ("ALL", 5, LookupFamily::All),
];

/// The fields of the cluster itself. `None` if any was refused.
pub(super) fn of_cluster(object: &mut Object<'_>, logical: bool) -> Option<Dns> {
    let servers = object.take("dns_resolvers");
    let tcp = object.take("use_tcp_for_dns_lookups").map_or(Some(false), |field| field.boolean());
    let older = match object.take("dns_resolution_config") {
        None => Some(Resolver::System),
        Some(field) => field.object().and_then(|object| resolution(object, &[])),
    };
    let dns = common(object, logical, &FAMILIES);
    let own = servers.map_or(Some(Vec::new()), |field| addresses(&field));
    let (mut dns, own, older, tcp) = (dns?, own?, older?, tcp?);
    if dns.resolver == Resolver::System {
        dns.resolver = match own.as_slice() {
            [] => older,
            _ => Resolver::Servers { servers: own, tcp },
        };
    }
    Some(dns)
}

/// `cluster_type`. `None` if it was refused.
pub(super) fn of_type(field: &Field<'_>) -> Option<Dns> {
    let mut object = field.object()?;
    let name = object.take("name").and_then(|field| field.text());
    // The names alone, without a message, are those of the two older types.
    if !object.has("typed_config") && !object.has("typedConfig") {
        object.finish(&[]);
        return match name {
            Some("envoy.cluster.strict_dns" | "envoy.clusters.strict_dns") => Some(Dns::strict(REFRESH)),
            Some("envoy.cluster.logical_dns" | "envoy.clusters.logical_dns") => {
                Some(Dns { logical: true, ..Dns::strict(REFRESH) })
            }
            _ => field.refuse(
                "has no configuration",
                format!("write its `typed_config` with `\"@type\": type.googleapis.com/{DNS_CLUSTER}`"),
            ),
        };
    }
    let any::Typed { name, kind, mut message } = any::typed(field)?;
    if name != DNS_CLUSTER {
        let short = name.rsplit('.').next().unwrap_or(name);
        return kind.refuse(
            format!("`{short}` is not supported by this version"),
            format!("only DNS can stand here: `type.googleapis.com/{DNS_CLUSTER}`"),
        );
    }
    let single = message.take("all_addresses_in_single_endpoint");
    let logical = single.map_or(Some(false), |field| field.boolean());
    let dns = common(&mut message, false, &FAMILIES_OF_MESSAGE);
    let least = message.take("dns_min_refresh_rate").map_or(Some(MIN_REFRESH), |field| longer(&field));
    message.finish(&[]);
    Some(Dns { logical: logical?, min_refresh: least?, ..dns? })
}

/// What both spellings have.
fn common(
    object: &mut Object<'_>,
    logical: bool,
    families: &[(&'static str, u32, LookupFamily)],
) -> Option<Dns> {
    let refresh = object.take("dns_refresh_rate").map_or(Some(REFRESH), |field| longer(&field));
    let failure = object.take("dns_failure_refresh_rate").map(|field| failure(&field));
    let respect = object.take("respect_dns_ttl").map_or(Some(false), |field| field.boolean());
    let jitter = object.take("dns_jitter").map_or(Some(Duration::ZERO), |field| field.duration());
    let family =
        object.take("dns_lookup_family").map_or(Some(LookupFamily::Auto), |field| field.choice(families));
    let resolver = object.take("typed_dns_resolver_config");
    let resolver = resolver.map_or(Some(Resolver::System), |field| resolver_config(&field));
    let failure_refresh = match failure {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Dns {
        logical,
        refresh: refresh?,
        failure_refresh,
        respect_ttl: respect?,
        min_refresh: MIN_REFRESH,
        jitter: jitter?,
        family: family?,
        resolver: resolver?,
    })
}

/// Envoy requires more than a millisecond.
fn longer(field: &Field<'_>) -> Option<Duration> {
    match field.duration()? {
        short if short <= Duration::from_millis(1) => {
            field.refuse("must be greater than 0.001s", "write a duration such as `5s`")
        }
        rate => Some(rate),
    }
}

fn failure(field: &Field<'_>) -> Option<(Duration, Duration)> {
    let mut object = field.object()?;
    let base = object.require("base_interval", "write `base_interval: 1s`").and_then(|field| longer(&field));
    let longest = object.take("max_interval").map(|field| longer(&field));
    object.finish(&[]);
    let base = base?;
    match longest {
        None => Some((base, base.saturating_mul(10))),
        Some(longest) if longest? < base => field.refuse(
            "dns_failure_refresh_rate must have max_interval greater than or equal to the base_interval",
            "raise `max_interval`",
        ),
        Some(longest) => Some((base, longest?)),
    }
}

fn resolver_config(field: &Field<'_>) -> Option<Resolver> {
    let any::Typed { name, kind, mut message } = any::typed(field)?;
    match name {
        // Threads and retries are those of this program.
        GETADDRINFO => {
            message.take("num_retries");
            message.take("num_resolver_threads");
            message.finish(&[]);
            Some(Resolver::System)
        }
        CARES => resolution(message, unsupported::CARES),
        _ => {
            let short = name.rsplit('.').next().unwrap_or(name);
            kind.refuse(
                format!("`{short}` is not supported by this version"),
                format!("write `type.googleapis.com/{CARES}` or remove the whole field"),
            )
        }
    }
}

/// `resolvers` and `dns_resolver_options`, of c-ares or of the older DnsResolutionConfig.
fn resolution(mut object: Object<'_>, unsupported: &[crate::read::Unsupported]) -> Option<Resolver> {
    let servers = object.take("resolvers").map_or(Some(Vec::new()), |field| addresses(&field));
    let tcp = match object.take("dns_resolver_options").map(|field| field.object()) {
        None => Some(false),
        Some(options) => {
            let mut options = options?;
            let tcp = options.take("use_tcp_for_dns_lookups").map_or(Some(false), |field| field.boolean());
            // Search domains are not asked of servers that the file names: names are complete.
            options.take("no_default_search_domain");
            options.finish(&[]);
            tcp
        }
    };
    object.finish(unsupported);
    match (servers?, tcp?) {
        (servers, _) if servers.is_empty() => Some(Resolver::System),
        (servers, tcp) => Some(Resolver::Servers { servers, tcp }),
    }
}

fn addresses(field: &Field<'_>) -> Option<Vec<SocketAddr>> {
    let help = "a DNS server is named by its IP address";
    let servers: Vec<_> = field.list().iter().map(|field| address::ip(field, help)).collect();
    servers.into_iter().collect()
}
