//! Requests that two parsers may read in two ways: how requests are smuggled past proxies (RFC 9112, section 11.2).

/// What must become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Answered with this status; no cluster hears of it.
    Refused(u16),
    /// Goes to both clusters with this body, once.
    Served(&'static str),
    /// Closed or refused in mid-body: no cluster gets it whole.
    Broken,
}

use Fate::{Broken, Refused, Served};

/// A name, the bytes, the fate. What follows a request in the same bytes is for the parser that stops too soon.
type Case = (&'static str, &'static str, Fate);

/// Lengths and codings of bodies.
pub(super) const FRAMING: &[Case] = &[
    (
        "a length, then chunks",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
        Served(""),
    ),
    (
        "chunks, then a length",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
        Served(""),
    ),
    (
        "chunks, then no length",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: \r\n\r\n0\r\n\r\n",
        Served(""),
    ),
    (
        "two lengths",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 44\r\n\r\nxGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
        Refused(400),
    ),
    (
        "two lengths in a list",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 44\r\n\r\nxGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
        Refused(400),
    ),
    ("a length with a sign", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx", Refused(400)),
    ("a negative length", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nx", Refused(400)),
    ("a length in hex", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\nx", Refused(400)),
    ("a length with a fraction", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1.0\r\n\r\nx", Refused(400)),
    ("an empty length", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nx", Refused(400)),
    (
        "a length beyond 64 bits",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\nx",
        Refused(400),
    ),
    (
        "a length with a space in it",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1 1\r\n\r\nx",
        Refused(400),
    ),
    (
        "a length in other digits",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: \u{0661}\r\n\r\nx",
        Refused(400),
    ),
    (
        "an unknown coding",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunks under another coding",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunks over another coding",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        Refused(501),
    ),
    (
        "chunks in chunks",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        Refused(501),
    ),
    (
        "two codings",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "two codings, chunks last",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(501),
    ),
    (
        "chunks twice",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(501),
    ),
    (
        "a quoted coding",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a coding with a parameter",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    ("an empty coding", "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n", Refused(400)),
    (
        "a coding after a vertical tab",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a coding on the next line",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunks in HTTP/1.0",
        "POST /x HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunks in capitals",
        "POST /x HTTP/1.1\r\nHost: h\r\nTRANSFER-ENCODING: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        Served("x"),
    ),
    (
        "chunks after a tab",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tchunked\t\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        Served("x"),
    ),
    (
        "the same length twice",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        Served("x"),
    ),
    ("a length with zeros", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0001\r\n\r\nx", Served("x")),
    (
        "framing named as hop by hop",
        "POST /x HTTP/1.1\r\nHost: h\r\nConnection: content-length, host\r\nContent-Length: 1\r\n\r\nx",
        Served("x"),
    ),
    (
        "chunks named as hop by hop",
        "POST /x HTTP/1.1\r\nHost: h\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        Served("x"),
    ),
];

/// First lines and fields.
pub(super) const HEADS: &[Case] = &[
    (
        "a space before the colon",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    ("a tab before the colon", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length\t: 1\r\n\r\nx", Refused(400)),
    ("a name after a space", "GET /x HTTP/1.1\r\n Host: h\r\n\r\n", Refused(400)),
    ("a folded line", "GET /x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n 2\r\n\r\n", Refused(400)),
    ("a folded length", "POST /x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\tContent-Length: 1\r\n\r\n", Refused(400)),
    ("no colon", "GET /x HTTP/1.1\r\nHost: h\r\nX-A\r\n\r\n", Refused(400)),
    ("no name", "GET /x HTTP/1.1\r\nHost: h\r\n: 1\r\n\r\n", Refused(400)),
    ("NUL in a value", "GET /x HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\n\r\n", Refused(400)),
    ("NUL in a name", "GET /x HTTP/1.1\r\nHost: h\r\nX\0A: 1\r\n\r\n", Refused(400)),
    ("NUL in the target", "GET /x\0y HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("CR in a value", "GET /x HTTP/1.1\r\nHost: h\r\nX-A: a\rContent-Length: 1\r\n\r\n", Refused(400)),
    ("CR before the end of a line", "GET /x HTTP/1.1\r\nHost: h\r\nX-A: a\r\r\n\r\n", Refused(400)),
    ("CR for a line's end", "GET /x HTTP/1.1\rHost: h\r\r", Broken),
    ("a delimiter in a name", "GET /x HTTP/1.1\r\nHost: h\r\nContent(Length: 1\r\n\r\n", Refused(400)),
    (
        "a letter beyond ASCII in a name",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Lengt\u{210e}: 1\r\n\r\n",
        Refused(400),
    ),
    ("two hosts", "GET /x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", Refused(400)),
    ("no host", "GET /x HTTP/1.1\r\nX-A: 1\r\n\r\n", Refused(400)),
    ("a host with a path", "GET /x HTTP/1.1\r\nHost: h/smuggled\r\n\r\n", Refused(400)),
    ("a host with a space", "GET /x HTTP/1.1\r\nHost: h smuggled\r\n\r\n", Refused(400)),
    ("a space in the target", "GET /x y HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("two spaces before the version", "GET /x  HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a tab after the method", "GET\t/x HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a space first", " GET /x HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a delimiter in the method", "G(T /x HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("no version", "GET /x\r\nHost: h\r\n\r\n", Refused(400)),
    ("another version", "GET /x HTTP/1.2\r\nHost: h\r\n\r\n", Refused(400)),
    ("another spelling of the version", "GET /x http/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a fragment", "GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n", Served("")),
    ("an authority for a target", "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("another scheme's target", "GET ftp://h/x HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a tunnel", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", Refused(404)),
    (
        "an upgrade to HTTP/2",
        "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        Served(""),
    ),
    ("an absolute target beside another host", "GET http://h/x HTTP/1.1\r\nHost: other\r\n\r\n", Served("")),
    ("empty lines first", "\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n", Served("")),
    ("LF for a line's end", "POST /x HTTP/1.1\nHost: h\nContent-Length: 1\n\nx", Served("x")),
    ("LF for a field's end", "POST /x HTTP/1.1\r\nHost: h\nX-A: 1\nContent-Length: 1\r\n\r\nx", Served("x")),
];

const fn chunked(name: &'static str, bytes: &'static str, fate: Fate) -> Case {
    (name, bytes, fate)
}

/// Bodies in chunks, behind [`CHUNKED_HEAD`].
pub(super) const CHUNKS: &[Case] = &[
    chunked("an extension", "1;a=b\r\nx\r\n0\r\n\r\n", Served("x")),
    chunked("a quoted extension", "1;a=\"b;c\"\r\nx\r\n0\r\n\r\n", Served("x")),
    chunked("zeros before the size", "0001\r\nx\r\n000\r\n\r\n", Served("x")),
    chunked("a trailer", "1\r\nx\r\n0\r\nX-T: 1\r\n\r\n", Served("x")),
    chunked("a length as a trailer", "1\r\nx\r\n0\r\nContent-Length: 44\r\n\r\n", Served("x")),
    chunked(
        "a coding as a trailer",
        "1\r\nx\r\n0\r\nTransfer-Encoding: chunked\r\nHost: smuggled\r\n\r\n",
        Served("x"),
    ),
    chunked("LF in an extension", "1;a\nGET /smuggled HTTP/1.1\r\nx\r\n0\r\n\r\n", Broken),
    chunked("CR in an extension", "1;a\rb\r\nx\r\n0\r\n\r\n", Broken),
    chunked("LF after the size", "1\nx\r\n0\r\n\r\n", Broken),
    chunked("CR after the size", "1\rx\r\n0\r\n\r\n", Broken),
    chunked("LF after the data", "1\r\nx\n0\r\n\r\n", Broken),
    chunked("no end after the data", "1\r\nx0\r\n\r\n", Broken),
    chunked("more data than said", "1\r\nxy\r\n0\r\n\r\n", Broken),
    chunked("less data than said", "5\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a size in another notation", "0x1\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a size with a sign", "+1\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a negative size", "-1\r\nx\r\n0\r\n\r\n", Broken),
    chunked("no size", "\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a space before the size", " 1\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a size beyond 64 bits", "10000000000000001\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a size of 64 bits", "ffffffffffffffff\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a separator in the size", "1_0\r\nx\r\n0\r\n\r\n", Broken),
    chunked("NUL after the size", "1\0\r\nx\r\n0\r\n\r\n", Broken),
    chunked("a folded trailer", "1\r\nx\r\n0\r\nX-T: 1\r\n 2\r\n\r\n", Broken),
    chunked("a trailer without a name", "1\r\nx\r\n0\r\n: 1\r\n\r\n", Broken),
    chunked("a space before a trailer's colon", "1\r\nx\r\n0\r\nX-T : 1\r\n\r\n", Broken),
    chunked("no last chunk", "1\r\nx\r\n", Broken),
    chunked("no end after the last chunk", "1\r\nx\r\n0\r\n", Broken),
];

/// With trailers announced that must never be merged into a head.
pub(super) const CHUNKED_HEAD: &str = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
    Trailer: x-t, content-length, transfer-encoding, host\r\n\r\n";
