//! The clients: requests in a closed loop, each connection (or stream) sending its next when the last is answered, or,
//! at a fixed rate, when it is time besides. One thread, bodies made beforehand, so that the load costs little beside
//! what it measures.
//!
//! [`sockets`] is HTTP/1.1 by hand over [`client`]s, for that is where a cheap load counts; [`streams`] is HTTP/2 and
//! TLS, by libraries.

mod client;
mod sockets;
mod streams;

use std::io::{self, BufRead as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use hdrhistogram::Histogram;
use remote_write::synthetic::Generator;

use super::case::Protocol;
use super::child::numbers;

/// Without any progress for this long a measurement is given up.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Latencies above a minute count as a minute.
const LATENCY_MAX_US: u64 = 60_000_000;
/// Any fixed time: an upstream of the benchmark does not look at samples.
const TIMESTAMP_MS: i64 = 1_700_000_000_000;

#[derive(Args)]
pub(crate) struct Options {
    /// Size of a body
    #[arg(long)]
    bytes: usize,
    /// Connections, or streams where the protocol has them
    #[arg(long)]
    connections: usize,
    /// Requests a second over all connections; 0 is as many as are answered
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// The same body on every connection
    #[arg(long)]
    same_body: bool,
    /// http1, http2 or tls
    #[arg(long, default_value = "http1")]
    protocol: Protocol,
    /// What TLS trusts
    #[arg(long)]
    certificate: Option<PathBuf>,
}

/// What the clients saw in one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    /// Answers other than 200.
    pub(super) not_ok: u64,
    pub(super) body_bytes: u64,
    pub(super) elapsed_us: u64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) p999_us: u64,
}

impl Tally {
    /// In the order in which it goes over the line.
    fn line(self) -> String {
        let Self { requests, not_ok, body_bytes, elapsed_us, p50_us, p99_us, p999_us } = self;
        format!("{requests} {not_ok} {body_bytes} {elapsed_us} {p50_us} {p99_us} {p999_us}")
    }
}

impl From<[u64; 7]> for Tally {
    fn from([requests, not_ok, body_bytes, elapsed_us, p50_us, p99_us, p999_us]: [u64; 7]) -> Self {
        Self { requests, not_ok, body_bytes, elapsed_us, p50_us, p99_us, p999_us }
    }
}

/// What is counted while a run goes on.
struct Record {
    latencies: Histogram<u64>,
    not_ok: u64,
    body_bytes: u64,
    begin: Instant,
}

impl Record {
    fn new() -> Result<Self> {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3)?;
        Ok(Self { latencies, not_ok: 0, body_bytes: 0, begin: Instant::now() })
    }

    fn answered(&mut self, status: u16, micros: u64, body_bytes: u64) {
        self.latencies.saturating_record(micros);
        self.not_ok += u64::from(status != 200);
        self.body_bytes += body_bytes;
    }

    fn tally(&self) -> Tally {
        Tally {
            requests: self.latencies.len(),
            not_ok: self.not_ok,
            body_bytes: self.body_bytes,
            elapsed_us: micros(self.begin),
            p50_us: self.latencies.value_at_quantile(0.5),
            p99_us: self.latencies.value_at_quantile(0.99),
            p999_us: self.latencies.value_at_quantile(0.999),
        }
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Serves until its input ends. Says how many bytes and how many samples the first body has; then each line of
/// input is a port and a time in milliseconds, answered with a [`Tally`] when all requests are answered. Port 0
/// goes on with the connections there are; a time of 0 only connects.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (bodies, samples) = bodies(options);
    let first = bodies.first().map(Bytes::len).unwrap_or_default();
    let mut load = match options.protocol {
        Protocol::Http1 => Load::Sockets(sockets::Load::new(bodies, options.rate)?),
        Protocol::Http2 => Load::Streams(streams::Load::new(bodies, options.rate, None)?),
        Protocol::Tls => {
            Load::Streams(streams::Load::new(bodies, options.rate, options.certificate.as_deref())?)
        }
    };
    println!("{first} {samples}");
    for line in io::stdin().lock().lines() {
        let [port, milliseconds] = numbers(&line?)?;
        if port > 0 {
            load.connect(u16::try_from(port)?)?;
        }
        let tally = match milliseconds {
            0 => Tally::default(),
            _ => load.run(Duration::from_millis(milliseconds))?,
        };
        println!("{}", tally.line());
    }
    Ok(())
}

enum Load {
    Sockets(sockets::Load),
    Streams(streams::Load),
}

impl Load {
    fn connect(&mut self, port: u16) -> Result<()> {
        match self {
            Self::Sockets(load) => load.connect(port),
            Self::Streams(load) => load.connect(port),
        }
    }

    fn run(&mut self, duration: Duration) -> Result<Tally> {
        match self {
            Self::Sockets(load) => load.run(duration),
            Self::Streams(load) => load.run(duration),
        }
    }
}

/// Remote write with series of its own for each connection unless the same is wanted, and how many samples each has.
fn bodies(options: &Options) -> (Vec<Bytes>, u64) {
    // More series than any body has samples: one sample a series, as Prometheus sends.
    let sender = |shard| Generator::new(1, shard, u32::MAX);
    let mut first = sender(0);
    let body = Bytes::from(first.body_of(options.bytes, TIMESTAMP_MS));
    let samples = first.position();
    if options.same_body {
        return (vec![body; options.connections], samples);
    }
    let count = usize::try_from(samples).unwrap_or(usize::MAX);
    let others =
        (1..).take(options.connections - 1).map(|shard| sender(shard).body(count, TIMESTAMP_MS).into());
    (std::iter::once(body).chain(others).collect(), samples)
}
