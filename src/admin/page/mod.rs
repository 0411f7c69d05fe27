//! `/`: the status page, one HTML file with its style and scripts, all in the binary. Nothing is loaded from elsewhere.
//!
//! Scripts fill it from `/api/status`. Without scripts it says the same in plain text, as of its loading, and the table
//! of all endpoints is there in any case.

use super::View;
use super::access::Rights;
use super::answer::Answer;
use super::status::words::{self, Style};

const INDEX: &str = include_str!("index.html");

/// Path, media type, content.
const PARTS: [(&str, &str, &str); 3] = [
    ("/page/parts.js", "text/javascript; charset=UTF-8", include_str!("parts.js")),
    ("/page/status.css", "text/css; charset=UTF-8", include_str!("status.css")),
    ("/page/status.js", "text/javascript; charset=UTF-8", include_str!("status.js")),
];

/// The page with its table of endpoints: rows of HTML.
pub(super) fn page(view: &View, endpoints: &str, rights: Rights) -> Answer {
    let plain = words::text(&view.watch.json(view, None, rights), Style::Plain);
    // What others may have written comes last, so that no mark in it is taken for one of ours.
    let page = INDEX.replace("{{version}}", env!("CARGO_PKG_VERSION")).replace("{{endpoints}}", endpoints);
    Answer::html(page.replace("{{plain}}", &escaped(&plain)))
}

/// What the page loads.
pub(super) fn part(path: &str) -> Option<Answer> {
    let (_, media, content) = PARTS.iter().find(|(name, ..)| *name == path)?;
    Some(Answer::file(media, *content))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    #[test]
    fn without_scripts_the_state_stands_in_the_page() {
        let mut fixture = fixture::busy();
        let mut config = (*fixture.view.config).clone();
        "<b>{{endpoints}}".clone_into(&mut config.mirrors[0].name);
        fixture.view.config = std::sync::Arc::new(config);
        let page = page(&fixture.view, "<tr></tr>", Rights::default()).body;
        assert!(page.contains("mirror &lt;b&gt;{{endpoints}}: nothing to copy yet for "), "{page}");
        assert_eq!(page.matches("<tr></tr>").count(), 1);
    }

    #[test]
    fn what_the_page_loads_is_there_and_comes_from_here() {
        for (path, ..) in PARTS {
            assert!(part(path).is_some());
            let name = path.trim_start_matches("/page/");
            let users = [INDEX, PARTS[2].2];
            assert!(users.iter().any(|text| text.contains(name)), "{path} is never loaded");
        }
        for (path, text) in PARTS.iter().map(|(path, _, text)| (*path, *text)).chain([("/", INDEX)]) {
            let foreign = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("://"), "{path} names another place");
        }
    }
}
