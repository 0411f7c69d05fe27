//! Names and values of headers that an operator sets on copies.

use http::{HeaderName, HeaderValue};

use crate::read::Field;
use crate::secrets;

/// Headers that say how a message is framed or belong to one connection: changing them would make a copy
/// another request.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header's name that may be changed on copies, or what is wrong with it and the remedy.
pub(crate) fn name(text: &str) -> Result<HeaderName, (String, &'static str)> {
    if text.starts_with(':') || text.eq_ignore_ascii_case("host") {
        return Err((
            ":-prefixed or host headers may not be modified".to_owned(),
            "an Envoy file sets a copy's Host with `host_rewrite_literal`, the native form with the mirror's `url`",
        ));
    }
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        return Err(("is not the name of a header".to_owned(), "use letters, digits and dashes"));
    };
    if FRAMING.contains(&name.as_str()) {
        let message = format!("`{name}` may not be modified");
        return Err((message, "how a message is framed is not to be changed; remove this entry"));
    }
    Ok(name)
}

/// The name that a field's value is.
pub(crate) fn name_of(field: &Field<'_>) -> Option<HeaderName> {
    name(field.name()?).or_else(|(message, help)| field.refuse(message, help).ok_or(())).ok()
}

/// A header's value, not empty (Envoy would drop it), marked sensitive if its name says so.
pub(crate) fn value(field: &Field<'_>, name: Option<&HeaderName>, text: &str) -> Option<HeaderValue> {
    if text.is_empty() {
        return field.refuse("is empty", "remove the header instead");
    }
    let Ok(mut value) = HeaderValue::from_str(text) else {
        return field.refuse("is not the value of a header", "remove line breaks and control characters");
    };
    value.set_sensitive(name.is_some_and(|name| secrets::is_secret_header(name.as_str())));
    Some(value)
}
