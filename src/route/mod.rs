//! Which route a request takes, and what happens to its headers. Pure: no I/O, no clock.
//!
//! Enters: a request's head. Leaves: the route (`Table::find`, by `matching`), the head as the primary gets it
//! (`targets`, `headers`, `rewrite`) and the answer's head as the client gets it (`headers`), or an answer of the
//! proxy's own (`reply`, `redirect`). Runs on the worker.

pub(crate) mod changes;
mod client_certificate;
pub(crate) mod grpc;
pub(crate) mod headers;
pub(crate) mod matching;
mod redirect;
pub(crate) mod reply;
mod request_id;
pub(crate) mod rewrite;
mod target;
pub(crate) mod targets;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use config::model::{Domain, Route, VirtualHost};

use matching::Asked;

/// The routes of one listener, ready for look-ups.
#[derive(Debug)]
pub(crate) struct Table {
    hosts: Vec<Vec<Route>>,
    exact: HashMap<String, usize>,
    /// Longest first, as in Envoy.
    suffixes: Vec<(String, usize)>,
    prefixes: Vec<(String, usize)>,
    any: Option<usize>,
}

impl Table {
    pub(crate) fn new(virtual_hosts: &[VirtualHost]) -> Self {
        let mut table = Self {
            hosts: virtual_hosts.iter().map(|host| host.routes.clone()).collect(),
            exact: HashMap::new(),
            suffixes: Vec::new(),
            prefixes: Vec::new(),
            any: None,
        };
        for (index, host) in virtual_hosts.iter().enumerate() {
            for domain in &host.domains {
                match domain.clone() {
                    Domain::Any => table.any = Some(index),
                    Domain::Exact(name) => drop(table.exact.insert(name, index)),
                    Domain::Suffix(end) => table.suffixes.push((end, index)),
                    Domain::Prefix(start) => table.prefixes.push((start, index)),
                }
            }
        }
        table.suffixes.sort_by_key(|(end, _)| std::cmp::Reverse(end.len()));
        table.prefixes.sort_by_key(|(start, _)| std::cmp::Reverse(start.len()));
        table
    }

    /// The first route that matches, of the virtual host that serves the request's host.
    pub(crate) fn find(&self, asked: &Asked<'_>) -> Option<&Route> {
        let routes = self.hosts.get(self.virtual_host(asked.host)?)?;
        routes.iter().find(|route| matching::matches(&route.matches, asked))
    }

    fn virtual_host(&self, host: &str) -> Option<usize> {
        if self.exact.is_empty() && self.suffixes.is_empty() && self.prefixes.is_empty() {
            return self.any;
        }
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        // The star stands for one or more characters.
        let longer = |part: &str| host.len() > part.len();
        let suffix = || self.suffixes.iter().find(|(end, _)| longer(end) && host.ends_with(end.as_str()));
        let prefix =
            || self.prefixes.iter().find(|(start, _)| longer(start) && host.starts_with(start.as_str()));
        let wildcard = || suffix().or_else(prefix).map(|&(_, index)| index);
        self.exact.get(host.as_ref()).copied().or_else(wildcard).or(self.any)
    }
}
