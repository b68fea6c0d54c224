//! The model passes the suite it is the model of.

// A test that can't go on says where, and has a runtime of its own.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use postroad_store::conformance::Fixture;
use postroad_store::{MemoryStore, model};
use proptest::prelude::*;

struct InMemory(MemoryStore);

impl Fixture for InMemory {
    type Store = MemoryStore;

    async fn make() -> InMemory {
        InMemory(MemoryStore::new())
    }

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    async fn reopen(self) -> InMemory {
        InMemory(self.0.reopen())
    }
}

postroad_store::conformance!(InMemory);

proptest! {
    #[test]
    fn the_model_is_as_the_model(ops in model::ops(60, 20_000)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { model::check(&ops, InMemory::make().await).await });
    }
}

#[test]
fn the_suite_names_each_of_its_checks() {
    let suite = include_str!("../src/conformance.rs");
    let groups = [
        ("staging", include_str!("../src/conformance/staging.rs")),
        ("claiming", include_str!("../src/conformance/claiming.rs")),
        ("settling", include_str!("../src/conformance/settling.rs")),
        ("leasing", include_str!("../src/conformance/leasing.rs")),
        ("amending", include_str!("../src/conformance/amending.rs")),
        ("reading", include_str!("../src/conformance/reading.rs")),
        (
            "restarting",
            include_str!("../src/conformance/restarting.rs"),
        ),
    ];
    for (group, source) in groups {
        for line in source.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let check = rest.split('<').next().unwrap_or_default();
            let named = format!("{group}::{check}\n");
            assert!(suite.contains(&named), "{named} is in no suite");
        }
    }
}
