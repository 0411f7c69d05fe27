//! A cluster that takes in remote write: an HTTP/1.1 server on loopback around a [`Head`], on a thread of its own.
//!
//! It answers as a Mimir distributor does and really decodes what it gets. A [`Fault`] can be set at any time and
//! holds for the connections that are open as well as for new ones.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::fault::Fault;
use super::head::Head;

/// The path that takes remote write, as in Mimir.
pub(super) const PUSH_PATH: &str = "/api/v1/push";
/// The header that names the tenant, as in Mimir.
pub(super) const TENANT_HEADER: &str = "x-scope-orgid";

/// What [`Fault::Slow`] adds to each answer.
const SLOWNESS: Duration = Duration::from_millis(500);
/// The largest body, compressed and not: Mimir's own default.
const MAX_BODY: usize = 100 << 20;

/// A running cluster. It stops, with its thread, when it is dropped.
pub(super) struct Cluster {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    head: Arc<Mutex<Head>>,
}

impl Cluster {
    /// Starts a cluster on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port, thread or runtime is to be had.
    pub(super) fn start(name: &str) -> anyhow::Result<Self> {
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (fault, state) = watch::channel(Fault::None);
        let head = Arc::new(Mutex::new(Head::default()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let holder = Holder { head: Arc::clone(&head), fault: state };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _context = runtime.enter();
            if let Ok(listener) = TcpListener::from_std(listener) {
                runtime.block_on(serve(listener, address, holder));
            }
        })?;
        Ok(Self { address, fault, head })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts it into a state, at once and for all connections.
    pub(super) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// The state it was put into last.
    pub(super) fn state(&self) -> Fault {
        *self.fault.borrow()
    }

    /// What it holds. Its answers wait as long as the guard lives.
    pub(super) fn head(&self) -> MutexGuard<'_, Head> {
        lock(&self.head)
    }
}

/// What each connection needs of its cluster.
#[derive(Clone)]
struct Holder {
    head: Arc<Mutex<Head>>,
    fault: watch::Receiver<Fault>,
}

/// A head that was being written when its thread panicked is still a head: its invariants are per sample.
fn lock(head: &Mutex<Head>) -> MutexGuard<'_, Head> {
    head.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, address: SocketAddr, mut holder: Holder) {
    let mut listener = Some(listener);
    loop {
        if *holder.fault.borrow_and_update() == Fault::Refuse {
            // Closing the listener resets what waits in its queue, and what comes later meets a closed port.
            drop(listener.take());
            if holder.fault.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => listen_again(address).await,
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(connection(stream, holder.clone()));
            },
            changed = holder.fault.changed() => if changed.is_err() { return },
        }
        listener = Some(open);
    }
}

/// The port was free for anyone meanwhile, so taking it back may need patience.
async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        let socket = TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(1_024)
        });
        match socket {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connection(stream: TcpStream, mut holder: Holder) {
    let requests = holder.clone();
    let service = service_fn(move |request| answer(request, requests.clone()));
    let mut connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    loop {
        let fault = *holder.fault.borrow_and_update();
        match fault {
            Fault::Refuse => {
                // With a linger of zero, closing sends a reset.
                let _ = connection.into_parts().io.into_inner().set_zero_linger();
                return;
            }
            // What nobody polls reads nothing, and the sender's bytes stay in the kernel.
            Fault::StopReading => {
                if holder.fault.changed().await.is_err() {
                    return;
                }
            }
            _ => tokio::select! {
                _ = &mut connection => return,
                changed = holder.fault.changed() => if changed.is_err() { return },
            },
        }
    }
}

async fn answer(request: Request<Incoming>, mut holder: Holder) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match read(request).await {
        Err(refusal) => refusal,
        Ok(request) => {
            // One that reads nothing does not answer what it has read before either.
            let mute = |fault: &Fault| matches!(fault, Fault::Hang | Fault::StopReading);
            let fault = holder.fault.wait_for(|fault| !mute(fault)).await.map(|fault| *fault);
            match fault {
                Ok(Fault::Unavailable) | Err(_) => {
                    (StatusCode::SERVICE_UNAVAILABLE, "made to fail".to_owned())
                }
                Ok(fault) => {
                    if fault == Fault::Slow {
                        tokio::time::sleep(SLOWNESS).await;
                    }
                    match lock(&holder.head).append(&request) {
                        Ok(()) => (StatusCode::OK, String::new()),
                        Err(rejection) => (StatusCode::BAD_REQUEST, rejection.to_string()),
                    }
                }
            }
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

/// Reads a request to its end; what is no push of a tenant's remote write is refused with Mimir's status.
async fn read(request: Request<Incoming>) -> Result<remote_write::WriteRequest, (StatusCode, String)> {
    let (head, body) = request.into_parts();
    let refuse = |status, text: &str| Err((status, text.to_owned()));
    let header = |name: &str| head.headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    if head.uri.path() != PUSH_PATH || head.method != Method::POST {
        return refuse(StatusCode::NOT_FOUND, "only POST /api/v1/push is here");
    }
    if header(TENANT_HEADER).is_empty() {
        return refuse(StatusCode::UNAUTHORIZED, "no org id");
    }
    if header("content-encoding") != b"snappy" {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be snappy");
    }
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    remote_write::decode(&body, MAX_BODY).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}
