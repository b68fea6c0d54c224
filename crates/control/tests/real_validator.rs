//! Somebody else's validator reads the OpenAPI document.
//!
//! Ignored by default because it needs a program that not every machine has; `cargo xtask test`
//! installs it and runs this test.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may stop")]

use std::process::Command;

/// A validator for the document in `docs`, which is that of the routes by another test.
#[test]
#[ignore = "needs openapi-spec-validator"]
fn openapi_spec_validator_accepts_the_description() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let mut validator = Command::new("openapi-spec-validator");
    let checked = validator.arg(document).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
