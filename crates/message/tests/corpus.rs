//! Real messages, good and broken: everything that must hold for any message holds for each of them.

mod laws;

use std::fs;
use std::path::{Path, PathBuf};

fn files(directory: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the corpus is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else {
            out.push(path);
        }
    }
}

/// Path and bytes of every message, in order.
fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"), &mut paths);
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("a message"))).collect()
}

#[test]
fn every_message_obeys_the_laws() {
    let corpus = corpus();
    assert!(corpus.len() > 300, "the corpus is there");
    for (path, bytes) in &corpus {
        laws::check(bytes, &path.display().to_string());
    }
}

#[test]
fn every_message_with_other_line_breaks_obeys_the_laws() {
    for (path, bytes) in corpus().iter().filter(|(_, bytes)| bytes.len() < 20_000) {
        let without: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != b'\r').collect();
        let text: Vec<u8> = without
            .iter()
            .flat_map(|byte| match byte {
                b'\n' => &b"\r\n"[..],
                other => std::slice::from_ref(other),
            })
            .copied()
            .collect();
        laws::check(&without, &format!("{} with LF", path.display()));
        laws::check(&text, &format!("{} with CRLF", path.display()));
    }
}
