//! The lock of the order cells: std's, and in `tests/order-loom` one that tries every interleaving.

pub(super) use std::sync::{Mutex, MutexGuard};
