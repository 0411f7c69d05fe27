//! `docs/fields/README.md`: how many fields work, differ and are refused, by message.

use std::fmt::Write;

use super::page::{Page, Verdict};

fn count(page: &Page, verdict: Verdict) -> usize {
    page.rows.iter().filter(|row| row.verdict == verdict).count()
}

const VERDICTS: [Verdict; 3] = [Verdict::Works, Verdict::Differs, Verdict::Refused];

/// One line, for other pages.
pub(super) fn headline(pages: &[Page]) -> String {
    let [works, differs, refused] =
        VERDICTS.map(|verdict| pages.iter().map(|page| count(page, verdict)).sum::<usize>());
    let all = works + differs + refused;
    format!(
        "Of the {all} fields of these messages of Envoy 1.40, **{works} work**, **{differs} differ** and \
         **{refused} are refused**."
    )
}

/// The page.
pub(super) fn text(pages: &[Page]) -> String {
    let mut out = format!(
        "# Every field of an Envoy file\n\n\
         {}\n\n\
         - *works*: as in Envoy. The row names the scenario (`file::function` in `tests/differential`) that runs it\n  \
         on both.\n\
         - *differs*: taken, and means something else; the row says what, and names the scenario that holds it.\n\
         - *refused*: the file is not taken; the message has file, line, column and a remedy.\n\n\
         A test puts every example into a file and holds the verdict against the program. This page is counted by\n\
         `cargo xtask docs`.\n\n\
         | Message | works | differs | refused |\n|---|---|---|---|\n",
        headline(pages)
    );
    for page in pages {
        let [works, differs, refused] = VERDICTS.map(|verdict| count(page, verdict));
        let _ = writeln!(out, "| [{}]({}.md) | {works} | {differs} | {refused} |", page.title, page.slug);
    }
    out
}
