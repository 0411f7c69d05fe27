//! Endpoints that change something. Each turns into a [`Command`] for the control thread, which decides; the answer
//! says that the command was taken, not that it is done. Nothing here waits.

use http::StatusCode;
use tokio::sync::mpsc::error::TrySendError;

use super::answer::Answer;
use super::query::Query;
use super::{Command, View, collect};

/// `/quitquitquit`.
pub(crate) fn quit(view: &View, _: &Query) -> Answer {
    send(view, Command::Quit, "OK\n")
}

/// `/reopen_logs`.
pub(crate) fn reopen_logs(view: &View, _: &Query) -> Answer {
    send(view, Command::ReopenLogs, "OK\n")
}

/// `/healthcheck/fail`.
pub(crate) fn fail_health_check(view: &View, _: &Query) -> Answer {
    send(view, Command::FailHealthCheck, "OK\n")
}

/// `/healthcheck/ok`.
pub(crate) fn pass_health_check(view: &View, _: &Query) -> Answer {
    send(view, Command::PassHealthCheck, "OK\n")
}

/// `/drain_listeners`.
pub(crate) fn drain_listeners(view: &View, query: &Query) -> Answer {
    // No listener has a `traffic_direction`, and Envoy leaves those without one alone.
    if query.has("inboundonly") {
        return Answer::text("OK\n");
    }
    let (graceful, skip_exit) = (query.has("graceful"), query.has("skip_exit"));
    send(view, Command::DrainListeners { graceful, skip_exit }, "OK\n")
}

/// `/mirrors/pause`.
pub(crate) fn pause(view: &View, query: &Query) -> Answer {
    to_mirror(view, query, |mirror| Command::Hold { mirror, held: true })
}

/// `/mirrors/resume`.
pub(crate) fn resume(view: &View, query: &Query) -> Answer {
    to_mirror(view, query, |mirror| Command::Hold { mirror, held: false })
}

/// `/mirrors/skip`.
pub(crate) fn skip(view: &View, query: &Query) -> Answer {
    to_mirror(view, query, |mirror| Command::Skip { mirror })
}

/// Sends what concerns the mirror that the query names; it need not if there is but one.
fn to_mirror(view: &View, query: &Query, command: impl Fn(usize) -> Command) -> Answer {
    let mirrors = &view.config.mirrors;
    let named = match (query.get("mirror"), mirrors.as_slice()) {
        (Some(name), _) => mirrors.iter().position(|mirror| mirror.name == name),
        (None, [_]) => Some(0),
        (None, _) => None,
    };
    match named {
        Some(mirror) => send(view, command(mirror), "OK\n"),
        None => {
            let names: Vec<_> = mirrors.iter().map(|mirror| mirror.name.as_str()).collect();
            let sentence = format!("name a mirror: ?mirror=NAME, one of: {}\n", names.join(", "));
            Answer::error(StatusCode::BAD_REQUEST, sentence)
        }
    }
}

/// `/reset_counters`: readers of Envoy's names count from here on.
pub(crate) fn reset_counters(view: &View, _: &Query) -> Answer {
    view.books.reset(&collect::collect(view));
    Answer::text("OK\n")
}

/// `/runtime_modify`: values come from the file alone.
pub(crate) fn runtime_modify(_: &View, query: &Query) -> Answer {
    if query.is_empty() {
        let usage = "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n";
        return Answer::error(StatusCode::BAD_REQUEST, usage);
    }
    Answer::error(StatusCode::SERVICE_UNAVAILABLE, "No admin layer specified")
}

fn send(view: &View, command: Command, accepted: &str) -> Answer {
    match view.commands.try_send(command) {
        Ok(()) => {
            tracing::info!(?command, "asked through the admin listener");
            Answer::text(accepted)
        }
        Err(TrySendError::Full(_)) => {
            Answer::error(StatusCode::SERVICE_UNAVAILABLE, "busy with earlier commands, try again\n")
        }
        Err(TrySendError::Closed(_)) => {
            Answer::error(StatusCode::SERVICE_UNAVAILABLE, "the process is about to exit\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::endpoints::Handler;
    use crate::admin::fixture;

    #[test]
    fn each_endpoint_sends_its_command() {
        let mut fixture = fixture::new();
        let cases: [(Handler, &str, Command); 6] = [
            (quit, "", Command::Quit),
            (fail_health_check, "", Command::FailHealthCheck),
            (pass_health_check, "", Command::PassHealthCheck),
            (reopen_logs, "", Command::ReopenLogs),
            (drain_listeners, "", Command::DrainListeners { graceful: false, skip_exit: false }),
            (drain_listeners, "graceful", Command::DrainListeners { graceful: true, skip_exit: false }),
        ];
        for (endpoint, query, expected) in cases {
            assert_eq!(endpoint(&fixture.view, &Query::parse(query)).status, StatusCode::OK);
            assert_eq!(fixture.commands.try_recv().unwrap(), expected);
        }
    }

    #[test]
    fn mirrors_are_named_unless_there_is_but_one() {
        let mut fixture = fixture::new();
        let names: Vec<_> = fixture.view.config.mirrors.iter().map(|mirror| mirror.name.clone()).collect();
        for (index, name) in names.iter().enumerate() {
            let query = format!(
                "mirror={}",
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
            );
            assert_eq!(pause(&fixture.view, &Query::parse(&query)).status, StatusCode::OK);
            assert_eq!(fixture.commands.try_recv().unwrap(), Command::Hold { mirror: index, held: true });
        }
        assert_eq!(skip(&fixture.view, &Query::parse("mirror=no-such")).status, StatusCode::BAD_REQUEST);
        let unnamed = resume(&fixture.view, &Query::default()).status;
        assert_eq!(unnamed == StatusCode::OK, names.len() == 1);
    }

    #[test]
    fn a_full_or_closed_inbox_is_a_503_at_once() {
        let mut fixture = fixture::new();
        for _ in 0..fixture.view.commands.max_capacity() {
            assert_eq!(quit(&fixture.view, &Query::default()).status, StatusCode::OK);
        }
        assert_eq!(quit(&fixture.view, &Query::default()).status, StatusCode::SERVICE_UNAVAILABLE);
        fixture.commands.close();
        assert_eq!(quit(&fixture.view, &Query::default()).status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn what_cannot_be_done_is_said_and_sends_nothing() {
        let mut fixture = fixture::new();
        let drained = drain_listeners(&fixture.view, &Query::parse("inboundonly&graceful"));
        assert_eq!(drained.status, StatusCode::OK, "none is inbound");
        let modified = runtime_modify(&fixture.view, &Query::parse("a=b"));
        assert_eq!(modified.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(fixture.commands.try_recv().is_err());
    }
}
