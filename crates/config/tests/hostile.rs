//! No text makes the decoder panic, hang or eat memory.

#![allow(clippy::expect_used, reason = "test code outside of #[test] functions")]

use config::convert::{to_envoy_v3, to_native};
use config::{load_str, model};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

const EXAMPLES: [&str; 5] = [
    include_str!("../../../examples/envoy-v2.yaml"),
    include_str!("../../../examples/envoy-v3.yaml"),
    include_str!("../../../examples/minimal.yaml"),
    include_str!("../../../examples/native-full.yaml"),
    include_str!("../../../examples/native-durable.yaml"),
];

/// Pieces that mean something to YAML, to the decoder, or to neither.
const PIECES: [&str; 40] = [
    "",
    " ",
    "\n",
    "\t",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a ",
    "!!str ",
    "!x ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "#",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "? ",
    "<<: *a\n",
    "null",
    "~",
    "no",
    "-1",
    "1e400",
    "0x1F",
    "99999999999999999999",
    "15s",
    "256MiB",
    "\u{feff}",
    "\u{85}",
    "é\u{1F600}",
    "\r\n",
    "\r",
    "\0",
    "\\u0000",
];

/// One change to a text.
#[derive(Debug, Clone)]
enum Edit {
    /// Cut so many characters from here.
    Cut(prop::sample::Index, usize),
    /// Put a piece here.
    Put(prop::sample::Index, usize),
    /// Repeat so many characters from here, so many times.
    Repeat(prop::sample::Index, usize, usize),
    /// Replace the value of a line.
    Value(prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 1_usize..40).prop_map(|(at, length)| Edit::Cut(at, length)),
        (at(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Put(at, piece)),
        (at(), 1_usize..60, 1_usize..4).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        (at(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Value(at, piece)),
    ]
}

fn apply(text: &str, edit: &Edit) -> String {
    let characters: Vec<char> = text.chars().collect();
    let part = |from: usize, to: usize| -> String {
        characters.iter().skip(from).take(to.saturating_sub(from)).collect()
    };
    let length = characters.len();
    match edit {
        Edit::Cut(at, count) => {
            let at = at.index(length + 1);
            part(0, at) + &part(at + count, length)
        }
        Edit::Put(at, piece) => {
            let at = at.index(length + 1);
            part(0, at) + PIECES[*piece] + &part(at, length)
        }
        Edit::Repeat(at, count, times) => {
            let at = at.index(length + 1);
            part(0, at) + &part(at, (at + count).min(length)).repeat(*times) + &part(at, length)
        }
        Edit::Value(line, piece) => {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let index = line.index(lines.len().max(1));
            if let Some(line) = lines.get_mut(index)
                && let Some((key, _)) = line.split_once(": ")
            {
                *line = format!("{key}: {}", PIECES[*piece]);
            }
            lines.join("\n")
        }
    }
}

/// Loads, renders, converts: whatever happens, it is a value. A conversion without remarks loses nothing.
fn exercise(text: &str) {
    let config = match load_str("hostile", text) {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.first_line().is_empty());
            return;
        }
    };
    for converted in [to_native(&config), to_envoy_v3(&config)].into_iter().flatten() {
        let after = load_str("converted", &converted).expect("a converted file loads");
        let shape = |config: &model::Config| {
            // Whether the file was Envoy's changes nothing on loopback; elsewhere there is a remark.
            let mut admin = config.admin.clone();
            admin.iter_mut().for_each(|admin| admin.access.envoy = false);
            format!("{:?}{:?}{:?}{:?}", admin, config.listeners, config.clusters, config.mirrors)
        };
        if !converted.contains("\n# Not the same") {
            assert_eq!(shape(&after), shape(&config), "{converted}");
        }
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 1500,
        rng_seed: RngSeed::Fixed(0x6d69_6d69_7220_3031),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn mutated_examples(example in 0..EXAMPLES.len(), edits in prop::collection::vec(edit(), 1..6)) {
        let text = edits.iter().fold(EXAMPLES[example].to_owned(), |text, edit| apply(&text, edit));
        exercise(&text);
    }

    #[test]
    fn heaps_of_pieces(pieces in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        exercise(&text);
        exercise(&format!("primary: http://a\nmirrors:\n  - url: {text}\n"));
    }
}

#[test]
fn large_and_nested_texts() {
    let texts = [
        "[".repeat(1 << 20),
        "{a: ".repeat(1 << 18),
        "- ".repeat(1 << 19),
        "a: &a x\n".repeat(1 << 16),
        format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(1 << 14), "*a,".repeat(1 << 16)),
        (0..60_000).map(|n| format!("k{n}: {n}\n")).collect(),
        format!("{{{}}}", (0..60_000).map(|n| format!("\"é{n}\": 1,")).collect::<String>()),
        "? ".repeat(1 << 19),
        "\"".repeat(1 << 20),
        "primary: ".to_owned() + &"é".repeat(1 << 18),
        "static_resources:\n  clusters:\n".to_owned() + &"    - name: a\n".repeat(1 << 15),
        "static_resources:\n  listeners: [{}]\n  clusters:\n".to_owned()
            + &(0..1 << 14).map(|n| format!("    - name: c{n}\n")).collect::<String>(),
    ];
    for text in texts {
        assert!(text.len() <= 1 << 20, "{} bytes are refused for their size alone", text.len());
        exercise(&text);
    }
}
