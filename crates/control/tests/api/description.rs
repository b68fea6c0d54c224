//! The OpenAPI document: it is of these routes, and the one in `docs`.

use std::collections::BTreeSet;

use postroad_control::Control;
use serde_json::Value;

use crate::refusing::raw;
use crate::stand::{Stand, with_server};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn description() -> Value {
    serde_json::from_str(&postroad_control::http::openapi()).unwrap()
}

/// Both ways: each route is described, each description has its route, with the same methods.
#[test]
fn it_describes_the_routes() {
    let description = description();
    let described: BTreeSet<&str> = description["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let routes: BTreeSet<&str> = Control::<Stand>::paths().into_iter().collect();
    assert_eq!(described, routes);
    with_server(async |served| {
        for path in routes {
            let operations = &description["paths"][path];
            let asked = path
                .replace("{id}", "0000000000001")
                .replace("{action}", "hold");
            for method in METHODS {
                let operation = &operations[method];
                let upper = method.to_uppercase();
                let (status, body) = raw(&served.socket, &upper, &asked, "{}").await;
                assert_eq!(
                    operation.is_null(),
                    status == 405,
                    "{method} {path}: {status}"
                );
                if let Some(operation) = operation.as_object() {
                    let responses = &operation["responses"];
                    let status = status.to_string();
                    assert!(
                        !responses[&status].is_null(),
                        "{method} {path}: {status} {body}"
                    );
                }
            }
        }
    });
}

#[test]
fn each_reference_in_it_leads_somewhere() {
    let description = description();
    let mut references = Vec::new();
    collect(&description, &mut references);
    assert!(references.len() > 20, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("$ref", Value::String(to)) => references.push(to.clone()),
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[test]
fn the_file_in_docs_is_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let now = postroad_control::http::openapi() + "\n";
    if std::env::var_os("POSTROAD_WRITE_DOCS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let file = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        file == now,
        "docs/openapi.json is stale; run \
         `POSTROAD_WRITE_DOCS=1 cargo test -p postroad-control --test api`"
    );
}
