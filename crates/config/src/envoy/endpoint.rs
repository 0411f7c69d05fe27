//! A cluster's endpoints: v3's `load_assignment`, v2's `hosts`.

use crate::model::{Endpoint, EndpointHealth};
use crate::read::{Field, Object};

use super::{address, unsupported};

const STATUSES: [(&str, u32, Option<EndpointHealth>); 6] = [
    ("UNKNOWN", 0, Some(EndpointHealth::Healthy)),
    ("HEALTHY", 1, Some(EndpointHealth::Healthy)),
    ("UNHEALTHY", 2, Some(EndpointHealth::Unhealthy)),
    ("DRAINING", 3, Some(EndpointHealth::Unhealthy)),
    ("TIMEOUT", 4, Some(EndpointHealth::Unhealthy)),
    ("DEGRADED", 5, None),
];

/// All endpoints, localities flattened; `None` if any was refused. Absent is empty, as in Envoy.
pub(super) fn decode(object: &mut Object<'_>, must_be_ip: bool) -> Option<Vec<Endpoint>> {
    match (object.take("load_assignment"), object.take("hosts")) {
        (Some(assignment), None) => load_assignment(&assignment, must_be_ip),
        (None, Some(hosts)) => {
            let endpoints: Vec<_> = hosts.list().iter().map(|field| place(field, must_be_ip)).collect();
            endpoints.into_iter().collect()
        }
        (None, None) => Some(Vec::new()),
        (Some(_), Some(hosts)) => hosts.refuse_key(
            "`load_assignment` and `hosts` exclude each other",
            "the v2 spelling",
            "keep `load_assignment`",
        ),
    }
}

/// An endpoint that has only its address.
fn place(field: &Field<'_>, must_be_ip: bool) -> Option<Endpoint> {
    let (endpoint, address) = address::endpoint(field)?;
    if must_be_ip {
        address::must_be_ip(&endpoint, &address)?;
    }
    Some(endpoint)
}

/// The endpoints of a ClusterLoadAssignment.
fn load_assignment(field: &Field<'_>, must_be_ip: bool) -> Option<Vec<Endpoint>> {
    let mut object = field.object()?;
    let name = object.require("cluster_name", "repeat the cluster's name");
    let complete = name.and_then(|field| field.name()).is_some();
    let localities = object.take("endpoints").map(|field| field.list()).unwrap_or_default();
    object.finish(unsupported::LOAD_ASSIGNMENT);
    let endpoints: Vec<Option<Vec<Endpoint>>> =
        localities.iter().map(|field| locality(field, must_be_ip)).collect();
    let endpoints: Option<Vec<Vec<Endpoint>>> = endpoints.into_iter().collect();
    endpoints.filter(|_| complete).map(|lists| lists.into_iter().flatten().collect())
}

fn locality(field: &Field<'_>, must_be_ip: bool) -> Option<Vec<Endpoint>> {
    let mut object = field.object()?;
    // A place without zone-aware balancing changes nothing; nor does its weight, without locality-weighted balancing.
    object.take("locality");
    let weight = weight(&mut object);
    let priority = object.take("priority").map_or(Some(0), |field| match field.whole(0, 128)? {
        0 => Some(0),
        _ => {
            field.refuse("priorities are not supported by this version", "remove it: all endpoints are equal")
        }
    });
    let endpoints = object.take("lb_endpoints").map(|field| field.list()).unwrap_or_default();
    object.finish(unsupported::LOCALITY);
    let endpoints: Vec<_> = endpoints.iter().map(|field| lb_endpoint(field, must_be_ip)).collect();
    let endpoints: Option<Vec<Endpoint>> = endpoints.into_iter().collect();
    endpoints.filter(|_| weight.is_some() && priority.is_some())
}

fn lb_endpoint(field: &Field<'_>, must_be_ip: bool) -> Option<Endpoint> {
    let mut object = field.object()?;
    let weight = weight(&mut object);
    let health = object.take("health_status").map_or(Some(EndpointHealth::Healthy), |field| {
        match field.choice(&STATUSES)? {
            Some(health) => Some(health),
            None => {
                field.refuse("`DEGRADED` is not supported by this version", "write `UNHEALTHY` or remove it")
            }
        }
    });
    let endpoint = object.require("endpoint", "write `endpoint: { address: { socket_address: ... } }`");
    object.finish(unsupported::LB_ENDPOINT);
    let mut endpoint = endpoint?.object()?;
    let address = endpoint.require("address", "write `address: { socket_address: ... }`");
    let hostname = endpoint.take("hostname").map_or(Some(""), |field| field.text());
    let check =
        endpoint.take("health_check_config").map_or(Some((None, false)), |field| check_config(&field));
    endpoint.finish(unsupported::ENDPOINT);
    let place = place(&address?, must_be_ip);
    let (check_port, unchecked) = check?;
    let hostname = hostname.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
    Some(Endpoint { weight: weight?, health: health?, hostname: hostname?, check_port, unchecked, ..place? })
}

/// The port of health checks, and whether there are none.
fn check_config(field: &Field<'_>) -> Option<(Option<u16>, bool)> {
    let mut object = field.object()?;
    let port = object.take("port_value").map_or(Some(0), |field| field.whole(0, 65_535));
    let off = object.take("disable_active_health_check").map_or(Some(false), |field| field.boolean());
    object.finish(unsupported::CHECK_CONFIG);
    let port = u16::try_from(port?).ok()?;
    Some(((port != 0).then_some(port), off?))
}

/// `load_balancing_weight`.
fn weight(object: &mut Object<'_>) -> Option<u32> {
    object.take("load_balancing_weight").map_or(Some(1), |field| field.whole(1, u32::MAX))
}
