//! Where things are: the repository, the program, a folder for each test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in a workspace").to_owned()
}

/// The program, beside this package's own.
pub(crate) fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("mimir-mirror");
    assert!(program.is_file(), "{} is missing: run the tests of the whole workspace", program.display());
    program
}

/// The Python that `cargo xtask setup` makes.
pub(crate) fn python() -> Command {
    let python = root().join("target/tools/venv/bin/python");
    assert!(python.is_file(), "{} is missing: run `cargo xtask setup`", python.display());
    let mut command = Command::new(python);
    command.current_dir(root());
    command
}

/// An empty folder of this name.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// What the command says on standard output; it must succeed.
pub(crate) fn said(command: &mut Command) -> String {
    let output: Output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The program takes this configuration.
pub(crate) fn validate(name: &str, text: &str) {
    let file = folder(&format!("validate-{name}")).join("mimir-mirror.yaml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program());
    let variables =
        [("SECONDARY_TOKEN", "a token"), ("CREDENTIALS_DIRECTORY", "/run/credentials/mimir-mirror")];
    let answer = said(command.args(["--mode", "validate", "-c"]).arg(&file).envs(variables));
    assert!(answer.ends_with(" OK\n"), "{name}: {answer}");
}
