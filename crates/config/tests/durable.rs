//! Durable delivery in both spellings: defaults, every key, where backlogs are by default, what is warned of.

#![allow(clippy::expect_used, clippy::panic, reason = "test code outside of #[test] functions")]

use std::path::Path;
use std::time::Duration;

use config::convert::{to_envoy_v3, to_native};
use config::load_str;
use config::model::{Backlog, Config, Delivery, Sync, When};

const ENVOY: &str = include_str!("../../../examples/envoy-v3.yaml");

fn read(text: &str) -> Config {
    load_str("file", text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// One mirror in the native form, with these settings as a flow map's entries.
fn native(settings: &str) -> String {
    format!("primary: http://127.0.0.1\nmirrors: [{{ url: http://127.0.0.1:1, {settings} }}]\n")
}

/// The documented Envoy file with these settings for its mirror.
fn envoy(settings: &str) -> String {
    let metadata = format!("metadata: {{ filter_metadata: {{ mimir_mirror: {{ {settings} }} }} }}");
    let cluster = "- name: mimir_secondary\n";
    assert_eq!(ENVOY.matches(cluster).count(), 1);
    ENVOY.replace(cluster, &format!("{cluster}      {metadata}\n"))
}

fn backlog(config: &Config) -> &Backlog {
    match &config.mirrors[0].delivery {
        Delivery::Durable(backlog) => backlog,
        Delivery::Memory => panic!("not durable"),
    }
}

#[test]
fn memory_and_received_are_the_defaults() {
    for text in [native("name: a"), native("delivery: memory, when: received"), ENVOY.to_owned()] {
        let config = read(&text);
        assert_eq!(
            (&config.mirrors[0].delivery, config.mirrors[0].when),
            (&Delivery::Memory, When::Received)
        );
    }
}

#[test]
fn durable_alone_has_the_documented_defaults() {
    for (text, name) in
        [(native("name: a, delivery: durable"), "a"), (envoy("delivery: durable"), "mimir_secondary")]
    {
        let expected = Backlog {
            path: Path::new("/var/lib/mimir-mirror").join(name),
            max_bytes: 10 << 30,
            max_age: Duration::from_secs(7200),
            sync: Sync::Every(Duration::from_millis(100)),
            before_answer: Duration::ZERO,
            keep_credentials: false,
            max_attempts: 30,
        };
        assert_eq!(backlog(&read(&text)), &expected);
    }
}

#[test]
fn every_key_in_both_spellings() {
    let settings = "when: answered, delivery: durable, max_request: 1MiB, backlog: { path: \"state/ö\", \
                    max_bytes: 4MiB, max_age: 90m, sync: 1ms, before_answer: 10s, credentials: keep, max_attempts: 7 }";
    let expected = Backlog {
        path: "state/ö".into(),
        max_bytes: 4 << 20,
        max_age: Duration::from_secs(5400),
        sync: Sync::Every(Duration::from_millis(1)),
        before_answer: Duration::from_secs(10),
        keep_credentials: true,
        max_attempts: 7,
    };
    for text in [native(settings), envoy(settings)] {
        let config = read(&text);
        assert_eq!((backlog(&config), config.mirrors[0].when), (&expected, When::Answered));
        for converted in [to_native(&config), to_envoy_v3(&config)] {
            let converted = converted.expect("converts");
            let after = read(&converted);
            assert_eq!((backlog(&after), after.mirrors[0].when), (&expected, When::Answered), "{converted}");
        }
    }
}

#[test]
fn sync_and_before_answer_have_words_and_zero() {
    for (written, sync) in [("always", Sync::Always), ("never", Sync::Never)] {
        let config = read(&native(&format!("delivery: durable, backlog: {{ sync: {written} }}")));
        assert_eq!(backlog(&config).sync, sync);
        let text = to_native(&config).expect("converts");
        assert!(text.contains(&format!("backlog: {{ sync: {written} }}")), "{text}");
    }
    let zero = read(&native("delivery: durable, backlog: { before_answer: 0 }"));
    assert_eq!(backlog(&zero).before_answer, Duration::ZERO);
}

#[test]
fn conversions_leave_defaults_out() {
    let config =
        read(&native("name: a, delivery: durable, backlog: { max_bytes: 10GiB, credentials: drop }"));
    for text in [to_native(&config), to_envoy_v3(&config)] {
        let text = text.expect("converts");
        assert!(text.contains("delivery: durable") && !text.contains("backlog"), "{text}");
    }
}

#[test]
fn default_directories_are_named_after_their_mirrors() {
    for (name, directory) in [
        ("mimir-2.b_C", "mimir-2.b_C"),
        ("a/../b", "a%2F..%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("...", "..."),
        ("100%", "100%25"),
        ("é ~", "%C3%A9%20%7E"),
        ("127.0.0.1:1", "127.0.0.1%3A1"),
    ] {
        let config = read(&native(&format!("name: \"{name}\", delivery: durable")));
        let expected = Path::new("/var/lib/mimir-mirror").join(directory);
        assert_eq!(backlog(&config).path.as_os_str(), expected.as_os_str());
        assert_eq!(backlog(&read(&to_envoy_v3(&config).expect("converts"))).path, expected);
    }
    // A name that was not written is known only when all mirrors are.
    let unnamed = "primary: http://127.0.0.1\nmirrors: [{ url: http://127.0.0.1:1, delivery: durable }, \
                   { url: http://127.0.0.1:2, delivery: durable }]\n";
    let paths: Vec<String> = read(unnamed)
        .mirrors
        .iter()
        .map(|mirror| match &mirror.delivery {
            Delivery::Durable(backlog) => backlog.path.display().to_string(),
            Delivery::Memory => panic!("not durable"),
        })
        .collect();
    assert_eq!(paths, ["/var/lib/mimir-mirror/127.0.0.1%3A1", "/var/lib/mimir-mirror/127.0.0.1%3A2"]);
}

#[test]
fn a_relative_path_is_one_of_the_working_directory() {
    let here = std::env::current_dir().expect("a working directory");
    let same = |first: &str, second: &str| {
        let text = format!(
            "primary: http://127.0.0.1\nmirrors:\n  - {{ url: http://127.0.0.1:1, name: a, delivery: durable, \
             backlog: {{ path: \"{first}\" }} }}\n  - {{ url: http://127.0.0.1:2, name: b, delivery: durable, \
             backlog: {{ path: \"{second}\" }} }}\n"
        );
        load_str("file", &text).err().map(|error| error.to_string())
    };
    let absolute = here.join("state").display().to_string();
    let error = same("./state/", &absolute).expect("the same directory");
    assert!(error.contains("`a` and `b`") && error.contains(&absolute), "{error}");
    assert!(same("x/../../../../../../../../../../..", "/").is_some());
    assert_eq!(same("state", "state2"), None);
    assert_eq!(same("state", "/state"), None);
}

#[test]
fn a_mirror_that_does_not_need_the_clients_credentials_warns_of_nothing() {
    let quiet = [
        "auth: { bearer: t }",
        "headers: { remove: [Authorization] }",
        "headers: { set: { authorization: t } }",
    ];
    for settings in quiet {
        let config = read(&native(&format!("delivery: durable, {settings}")));
        assert_eq!(config.warnings, Vec::<String>::new(), "{settings}");
    }
    let kept = read(&native("delivery: durable, backlog: { credentials: keep }")).warnings;
    assert!(kept.len() == 1 && kept[0].contains("are written to disk"), "{kept:?}");
}

#[test]
fn in_an_envoy_file_every_policy_of_the_mirror_counts() {
    let remove = "request_headers_mutations: [{ remove: authorization }]";
    let with = |policies: &str| {
        let text = envoy("delivery: durable");
        let policy = "- cluster: mimir_secondary";
        assert_eq!(text.matches(policy).count(), 1);
        read(&text.replace(policy, policies)).warnings
    };
    assert_eq!(with(&format!("- {{ cluster: mimir_secondary, {remove} }}")), Vec::<String>::new());
    let line = ENVOY.lines().find(|line| line.contains("- cluster: mimir_secondary")).expect("the policy");
    let indent = line.split('-').next().expect("what stands before");
    let both =
        with(&format!("- {{ cluster: mimir_secondary, {remove} }}\n{indent}- cluster: mimir_secondary"));
    assert!(both.len() == 1 && both[0].contains("go without the client's `Authorization`"), "{both:?}");
}
