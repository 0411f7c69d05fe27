//! One entry of `mirrors`.

use http::{HeaderName, HeaderValue};

use crate::address::{self, Url};
use crate::auth;
use crate::headers;
use crate::model::{ClusterTls, CopyHost, Fraction, HeaderMutation, Mirror, MirrorPolicy, Requests};
use crate::parts::Place;
use crate::read::{Field, Object};
use crate::settings;
use crate::tree::Value;

use super::PRIMARY;

/// A mirror whose indices are still to be set.
pub(super) struct Decoded<'a> {
    pub(super) url: Url,
    pub(super) tls: Option<ClusterTls>,
    pub(super) mirror: Mirror,
    pub(super) policy: MirrorPolicy,
    pub(super) durable: Option<Place<'a>>,
}

/// An entry before it has its name.
struct Unnamed<'a> {
    field: Field<'a>,
    name: Option<String>,
    decoded: Decoded<'a>,
}

/// All entries; `None` if any was refused.
pub(super) fn decode<'a>(entries: &[Field<'a>]) -> Option<Vec<Decoded<'a>>> {
    let decoded: Vec<Option<Unnamed<'_>>> = entries.iter().map(entry).collect();
    let decoded: Vec<Unnamed<'_>> = decoded.into_iter().collect::<Option<_>>()?;
    name(decoded)
}

fn entry<'a>(field: &Field<'a>) -> Option<Unnamed<'a>> {
    let mut object = field.object()?;
    let url_field = object.require("url", "name the mirror: `url: http://mimir-secondary:8080`");
    let name = object.take("name").map(|field| label(&field));
    let mut mirror = Mirror::with_defaults(String::new(), 0, Requests::Writes);
    let durable = settings::read(&mut object, &mut mirror);
    let fraction = object.take("percent").map_or(Some(Fraction::ALL), |field| percent(&field));
    let headers = object.take("headers").map_or(Some(Vec::new()), |field| mutations(&field));
    let url = url_field.as_ref().and_then(super::url);
    let tls = super::tls::of_url(&mut object, url.as_ref());
    object.finish(&[]);
    let (url_field, url, tls) = (url_field?, url?, tls?);
    let (fraction, headers) = (fraction?, headers?);
    if !url.https && sends_credentials(&mirror, &headers) && !address::is_loopback(&url.endpoint.host) {
        url_field.warn_line(format!(
            "credentials in `Authorization` go to {} in clear; `headers: {{remove: [authorization]}}` keeps them back",
            url.authority
        ));
    }
    let host = HeaderValue::from_str(&url.authority).ok().map(CopyHost::Literal)?;
    let policy = MirrorPolicy { mirror: 0, fraction, host, headers };
    let name = match name {
        Some(name) => Some(name?),
        None => None,
    };
    Some(Unnamed { field: field.clone(), name, decoded: Decoded { url, tls, mirror, policy, durable } })
}

/// A name is a label of metrics.
fn label(field: &Field<'_>) -> Option<String> {
    let name = field.name()?;
    if name.chars().any(char::is_control) || name.len() > 128 {
        return field.refuse("is not a name", "use at most 128 printable characters");
    }
    Some(name.to_owned())
}

/// Whether copies carry an `Authorization`: the mirror's own, a set one, or the client's.
fn sends_credentials(mirror: &Mirror, headers: &[HeaderMutation]) -> bool {
    let removed = headers
        .iter()
        .any(|change| matches!(change, HeaderMutation::Remove(name) if name == "authorization"));
    mirror.auth.is_some() || !removed
}

/// Names that were not written: the host, with the port where hosts would collide.
fn name(mut entries: Vec<Unnamed<'_>>) -> Option<Vec<Decoded<'_>>> {
    let taken: Vec<String> = entries
        .iter()
        .map(|entry| entry.name.clone().unwrap_or_else(|| entry.decoded.url.host.clone()))
        .chain([PRIMARY.to_owned()])
        .collect();
    for entry in &mut entries {
        let url = &entry.decoded.url;
        let unique = taken.iter().filter(|name| **name == url.host).count() == 1;
        let default = if unique { url.host.clone() } else { format!("{}:{}", url.host, url.endpoint.port) };
        entry.decoded.mirror.name = entry.name.clone().unwrap_or(default);
    }
    let mut seen = vec![PRIMARY.to_owned()];
    let mut unique = true;
    for entry in &entries {
        let name = &entry.decoded.mirror.name;
        if seen.contains(name) {
            unique = false;
            let message = format!("the name `{name}` is already taken");
            entry.field.refuse_key::<()>(message, "", "give this mirror a `name` of its own");
        }
        seen.push(name.clone());
    }
    unique.then(|| entries.into_iter().map(|entry| entry.decoded).collect())
}

/// 0 to 100 with up to four decimals, in millionths: fractions of all mirrors nest.
fn percent(field: &Field<'_>) -> Option<Fraction> {
    let value = field.decimal()?;
    if !(0.0..=100.0).contains(&value) {
        return field.refuse("is not a share from 0 to 100", "write a percentage: `percent: 10`");
    }
    let millionths = (value * 10_000.0).round();
    if (value * 10_000.0 - millionths).abs() > 1e-6 {
        return field.refuse("has more than four decimals", "write at most four: `percent: 0.0001`");
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 1 000 000, checked above"
    )]
    let numerator = millionths as u32;
    Some(Fraction { numerator, denominator: 1_000_000 })
}

/// Text, or `{file: PATH}`: what comes from a file is a secret.
fn header_value(field: &Field<'_>, name: Option<&HeaderName>) -> Option<HeaderValue> {
    let Value::Map(_) = field.node.value else {
        return headers::value(field, name, field.text()?);
    };
    let mut object = field.object()?;
    let file =
        object.require("file", "write the value, or the file that it is in: `{ file: /run/secrets/key }`");
    object.finish(&[]);
    let file = file?;
    let mut value = headers::value(&file, name, &auth::from_file(&file)?)?;
    value.set_sensitive(true);
    Some(value)
}

/// `headers: {set: {name: value}, remove: [name]}`.
fn mutations(field: &Field<'_>) -> Option<Vec<HeaderMutation>> {
    let mut object = field.object()?;
    let set = object.take("set");
    let remove = object.take("remove").map(|field| field.list()).unwrap_or_default();
    object.finish(&[]);
    let mut changes = Vec::new();
    let mut complete = true;
    for (name, field) in
        set.and_then(|field| field.object()).map(|mut map: Object<'_>| map.rest()).unwrap_or_default()
    {
        let name =
            headers::name(name).or_else(|(message, help)| field.refuse_key(message, "", help).ok_or(())).ok();
        let value = header_value(&field, name.as_ref());
        match (name, value) {
            (Some(name), Some(value)) => changes.push(HeaderMutation::Set(name, value)),
            _ => complete = false,
        }
    }
    for field in remove {
        let Some(name) = headers::name_of(&field) else {
            complete = false;
            continue;
        };
        let is_set =
            |change: &HeaderMutation| matches!(change, HeaderMutation::Set(other, _) if *other == name);
        if changes.iter().any(is_set) {
            field.refuse::<()>(format!("`{name}` is set and removed"), "keep one of the two");
            complete = false;
        }
        changes.push(HeaderMutation::Remove(name));
    }
    complete.then_some(changes)
}
