//! The command line: every flag of Envoy's, on Envoy and on ours, with the same exit code and the same words.

use std::process::Command;

use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

/// The flags that a case adds to `--mode validate -c FILE`, its exit code, and words that both print when it is not 0.
const VALIDATED: [(&str, i32, &str); 66] = [
    ("", 0, ""),
    ("-l debug", 0, ""),
    ("-l warn", 0, ""),
    ("-l critical", 0, ""),
    ("-l foo", 1, "invalid log level specified 'foo'"),
    ("--log-level WARN", 1, "invalid log level specified 'WARN'"),
    ("--component-log-level router:debug,upstream:trace,lua:info,hc:off", 0, ""),
    ("--component-log-level nope:debug", 1, "invalid component specified 'nope'"),
    ("--component-log-level router:nope", 1, "invalid log level specified 'nope'"),
    ("--component-log-level router", 1, "component log level not correctly specified 'router'"),
    ("--component-log-level router:debug,", 1, "component log level not correctly specified ''"),
    ("--enable-fine-grain-logging", 0, ""),
    (
        "--enable-fine-grain-logging --component-log-level router:debug",
        1,
        "--component-log-level will not work with --enable-fine-grain-logging",
    ),
    ("--log-format %v", 0, ""),
    ("--log-format [%Y-%m-%dT%T.%e][%t][%l][%n][%g:%#]%v", 0, ""),
    ("--log-format-escaped", 0, ""),
    ("--log-path /nonexistent/directory/log", 0, ""),
    ("--log-stacktrace-single-entry", 0, ""),
    ("--concurrency 0", 0, ""),
    ("--concurrency 3", 0, ""),
    ("--concurrency x", 1, "--concurrency"),
    ("--cpuset-threads", 0, ""),
    ("--service-node n --service-cluster c --service-zone z", 0, ""),
    ("--service-node", 1, ""),
    ("--drain-time-s 3", 0, ""),
    ("--drain-time-s x", 1, "--drain-time-s"),
    ("--drain-strategy gradual", 0, ""),
    ("--drain-strategy immediate", 0, ""),
    ("--drain-strategy foo", 1, "unknown drain-strategy"),
    ("--admin-address-path admin-address", 0, ""),
    ("--allow-unknown-fields", 0, ""),
    ("--allow-unknown-static-fields", 0, ""),
    ("--reject-unknown-dynamic-fields", 0, ""),
    ("--ignore-unknown-dynamic-fields", 0, ""),
    ("--skip-deprecated-logs", 0, ""),
    ("--local-address-ip-version v4", 0, ""),
    ("--local-address-ip-version v6", 0, ""),
    ("--local-address-ip-version v5", 1, "unknown IP address version 'v5'"),
    ("--file-flush-interval-msec 100", 0, ""),
    ("--file-flush-min-size-kb 1", 0, ""),
    ("--disable-extensions envoy.filters.http/envoy.filters.http.lua", 0, ""),
    ("--enable-core-dump", 0, ""),
    ("--enable-mutex-tracing", 0, ""),
    ("--stats-tag a:b --stats-tag c:d", 0, ""),
    ("--stats-tag a", 1, "misformatted stats-tag 'a'"),
    ("--stats-tag a-b:c", 1, "misformatted stats-tag 'a-b:c' contains invalid char in 'a-b'"),
    ("--stats-tag a:b.c", 1, "misformatted stats-tag 'a:b.c' contains invalid char in 'b.c'"),
    ("--base-id 3 --restart-epoch 1", 0, ""),
    ("--base-id x", 1, "--base-id"),
    ("--base-id-path base-id", 0, ""),
    ("--use-dynamic-base-id", 0, ""),
    ("--use-dynamic-base-id --restart-epoch 1", 1, "cannot use --restart-epoch=1 with --use-dynamic-base-id"),
    ("--disable-hot-restart", 0, ""),
    ("--socket-path @foo", 0, ""),
    ("--socket-mode 600", 0, ""),
    ("--parent-shutdown-time-s 3", 0, ""),
    ("--parent-shutdown-time-s x", 1, "--parent-shutdown-time-s"),
    ("--skip-hot-restart-on-no-parent", 0, ""),
    ("--skip-hot-restart-parent-stats", 0, ""),
    ("--restart-epoch x", 1, "--restart-epoch"),
    ("--no-such-flag", 1, "--no-such-flag"),
    ("argument", 1, "argument"),
    ("-- ignored", 0, ""),
    ("--config-yaml {}", 0, ""),
    ("--config-yaml {nope:1}", 1, "nope"),
    ("--config-yaml {nope:1} --allow-unknown-static-fields", 0, ""),
];

/// Exit code and both outputs.
fn run(mut command: Command, dir: &Dir, flags: &[&str]) -> (Option<i32>, String, String) {
    let output = command.args(flags).current_dir(dir.path()).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Envoy without the flags that the tests give it otherwise.
fn bare(program: Program) -> Command {
    Command::new(program.command().get_program())
}

#[test]
fn each_flag_ends_as_with_envoy() {
    let dir = Dir::new("flags");
    let text =
        Config::envoy().primary(nowhere()).text(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
    dir.write("config.yaml", &text);
    let both = [Program::Envoy, Program::MimirMirror];
    for (case, code, words) in VALIDATED {
        // YAML needs a blank where the table separates arguments.
        let flags: Vec<_> =
            case.split_ascii_whitespace().map(|flag| flag.replace("{nope:", "{nope: ")).collect();
        let mut all = vec!["--mode", "validate", "-c", "config.yaml"];
        all.extend(flags.iter().map(String::as_str));
        for program in both {
            let (ended, out, err) = run(bare(program), &dir, &all);
            assert_eq!(ended, Some(code), "{program:?} {case}: {err}");
            assert_eq!(
                out.contains("configuration 'config.yaml' OK\n"),
                code == 0,
                "{program:?} {case}: {out}"
            );
            // Both continue lines in their own way.
            let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(err.contains(words), "{program:?} {case}: {err}");
        }
    }
}

#[test]
fn each_way_to_ask_for_less_than_a_proxy_ends_as_with_envoy() {
    let dir = Dir::new("flags");
    let both = [Program::Envoy, Program::MimirMirror];
    for (flags, code, words) in [
        (&["--mode", "foo"][..], 1, "unknown mode 'foo'"),
        (&[], 1, "At least one of --config-path or --config-yaml or "),
        (&["-c", "nope.yaml"], 1, "Invalid path: nope.yaml"),
    ] {
        for program in both {
            let (ended, out, err) = run(bare(program), &dir, flags);
            assert_eq!((ended, out.as_str()), (Some(code), ""), "{program:?} {flags:?}: {err}");
            assert!(err.contains(words), "{program:?} {flags:?}: {err}");
        }
    }
    for program in both {
        let (code, out, err) = run(bare(program), &dir, &["--version"]);
        let name = bare(program).get_program().to_string_lossy().into_owned();
        assert_eq!((code, err.as_str()), (Some(0), ""), "{program:?}");
        // `\nNAME  version: SOURCE/VERSION/STATE/BUILD/TLS\n\n`
        let version =
            out.strip_prefix(&format!("\n{name}  version: ")).and_then(|rest| rest.strip_suffix("\n\n"));
        assert_eq!(version.map(|version| version.split('/').count()), Some(5), "{program:?}: {out:?}");
        for flags in [&["--hot-restart-version"][..], &["--hot-restart-version", "--disable-hot-restart"]] {
            let (code, out, err) = run(bare(program), &dir, flags);
            assert_eq!(
                (code, out.as_str(), err.lines().count()),
                (Some(0), "", 1),
                "{program:?} {flags:?}: {err}"
            );
            assert_eq!(err.trim_end() == "disabled", flags.len() > 1, "{program:?} {flags:?}: {err}");
        }
        let (code, out, _) = run(bare(program), &dir, &["--help"]);
        assert!(code == Some(0) && out.contains("--config-path"), "{program:?}: {out}");
    }
}

#[test]
fn init_only_binds_and_resolves_and_ends() {
    for program in [Program::Envoy, Program::MimirMirror] {
        let dir = Dir::new("flags");
        let (first, second) = (Port::reserve(), Port::reserve());
        let text = Config::envoy().primary(nowhere()).text(first.address(), second.address());
        dir.write("config.yaml", &text);
        let (code, _, err) = run(program.command(), &dir, &["--mode", "init_only", "-c", "config.yaml"]);
        assert_eq!(code, Some(0), "{program:?}: {err}");
    }
}

#[test]
fn a_log_file_that_cannot_be_opened_is_refused() {
    for program in [Program::Envoy, Program::MimirMirror] {
        let dir = Dir::new("flags");
        let (first, second) = (Port::reserve(), Port::reserve());
        dir.write("config.yaml", &Config::envoy().primary(nowhere()).text(first.address(), second.address()));
        let flags = ["-c", "config.yaml", "--log-path", "/nonexistent/directory/log"];
        let (code, _, err) = run(program.command(), &dir, &flags);
        assert_eq!(code, Some(1), "{program:?}: {err}");
        let words = "Failed to open log-file '/nonexistent/directory/log'";
        assert!(err.contains(words), "{program:?}: {err}");
    }
}

#[test]
fn ignored_fields_are_named() {
    let dir = Dir::new("flags");
    let text =
        Config::envoy().primary(nowhere()).text(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
    dir.write("config.yaml", &format!("x-anything: {{a: 1}}\n{text}"));
    let validate = ["--mode", "validate", "-c", "config.yaml"];
    let (code, ..) = run(bare(Program::MimirMirror), &dir, &validate);
    assert_eq!(code, Some(1));
    for flag in ["--allow-unknown-fields", "--allow-unknown-static-fields"] {
        let (code, _, err) = run(bare(Program::MimirMirror), &dir, &[&validate[..], &[flag]].concat());
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("config.yaml:1:1: x-anything: no such field; it is ignored"), "{err}");
    }
}

/// A link of another name, as in an image whose command is `envoy`.
#[test]
fn it_runs_under_any_name() {
    let dir = Dir::new("flags");
    let link = dir.path().join("envoy");
    std::os::unix::fs::symlink(Program::MimirMirror.command().get_program(), &link).unwrap();
    let (code, out, _) = run(Command::new(&link), &dir, &["--version"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with(&format!("\n{}  version: mimir-mirror/", link.display())), "{out}");
}

#[tokio::test]
async fn what_flags_say_is_seen_from_outside() {
    for program in [Program::Envoy, Program::MimirMirror] {
        let primary = Upstream::answering(Reply::ok()).await;
        let dir = Dir::new("flags");
        let (file, log) = (dir.path().join("admin-address"), dir.path().join("log"));
        let (file_name, log_name) = (file.display().to_string(), log.display().to_string());
        let flags = [
            "--admin-address-path",
            &file_name,
            "--log-path",
            &log_name,
            "--log-format",
            "<%n|%l> %v",
            "--component-log-level",
            "main:info",
            "--stats-tag",
            "site:north",
            "--service-zone",
            "z9",
        ];
        let proxy = Proxy::launch(program, &Config::envoy().primary(primary.address()), &flags).await;
        assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), proxy.admin.to_string(), "{program:?}");
        let metrics = proxy.admin_get("/stats/prometheus?filter=server.live").await.text();
        assert!(metrics.contains("envoy_server_live{site=\"north\"} 1"), "{program:?}: {metrics}");
        let info: serde_json::Value =
            serde_json::from_str(&proxy.admin_get("/server_info").await.text()).unwrap();
        let options = &info["command_line_options"];
        assert_eq!(options["log_format"], "<%n|%l> %v", "{program:?}");
        assert_eq!(options["component_log_level"], "main:info", "{program:?}");
        assert_eq!(options["service_zone"], "z9", "{program:?}");
        assert_eq!(options["stats_tag"], serde_json::json!(["site:north"]), "{program:?}");
        assert_eq!(info["node"]["locality"]["zone"], "z9", "{program:?}");
        // The log can be moved away.
        let moved = dir.path().join("log.1");
        std::fs::rename(&log, &moved).unwrap();
        proxy.process.signal("USR1");
        until("the log's new file", async || log.exists().then_some(())).await;
        // Which Envoy ignores with a warning.
        proxy.process.signal("HUP");
        until("a line in the new file", async || {
            std::fs::read_to_string(&log)
                .is_ok_and(|text| text.contains("|warning> ") || text.contains("|info> "))
                .then_some(())
        })
        .await;
        let lines = std::fs::read_to_string(&moved).unwrap();
        assert!(lines.lines().any(|line| line.starts_with("<main|info> ")), "{program:?}: {lines}");
    }
}

#[tokio::test]
async fn levels_change_by_component() {
    for program in [Program::Envoy, Program::MimirMirror] {
        let primary = Upstream::answering(Reply::ok()).await;
        let proxy = Proxy::launch(program, &Config::envoy().primary(primary.address()), &[]).await;
        for (target, status, words) in [
            ("/logging", 200, "active loggers:\n"),
            ("/logging?router=debug", 200, "\n  router: debug\n"),
            ("/logging?paths=upstream:trace,admin:error,lua:info", 200, "\n  upstream: trace\n"),
            ("/logging", 200, "\n  admin: error\n"),
            ("/logging?level=off", 200, "\n  http2: off\n"),
            ("/logging?level=loud", 400, "error: unknown logger level\n\nusage: /logging?<name>=<level>"),
            ("/logging?nope=info", 400, "error: unknown logger name\n"),
            ("/logging?paths=router", 400, "error: empty logger name or empty logger level\n"),
            ("/logging?level=info&router=info", 400, "error: invalid number of parameters\n"),
            (
                "/logging?group=a:info",
                400,
                "error: group parameter requires fine-grain logging to be enabled\n",
            ),
        ] {
            let answer = proxy.admin_post(target).await;
            assert_eq!(answer.status(), status, "{program:?} {target}");
            assert!(answer.text().contains(words), "{program:?} {target}: {}", answer.text());
        }
    }
}

/// Of a configuration that nobody runs.
fn nowhere() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 1).into()
}
