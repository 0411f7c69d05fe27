//! `mimir-mirror demo`: what it says, plain where nobody asked for colours, and what its exit code means.

use std::process::{Command, Stdio};

use crate::dsl::proxy::Program;

const ESCAPE: char = '\u{1b}';

/// What the demo prints and how it ends; on a terminal of util-linux' `script` or into a pipe.
fn demo(terminal: bool, no_color: bool) -> (String, Option<i32>) {
    let program = Program::MimirMirror.command();
    let arguments = ["demo", "--seconds", "4", "--script", "1:h,2:g"];
    let mut command = if terminal {
        let mut script = Command::new("script");
        let line = format!("{} {}", program.get_program().to_string_lossy(), arguments.join(" "));
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        script
    } else {
        let mut plain = program;
        plain.args(arguments);
        plain
    };
    command.env_remove("NO_COLOR").envs(no_color.then_some(("NO_COLOR", "1"))).stdin(Stdio::null());
    let output = command.output().expect("the demo runs");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[test]
fn the_demo_explains_what_is_seen_and_ends_with_a_verdict() {
    let (said, code) = demo(false, false);
    assert!(!said.contains(ESCAPE), "{said}");
    for part in [
        "the sender gets the primary's answer",
        "open it in a browser",
        "  p50 p99 ",
        "Press  s slow   h hang ",
        "-> the secondary reads requests and answers none: copies wait, the primary's answers do not",
        "-> the secondary is well again: what waited is delivered, in order",
        "verdict: both clusters hold the same series and samples.",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert_eq!(code, Some(0), "{said}");
    let rows = said.lines().filter(|line| line.matches(" | ").count() == 3);
    assert!(rows.clone().count() >= 4, "{said}");
    rows.for_each(|row| assert!(row.len() <= 80, "{row}"));
}

#[test]
fn the_demo_is_coloured_on_a_terminal_unless_that_is_not_wanted() {
    let (said, _) = demo(true, false);
    assert!(said.contains("\u{1b}[32msame "), "{said}");
    let (said, _) = demo(true, true);
    assert!(!said.contains(ESCAPE) && said.contains(" | same "), "{said}");
}
