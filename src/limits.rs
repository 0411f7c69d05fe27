//! Every bound of the process that is not configured per mirror, in one place.
//!
//! A bound that an operator may want to change is configuration (see `config::model`); what stands here is
//! what keeps the process honest whatever the configuration says.

use std::time::Duration;

/// Largest read buffer of an HTTP/1.1 connection, and so the most that one slice of a body can pin. A write of 2000
/// samples, Prometheus' default batch, is 67 KB with its head: it is read in one piece, which measured 30 % less CPU
/// than two pieces of a 64 KiB buffer.
pub(crate) const READ_BUFFER_MAX: usize = 80 << 10;
/// What the HTTP library's read buffer begins with. One read that fills it makes it grow.
pub(crate) const READ_BUFFER_FIRST: usize = 8 << 10;
/// Larger ones that a worker's client connections keep between their requests: 40 MiB.
pub(crate) const READ_BUFFERS_KEPT: usize = 512;
/// Body frames of at least this size are shared with the copy; smaller ones are gathered into buffers of their own,
/// because a slice of a few bytes would pin a whole read buffer.
pub(crate) const SHARED_FRAME_MIN: usize = 32 << 10;
/// What a copy costs beside its head and body: the structures that carry it.
pub(crate) const COPY_OVERHEAD: u64 = 1 << 10;
/// Most headers of a request or answer (Envoy's default).
pub(crate) const HEADERS_MAX: usize = 100;

/// Requests of one client's connection that are considered at least before it is closed for resetting half of them
/// (Envoy's default of `overload.premature_reset_total_stream_count`).
pub(crate) const RESETS_CONSIDERED: u64 = 500;
/// A reset of a request without an answer is premature before this age (Envoy counts whole seconds, and up to one).
pub(crate) const PREMATURE_RESET: Duration = Duration::from_secs(2);
/// How long a client's connection that has reached its age waits for an answer that says so, before it is closed
/// (Envoy's `drain_timeout`).
pub(crate) const RETIRING: Duration = Duration::from_secs(5);
/// Largest head of an answer over HTTP/2.
pub(crate) const UPSTREAM_HEAD_MAX: u32 = 64 << 10;
/// Body bytes held for one HTTP/2 stream whose receiver does not read.
pub(crate) const H2_SEND_BUFFER: usize = 64 << 10;

/// How much of a request is still read after its answer went out early, so that the answer survives the close ...
pub(crate) const LINGER_BYTES: u64 = 1 << 20;
/// ... and for how long.
pub(crate) const LINGER_TIME: Duration = Duration::from_secs(1);
/// Body bytes of one exchange kept for repeating it on a fresh connection when a reused one turns out dead.
pub(crate) const REPLAY_BYTES: usize = 1 << 20;
/// The same, for all exchanges of one worker.
pub(crate) const REPLAY_WORKER_BYTES: usize = 32 << 20;

/// Requests of one worker to one cluster that are being repeated by a retry policy at the same time (Envoy's default
/// `max_retries`, which counts over all workers), where the file does not say how many.
pub(crate) const RETRIES_MAX: u32 = 3;
/// Most looks for an endpoint that has not been tried before.
pub(crate) const RETRY_LOOKS_MAX: u32 = 16;

/// Idle mirror connections are closed after this long: they grow with need and shrink after.
pub(crate) const MIRROR_IDLE: Duration = Duration::from_secs(30);
/// Idle upstream connections that one worker keeps for one cluster.
pub(crate) const UPSTREAM_IDLE_MAX: usize = 1024;
/// Longest time for a client's request head to arrive once its first byte has, and for an answer's bytes to be taken,
/// where the configuration sets no limit of its own.
pub(crate) const CLIENT_STALL: Duration = Duration::from_secs(300);
/// Longest silence of the other process while sockets are handed over.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// A client's connection without a request for longer is closed after another process has taken over. Before, its next
/// answer asks the client to close it, which costs the client nothing.
pub(crate) const PARTING_QUIET: Duration = Duration::from_secs(5);
/// The same at the end of a process that none follows: nobody waits for it for long.
pub(crate) const DRAINING_QUIET: Duration = Duration::from_secs(1);
/// Requests that begin in one turn of a worker's loop, ...
pub(crate) const REQUESTS_A_TURN: usize = 8;
/// ... where it has more client connections than this.
pub(crate) const UNTURNED_CONNECTIONS: usize = 64;
/// A client's connection without a request for longer gives its buffers back.
pub(crate) const QUIET: Duration = Duration::from_secs(1);
/// Longest time for a client's TLS handshake, where the configuration sets no limit of its own.
pub(crate) const CLIENT_HANDSHAKE: Duration = Duration::from_secs(15);
/// How often it is looked whether files of certificates have changed.
pub(crate) const CERTIFICATES_LOOK: Duration = Duration::from_secs(2);
/// How long the start waits for the first answers of DNS, and the first health checks.
pub(crate) const FIRST_RESOLUTION: Duration = Duration::from_secs(5);

/// Kernel send buffer asked for on a mirror connection; the kernel doubles it for its bookkeeping.
pub(crate) const MIRROR_SEND_BUFFER: usize = 256 << 10;
/// Dials of one worker to one mirror at the same time, while no more than four times as many copies wait.
pub(crate) const MIRROR_DIALS_MAX: usize = 32;
/// Pause after a failed dial to a mirror: first ...
pub(crate) const DIAL_PAUSE_MIN: Duration = Duration::from_millis(50);
/// ... doubling up to this.
pub(crate) const DIAL_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Pause before a mirror, a tenant or a copy is tried again: full jitter up to this ...
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(30);
/// ... doubling up to this (both as Prometheus' remote write).
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(5);
/// Longest `Retry-After` that is honoured; Mimir's longest is about 144 s.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Troubles of a mirror closer together than this count as one: those of copies that were in flight together.
pub(crate) const TROUBLE_COUNTED_ONCE: Duration = Duration::from_millis(20);
/// When a limited tenant is tried with one copy, the next follows after this long unless the mirror took it.
pub(crate) const TENANT_TRIED: Duration = Duration::from_secs(1);
/// So many failures without a success between them are an outage: one copy at a time tries whether it is over.
pub(crate) const OUTAGE_FAILURES: u32 = 3;
/// Tenants of one mirror whose own limits are remembered.
pub(crate) const LIMITED_TENANTS: usize = 10_000;
/// How often copies that a slow mirror holds back are looked at.
pub(crate) const PACE_LOOK: Duration = Duration::from_millis(10);
/// Largest head of a mirror's answer.
pub(crate) const ANSWER_HEAD_MAX: usize = 64 << 10;
/// Body bytes of a mirror's answer kept to learn the reason of a rejection.
pub(crate) const ANSWER_KEPT: usize = 4 << 10;
/// Body bytes of a mirror's answer that are read and discarded to reuse the connection.
pub(crate) const ANSWER_DISCARDED: u64 = 1 << 20;
/// Fresh attempts after reused connections that closed before the first byte of an answer.
pub(crate) const STALE_CONNECTIONS_MAX: u32 = 3;

/// Budget bytes that a worker takes from a mirror's process-wide counter in one step.
pub(crate) const LEASE_BYTES: u64 = 1 << 20;
/// Copies that a worker takes from a mirror's process-wide counter in one step.
pub(crate) const LEASE_COPIES: u64 = 64;

/// Order cells of one mirror. Fixed, since the client chooses the tenant's name.
pub(crate) const ORDER_CELLS: usize = 1024;
/// Fingerprints that one tenant's queue keeps, counted once for each copy that holds them (8 bytes each and about as
/// much for the queue's own tables). A set that does not fit is held as "every series of the tenant".
pub(crate) const ORDER_FINGERPRINTS: usize = 2 << 20;
/// A copy that waits longer than this for others makes reading their series worth it.
pub(crate) const ORDER_WAIT: Duration = Duration::from_millis(25);
/// Bodies read for a mirror since it last took a copy. Beyond, copies go by the cells' own rule: a mirror that hangs
/// has no use for more. As many as the default of `max_connections`, so that a mirror which is merely far away has
/// taken its first copies before reading stops.
pub(crate) const ORDER_READ_AHEAD: usize = 256;
/// Events that wait for the order thread. Beyond, it is told no more and copies go by the cells' own rule.
pub(crate) const ORDER_EVENTS: usize = 8 << 10;
/// Permits of the order thread that wait for one worker.
pub(crate) const ORDER_PERMITS: usize = 8 << 10;
/// Largest uncompressed body whose series are read; a larger one holds every series of its tenant.
pub(crate) const ORDER_UNCOMPRESSED: usize = 32 << 20;

/// Bytes read back from a backlog at a time ...
pub(crate) const BACKLOG_READ_BYTES: u64 = 4 << 20;
/// ... and copies, ...
pub(crate) const BACKLOG_READ_COPIES: usize = 256;
/// ... by at most so many reads under way.
pub(crate) const BACKLOG_READS: usize = 4;
/// A copy that the disk will not give is asked for again after this long ...
pub(crate) const BACKLOG_READ_PAUSE: Duration = Duration::from_secs(1);
/// ... so often.
pub(crate) const BACKLOG_READ_ATTEMPTS: u32 = 5;
/// Arrival times of a tenant's copies in flight lie no further apart: a TSDB rejects samples that are older than half
/// its block range (1 h) behind the newest of the tenant.
pub(crate) const ORDER_SPREAD: Duration = Duration::from_secs(30 * 60);
/// How long a durable mirror's copies in flight may still take when the process leaves.
pub(crate) const DELIVERY_EXIT: Duration = Duration::from_millis(500);
/// How long a backlog may take to close when the process leaves.
pub(crate) const BACKLOG_EXIT: Duration = Duration::from_secs(3);
/// How often durable delivery looks at what rests, waits to be read or is to be acknowledged.
pub(crate) const DELIVERY_TICK: Duration = Duration::from_millis(10);
/// How often it expires what is only in memory, and measures.
pub(crate) const DELIVERY_SWEEP: Duration = Duration::from_secs(1);

/// Lines of access logs that wait for the log thread ...
pub(crate) const LOG_LINES: usize = 64 << 10;
/// ... and their bytes, with those that it has gathered and not yet written.
pub(crate) const LOG_BYTES: u64 = 64 << 20;
/// Bytes that a log gathers before it writes them, unless a flag says otherwise (Envoy's default).
pub(crate) const LOG_FLUSH_KB: u32 = 64;
/// What is kept of a log's buffer after a burst.
pub(crate) const LOG_BUFFER_KEPT: usize = 256 << 10;

/// Messages that wait for one worker (a new connection is one).
pub(crate) const WORKER_INBOX: usize = 1024;
/// Commands that wait for the control thread.
pub(crate) const CONTROL_INBOX: usize = 16;
/// Backlog of a listening socket.
pub(crate) const LISTEN_BACKLOG: i32 = 1024;
/// Admin connections at the same time.
pub(crate) const ADMIN_CONNECTIONS: usize = 64;
/// Longest silence of an admin connection, and longest time for a request's head or body to arrive.
pub(crate) const ADMIN_STALL: Duration = Duration::from_secs(30);
/// An admin connection is closed after this long, so that clients which never read cannot hold all of them ...
pub(crate) const ADMIN_CONNECTION_LIFE: Duration = Duration::from_secs(120);
/// ... once the answer that is under way then has had this long.
pub(crate) const ADMIN_LAST_ANSWER: Duration = Duration::from_secs(10);
/// How long the admin thread finishes answers when the process exits.
pub(crate) const ADMIN_EXIT: Duration = Duration::from_secs(1);
/// How long one who has connected may then take to ask: its request may be on its way.
pub(crate) const ADMIN_FIRST_REQUEST: Duration = Duration::from_millis(500);
/// Largest body of an admin request.
pub(crate) const ADMIN_BODY_MAX: usize = 64 << 10;
/// Largest compiled size of a regular expression in `filter=`.
pub(crate) const ADMIN_FILTER_BYTES: usize = 256 << 10;
/// How often the admin thread looks at the counters for `/api/status`, ...
pub(crate) const STATUS_EVERY: Duration = Duration::from_secs(2);
/// ... how many of these moments it keeps (a quarter of an hour), ...
pub(crate) const STATUS_MOMENTS: usize = 450;
/// ... over how many of them rates are taken, and a primary's failures, ...
pub(crate) const STATUS_RATE_MOMENTS: usize = 5;
pub(crate) const STATUS_FAILURE_MOMENTS: usize = 30;
/// ... and how many states of each distribution it keeps, so many moments apart: quantiles are of five minutes.
pub(crate) const STATUS_MARKS: usize = 11;
pub(crate) const STATUS_MARK_MOMENTS: usize = 15;
/// Tenants of each mirror that are told of, ...
pub(crate) const STATUS_TENANTS: usize = 20;
/// ... of so many that each thread counts by tenant (some 300 bytes each), by so many characters of their names.
pub(crate) const TENANTS_COUNTED: usize = 1024;
pub(crate) const TENANT_NAME_MAX: usize = 150;
/// Gaps of each mirror's copy that are remembered.
pub(crate) const STATUS_GAPS: usize = 16;
/// Former readings in which the reason of a loss is sought.
pub(crate) const STATUS_UNMATCHED: usize = 8;
/// A gap ends after this long without a loss.
pub(crate) const STATUS_QUIET: Duration = Duration::from_secs(10);
/// A copy is behind when its oldest piece has waited this long.
pub(crate) const STATUS_BEHIND: Duration = Duration::from_secs(10);
/// Descriptors that are never given to clients or mirrors: logs, DNS, admin, listeners, the runtime's own.
pub(crate) const RESERVED_DESCRIPTORS: u64 = 256;

const _: () = assert!(READ_BUFFER_FIRST <= READ_BUFFER_MAX);
const _: () = assert!(REQUESTS_A_TURN <= UNTURNED_CONNECTIONS);
const _: () = assert!(SHARED_FRAME_MIN <= READ_BUFFER_MAX);
const _: () = assert!(ANSWER_KEPT as u64 <= ANSWER_DISCARDED);
const _: () = assert!(MIRROR_IDLE.as_secs() < 120);
const _: () = assert!(REPLAY_BYTES <= REPLAY_WORKER_BYTES);
const _: () = assert!(DIAL_PAUSE_MIN.as_millis() < DIAL_PAUSE_MAX.as_millis());
