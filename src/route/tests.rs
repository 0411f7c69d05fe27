//! Look-ups by host, path, headers and query, and rewrites, as Envoy 1.40 does them.

mod mirrors;

use std::sync::Arc;

use config::model::{
    Action, DirectResponse, Forward, HeaderMatch, HeaderTest, PathMatch, PathRewrite, Pattern, QueryMatch,
    QueryTest, RouteMatch, StringMatch, StringTest, Subject, TargetRules,
};
use http::{HeaderName, Request, StatusCode};

use super::*;

fn parts(target: &str, headers: &[(&str, &str)]) -> http::request::Parts {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn found<'t>(table: &'t Table, host: &str, target: &str) -> Option<&'t Forward> {
    let head = parts(target, &[("host", host)]);
    table.find(&Asked { head: &head, host, random: 0 })?.forward()
}

fn table(hosts: &[(&[&str], &[&str])]) -> Table {
    let domain = |text: &str| match (text.strip_prefix('*'), text.strip_suffix('*')) {
        (Some(""), _) => Domain::Any,
        (Some(end), _) => Domain::Suffix(end.to_owned()),
        (_, Some(start)) => Domain::Prefix(start.to_owned()),
        _ => Domain::Exact(text.to_owned()),
    };
    let route = |(cluster, path): (usize, &&str)| Route {
        name: String::new(),
        matches: RouteMatch::of(path.strip_prefix('=').map_or_else(
            || PathMatch::Prefix((*path).to_owned()),
            |exact| PathMatch::Path(exact.to_owned()),
        )),
        action: Action::Forward(Box::new(Forward::to(cluster, None, vec![]))),
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
        assert!(found(&table, host, path).is_some(), "{host} {path}");
    }
    assert!(found(&table, "mimir.example", "/any").is_none(), "no fall-through to another virtual host");
}

#[test]
fn the_first_matching_path_wins() {
    let table = table(&[(&["*"], &["=/api/v1/push", "/api", "/"])]);
    let cluster = |path| found(&table, "h", path).map(|forward| forward.cluster);
    assert_eq!(cluster("/api/v1/push"), Some(0));
    assert_eq!(cluster("/api/v1/pushes"), Some(1));
    assert_eq!(cluster("/apix"), Some(1));
    assert_eq!(cluster("/x"), Some(2));
    assert_eq!(cluster("*"), None);
}

fn takes(matches: &RouteMatch, target: &str, headers: &[(&str, &str)]) -> bool {
    let head = parts(target, headers);
    matching::matches(matches, &Asked { head: &head, host: "", random: 0 })
}

#[test]
fn paths() {
    let separated = RouteMatch::of(PathMatch::SeparatedPrefix("/v/w".to_owned()));
    for (target, expected) in [("/v/w", true), ("/v/w/x", true), ("/v/w?x", true), ("/v/wx", false)] {
        assert_eq!(takes(&separated, target, &[]), expected, "{target}");
    }
    let regex = RouteMatch::of(PathMatch::Regex(Pattern::whole("/api/v[12]").unwrap()));
    assert!(takes(&regex, "/api/v1?x", &[]) && !takes(&regex, "/api/v1/", &[]));
    let any_case =
        RouteMatch { case_sensitive: false, ..RouteMatch::of(PathMatch::Prefix("/Api".to_owned())) };
    assert!(takes(&any_case, "/aPI/x", &[]) && !takes(&any_case, "/ap", &[]));
}

fn text(test: StringTest) -> HeaderTest {
    HeaderTest::Text(StringMatch { test, ignore_case: false })
}

fn demanding(test: HeaderTest, invert: bool, missing_as_empty: bool) -> RouteMatch {
    let subject = Subject::Header(HeaderName::from_static("x-a"));
    RouteMatch {
        headers: vec![HeaderMatch { subject, test, invert, missing_as_empty }],
        ..RouteMatch::of(PathMatch::Prefix("/".to_owned()))
    }
}

/// Every line was seen on Envoy 1.40.
#[test]
fn headers_match_as_in_envoy() {
    let exact = |value: &str| text(StringTest::Exact(value.to_owned()));
    let (none, v, w): (&[_], &[_], &[_]) = (&[], &[("x-a", "v")], &[("x-a", "w")]);
    let (vw, empty): (&[_], &[_]) = (&[("x-a", "v"), ("x-a", "w")], &[("x-a", "")]);
    for (test, invert, as_empty, headers, expected) in [
        (HeaderTest::Present(true), false, false, none, false),
        (HeaderTest::Present(true), false, false, empty, true),
        (HeaderTest::Present(true), true, false, none, true),
        (HeaderTest::Present(false), false, false, none, true),
        (HeaderTest::Present(false), true, false, v, true),
        (HeaderTest::Present(true), false, true, none, true),
        (exact("v"), false, false, v, true),
        (exact("v"), false, false, w, false),
        (exact("v"), false, false, vw, true),
        (exact("w"), false, false, vw, true),
        (exact("v,w"), false, false, vw, false),
        (exact("v"), true, false, none, false),
        (exact("v"), true, false, w, true),
        (exact("v"), true, false, vw, false),
        (exact("v"), true, true, none, true),
        (exact(""), false, true, none, true),
        (HeaderTest::Range { start: 0, end: 10 }, true, false, v, true),
    ] {
        let matches = demanding(test, invert, as_empty);
        assert_eq!(takes(&matches, "/", headers), expected, "{matches:?} {headers:?}");
    }
    let range = demanding(HeaderTest::Range { start: -5, end: 10 }, false, false);
    for (value, expected) in
        [("-5", true), ("10", false), (" 9 ", true), ("+9", true), ("9x", false), ("", false)]
    {
        assert_eq!(takes(&range, "/", &[("x-a", value)]), expected, "{value}");
    }
}

#[test]
fn texts() {
    let any_case = |test| StringMatch { test, ignore_case: true };
    for (test, yes, no) in [
        (StringTest::Prefix("Ab".to_owned()), "aBc", "ca"),
        (StringTest::Suffix("bC".to_owned()), "aBc", "c"),
        (StringTest::Contains("B".to_owned()), "abc", "ac"),
        (StringTest::Exact("ABC".to_owned()), "abc", "abcd"),
    ] {
        let matches = demanding(HeaderTest::Text(any_case(test)), false, false);
        assert!(
            takes(&matches, "/", &[("x-a", yes)]) && !takes(&matches, "/", &[("x-a", no)]),
            "{matches:?}"
        );
    }
}

#[test]
fn query_parameters_are_taken_as_written() {
    let demanding = |test| RouteMatch {
        query: vec![QueryMatch { name: "q".to_owned(), test }],
        ..RouteMatch::of(PathMatch::Prefix("/".to_owned()))
    };
    let exact = |value: &str| {
        demanding(QueryTest::Text(StringMatch {
            test: StringTest::Exact(value.to_owned()),
            ignore_case: false,
        }))
    };
    for (matches, target, expected) in [
        (demanding(QueryTest::Present(true)), "/?q", true),
        (demanding(QueryTest::Present(true)), "/?x&q=1", true),
        (demanding(QueryTest::Present(true)), "/?Q=1", false),
        (demanding(QueryTest::Present(true)), "/?%71=1", false),
        (demanding(QueryTest::Present(false)), "/", true),
        (exact("a%20b"), "/?q=a%20b&q=x", true),
        (exact("a%20b"), "/?q=x&q=a%20b", false),
        (exact("a b"), "/?q=a%20b", false),
        (exact(""), "/?q", true),
        (exact(""), "/", false),
        (exact("1"), "/??q=1", false),
    ] {
        assert_eq!(takes(&matches, target, &[]), expected, "{matches:?} {target}");
    }
}

#[test]
fn grpc_is_told_by_its_content_type() {
    let grpc = RouteMatch { grpc: true, ..RouteMatch::of(PathMatch::Prefix("/".to_owned())) };
    for (kind, expected) in
        [("application/grpc", true), ("application/grpc+proto", true), ("application/grpc-web", false)]
    {
        assert_eq!(takes(&grpc, "/", &[("content-type", kind)]), expected, "{kind}");
    }
}

#[test]
fn rewritten_paths() {
    let rewritten = |path: PathMatch, rewrite: PathRewrite, target: &str| {
        let mut head = parts(target, &[("host", "h")]);
        let forward = Forward { path: rewrite, ..Forward::to(0, None, vec![]) };
        let result = rewrite::apply(&mut head, &RouteMatch::of(path), &forward, true);
        let before =
            head.headers.get("x-envoy-original-path").map(|value| value.to_str().unwrap().to_owned());
        result.map(|()| (head.uri.to_string(), before.unwrap_or_default()))
    };
    let to = |text: &str| PathRewrite::Prefix(text.to_owned());
    let prefix = |text: &str| PathMatch::Prefix(text.to_owned());
    let of = |new: &str, old: &str| Ok((new.to_owned(), old.to_owned()));
    assert_eq!(rewritten(prefix("/pre"), to("/new"), "/pre/a?b=1"), of("/new/a?b=1", "/pre/a?b=1"));
    assert_eq!(rewritten(prefix("/pre"), to("/"), "/pre/a"), of("//a", "/pre/a"));
    assert_eq!(rewritten(PathMatch::Path("/x".to_owned()), to("/new"), "/x?q"), of("/new?q", "/x?q"));
    assert_eq!(rewritten(prefix("/"), to("x"), "/"), Err(reply::LocalReply::BadRewrite));
    assert_eq!(rewritten(prefix("/"), PathRewrite::None, "/a"), of("/a", ""));
}

#[test]
fn targets_change_as_asked() {
    use config::model::StripPort;
    let changed = |rules: TargetRules, host: &str, target: &str| {
        let mut head = parts(target, &[("host", host)]);
        targets::apply(&mut head, rules, 9900);
        format!("{} {}", head.headers["host"].to_str().unwrap(), head.uri)
    };
    let off = TargetRules::default();
    let merge = TargetRules { merge_slashes: true, ..off };
    let any = TargetRules { strip_port: StripPort::Any, ..off };
    let own = TargetRules { strip_port: StripPort::Matching, ..off };
    let dot = TargetRules { strip_trailing_dot: true, ..off };
    assert_eq!(changed(off, "h.:9900", "//a//b?c=//d"), "h.:9900 //a//b?c=//d");
    assert_eq!(changed(merge, "h", "/a///b//?c=//d"), "h /a/b/?c=//d");
    assert_eq!(changed(any, "[::1]:80", "/"), "[::1] /");
    assert_eq!(changed(any, "[::1]", "/"), "[::1] /");
    assert_eq!(changed(own, "h:9900", "/"), "h /");
    assert_eq!(changed(own, "h:80", "/"), "h:80 /");
    assert_eq!(changed(dot, "h.:80", "/"), "h:80 /");
    assert_eq!(targets::matched_host("h:80", TargetRules { ignore_port: true, ..off }), "h");
}

#[test]
fn an_answer_has_its_length_and_kind() {
    let date = http::HeaderValue::from_static("now");
    let answer = DirectResponse { status: StatusCode::OK, body: b"hello".to_vec() };
    let answer = reply::direct(&answer, false, &date);
    assert_eq!(answer.body().as_ref(), b"hello");
    assert_eq!(
        (&answer.headers()["content-length"], &answer.headers()["content-type"]),
        (&"5".parse().unwrap(), &"text/plain".parse().unwrap())
    );
}

#[path = "../../fuzz/src/corpus.rs"]
pub(crate) mod corpus;
#[path = "../../fuzz/src/request_head.rs"]
mod request_head;
#[path = "../../fuzz/src/routing.rs"]
mod routing;

/// What the fuzzer runs, on what it found worth keeping.
#[test]
fn c6_damaged_requests_are_routed_or_refused() {
    let site = routing::site();
    let table = Table::new(&site.virtual_hosts);
    corpus::replay(env!("CARGO_MANIFEST_DIR"), "routing", 20_000, |bytes| {
        routing::routing(&site, &table, bytes);
    });
}

#[test]
fn c6_damaged_heads_go_on_with_one_meaning_or_not_at_all() {
    let site = routing::site();
    corpus::replay(env!("CARGO_MANIFEST_DIR"), "request_head", 5_000, |bytes| {
        request_head::request_head(&site, bytes);
    });
}
