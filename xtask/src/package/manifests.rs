//! `cargo xtask manifests`: packaging/kubernetes, rendered from the Helm chart, so that the two never differ.

use std::fs;

use anyhow::{Result, ensure};

use crate::{setup, shell};

const CHART: &str = "packaging/helm/mimir-mirror";
/// The manifests, and the values that the chart makes them of.
const MANIFESTS: [(&str, &[&str]); 2] =
    [("memory.yaml", &[]), ("durable.yaml", &["packaging/helm/mimir-mirror/ci/durable.yaml"])];

/// Writes them, or only tells whether they are as they should be.
pub(crate) fn run(check: bool) -> Result<()> {
    setup::run()?;
    for (name, values) in MANIFESTS {
        let path = shell::root().join("packaging/kubernetes").join(name);
        let text = format!(
            "# Rendered from packaging/helm/mimir-mirror by `cargo xtask manifests`: change it there, or take it as yours.\n{}\n",
            render(values)?
        );
        if check {
            let same = fs::read_to_string(&path).is_ok_and(|written| written == text);
            ensure!(same, "{} is not what the chart makes: run `cargo xtask manifests`", path.display());
        } else {
            fs::write(&path, text)?;
        }
    }
    Ok(())
}

fn render(values: &[&str]) -> Result<String> {
    let mut python = shell::command(setup::python(), &["-c", include_str!("render.py"), CHART]);
    shell::output(python.args(values))
}
