//! Bodies that a test feeds frame by frame, for HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

/// A body that breaks off.
#[derive(Debug, thiserror::Error)]
#[error("as the test asked")]
pub(crate) struct BreaksOff;

type Fed = Result<Frame<Bytes>, BreaksOff>;

/// The body; it ends when its [`Feed`] is dropped.
pub(crate) struct Stream(mpsc::UnboundedReceiver<Fed>);

/// Where its frames come from.
pub(crate) struct Feed(mpsc::UnboundedSender<Fed>);

/// A body and its feed.
#[allow(clippy::disallowed_methods, reason = "a test feeds no more than it wrote down")]
pub(crate) fn stream() -> (Feed, Stream) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Feed(sender), Stream(receiver))
}

impl Stream {
    /// A body that is there as a whole.
    pub(crate) fn of(frames: impl IntoIterator<Item = Bytes>, trailers: Option<HeaderMap>) -> Self {
        let (feed, stream) = stream();
        frames.into_iter().for_each(|data| feed.data(data));
        if let Some(trailers) = trailers {
            feed.trailers(trailers);
        }
        stream
    }
}

impl Feed {
    pub(crate) fn data(&self, data: impl Into<Bytes>) {
        let _ = self.0.send(Ok(Frame::data(data.into())));
    }

    pub(crate) fn trailers(&self, trailers: HeaderMap) {
        let _ = self.0.send(Ok(Frame::trailers(trailers)));
    }

    /// The stream's reset.
    pub(crate) fn reset(self) {
        let _ = self.0.send(Err(BreaksOff));
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = BreaksOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Fed>> {
        self.0.poll_recv(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_closed() && self.0.is_empty()
    }
}

/// One message of gRPC: a flag, its length, itself.
pub(crate) fn message(text: &str) -> Bytes {
    let length = u32::try_from(text.len()).expect("a short message").to_be_bytes();
    [&[0][..], &length, text.as_bytes()].concat().into()
}

/// Header fields from pairs.
pub(crate) fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
        .collect()
}
