//! `cargo xtask deb`: a Debian package, with dpkg-deb alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use walkdir::WalkDir;

use super::binary::Program;
use crate::shell;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The program to package [default: builds target/release/mimir-mirror]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where the package goes
    #[arg(long, value_name = "DIR", default_value = "target/debian")]
    out: PathBuf,
    /// Larger, and sooner there: for tests
    #[arg(long)]
    uncompressed: bool,
}

/// Where what comes from the repository is installed.
const FILES: &[(&str, &str)] = &[
    ("packaging/debian/mimir-mirror.yaml", "etc/mimir-mirror/mimir-mirror.yaml"),
    ("packaging/systemd/mimir-mirror.service", "usr/lib/systemd/system/mimir-mirror.service"),
    ("packaging/systemd/mimir-mirror.socket", "usr/lib/systemd/system/mimir-mirror.socket"),
    ("packaging/prometheus/rules.yaml", "usr/share/mimir-mirror/prometheus/rules.yaml"),
    ("packaging/grafana/mimir-mirror.json", "usr/share/mimir-mirror/grafana/mimir-mirror.json"),
    ("packaging/completions/mimir-mirror.bash", "usr/share/bash-completion/completions/mimir-mirror"),
    ("packaging/completions/_mimir-mirror", "usr/share/zsh/vendor-completions/_mimir-mirror"),
    ("packaging/completions/mimir-mirror.fish", "usr/share/fish/vendor_completions.d/mimir-mirror.fish"),
    ("schema/mimir-mirror.schema.json", "usr/share/mimir-mirror/mimir-mirror.schema.json"),
    ("LICENSE", "usr/share/doc/mimir-mirror/copyright"),
    ("README.md", "usr/share/doc/mimir-mirror/README.md"),
    ("CHANGELOG.md", "usr/share/doc/mimir-mirror/CHANGELOG.md"),
];
/// Folders whose files are installed too, whichever they are.
const FOLDERS: &[(&str, &str)] = &[
    ("docs", "usr/share/doc/mimir-mirror/docs"),
    ("examples", "usr/share/doc/mimir-mirror/examples"),
    ("packaging/man", "usr/share/man/man1"),
];
/// Scripts that dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Builds the package and prints its path.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => release()?,
    };
    let program = Program::read(&binary)?;
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("mimir-mirror_{version}_{}", program.architecture);
    let out = shell::root().join(&options.out);
    let tree = out.join(&name);
    let _ = fs::remove_dir_all(&tree);
    copy(&binary, &tree.join("usr/bin/mimir-mirror"), 0o755)?;
    strip(&tree.join("usr/bin/mimir-mirror"), &program)?;
    for (from, to) in FILES {
        copy(&shell::root().join(from), &tree.join(to), 0o644)?;
    }
    for (from, to) in FOLDERS {
        copy_folder(&shell::root().join(from), &tree.join(to))?;
    }
    control(&tree, &program)?;
    open_folders(&tree)?;
    let package = out.join(format!("{name}.deb"));
    let compression = if options.uncompressed { "-Znone" } else { "-Zxz" };
    let build = ["--root-owner-group", compression, "--build"];
    let mut dpkg = shell::command("dpkg-deb", &build);
    shell::output(dpkg.arg(&tree).arg(&package)).context("dpkg-deb is in Debian's package dpkg")?;
    fs::remove_dir_all(&tree)?;
    println!("{}", package.display());
    Ok(())
}

fn release() -> Result<PathBuf> {
    shell::run(&mut shell::cargo(&["build", "--release", "--quiet"]))?;
    Ok(shell::root().join("target/release/mimir-mirror"))
}

/// Takes out what only debuggers read. Each machine has its own tool; without it the package is larger.
fn strip(binary: &Path, program: &Program) -> Result<()> {
    let of_machine = format!("{}-linux-gnu-strip", program.machine());
    match [of_machine.as_str(), "strip"].iter().find_map(|tool| shell::find(tool)) {
        Some(tool) => shell::output(shell::command(tool, &["--strip-unneeded"]).arg(binary)).map(drop),
        None => {
            eprintln!("no strip (Debian's binutils): the program keeps its debugging information");
            Ok(())
        }
    }
}

/// The folder DEBIAN, which is not installed.
fn control(tree: &Path, program: &Program) -> Result<()> {
    let recipe = shell::root().join("packaging/debian");
    let installed: u64 =
        WalkDir::new(tree).into_iter().flatten().filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum();
    let text = fs::read_to_string(recipe.join("control"))?
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@ARCHITECTURE@", program.architecture)
        .replace("@INSTALLED_SIZE@", &installed.div_ceil(1024).to_string())
        .replace("@DEPENDS@", &program.depends());
    let folder = tree.join("DEBIAN");
    for script in SCRIPTS {
        copy(&recipe.join(script), &folder.join(script), 0o755)?;
    }
    copy(&recipe.join("conffiles"), &folder.join("conffiles"), 0o644)?;
    write(&folder.join("control"), text.as_bytes(), 0o644)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            copy(entry.path(), &to.join(entry.path().strip_prefix(from)?), 0o644)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    write(to, &bytes, mode)
}

fn write(to: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file stands in a folder")?)?;
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// Gives folders the permissions that Debian wants, whatever this user's umask.
fn open_folders(tree: &Path) -> Result<()> {
    for entry in WalkDir::new(tree) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}
