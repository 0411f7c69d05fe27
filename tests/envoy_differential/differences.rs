//! What ours does otherwise than Envoy on purpose, each with its reason. A row that no longer holds fails the test.

/// What ours does otherwise on purpose.
pub(super) struct Difference {
    pub case: &'static str,
    /// Who sees it, and what: `mirror: framing`.
    pub what: &'static str,
    pub envoy: &'static str,
    pub ours: &'static str,
    pub why: &'static str,
}

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        case: "trailers",
        what: "primary: trailers",
        envoy: "[]",
        ours: "[(\"x-sum\", [49])]",
        why: "Envoy drops trailers unless told otherwise; what a client announces is part of its request",
    },
    Difference {
        case: "trailers",
        what: "mirror: trailers",
        envoy: "[]",
        ours: "[(\"x-sum\", [49])]",
        why: "the copy equals what the primary received",
    },
    Difference {
        case: "an upgrade",
        what: "client: connection",
        envoy: "close",
        ours: "(absent)",
        why: "the request was read to its end, so the connection can go on",
    },
    Difference {
        case: "another coding",
        what: "client: status",
        envoy: "501",
        ours: "400",
        why: "hyper refuses the request before we see it",
    },
    Difference {
        case: "a fragment",
        what: "client: status",
        envoy: "400",
        ours: "200",
        why: "hyper's parser leaves out what has no place in a request's target",
    },
    Difference {
        case: "a fragment",
        what: "primary: line",
        envoy: "(absent)",
        ours: "GET /x HTTP/1.1",
        why: "as above",
    },
    Difference {
        case: "a fragment",
        what: "mirror: line",
        envoy: "(absent)",
        ours: "GET /x HTTP/1.1",
        why: "as above",
    },
    Difference {
        case: "length and chunks",
        what: "client: status",
        envoy: "400",
        ours: "200",
        why: "hyper reads the chunks and drops the length, as RFC 9112, 6.1 allows; the clusters see chunks only",
    },
    Difference {
        case: "length and chunks",
        what: "primary: line",
        envoy: "(absent)",
        ours: "POST /x HTTP/1.1",
        why: "as above",
    },
    Difference {
        case: "length and chunks",
        what: "mirror: line",
        envoy: "(absent)",
        ours: "POST /x HTTP/1.1",
        why: "as above",
    },
];
