//! A background task that ends with its owner.

use std::future::Future;

use tokio::task::JoinHandle;

/// Aborts its task when dropped.
pub(crate) struct Task(Option<JoinHandle<()>>);

impl Task {
    pub(crate) fn spawn(future: impl Future<Output: Send> + Send + 'static) -> Self {
        Self(Some(tokio::spawn(async { drop(future.await) })))
    }

    /// Aborts it and waits until everything it held is dropped.
    pub(crate) async fn end(mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
