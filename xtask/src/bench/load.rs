//! The clients: keep-alive connections in a closed loop, each sending the next request when the last is answered, or, at
//! a fixed rate, when it is time besides.
//! One thread, one event loop, bodies made beforehand, so that the load costs little beside what it measures.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, ErrorKind};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use hdrhistogram::Histogram;
use mio::event::Event;
use mio::{Events, Poll, Token};
use remote_write::synthetic::Generator;

use super::child::numbers;
use super::client::{Client, request};

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
    pub(super) bytes: usize,
    /// Connections
    #[arg(long)]
    pub(super) connections: usize,
    /// Requests a second over all connections; 0 is as many as are answered
    #[arg(long, default_value_t = 0)]
    pub(super) rate: u32,
}

/// What the clients saw in one run, in the order in which it goes over the line.
pub(super) struct Tally {
    pub(super) requests: u64,
    /// Answers other than 200.
    pub(super) not_ok: u64,
    pub(super) body_bytes: u64,
    pub(super) elapsed_us: u64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
}

impl From<[u64; 6]> for Tally {
    fn from([requests, not_ok, body_bytes, elapsed_us, p50_us, p99_us]: [u64; 6]) -> Self {
        Self { requests, not_ok, body_bytes, elapsed_us, p50_us, p99_us }
    }
}

/// Serves until its input ends. Says how many bytes and how many samples the first body has; then each line of
/// input is a port and a time in milliseconds, answered with a [`Tally`] when all requests are answered. Port 0
/// goes on with the connections there are.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (bodies, samples) = bodies(options);
    let first = bodies.first().map_or(0, Vec::len);
    let requests = bodies.iter().map(|body| request(body)).collect();
    let body_bytes = bodies.iter().map(|body| body.len() as u64).collect();
    let clients = Vec::new();
    let mut load = Load { requests, body_bytes, clients, poll: Poll::new()?, rate: options.rate };
    println!("{first} {samples}");
    for line in io::stdin().lock().lines() {
        let [port, milliseconds] = numbers(&line?)?;
        if port > 0 {
            load.connect(u16::try_from(port)?)?;
        }
        let tally = load.run(Duration::from_millis(milliseconds))?;
        let Tally { requests, not_ok, body_bytes, elapsed_us, p50_us, p99_us } = tally;
        println!("{requests} {not_ok} {body_bytes} {elapsed_us} {p50_us} {p99_us}");
    }
    Ok(())
}

/// Remote write with series of its own for each connection, and how many samples each has.
fn bodies(options: &Options) -> (Vec<Vec<u8>>, u64) {
    // More series than any body has samples: one sample a series, as Prometheus sends.
    let sender = |shard| Generator::new(1, shard, u32::MAX);
    let mut first = sender(0);
    let body = first.body_of(options.bytes, TIMESTAMP_MS);
    let samples = first.position();
    let count = usize::try_from(samples).unwrap_or(usize::MAX);
    let others = (1..).take(options.connections - 1).map(|shard| sender(shard).body(count, TIMESTAMP_MS));
    (std::iter::once(body).chain(others).collect(), samples)
}

struct Load {
    requests: Vec<Vec<u8>>,
    body_bytes: Vec<u64>,
    clients: Vec<Client>,
    poll: Poll,
    rate: u32,
}

impl Load {
    fn connect(&mut self, port: u16) -> Result<()> {
        self.clients.clear();
        for index in 0..self.requests.len() {
            self.clients.push(Client::connect(port, Token(index), self.poll.registry())?);
        }
        Ok(())
    }

    /// Keeps every connection busy for the time given, then lets the requests in flight end.
    fn run(&mut self, duration: Duration) -> Result<Tally> {
        let mut latencies = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_US, 3)?;
        let (mut bytes, mut not_ok, mut busy) = (0, 0, 0);
        let begin = Instant::now();
        let mut timetable = Timetable::new(begin, self.clients.len(), self.rate);
        let mut events = Events::with_capacity(1024);
        loop {
            while let Some(index) = timetable.next(begin + duration) {
                if let (Some(client), Some(request)) = (self.clients.get_mut(index), self.requests.get(index))
                {
                    client.start(request)?;
                    busy += 1;
                }
            }
            if busy == 0 && timetable.is_over(begin + duration) {
                break;
            }
            match self.poll.poll(&mut events, Some(timetable.pause().unwrap_or(SILENCE_MAX))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            if events.is_empty() && timetable.pause().is_none() {
                bail!("no answer to {busy} requests within {SILENCE_MAX:?}");
            }
            for event in &events {
                let index = event.token().0;
                let Some((status, micros)) = self.attend(event)? else { continue };
                latencies.saturating_record(micros);
                not_ok += u64::from(status != 200);
                bytes += self.body_bytes.get(index).copied().unwrap_or_default();
                busy -= 1;
                timetable.answered(index);
            }
        }
        Ok(Tally {
            requests: latencies.len(),
            not_ok,
            body_bytes: bytes,
            elapsed_us: u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX),
            p50_us: latencies.value_at_quantile(0.5),
            p99_us: latencies.value_at_quantile(0.99),
        })
    }

    /// Does what a connection is ready for. Status and time of an answer that is complete now.
    fn attend(&mut self, event: &Event) -> Result<Option<(u16, u64)>> {
        let index = event.token().0;
        let (Some(client), Some(request)) = (self.clients.get_mut(index), self.requests.get(index)) else {
            return Ok(None);
        };
        if event.is_writable() {
            client.send(request)?;
        }
        if event.is_readable() { client.receive(request) } else { Ok(None) }
    }
}

/// When each connection sends its next request.
struct Timetable {
    /// From one request of a connection to its next; none if it follows the answer at once.
    interval: Duration,
    /// When each connection sent last, or will.
    times: Vec<Instant>,
    /// Connections without a request, in the order of their times.
    free: VecDeque<usize>,
}

impl Timetable {
    fn new(begin: Instant, connections: usize, rate: u32) -> Self {
        let each = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        let count = u32::try_from(connections).unwrap_or(u32::MAX);
        Self {
            interval: each * count,
            times: (0..count).map(|index| begin + each * index).collect(),
            free: (0..connections).collect(),
        }
    }

    /// A connection whose time has come, unless that is at the end or later.
    fn next(&mut self, end: Instant) -> Option<usize> {
        let (&index, now) = (self.free.front()?, Instant::now());
        let at = *self.times.get(index)?;
        if at > now || now >= end {
            return None;
        }
        self.free.pop_front()
    }

    fn answered(&mut self, index: usize) {
        if let Some(at) = self.times.get_mut(index) {
            // What is late is not made up for: the load must not come in waves.
            *at = (*at + self.interval).max(Instant::now() - self.interval);
        }
        self.free.push_back(index);
    }

    /// Until the next connection's time.
    fn pause(&self) -> Option<Duration> {
        let at = self.times.get(*self.free.front()?)?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    fn is_over(&self, end: Instant) -> bool {
        self.free.front().and_then(|&index| self.times.get(index)).is_none_or(|&at| at >= end)
            || Instant::now() >= end
    }
}
