//! The Debian package: what is in it, that it installs, and that its unit's command serves.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::place::{folder, program, root, said, validate};

/// Builds the package of the program at hand.
fn build(out: &Path) -> PathBuf {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let printed =
        said(xtask.args(["deb", "--uncompressed", "--binary"]).arg(program()).arg("--out").arg(out));
    PathBuf::from(printed.trim())
}

/// Installs it into a folder with dpkg, whose records are in there too.
fn dpkg(system: &Path, arguments: &[&str], package: &Path) {
    let force = ["--force-not-root", "--force-depends", "--force-script-chrootless"];
    let mut dpkg = Command::new("dpkg");
    let log = system.join("dpkg.log");
    dpkg.arg(format!("--root={}", system.display())).arg(format!("--log={}", log.display())).args(force);
    // It insists on its helpers in sbin.
    said(dpkg.args(arguments).arg(package).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
}

fn system(name: &str) -> PathBuf {
    let system = folder(name);
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(system.join(folder)).unwrap();
    }
    fs::write(system.join("var/lib/dpkg/status"), "").unwrap();
    system
}

#[test]
fn it_holds_what_it_says() {
    let package = build(&folder("deb-inspect"));
    let fields = said(Command::new("dpkg-deb").arg("-I").arg(&package));
    for field in ["Package: mimir-mirror", "Architecture: a", "Depends: ", "conffiles", "postinst"] {
        assert!(fields.contains(field), "{field} in {fields}");
    }
    assert!(!fields.contains('@') || !fields.contains("@VERSION@"), "{fields}");
    let list = said(Command::new("dpkg-deb").arg("-c").arg(&package));
    let has = |mode: &str, path: &str| {
        let line =
            list.lines().find(|line| line.ends_with(path)).unwrap_or_else(|| panic!("{path} in {list}"));
        assert!(line.starts_with(mode) && line.contains(" root/root "), "{line}");
    };
    has("-rwxr-xr-x", " ./usr/bin/mimir-mirror");
    has("-rw-r--r--", " ./etc/mimir-mirror/mimir-mirror.yaml");
    has("-rw-r--r--", " ./usr/lib/systemd/system/mimir-mirror.service");
    has("-rw-r--r--", " ./usr/share/doc/mimir-mirror/copyright");
    has("-rw-r--r--", " ./usr/share/doc/mimir-mirror/docs/configuration.md");
    has("drwxr-xr-x", " ./usr/share/mimir-mirror/prometheus/");
    validate("deb", &fs::read_to_string(root().join("packaging/debian/mimir-mirror.yaml")).unwrap());
}

/// The value of a key of the unit.
fn of_the_unit(system: &Path, key: &str) -> String {
    let unit = fs::read_to_string(system.join("usr/lib/systemd/system/mimir-mirror.service")).unwrap();
    let found = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("{key} in {unit}")).to_owned()
}

/// Stops what it holds.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The installed program as the unit starts it, with the package's own configuration but for the ports.
fn start(system: &Path, ports: [u16; 2]) -> (Running, UnixDatagram) {
    let config = system.join("etc/mimir-mirror/mimir-mirror.yaml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("0.0.0.0:9900", &format!("127.0.0.1:{}", ports[0]));
    fs::write(&config, text.replace("127.0.0.1:9901", &format!("127.0.0.1:{}", ports[1]))).unwrap();
    let line = of_the_unit(system, "ExecStart");
    let inside = |word: &str| {
        if word.starts_with('/') { format!("{}{word}", system.display()) } else { word.to_owned() }
    };
    let words: Vec<String> = line.split(' ').map(inside).collect();
    let notify = system.join("notify");
    let told = UnixDatagram::bind(&notify).unwrap();
    told.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let log = fs::File::create(system.join("log")).unwrap();
    let child =
        Command::new(&words[0]).args(&words[1..]).env("NOTIFY_SOCKET", notify).stderr(log).spawn().unwrap();
    (Running(child), told)
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_installs_serves_and_goes_without_a_trace() {
    let system = system("deb-install");
    let package = build(&folder("deb-build"));
    dpkg(&system, &["--install"], &package);
    assert_eq!(of_the_unit(&system, "Type"), "notify");
    let ports = [free_port(), free_port()];
    let (mut running, told) = start(&system, ports);
    let mut state = [0; 64];
    let length = told.recv(&mut state).unwrap_or_else(|e| {
        panic!("no READY=1: {e}\n{}", fs::read_to_string(system.join("log")).unwrap_or_default())
    });
    assert_eq!(&state[..length], b"READY=1");
    assert!(get(ports[1], "/ready").contains("LIVE"));
    assert!(get(ports[0], "/").starts_with("HTTP/1.1 503"), "its example primary does not exist");
    assert!(said(Command::new("kill").arg("-TERM").arg(running.0.id().to_string())).is_empty());
    assert!(running.0.wait().unwrap().success());
    // What a mirror has not had yet outlives the package, until it is purged.
    let backlog = system.join("var/lib/mimir-mirror/mimir-secondary");
    fs::create_dir_all(&backlog).unwrap();
    let name = Path::new("mimir-mirror");
    dpkg(&system, &["--remove"], name);
    assert!(!system.join("usr/bin/mimir-mirror").exists() && backlog.exists());
    assert!(system.join("etc/mimir-mirror/mimir-mirror.yaml").exists());
    dpkg(&system, &["--purge"], name);
    assert!(!backlog.exists() && !system.join("etc/mimir-mirror").exists());
}

/// Needs systemd's own tool, which is on any Debian but for containers; says so where it is missing.
#[test]
#[allow(clippy::print_stderr, reason = "why nothing was tested")]
fn systemd_takes_the_units_and_finds_them_confined() {
    let has =
        |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !has("systemd-analyze") {
        eprintln!("skipped: no systemd-analyze");
        return;
    }
    let system = folder("systemd");
    let units = system.join("etc/systemd/system");
    fs::create_dir_all(&units).unwrap();
    fs::create_dir_all(system.join("usr/bin")).unwrap();
    for unit in ["mimir-mirror.service", "mimir-mirror.socket"] {
        fs::copy(root().join("packaging/systemd").join(unit), units.join(unit)).unwrap();
    }
    fs::copy(program(), system.join("usr/bin/mimir-mirror")).unwrap();
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.arg(format!("--root={}", system.display())).args(arguments).output().unwrap()
    };
    // Other units are not in this folder: what it says of lines of ours counts.
    let verified = analyze(&["verify", "mimir-mirror.service", "mimir-mirror.socket"]);
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours = said.lines().filter(|line| line.contains("/mimir-mirror.s") && line.contains(':'));
    let wrong: Vec<&str> = ours.filter(|line| line.contains("Unknown") || line.contains("nvalid")).collect();
    assert!(wrong.is_empty(), "{said}");
    let security = analyze(&["security", "--offline=true", "--threshold=20", "mimir-mirror.service"]);
    assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
}
