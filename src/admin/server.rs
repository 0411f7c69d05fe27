//! The admin thread: accepts a bounded number of connections and serves HTTP/1.1 on each.
//!
//! The thread has a runtime of its own. It reads counters and sends commands without waiting, so nothing that
//! happens here is felt by workers or by the control thread. It ends when the control thread drops its inbox.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, sleep, timeout};

use super::answer::Answer;
use super::{View, collect, endpoints};
use crate::limits::{
    ADMIN_BODY_MAX, ADMIN_CONNECTION_LIFE, ADMIN_CONNECTIONS, ADMIN_EXIT, ADMIN_FIRST_REQUEST,
    ADMIN_LAST_ANSWER, ADMIN_STALL, HEADERS_MAX, READ_BUFFER_MAX, STATUS_EVERY,
};
use crate::stats::HttpStats;
use crate::tls::Stream;

/// Pause after a failed accept, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin endpoints on a thread of its own until the receiver of `view.commands` is dropped.
///
/// # Errors
///
/// When the runtime or the thread cannot be made, or the listener is unusable.
pub(crate) fn spawn(
    listener: std::net::TcpListener,
    view: View,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    listener.set_nonblocking(true)?;
    let listener = {
        let _context = runtime.enter();
        TcpListener::from_std(listener)?
    };
    std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        runtime.block_on(serve(listener, Arc::new(view)));
    })
}

async fn serve(listener: TcpListener, view: Arc<View>) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
    tokio::select! {
        () = accept(&listener, &view, &places) => {}
        () = turn_pages(&view) => {}
        () = look(&view) => {}
        () = view.commands.closed() => {}
    }
    drop(listener);
    // Whoever asked for the exit should hear the answer. All places free means that all connections have ended.
    let _ = timeout(ADMIN_EXIT, places.acquire_many(ADMIN_CONNECTIONS as u32)).await;
}

async fn accept(listener: &TcpListener, view: &Arc<View>, places: &Arc<Semaphore>) {
    // The semaphore is never closed, so this loop ends only with its caller.
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(view), place));
            }
            Err(error) => {
                tracing::warn!(%error, "the admin listener could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, view: Arc<View>, _place: OwnedSemaphorePermit) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "admin connection");
        return;
    }
    let open = Open::begin(&view.stats.admin);
    let Some(stream) = secure(stream, &view).await else { return };
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Relaxed);
        counted(&view, request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(ADMIN_STALL)
        .max_headers(HEADERS_MAX)
        .max_buf_size(READ_BUFFER_MAX);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = last_call(&view) => {
            open.closed_here.store(true, Relaxed);
            let first = poll_fn(|cx| match serving.as_mut().poll(cx) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if asked.load(Relaxed) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Ok(Some(ended)) = timeout(ADMIN_FIRST_REQUEST, first).await {
                return say(ended);
            }
            serving.as_mut().graceful_shutdown();
            timeout(ADMIN_LAST_ANSWER, serving).await.unwrap_or(Ok(()))
        }
    };
    say(ended);
}

fn say(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "admin connection");
    }
}

/// Ends the client's TLS, if the admin has any.
async fn secure(stream: TcpStream, view: &View) -> Option<Stream> {
    let server = view.materials.borrow().admin.clone();
    match server {
        Some(server) => server.accept(stream, &view.stats.admin.tls).await.map(|accepted| accepted.stream),
        None => Some(Stream::Plain(stream)),
    }
}

/// An open connection, for the gauges. Ends when dropped.
struct Open<'a> {
    stats: &'a HttpStats,
    begun: Instant,
    /// It did not end by its client's wish.
    closed_here: AtomicBool,
}

impl<'a> Open<'a> {
    fn begin(stats: &'a HttpStats) -> Self {
        stats.cx_total.inc();
        stats.cx_active.inc();
        stats.cx_http1_total.inc();
        stats.cx_http1_active.inc();
        Self { stats, begun: Instant::now(), closed_here: AtomicBool::new(false) }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.stats.cx_active.dec();
        self.stats.cx_http1_active.dec();
        self.stats.cx_destroy.inc();
        self.stats.cx_ends.count(!self.closed_here.load(Relaxed), false);
        self.stats.cx_length.record(self.begun.elapsed());
    }
}

/// An interval of the distributions ends, again and again.
async fn turn_pages(view: &View) {
    let mut interval = tokio::time::interval(view.config.process.stats_flush_interval);
    loop {
        interval.tick().await;
        view.books.turn(&collect::collect(view));
    }
}

/// Looks at the counters every few seconds, for `/api/status`.
async fn look(view: &View) {
    let mut interval = tokio::time::interval(STATUS_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        view.watch.look(view);
    }
}

/// Returns when a connection should end after the answer under way.
async fn last_call(view: &View) {
    tokio::select! {
        () = sleep(ADMIN_CONNECTION_LIFE) => {}
        () = view.commands.closed() => {}
    }
}

/// Answers a request, and counts it as Envoy's `http.admin.*` does.
async fn counted(view: &View, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (stats, begun) = (&view.stats.admin, Instant::now());
    stats.rq_total.inc();
    stats.rq_http1_total.inc();
    stats.rq_active.inc();
    let response = respond(view, request).await;
    stats.rq_active.dec();
    stats.rq_completed.inc();
    stats.rq_time.record(begun.elapsed());
    if let Ok(response) = &response {
        let class = usize::from(response.status().as_u16() / 100).saturating_sub(1);
        stats.rq_by_class.get(class).inspect(|counter| counter.inc());
    }
    response
}

async fn respond(view: &View, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = timeout(ADMIN_STALL, Limited::new(body, ADMIN_BODY_MAX).collect()).await;
    let refused = match body {
        Ok(Ok(body)) => return Ok(endpoints::answer(view, &head, &body.to_bytes()).into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => StatusCode::PAYLOAD_TOO_LARGE,
        Ok(Err(_)) => StatusCode::BAD_REQUEST,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    };
    let sentence = format!("{}\n", refused.canonical_reason().unwrap_or_default());
    let mut response = Response::from(Answer::error(refused, sentence));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}
