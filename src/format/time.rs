//! Times as text, in UTC.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use config::model::{TimeFormat, TimePiece};

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
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const DAY: u64 = 86_400;

/// A moment in parts.
struct Parts {
    unix: u64,
    nanos: u32,
    year: u64,
    /// From 1.
    month: usize,
    day: u64,
    /// From 1.
    day_of_year: u64,
}

impl Parts {
    /// Times before 1970 count as 1970.
    fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (unix, nanos) = (since.as_secs(), since.subsec_nanos());
        let mut days = unix / DAY;
        let mut year = 1970;
        while days >= days_of(year) {
            days -= days_of(year);
            year += 1;
        }
        let day_of_year = days + 1;
        let mut month = 1;
        while days >= days_in(year, month) {
            days -= days_in(year, month);
            month += 1;
        }
        Self { unix, nanos, year, month, day: days + 1, day_of_year }
    }

    fn hour(&self) -> u64 {
        self.unix % DAY / 3600
    }

    fn piece(&self, out: &mut String, piece: &TimePiece) -> fmt::Result {
        let hour = self.hour();
        match piece {
            TimePiece::Literal(text) => out.write_str(text),
            TimePiece::Year => write!(out, "{}", self.year),
            TimePiece::YearOfCentury => write!(out, "{:02}", self.year % 100),
            TimePiece::Month => write!(out, "{:02}", self.month),
            TimePiece::Day => write!(out, "{:02}", self.day),
            TimePiece::DayBlank => write!(out, "{:2}", self.day),
            TimePiece::Hour => write!(out, "{hour:02}"),
            TimePiece::Hour12 => write!(out, "{:02}", (hour + 11) % 12 + 1),
            TimePiece::HalfOfDay => out.write_str(if hour < 12 { "AM" } else { "PM" }),
            TimePiece::Minute => write!(out, "{:02}", self.unix % 3600 / 60),
            TimePiece::Second => write!(out, "{:02}", self.unix % 60),
            TimePiece::DayOfYear => write!(out, "{:03}", self.day_of_year),
            TimePiece::MonthShort => out.write_str(short(MONTHS.get(self.month - 1))),
            TimePiece::MonthLong => out.write_str(MONTHS.get(self.month - 1).unwrap_or(&"")),
            TimePiece::WeekdayShort => out.write_str(short(self.weekday())),
            TimePiece::WeekdayLong => out.write_str(self.weekday().unwrap_or(&"")),
            TimePiece::Unix => write!(out, "{}", self.unix),
            TimePiece::Fraction(digits) => {
                let digits = usize::from(*digits);
                let nanos = format!("{:09}", self.nanos);
                out.write_str(nanos.get(..digits).unwrap_or(&nanos))
            }
            TimePiece::Offset => out.write_str("+0000"),
            TimePiece::Zone => out.write_str("UTC"),
        }
    }

    fn weekday(&self) -> Option<&'static &'static str> {
        WEEKDAYS.get(usize::try_from(self.unix / DAY % 7).unwrap_or_default())
    }
}

fn short(name: Option<&&'static str>) -> &'static str {
    name.and_then(|name| name.get(..3)).unwrap_or_default()
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_in(year: u64, month: usize) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A moment in a format.
pub(super) fn write(format: &TimeFormat, time: SystemTime) -> String {
    let parts = Parts::of(time);
    let mut out = String::with_capacity(32);
    for piece in &format.0 {
        // Writing to a String cannot fail.
        let _ = parts.piece(&mut out, piece);
    }
    out
}
