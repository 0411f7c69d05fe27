//! The other end of the admin listener: one request, one answer. For `mimir-mirror status` and the demo.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Larger than any page of a proxy with hundreds of clusters.
const MAX_PAGE: usize = 8 << 20;

/// `GET` on the admin at `host:port`: status and text.
///
/// # Errors
/// Transport trouble, a page of more than 8 MiB, or no answer in time.
pub(crate) async fn get(at: &str, path: &str, patience: Duration) -> anyhow::Result<(StatusCode, String)> {
    let exchange = async {
        let stream = TcpStream::connect(at).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(path).header("host", at).body(Empty::<Bytes>::new())?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let page = Limited::new(answer.into_body(), MAX_PAGE).collect().await;
        connection.abort();
        let page = page.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        Ok((status, String::from_utf8_lossy(&page).into_owned()))
    };
    let answer = tokio::time::timeout(patience, exchange).await;
    answer.map_err(|_| anyhow::anyhow!("no answer within {} s", patience.as_secs()))?
}
