//! What may be wrong with a mirror, and a mirror of which that is true.

use crate::dsl::dns::DnsServer;
use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::{Latency, Tmpfs};

/// The states of the contract's C2, and health to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Healthy,
    Refuses,
    Resets,
    /// Every packet to it is lost.
    DropsPackets,
    NeverReads,
    NeverAnswers,
    AnswersLate,
    Trickles,
    Unavailable,
    Limits,
    DiesInRequest,
    DiesInAnswer,
    ClosesAfterHead,
    AnswersEndlessly,
    AnswersGarbage,
    HasNoAddress,
    SpeaksNoTls,
    /// Of the proxy, where copies are kept; the mirror refuses.
    DiskFull,
}

use State::*;

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\ngone";
const LIMITED: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nslow";
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
const HEAD_ALONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";

impl State {
    pub(super) const ALL: [Self; 18] = [
        Healthy,
        AnswersLate,
        Refuses,
        Resets,
        DropsPackets,
        NeverReads,
        NeverAnswers,
        Trickles,
        Unavailable,
        Limits,
        DiesInRequest,
        DiesInAnswer,
        ClosesAfterHead,
        AnswersEndlessly,
        AnswersGarbage,
        HasNoAddress,
        SpeaksNoTls,
        DiskFull,
    ];

    /// In words, for tables.
    pub(super) fn words(self) -> &'static str {
        match self {
            Healthy => "is well",
            Refuses => "refuses connections",
            Resets => "accepts and resets",
            DropsPackets => "drops every packet",
            NeverReads => "accepts and never reads",
            NeverAnswers => "reads and never answers",
            AnswersLate => "answers after 100 ms",
            Trickles => "answers one byte a second",
            Unavailable => "answers 503",
            Limits => "answers 429",
            DiesInRequest => "resets in the request",
            DiesInAnswer => "resets in its answer's body",
            ClosesAfterHead => "closes after its answer's head",
            AnswersEndlessly => "answers with a gigabyte",
            AnswersGarbage => "answers what is no HTTP",
            HasNoAddress => "has a name that does not resolve",
            SpeaksNoTls => "answers TLS with garbage",
            DiskFull => "refuses, and the proxy's disk is full",
        }
    }

    /// Whether copies need a disk to meet it.
    pub(super) fn needs_disk(self) -> bool {
        self == DiskFull
    }

    /// Whether nothing but a time-out ends an attempt.
    pub(super) fn ends_by_the_clock(self) -> bool {
        matches!(self, NeverReads | NeverAnswers | Trickles)
    }

    fn fault(self) -> Option<Fault> {
        Some(match self {
            HasNoAddress => return None,
            Healthy => Fault::Answers(GOOD),
            Refuses | DiskFull => Fault::Refuse,
            Resets => Fault::Reset,
            DropsPackets => Fault::DropsPackets,
            NeverReads => Fault::NeverRead,
            NeverAnswers => Fault::NeverAnswer,
            AnswersLate => Fault::Late(Latency::constant(100)),
            Trickles => Fault::Trickle,
            Unavailable => Fault::Answers(UNAVAILABLE),
            Limits => Fault::Answers(LIMITED),
            DiesInRequest => Fault::DieMidRequest,
            DiesInAnswer => Fault::AnswersAndResets(HALF),
            ClosesAfterHead => Fault::AnswersAndCloses(HEAD_ALONE),
            AnswersEndlessly => Fault::Gigabyte,
            AnswersGarbage => Fault::Garbage,
            SpeaksNoTls => Fault::NoTls,
        })
    }
}

/// A mirror in this state.
pub(super) struct Mirror {
    pub state: State,
    server: Option<Faulty>,
    /// Where names are asked for that do not exist.
    pub dns: DnsServer,
    /// A disk without room.
    pub disk: Option<Tmpfs>,
}

impl Mirror {
    pub(super) async fn start(state: State) -> Self {
        let server = match state.fault() {
            Some(fault) => Some(Faulty::start(fault).await),
            None => None,
        };
        let disk = state.needs_disk().then(|| {
            let disk = Tmpfs::of("1m");
            disk.fill();
            disk
        });
        Self { state, server, dns: DnsServer::start().await, disk }
    }

    /// Ends the server with its connections.
    pub(super) fn stop(&mut self) {
        self.server = None;
    }

    /// Host and port to be configured.
    pub(super) fn endpoint(&self) -> (String, u16) {
        match &self.server {
            Some(server) => (server.address().ip().to_string(), server.address().port()),
            None => ("mirror.invalid".to_owned(), 80),
        }
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.state == SpeaksNoTls { "https" } else { "http" }
    }

    /// Writes that it has read to their end.
    pub(super) fn whole(&self) -> u64 {
        self.server.as_ref().map_or(0, Faulty::whole)
    }

    /// Whether it reads copies at all.
    pub(super) fn reads(&self) -> bool {
        !matches!(
            self.state,
            Refuses
                | Resets
                | DropsPackets
                | NeverReads
                | DiesInRequest
                | HasNoAddress
                | SpeaksNoTls
                | DiskFull
        )
    }
}
