//! Regular expressions of routes: compiled once, when the file is read, and matched in linear time.
//!
//! Envoy's are RE2's. The `regex` crate descends from it and shares its guarantees; what the two read differently is
//! refused where a pattern is made (`envoy::pattern`).

use regex::bytes::{Captures, Regex, RegexBuilder};

/// Most bytes of one compiled expression.
const SIZE_MAX: usize = 1 << 20;

/// A compiled regular expression. A clone has a scratch space of its own, so that threads with their own clones never
/// meet.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// Matches a whole text only, as Envoy's `safe_regex` does.
    ///
    /// # Errors
    /// What the compiler says, on one line.
    pub fn whole(source: &str) -> Result<Self, String> {
        compile(source)?;
        Self::of(source, &format!(r"\A(?:{source})\z"))
    }

    /// Matches any part of a text, as a rewrite does.
    ///
    /// # Errors
    /// What the compiler says, on one line.
    pub fn part(source: &str) -> Result<Self, String> {
        Self::of(source, source)
    }

    fn of(source: &str, wrapped: &str) -> Result<Self, String> {
        Ok(Self { source: source.to_owned(), regex: compile(wrapped)? })
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the text matches.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// How many groups it captures, the whole match aside.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Eq for Pattern {}

/// Character classes mean ASCII, as in RE2; only a pattern that cannot do without is read as Unicode.
fn compile(source: &str) -> Result<Regex, String> {
    let build = |unicode| RegexBuilder::new(source).unicode(unicode).size_limit(SIZE_MAX).build();
    build(false).or_else(|error| build(true).map_err(|_| error)).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it compiles to more than 1 MiB".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    })
}

/// A pattern and what replaces its matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// What is replaced, wherever it matches.
    pub pattern: Pattern,
    /// As it was written: `\1` stands for a group.
    pub substitution: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

impl Replacement {
    /// Reads a substitution in RE2's spelling: `\0` to `\9` are groups, `\\` is a backslash.
    ///
    /// # Errors
    /// What is wrong with it, on one line.
    pub fn new(pattern: Pattern, substitution: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = substitution.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            match rest.next() {
                Some('\\') => text.push('\\'),
                Some(digit) if digit.is_ascii_digit() => {
                    let group = digit as usize - '0' as usize;
                    if group > pattern.groups() {
                        return Err(format!(
                            "asks for group {group}, and the pattern has {}",
                            pattern.groups()
                        ));
                    }
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(Part::Group(group));
                }
                _ => return Err("a backslash stands before a digit or another backslash".to_owned()),
            }
        }
        parts.push(Part::Text(text));
        Ok(Self { pattern, substitution: substitution.to_owned(), parts })
    }

    /// The text with every match replaced.
    #[must_use]
    pub fn apply(&self, text: &[u8]) -> Vec<u8> {
        let replaced = self.pattern.regex.replace_all(text, |found: &Captures<'_>| {
            let mut out = Vec::new();
            for part in &self.parts {
                match part {
                    Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                    Part::Group(group) => {
                        out.extend_from_slice(found.get(*group).map_or(b"", |group| group.as_bytes()));
                    }
                }
            }
            out
        });
        replaced.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_pattern_matches_whole_texts() {
        let pattern = Pattern::whole("/api|/v[0-9]+").unwrap();
        for (text, matches) in [("/api", true), ("/v12", true), ("/apix", false), ("x/api", false)] {
            assert_eq!(pattern.is_match(text.as_bytes()), matches, "{text}");
        }
    }

    #[test]
    fn classes_are_ascii_and_other_letters_are_themselves() {
        assert!(!Pattern::whole(r"\d").unwrap().is_match("٣".as_bytes()));
        assert!(Pattern::whole("[é]").unwrap().is_match("é".as_bytes()));
        assert!(Pattern::whole(".*").unwrap().is_match(b"\xff"));
    }

    #[test]
    fn substitutions_are_spelled_as_in_re2() {
        let replace = |pattern, substitution: &str, text: &[u8]| {
            let replacement = Replacement::new(Pattern::part(pattern).unwrap(), substitution);
            replacement.map(|replacement| String::from_utf8(replacement.apply(text)).unwrap())
        };
        assert_eq!(replace("^/service/([^/]+)(/.*)$", r"\2/x/\1", b"/service/a/v1").unwrap(), "/v1/x/a");
        assert_eq!(replace("one", r"t\\w\0", b"/one/one").unwrap(), r"/t\wone/t\wone");
        assert!(replace("(a)", r"\2", b"").is_err());
        assert!(replace("a", r"\x", b"").is_err());
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert!(Pattern::whole("(a{1000}){1000}").unwrap_err().contains("1 MiB"));
        assert!(Pattern::whole("a)(b").is_err());
    }
}
