//! What may be wrong with a mirror, and a mirror of which that is true.

use crate::dsl::dns::DnsServer;
use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::{Latency, Tmpfs};

/// The table of states, each with the name of its tests and its words, and what is made of it.
macro_rules! states {
    ($($(#[$doc:meta])* $state:ident, $name:ident, $words:literal;)*) => {
        /// The states of the contract's C2, and health to compare with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum State {
            $($(#[$doc])* $state,)*
        }

        impl State {
            pub(super) const ALL: &[Self] = &[$(Self::$state),*];

            /// In words, for tables.
            pub(super) fn words(self) -> &'static str {
                match self {
                    $(Self::$state => $words,)*
                }
            }
        }

        /// A long test of each state.
        macro_rules! each_state {
            ($run:ident) => {
                $(#[tokio::test(flavor = "multi_thread")]
                #[ignore = "minutes: cargo xtask chaos"]
                async fn $name() {
                    $run(super::state::State::$state).await;
                })*
            };
        }

        pub(super) use each_state;
    };
}

states! {
    Healthy, healthy, "is well";
    AnswersLate, answers_late, "answers after 100 ms";
    Refuses, refuses, "refuses connections";
    Resets, resets, "accepts and resets";
    /// Every packet to it is lost.
    DropsPackets, drops_packets, "drops every packet";
    NeverReads, never_reads, "accepts and never reads";
    NeverAnswers, never_answers, "reads and never answers";
    Trickles, answers_a_byte_a_second, "answers one byte a second";
    Unavailable, answers_503, "answers 503";
    Limits, answers_429, "answers 429";
    DiesInRequest, dies_in_the_request, "resets in the request";
    DiesInAnswer, dies_in_its_answer, "resets in its answer's body";
    ClosesAfterHead, closes_after_the_head, "closes after its answer's head";
    AnswersEndlessly, answers_endlessly, "answers with a gigabyte";
    AnswersGarbage, answers_garbage, "answers what is no HTTP";
    HasNoAddress, has_no_address, "has a name that does not resolve";
    SpeaksNoTls, speaks_no_tls, "answers TLS with garbage";
    /// Of the proxy, where copies are kept; the mirror refuses.
    DiskFull, its_disk_is_full, "refuses, and the proxy's disk is full";
}

use State::*;

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\ngone";
const LIMITED: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nslow";
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
const HEAD_ALONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";

impl State {
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
