//! The rows of the benchmark: what the clients send, how, and who is measured with it.

use std::fmt;

use super::size::Size;

/// How the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    /// HTTP/2 without TLS, eight streams a connection.
    Http2,
    /// HTTP/1.1 over TLS 1.3.
    Tls,
}

impl Protocol {
    /// As the load's command line has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Tls => "tls",
        }
    }
}

impl std::str::FromStr for Protocol {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Http1, Self::Http2, Self::Tls]
            .into_iter()
            .find(|protocol| protocol.word() == word)
            .ok_or_else(|| format!("{word} is no protocol of the load"))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "h2c",
            Self::Tls => "TLS",
        })
    }
}

/// Which of the programs beside ours and Envoy take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// All of them.
    All,
    /// Ours and Envoy alone: the floor and nginx's mirror do not do this.
    Two,
}

/// The most that ours may cost, as a share of the other's CPU time a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) goal: f64,
    pub(super) must: f64,
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) size: Size,
    pub(super) protocol: Protocol,
    /// Requests in flight at most, each on a connection or stream of its own.
    pub(super) connections: usize,
    /// Requests a second; 0 for as many as are answered.
    pub(super) rate: u32,
    /// How long the mirror takes to answer.
    pub(super) mirror_ms: u64,
    pub(super) company: Company,
    pub(super) to_envoy: Option<Limit>,
    pub(super) to_floor: Option<Limit>,
}

impl Case {
    fn new(size: &str, protocol: Protocol, company: Company) -> Self {
        #[expect(clippy::expect_used, reason = "sizes of this file")]
        let size = size.parse().expect("a size");
        Self {
            size,
            protocol,
            connections: 32,
            rate: 0,
            mirror_ms: 0,
            company,
            to_envoy: None,
            to_floor: None,
        }
    }

    fn at_most(mut self, goal: f64, must: f64) -> Self {
        self.to_envoy = Some(Limit { goal, must });
        self
    }

    fn of_floor(mut self, goal: f64, must: f64) -> Self {
        self.to_floor = Some(Limit { goal, must });
        self
    }

    /// At this rate instead of as fast as it goes.
    pub(super) fn at(mut self, rate: u32) -> Self {
        self.rate = rate;
        self
    }

    fn over(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    fn mirror(mut self, milliseconds: u64) -> Self {
        self.mirror_ms = milliseconds;
        self
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}", self.size, self.protocol)?;
        match self.rate {
            0 => write!(formatter, ", saturated")?,
            rate => write!(formatter, ", {rate}/s")?,
        }
        match (self.protocol, self.connections) {
            (Protocol::Http2, streams) => {
                write!(formatter, ", {} connections × 8 streams", streams.div_ceil(8))?
            }
            (_, 1) => write!(formatter, ", 1 connection")?,
            (_, count) => write!(formatter, ", {count} connections")?,
        }
        if self.mirror_ms > 0 {
            write!(formatter, ", mirror answers after {} ms", self.mirror_ms)?;
        }
        Ok(())
    }
}

/// Every row of the page.
pub(super) fn all() -> Vec<Case> {
    use Company::{All, Two};
    use Protocol::{Http1, Http2, Tls};
    let mut cases = quick();
    cases.extend([
        Case::new("1MiB", Http1, All).at_most(1.0, 1.0),
        Case::new("1KiB", Http1, All).at(3200).at_most(0.36, 0.42),
        Case::new("67KB", Http1, All).at(3200).at_most(0.54, 0.60),
        Case::new("67KB", Http2, Two).at_most(0.60, 0.70),
        Case::new("1KiB", Tls, Two).at_most(0.5, 0.5),
        Case::new("67KB", Tls, Two).at_most(0.5, 0.5),
        Case::new("67KB", Http1, Two).at(500).mirror(20).at_most(1.0, 1.0),
        Case::new("1KiB", Http1, All).over(1),
        Case::new("1KiB", Http1, All).over(1000),
        Case::new("67KB", Http1, All).over(1000),
    ]);
    cases
}

/// The rows that every change is held against.
pub(super) fn quick() -> Vec<Case> {
    use Company::{All, Two};
    use Protocol::{Http1, Http2};
    vec![
        Case::new("1KiB", Http1, All).at_most(0.33, 0.38).of_floor(1.35, 1.6),
        Case::new("67KB", Http1, All).at_most(0.52, 0.58).of_floor(1.2, 1.35),
        Case::new("1KiB", Http2, Two).at_most(0.45, 0.55),
    ]
}

/// Durable beside memory delivery: 67 KB are 2000 samples, so 500 a second are a million samples a second.
pub(super) fn durable() -> Vec<Case> {
    let case = |size| Case::new(size, Protocol::Http1, Company::Two);
    vec![case("1KiB").at(3200), case("67KB").at(500)]
}

/// What tails are measured with: a rate that leaves every proxy idle most of the time.
pub(super) fn tail() -> Case {
    Case::new("67KB", Protocol::Http1, Company::Two).at(500)
}

/// What memory and scale are measured with, each with connections of its own.
pub(super) fn connections(size: &str, connections: usize) -> Case {
    Case::new(size, Protocol::Http1, Company::Two).over(connections)
}
