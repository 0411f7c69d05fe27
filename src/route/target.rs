//! What a request asks for, and of whom: one target and one host, or it is refused.
//!
//! Two hosts, or a host that is none, are read differently by the servers behind (RFC 9112, section 3.2): what one of
//! them takes for a tenant's request another may take for someone else's.

use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Method};

use super::reply::LocalReply;

/// Checks the target, and makes `Host` what it names (absolute-form, HTTP/2's `:authority`), as RFC 9112 asks.
pub(super) fn settle(head: &mut Parts) -> Result<(), LocalReply> {
    if !is_asked_of_a_proxy_like_us(head) {
        return Err(LocalReply::BadTarget);
    }
    let authority = head.uri.authority().map(|authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host)
    });
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(host).ok()) {
        head.headers.insert(HOST, host);
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Err(LocalReply::MissingHost),
        (Some(host), None) if is_host(host) => Ok(()),
        _ => Err(LocalReply::BadHost),
    }
}

/// An origin's resource; what else a target may be has its own method.
fn is_asked_of_a_proxy_like_us(head: &Parts) -> bool {
    let uri = &head.uri;
    let known = uri.scheme_str().is_none_or(|scheme| matches!(scheme, "http" | "https"));
    match head.method {
        Method::CONNECT => true,
        Method::OPTIONS if uri.path() == "*" => true,
        _ => known && (uri.scheme().is_some() || uri.authority().is_none()) && uri.path() != "*",
    }
}

/// The characters of an authority, as Envoy counts them. An empty one is allowed.
fn is_host(host: &HeaderValue) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=@[]_~".contains(byte);
    host.as_bytes().iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(request: http::request::Builder) -> Result<String, LocalReply> {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        settle(&mut head)?;
        Ok(head.headers.get(HOST).unwrap().to_str().unwrap().to_owned())
    }

    fn get(target: &str) -> http::request::Builder {
        http::Request::get(target)
    }

    #[test]
    fn the_target_names_the_host_where_it_names_one() {
        assert_eq!(settled(get("http://u:p@h:81/x").header("host", "other")), Ok("h:81".to_owned()));
        assert_eq!(settled(get("/x").header("host", "h")), Ok("h".to_owned()));
        assert_eq!(settled(get("/x").header("host", "")), Ok(String::new()));
        assert_eq!(settled(get("/x").header("host", "[::1]:80")), Ok("[::1]:80".to_owned()));
        assert_eq!(settled(get("/x")), Err(LocalReply::MissingHost));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in ["h/x", "h x", "h?x", "h#x", "h\\x", "\"h\""] {
            assert_eq!(settled(get("/x").header("host", host)), Err(LocalReply::BadHost), "{host}");
        }
        assert_eq!(settled(get("/x").header("host", "h").header("host", "h")), Err(LocalReply::BadHost));
    }

    #[test]
    fn what_is_no_resource_of_an_origin_is_refused() {
        for target in ["h:80", "ftp://h/x", "*"] {
            assert_eq!(settled(get(target).header("host", "h")), Err(LocalReply::BadTarget), "{target}");
        }
        let options = http::Request::options("*").header("host", "h");
        assert_eq!(settled(options), Ok("h".to_owned()));
    }
}
