//! Durable delivery (contract C9): copies of writes that survive the mirror's outage and the end of this process.
//!
//! Each such mirror has two threads of its own, so that no worker ever waits for a disk or for the mirror:
//!
//! - workers hand over complete writes (`intake`) as messages (`message`);
//! - the backlog thread appends them (`record` is what it writes), and hands them on in the order in which they came;
//! - the delivery thread (`delivery`) sends them: it keeps a part of them in memory (`window`, `lane`, `kept`), the rest
//!   is read back from disk when it is its turn. What has its outcome is told to the backlog thread, which forgets it.

mod backlog_thread;
mod delivery;
pub(crate) mod in_flight;
pub(crate) mod intake;
pub(crate) mod message;
pub(crate) mod record;

mod kept;
mod lane;
pub(crate) mod start;
mod window;
