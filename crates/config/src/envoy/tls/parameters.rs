//! `tls_params`: versions and algorithms.

use crate::model::{CIPHER_SUITES, CURVES, TlsParameters, TlsVersion};
use crate::read::Field;

use crate::envoy::unsupported;

const VERSIONS: [(&str, u32, Version); 5] = [
    ("TLS_AUTO", 0, Version::Auto),
    ("TLSv1_0", 1, Version::Old("1.0")),
    ("TLSv1_1", 2, Version::Old("1.1")),
    ("TLSv1_2", 3, Version::Spoken(TlsVersion::V1_2)),
    ("TLSv1_3", 4, Version::Spoken(TlsVersion::V1_3)),
];

#[derive(Debug, Clone, Copy)]
enum Version {
    Auto,
    Old(&'static str),
    Spoken(TlsVersion),
}

pub(super) fn decode(field: &Field<'_>) -> Option<TlsParameters> {
    let mut object = field.object()?;
    let min = match object.take("tls_minimum_protocol_version") {
        Some(field) => minimum(&field)?,
        None => None,
    };
    let max = match object.take("tls_maximum_protocol_version") {
        Some(field) => maximum(&field)?,
        None => None,
    };
    let suites = object.take("cipher_suites");
    let cipher_suites =
        suites.map_or(Some(Vec::new()), |field| chosen(&field, "cipher suite", &CIPHER_SUITES));
    let curves = object.take("ecdh_curves");
    let curves = curves.map_or(Some(Vec::new()), |field| chosen(&field, "curve", &CURVES));
    object.finish(unsupported::TLS_PARAMETERS);
    if min == Some(TlsVersion::V1_3) && max == Some(TlsVersion::V1_2) {
        return field.refuse_key("the least version is above the highest", "", "remove one of the two");
    }
    Some(TlsParameters { min, max, cipher_suites: cipher_suites?, curves: curves? })
}

#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is the default"
)]
fn minimum(field: &Field<'_>) -> Option<Option<TlsVersion>> {
    Some(match field.choice(&VERSIONS)? {
        Version::Auto => None,
        Version::Spoken(version) => Some(version),
        Version::Old(version) => {
            field.warn(
                format!("TLS {version} is not spoken: the least version is 1.2"),
                "write `tls_minimum_protocol_version: TLSv1_2`, once no client or cluster needs less",
            );
            None
        }
    })
}

#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is the default"
)]
fn maximum(field: &Field<'_>) -> Option<Option<TlsVersion>> {
    match field.choice(&VERSIONS)? {
        Version::Auto => Some(None),
        Version::Spoken(version) => Some(Some(version)),
        Version::Old(version) => field.refuse(
            format!("TLS {version} is not spoken: the least version is 1.2"),
            "write `tls_maximum_protocol_version: TLSv1_2`",
        ),
    }
}

/// Those of the listed names that this program has. `[A|B]` is a group of equal preference, which has an order here.
fn chosen(field: &Field<'_>, what: &str, known: &[&'static str]) -> Option<Vec<&'static str>> {
    let mut found: Vec<&'static str> = Vec::new();
    let mut listed = false;
    for field in field.list() {
        for name in field.text()?.trim_matches(['[', ']']).split(['|', ':']) {
            listed = true;
            match known.iter().find(|known| known.eq_ignore_ascii_case(name.trim())) {
                Some(known) if found.contains(known) => {}
                Some(known) => found.push(known),
                None => field.warn(
                    format!(
                        "the {what} `{}` is left out: this program does not have it",
                        name.escape_debug()
                    ),
                    format!("it has {}", known.join(", ")),
                ),
            }
        }
    }
    if listed && found.is_empty() {
        return field.refuse_key(
            format!("names no {what} that this program has"),
            "",
            format!("add one of {}, or remove the field", known.join(", ")),
        );
    }
    Some(found)
}
