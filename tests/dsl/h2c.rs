//! A client that speaks HTTP/2 in clear, with prior knowledge.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::http1::{Framing, Message};
use super::streams::{BreaksOff, Feed, stream};
use super::task::Task;
use super::wait::{Gate, within};

/// One HTTP/2 connection.
pub(crate) struct H2Client {
    sender: SendRequest<Outgoing>,
    _driver: Task,
}

type Outgoing = UnsyncBoxBody<Bytes, BreaksOff>;

/// A request's body, of unknown length: data frames, then perhaps trailers.
#[derive(Default)]
pub(crate) struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    /// Ends in a reset of the stream, once this is ready.
    breaks_off: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Frames {
    /// One frame of data.
    pub(crate) fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.frames.push_back(Frame::data(data.into()));
        self
    }

    /// The trailers; nothing may follow.
    pub(crate) fn trailers(mut self, trailers: HeaderMap) -> Self {
        self.frames.push_back(Frame::trailers(trailers));
        self
    }

    /// The stream's reset, once the gate is open.
    pub(crate) fn reset_behind(mut self, gate: &Gate) -> Self {
        let gate = gate.clone();
        self.breaks_off = Some(Box::pin(async move { gate.wait().await }));
        self
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BreaksOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BreaksOff>>> {
        match (self.frames.pop_front(), &mut self.breaks_off) {
            (Some(frame), _) => Poll::Ready(Some(Ok(frame))),
            (None, None) => Poll::Ready(None),
            (None, Some(end)) => end.as_mut().poll(cx).map(|()| Some(Err(BreaksOff))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.breaks_off.is_none()
    }
}

/// A whole answer.
pub(crate) struct H2Answer {
    pub head: Response<()>,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl H2Client {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        Self::build(to, &Builder::new(TokioExecutor::new())).await
    }

    /// With windows of its own, in bytes: of each stream, and of the connection.
    pub(crate) async fn with_windows(to: SocketAddr, stream: u32, connection: u32) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(stream).initial_connection_window_size(connection);
        Self::build(to, &builder).await
    }

    async fn build(to: SocketAddr, builder: &Builder<TokioExecutor>) -> Self {
        let stream = within("a connection", TcpStream::connect(to)).await.expect("the proxy listens");
        // As every client does: otherwise what fills a window waits for the acknowledgement of what came before.
        stream.set_nodelay(true).expect("a TCP socket");
        let handshake = builder.handshake(TokioIo::new(stream));
        let (sender, connection) = within("the handshake", handshake).await.expect("the proxy speaks HTTP/2");
        Self { sender, _driver: Task::spawn(connection) }
    }

    /// Sends a request that breaks off: there must be no answer.
    pub(crate) async fn broken(&self, head: http::request::Builder, body: Frames) {
        let request = head.body(body.boxed_unsync()).expect("a valid request");
        let mut sender = self.sender.clone();
        let answer = within("the stream's end", sender.send_request(request)).await;
        assert!(answer.is_err(), "an incomplete request was answered");
    }

    /// The same as [`H2Client::exchange`], or nothing where the server takes no more requests over this connection
    /// (GOAWAY), so that nothing became of this one.
    pub(crate) async fn attempt(&self, head: http::request::Builder, body: Frames) -> Option<H2Answer> {
        let request = head.body(body.boxed_unsync()).expect("a valid request");
        let mut sender = self.sender.clone();
        match within("an answer", sender.try_send_request(request)).await {
            Ok(answer) => Some(within("the answer's body", collect(answer)).await),
            Err(mut error) => {
                let unsent = error.take_message().is_some();
                assert!(unsent || is_goaway(error.error()), "no answer: {:?}", error.error());
                None
            }
        }
    }

    /// Sends a request (its URI absolute, for `:authority`) and reads the whole answer.
    pub(crate) async fn exchange(&self, head: http::request::Builder, body: Frames) -> H2Answer {
        let request = head.body(body.boxed_unsync()).expect("a valid request");
        let mut sender = self.sender.clone();
        let answer = within("an answer", sender.send_request(request)).await.expect("an answer");
        within("the answer's body", collect(answer)).await
    }
}

/// The server ends the connection in order; a stream with this error came after the last one that it serves.
fn is_goaway(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        cause.is_go_away() && cause.is_remote() && cause.reason() == Some(h2::Reason::NO_ERROR)
    })
}

impl H2Answer {
    /// The same in the form of HTTP/1.1.
    pub(crate) fn message(&self) -> Message {
        let plain = |headers: &HeaderMap| {
            headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect::<Vec<_>>()
        };
        Message {
            start: format!("HTTP/2 {} -", self.head.status().as_u16()),
            headers: plain(self.head.headers()),
            framing: Framing::None,
            body: self.body.to_vec(),
            trailers: self.trailers.as_ref().map(plain).unwrap_or_default(),
            complete: true,
            interim: Vec::new(),
            earlier: 0,
            peer: None,
        }
    }
}

impl H2Client {
    /// Sends a request's head; its body is fed. The answer's head is awaited by itself, since either may come first.
    pub(crate) fn open(
        &self,
        head: http::request::Builder,
    ) -> (Feed, impl Future<Output = Response<Incoming>> + use<>) {
        let (feed, body) = stream();
        let request = head.body(body.boxed_unsync()).expect("a valid request");
        let mut sender = self.sender.clone();
        let answer =
            async move { within("an answer", sender.send_request(request)).await.expect("an answer") };
        (feed, answer)
    }
}

/// The next data frame of a body.
pub(crate) async fn next_data(body: &mut Incoming) -> Bytes {
    let frame = within("a frame", body.frame()).await.expect("no end yet").expect("no reset");
    frame.into_data().expect("data")
}

/// Reads an answer to its end.
pub(crate) async fn collect(answer: Response<Incoming>) -> H2Answer {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a whole body");
    let trailers = body.trailers().cloned();
    H2Answer { head: Response::from_parts(head, ()), body: body.to_bytes(), trailers }
}
