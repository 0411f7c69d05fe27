//! What somebody saw, as lines that can be compared: what time, place and chance decide is replaced by what it is.

use std::collections::BTreeMap;

use crate::dsl::http1::{Fields, Message};

/// What somebody saw, by what it is: `a write / mirror: host`.
pub(super) type Seen = BTreeMap<String, String>;

/// Records of one run.
#[derive(Default)]
pub(super) struct Record {
    pub seen: Seen,
    /// Ports and folders with their names.
    names: Vec<(String, String)>,
    /// Generated request identities, in the order of their first sight.
    ids: Vec<String>,
}

impl Record {
    /// From now on `text` is recorded as `name`.
    pub(super) fn call(&mut self, text: String, name: &str) {
        self.names.push((text, name.to_owned()));
    }

    /// Records a value.
    pub(super) fn note(&mut self, what: &str, value: &str) {
        let mut value = value.to_owned();
        for (text, name) in &self.names {
            value = value.replace(text, name);
        }
        let before = self.seen.insert(what.to_owned(), value);
        assert!(before.is_none(), "recorded twice: {what}");
    }

    /// Records a message that `who` got.
    pub(super) fn message(&mut self, who: &str, message: &Message) {
        let client = who.ends_with("client");
        if client {
            self.note(&format!("{who}: status"), &message.status().to_string());
        } else {
            self.note(&format!("{who}: line"), &message.start);
        }
        let short = String::from_utf8_lossy(&message.body[..message.body.len().min(300)]).into_owned();
        self.note(&format!("{who}: body"), &format!("{} {short}", message.body.len()));
        self.note(&format!("{who}: framing"), &format!("{:?}", message.framing));
        self.note(&format!("{who}: complete"), &message.complete.to_string());
        self.note(&format!("{who}: trailers"), &format!("{:?}", readable(&message.trailers)));
        if client {
            self.note(&format!("{who}: interim"), &format!("{:?}", message.interim));
        }
        let mut names: Vec<_> = message.headers.iter().map(|(n, _)| n.clone()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let value = of_name(&message.headers, &name);
            let value = self.settled(&name, value);
            self.note(&format!("{who}: {name}"), &value);
        }
    }

    fn settled(&mut self, name: &str, value: String) -> String {
        match name.to_ascii_lowercase().as_str() {
            "x-request-id" if is_id(&value) => {
                let known = self.ids.iter().position(|id| *id == value);
                let place = known.unwrap_or_else(|| {
                    self.ids.push(value);
                    self.ids.len() - 1
                });
                format!("(id {})", place + 1)
            }
            "date" if !value.contains("1970") => "(now)".to_owned(),
            "x-envoy-upstream-service-time" => "(milliseconds)".to_owned(),
            "x-forwarded-port" => {
                let here = |text: &str| text.strip_prefix("127.0.0.1:").is_some_and(|port| port == value);
                let port = self.names.iter().find(|(text, _)| here(text));
                port.map_or_else(|| value.clone(), |(_, name)| format!("(the port of {name})"))
            }
            "x-forwarded-for" | "x-envoy-external-address" => addresses(&value),
            _ => value,
        }
    }
}

/// Every address but these, which scenarios use as others', is one of this machine, and Envoy and ours may choose
/// another.
fn addresses(value: &str) -> String {
    let examples = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "10.1.2.3", "9.9.9.9"];
    let one = |address: &str| {
        let given = examples.contains(&address.trim());
        if given || address.trim().parse::<std::net::IpAddr>().is_err() {
            address.to_owned()
        } else {
            "(the proxy)".to_owned()
        }
    };
    value.split(',').map(one).collect::<Vec<_>>().join(",")
}

fn is_id(value: &str) -> bool {
    value.len() == 36 && value.bytes().filter(|b| *b == b'-').count() == 4
}

fn readable(fields: &Fields) -> Vec<String> {
    fields.iter().map(|(n, v)| format!("{n}: {}", v.escape_ascii())).collect()
}

fn of_name(headers: &Fields, name: &str) -> String {
    let values: Vec<_> =
        headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.escape_ascii().to_string()).collect();
    values.join(" | ")
}
