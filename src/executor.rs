//! Runs what the HTTP library starts on its own (HTTP/2 streams) on the worker whose connection it is.

use std::future::Future;

/// Spawns onto the current thread's runtime.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
