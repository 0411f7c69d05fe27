//! `validation_context`: which certificates of the other side are believed.

use crate::model::{NameMatch, Names, SubjectName, SubjectNameKind, Trust, Verification};
use crate::read::{Field, Object};

use super::certificate;
use super::common::Side;
use crate::envoy::unsupported;

const TRUST: [(&str, u32, bool); 2] = [("VERIFY_TRUST_CHAIN", 0, true), ("ACCEPT_UNTRUSTED", 1, false)];

const KINDS: [(&str, u32, Kind); 6] = [
    ("SAN_TYPE_UNSPECIFIED", 0, Kind::Unspecified),
    ("EMAIL", 1, Kind::Of(SubjectNameKind::Email)),
    ("DNS", 2, Kind::Of(SubjectNameKind::Dns)),
    ("URI", 3, Kind::Of(SubjectNameKind::Uri)),
    ("IP_ADDRESS", 4, Kind::Of(SubjectNameKind::IpAddress)),
    ("OTHER_NAME", 5, Kind::Other),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Unspecified,
    Of(SubjectNameKind),
    Other,
}

/// `Some(None)` for a context that says nothing.
#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
pub(super) fn decode(field: &Field<'_>, side: Side) -> Option<Option<Verification>> {
    let mut object = field.object()?;
    let ca = object.take("trusted_ca").map(|field| certificate::source(&field));
    let system = object.take("system_root_certs").map(|field| field.object().map(|o| o.finish(&[])));
    certificate::watched_directory(&mut object);
    let verify = object.take("trust_chain_verification");
    let checked = verify.as_ref().map_or(Some(true), |field| field.choice(&TRUST));
    let certificate_hashes = hashes(&mut object, "verify_certificate_hash", hex);
    let spki_hashes = hashes(&mut object, "verify_certificate_spki", base64);
    let names = names(&mut object);
    object.finish(unsupported::VALIDATION_CONTEXT);
    let (checked, certificate_hashes, spki_hashes, names) =
        (checked?, certificate_hashes?, spki_hashes?, names?);
    let pinned = !(certificate_hashes.is_empty() && spki_hashes.is_empty());
    let trust = match (ca, system) {
        (Some(_), Some(_)) => {
            return field.refuse_key("names a CA and the system's", "", "keep one of the two");
        }
        _ if !checked => Trust::Anyone,
        (Some(ca), None) => Trust::Ca(ca?),
        (None, Some(_)) => Trust::System,
        (None, None) if pinned => Trust::Anyone,
        (None, None) if names.is_empty() => return Some(None),
        (None, None) => {
            return field.refuse_key(
                "SAN-based verification of peer certificates without trusted CA is insecure and not allowed",
                "",
                "name the CA: `trusted_ca: { filename: /etc/tls/ca.crt }`",
            );
        }
    };
    if let Some(verify) = verify.filter(|_| !checked && !pinned) {
        unverified(&verify, side);
    }
    let names = match (names.is_empty(), &trust, side) {
        (false, ..) => Names::Matching(names),
        // As in Envoy: who has a CA of its own trusts every certificate of that CA.
        (true, Trust::System, Side::Client) => Names::Asked,
        (true, ..) => Names::Any,
    };
    Some(Some(Verification { trust, names, certificate_hashes, spki_hashes }))
}

fn unverified(field: &Field<'_>, side: Side) {
    let (what, help) = match side {
        Side::Client => (
            "certificates of this cluster are not verified: whoever answers at its address is believed",
            "name its CA: `trusted_ca: { filename: /etc/tls/ca.crt }`",
        ),
        Side::Server => (
            "client certificates are not verified: any will do",
            "name their CA: `trusted_ca: { filename: /etc/tls/ca.crt }`",
        ),
    };
    field.warn(what, help);
}

fn hashes(
    object: &mut Object<'_>,
    name: &'static str,
    read: fn(&str) -> Option<[u8; 32]>,
) -> Option<Vec<[u8; 32]>> {
    let fields = object.take(name).map(|field| field.list()).unwrap_or_default();
    let one = |field: &Field<'_>| {
        read(field.text()?)
            .or_else(|| field.refuse("is not a SHA-256", "write its 32 bytes, as Envoy has them"))
    };
    fields.iter().map(one).collect()
}

/// 64 hexadecimal digits, with or without colons.
fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()
    };
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

fn base64(text: &str) -> Option<[u8; 32]> {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.decode(text).ok()?.try_into().ok()
}

fn names(object: &mut Object<'_>) -> Option<Vec<SubjectName>> {
    let typed = object.take("match_typed_subject_alt_names").map(|field| field.list()).unwrap_or_default();
    let untyped = object.take("match_subject_alt_names").map(|field| field.list()).unwrap_or_default();
    let v2 = object.take("verify_subject_alt_name").map(|field| field.list()).unwrap_or_default();
    let typed = typed.iter().map(typed_name);
    let untyped = untyped.iter().map(|field| matcher(field, None));
    let v2 = v2.iter().map(|field| {
        let matcher = NameMatch::Exact(field.name()?.to_owned());
        Some(SubjectName { kind: None, matcher, ignore_case: false })
    });
    typed.chain(untyped).chain(v2).collect()
}

fn typed_name(field: &Field<'_>) -> Option<SubjectName> {
    let mut object = field.object()?;
    let kind = object.require("san_type", "write `san_type: DNS`, `URI`, `EMAIL` or `IP_ADDRESS`");
    let kind = kind.and_then(|field| match field.choice(&KINDS)? {
        Kind::Of(kind) => Some(kind),
        Kind::Unspecified => {
            field.refuse("is not a kind of name", "write `DNS`, `URI`, `EMAIL` or `IP_ADDRESS`")
        }
        Kind::Other => field.refuse(
            "`OTHER_NAME` is not supported by this version",
            "match a `DNS`, `URI`, `EMAIL` or `IP_ADDRESS` name",
        ),
    });
    let found = object.require("matcher", "write `matcher: { exact: mimir.example }`");
    object.finish(unsupported::SAN_MATCHER);
    matcher(&found?, Some(kind?))
}

fn matcher(field: &Field<'_>, kind: Option<SubjectNameKind>) -> Option<SubjectName> {
    let mut object = field.object()?;
    let mut text = |name| object.take(name).and_then(|field| field.name().map(str::to_owned));
    let found = [
        text("exact").map(NameMatch::Exact),
        text("prefix").map(NameMatch::Prefix),
        text("suffix").map(NameMatch::Suffix),
        text("contains").map(NameMatch::Contains),
    ];
    let ignore_case = object.take("ignore_case").and_then(|field| field.boolean()).unwrap_or(false);
    object.finish(unsupported::SAN_TEXT);
    let mut found = found.into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(matcher), None) => Some(SubjectName { kind, matcher, ignore_case }),
        _ if field.sink.failed() => None,
        _ => field.refuse_key(
            "is not one matcher",
            "",
            "write one of `exact`, `prefix`, `suffix` and `contains`",
        ),
    }
}
