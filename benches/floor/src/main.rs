//! The floor: a tee that checks nothing, to know what of a proxy's cost is the kernel's.
//!
//! `floor LISTEN PRIMARY SECONDARY` (three ports of loopback). One thread, one event loop. A request is read whole, its
//! head written anew with what any mirror changes, and head and body go out to both clusters in one system call each;
//! the primary's answer is passed on as it came. It speaks only what the benchmark sends: HTTP/1.1 with a length, one
//! request at a time on a connection. No limits, no deadlines, no order, no statistics: whatever breaks ends it.
//!
//! It stays as it is. A faster floor would change what every older figure means.
#![allow(clippy::print_stderr, reason = "its one way to say why it ends")]

mod message;
mod peer;

use std::env;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use self::message::{Head, Leg};
use self::peer::{Buffer, Outgoing, Peer};

/// The listener's token; connections have those below.
const LISTENER: Token = Token(usize::MAX >> 1);

fn main() -> ExitCode {
    let ports: Option<Vec<u16>> = env::args().skip(1).map(|word| word.parse().ok()).collect();
    let Some([listen, primary, secondary]) = ports.as_deref() else {
        eprintln!("usage: floor LISTEN PRIMARY SECONDARY");
        return ExitCode::FAILURE;
    };
    let address = |port: &u16| SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
    match Floor::new(address(listen), [address(primary), address(secondary)]).and_then(|mut f| f.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whom a connection leads to.
#[derive(Clone, Copy)]
enum Role {
    Client,
    /// The client whose answer it brings.
    Primary(usize),
    Secondary,
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    clusters: [SocketAddr; 2],
    peers: Slab<(Role, Peer)>,
    /// Idle connections of each cluster; the last used is used next.
    idle: [Vec<usize>; 2],
}

impl Floor {
    fn new(listen: SocketAddr, clusters: [SocketAddr; 2]) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(listen)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { poll, listener, clusters, peers: Slab::new(), idle: [Vec::new(), Vec::new()] })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let key = event.token().0;
                if event.is_writable()
                    && let Some((_, peer)) = self.peers.get_mut(key)
                {
                    peer.send()?;
                }
                if event.is_readable() {
                    self.readable(key)?;
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => drop(self.register(stream, Role::Client)?),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn register(&mut self, mut stream: TcpStream, role: Role) -> io::Result<usize> {
        stream.set_nodelay(true)?;
        let entry = self.peers.vacant_entry();
        let key = entry.key();
        self.poll.registry().register(&mut stream, Token(key), Interest::READABLE | Interest::WRITABLE)?;
        entry.insert((role, Peer::new(stream)));
        Ok(key)
    }

    /// Reads; once a message is whole it goes where it belongs.
    fn readable(&mut self, key: usize) -> io::Result<()> {
        let Some((role, peer)) = self.peers.get_mut(key) else { return Ok(()) };
        let role = *role;
        if !peer.receive()? {
            self.peers.remove(key);
            // A cluster's idle connection that ends is of no more use; one in use ends the floor at its next write.
            self.idle.iter_mut().for_each(|idle| idle.retain(|&other| other != key));
            return Ok(());
        }
        let received = Rc::clone(&peer.received);
        let head = if matches!(role, Role::Client) {
            Head::request(received.get())
        } else {
            Head::answer(received.get())
        };
        let Some(head) = head?.filter(|head| received.get().len() == head.length + head.body) else {
            return Ok(());
        };
        peer.done();
        match role {
            Role::Client => self.forward(key, &head, &received)?,
            Role::Primary(client) => {
                self.idle[0].push(key);
                if let Some((_, client)) = self.peers.get_mut(client) {
                    client.start(Outgoing { head: received.get().to_vec(), body: None })?;
                }
            }
            Role::Secondary => self.idle[1].push(key),
        }
        Ok(())
    }

    /// Sends a request to both clusters.
    fn forward(&mut self, client: usize, head: &Head, request: &Rc<Buffer>) -> io::Result<()> {
        for (leg, role) in [(Leg::Primary, Role::Primary(client)), (Leg::Secondary, Role::Secondary)] {
            let body = Some((Rc::clone(request), head.length));
            let outgoing = Outgoing { head: message::rewritten(request.get(), leg)?, body };
            let key = self.connection(leg as usize, role)?;
            if let Some((_, peer)) = self.peers.get_mut(key) {
                peer.start(outgoing)?;
            }
        }
        Ok(())
    }

    fn connection(&mut self, cluster: usize, role: Role) -> io::Result<usize> {
        if let Some(key) = self.idle[cluster].pop()
            && let Some((earlier, _)) = self.peers.get_mut(key)
        {
            *earlier = role;
            return Ok(key);
        }
        self.register(TcpStream::connect(self.clusters[cluster])?, role)
    }
}
