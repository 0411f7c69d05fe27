//! `/certs`: the certificates in use, in Envoy's shape.

use std::time::{SystemTime, UNIX_EPOCH};

use config::model::SubjectNameKind;
use serde_json::{Map, Value, json};
use x509_parser::time::ASN1Time;

use super::View;
use super::answer::Answer;
use super::query::Query;
use crate::tls::describe::Described;

/// Envoy's number where there is no certificate.
const NONE: u64 = u32::MAX as u64;

/// `/certs`.
pub(crate) fn certs(view: &View, _: &Query) -> Answer {
    let now = now();
    let list = |described: &[Described]| -> Vec<Value> {
        described.iter().map(|certificate| one(certificate, now)).collect()
    };
    let contexts = view.certificates.borrow();
    let contexts: Vec<Value> = contexts
        .iter()
        .map(|context| json!({"ca_cert": list(&context.ca), "cert_chain": list(&context.shown)}))
        .collect();
    Answer::json(&json!({"certificates": contexts}))
}

fn one(certificate: &Described, now: i64) -> Value {
    let name = |(kind, name): &(SubjectNameKind, String)| {
        let key = match kind {
            SubjectNameKind::Dns => "dns",
            SubjectNameKind::Uri => "uri",
            SubjectNameKind::IpAddress => "ip_address",
            SubjectNameKind::Email => return None,
        };
        Some(Value::Object(Map::from_iter([(key.to_owned(), json!(name))])))
    };
    let names: Vec<Value> = certificate.names.iter().filter_map(name).collect();
    json!({
        "path": certificate.path,
        "serial_number": certificate.serial,
        "subject_alt_names": names,
        "days_until_expiration": certificate.days_left(now).to_string(),
        "valid_from": text(certificate.valid_from),
        "expiration_time": text(certificate.expires),
    })
}

/// `2026-11-25T17:56:55Z`
fn text(seconds: i64) -> String {
    let Ok(time) = ASN1Time::from_timestamp(seconds) else { return String::new() };
    let time = time.to_datetime();
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

/// Days until the first certificate expires, as Envoy counts them; its "none" where there is none.
pub(crate) fn days_until_first_expires(view: &View) -> u64 {
    let now = now();
    let contexts = view.certificates.borrow();
    let all = contexts.iter().flat_map(|context| context.ca.iter().chain(&context.shown));
    all.map(|certificate| certificate.days_left(now)).min().unwrap_or(NONE)
}

fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_envoy_does() {
        assert_eq!(text(1_795_629_415), "2026-11-25T17:56:55Z");
        assert_eq!(text(0), "1970-01-01T00:00:00Z");
    }
}
