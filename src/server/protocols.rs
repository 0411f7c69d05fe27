//! HTTP/1.1 and HTTP/2 as a listener has them configured, and which of the two a client speaks.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use config::model::{Codec, HttpManager};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, ReadBuf};

use super::io::ClientIo;
use crate::executor::LocalExecutor;
use crate::limits;

/// What HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// How one listener's connections are served.
#[derive(Debug)]
pub(super) struct Builders {
    codec: Codec,
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<LocalExecutor>,
}

impl Builders {
    pub(super) fn new(http: &HttpManager) -> Self {
        let head_max = (http.max_request_headers_kb as usize) << 10;
        let protocols = &http.protocols;
        let mut http1 = http1::Builder::new();
        http1
            .auto_date_header(false)
            .max_headers(protocols.max_headers as usize)
            .max_buf_size(head_max.max(limits::READ_BUFFER_MAX))
            .title_case_headers(protocols.http1.title_case)
            .pipeline_flush(false);
        let options = &protocols.http2;
        let keepalive = options.keepalive;
        let mut http2 = http2::Builder::new(LocalExecutor);
        http2
            .timer(TokioTimer::new())
            .auto_date_header(false)
            .initial_stream_window_size(options.stream_window)
            .initial_connection_window_size(options.connection_window)
            .max_concurrent_streams(options.max_concurrent_streams)
            .max_send_buf_size(limits::H2_SEND_BUFFER)
            // A body in one frame is read in one piece, as over HTTP/1.1, and shared with its copies.
            .max_frame_size(limits::READ_BUFFER_MAX as u32)
            .max_header_list_size(head_max as u32)
            .keep_alive_interval(keepalive.map(|keepalive| keepalive.interval));
        if let Some(keepalive) = keepalive {
            http2.keep_alive_timeout(keepalive.timeout);
        }
        Self { codec: protocols.codec, http1, http2 }
    }

    /// What the client speaks: told by its first bytes, which stay to be read. `None`: it closed without any.
    pub(super) async fn tell(&self, io: &mut ClientIo) -> io::Result<Option<Protocol>> {
        let mut bytes = [0; PREFACE.len()];
        let mut buffer = ReadBuf::new(&mut bytes);
        loop {
            let before = buffer.filled().len();
            poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, &mut buffer)).await?;
            let read = buffer.filled();
            let is_whole = read == PREFACE;
            if read.len() == before || is_whole || !PREFACE.starts_with(read) || self.codec != Codec::Auto {
                let is_http2 = if self.codec == Codec::Auto { is_whole } else { self.codec == Codec::Http2 };
                let told = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
                let any = !read.is_empty();
                io.unread(Bytes::copy_from_slice(read));
                return Ok(any.then_some(told));
            }
        }
    }
}
