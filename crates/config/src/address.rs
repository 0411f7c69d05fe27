//! Hosts, ports and URLs.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Endpoint, Host};

/// `http://host[:port]` or `https://host[:port]`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) endpoint: Endpoint,
    /// As a `Host` header carries it: the port only if one was written.
    pub(crate) authority: String,
    /// The host alone, without brackets.
    pub(crate) host: String,
    /// Over TLS.
    pub(crate) https: bool,
}

/// Why a text is not a usable URL: the message and the remedy.
pub(crate) type BadUrl = (&'static str, String);

/// Reads an upstream's URL.
///
/// # Errors
/// Anything but `http://host[:port]`, or the same with `https`, with at most a `/` behind it. The text itself is not repeated: it may
/// carry a password.
pub(crate) fn url(text: &str) -> Result<Url, BadUrl> {
    let form = "write `http://host:port`";
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(("has no scheme", format!("{form}, for example `http://mimir-secondary:8080`")));
    };
    let https = scheme.eq_ignore_ascii_case("https");
    if !https && !scheme.eq_ignore_ascii_case("http") {
        return Err(("the scheme is not http or https", form.to_owned()));
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err((
            "credentials in a URL are not accepted",
            format!("{form}, and set `auth` (`username` and `password_file`) beside it"),
        ));
    }
    if authority.contains(['/', '?', '#']) {
        return Err((
            "a path in the URL is not accepted",
            format!("{form}: requests keep the path that the client sent"),
        ));
    }
    let (host, port) =
        split_port(authority).ok_or_else(|| ("the port is not a number from 1 to 65535", form.to_owned()))?;
    let port = port.unwrap_or(if https { 443 } else { 80 });
    if port == 0 {
        return Err(("the port is not a number from 1 to 65535", form.to_owned()));
    }
    let endpoint =
        Endpoint::new(parse_host(host).ok_or_else(|| ("the host is not valid", form.to_owned()))?, port);
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Url { endpoint, authority: authority.to_ascii_lowercase(), host: bare.to_ascii_lowercase(), https })
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`; `None` if the port is no number.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    if authority.starts_with('[') {
        let end = authority.find(']')? + 1;
        let (host, rest) = authority.split_at_checked(end)?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(decimal_port(port)?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(decimal_port(port)?))),
        None => Some((authority, None)),
    }
}

fn decimal_port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn parse_host(text: &str) -> Option<Host> {
    if let Some(inner) = text.strip_prefix('[') {
        return inner.strip_suffix(']')?.parse().ok().map(|ip| Host::Ip(IpAddr::V6(ip)));
    }
    host(text)
}

/// An IP address without brackets, or a name.
pub(crate) fn host(text: &str) -> Option<Host> {
    if let Ok(ip) = text.parse() {
        return Some(Host::Ip(ip));
    }
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // Digits and dots only would be an IPv4 address; this one is malformed.
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let name = !text.is_empty() && text.len() <= 253 && text.bytes().all(letter) && !numeric;
    name.then(|| Host::Name(text.to_ascii_lowercase()))
}

/// A listening address, `ip:port` or `:port` (all IPv4 interfaces).
pub(crate) fn listen(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}").parse().ok(),
        None => text.parse().ok(),
    }
}

/// Whether an endpoint is on this machine, so that nothing in clear leaves it.
pub(crate) fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Ip(ip) => ip.is_loopback(),
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = |text| url(text).map(|url| (url.authority, url.host, url.endpoint.port));
        let parts = |authority: &str, host: &str, port| Ok((authority.to_owned(), host.to_owned(), port));
        assert_eq!(url("http://Mimir:8080/"), parts("mimir:8080", "mimir", 8080));
        assert_eq!(url("HTTP://mimir"), parts("mimir", "mimir", 80));
        assert_eq!(url("http://[::1]:81"), parts("[::1]:81", "::1", 81));
        assert_eq!(url("http://[::1]"), parts("[::1]", "::1", 80));
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for text in [
            "mimir:8080",
            "ftp://mimir",
            "http://u:hunter2@mimir",
            "http://mimir/api",
            "http://mimir:0",
            "http://mimir:99999",
            "http://mimir:+8",
            "http://",
            "http://::1",
            "http://[::1",
            "http://[::1]8",
            "http://a b",
            "http://1.2.3",
            "http://mimir?x",
            "http://[v6]:1",
        ] {
            let (message, help) = url(text).expect_err(text);
            assert!(!message.contains("hunter2") && !help.contains("hunter2"));
        }
    }
}
