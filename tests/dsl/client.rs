//! A client that sends exactly the bytes it is told, and keeps exactly those it gets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

use super::http1::{Message, Wire};
use super::request::Request;
use super::wait::within;

/// One HTTP/1.1 connection.
pub(crate) struct Client {
    wire: Wire<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        let connect = within(format!("a connection to {to}"), TcpStream::connect(to)).await;
        Self::over(connect.unwrap_or_else(|e| panic!("no connection to {to}: {e}")))
    }

    /// The same, or nothing if nobody listens.
    pub(crate) async fn try_connect(to: SocketAddr) -> Option<Self> {
        within(format!("a connection to {to}"), TcpStream::connect(to)).await.ok().map(Self::over)
    }

    /// From an address of the test's choice, say `127.0.0.2`.
    pub(crate) async fn connect_from(from: Ipv4Addr, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("a free port");
        let connect = within(format!("a connection from {from} to {to}"), socket.connect(to)).await;
        Self::over(connect.unwrap_or_else(|e| panic!("no connection from {from} to {to}: {e}")))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        let (reader, writer) = stream.into_split();
        Self { wire: Wire::new(reader), writer }
    }

    /// One request on a new connection, with its answer.
    pub(crate) async fn once(to: SocketAddr, request: &Request) -> Message {
        Self::connect(to).await.exchange(request).await
    }

    /// Sends the request and reads its answer (not for HEAD).
    pub(crate) async fn exchange(&mut self, request: &Request) -> Message {
        let (answer, sent) = self.attempt(&request.bytes()).await;
        answer.unwrap_or_else(|| panic!("closed without an answer (sending: {sent:?})"))
    }

    /// Sends and reads at the same time, since an answer may come, and the connection end, before all is sent.
    /// Tells how the sending went, too: an error, or nothing yet when the answer came first.
    pub(crate) async fn attempt(&mut self, bytes: &[u8]) -> (Option<Message>, io::Result<()>) {
        let exchange = async {
            let read = self.wire.answer(false);
            let write = self.writer.write_all(bytes);
            tokio::pin!(read, write);
            tokio::select! {
                biased;
                answer = &mut read => (answer, Ok(())),
                sent = &mut write => (read.await, sent),
            }
        };
        within("the exchange", exchange).await
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the proxy reads");
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        within("sending", self.writer.write_all(bytes.as_ref())).await
    }

    /// The answer to what was sent before.
    pub(crate) async fn answer(&mut self) -> Message {
        within("an answer", self.wire.answer(false)).await.expect("closed without an answer")
    }

    /// The same, or nothing if the connection ends first.
    pub(crate) async fn try_answer(&mut self) -> Option<Message> {
        within("an answer", self.wire.answer(false)).await
    }

    /// The answer to a HEAD request.
    pub(crate) async fn answer_to_head(&mut self) -> Message {
        within("an answer", self.wire.answer(true)).await.expect("closed without an answer")
    }

    /// The interim answer with this status.
    pub(crate) async fn interim(&mut self, status: u16) {
        let interim =
            within("an interim answer", self.wire.interim()).await.expect("closed without an answer");
        assert_eq!(interim.status(), status);
    }

    /// Reads up to and with this text.
    pub(crate) async fn text_until(&mut self, mark: &str) {
        let found = within(format!("the text {mark:?}"), self.wire.until(mark.as_bytes())).await;
        assert!(found.is_some(), "closed before {mark:?}");
    }

    /// Everything that comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        within("the connection's end", self.wire.rest()).await
    }

    /// Says that nothing more will be sent; still reads.
    pub(crate) async fn finish_sending(&mut self) {
        self.writer.shutdown().await.expect("open until now");
    }

    /// The same, where the proxy may have closed already.
    pub(crate) async fn try_finish_sending(&mut self) {
        let _ = self.writer.shutdown().await;
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        let linger = SockRef::from(self.writer.as_ref()).set_linger(Some(Duration::ZERO));
        linger.expect("a TCP socket");
        self.writer.forget();
    }
}
