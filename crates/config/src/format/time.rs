//! Time formats: `strftime` with fractions of a second, always in UTC.

use super::Wrong;
use crate::model::{TimeFormat, TimePiece};

/// `2026-11-25T17:54:51.160Z`, what an empty format means.
const DEFAULT: &str = "%Y-%m-%dT%H:%M:%S.%3fZ";

/// Reads a time format.
pub(super) fn parse(text: &str) -> Result<TimeFormat, Wrong> {
    let mut pieces = Vec::new();
    let mut rest = if text.is_empty() { DEFAULT } else { text };
    while let Some((head, tail)) = rest.split_once('%') {
        push(&mut pieces, head);
        rest = directive(&mut pieces, tail)?;
    }
    push(&mut pieces, rest);
    Ok(TimeFormat(pieces))
}

fn push(pieces: &mut Vec<TimePiece>, text: &str) {
    if text.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(TimePiece::Literal(literal)) => literal.push_str(text),
        _ => pieces.push(TimePiece::Literal(text.to_owned())),
    }
}

/// Reads what follows a per cent sign and returns the rest.
fn directive<'a>(pieces: &mut Vec<TimePiece>, text: &'a str) -> Result<&'a str, Wrong> {
    let (first, mut rest) = split(text);
    let composed = match first {
        "T" => Some("%H:%M:%S"),
        "F" => Some("%Y-%m-%d"),
        "D" => Some("%m/%d/%y"),
        "R" => Some("%H:%M"),
        _ => None,
    };
    if let Some(text) = composed {
        pieces.extend(parse(text)?.0);
        return Ok(rest);
    }
    if let Some(piece) = simple(first) {
        pieces.push(piece);
        return Ok(rest);
    }
    let piece = match first {
        "%" => {
            push(pieces, "%");
            return Ok(rest);
        }
        digit => match (digit.parse(), split(rest)) {
            (Ok(digits @ 1..=9), ("f", after)) => {
                rest = after;
                TimePiece::Fraction(digits)
            }
            _ => {
                return Err(Wrong::new(
                    format!("`%{first}` is not a part of a time"),
                    "write a format such as `%Y-%m-%dT%H:%M:%S.%3fZ`, with Y y m d e H I M S p j b B a A s f 1f to \
                     9f z Z T F D R",
                ));
            }
        },
    };
    pieces.push(piece);
    Ok(rest)
}

/// Directives of one letter.
fn simple(letter: &str) -> Option<TimePiece> {
    Some(match letter {
        "Y" => TimePiece::Year,
        "y" => TimePiece::YearOfCentury,
        "m" => TimePiece::Month,
        "d" => TimePiece::Day,
        "e" => TimePiece::DayBlank,
        "H" => TimePiece::Hour,
        "I" => TimePiece::Hour12,
        "p" => TimePiece::HalfOfDay,
        "M" => TimePiece::Minute,
        "S" => TimePiece::Second,
        "j" => TimePiece::DayOfYear,
        "b" | "h" => TimePiece::MonthShort,
        "B" => TimePiece::MonthLong,
        "a" => TimePiece::WeekdayShort,
        "A" => TimePiece::WeekdayLong,
        "s" => TimePiece::Unix,
        "f" => TimePiece::Fraction(9),
        "z" => TimePiece::Offset,
        "Z" => TimePiece::Zone,
        "n" => TimePiece::Literal("\n".to_owned()),
        "t" => TimePiece::Literal("\t".to_owned()),
        _ => return None,
    })
}

/// The first character, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.chars().next().map_or(0, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_format_is_iso_with_milliseconds() {
        assert_eq!(parse("").unwrap(), parse(DEFAULT).unwrap());
        assert!(parse("").unwrap().0.contains(&TimePiece::Fraction(3)));
    }

    #[test]
    fn literals_are_joined_and_unknown_directives_refused() {
        let pieces = parse("a%%b%F").unwrap().0;
        assert_eq!(pieces.first(), Some(&TimePiece::Literal("a%b".to_owned())));
        assert_eq!(pieces.len(), 6);
        assert_eq!(parse("%Q").unwrap_err().message, "`%Q` is not a part of a time");
        assert!(parse("%0f").is_err());
        assert!(parse("%").is_err());
    }
}
