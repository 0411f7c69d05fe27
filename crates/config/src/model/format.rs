//! Format strings: text with commands such as `%REQ(:PATH)%`, parsed once when the configuration is read.

use std::fmt;

use http::HeaderName;

/// A format string, ready to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Format {
    /// As the operator wrote it; `Display` prints it.
    pub(crate) text: String,
    /// What it is made of, in order. Neighbouring literals are one.
    pub pieces: Vec<Piece>,
}

impl Format {
    /// The value if it depends on nothing.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The only piece, if it is a command: in JSON it keeps its type.
    #[must_use]
    pub fn single(&self) -> Option<&Command> {
        match self.pieces.as_slice() {
            [Piece::Command(command)] => Some(command),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A part of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Itself; `%%` is a per cent sign already.
    Literal(String),
    /// To be looked up.
    Command(Command),
}

/// A command with the longest result that is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is looked up.
    pub what: Fact,
    /// Bytes, of which the first are taken; `None` is all.
    pub max: Option<usize>,
}

/// What a command stands for. Durations are whole milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// When the request began.
    StartTime(TimeFormat),
    /// When the line is written.
    EmitTime(TimeFormat),
    /// A header of the request, as the upstream got it.
    Request(HeaderChoice),
    /// A header of the answer, as the client got it.
    Response(HeaderChoice),
    /// A trailer of the answer.
    Trailer(HeaderChoice),
    /// The path without its query.
    PathWithoutQuery,
    /// The client's protocol, `HTTP/1.1`.
    Protocol,
    /// The protocol to the upstream.
    UpstreamProtocol,
    /// The answer's status; 0 if none was sent.
    ResponseCode,
    /// Why it was sent, `via_upstream`.
    ResponseCodeDetails,
    /// Always absent here.
    Nothing,
    /// What went wrong, `UH`.
    ResponseFlags,
    /// What went wrong, `NoHealthyUpstream`.
    ResponseFlagsLong,
    /// Bytes of the request's body.
    BytesReceived,
    /// Bytes of the answer's body.
    BytesSent,
    /// From the request's first byte to the answer's last.
    Duration,
    /// From the request's first byte to its last.
    RequestDuration,
    /// From the request's first byte to its last one sent on.
    RequestTxDuration,
    /// From the request's first byte to the answer's first from the upstream.
    ResponseDuration,
    /// From the answer's first byte from the upstream to its last one sent.
    ResponseTxDuration,
    /// The upstream's address, also of a connection that failed.
    UpstreamHost(AddressPart),
    /// The upstream's address, once connected.
    UpstreamRemote(AddressPart),
    /// The proxy's own address on that connection.
    UpstreamLocal(AddressPart),
    /// The name of the upstream's cluster.
    UpstreamCluster,
    /// Why no connection could be made.
    UpstreamTransportFailure,
    /// Attempts that the request took.
    AttemptCount,
    /// The client's address, by `x-forwarded-for` where that is trusted.
    DownstreamRemote(AddressPart),
    /// The address at the other end of the connection.
    DownstreamDirect(AddressPart),
    /// The listener's address.
    DownstreamLocal(AddressPart),
    /// The name that the client asked for in its TLS handshake.
    RequestedServerName,
    /// The subject of the client's certificate.
    PeerSubject,
    /// The TLS version of the client's connection.
    TlsVersion,
    /// The route's name.
    RouteName,
    /// The filter chain's name.
    FilterChainName,
    /// The machine's name.
    Hostname,
    /// The number of the client's connection.
    ConnectionId,
    /// The request's id.
    StreamId,
    /// An environment variable, read when the configuration was.
    Environment(Option<String>),
    /// gRPC's status by its name in camel case.
    GrpcStatus,
    /// gRPC's status by its number.
    GrpcStatusNumber,
    /// The kind of log line, `DownstreamEnd`.
    LogType,
    /// Bytes of the request's headers.
    RequestHeaderBytes,
    /// Bytes of the answer's headers.
    ResponseHeaderBytes,
    /// The body of an answer of the proxy's own: empty in headers and in access logs, as in Envoy.
    LocalReplyBody,
    /// A parameter of the query.
    QueryParameter(String),
    /// What is known of a copy.
    Copy(CopyFact),
}

/// What is known of a copy, and of nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFact {
    /// The mirror's name.
    Mirror,
    /// How it ended: `delivered`, `rejected`, `failed`, `dropped` ...
    Outcome,
    /// Why, if the outcome has reasons.
    Reason,
    /// Bytes of the request, head and body.
    Bytes,
    /// From the end of the request to the copy's first byte.
    Wait,
    /// `X-Scope-OrgID` of the copy.
    Tenant,
}

/// Which part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPart {
    /// `127.0.0.1:80`
    Whole,
    /// `127.0.0.1`
    Ip,
    /// `80`
    Port,
}

/// A header, and the one to take if it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderChoice {
    /// Looked for first.
    pub first: HeaderRef,
    /// Looked for then.
    pub or: Option<HeaderRef>,
}

/// A header or a part of the request line that goes by the name of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRef {
    /// `:method`
    Method,
    /// `:path`, with the query.
    Path,
    /// `:authority`, `host`
    Authority,
    /// `:scheme`
    Scheme,
    /// `:status`
    Status,
    /// Any header.
    Name(HeaderName),
}

/// How a time is written, always in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat(pub Vec<TimePiece>);

/// A part of a time format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePiece {
    /// Itself.
    Literal(String),
    /// `%Y`
    Year,
    /// `%y`
    YearOfCentury,
    /// `%m`
    Month,
    /// `%d`
    Day,
    /// `%e`: padded with a blank.
    DayBlank,
    /// `%H`
    Hour,
    /// `%I`: 01 to 12.
    Hour12,
    /// `%p`: AM or PM.
    HalfOfDay,
    /// `%M`
    Minute,
    /// `%S`
    Second,
    /// `%j`
    DayOfYear,
    /// `%b`: `Jan`
    MonthShort,
    /// `%B`: `January`
    MonthLong,
    /// `%a`: `Mon`
    WeekdayShort,
    /// `%A`: `Monday`
    WeekdayLong,
    /// `%s`: seconds since 1970.
    Unix,
    /// `%3f`, `%f` (nine): digits of the second's fraction, 1 to 9.
    Fraction(u8),
    /// `%z`: `+0000`
    Offset,
    /// `%Z`: `UTC`
    Zone,
}
