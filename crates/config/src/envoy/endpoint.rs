//! A cluster's endpoints: v3's `load_assignment`, v2's `hosts`.

use crate::model::Endpoint;
use crate::read::{Field, Object};

use super::{address, unsupported};

/// All endpoints, localities flattened; `None` if any was refused. Absent is empty, as in Envoy.
pub(super) fn decode(object: &mut Object<'_>, must_be_ip: bool) -> Option<Vec<Endpoint>> {
    let addresses = match (object.take("load_assignment"), object.take("hosts")) {
        (Some(assignment), None) => load_assignment(&assignment)?,
        (None, Some(hosts)) => hosts.list(),
        (None, None) => Vec::new(),
        (Some(_), Some(hosts)) => hosts.refuse_key(
            "`load_assignment` and `hosts` exclude each other",
            "the v2 spelling",
            "keep `load_assignment`",
        )?,
    };
    let decode = |field: &Field<'_>| {
        let (endpoint, address) = address::endpoint(field)?;
        if must_be_ip {
            address::must_be_ip(&endpoint, &address)?;
        }
        Some(endpoint)
    };
    let endpoints: Vec<Option<Endpoint>> = addresses.iter().map(decode).collect();
    endpoints.into_iter().collect()
}

/// The address fields of a ClusterLoadAssignment.
fn load_assignment<'a>(field: &Field<'a>) -> Option<Vec<Field<'a>>> {
    let mut object = field.object()?;
    let name = object.require("cluster_name", "repeat the cluster's name");
    let complete = name.and_then(|field| field.name()).is_some();
    let localities = object.take("endpoints").map(|field| field.list()).unwrap_or_default();
    object.finish(unsupported::LOAD_ASSIGNMENT);
    let addresses: Vec<Option<Vec<Field<'a>>>> = localities.iter().map(locality).collect();
    let addresses: Option<Vec<Vec<Field<'a>>>> = addresses.into_iter().collect();
    addresses.filter(|_| complete).map(|lists| lists.into_iter().flatten().collect())
}

fn locality<'a>(field: &Field<'a>) -> Option<Vec<Field<'a>>> {
    let mut object = field.object()?;
    // A place without zone-aware balancing changes nothing.
    object.take("locality");
    let equal = weight(&mut object);
    let priority = object.take("priority").map_or(Some(0), |field| match field.whole(0, 128)? {
        0 => Some(0),
        _ => {
            field.refuse("priorities are not supported by this version", "remove it: all endpoints are equal")
        }
    });
    let endpoints = object.take("lb_endpoints").map(|field| field.list()).unwrap_or_default();
    object.finish(unsupported::LOCALITY);
    let addresses: Vec<Option<Field<'a>>> = endpoints.iter().map(lb_endpoint).collect();
    let addresses: Option<Vec<Field<'a>>> = addresses.into_iter().collect();
    (equal? && priority.is_some()).then_some(addresses?)
}

fn lb_endpoint<'a>(field: &Field<'a>) -> Option<Field<'a>> {
    let mut object = field.object()?;
    let equal = weight(&mut object);
    let endpoint = object.require("endpoint", "write `endpoint: { address: { socket_address: ... } }`");
    object.finish(unsupported::LB_ENDPOINT);
    let mut endpoint = endpoint?.object()?;
    let address = endpoint.require("address", "write `address: { socket_address: ... }`");
    endpoint.finish(unsupported::ENDPOINT);
    address.filter(|_| equal.is_some())
}

/// `load_balancing_weight`: only 1, since endpoints are chosen in turn.
fn weight(object: &mut Object<'_>) -> Option<bool> {
    let Some(field) = object.take("load_balancing_weight") else { return Some(true) };
    match field.whole(1, u32::MAX)? {
        1 => Some(true),
        _ => field.refuse("weights are not supported by this version", "remove it: all endpoints are equal"),
    }
}
