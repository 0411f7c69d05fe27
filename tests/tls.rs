//! TLS from outside: with curl as a client, in the native form, with certificates that change, and with a mirror whose
//! certificate is wrong. What Envoy does from the same file stands in `tests/differential`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use tokio::task::JoinSet;

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::tls::{Authority, Certificate, TlsClient};
use crate::dsl::tls_server::{Showing, TlsUpstream};
use crate::dsl::{Client, Proxy, Reply, Request, Upstream, bytes_of, until};

const LOCAL: &str = "127.0.0.1";

/// Writes `name.crt` and `name.key`, each at once.
fn keep(dir: &Path, name: &str, certificate: &Certificate) {
    for (end, text) in [("crt", &certificate.pem), ("key", &certificate.key)] {
        let (path, new) = (dir.join(format!("{name}.{end}")), dir.join(format!("{name}.{end}.new")));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &path).unwrap();
    }
}

/// Curl on a thread of its own: the servers of the test run on this one.
async fn curl(arguments: Vec<String>) -> Output {
    let run = move || std::process::Command::new("curl").args(arguments).output();
    tokio::task::spawn_blocking(run).await.unwrap().expect("curl is on this machine")
}

fn asking(name: &str, listen: SocketAddr, ca: &Path, more: &[&str]) -> Vec<String> {
    let port = listen.port();
    let mut arguments: Vec<String> =
        ["-sS", "--max-time", "20", "-w", "%{http_version} %{http_code}", "--data", "x"]
            .map(str::to_owned)
            .into();
    arguments.extend(["--cacert".to_owned(), ca.display().to_string()]);
    arguments.extend(["--resolve".to_owned(), format!("{name}:{port}:{LOCAL}")]);
    arguments.extend(more.iter().map(|one| (*one).to_owned()));
    arguments.push(format!("https://{name}:{port}/api/v1/push"));
    arguments
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// An HTTPS server for this name.
async fn behind(ca: &Authority, name: &str) -> TlsUpstream {
    let showing = Showing { certificate: ca.issue(&[name]), clients: None, alpn: vec![] };
    TlsUpstream::answering(showing, Reply::ok()).await
}

/// TLS on all three sides, in the native form, HTTP/2 and HTTP/1.1, with and without a client certificate.
#[tokio::test]
async fn native_form() {
    let (ca, dir) = (Authority::new("ca"), Dir::new("tls"));
    let (primary, mirror) = (behind(&ca, "primary.test").await, behind(&ca, "mirror.test").await);
    keep(dir.path(), "tls", &ca.issue(&["proxy.test"]));
    keep(dir.path(), "client", &ca.issue(&["client.test"]));
    let file = dir.write("ca.crt", &ca.pem());
    let path = dir.path().display();
    let text = |listen: SocketAddr, admin: SocketAddr| {
        format!(
            "listen: {{ address: '{listen}', tls: {{ cert: {path}/tls.crt, key: {path}/tls.key, client_ca: {path}/ca.crt }} }}\n\
             admin: {admin}\n\
             primary: {{ url: 'https://{}', tls: {{ ca: {path}/ca.crt, server_name: primary.test }} }}\n\
             mirrors: [{{ name: m, url: 'https://{}', tls: {{ ca: {path}/ca.crt, server_name: mirror.test, min_version: 1.3 }} }}]\n",
            primary.address(),
            mirror.address()
        )
    };
    let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &[]).await;
    let own = [format!("{path}/client.crt"), format!("{path}/client.key")];
    let shown = ["--cert", own[0].as_str(), "--key", own[1].as_str()];
    for (version, expected) in [("--http2", "2 200"), ("--http1.1", "1.1 200")] {
        let output =
            curl(asking("proxy.test", proxy.listen, &file, &[&shown[..], &[version]].concat())).await;
        assert_eq!(said(&output), expected);
    }
    let refused = curl(asking("proxy.test", proxy.listen, &file, &[])).await;
    assert!(
        !refused.status.success() && said(&refused).contains("certificate required"),
        "{}",
        said(&refused)
    );
    let other = curl(asking("other.test", proxy.listen, &file, &shown)).await;
    assert!(said(&other).contains("no alternative certificate subject name matches"), "{}", said(&other));
    assert_eq!(proxy.settled_at("m", 2).await.delivered(), 2);
    for server in [&primary, &mirror] {
        assert_eq!(server.inner.completed(), 2);
        let name = if std::ptr::eq(server, &primary) { "primary.test" } else { "mirror.test" };
        let said = server.inner.requests()[0].header("x-tls").unwrap();
        assert!(said.contains(&format!("sni={name:?}")), "{said}");
    }
}

/// A mirror with a certificate of an unknown CA, one for another name, and one that waits for plain HTTP: each copy is
/// counted, the log says why, and the primary's answers are what they are.
#[tokio::test]
async fn c2_wrong_tls_of_mirrors_is_theirs_alone() {
    const WRITES: u64 = 5;
    let (ca, other, dir) = (Authority::new("ca"), Authority::new("other"), Dir::new("tls"));
    let (unknown, misnamed) = (behind(&other, LOCAL).await, behind(&ca, "elsewhere.test").await);
    let (plain, primary) = (Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await);
    let ca = dir.write("ca.crt", &ca.pem());
    let mirror = |name: &str, to: SocketAddr| {
        format!("  - {{ name: {name}, url: 'https://{to}', tls: {{ ca: {} }} }}\n", ca.display())
    };
    let mirrors = [
        mirror("unknown", unknown.address()),
        mirror("misnamed", misnamed.address()),
        mirror("plain", plain.address()),
    ]
    .concat();
    let text = |listen: SocketAddr, admin: SocketAddr| {
        format!(
            "listen: {listen}\nadmin: {admin}\nprimary: http://{}\nmirrors:\n{mirrors}",
            primary.address()
        )
    };
    let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &[]).await;
    let mut client = proxy.client().await;
    for _ in 0..WRITES {
        assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
    }
    for (mirror, reason) in [("unknown", "tls"), ("misnamed", "tls"), ("plain", "connect_timeout")] {
        proxy.settled_at(mirror, WRITES).await;
        let labels = [("mirror", mirror), ("outcome", "failed"), ("reason", reason)];
        let failed = proxy.metrics().await.sum("mimir_mirror_requests_total", &labels);
        assert_eq!(failed, WRITES, "{mirror}");
        let line = format!("the TLS handshake failed cluster={mirror}");
        if reason == "connect_timeout" {
            continue;
        }
        until(line.clone(), async || proxy.process.stderr().contains(&line).then_some(())).await;
    }
    assert_eq!((primary.completed() as u64, plain.completed()), (WRITES, 0));
}

fn listener(dir: &Path, primary: SocketAddr) -> impl FnOnce(SocketAddr, SocketAddr) -> String {
    let path = dir.display().to_string();
    move |listen, admin| {
        format!(
            "listen: {{ address: '{listen}', tls: {{ cert: {path}/tls.crt, key: {path}/tls.key }} }}\n\
             admin: {admin}\nprimary: http://{primary}\n"
        )
    }
}

async fn shown(proxy: &Proxy) -> String {
    let client = TlsClient::asking_for("proxy.test").offering(&["http/1.1"]);
    let (said, answer) = client.ask(proxy.listen, &Request::push("x")).await.expect("the proxy goes on");
    assert_eq!(answer.status(), 200);
    said
}

/// New files, a link that is swapped as Kubernetes does, and a file that cannot be used: while a client goes on writing,
/// no request fails, and the old certificate serves until there is a better one.
#[tokio::test]
async fn certificates_are_renewed_while_clients_write() {
    let (ca, dir) = (Authority::new("ca"), Dir::new("tls"));
    let primary = Upstream::answering(Reply::ok()).await;
    for (version, name) in [("v1", "first.test"), ("v2", "second.test")] {
        std::fs::create_dir(dir.path().join(version)).unwrap();
        keep(&dir.path().join(version), "tls", &ca.issue(&[name]));
    }
    let link = |to: &str| {
        std::os::unix::fs::symlink(to, dir.path().join("new")).unwrap();
        std::fs::rename(dir.path().join("new"), dir.path().join("data")).unwrap();
    };
    link("v1");
    let data = dir.path().join("data");
    let text = listener(&data, primary.address());
    let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &[]).await;
    assert!(shown(&proxy).await.contains("first.test"));
    link("v2");
    let is_shown = async |name: &str| {
        until(format!("the certificate of {name}"), async || {
            shown(&proxy).await.contains(name).then_some(())
        })
        .await;
    };
    is_shown("second.test").await;
    // In place, the certificate before its key: for a moment the two do not belong together.
    let third = ca.issue(&["third.test"]);
    let reloads = async |result: &str| {
        proxy.metrics().await.sum("mimir_mirror_certificate_reloads_total", &[("result", result)])
    };
    std::fs::write(dir.path().join("v2/tls.crt"), &third.pem).unwrap();
    until("the refusal", async || {
        assert!(shown(&proxy).await.contains("second.test"));
        (reloads("refused").await == 1).then_some(())
    })
    .await;
    let line = "does not belong to the certificate";
    assert!(proxy.process.stderr().contains(line), "{}", proxy.process.stderr());
    std::fs::write(dir.path().join("v2/tls.key"), &third.key).unwrap();
    is_shown("third.test").await;
    assert_eq!((reloads("renewed").await, reloads("refused").await), (2, 1));
    let certs: serde_json::Value = serde_json::from_str(&proxy.admin_get("/certs").await.text()).unwrap();
    let own = &certs["certificates"][0]["cert_chain"][0];
    assert_eq!(own["subject_alt_names"][0]["dns"], "third.test", "{certs}");
    assert!(own["path"].as_str().unwrap().ends_with("data/tls.crt"), "{certs}");
}

/// A client that connects and says nothing does not stay.
#[tokio::test]
async fn handshakes_have_an_end() {
    let (ca, dir) = (Authority::new("ca"), Dir::new("tls"));
    let primary = Upstream::answering(Reply::ok()).await;
    keep(dir.path(), "tls", &ca.issue(&["proxy.test"]));
    let native = listener(dir.path(), primary.address());
    let text = |listen, admin| {
        let file = dir.write("native.yaml", &native(listen, admin));
        let mut convert = Program::MimirMirror.command();
        let output = convert.args(["convert", "--to", "envoy-v3"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.replacen("filters:", "transport_socket_connect_timeout: 0.3s\n          filters:", 1)
    };
    let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &[]).await;
    let mut silent = Client::connect(proxy.listen).await;
    assert!(silent.rest().await.is_empty());
    // Counted by the worker, which may close first.
    until("the count of the handshake that ended", async || {
        let name = "envoy_listener_downstream_cx_transport_socket_connect_timeout";
        (proxy.metrics().await.sum(name, &[]) == 1).then_some(())
    })
    .await;
    assert!(shown(&proxy).await.contains("proxy.test"));
}

/// What cannot be used is found before anything listens, and by `--mode validate`.
#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_start() {
    let (ca, dir) = (Authority::new("ca"), Dir::new("tls"));
    keep(dir.path(), "tls", &ca.issue(&["proxy.test"]));
    std::fs::write(dir.path().join("tls.key"), ca.issue(&["proxy.test"]).key).unwrap();
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let primary = "127.0.0.1:9".parse().unwrap();
    let file = dir.write("config.yaml", &listener(dir.path(), primary)(address, address));
    for flags in [&["--mode", "validate"][..], &[]] {
        let output = Program::MimirMirror.command().args(flags).arg("-c").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        assert!(
            said.contains("TLS of listener") && said.contains("does not belong to the certificate"),
            "{said}"
        );
    }
}

/// What TLS holds of a request, the socket does not tell of: those of a crowd come to their turns all the same.
#[tokio::test]
async fn a_crowd_is_served_over_tls() {
    let (ca, dir) = (Authority::new("ca"), Dir::new("tls"));
    let primary = Upstream::answering(Reply::ok()).await;
    keep(dir.path(), "tls", &ca.issue(&["proxy.test"]));
    let text = listener(dir.path(), primary.address());
    let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &["--concurrency", "1"]).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(proxy.client().await);
    }
    let (mut answers, to) = (JoinSet::new(), proxy.listen);
    for size in 0..40 {
        answers.spawn(async move {
            let client = TlsClient::asking_for("proxy.test").offering(&["http/1.1"]);
            client
                .ask(to, &Request::push(bytes_of(1 + size * 5000, 5)))
                .await
                .map(|(_, answer)| answer.status())
        });
    }
    assert!(answers.join_all().await.into_iter().all(|status| status.is_ok_and(|status| status == 200)));
}
