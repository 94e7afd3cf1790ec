//! What the compiler can't see: sizes of files, the table of verbs against its files and
//! transcripts, the direction of dependencies, dead links in the documentation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, root};

const LINES_MAX: usize = 600;

/// Files above [`LINES_MAX`]; this list may only shrink.
const LARGE: &[&str] = &[];

/// What each crate may depend on inside the workspace: DESIGN's arrows.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("wire", &["base"]),
    ("message", &["base"]),
    ("mailbox", &["base", "message"]),
    ("auth", &["base"]),
    ("storage", &["base", "mailbox"]),
    ("storage-files", &["base", "mailbox", "storage"]),
    ("account", &["base", "mailbox", "message", "storage"]),
    ("index", &["base", "message", "mailbox", "storage"]),
    ("imap", &["base", "wire", "message", "mailbox", "storage", "account", "index", "auth"]),
    ("lmtp", &["base", "message", "mailbox", "storage", "account", "auth"]),
    ("documents", &["message"]),
    ("testkit", &["base", "wire"]),
];

/// Only these may know the runtime and its sockets.
const MAY_NAME_TOKIO: &[&str] = &["server", "martlet"];

pub(crate) fn run() -> Outcome {
    let files = tracked_files()?;
    let mut problems = Vec::new();
    check_sizes(&files, &mut problems);
    check_dependencies(&mut problems)?;
    check_verbs(&mut problems)?;
    check_capabilities(&mut problems)?;
    check_links(&files, &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("tidy: {} problems\n  {}", problems.len(), problems.join("\n  ")))
}

fn tracked_files() -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn check_sizes(files: &[String], problems: &mut Vec<String>) {
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        let Ok(text) = read(&root().join(file)) else { continue };
        let lines = text.lines().count();
        if lines > LINES_MAX && !LARGE.contains(&file.as_str()) {
            problems.push(format!("{file}: {lines} lines, more than {LINES_MAX}"));
        }
    }
}

fn check_dependencies(problems: &mut Vec<String>) -> Outcome {
    let manifests: BTreeMap<String, toml::Table> = crates()?;
    for (name, manifest) in &manifests {
        let table = manifest.get("dependencies").and_then(toml::Value::as_table);
        let names: Vec<&str> =
            table.into_iter().flat_map(|table| table.keys()).map(String::as_str).collect();
        if let Some((_, allowed)) = MAY_NAME.iter().find(|(crate_name, _)| crate_name == name) {
            for other in names.iter().filter(|other| manifests.contains_key(**other)) {
                if !allowed.contains(other) {
                    problems.push(format!("crates/{name} must not depend on {other}"));
                }
            }
        }
        if names.iter().any(|other| other.starts_with("tokio"))
            && !MAY_NAME_TOKIO.contains(&name.as_str())
        {
            problems.push(format!("crates/{name} must not depend on tokio"));
        }
        if manifest.get("lints").is_none() {
            problems.push(format!("crates/{name} does not take the workspace's lints"));
        }
    }
    Ok(())
}

fn crates() -> Result<BTreeMap<String, toml::Table>, String> {
    let mut manifests = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates")).map_err(|error| error.to_string())? {
        let path: PathBuf = entry.map_err(|error| error.to_string())?.path();
        let manifest = read(&path.join("Cargo.toml"))?;
        let table = manifest.parse().map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            manifests.insert(name.to_owned(), table);
        }
    }
    Ok(manifests)
}

/// Each verb of TABLE has its grammar, its behaviour and a transcript, and each of those its verb.
fn check_verbs(problems: &mut Vec<String>) -> Outcome {
    let table = read(&root().join("crates/imap/src/table.rs"))?;
    let mut verbs: Vec<String> = table
        .split("row(")
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1))
        .filter(|verb| verb.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|verb| verb.trim_start_matches("UID ").to_ascii_lowercase())
        .collect();
    verbs.sort();
    verbs.dedup();
    if verbs.len() < 30 {
        problems.push(format!("crates/imap/src/table.rs: only {} verbs found", verbs.len()));
    }
    for verb in &verbs {
        let places = [
            (format!("crates/wire/src/command/{verb}.rs"), "grammar"),
            (format!("crates/imap/src/command/{verb}.rs"), "behaviour"),
            (format!("crates/imap/tests/transcripts/{verb}.txt"), "transcript"),
        ];
        for (path, what) in places {
            let directory = path.trim_end_matches(".rs").to_owned() + "/mod.rs";
            if !root().join(&path).is_file() && !root().join(directory).is_file() {
                problems.push(format!("{verb}: no {what} at {path}"));
            }
        }
    }
    Ok(())
}

/// Each capability that the code announces has its row in the documentation.
fn check_capabilities(problems: &mut Vec<String>) -> Outcome {
    let documented = read(&root().join("docs/extensions.md"))?;
    for (path, from, to) in [
        ("crates/imap/src/capability.rs", "const ALWAYS", "#[cfg(test)]"),
        ("crates/lmtp/src/session.rs", "fn lhlo", "];"),
    ] {
        let code = read(&root().join(path))?;
        let code = code.split(from).nth(1).and_then(|code| code.split(to).next());
        let code = code.ok_or_else(|| format!("{path}: no {from}"))?;
        let names = code.split('"').skip(1).step_by(2).map(|text| text.split('{').next());
        let is_name = |name: &&str| {
            let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "=+-".contains(c);
            name.len() > 1 && (name.chars().all(fits) || name.starts_with("IMAP4rev"))
        };
        for name in names.flatten().filter(is_name).filter(|name| *name != "AUTH=") {
            if !documented.contains(&format!("| `{name}` |")) {
                problems.push(format!("docs/extensions.md: no row for {name} of {path}"));
            }
        }
    }
    Ok(())
}

/// Relative links of Markdown files lead somewhere.
fn check_links(files: &[String], problems: &mut Vec<String>) {
    for file in files.iter().filter(|file| file.ends_with(".md") && !file.contains("/corpus/")) {
        let Ok(text) = read(&root().join(file)) else { continue };
        let directory = root().join(file).parent().map(Path::to_path_buf).unwrap_or_default();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.contains(' ') {
                continue;
            }
            if !directory.join(path).exists() {
                problems.push(format!("{file}: link to {target} leads nowhere"));
            }
        }
    }
}
