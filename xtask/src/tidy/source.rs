//! Rules for single files: length, a module's opening sentence, white space.

use super::TextFile;

/// A file with more lines has more than one job.
const LINES_MAX: usize = 400;
/// From here on a file is named in the output, as the next one to split.
const LINES_LONG: usize = 300;

pub(super) fn length(file: &TextFile, long: &mut Vec<String>) -> Option<String> {
    let lines = file.content.lines().count();
    if lines > LINES_MAX {
        return Some(file.finding(lines, format!("{lines} lines, at most {LINES_MAX}: split it by job")));
    }
    if lines > LINES_LONG {
        long.push(format!("{} has {lines} lines (limit {LINES_MAX})", file.path.display()));
    }
    None
}

pub(super) fn module_documentation(file: &TextFile) -> Option<String> {
    let first = file.content.lines().next().unwrap_or_default();
    let says_something = first.strip_prefix("//!").is_some_and(|rest| !rest.trim().is_empty());
    (!says_something).then(|| file.finding(1, "does not open with `//!`: what this module does and why"))
}

pub(super) fn white_space(file: &TextFile) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in file.content.split('\n').enumerate() {
        let number = index + 1;
        if line.contains('\t') {
            findings.push(file.finding(number, "tab"));
        }
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(file.finding(number, "white space at the end of the line"));
        }
    }
    if !file.content.is_empty() && !file.content.ends_with('\n') {
        findings.push(file.finding(file.content.lines().count(), "no line end at the end of the file"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> TextFile {
        TextFile { path: "src/a.rs".into(), content: content.to_owned() }
    }

    #[test]
    fn a_module_says_what_it_is_for() {
        assert_eq!(module_documentation(&file("//! Reads.\n")), None);
        for silent in ["", "//!\n//! Reads.\n", "use std::fs;\n//! Reads.\n"] {
            assert!(module_documentation(&file(silent)).is_some(), "{silent:?}");
        }
    }

    #[test]
    fn long_files_are_named_and_longer_ones_refused() {
        let mut long = Vec::new();
        assert_eq!(length(&file(&"//\n".repeat(300)), &mut long), None);
        assert!(long.is_empty());
        assert_eq!(length(&file(&"//\n".repeat(400)), &mut long), None);
        assert_eq!(long, ["src/a.rs has 400 lines (limit 400)"]);
        assert!(length(&file(&"//\n".repeat(401)), &mut long).is_some());
    }

    #[test]
    fn white_space_is_reported_with_its_line() {
        assert_eq!(white_space(&file("a\n\nb\n")), Vec::<String>::new());
        assert_eq!(
            white_space(&file("a \n\tb\nc")),
            [
                "src/a.rs:1: white space at the end of the line",
                "src/a.rs:2: tab",
                "src/a.rs:3: no line end at the end of the file"
            ]
        );
    }
}
