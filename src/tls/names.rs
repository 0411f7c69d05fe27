//! The names in a certificate, and whether they are those that are wanted.

use std::net::IpAddr;

use config::model::{NameMatch, SubjectName, SubjectNameKind};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// A certificate's subject alternative names, of the kinds that are compared here.
pub(super) fn subject_names(certificate: &X509Certificate<'_>) -> Vec<(SubjectNameKind, String)> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((SubjectNameKind::Dns, (*name).to_owned())),
        GeneralName::URI(uri) => Some((SubjectNameKind::Uri, (*uri).to_owned())),
        GeneralName::RFC822Name(address) => Some((SubjectNameKind::Email, (*address).to_owned())),
        GeneralName::IPAddress(bytes) => ip(bytes).map(|ip| (SubjectNameKind::IpAddress, ip.to_string())),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Whether one of a certificate's names is one of the wanted ones.
pub(super) fn any_matches(wanted: &[SubjectName], names: &[(SubjectNameKind, String)]) -> bool {
    wanted.iter().any(|wanted| names.iter().any(|(kind, name)| matches(wanted, *kind, name)))
}

fn matches(wanted: &SubjectName, kind: SubjectNameKind, name: &str) -> bool {
    if wanted.kind.is_some_and(|wanted| wanted != kind) {
        return false;
    }
    // Names of hosts have no case.
    let fold = wanted.ignore_case || kind == SubjectNameKind::Dns;
    let case = |text: &str| if fold { text.to_ascii_lowercase() } else { text.to_owned() };
    let name = case(name);
    match &wanted.matcher {
        NameMatch::Exact(text) => {
            let text = case(text);
            name == text || (kind == SubjectNameKind::Dns && covers(&name, &text))
        }
        NameMatch::Prefix(text) => name.starts_with(&case(text)),
        NameMatch::Suffix(text) => name.ends_with(&case(text)),
        NameMatch::Contains(text) => name.contains(&case(text)),
    }
}

/// Whether a certificate's DNS name (lower case) holds for a host: the star stands for exactly one label.
pub(super) fn covers(pattern: &str, host: &str) -> bool {
    if pattern == host {
        return true;
    }
    let (Some(rest), Some((label, domain))) = (pattern.strip_prefix("*."), host.split_once('.')) else {
        return false;
    };
    !label.is_empty() && rest == domain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(covers("*.b.test", "x.b.test"));
        assert!(covers("b.test", "b.test"));
        for host in ["b.test", "x.y.b.test", ".b.test", "xb.test"] {
            assert!(!covers("*.b.test", host), "{host}");
        }
    }

    #[test]
    fn names_match_by_kind_and_case() {
        let names = [
            (SubjectNameKind::Dns, "*.Example.test".to_owned()),
            (SubjectNameKind::Uri, "spiffe://lab/Up".to_owned()),
        ];
        let wanted = |kind, matcher, ignore_case| [SubjectName { kind, matcher, ignore_case }];
        let exact = |text: &str| NameMatch::Exact(text.to_owned());
        assert!(any_matches(&wanted(Some(SubjectNameKind::Dns), exact("a.example.test"), false), &names));
        assert!(!any_matches(&wanted(Some(SubjectNameKind::Uri), exact("a.example.test"), false), &names));
        assert!(!any_matches(&wanted(None, exact("spiffe://lab/up"), false), &names));
        assert!(any_matches(&wanted(None, exact("spiffe://lab/up"), true), &names));
        let prefix = NameMatch::Prefix("spiffe://lab/".to_owned());
        assert!(any_matches(&wanted(Some(SubjectNameKind::Uri), prefix, false), &names));
        let suffix = NameMatch::Suffix(".example.test".to_owned());
        assert!(any_matches(&wanted(Some(SubjectNameKind::Dns), suffix, false), &names));
    }
}
