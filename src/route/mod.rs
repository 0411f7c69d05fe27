//! Which route a request takes, and what happens to its headers. Pure: no I/O, no clock.
//!
//! Enters: a request's head. Leaves: the route (`Table::find`), the head as the primary gets it and the answer's head
//! as the client gets it (`headers`), or an answer of the proxy's own (`reply`). Runs on the worker.

pub(crate) mod changes;
pub(crate) mod headers;
pub(crate) mod reply;

use std::borrow::Cow;
use std::collections::HashMap;

use config::model::{Domain, PathMatch, Route, VirtualHost};

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

    /// The first route that matches, of the virtual host that serves `host`. The path excludes the query.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<&Route> {
        let routes = self.hosts.get(self.virtual_host(host)?)?;
        routes.iter().find(|route| match &route.path {
            PathMatch::Prefix(prefix) => path.starts_with(prefix.as_str()),
            PathMatch::Path(exact) => path == exact,
        })
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn table(hosts: &[(&[&str], &[&str])]) -> Table {
        let domain = |text: &str| match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(""), _) => Domain::Any,
            (Some(end), _) => Domain::Suffix(end.to_owned()),
            (_, Some(start)) => Domain::Prefix(start.to_owned()),
            _ => Domain::Exact(text.to_owned()),
        };
        let route = |(cluster, path): (usize, &&str)| Route {
            name: String::new(),
            path: path.strip_prefix('=').map_or_else(
                || PathMatch::Prefix((*path).to_owned()),
                |exact| PathMatch::Path(exact.to_owned()),
            ),
            cluster,
            timeout: None,
            mirrors: vec![],
            headers: Arc::default(),
            levels: vec![],
        };
        let host = |(domains, paths): &(&[&str], &[&str])| VirtualHost {
            name: domains[0].to_owned(),
            domains: domains.iter().map(|text| domain(text)).collect(),
            routes: paths.iter().enumerate().map(route).collect(),
            headers: Arc::default(),
        };
        Table::new(&hosts.iter().map(host).collect::<Vec<_>>())
    }

    #[test]
    fn domains_match_in_envoys_order() {
        let table = table(&[
            (&["*"], &["/any"]),
            (&["*.example"], &["/suffix"]),
            (&["*.long.example"], &["/longer"]),
            (&["mimir.*"], &["/prefix"]),
            (&["mimir.example", "mimir.example:9009"], &["/exact"]),
        ]);
        for (host, path) in [
            ("mimir.example", "/exact"),
            ("MIMIR.example:9009", "/exact"),
            ("a.example", "/suffix"),
            ("a.long.example", "/longer"),
            ("mimir.test", "/prefix"),
            (".example", "/any"),
            ("", "/any"),
        ] {
            assert!(table.find(host, path).is_some(), "{host} {path}");
        }
        assert!(table.find("mimir.example", "/any").is_none(), "no fall-through to another virtual host");
    }

    #[test]
    fn the_first_matching_path_wins() {
        let table = table(&[(&["*"], &["=/api/v1/push", "/api", "/"])]);
        let cluster = |path| table.find("h", path).map(|route| route.cluster);
        assert_eq!(cluster("/api/v1/push"), Some(0));
        assert_eq!(cluster("/api/v1/pushes"), Some(1));
        assert_eq!(cluster("/apix"), Some(1));
        assert_eq!(cluster("/x"), Some(2));
        assert_eq!(cluster("*"), None);
    }
}
