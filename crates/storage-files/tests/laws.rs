//! The file engine keeps the laws of storage: on a real disk, and on a simulated one with small
//! segments and blocks.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::path::Path;
use std::sync::Arc;

use storage::Storage;
use storage::conformance::Subject;
use storage::sim::SimDisk;
use storage_files::{Files, Options, Threads};

struct OnDisk {
    dir: tempfile::TempDir,
    options: Options,
    files: Option<Arc<Files>>,
}

impl OnDisk {
    fn new(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut new = Self { dir, options, files: None };
        new.reopen();
        new
    }
}

impl Subject for OnDisk {
    fn storage(&self) -> Arc<dyn Storage> {
        self.files.clone().expect("open")
    }

    fn reopen(&mut self) {
        if let Some(files) = self.files.take() {
            assert_eq!(Arc::strong_count(&files), 1, "still used");
        }
        self.files =
            Some(Arc::new(Files::open(self.dir.path(), self.options.clone()).expect("opens")));
    }

    fn lose_caches(&mut self) {
        self.files = None;
        remove_caches(&self.dir.path().join("accounts"));
        self.reopen();
    }
}

fn remove_caches(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.ends_with("cache") {
            std::fs::remove_dir_all(path).expect("removed");
        } else if path.is_dir() {
            remove_caches(&path);
        }
    }
}

struct OnSim {
    disk: SimDisk,
    files: Option<Arc<Files>>,
}

impl OnSim {
    fn new() -> Self {
        let mut new = Self { disk: SimDisk::new(1), files: None };
        new.reopen();
        new
    }
}

impl Subject for OnSim {
    fn storage(&self) -> Arc<dyn Storage> {
        self.files.clone().expect("open")
    }

    fn reopen(&mut self) {
        self.files = None;
        let options = Options {
            segment_bytes: 20_000,
            large_bytes: 40_000,
            block_bytes: 7_001,
            group_bytes_max: 3_000,
            page_bytes: 256,
            grow_bytes_min: 512,
            grow_bytes_max: 4096,
            zeros_bytes_max: 300,
            allocate_bytes: 4096,
            threads: Threads::Inline,
            open_accounts_max: 1,
            ..Options::default()
        };
        let disk = Arc::new(self.disk.clone());
        self.files = Some(Arc::new(Files::open_disk(disk, options).expect("opens")));
    }

    fn lose_caches(&mut self) {
        self.files = None;
        for path in self.disk.files().iter().filter(|path| path.contains("/cache/")) {
            storage::disk::Disk::remove(&self.disk, path).expect("removed");
        }
        self.reopen();
    }
}

mod real {
    use super::*;
    storage::conformance!(OnDisk::new(Options::default()));
}

mod real_small {
    use super::*;
    fn options() -> Options {
        Options {
            segment_bytes: 30_000,
            large_bytes: 10_000,
            block_bytes: 4_000,
            level: 3,
            threads: Threads::Pool(2),
            open_accounts_max: 2,
            awake_accounts_max: 1,
            ..Options::default()
        }
    }
    storage::conformance!(OnDisk::new(options()));
}

mod simulated {
    use super::*;
    storage::conformance!(OnSim::new());
}

#[test]
fn two_processes_stay_apart() {
    let subject = OnDisk::new(Options::default());
    let second = Files::open(subject.dir.path(), Options::default());
    assert!(second.is_err_and(|error| error.to_string().contains("in use")));
}
