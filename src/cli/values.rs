//! How the values of flags are read, with Envoy's words for what is wrong.

use tracing::level_filters::LevelFilter;

use super::compat::DrainStrategy;
use super::serve::{IpVersion, Mode};
use crate::log;
use crate::log::components::{self, Changes};

/// A level as Envoy names it.
pub(super) fn level(name: &str) -> Result<LevelFilter, String> {
    log::level(name).ok_or_else(|| format!("invalid log level specified '{name}'"))
}

/// `NAME:LEVEL,...`
pub(super) fn component_levels(text: &str) -> Result<Changes, String> {
    let mut changes = Changes::default();
    for pair in text.split(',') {
        let Some((name, level)) = pair.split_once(':').filter(|(_, level)| !level.contains(':')) else {
            return Err(format!("component log level not correctly specified '{pair}'"));
        };
        let level = self::level(level)?;
        let component =
            components::find(name).ok_or_else(|| format!("invalid component specified '{name}'"))?;
        changes.push(component, level);
    }
    Ok(changes)
}

pub(super) fn mode(name: &str) -> Result<Mode, String> {
    match name {
        "serve" => Ok(Mode::Serve),
        "validate" => Ok(Mode::Validate),
        "init_only" => Ok(Mode::InitOnly),
        _ => Err(format!("unknown mode '{name}'")),
    }
}

pub(super) fn drain_strategy(name: &str) -> Result<DrainStrategy, String> {
    match name {
        "gradual" => Ok(DrainStrategy::Gradual),
        "immediate" => Ok(DrainStrategy::Immediate),
        _ => Err(format!("unknown drain-strategy '{name}'")),
    }
}

pub(super) fn ip_version(name: &str) -> Result<IpVersion, String> {
    match name {
        "v4" => Ok(IpVersion::V4),
        "v6" => Ok(IpVersion::V6),
        _ => Err(format!("unknown IP address version '{name}'")),
    }
}

/// `NAME:VALUE`. A name is letters and digits, a value has no dot: both become parts of dotted names in Envoy.
pub(super) fn stats_tag(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("misformatted stats-tag '{text}'"));
    };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("misformatted stats-tag '{text}' contains invalid char in '{name}'"));
    }
    if value.is_empty() || value.contains('.') {
        return Err(format!("misformatted stats-tag '{text}' contains invalid char in '{value}'"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_envoys_words() {
        let said = |result: Result<Changes, String>| result.err().unwrap_or_default();
        assert_eq!(said(component_levels("nope:debug")), "invalid component specified 'nope'");
        assert_eq!(said(component_levels("router:nope")), "invalid log level specified 'nope'");
        assert_eq!(said(component_levels("router")), "component log level not correctly specified 'router'");
        assert_eq!(said(component_levels("router:debug,upstream:trace,lua:info")), "");
        assert_eq!(mode("foo"), Err("unknown mode 'foo'".to_owned()));
        assert_eq!(level("WARN"), Err("invalid log level specified 'WARN'".to_owned()));
    }

    #[test]
    fn a_tag_is_a_name_and_a_value() {
        assert_eq!(stats_tag("a:b"), Ok(("a".to_owned(), "b".to_owned())));
        assert_eq!(stats_tag("a:b:c"), Ok(("a".to_owned(), "b:c".to_owned())));
        for wrong in ["a", ":b", "a-b:c", "a:", "a:b.c"] {
            assert!(stats_tag(wrong).is_err_and(|said| said.contains("misformatted stats-tag")), "{wrong}");
        }
    }
}
