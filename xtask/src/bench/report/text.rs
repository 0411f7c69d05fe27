//! Figures and paragraphs as the page has them.

use super::super::sample::Sample;
use super::super::statistics::Summary;

/// A ratio with its range over the rounds.
pub(super) fn times(ratio: Summary) -> String {
    format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.greatest)
}

/// A figure with its range over the rounds.
pub(super) fn spread(figures: Summary, digits: usize) -> String {
    let Summary { median, least, greatest } = figures;
    format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
}

pub(super) fn megabytes_of_kib(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

/// Whether every copy of every round arrived, by count and by bytes.
pub(super) fn copies<'a>(samples: impl Iterator<Item = &'a Sample>) -> String {
    let (mut requests, mut lost, mut not_ok, mut complete) = (0, 0, 0, true);
    for sample in samples {
        requests += sample.requests;
        lost += sample.lost;
        not_ok += sample.not_ok;
        complete &= sample.complete();
    }
    if complete {
        return format!("all {requests}");
    }
    format!("**{lost} of {requests} lost, {not_ok} answers other than 200**")
}

/// Breaks a paragraph or list item at 110 columns, continuation lines of an item indented.
pub(super) fn wrap(paragraph: &str) -> String {
    let indent = if paragraph.starts_with("- ") { "  " } else { "" };
    let body = paragraph.trim_matches('\n');
    let (before, after) = paragraph.split_once(body).unwrap_or(("", "\n"));
    let mut lines = vec![String::new()];
    for word in body.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > indent.len() && line + 1 + word.chars().count() > 110 {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    format!("{before}{}{after}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_copies_stand_in_the_table() {
        let sample = |lost| Sample { lost, all_arrived: lost == 0, ..Sample::fixture(20.0) };
        assert_eq!(copies([sample(0), sample(0)].iter()), "all 2000");
        assert_eq!(copies([sample(0), sample(7)].iter()), "**7 of 2000 lost, 0 answers other than 200**");
    }

    #[test]
    fn long_items_are_wrapped_without_loss() {
        let item = format!("- {}\n", "word ".repeat(60).trim_end());
        let wrapped = wrap(&item);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 110));
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("  word")));
        assert_eq!(wrapped.split_ascii_whitespace().count(), 61);
        assert!(wrapped.ends_with("word\n"));
    }
}
