//! A mirror's settings: the same keys in the native form and in an Envoy file's
//! `metadata.filter_metadata["mimir_mirror"]`.

use crate::auth;
use crate::durable;
use crate::model::{Mirror, Order, Requests, When};
use crate::native::access_log;
use crate::parts::Place;
use crate::read::{Field, Object, Unsupported};

/// Settings that only the native form has here.
pub(crate) const UNSUPPORTED: &[Unsupported] = &[Unsupported::misplaced(
    "tls",
    "belongs to the cluster",
    "write its `transport_socket` with `UpstreamTlsContext`",
)];

/// Reads the settings that both forms share into a mirror that has its defaults. Returns what is to be completed when
/// all mirrors have their names, if it is durable.
pub(crate) fn read<'a>(object: &mut Object<'a>, mirror: &mut Mirror) -> Option<Place<'a>> {
    fn set<T>(target: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *target = value;
        }
    }
    let requests = [("writes", 0, Requests::Writes), ("all", 1, Requests::All)];
    set(&mut mirror.requests, object.take("requests").and_then(|field| field.choice(&requests)));
    set(&mut mirror.copy_admin, object.take("copy_admin").and_then(|field| field.boolean()));
    if let Some(field) = object.take("timeout") {
        mirror.timeout = field.positive_duration();
    }
    set(&mut mirror.max_request, object.take("max_request").and_then(|field| field.size()));
    let buffer = object.take("buffer");
    set(&mut mirror.buffer, buffer.as_ref().and_then(Field::size));
    set(&mut mirror.max_age, object.take("max_age").and_then(|field| field.positive_duration()));
    set(&mut mirror.max_connections, object.take("max_connections").and_then(|field| field.whole(1, 65_535)));
    set(&mut mirror.max_copies, object.take("max_copies").and_then(|field| field.whole(1, 16_777_216)));
    let orders = [("series", 0, Order::Series), ("none", 1, Order::None)];
    set(&mut mirror.order, object.take("order").and_then(|field| field.choice(&orders)));
    if let Some(field) = object.take("auth") {
        mirror.auth = auth::read(&field);
    }
    let whens = [("received", 0, When::Received), ("answered", 1, When::Answered)];
    set(&mut mirror.when, object.take("when").and_then(|field| field.choice(&whens)));
    let log = object.take("access_log");
    set(&mut mirror.access_logs, access_log::list(log, access_log::COPY_FORMAT));
    if mirror.buffer < mirror.max_request {
        let field = buffer.unwrap_or_else(|| object.field.clone());
        field.refuse_key::<()>(
            "`buffer` is smaller than `max_request`",
            "",
            "a request of `max_request` bytes must fit: raise `buffer` or lower `max_request`",
        );
    }
    durable::read(object, mirror)
}
