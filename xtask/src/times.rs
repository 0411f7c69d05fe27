//! Where the minutes of a test run went: by test file, and the slowest tests, from the report that nextest leaves.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::shell;

/// Rows of each table.
const ROWS: usize = 12;

fn report() -> PathBuf {
    shell::root().join("target/nextest/default/junit.xml")
}

/// Removes the report of an earlier run.
pub(crate) fn forget() {
    let _ = fs::remove_file(report());
}

/// Prints both tables, if there is a report. The times are sums over tests that ran side by side.
pub(crate) fn print() {
    let Ok(report) = fs::read_to_string(report()) else {
        return;
    };
    let cases: Vec<Case> = report.split("<testcase ").skip(1).filter_map(Case::read).collect();
    let mut files = BTreeMap::<String, (usize, f64)>::new();
    for case in &cases {
        let (count, seconds) = files.entry(case.file()).or_default();
        *count += 1;
        *seconds += case.seconds;
    }
    let total: f64 = cases.iter().map(|case| case.seconds).sum();
    println!("\n{} tests took {:.1} minutes, one beside the other. By file:", cases.len(), total / 60.0);
    let files = files.into_iter().map(|(file, (count, seconds))| (seconds, format!("{file} ({count})")));
    print_longest(files.collect());
    println!("The slowest tests:");
    print_longest(
        cases.iter().map(|case| (case.seconds, format!("{} {}", case.binary, case.name))).collect(),
    );
}

fn print_longest(mut rows: Vec<(f64, String)>) {
    rows.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    for (seconds, what) in rows.into_iter().take(ROWS) {
        println!("{seconds:8.1} s  {what}");
    }
}

/// One test.
#[derive(Debug, PartialEq)]
struct Case {
    binary: String,
    name: String,
    seconds: f64,
}

impl Case {
    /// From what stands behind `<testcase `.
    fn read(text: &str) -> Option<Self> {
        let tag = text.split('>').next()?;
        // With a blank before, so that `classname` is not taken for `name`.
        let tag = format!(" {tag}");
        let attribute =
            |name: &str| Some(tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.to_owned());
        let seconds = attribute("time")?.parse().ok()?;
        Some(Self { binary: attribute("classname")?, name: attribute("name")?, seconds })
    }

    /// Its binary, and of `tests/` the file, which is a module there.
    fn file(&self) -> String {
        match self.name.split_once("::") {
            Some((module, _)) if self.binary.ends_with("::contract") => format!("{} {module}", self.binary),
            _ => self.binary.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_whatever_the_order_of_its_attributes() {
        let text = "name=\"dns::a\" classname=\"p::contract\" timestamp=\"x\" time=\"1.250\">\n</testcase>";
        let case = Case::read(text).unwrap();
        assert_eq!(
            (case.name.as_str(), case.seconds, case.file().as_str()),
            ("dns::a", 1.25, "p::contract dns")
        );
        let text = "time=\"2\" classname=\"p\" name=\"b::c\" />";
        assert_eq!(Case::read(text).unwrap().file(), "p");
        assert_eq!(Case::read("name=\"b\""), None);
    }
}
