//! `/logging`: the level of each logger, all at once or one by one. Takes effect before the answer.

use http::StatusCode;

use super::View;
use super::answer::Answer;
use super::query::Query;
use crate::log;
use crate::log::components::{self, Changes, Levels};

const USAGE: &str = "usage: /logging?<name>=<level> (change single level)\n\
    usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n\
    usage: /logging?level=<level> (change all levels)\n\
    levels: trace debug info warning error critical off \n";

/// See the module.
pub(crate) fn logging(view: &View, query: &Query) -> Answer {
    match wanted(view.loggers.levels(), query) {
        Ok(None) => Answer::text(view.loggers.levels().list()),
        Ok(Some(levels)) => {
            view.loggers.set(levels);
            Answer::text(levels.list())
        }
        Err(why) => {
            let levels = view.loggers.levels().list();
            Answer::error(StatusCode::BAD_REQUEST, format!("error: {why}\n\n{USAGE}{levels}"))
        }
    }
}

/// The levels that the query asks for; `None` if it asks for none.
fn wanted(mut levels: Levels, query: &Query) -> Result<Option<Levels>, &'static str> {
    let mut pairs = query.pairs();
    let Some((name, value)) = pairs.next() else { return Ok(None) };
    if pairs.next().is_some() {
        return Err("invalid number of parameters");
    }
    let level = |text: &str| log::level(text).ok_or("unknown logger level");
    let component = |name: &str| components::find(name).ok_or("unknown logger name");
    let mut changes = Changes::default();
    match name {
        "level" => return Ok(Some(Levels::all(level(value)?))),
        "group" => return Err("group parameter requires fine-grain logging to be enabled"),
        "paths" => {
            for pair in value.split(',').filter(|pair| !pair.is_empty()) {
                let (name, text) = pair.split_once(':').unwrap_or((pair, ""));
                if name.is_empty() || text.is_empty() {
                    return Err("empty logger name or empty logger level");
                }
                changes.push(component(name)?, level(text)?);
            }
        }
        _ if value.is_empty() => return Ok(None),
        name => changes.push(component(name)?, level(value)?),
    }
    levels.apply(&changes);
    Ok(Some(levels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    #[test]
    fn levels_are_listed_and_changed_one_by_one_or_all_at_once() {
        let view = fixture::new().view;
        let ask = |query: &str| logging(&view, &Query::parse(query));
        assert!(ask("").body.starts_with("active loggers:\n  admin: info\n"), "{}", ask("").body);
        assert!(ask("paths=mirror:debug,http2:off,lua:trace").body.contains("  mirror: debug\n"));
        assert!(ask("router=warning").body.contains("  http2: off\n"));
        assert!(ask("").body.contains("  router: warning\n"), "it is remembered");
        let all = ask("level=error");
        assert_eq!((all.status, all.body.matches(": error\n").count()), (StatusCode::OK, 19), "{}", all.body);
    }

    #[test]
    fn what_is_wrong_is_said_and_changes_nothing() {
        let view = fixture::new().view;
        let before = view.loggers.levels();
        for (query, said) in [
            ("level=loud", "unknown logger level"),
            ("level", "unknown logger level"),
            ("paths=mirror:debug,nope:debug", "unknown logger name"),
            ("paths=mirror", "empty logger name or empty logger level"),
            ("nope=info", "unknown logger name"),
            ("level=info&mirror=debug", "invalid number of parameters"),
            ("group=x:debug", "group parameter requires fine-grain logging to be enabled"),
        ] {
            let answer = logging(&view, &Query::parse(query));
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(answer.body.starts_with(&format!("error: {said}\n")), "{query}: {}", answer.body);
        }
        assert_eq!(view.loggers.levels(), before);
    }
}
