//! `mimir-mirror backlog inspect|drop`: what is in a backlog, and how to be rid of it, without the proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use backlog::fs::RealFs;
use backlog::inspect::inspect;
use backlog::{Backlog, NewRecord, Options, name_hash};
use serde_json::{Value, json};

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;

const MIRROR: &str = "mimir-secondary";
/// One record: its header and 1000 bytes.
const RECORD: usize = 48 + 1000;
const FILE_HEADER: usize = 64;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A backlog of this mirror, still open, with four copies of two tenants, of which one is delivered.
fn filled(dir: &Path, mirror: &str) -> Backlog {
    let (mut store, recovery) = Backlog::open(dir, Options::new(mirror), RealFs).unwrap();
    assert!(recovery.is_clean(), "{recovery:?}");
    let now = now_ms();
    for (place, tenant, minutes) in
        [(1, "team-a", 5000), (2, "team-b", 3600), (3, "team-a", 3000), (4, "team-a", 0)]
    {
        let payload: &[&[u8]] = &[&[7; 400], &[8; 600]];
        let arrival_ms = now - minutes * 60_000;
        store
            .append(&[NewRecord { place, arrival_ms, tenant: name_hash(tenant), kind: 1, payload }])
            .unwrap();
    }
    assert_eq!(store.acknowledge(&[1..=1]), 1);
    store.checkpoint().unwrap();
    store
}

/// The same, left by its process.
fn left(dir: &Path, mirror: &str) {
    filled(dir, mirror).close().unwrap();
}

fn segment(dir: &Path) -> PathBuf {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let segments: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|ending| ending == "segment")).collect();
    let [segment] = segments.as_slice() else { panic!("{segments:?}") };
    segment.clone()
}

fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Every file with its bytes.
fn everything(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = names.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

fn run(arguments: &[&str]) -> Output {
    let mut command: Command = Program::MimirMirror.command();
    command.arg("backlog").args(arguments).output().unwrap()
}

/// What it says when it succeeds.
fn says(arguments: &[&str]) -> String {
    let output = run(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()), "{text}");
    text
}

/// What it says when it fails.
fn fails(arguments: &[&str]) -> String {
    let output = run(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{text}");
    text
}

fn json_of(dir: &str, more: &[&str]) -> Value {
    let text = says(&[&["inspect", dir, "--json"], more].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The value on a line of the table.
fn line<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line[name.len()..].trim_start())
}

/// A folder for a backlog that does not exist yet, and its path.
fn folder() -> (Dir, String) {
    let dir = Dir::new("backlog");
    let path = dir.path().join("state").display().to_string();
    (dir, path)
}

#[test]
fn c9_inspect_says_what_a_process_left() {
    let (_dir, path) = folder();
    left(Path::new(&path), MIRROR);
    let before = everything(Path::new(&path));
    let text = says(&["inspect", &path, "--verify"]);
    assert_eq!(line(&text, "directory"), Some(path.as_str()));
    assert_eq!(line(&text, "mirror"), Some(format!("{:016x}", name_hash(MIRROR)).as_str()));
    assert_eq!(line(&text, "in use"), Some("no"));
    assert_eq!(line(&text, "copies"), Some("3 of 2 tenants, 2.9 KiB"));
    let oldest = line(&text, "oldest").unwrap();
    assert!(oldest.starts_with("2d 12h ago, ") && oldest.ends_with(" GMT"), "{text}");
    assert!(line(&text, "on disk").unwrap().ends_with(" in 1 segment"), "{text}");
    assert_eq!((line(&text, "checkpoint"), line(&text, "damage")), (Some("sound"), Some("none")), "{text}");
    assert!(line(&text, &format!("{:016x}", name_hash("team-a"))).unwrap().starts_with("2 "), "{text}");
    assert_eq!(everything(Path::new(&path)), before, "it changed something");
}

#[test]
fn c9_inspect_as_json_has_every_number() {
    let (_dir, path) = folder();
    left(Path::new(&path), MIRROR);
    let found = json_of(&path, &[]);
    let expected = [
        ("mirror", Value::Null),
        ("mirror_hashes", json!([format!("{:016x}", name_hash(MIRROR))])),
        ("in_use", json!(false)),
        ("verified", json!(false)),
        ("checkpoint", json!("loaded")),
        ("copies", json!(3)),
        ("payload_bytes", json!(3000)),
        ("damaged_bytes", json!(0)),
        ("unreadable_segments", json!([])),
        ("other_files", json!([])),
    ];
    for (key, value) in expected {
        assert_eq!(found[key], value, "{key} in {found}");
    }
    let between = found["newest_arrival_ms"].as_u64().unwrap() - found["oldest_arrival_ms"].as_u64().unwrap();
    assert_eq!(between, 3600 * 60_000);
    assert_eq!(found["tenants"][0]["tenant_hash"], json!(format!("{:016x}", name_hash("team-a"))));
    assert_eq!(found["tenants"][0]["copies"], json!(2));
    let segment = &found["segments"][0];
    assert_eq!((&segment["records"], &segment["copies"]), (&json!(4), &json!(3)));
    assert_eq!(found["segments"].as_array().map(Vec::len), Some(1));
}

#[test]
fn c9_inspect_works_beside_the_process_that_uses_the_directory() {
    let (_dir, path) = folder();
    let store = filled(Path::new(&path), MIRROR);
    let text = says(&["inspect", &path]);
    assert_eq!(line(&text, "in use"), Some("by a running process"));
    assert_eq!(line(&text, "copies"), Some("3 of 2 tenants, 2.9 KiB"));
    assert_eq!(json_of(&path, &["--verify"])["in_use"], json!(true));
    let refused = fails(&["drop", &path, "--yes"]);
    assert_eq!(refused, format!("backlog: {path} is in use by another process: stop the proxy first\n"));
    assert_eq!(store.stats().records, 3, "its process still has all");
}

#[test]
fn c9_damage_is_found_where_it_is_and_the_rest_counts() {
    let (_dir, path) = folder();
    left(Path::new(&path), MIRROR);
    let segment = segment(Path::new(&path));
    // In the second copy's body, which only --verify reads.
    damage(&segment, FILE_HEADER + RECORD + 500);
    let glance = says(&["inspect", &path]);
    assert_eq!(line(&glance, "damage"), Some("none in headers (--verify reads everything)"));
    let text = says(&["inspect", &path, "--verify"]);
    assert_eq!(line(&text, "damage"), Some("1.0 KiB in segment 1"));
    assert_eq!(line(&text, "copies"), Some("2 of 1 tenant, 1.9 KiB"));
    assert_eq!(json_of(&path, &["--verify"])["damaged_bytes"], json!(RECORD));
    // In the file's header: number and salt are in its name.
    damage(&segment, 20);
    let text = says(&["inspect", &path]);
    assert_eq!(line(&text, "damage"), Some("0 B in segment 1"));
    assert_eq!(says(&["drop", &path, "--yes"]), format!("dropped 2 copies from {path}\n"));
}

#[test]
fn c9_a_damaged_checkpoint_is_named() {
    let (_dir, path) = folder();
    left(Path::new(&path), MIRROR);
    damage(&Path::new(&path).join("checkpoint"), FILE_HEADER + 60);
    let text = says(&["inspect", &path]);
    assert!(line(&text, "checkpoint").unwrap().starts_with("damaged"), "{text}");
    assert_eq!(json_of(&path, &[])["checkpoint"], json!("damaged"));
    assert_eq!(says(&["drop", &path, "--yes"]), format!("dropped 3 copies from {path}\n"));
    assert_eq!(json_of(&path, &[])["checkpoint"], json!("loaded"));
}

#[test]
fn c9_drop_asks_first_and_then_leaves_nothing() {
    let (_dir, path) = folder();
    left(Path::new(&path), MIRROR);
    let before = everything(Path::new(&path));
    let asked = fails(&["drop", &path]);
    let expected = "3 copies of 2 tenants, 2.9 KiB would be dropped from";
    assert_eq!(asked, format!("backlog: {expected} {path}; with --yes they are\n"));
    assert_eq!(everything(Path::new(&path)), before, "it changed something");
    assert_eq!(says(&["drop", &path, "--yes"]), format!("dropped 3 copies from {path}\n"));
    let text = says(&["inspect", &path]);
    assert_eq!((line(&text, "copies"), line(&text, "on disk")), (Some("none"), Some("0 B in 0 segments")));
    // Whose it is stands in the checkpoint, where there are no segments.
    assert_eq!(line(&text, "mirror"), Some(format!("{:016x}", name_hash(MIRROR)).as_str()));
    let nothing = format!("nothing to drop: {path} holds no copies\n");
    assert_eq!((says(&["drop", &path]), says(&["drop", &path, "--yes"])), (nothing.clone(), nothing));
    let (store, recovery) = Backlog::open(Path::new(&path), Options::new(MIRROR), RealFs).unwrap();
    assert!(recovery.is_clean() && recovery.next_place == 5, "{recovery:?}");
    assert_eq!(store.stats().records, 0);
}

#[test]
fn c9_files_of_others_are_named_and_stay() {
    let (_dir, path) = folder();
    left(Path::new(&path), MIRROR);
    fs::write(Path::new(&path).join("notes\u{1b}[2J.txt"), "mine").unwrap();
    let text = says(&["inspect", &path]);
    assert_eq!(
        line(&text, "other file"),
        Some("notes\u{fffd}[2J.txt (not named as a backlog's files are)"),
        "{text}"
    );
    assert_eq!(json_of(&path, &[])["other_files"][0]["reason"], json!("name"));
    let dropped = says(&["drop", &path, "--yes"]);
    assert_eq!(dropped, format!("dropped 3 copies from {path}; 1 file not of this backlog stay\n"));
    assert_eq!(fs::read_to_string(Path::new(&path).join("notes\u{1b}[2J.txt")).unwrap(), "mine");
}

#[test]
fn c9_a_folder_that_is_no_backlog_is_left_as_it_is() {
    let dir = Dir::new("backlog");
    dir.write("notes.txt", "mine");
    let path = dir.path().display().to_string();
    let text = says(&["inspect", &path]);
    assert_eq!((line(&text, "mirror"), line(&text, "copies")), (Some("unknown"), Some("none")), "{text}");
    assert_eq!(says(&["drop", &path, "--yes"]), format!("nothing to drop: {path} holds no copies\n"));
    assert_eq!(everything(dir.path()).len(), 1, "it left something there");
    let missing = format!("{path}/missing");
    for action in ["inspect", "drop"] {
        let error = fails(&[action, &missing]);
        assert!(error.starts_with(&format!("backlog: cannot list {missing}: No such file")), "{error}");
    }
    assert!(!Path::new(&missing).exists());
}

#[test]
fn c9_what_a_newer_version_wrote_is_not_touched() {
    let (_dir, path) = folder();
    left(Path::new(&path), MIRROR);
    let segment = segment(Path::new(&path));
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 9;
    let sum = crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&sum.to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    let before = everything(Path::new(&path));
    for arguments in [["inspect", &path, "--verify"], ["drop", &path, "--yes"]] {
        let error = fails(&arguments);
        assert!(error.contains("has format version 9, this program reads up to 1"), "{error}");
    }
    assert_eq!(everything(Path::new(&path)), before);
}

/// The checksum of the format, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A configuration with a durable mirror whose backlog is here, and one that is not durable.
fn configuration(dir: &Dir, path: &str) -> String {
    let text = format!(
        "primary: http://127.0.0.1:1\nmirrors:\n  - {{ url: http://127.0.0.1:2, name: {MIRROR}, delivery: durable, \
         backlog: {{ path: {path} }} }}\n  - {{ url: http://127.0.0.1:3, name: other }}\n"
    );
    dir.write("config.yaml", &text).display().to_string()
}

#[test]
fn c9_a_configuration_names_the_directory_and_the_mirror() {
    let (dir, path) = folder();
    left(Path::new(&path), MIRROR);
    let file = configuration(&dir, &path);
    let text = says(&["inspect", "-c", &file, "--mirror", MIRROR]);
    let expected = format!("{MIRROR} ({:016x})", name_hash(MIRROR));
    assert_eq!(
        (line(&text, "directory"), line(&text, "mirror")),
        (Some(path.as_str()), Some(expected.as_str()))
    );
    let error = fails(&["inspect", "-c", &file, "--mirror", "other"]);
    assert_eq!(error, "backlog: the mirror `other` has no backlog: it is not set to `delivery: durable`\n");
    let error = fails(&["inspect", "-c", &file, "--mirror", "nobody"]);
    assert!(error.contains("has no mirror `nobody`, but the mirrors `mimir-secondary`, `other`"), "{error}");
    let dropped = says(&["drop", "-c", &file, "--mirror", MIRROR, "--yes"]);
    assert_eq!(dropped, format!("dropped 3 copies from {path}\n"));
}

#[test]
fn c9_another_mirrors_backlog_is_not_dropped() {
    let (dir, path) = folder();
    left(Path::new(&path), "somebody-else");
    let file = configuration(&dir, &path);
    let error = fails(&["drop", "-c", &file, "--mirror", MIRROR, "--yes"]);
    assert_eq!(error, format!("backlog: {path} is the backlog of another mirror\n"));
    assert_eq!(inspect(&RealFs, Path::new(&path), false).unwrap().segments.len(), 1);
}

#[test]
fn c9_the_command_line_names_one_backlog() {
    for arguments in [
        &["inspect"][..],
        &["drop", "--yes"],
        &["inspect", "dir", "-c", "file", "--mirror", "m"],
        &["inspect", "dir", "--mirror", "m"],
        &["inspect", "-c", "file"],
        &["inspect", "dir", "--yes"],
        &[],
    ] {
        let output = run(arguments);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let error = fails(&["inspect", "-c", "/nowhere.yaml", "--mirror", "m"]);
    assert!(error.starts_with("backlog: error initializing configuration '/nowhere.yaml': "), "{error}");
}
