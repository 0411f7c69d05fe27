//! Requests that the primary could not be asked for, or did not answer: what is counted, and what their client gets.

use config::model::Forward;
use http::Response;

use super::answer_body::Active;
use super::{AnswerBody, Exchange};
use crate::route::reply::LocalReply;
use crate::upstream::Failure;

impl Exchange<'_> {
    /// The primary could not be asked, or did not answer.
    pub(super) fn failed(&self, route: &Forward, failure: Failure, active: Active) -> Response<AnswerBody> {
        let again = self.asked.attempts.get() > 1;
        let reply = if again { LocalReply::UpstreamAgain(failure) } else { LocalReply::Upstream(failure) };
        if let Some(cluster) = self.cluster(route) {
            cluster.external.count(reply.status().as_u16());
            match failure {
                Failure::NoEndpoint => cluster.cx_none_healthy.inc(),
                Failure::Closed | Failure::Reset | Failure::Refused | Failure::Protocol => {
                    cluster.rq_broken.inc()
                }
                Failure::Connect | Failure::ConnectTimeout | Failure::PerTryTimeout | Failure::Overflow => {}
            }
        }
        self.reply(reply, active)
    }
}
