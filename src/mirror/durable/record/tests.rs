//! Whatever is encoded comes back, and nothing that is read panics.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

type Lines = Vec<(String, Vec<u8>)>;

#[derive(Debug, Clone)]
struct Request {
    method: String,
    target: String,
    headers: Lines,
    trailers: Option<Lines>,
    body: Vec<u8>,
    facts: Facts,
}

fn headers(lines: &Lines) -> HeaderMap {
    let pair = |(name, value): &(String, Vec<u8>)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    lines.iter().map(pair).collect()
}

impl Request {
    fn head(&self) -> Parts {
        let request = http::Request::builder().method(self.method.as_str()).uri(&self.target);
        let mut head = request.body(()).unwrap().into_parts().0;
        head.headers = headers(&self.headers);
        head
    }

    fn payload(&self, keep_credentials: bool) -> Vec<u8> {
        let trailers = self.trailers.as_ref().map(headers);
        let stored = encode(&self.head(), &self.facts, keep_credentials).and_then(|stored| match &trailers {
            Some(trailers) => with_trailers(&stored, trailers, keep_credentials),
            None => Some(stored),
        });
        [&stored.expect("a write")[..], &self.body].concat()
    }
}

fn lines() -> impl Strategy<Value = Lines> {
    let name = prop_oneof![
        4 => "[a-z0-9!#$%&'*+.^_`|~-]{1,12}",
        1 => prop_oneof![
            Just("authorization"), Just("cookie"), Just("proxy-authorization"), Just("content-length"),
            Just("transfer-encoding"), Just("x-scope-orgid"), Just("host"),
        ].prop_map(str::to_owned),
    ];
    // All that a value may hold, blanks at its ends and no characters of any encoding included.
    let byte = prop_oneof![6 => 32_u8..127, 1 => Just(b'\t'), 1 => 128_u8..=255, 1 => Just(b':')];
    vec((name, vec(byte, 0..30)), 0..20)
}

fn facts() -> impl Strategy<Value = Facts> {
    let framing = prop_oneof![Just(Framing::None), Just(Framing::Length), Just(Framing::Chunked)];
    let kind = prop_oneof![Just(Kind::Write), Just(Kind::OtlpWrite), Just(Kind::InfluxWrite)];
    (framing, any::<bool>(), any::<u16>(), kind, any::<u32>(), any::<u64>()).prop_map(
        |(framing, envoy_headers, policy, kind, timeout, sender)| Facts {
            framing,
            envoy_headers,
            policy,
            kind,
            timeout: Duration::from_millis(timeout.into()),
            sender,
        },
    )
}

fn requests() -> impl Strategy<Value = Request> {
    (
        prop_oneof![Just("POST".to_owned()), "[A-Z]{1,9}"],
        "/[a-zA-Z0-9%._~!$&'()*+,;=:@/{}|\"é-]{0,40}(\\?[a-z0-9%&=+/?{}é]{0,20})?",
        lines(),
        proptest::option::of(lines()),
        vec(any::<u8>(), 0..300),
        facts(),
    )
        .prop_map(|(method, target, headers, trailers, body, facts)| Request {
            method,
            target,
            headers,
            trailers,
            body,
            facts,
        })
}

/// What must come back of these headers.
fn kept(mut headers: HeaderMap, keep_credentials: bool) -> HeaderMap {
    let credentials = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];
    let credentials = credentials.into_iter().filter(|_| !keep_credentials);
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING].into_iter().chain(credentials) {
        headers.remove(name);
    }
    headers
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        rng_seed: RngSeed::Fixed(9),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn c9_what_is_kept_comes_back(request in requests(), keep_credentials: bool) {
        let payload = Bytes::from(request.payload(keep_credentials));
        let decoded = decode(&payload).unwrap();
        prop_assert_eq!(decoded.facts, request.facts);
        prop_assert_eq!(decoded.head.method.as_str(), &request.method);
        prop_assert_eq!(&decoded.head.uri, &request.head().uri);
        prop_assert_eq!(&decoded.body[..], &request.body);
        let (sent, trailers) = (headers(&request.headers), request.trailers.as_ref().map(headers));
        let trailers = trailers.unwrap_or_default();
        let credentials = kept(sent.clone(), true).len() - kept(sent.clone(), false).len()
            + kept(trailers.clone(), true).len() - kept(trailers.clone(), false).len();
        prop_assert_eq!(decoded.credentials_left_out, !keep_credentials && credentials > 0);
        prop_assert_eq!(decoded.head.headers, kept(sent, keep_credentials));
        let trailers = kept(trailers, keep_credentials);
        prop_assert_eq!(decoded.trailers, (!trailers.is_empty()).then_some(trailers));
    }

    #[test]
    fn c9_noise_is_an_error_or_a_copy_and_never_panics(
        request in requests(), cut in any::<prop::sample::Index>(), flips in vec(any::<(prop::sample::Index, u8)>(), 0..4),
        noise in vec(any::<u8>(), 0..200), version in 0_u8..3,
    ) {
        let mut payload = request.payload(true);
        payload.truncate(cut.index(payload.len() + 1));
        for (at, byte) in flips {
            if let Some(len) = std::num::NonZero::new(payload.len()) {
                payload[at.index(len.get())] = byte;
            }
        }
        let _ = decode(&Bytes::from(payload));
        let _ = decode(&Bytes::from([&[version][..], &noise].concat()));
    }
}

fn push() -> Request {
    Request {
        method: "POST".to_owned(),
        target: "/api/v1/push?a=1".to_owned(),
        headers: vec![("host".to_owned(), b"m".to_vec()), ("authorization".to_owned(), b"Basic s".to_vec())],
        trailers: Some(vec![("x-sum".to_owned(), b"1".to_vec())]),
        body: b"body".to_vec(),
        facts: Facts {
            framing: Framing::Chunked,
            envoy_headers: true,
            policy: 0x0102,
            kind: Kind::OtlpWrite,
            timeout: Duration::from_secs(30),
            sender: 0x1122_3344_5566_7788,
        },
    }
}

/// Backlogs outlive this program: the bytes may change only with the version.
#[test]
fn the_format_does_not_change_unnoticed() {
    let fixed = [
        1, 0b1110, 1, 0, 2, 1, 0, 0, 0x30, 0x75, 0, 0, 41, 0, 0, 0, 10, 0, 0, 0, 0x88, 0x77, 0x66, 0x55,
        0x44, 0x33, 0x22, 0x11,
    ];
    let text = b"POST /api/v1/push?a=1 HTTP/1.1\r\nhost: m\r\nx-sum: 1\r\nbody";
    assert_eq!(push().payload(false), [&fixed[..], text].concat());
}

#[test]
fn c9_what_another_version_wrote_is_told_as_such() {
    let mut payload = push().payload(false);
    let read = |payload: &[u8]| decode(&Bytes::copy_from_slice(payload)).map(drop);
    assert_eq!(read(&[]), Err(Malformed::Short));
    assert_eq!(read(&payload[..27]), Err(Malformed::Short));
    assert_eq!(read(&payload[..78]), Err(Malformed::Short), "within the trailers");
    assert_eq!(read(&payload[..79]), Ok(()), "no body");
    for (at, byte, error) in [
        (28, b' ', Malformed::RequestLine),
        (60, b'@', Malformed::Header),
        (1, 0b11, Malformed::Fixed),
        (1, 1 << 4, Malformed::Fixed),
        (2, 3, Malformed::Fixed),
        (3, 1, Malformed::Fixed),
        (7, 1, Malformed::Fixed),
        (15, 255, Malformed::Short),
        (19, 255, Malformed::Short),
        (0, 2, Malformed::Version(2)),
    ] {
        let before = std::mem::replace(&mut payload[at], byte);
        assert_eq!(read(&payload), Err(error), "byte {at}");
        payload[at] = before;
    }
}

#[test]
fn only_writes_are_kept() {
    let mut request = push();
    request.facts.kind = Kind::Other;
    assert!(encode(&request.head(), &request.facts, false).is_none());
}
