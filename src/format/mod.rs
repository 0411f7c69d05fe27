//! Format strings, evaluated: for headers that carry facts of their request, and for lines of access logs.
//!
//! Enters: a format as the configuration has it, and what is known of a request ([`View`]). Leaves: bytes. Pure but for
//! the clock of `%EMIT_TIME%`; runs on the worker, and only where a configuration has commands.

pub(crate) mod flags;
mod grpc;
mod headers;
mod time;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use config::model::{AddressPart, Command, CopyFact, Fact, Format, Piece};
use http::{HeaderMap, Method, StatusCode, Uri, Version};

pub(crate) use flags::Flags;

/// What is known of a request beside its headers. What is not known is `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) begun: Option<SystemTime>,
    /// The client's.
    pub(crate) version: Option<Version>,
    pub(crate) upstream_version: Option<Version>,
    pub(crate) code: Option<StatusCode>,
    pub(crate) details: Option<Cow<'a, str>>,
    pub(crate) flags: Flags,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) took: Option<Duration>,
    /// From the begin of the request to its end.
    pub(crate) request_took: Option<Duration>,
    /// From the begin of the request until all of it was sent on.
    pub(crate) request_sent_after: Option<Duration>,
    /// From the begin of the request to the begin of the answer.
    pub(crate) answered_after: Option<Duration>,
    /// From the begin of the answer to its end.
    pub(crate) answer_took: Option<Duration>,
    /// Also where the connection failed.
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) upstream_local: Option<SocketAddr>,
    pub(crate) connected: bool,
    pub(crate) cluster: Option<&'a str>,
    pub(crate) transport_failure: Option<&'a str>,
    pub(crate) attempts: Option<u32>,
    /// By `x-forwarded-for`, where that is trusted: without a port, then.
    pub(crate) trusted: Option<IpAddr>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) server_name: Option<&'a str>,
    pub(crate) peer_subject: Option<&'a str>,
    pub(crate) tls_version: Option<&'a str>,
    pub(crate) route: Option<&'a str>,
    pub(crate) filter_chain: Option<&'a str>,
    pub(crate) connection: Option<u64>,
    pub(crate) log: Option<&'static str>,
    pub(crate) copy: Option<CopyFacts<'a>>,
}

/// What is known of a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopyFacts<'a> {
    pub(crate) mirror: &'a str,
    pub(crate) outcome: &'a str,
    pub(crate) reason: &'a str,
    /// `None`, and nothing known of its request's body either: only the backlog's record has it.
    pub(crate) bytes: Option<u64>,
    pub(crate) wait: Option<Duration>,
}

/// A request's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) scheme: &'a str,
}

/// All that a format can ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    /// `None` where the head could not be read.
    pub(crate) request: Option<RequestHead<'a>>,
    pub(crate) response: Option<&'a HeaderMap>,
    pub(crate) trailers: Option<&'a HeaderMap>,
    pub(crate) facts: &'a Facts<'a>,
}

/// What a command stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Missing,
    Text(Cow<'a, [u8]>),
    Number(u64),
}

impl<'a> Value<'a> {
    fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(Cow::Borrowed(text.as_bytes())))
    }

    fn owned(text: Option<String>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(Cow::Owned(text.into_bytes())))
    }

    fn number(number: Option<u64>) -> Self {
        number.map_or(Self::Missing, Self::Number)
    }

    fn millis(time: Option<Duration>) -> Self {
        Self::number(time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    fn address(address: Option<SocketAddr>, part: AddressPart) -> Self {
        let Some(address) = address else { return Self::Missing };
        match part {
            AddressPart::Whole => Self::owned(Some(address.to_string())),
            AddressPart::Ip => Self::owned(Some(address.ip().to_string())),
            AddressPart::Port => Self::Number(u64::from(address.port())),
        }
    }

    fn shortened(self, max: Option<usize>) -> Self {
        match (self, max) {
            (Self::Text(Cow::Borrowed(text)), Some(max)) => {
                Self::Text(Cow::Borrowed(text.get(..max).unwrap_or(text)))
            }
            (Self::Text(Cow::Owned(mut text)), Some(max)) => {
                text.truncate(max);
                Self::Text(Cow::Owned(text))
            }
            (value, _) => value,
        }
    }
}

/// Appends what a format yields; `missing` stands for what is not known.
pub(crate) fn write(out: &mut Vec<u8>, format: &Format, view: View<'_>, missing: &str) {
    for piece in &format.pieces {
        match piece {
            Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Command(command) => match view.value(command) {
                Value::Missing => out.extend_from_slice(missing.as_bytes()),
                Value::Text(text) => out.extend_from_slice(&text),
                Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            },
        }
    }
}

impl<'a> View<'a> {
    /// What a command stands for.
    pub(crate) fn value<'v>(&self, command: &'v Command) -> Value<'v>
    where
        'a: 'v,
    {
        self.fact(&command.what).shortened(command.max)
    }

    fn fact<'v>(&self, fact: &'v Fact) -> Value<'v>
    where
        'a: 'v,
    {
        let facts = self.facts;
        match fact {
            Fact::StartTime(format) => Value::owned(facts.begun.map(|begun| time::write(format, begun))),
            Fact::EmitTime(format) => Value::owned(Some(time::write(format, SystemTime::now()))),
            Fact::Request(choice) => self.request_header(choice),
            Fact::Response(choice) => self.response_header(choice),
            Fact::Trailer(choice) => self.trailer(choice),
            Fact::PathWithoutQuery => self.path_without_query(),
            Fact::QueryParameter(name) => self.query_parameter(name),
            Fact::RequestHeaderBytes => self.request_header_bytes(),
            Fact::ResponseHeaderBytes => self.response_header_bytes(),
            Fact::StreamId => self.stream_id(),
            Fact::GrpcStatus | Fact::GrpcStatusNumber => self.grpc_status(*fact == Fact::GrpcStatusNumber),
            Fact::Hostname => Value::text(hostname()),
            Fact::Environment(value) => Value::text(value.as_deref()),
            Fact::Nothing => Value::Missing,
            Fact::ResponseFlags => Value::owned(Some(facts.flags.short())),
            Fact::ResponseFlagsLong => Value::owned(Some(facts.flags.long())),
            Fact::Copy(fact) => self.copy(*fact),
            _ => facts.scalar(fact),
        }
    }

    fn copy(&self, fact: CopyFact) -> Value<'a> {
        let Some(copy) = self.facts.copy else { return Value::Missing };
        let text = |text: &'a str| Value::text(Some(text).filter(|text| !text.is_empty()));
        match fact {
            CopyFact::Mirror => text(copy.mirror),
            CopyFact::Outcome => text(copy.outcome),
            CopyFact::Reason => text(copy.reason),
            CopyFact::Bytes => Value::number(copy.bytes),
            CopyFact::Wait => Value::millis(copy.wait),
            CopyFact::Tenant => self.named(&headers::TENANT),
        }
    }
}

impl<'a> Facts<'a> {
    /// What needs nothing but the facts.
    fn scalar(&self, fact: &Fact) -> Value<'a> {
        match fact {
            Fact::Protocol => Value::text(self.version.map(protocol)),
            Fact::UpstreamProtocol => Value::text(self.upstream_version.map(protocol)),
            Fact::ResponseCode => Value::Number(self.code.map_or(0, |code| u64::from(code.as_u16()))),
            Fact::ResponseCodeDetails => Value::owned(self.details.as_deref().map(str::to_owned)),
            Fact::BytesReceived if self.copy.is_some_and(|copy| copy.bytes.is_none()) => Value::Missing,
            Fact::BytesReceived => Value::Number(self.received),
            Fact::BytesSent => Value::Number(self.sent),
            Fact::Duration => Value::millis(self.took),
            Fact::RequestDuration => Value::millis(self.request_took),
            Fact::RequestTxDuration => Value::millis(self.request_sent_after),
            Fact::ResponseDuration => Value::millis(self.answered_after),
            Fact::ResponseTxDuration => Value::millis(self.answer_took),
            Fact::UpstreamHost(part) => Value::address(self.upstream, *part),
            Fact::UpstreamRemote(part) => Value::address(self.upstream.filter(|_| self.connected), *part),
            Fact::UpstreamLocal(part) => Value::address(self.upstream_local, *part),
            Fact::UpstreamCluster => Value::text(self.cluster),
            Fact::UpstreamTransportFailure => Value::text(self.transport_failure),
            Fact::AttemptCount => Value::number(self.attempts.map(u64::from)),
            Fact::DownstreamRemote(part) => {
                let trusted = self.trusted.map(|ip| SocketAddr::new(ip, 0));
                Value::address(trusted.or(self.peer), *part)
            }
            Fact::DownstreamDirect(part) => Value::address(self.peer, *part),
            Fact::DownstreamLocal(part) => Value::address(self.local, *part),
            Fact::RequestedServerName => Value::text(self.server_name),
            Fact::PeerSubject => Value::text(self.peer_subject),
            Fact::TlsVersion => Value::text(self.tls_version),
            Fact::RouteName => Value::text(self.route.filter(|name| !name.is_empty())),
            Fact::FilterChainName => Value::text(self.filter_chain.filter(|name| !name.is_empty())),
            Fact::ConnectionId => Value::number(self.connection),
            Fact::LogType => Value::text(self.log),
            Fact::LocalReplyBody => Value::Text(Cow::Borrowed(b"")),
            _ => Value::Missing,
        }
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 | Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// The machine's name, asked for once.
fn hostname() -> Option<&'static str> {
    static NAME: OnceLock<String> = OnceLock::new();
    let name = NAME.get_or_init(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    Some(name.as_str()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
