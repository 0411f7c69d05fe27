//! Who may ask the admin, and what: by where it binds, by the form of the file, with a token, with certificates.

use std::net::{Ipv4Addr, SocketAddr};

use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::tls::{Authority, Certificate, TlsClient};
use crate::dsl::{Client, Config, Proxy, Reply, Request, Upstream, until};

const TOKEN: &str = "t0ken-of-the-admin";

/// A proxy whose admin binds to the network, with these lines and flags more.
async fn open(config: Config, lines: &str, flags: &[&str]) -> Proxy {
    let text = |listen: SocketAddr, admin: SocketAddr| {
        config.text(listen, (Ipv4Addr::UNSPECIFIED, admin.port()).into()) + lines
    };
    Proxy::on_text(Program::MimirMirror.command(), text, flags).await
}

async fn both() -> (Upstream, Upstream) {
    (Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await)
}

async fn ask(proxy: &Proxy, method: &str, target: &str, token: Option<&str>) -> u16 {
    let mut request = Request::new(method, target).header("connection", "close");
    if method == "POST" {
        request = request.body("");
    }
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    Client::once(proxy.admin, &request).await.status()
}

#[tokio::test]
async fn the_native_form_on_the_network_only_reads() {
    let (primary, mirror) = both().await;
    let config = || Config::native().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = open(config(), "", &[]).await;
    for target in ["/mirrors/pause", "/healthcheck/fail", "/quitquitquit"] {
        assert_eq!(ask(&proxy, "POST", target, None).await, 403, "{target}");
    }
    assert_eq!(ask(&proxy, "GET", "/stats", None).await, 200);
    assert_eq!(ask(&proxy, "GET", "/ready", None).await, 200);
    for (lines, flags) in [("\nadmin_writes: true\n", &[][..]), ("", &["--admin-writes"])] {
        let proxy = open(config(), lines, flags).await;
        assert_eq!(ask(&proxy, "POST", "/mirrors/pause", None).await, 200);
    }
}

#[tokio::test]
async fn an_envoy_file_opens_what_envoy_opens_and_no_more() {
    let (primary, mirror) = both().await;
    let config = || Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = open(config(), "", &[]).await;
    assert_eq!(ask(&proxy, "POST", "/healthcheck/fail", None).await, 200);
    assert_eq!(ask(&proxy, "POST", "/mirrors/pause", None).await, 403);
    let proxy = open(config(), "", &["--admin-writes"]).await;
    assert_eq!(ask(&proxy, "POST", "/mirrors/pause", None).await, 200);
}

#[tokio::test]
async fn a_token_opens_the_admin_to_whoever_has_it() {
    let (primary, mirror) = both().await;
    let dir = Dir::new("token");
    let file = dir.write("token", &format!("{TOKEN}\n")).display().to_string();
    let native = Config::native().primary(primary.address()).mirror("secondary", mirror.address());
    let envoy = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let line = format!("\nadmin_token_file: {file}\n");
    let flags = ["--admin-token-file", &file];
    for proxy in [open(native, &line, &[]).await, open(envoy, "", &flags).await] {
        assert_eq!(ask(&proxy, "GET", "/ready", None).await, 200);
        assert_eq!(ask(&proxy, "GET", "/stats", None).await, 401);
        assert_eq!(ask(&proxy, "GET", "/stats", Some("another")).await, 401);
        assert_eq!(ask(&proxy, "POST", "/mirrors/pause", None).await, 401);
        assert_eq!(ask(&proxy, "GET", "/stats", Some(TOKEN)).await, 200);
        assert_eq!(ask(&proxy, "POST", "/mirrors/pause", Some(TOKEN)).await, 200);
        let dump = Request::get("/config_dump").header("authorization", format!("Bearer {TOKEN}"));
        let dump = Client::once(proxy.admin, &dump.header("connection", "close")).await.text();
        assert!(!dump.contains(TOKEN) && !proxy.process.stderr().contains(TOKEN));
    }
}

fn keep(dir: &Dir, name: &str, certificate: &Certificate) {
    dir.write(&format!("{name}.crt"), &certificate.pem);
    dir.write(&format!("{name}.key"), &certificate.key);
}

#[tokio::test]
async fn certificates_open_the_admin_to_whoever_has_one() {
    let (ca, other, dir) = (Authority::new("ca"), Authority::new("other"), Dir::new("admin-tls"));
    let client = ca.issue(&["operator.test"]);
    keep(&dir, "tls", &ca.issue(&["admin.test"]));
    dir.write("ca.crt", &ca.pem());
    let (ports, path) = ([Port::reserve(), Port::reserve()], dir.path().display());
    let (listen, admin) = (ports[0].address(), ports[1].address());
    let file = dir.write(
        "config.yaml",
        &format!(
            "listen: {listen}\nadmin: {admin}\nprimary: http://127.0.0.1:1\n\
             admin_tls: {{ cert: {path}/tls.crt, key: {path}/tls.key, client_ca: {path}/ca.crt }}\n"
        ),
    );
    let mut command = Program::MimirMirror.command();
    command.arg("-c").arg(file);
    let _process = Process::spawn("proxy", command, Dir::new("proxy"));
    let known = Request::get("/server_info").header("connection", "close");
    let asked = TlsClient::asking_for("admin.test").showing(&client).offering(&["h2", "http/1.1"]);
    let (said, answer) = until("the admin over TLS", async || asked.ask(admin, &known).await.ok()).await;
    assert_eq!((answer.status(), said.as_str()), (200, "DNSName(admin.test) http/1.1 TLSv1_3"));
    let stranger = TlsClient::asking_for("admin.test").showing(&other.issue(&["operator.test"]));
    for refused in [TlsClient::asking_for("admin.test"), stranger] {
        assert!(refused.ask(admin, &known).await.is_err());
    }
    assert!(
        Client::connect(admin).await.attempt(&known.bytes()).await.0.is_none(),
        "plain HTTP was answered"
    );
    // A new certificate is shown without a restart.
    keep(&dir, "tls", &ca.issue(&["renewed.test"]));
    until("the new certificate", async || {
        let (said, _) = asked.ask(admin, &known).await.ok()?;
        said.contains("renewed.test").then_some(())
    })
    .await;
}
