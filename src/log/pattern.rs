//! spdlog's language of log formats, which `--log-format` takes in Envoy: `[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v`.
//!
//! Times are UTC. Widths are understood (`%8l`, `%-8l`, `%=8l`); colour marks (`%^`, `%$`) are taken and write nothing.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The name of a line's logger.
pub(super) trait Logger {
    fn logger(&self) -> &'static str;
}

/// A format, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Flag { flag: char, width: usize, align: Align },
}

#[derive(Debug, Clone, Copy)]
enum Align {
    Right,
    Left,
    Centre,
}

const FLAGS: &str = "vlLntPYmdyHIMSTRpeEfFDxcrXabABzgs#!@%+^$_j&uio";
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            if c != '%' {
                plain.push(c);
                continue;
            }
            let align = match rest.peek() {
                Some('-') => Align::Left,
                Some('=') => Align::Centre,
                _ => Align::Right,
            };
            rest.next_if(|c| matches!(c, '-' | '='));
            let mut width = 0;
            while let Some(digit) = rest.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10)) {
                width = (width * 10 + digit as usize).min(64);
            }
            rest.next_if_eq(&'!').filter(|_| width > 0);
            match rest.next() {
                Some(flag) if FLAGS.contains(flag) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Flag { flag, width, align });
                }
                Some(flag) => return Err(format!("`%{flag}` is not known; write `%%` for a per cent sign")),
                None => return Err("ends with a single per cent sign; write `%%`".to_owned()),
            }
        }
        pieces.push(Piece::Text(plain));
        Ok(Self { text: text.to_owned(), pieces })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn write(&self, out: &mut dyn Write, line: &Line<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.write_str(text)?,
                Piece::Flag { flag, width: 0, .. } => line.flag(*flag, out)?,
                Piece::Flag { flag, width, align } => {
                    let mut text = String::new();
                    line.flag(*flag, &mut text)?;
                    match align {
                        Align::Right => write!(out, "{text:>width$}")?,
                        Align::Left => write!(out, "{text:<width$}")?,
                        Align::Centre => write!(out, "{text:^width$}")?,
                    }
                }
            }
        }
        out.write_char('\n')
    }
}

impl<S, N> FormatEvent<S, N> for Pattern
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = Line {
            metadata: event.metadata(),
            message: &(said.message + &said.fields),
            seconds: since.as_secs(),
            nanos: since.subsec_nanos(),
        };
        self.write(&mut out, &line)
    }
}

/// The message, then the fields as `name=value`.
#[derive(Debug, Default)]
struct Said {
    message: String,
    fields: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// One line to write.
struct Line<'a> {
    metadata: &'a Metadata<'a>,
    message: &'a str,
    /// Since 1970.
    seconds: u64,
    nanos: u32,
}

impl Line<'_> {
    fn flag(&self, flag: char, out: &mut dyn Write) -> fmt::Result {
        match flag {
            'v' => out.write_str(self.message),
            '_' => out.write_str(&self.message.replace('\n', "\\n")),
            'j' => {
                let quoted = serde_json::Value::from(self.message).to_string();
                out.write_str(quoted.get(1..quoted.len() - 1).unwrap_or_default())
            }
            'l' => out.write_str(level(*self.metadata.level())),
            'L' => out.write_str(
                level(*self.metadata.level()).get(..1).unwrap_or_default().to_uppercase().as_str(),
            ),
            'n' => out.write_str(self.metadata.logger()),
            't' => write!(out, "{}", rustix::thread::gettid().as_raw_nonzero()),
            'P' => write!(out, "{}", std::process::id()),
            'g' => out.write_str(self.metadata.file().unwrap_or_default()),
            's' => out
                .write_str(self.metadata.file().and_then(|file| file.rsplit('/').next()).unwrap_or_default()),
            '#' => write!(out, "{}", self.metadata.line().unwrap_or_default()),
            '@' => {
                let (file, line) = (self.metadata.file(), self.metadata.line());
                write!(out, "{}:{}", file.unwrap_or_default(), line.unwrap_or_default())
            }
            '!' => out.write_str(self.metadata.target()),
            '%' => out.write_char('%'),
            '+' => {
                self.flags("Y-m-d T.e", out)?;
                write!(
                    out,
                    " [{}] [{}] {}",
                    self.metadata.logger(),
                    level(*self.metadata.level()),
                    self.message
                )
            }
            'z' => out.write_str("+00:00"),
            'E' => write!(out, "{}", self.seconds),
            'e' => write!(out, "{:03}", self.nanos / 1_000_000),
            'f' => write!(out, "{:06}", self.nanos / 1000),
            'F' => write!(out, "{:09}", self.nanos),
            'T' | 'X' => self.flags("H:M:S", out),
            'R' => self.flags("H:M", out),
            'r' => self.flags("I:M:S p", out),
            'D' | 'x' => self.flags("m/d/y", out),
            'c' => self.flags("a b d T Y", out),
            _ => self.part_of_time(flag, out),
        }
    }

    /// Flags without their per cent signs.
    fn flags(&self, flags: &str, out: &mut dyn Write) -> fmt::Result {
        flags
            .chars()
            .try_for_each(|c| if c.is_ascii_alphabetic() { self.flag(c, out) } else { out.write_char(c) })
    }

    fn part_of_time(&self, flag: char, out: &mut dyn Write) -> fmt::Result {
        let (year, month, day) = date(self.seconds / 86_400);
        let of_day = self.seconds % 86_400;
        let hour = of_day / 3600;
        let month_name = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
        let day_name = DAYS.get((self.seconds / 86_400 % 7) as usize).copied().unwrap_or_default();
        match flag {
            'Y' => write!(out, "{year}"),
            'y' => write!(out, "{:02}", year % 100),
            'm' => write!(out, "{month:02}"),
            'd' => write!(out, "{day:02}"),
            'H' => write!(out, "{hour:02}"),
            'I' => write!(out, "{:02}", (hour + 11) % 12 + 1),
            'p' => out.write_str(if hour < 12 { "AM" } else { "PM" }),
            'M' => write!(out, "{:02}", of_day / 60 % 60),
            'S' => write!(out, "{:02}", of_day % 60),
            'b' => out.write_str(month_name.get(..3).unwrap_or_default()),
            'B' => out.write_str(month_name),
            'a' => out.write_str(day_name.get(..3).unwrap_or_default()),
            'A' => out.write_str(day_name),
            // Colours, names of arguments, times since the line before: nothing here.
            _ => Ok(()),
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that the leap day is a year's last: 400 of them are an era.
    let since = days + 719_468;
    let (era, day) = (since / 146_097, since % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pattern: &str, message: &str, seconds: u64) -> String {
        struct Callsite;
        impl tracing::callsite::Callsite for Callsite {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &Metadata<'_> {
                unreachable!("nobody asks")
            }
        }
        static CALLSITE: Callsite = Callsite;
        let fields = tracing::field::FieldSet::new(&[], tracing::callsite::Identifier(&CALLSITE));
        let metadata = Metadata::new(
            "",
            "mimir_mirror::mirror::send",
            Level::WARN,
            Some("src/mirror/send/mod.rs"),
            Some(7),
            None,
            fields,
            tracing::metadata::Kind::EVENT,
        );
        let line = Line { metadata: &metadata, message, seconds, nanos: 123_456_789 };
        let mut out = String::new();
        Pattern::parse(pattern).unwrap().write(&mut out, &line).unwrap();
        out
    }

    #[test]
    fn envoys_default_is_written_as_envoy_writes_it() {
        let text = written("[%Y-%m-%d %T.%e][%l][%n] [%g:%#] %v", "lost", 1_792_805_115);
        assert_eq!(text, "[2026-10-24 01:25:15.123][warning][mirror] [src/mirror/send/mod.rs:7] lost\n");
    }

    #[test]
    fn json_and_widths() {
        let text = written(r#"{"level":"%l","time":"%E","message":"%j"}"#, "a \"b\"\nc", 5);
        assert_eq!(text, "{\"level\":\"warning\",\"time\":\"5\",\"message\":\"a \\\"b\\\"\\nc\"}\n");
        assert_eq!(written("%10l|%-10l|%=9l|%L|%%|%^%$", "", 0), "   warning|warning   | warning |W|%|\n");
        assert_eq!(
            written("%c %r %F %f", "", 951_782_400 + 46_800),
            "Tue Feb 29 13:00:00 2000 01:00:00 PM 123456789 123456\n"
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert!(Pattern::parse("%").is_err());
        assert!(Pattern::parse("%q").is_err());
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_782), (2026, 11, 25));
    }
}
