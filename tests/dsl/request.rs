//! Requests, written out byte by byte.

/// The write path of Mimir.
pub(crate) const PUSH: &str = "/api/v1/push";

/// A request in the making. Nothing is added that the test did not ask for, but `host` and the body's length.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    host: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Option<Body>,
}

#[derive(Clone)]
enum Body {
    Length(Vec<u8>),
    Chunked(Vec<Vec<u8>>, Vec<(String, String)>),
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let (method, target, host) = (method.to_owned(), target.to_owned(), "mimir.example".to_owned());
        Self { method, target, host, fields: Vec::new(), body: None }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A write as a remote-write sender spells it, with this body.
    pub(crate) fn push(body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", PUSH)
            .header("Content-Encoding", "snappy")
            .header("Content-Type", "application/x-protobuf")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .header("X-Scope-OrgID", "tenant-1")
            .body(body)
    }

    /// To another target.
    pub(crate) fn at(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// A body with `content-length`.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body::Length(body.into()));
        self
    }

    /// A body in these chunks.
    pub(crate) fn chunks(mut self, chunks: &[&[u8]]) -> Self {
        self.body = Some(Body::Chunked(chunks.iter().map(|c| c.to_vec()).collect(), Vec::new()));
        self
    }

    /// A body in these chunks, with trailers (announce them with a `Trailer` header).
    pub(crate) fn chunks_and_trailers(self, chunks: &[&[u8]], trailers: &[(&str, &str)]) -> Self {
        let mut request = self.chunks(chunks);
        if let Some(Body::Chunked(_, all)) = &mut request.body {
            all.extend(trailers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        }
        request
    }

    /// The head's bytes.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut out =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host).into_bytes();
        for (name, value) in &self.fields {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        match &self.body {
            None => {}
            Some(Body::Length(body)) => {
                out.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes())
            }
            Some(Body::Chunked(..)) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// The body's bytes as they go over the wire.
    pub(crate) fn wire_body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.body {
            None => {}
            Some(Body::Length(body)) => out.extend_from_slice(body),
            Some(Body::Chunked(chunks, trailers)) => {
                for chunk in chunks {
                    out.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    out.extend_from_slice(chunk);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"0\r\n");
                trailers.iter().for_each(|(n, v)| out.extend(format!("{n}: {v}\r\n").into_bytes()));
                out.extend_from_slice(b"\r\n");
            }
        }
        out
    }

    /// The same for HTTP/2: the head, and the body's bytes.
    pub(crate) fn over_http2(&self) -> (http::request::Builder, Vec<u8>) {
        let uri = format!("http://{}{}", self.host, self.target);
        let head = http::Request::builder().method(self.method.as_str()).uri(uri);
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let head = fields.fold(head, |head, (name, value)| head.header(name, value));
        match &self.body {
            None => (head, Vec::new()),
            Some(Body::Length(body)) => (head, body.clone()),
            Some(Body::Chunked(chunks, _)) => (head, chunks.concat()),
        }
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.head();
        out.extend(self.wire_body());
        out
    }
}

/// `length` bytes that no compression and no coincidence reproduces, the same for the same seed.
pub(crate) fn bytes_of(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}
