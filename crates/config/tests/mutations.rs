//! Damaged files of the kind that people have: whatever is done to them, reading ends soon, in a value or a message.
//!
//! The seeds are fixed, so that every run reads the same texts. `MUTATIONS=100000` reads so many of each file.

#![allow(clippy::expect_used, clippy::panic, reason = "test code outside of #[test] functions")]

use std::path::Path;
use std::time::{Duration, Instant};

use config::convert::{to_envoy_v3, to_native};
use config::load_str;

/// Far above what any text of these sizes takes: beyond it something does not end, or grows with a power.
const LIMIT: Duration = Duration::from_secs(20);
/// For the whole test process, texts included.
const MEMORY: u64 = 1 << 30;

/// Marsaglia's xorshift: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).expect("below a usize")
    }
}

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus");
    let entries = std::fs::read_dir(folder).expect("tests/corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("a text")).collect()
}

/// Reads a text, and prints what it means, in all forms there are.
fn read(text: &str, what: &str) {
    let begun = Instant::now();
    match load_str("damaged.yaml", text) {
        Ok(config) => {
            // A configuration that cannot be said in a form is an error with reasons.
            let _ = (to_native(&config), to_envoy_v3(&config));
        }
        Err(error) => assert!(!error.first_line().is_empty(), "{what}: no message"),
    }
    assert!(begun.elapsed() < LIMIT, "{what} took {:?}", begun.elapsed());
}

fn assert_memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let kib: u64 = line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    assert!(kib * 1024 < MEMORY, "reading took {kib} KiB");
}

/// What a damaged byte becomes, most often: what means something to YAML.
const BYTES: &[u8] = b"{}[]:,-?&*!|>'\"%@`#\n\r\t \0\x7f\x80\xff0az~<=";

fn damaged(texts: &[String], own: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = own.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let byte = BYTES.get(random.below(BYTES.len())).copied().unwrap_or(0);
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            2 => {
                if let Some(place) = bytes.get_mut(at) {
                    *place ^= 1 << random.below(8);
                }
            }
            3 => {
                let end = (at + random.below(80)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + random.below(200)).min(bytes.len());
                let part = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                // The end of another file, from anywhere in it.
                let other = texts.get(random.below(texts.len())).map_or(&[][..], |text| text.as_bytes());
                let from = other.get(random.below(other.len())..).unwrap_or_default();
                bytes.truncate(at);
                bytes.extend_from_slice(from);
            }
        }
    }
    bytes
}

#[test]
fn damaged_files() {
    let count = std::env::var("MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(60_usize);
    let (texts, mut random) = (corpus(), Random(0x6d69_6d69_7220_3032));
    for (file, own) in texts.iter().enumerate() {
        for round in 0..count {
            let bytes = damaged(&texts, own, &mut random);
            read(&String::from_utf8_lossy(&bytes), &format!("round {round} of file {file}"));
        }
    }
    assert_memory();
}

/// Every file, cut off at every line, and after every colon.
#[test]
fn cut_off_files() {
    for (file, text) in corpus().iter().enumerate().step_by(6) {
        let cuts = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'\n' | b':' | b'"'));
        for (at, _) in cuts {
            read(text.get(..=at).unwrap_or_default(), &format!("file {file} cut at {at}"));
        }
    }
}

/// Each value replaced by every kind that is not meant.
#[test]
fn values_of_other_kinds() {
    let kinds =
        ["", "~", "{}", "[]", "[[]]", "{ a: b }", "-1", "1e999", "0x1f", "true", "\"\\ud800\"", "!!binary a"];
    for (file, text) in corpus().iter().enumerate().step_by(4) {
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some((key, _)) = line.split_once(": ") else { continue };
            let kind = kinds.get((number + file) % kinds.len()).unwrap_or(&"");
            let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            all.splice(number..=number, [format!("{key}: {kind}")]);
            read(&all.join("\n"), &format!("line {number} of file {file} as {kind}"));
        }
    }
}

/// A name for each level, each ten times the one before.
fn bomb(levels: usize, list: bool) -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..levels {
        let before = format!("*a{}", level - 1);
        let all = if list {
            format!("[{}]", vec![before; 10].join(", "))
        } else {
            let entries: Vec<_> = (0..10).map(|key| format!("k{key}: {before}")).collect();
            format!("{{ {} }}", entries.join(", "))
        };
        text.push_str(&format!("a{level}: &a{level} {all}\n"));
    }
    text
}

#[test]
fn bombs_of_aliases_are_refused() {
    for levels in [6, 9, 30] {
        for list in [true, false] {
            let text = bomb(levels, list) + "static_resources: *a5\n";
            read(&text, &format!("a bomb of {levels} levels"));
            assert!(load_str("bomb.yaml", &text).is_err());
        }
    }
    let merged = "a: &a { b: c }\n".to_owned() + &"x: &x { <<: *a, <<: *x }\n".repeat(1000);
    read(&merged, "merge keys");
    read("a: &a [*a]\n", "a list in itself");
    read("static_resources: &s { listeners: *s, clusters: *s }\n", "a map in itself");
    assert_memory();
}

#[test]
fn depths_and_lengths() {
    let long = "x".repeat(1 << 19);
    let texts = [
        format!("admin: {}{}", "{ address: ".repeat(20_000), "}".repeat(20_000)),
        format!("static_resources: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        (0..20_000).map(|depth| format!("{}a:\n", " ".repeat(depth % 300))).collect(),
        format!("node: {{ id: {long} }}"),
        format!("{long}: 1\n"),
        format!("admin: \"{}\"", "\\u0000".repeat(1 << 16)),
        format!(
            "node: {{ metadata: {{ {} }} }}",
            (0..20_000).map(|n| format!("k{n}: {n}, ")).collect::<String>()
        ),
        format!("admin: |\n{}", "  x\n".repeat(1 << 17)),
        "!!map ".repeat(10_000) + "{}",
        "&a ".repeat(10_000) + "x",
        format!("--- {}", "--- x\n".repeat(10_000)),
    ];
    for (number, text) in texts.iter().enumerate() {
        read(text, &format!("text {number}"));
    }
    assert_memory();
}
