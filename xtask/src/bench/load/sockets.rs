//! HTTP/1.1 in the clear: one event loop over sockets, no library between.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use mio::event::Event;
use mio::{Events, Poll, Token};

use super::client::{Client, Request};
use super::{Record, SILENCE_MAX, Tally};

/// Connections and what each sends.
pub(super) struct Load {
    requests: Vec<Request>,
    clients: Vec<Client>,
    poll: Poll,
    rate: u32,
}

impl Load {
    pub(super) fn new(bodies: Vec<Bytes>, rate: u32) -> Result<Self> {
        Ok(Self {
            requests: bodies.into_iter().map(Request::new).collect(),
            clients: Vec::new(),
            poll: Poll::new()?,
            rate,
        })
    }

    /// Opens every connection anew.
    pub(super) fn connect(&mut self, port: u16) -> Result<()> {
        self.clients.clear();
        for index in 0..self.requests.len() {
            self.clients.push(Client::connect(port, Token(index), self.poll.registry())?);
        }
        Ok(())
    }

    /// Keeps every connection busy for the time given, then lets the requests in flight end.
    pub(super) fn run(&mut self, duration: Duration) -> Result<Tally> {
        let mut record = Record::new()?;
        let (begin, mut busy) = (record.begin, 0);
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
                record.answered(status, micros, self.requests.get(index).map_or(0, Request::body_bytes));
                busy -= 1;
                timetable.answered(index);
            }
        }
        Ok(record.tally())
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
