//! Regular expressions in RE2's syntax.
//!
//! The compiler here reads nearly the same language. Where a character class means something else to it than to RE2,
//! the pattern is refused: a route must never quietly match other requests than it did in Envoy.

use crate::model::{Pattern, Replacement};
use crate::read::{Field, Object};

/// RegexMatcher: a pattern for whole texts.
pub(super) fn matcher(field: &Field<'_>) -> Option<Pattern> {
    let regex = text(field)?;
    compile(&regex, Pattern::whole)
}

/// A pattern written as a plain string, as v2 had it.
pub(super) fn bare(field: &Field<'_>) -> Option<Pattern> {
    compile(field, Pattern::whole)
}

/// RegexMatchAndSubstitute.
pub(super) fn replacement(field: &Field<'_>) -> Option<Replacement> {
    let mut object = field.object()?;
    let pattern = object.require("pattern", "write `pattern: { regex: \"^/api/(.*)$\" }`");
    let substitution = object.take("substitution");
    object.finish(&[]);
    let pattern = compile(&text(&pattern?)?, Pattern::part)?;
    let text = substitution.as_ref().map_or(Some(""), Field::text)?;
    let help = "write `\\1` for the first group of the pattern, `\\\\` for a backslash";
    match Replacement::new(pattern, text) {
        Ok(replacement) => Some(replacement),
        Err(why) => substitution.unwrap_or_else(|| field.clone()).refuse(why, help),
    }
}

/// The `regex` of a RegexMatcher. Its engine was once chosen here; there is one.
fn text<'a>(field: &Field<'a>) -> Option<Field<'a>> {
    let mut object: Object<'a> = field.object()?;
    let regex = object.require("regex", "write `regex: \"/api/.*\"`");
    if let Some(mut engine) = object.take("google_re2").and_then(|field| field.object()) {
        engine.take("max_program_size");
        engine.finish(&[]);
    }
    object.finish(&[]);
    regex
}

fn compile(field: &Field<'_>, how: impl Fn(&str) -> Result<Pattern, String>) -> Option<Pattern> {
    let source = field.name()?;
    if let Some(part) = other_meaning(source) {
        return field.refuse(
            format!("`{part}` means something else here than in Envoy's RE2"),
            "escape the characters with backslashes, or write the expression without them",
        );
    }
    match how(source) {
        Ok(pattern) => Some(pattern),
        Err(why) => field.refuse(format!("is not a regular expression: {why}"), "write it in RE2's syntax"),
    }
}

/// What RE2 takes literally inside a character class and the compiler here does not, or the flag `x`.
fn other_meaning(source: &str) -> Option<&'static str> {
    let mut rest = source;
    let mut class = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if c == '\\' {
            rest = after.chars().next().map_or("", |escaped| &after[escaped.len_utf8()..]);
            continue;
        }
        if class {
            for part in ["&&", "--", "~~"] {
                if rest.starts_with(part) {
                    return Some(part);
                }
            }
            if c == '[' && !after.starts_with(':') {
                return Some("[");
            }
            if let Some(end) = after.find(":]").filter(|_| c == '[') {
                rest = &after[end + 2..];
                continue;
            }
            class = c != ']';
        } else if c == '[' {
            class = true;
            // A bracket at the start of a class is one of its characters.
            let start = after.strip_prefix('^').unwrap_or(after);
            rest = start.strip_prefix(']').unwrap_or(start);
            continue;
        } else if c == '(' && is_verbose(after) {
            return Some("(?x)");
        }
        rest = after;
    }
    None
}

/// Whether a group's flags have the one that ignores blanks, which RE2 does not know.
fn is_verbose(after: &str) -> bool {
    after.strip_prefix('?').is_some_and(|flags| {
        flags.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '-').any(|c| c == 'x' || c == 'R')
            && !flags.starts_with(['P', '<'])
    })
}

#[cfg(test)]
mod tests {
    use super::other_meaning;

    #[test]
    fn classes_with_another_meaning_are_found() {
        for source in ["[a[b]]", "[a&&b]", "[a--b]", "[a~~b]", "[^[]", "(?x)a b", "(?ix:a)"] {
            assert!(other_meaning(source).is_some(), "{source}");
        }
        for source in [
            "[a-z]+",
            "[[:alpha:]_]",
            r"[\[]",
            "[]a]",
            "[^]a]",
            r"\[[a]",
            "a&&b",
            "(?i)x",
            "(?P<x>a)",
            "(?:x)",
        ] {
            assert_eq!(other_meaning(source), None, "{source}");
        }
    }
}
