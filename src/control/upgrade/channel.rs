//! What the two processes say to each other: small JSON objects, some with sockets, over a Unix socket that keeps
//! messages apart.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde_json::Value;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Sockets in one message.
pub(super) const SOCKETS_MAX: usize = 64;
/// Bytes of one message.
const BYTES_MAX: usize = 64 << 10;

/// One end of the connection.
#[derive(Debug)]
pub(super) struct Channel(UnixStream);

impl Channel {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        UnixStream::from_std(socket.into()).map(Self)
    }

    pub(super) async fn send(&self, message: &Value, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = message.to_string();
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
                return Err(io::Error::other("too many sockets in one message"));
            }
            let sent =
                sendmsg(&self.0, &[IoSlice::new(text.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL)?;
            if sent == text.len() { Ok(()) } else { Err(io::Error::other("a message was cut")) }
        };
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// The next message; `None` when the other process has closed.
    pub(super) async fn receive(&self) -> io::Result<Option<(Value, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; BYTES_MAX];
        let receive = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC;
            let got = recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags)?;
            let mut sockets = Vec::new();
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(passed) = message {
                    sockets.extend(passed);
                }
            }
            Ok((got.bytes, sockets))
        };
        let (length, sockets) = match self.0.async_io(Interest::READABLE, receive).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            received => received?,
        };
        if length == 0 {
            return Ok(None);
        }
        let message = serde_json::from_slice(bytes.get(..length).unwrap_or_default())?;
        Ok(Some((message, sockets)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use serde_json::json;

    use super::*;

    fn pair() -> (Channel, Channel) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        (Channel::new(a).unwrap(), Channel::new(b).unwrap())
    }

    #[tokio::test]
    async fn a_socket_arrives_and_is_the_same() {
        let (old, new) = pair();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        old.send(&json!({"a": 1}), &[listener.as_fd()]).await.unwrap();
        old.send(&json!({"b": 2}), &[]).await.unwrap();
        let mut client = TcpStream::connect(at).unwrap();
        drop((old, listener));
        let (message, sockets) = new.receive().await.unwrap().unwrap();
        assert_eq!((message, sockets.len()), (json!({"a": 1}), 1));
        assert_eq!(new.receive().await.unwrap().unwrap().0, json!({"b": 2}));
        assert!(new.receive().await.unwrap().is_none());
        let inherited = TcpListener::from(sockets.into_iter().next().unwrap());
        let (mut served, _) = inherited.accept().unwrap();
        served.write_all(b"x").unwrap();
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x", "what waited in the old process' queue is served");
    }
}
