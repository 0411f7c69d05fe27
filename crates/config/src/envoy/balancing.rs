//! How an endpoint is chosen: `lb_policy` and its message, or v3's `load_balancing_policy`.

use crate::model::Balancing;
use crate::read::{Field, Object};

use super::{any, unsupported};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Supported(Balancing),
    Refused(&'static str),
    Typed,
}

const DEFAULT_CHOICES: u32 = 2;
const LEAST: Balancing = Balancing::LeastRequest { choices: DEFAULT_CHOICES };

const POLICIES: [(&str, u32, Policy); 7] = [
    ("ROUND_ROBIN", 0, Policy::Supported(Balancing::RoundRobin)),
    ("LEAST_REQUEST", 1, Policy::Supported(LEAST)),
    ("RING_HASH", 2, Policy::Refused("RING_HASH")),
    ("RANDOM", 3, Policy::Supported(Balancing::Random)),
    ("MAGLEV", 5, Policy::Refused("MAGLEV")),
    ("CLUSTER_PROVIDED", 6, Policy::Refused("CLUSTER_PROVIDED")),
    ("LOAD_BALANCING_POLICY_CONFIG", 7, Policy::Typed),
];

const PACKAGE: &str = "envoy.extensions.load_balancing_policies.";
const HELP: &str = "write `lb_policy: ROUND_ROBIN`, `LEAST_REQUEST` or `RANDOM`";
const NO_HASH: &str = "this proxy does not hash requests onto endpoints: write `lb_policy: ROUND_ROBIN`, \
                       `LEAST_REQUEST` or `RANDOM`";

/// `None` if it was refused.
pub(super) fn decode(object: &mut Object<'_>) -> Option<Balancing> {
    let policy = object.take("lb_policy");
    let chosen = policy
        .as_ref()
        .map_or(Some(Policy::Supported(Balancing::RoundRobin)), |field| field.choice(&POLICIES));
    let choices = object.take("least_request_lb_config").map(|field| least_request(&field));
    if let Some(field) = object.take("round_robin_lb_config") {
        field.object().into_iter().for_each(|object| object.finish(unsupported::ROUND_ROBIN));
    }
    if let Some(field) = object.take("load_balancing_policy") {
        // As in Envoy it takes the place of `lb_policy`.
        return typed(&field);
    }
    match (chosen?, policy) {
        (Policy::Supported(Balancing::LeastRequest { .. }), _) => {
            Some(Balancing::LeastRequest { choices: choices.unwrap_or(Some(DEFAULT_CHOICES))? })
        }
        (Policy::Supported(balancing), _) => Some(balancing),
        (Policy::Refused(name), Some(field)) => {
            let help = if name == "CLUSTER_PROVIDED" { HELP } else { NO_HASH };
            field.refuse(format!("`{name}` is not supported by this version"), help)
        }
        (_, Some(field)) => {
            field.refuse("`load_balancing_policy` is missing", "write it, or a policy's name here")
        }
        (_, None) => Some(Balancing::RoundRobin),
    }
}

fn least_request(field: &Field<'_>) -> Option<u32> {
    let mut object = field.object()?;
    let choices = choices(&mut object);
    object.finish(unsupported::LEAST_REQUEST);
    choices
}

fn choices(object: &mut Object<'_>) -> Option<u32> {
    object.take("choice_count").map_or(Some(DEFAULT_CHOICES), |field| field.whole(2, u32::MAX))
}

/// The first policy that this program knows, as Envoy takes the first that it knows.
fn typed(field: &Field<'_>) -> Option<Balancing> {
    let mut object = field.object()?;
    let list = object.require("policies", "list at least one policy").map(|field| field.list());
    object.finish(&[]);
    let mut unknown = None;
    for entry in list? {
        let mut entry = entry.object()?;
        let config = entry.require("typed_extension_config", "write `name` and `typed_config`");
        entry.finish(&[]);
        let any::Typed { name, kind, mut message } = any::typed(&config?)?;
        match name.strip_prefix(PACKAGE) {
            Some("round_robin.v3.RoundRobin") => {
                message.finish(unsupported::ROUND_ROBIN);
                return Some(Balancing::RoundRobin);
            }
            Some("random.v3.Random") => {
                message.finish(unsupported::ROUND_ROBIN);
                return Some(Balancing::Random);
            }
            Some("least_request.v3.LeastRequest") => {
                let choices = choices(&mut message);
                message.finish(unsupported::LEAST_REQUEST);
                return Some(Balancing::LeastRequest { choices: choices? });
            }
            _ => unknown = unknown.or(Some((kind, name))),
        }
    }
    match unknown {
        Some((kind, name)) => {
            let short = name.rsplit('.').next().unwrap_or(name);
            let help = "RoundRobin, LeastRequest and Random can stand here";
            kind.refuse(format!("`{short}` is not supported by this version"), help)
        }
        None => field.refuse("no policy", "list at least one policy"),
    }
}
