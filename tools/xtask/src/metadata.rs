//! What cargo says of the packages here.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run;

/// A package of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a package uses itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only its tests use it.
    pub(crate) dev: bool,
    /// It lies in this repository.
    pub(crate) ours: bool,
}

/// The packages of the workspace whose manifest this is.
pub(crate) fn packages(manifest: &Path) -> Result<Vec<Package>, String> {
    let output = run::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    read(&output.stdout)
}

fn read(json: &[u8]) -> Result<Vec<Package>, String> {
    let all: Value = serde_json::from_slice(json).map_err(|e| format!("cargo metadata: {e}"))?;
    let mut packages = list(&all["packages"]).map(package).collect::<Vec<_>>();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn package(package: &Value) -> Package {
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    Package {
        name: text(&package["name"]),
        folder: manifest.parent().unwrap_or(&manifest).to_owned(),
        dependencies: list(&package["dependencies"])
            .map(|dependency| Dependency {
                name: text(&dependency["name"]),
                dev: dependency["kind"] == "dev",
                ours: dependency["source"].is_null(),
            })
            .collect(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
