//! What comes of a request whose time is over. Runs on the worker.

use config::model::Forward;
use http::Response;

use super::answer_body::Active;
use super::{AnswerBody, Exchange, Unanswered};
use crate::paths::Kind;
use crate::route::reply::LocalReply;

impl Exchange<'_> {
    /// A deadline passed before the answer's head came.
    pub(super) fn expired(
        &self,
        route: &Forward,
        kind: Kind,
        active: Active,
    ) -> Result<Response<AnswerBody>, Unanswered> {
        let reply = self.body.expired();
        match reply {
            LocalReply::Timeout => {
                self.cluster(route).inspect(|cluster| {
                    cluster.rq_timeout.inc();
                    cluster.external.count(504);
                });
            }
            // The client's own, as in Envoy; the route's is its cluster's.
            LocalReply::TooSlow => self.http_stats.rq_timeout.inc(),
            _ => self.http_stats.rq_idle_timeout.inc(),
        }
        // A remote-write client drops its data for good on a 408: an incomplete write is closed without an answer.
        if kind.is_write() && matches!(reply, LocalReply::Stalled | LocalReply::TooSlow) {
            return Err(Unanswered);
        }
        Ok(self.reply(reply, active))
    }
}
