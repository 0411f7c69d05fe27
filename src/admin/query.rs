//! The parameters of an admin request, and the name filter that several endpoints share.

use http::StatusCode;
use percent_encoding::percent_decode_str;
use regex_lite::{Regex, RegexBuilder};

use super::access::Rights;
use super::answer::Answer;
use crate::limits::ADMIN_FILTER_BYTES;

/// What a request asks for, and what its sender may do.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// Decoded parameters in the order given. A parameter without a value has an empty one.
    parameters: Vec<(String, String)>,
    rights: Rights,
}

impl Query {
    /// Decodes `a=b&c`. A plus stays a plus, as in Envoy: `filter=upstream.+total` is a regular expression.
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let parameters = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        Self { parameters, rights: Rights::default() }
    }

    /// The same, of somebody who may do this.
    pub(crate) fn of(self, rights: Rights) -> Self {
        Self { rights, ..self }
    }

    /// What its sender may do.
    pub(crate) fn rights(&self) -> Rights {
        self.rights
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is there, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// All of them.
    pub(crate) fn pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// `filter=` and `invert_filter`: which names are wanted.
#[derive(Debug, Default)]
pub(crate) struct NameFilter {
    regex: Option<Regex>,
    invert: bool,
}

impl NameFilter {
    /// # Errors
    ///
    /// The answer to give (400) when the regular expression is malformed or too large.
    pub(crate) fn from_query(query: &Query) -> Result<Self, Answer> {
        let regex = query.get("filter").map(|pattern| {
            RegexBuilder::new(pattern).size_limit(ADMIN_FILTER_BYTES).build().map_err(|error| {
                Answer::error(StatusCode::BAD_REQUEST, format!("Invalid re2 regex: {error}\n"))
            })
        });
        Ok(Self { regex: regex.transpose()?, invert: query.has("invert_filter") })
    }

    /// Whether a thing that goes by these names is wanted: the expression matches any part of one of them.
    pub(crate) fn wants(&self, names: &[&str]) -> bool {
        match &self.regex {
            None => true,
            Some(regex) => names.iter().any(|name| regex.is_match(name)) != self.invert,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_a_plus_stays() {
        let query = Query::parse("filter=upstream.%2Btotal+x&usedonly&&format=json&format=text");
        assert_eq!(query.get("filter"), Some("upstream.+total+x"));
        assert!(query.has("usedonly"));
        assert_eq!(query.get("format"), Some("json"));
        assert_eq!(query.get("absent"), None);
        assert!(Query::parse("").is_empty());
    }

    #[test]
    fn a_filter_matches_any_part_and_can_be_inverted() {
        let filter = NameFilter::from_query(&Query::parse("filter=rq_(total|time)$")).unwrap();
        assert!(filter.wants(&["cluster.a.upstream_rq_total"]));
        assert!(!filter.wants(&["cluster.a.upstream_rq_total_x"]));
        let filter = NameFilter::from_query(&Query::parse("filter=rq_&invert_filter")).unwrap();
        assert!(!filter.wants(&["cluster.a.upstream_rq_total"]));
        assert!(filter.wants(&["server.live"]));
    }

    #[test]
    fn a_malformed_or_huge_expression_is_refused() {
        for pattern in ["filter=[", "filter=((((a{1000}){1000}){1000}){1000})"] {
            let answer = NameFilter::from_query(&Query::parse(pattern)).unwrap_err();
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.body.starts_with("Invalid re2 regex: "), "{}", answer.body);
        }
    }
}
