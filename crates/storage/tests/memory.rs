//! The engine in memory keeps the laws of storage.

use std::sync::Arc;

use storage::conformance::Subject;
use storage::{Memory, Storage};

struct InMemory(Memory);

impl Subject for InMemory {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.0.clone())
    }

    fn reopen(&mut self) {}

    fn lose_caches(&mut self) {}
}

storage::conformance!(InMemory(Memory::new()));
