//! Completions and the man page in packaging/, made of the flags themselves. A test holds that they are up to date, and
//! writes them when asked to (`cargo xtask docs`), so that the program need not carry what makes them.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Where a completion lies, as its shell wants it.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "completions/mimir-mirror.bash"),
    (Shell::Zsh, "completions/_mimir-mirror"),
    (Shell::Fish, "completions/mimir-mirror.fish"),
];

/// Every file with what must be in it.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (shell, path) in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "mimir-mirror", &mut text);
        files.push((path.to_owned(), text));
    }
    let mut command = Cli::command();
    command.build();
    pages(&command, "mimir-mirror", "mimir-mirror", &mut files);
    files
}

/// The page of a command, `name`, that is called as `call`, and those of what it can do.
fn pages(command: &Command, name: &str, call: &str, files: &mut Vec<(String, Vec<u8>)>) {
    let mut text = Vec::new();
    let page = command.clone().name(&*name.to_owned().leak()).bin_name(call);
    // The package's date would make every build another one.
    clap_mangen::Man::new(page).date("").manual("mimir-mirror").render(&mut text).unwrap();
    // What follows the flags are examples, to be shown as they are.
    let text = String::from_utf8(text).unwrap().replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n");
    files.push((format!("man/{name}.1"), text.into_bytes()));
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        let part_name = part.get_name();
        pages(part, &format!("{name}-{part_name}"), &format!("{call} {part_name}"), files);
    }
}

#[test]
fn completions_and_man_pages_are_those_of_the_flags() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    for (path, text) in files() {
        let path = folder.join(path);
        // Both have lines that end in blanks, which no file of this repository does.
        let text = String::from_utf8(text).unwrap();
        let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        if update {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "{} is not up to date: run `cargo xtask docs`", path.display());
    }
}
