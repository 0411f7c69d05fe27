//! Links between the repository's Markdown files and to its other files: the file exists, and the heading too.
//!
//! Addresses on the web are not fetched: a check must not depend on somebody else's server.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::TextFile;

/// One finding for each link of a Markdown file that leads nowhere.
pub(super) fn broken(root: &Path, files: &[TextFile]) -> Vec<String> {
    let pages: Vec<&TextFile> = files.iter().filter(|file| file.extension() == "md").collect();
    let anchors: HashMap<&Path, HashSet<String>> =
        pages.iter().map(|page| (page.path.as_path(), anchors(&page.content))).collect();
    let mut findings = Vec::new();
    for page in pages {
        for (line, link) in links(&page.content) {
            if let Some(what) = fault(root, page, &anchors, &link) {
                findings.push(page.finding(line, format!("link to {link}: {what}")));
            }
        }
    }
    findings
}

fn fault(
    root: &Path,
    page: &TextFile,
    anchors: &HashMap<&Path, HashSet<String>>,
    link: &str,
) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.path.clone(),
        file => match normal(&page.path.with_file_name("").join(file)) {
            Some(target) => target,
            None => return Some("outside the repository"),
        },
    };
    match anchors.get(target.as_path()) {
        Some(headings) => (!anchor.is_empty() && !headings.contains(anchor)).then_some("no such heading"),
        None => (!root.join(&target).exists()).then_some("no such file"),
    }
}

/// A path without `.` and `..`; `None` when it leads out of the repository.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            _ => return None,
        }
    }
    Some(normal)
}

fn parser(markdown: &str) -> Parser<'_> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES)
}

/// Every link and image with its line.
fn links(markdown: &str) -> Vec<(usize, String)> {
    parser(markdown)
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let before = markdown.get(..range.start).unwrap_or_default();
                Some((before.matches('\n').count() + 1, dest_url.into_string()))
            }
            _ => None,
        })
        .collect()
}

/// The anchors of a page's headings, by the rules GitHub renders with.
fn anchors(markdown: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut heading: Option<String> = None;
    for event in parser(markdown) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            (Event::End(TagEnd::Heading(_)), Some(text)) => {
                let slug = slug(text);
                let count = seen.entry(slug.clone()).or_default();
                anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                *count += 1;
                heading = None;
            }
            _ => {}
        }
    }
    anchors
}

fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => character.is_alphanumeric().then_some(character),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, content: &str) -> TextFile {
        TextFile { path: path.into(), content: content.to_owned() }
    }

    /// The crate's own folder stands for a repository: its files exist.
    fn check(files: &[TextFile]) -> Vec<String> {
        broken(Path::new(env!("CARGO_MANIFEST_DIR")), files)
    }

    #[test]
    fn links_that_resolve_are_silent() {
        let text = "# A `b`, c\n# A `b`, c\n[web](https://example.org) [x](src/main.rs) [y](./src)\n\
                    [h](#a-b-c) [second](#a-b-c-1) [code](src/main.rs#L3)\n`[no](link)`\n";
        assert_eq!(check(&[page("README.md", text)]), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_named() {
        let text = "\n[a](nowhere.md)\n[b](#nothing) ![c](../../etc/passwd)\n[d][d]\n\n[d]: src/none.rs\n";
        assert_eq!(
            check(&[page("src/main.rs", ""), page("README.md", text)]),
            [
                "README.md:2: link to nowhere.md: no such file",
                "README.md:3: link to #nothing: no such heading",
                "README.md:3: link to ../../etc/passwd: outside the repository",
                "README.md:4: link to src/none.rs: no such file",
            ]
        );
    }

    #[test]
    fn headings_of_other_pages_are_checked() {
        let pages =
            [page("docs/a.md", "## The *way*\n"), page("b.md", "[a](docs/a.md#the-way) [b](docs/a.md#x)\n")];
        assert_eq!(check(&pages), ["b.md:1: link to docs/a.md#x: no such heading"]);
    }
}
