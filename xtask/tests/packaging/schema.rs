//! The JSON Schema for editors agrees with the program: on every example, on every key, on what is wrong.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place::{folder, program, python, root, said};

/// Verdicts of the schema on the documents that come as a list on standard input.
const JUDGE: &str = "
import json, sys, jsonschema
validator = jsonschema.Draft202012Validator(json.load(open('schema/mimir-mirror.schema.json')))
print(json.dumps([validator.is_valid(document) for document in json.load(sys.stdin)]))
";
/// YAML, a file each, as a list of JSON documents.
const READ: &str =
    "import json, sys, yaml; print(json.dumps([yaml.safe_load(open(file)) for file in sys.argv[1:]]))";

/// Every key there is, each with a value that does not contradict the others.
fn every_key() -> Value {
    json!({
        "primary": { "url": "https://127.0.0.1:8443", "tls": { "verify": false, "min_version": "1.3", "server_name": "a" } },
        "listen": "127.0.0.1:9900",
        "admin": "127.0.0.1:9901",
        "admin_writes": true,
        "timeout": "15s",
        "max_connection_age": "1h",
        "access_log": [{ "path": "stdout", "format": "%START_TIME%", "omit_empty": true }, { "path": "a.log", "json": { "m": "%MIRROR%" } }],
        "mirrors": [{
            "url": "http://127.0.0.1:8081", "name": "a", "requests": "all", "copy_admin": true, "percent": 12.5,
            "timeout": "5s", "max_request": "1MiB", "buffer": 4_194_304, "max_age": "1.5m", "max_connections": 8,
            "max_copies": "100", "order": "none", "when": "answered", "delivery": "durable",
            "backlog": {
                "path": "backlog", "max_bytes": "1GiB", "max_age": "1h", "sync": "always", "before_answer": "5ms",
                "credentials": "keep", "max_attempts": 3
            },
            "headers": { "set": { "x-a": "b" }, "remove": ["cookie"] },
            "auth": { "username": "a", "password": "b" },
            "access_log": { "path": "stderr" }
        }, {
            "url": "https://127.0.0.1:8082", "name": "b", "tls": { "verify": "chain" },
            "auth": { "bearer": "${MIMIR_MIRROR_TEST_UNSET:-token}" }, "backlog": {}, "delivery": "durable"
        }]
    })
}

/// Keys that name files, which would have to be there: in the schema they are like their neighbours.
const FILES: [&str; 10] = [
    "ca",
    "cert",
    "key",
    "client_ca",
    "require_client_certificate",
    "password_file",
    "bearer_file",
    "file",
    "admin_token_file",
    "admin_tls",
];

fn judged(documents: &[Value]) -> Vec<bool> {
    let mut python = python();
    python.args(["-c", JUDGE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(documents).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the program says of a document: nothing if it takes it.
fn refused(document: &Value) -> Option<String> {
    let file = folder("schema").join("mimir-mirror.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let mut command = Command::new(program());
    let output = command.args(["--mode", "validate", "-c"]).arg(&file).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The paths of all values, as JSON pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| pointers(value, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

/// All keys of a document, wherever they stand; names of headers and of log fields are nobody's keys.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.insert(key.clone());
            if !matches!(key.as_str(), "set" | "json") {
                keys(value, found);
            }
        }),
        Value::Array(items) => items.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

/// All keys of the schema: what stands in its `properties`.
fn schema_keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let properties = map.get("properties").and_then(Value::as_object);
            found.extend(properties.into_iter().flat_map(|properties| properties.keys().cloned()));
            map.values().for_each(|value| schema_keys(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| schema_keys(value, found)),
        _ => {}
    }
}

fn schema() -> Value {
    let text = std::fs::read_to_string(root().join("schema/mimir-mirror.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_example_is_taken_by_both() {
    let examples = ["minimal", "native-full", "native-durable"].map(|name| format!("examples/{name}.yaml"));
    let packaged = ["packaging/debian/mimir-mirror.yaml", "packaging/compose/mimir-mirror.yaml"];
    let files = examples.iter().map(String::as_str).chain(packaged);
    let documents: Vec<Value> = serde_json::from_str(&said(python().args(["-c", READ]).args(files))).unwrap();
    assert_eq!(judged(&documents), vec![true; documents.len()]);
}

#[test]
fn every_key_is_known_to_both_and_documented() {
    let document = every_key();
    assert_eq!((judged(std::slice::from_ref(&document)), refused(&document)), (vec![true], None));
    let (mut here, mut there) =
        (BTreeSet::from(FILES.map(str::to_owned)), BTreeSet::from(["address".to_owned()]));
    keys(&document, &mut here);
    here.insert("address".to_owned());
    schema_keys(&schema(), &mut there);
    assert_eq!(here, there, "left: this test's document, right: the schema");
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    for key in there {
        assert!(
            page.contains(&format!("`{key}`")) || page.contains(&format!(".{key}`")),
            "{key} is not documented"
        );
    }
}

/// Adds a key that nobody knows to every map, and puts a map in place of every other value.
#[test]
fn what_is_wrong_is_wrong_to_both() {
    let document = every_key();
    let mut places = Vec::new();
    pointers(&document, "", &mut places);
    let mut wrong = Vec::new();
    for place in places {
        let mut changed = document.clone();
        match changed.pointer_mut(&place).unwrap() {
            // Any header, and any field of a line, may stand there.
            Value::Object(_) if place.ends_with("/set") || place.ends_with("/json") => continue,
            Value::Object(map) => drop(map.insert("nobody_knows".to_owned(), json!(1))),
            value => *value = json!({ "nonsense": { "a": [] } }),
        }
        wrong.push((place, changed));
    }
    let documents: Vec<Value> = wrong.iter().map(|(_, document)| document.clone()).collect();
    for ((place, document), taken) in wrong.iter().zip(judged(&documents)) {
        // A field of an access log's line may be a map.
        if place.contains("/json/") {
            continue;
        }
        assert!(!taken, "the schema takes nonsense at {place}");
        assert!(refused(document).is_some(), "the program takes nonsense at {place}");
    }
}
