//! Who may ask the admin listener, and what.
//!
//! On loopback whoever has a shell may do everything, as with Envoy. Elsewhere the file says: an Envoy file opens what
//! Envoy opens and no more; the native form opens nothing but reading, unless it says `admin_writes` or asks for a
//! token. Browsers are a way round every firewall, so their requests count only from the admin's own page.

use std::net::IpAddr;

use config::model::{Admin, AdminToken};
use http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use ring::digest;

use super::answer::Answer;

/// Probes of a load balancer have no token, and what they learn everybody may know.
const OPEN: &str = "/ready";
/// Below here nothing is Envoy's.
const OURS: &str = "/mirrors";

/// The answer to a request that may not be served.
pub(super) fn refusal(admin: Option<&Admin>, head: &Parts) -> Option<Answer> {
    let path = head.uri.path();
    if let Some(token) = admin.and_then(|admin| admin.access.token.as_ref())
        && path != OPEN
        && !is_shown(token, &head.headers)
    {
        return Some(Answer::error(StatusCode::UNAUTHORIZED, "the admin's token is needed\n"));
    }
    if head.method == Method::GET || head.method == Method::HEAD {
        return None;
    }
    if is_cross_site(&head.headers) || admin.is_some_and(|admin| is_rebound(admin, &head.headers)) {
        return Some(Answer::error(StatusCode::FORBIDDEN, "requests from other sites' pages are refused\n"));
    }
    let is_closed = admin.is_some_and(|admin| !may_write(admin, path.starts_with(OURS)));
    is_closed.then(|| {
        let sentence = "nothing can be changed here: the admin is open to the network. Ask it on loopback, or set \
                        `admin_writes: true` or `admin_token_file` (--admin-writes, --admin-token-file)\n";
        Answer::error(StatusCode::FORBIDDEN, sentence)
    })
}

/// Whether a request that brought what is asked for may change something. `ours`: what Envoy does not have.
fn may_write(admin: &Admin, ours: bool) -> bool {
    let access = &admin.access;
    is_loopback(admin) || access.writes || access.token.is_some() || (access.envoy && !ours)
}

/// What may be changed by the sender of a request that was not refused, so that nobody is shown a button that does not
/// work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// What Envoy has, too: readiness, drain, exit.
    pub(crate) process: bool,
    /// What Envoy does not have: pausing, resuming and skipping of mirrors.
    pub(crate) mirrors: bool,
}

impl Rights {
    /// Of a request's sender, should a browser be asked to POST from a page that came the same way.
    pub(super) fn of(admin: Option<&Admin>, headers: &HeaderMap) -> Self {
        let Some(admin) = admin else { return Self { process: true, mirrors: true } };
        let rebound = is_loopback(admin) && !is_local(headers);
        let may = |ours| !rebound && may_write(admin, ours);
        Self { process: may(false), mirrors: may(true) }
    }

    /// Whether this may be POSTed.
    pub(super) fn allow(self, path: &str) -> bool {
        if path.starts_with(OURS) { self.mirrors } else { self.process }
    }
}

/// Whether whoever reaches the listener over the network can end the process.
pub(crate) fn is_exposed(admin: &Admin) -> bool {
    let access = &admin.access;
    let asks = access.token.is_some() || access.tls.as_ref().is_some_and(|tls| tls.requires_certificate());
    !is_loopback(admin) && !asks && may_write(admin, false)
}

fn is_loopback(admin: &Admin) -> bool {
    admin.address.ip().to_canonical().is_loopback()
}

/// Compares digests, so that the time it takes tells nothing of the token.
fn is_shown(token: &AdminToken, headers: &HeaderMap) -> bool {
    let (Some(shown), Some(wanted)) = (headers.get(AUTHORIZATION).and_then(secret), secret(&token.header))
    else {
        return false;
    };
    let digest = |bytes| digest::digest(&digest::SHA256, bytes);
    digest(shown).as_ref() == digest(wanted).as_ref()
}

/// What follows `Bearer`.
fn secret(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, secret) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(secret)
}

/// Whether a browser sent this from a page that is not ours. Browsers add `Origin` to every POST and
/// `Sec-Fetch-Site` to every request; tools like curl add neither.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map_or(&b""[..], |host| host.as_bytes());
    let is_own = |origin: &[u8]| {
        let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        rest.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    let is_ours = |site: &[u8]| matches!(site, b"same-origin" | b"none");
    !headers.get_all(ORIGIN).iter().all(|origin| is_own(origin.as_bytes()))
        || !headers.get_all("sec-fetch-site").iter().all(|site| is_ours(site.as_bytes()))
}

/// Whether a browser believes that a name of somebody else's leads here (DNS rebinding): then the page is not ours
/// though its origin is the request's host.
fn is_rebound(admin: &Admin, headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) && is_loopback(admin) && !is_local(headers)
}

/// Whether the request was made to a name that leads nowhere else.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::model::AdminAccess;

    fn admin(address: &str, access: AdminAccess) -> Admin {
        Admin { address: address.parse().unwrap(), access }
    }

    fn ask(admin: &Admin, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        refusal(Some(admin), &head).map(|answer| answer.status.as_u16())
    }

    fn token() -> Option<AdminToken> {
        Some(AdminToken { file: "f".to_owned(), header: HeaderValue::from_static("Bearer s3cret") })
    }

    #[test]
    fn on_loopback_everything_may_be_asked() {
        for address in ["127.0.0.1:9901", "[::1]:9901", "[::ffff:127.0.0.1]:9901"] {
            let admin = admin(address, AdminAccess::default());
            assert_eq!(ask(&admin, "POST", "/quitquitquit", &[("host", "x")]), None, "{address}");
            assert!(!is_exposed(&admin));
        }
    }

    #[test]
    fn on_the_network_the_native_form_only_reads() {
        let mut admin = admin("0.0.0.0:9901", AdminAccess::default());
        assert_eq!(ask(&admin, "GET", "/stats", &[]), None);
        for (method, path) in [("POST", "/quitquitquit"), ("POST", "/mirrors/skip"), ("PUT", "/stats")] {
            assert_eq!(ask(&admin, method, path, &[]), Some(403), "{path}");
        }
        assert!(!is_exposed(&admin));
        admin.access.writes = true;
        assert_eq!(ask(&admin, "POST", "/mirrors/skip", &[]), None);
        assert!(is_exposed(&admin));
    }

    #[test]
    fn an_envoy_file_opens_what_envoy_has() {
        let mut admin = admin("0.0.0.0:9901", AdminAccess { envoy: true, ..AdminAccess::default() });
        assert_eq!(ask(&admin, "POST", "/quitquitquit", &[]), None);
        for path in ["/mirrors/pause", "/mirrors/resume", "/mirrors/skip"] {
            assert_eq!(ask(&admin, "POST", path, &[]), Some(403), "{path}");
        }
        assert!(is_exposed(&admin));
        admin.access.writes = true;
        assert_eq!(ask(&admin, "POST", "/mirrors/pause", &[]), None);
    }

    #[test]
    fn a_token_is_asked_of_everybody_but_probes() {
        let admin = admin("0.0.0.0:9901", AdminAccess { token: token(), ..AdminAccess::default() });
        assert_eq!(ask(&admin, "GET", "/ready", &[]), None);
        assert_eq!(ask(&admin, "GET", "/stats", &[]), Some(401));
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Bearer ", "Basic s3cret", "s3cret", ""] {
            assert_eq!(ask(&admin, "GET", "/stats", &[("authorization", wrong)]), Some(401), "{wrong}");
        }
        for right in ["Bearer s3cret", "bearer s3cret"] {
            assert_eq!(ask(&admin, "POST", "/mirrors/skip", &[("authorization", right)]), None, "{right}");
        }
        assert!(!is_exposed(&admin));
    }

    #[test]
    fn only_our_own_pages_and_tools_may_post() {
        let admin = admin("0.0.0.0:9901", AdminAccess { writes: true, ..AdminAccess::default() });
        let post = |headers: &[(&str, &str)]| ask(&admin, "POST", "/quitquitquit", headers);
        let own =
            [("host", "admin:9901"), ("origin", "http://Admin:9901"), ("sec-fetch-site", "same-origin")];
        assert_eq!(post(&own[..1]), None);
        assert_eq!(post(&own), None);
        for origin in ["http://evil.example", "http://admin:9901.evil.example", "null"] {
            assert_eq!(post(&[own[0], ("origin", origin)]), Some(403), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(post(&[own[0], own[1], ("sec-fetch-site", site)]), Some(403), "{site}");
        }
        assert_eq!(post(&[("origin", "http://evil.example")]), Some(403));
    }

    /// What is said of a page's buttons is what becomes of them.
    #[test]
    fn rights_are_what_a_post_from_the_page_may_do() {
        let accesses = [
            AdminAccess::default(),
            AdminAccess { envoy: true, ..AdminAccess::default() },
            AdminAccess { writes: true, ..AdminAccess::default() },
        ];
        for (address, host) in [
            ("127.0.0.1:9901", "127.0.0.1:9901"),
            ("127.0.0.1:9901", "evil.example"),
            ("0.0.0.0:9901", "10.0.0.1:9901"),
            ("0.0.0.0:9901", "admin.example"),
        ] {
            for access in &accesses {
                let admin = admin(address, access.clone());
                let mut headers = HeaderMap::new();
                headers.insert(HOST, HeaderValue::from_static(host));
                let rights = Rights::of(Some(&admin), &headers);
                for path in ["/quitquitquit", "/healthcheck/fail", "/mirrors/pause"] {
                    let origin = format!("http://{host}");
                    let refused = ask(&admin, "POST", path, &[("host", host), ("origin", &origin)]);
                    assert_eq!(rights.allow(path), refused.is_none(), "{address} {host} {access:?} {path}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_was_bent_to_loopback_is_no_page_of_ours() {
        let admin = admin("127.0.0.1:9901", AdminAccess::default());
        for (host, refused) in [
            ("127.0.0.1:9901", None),
            ("localhost:9901", None),
            ("[::1]:9901", None),
            ("evil.example:9901", Some(403)),
        ] {
            let origin = format!("http://{host}");
            let headers = [("host", host), ("origin", &origin)];
            assert_eq!(ask(&admin, "POST", "/quitquitquit", &headers), refused, "{host}");
        }
    }
}
