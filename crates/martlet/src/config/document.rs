//! The default file and the manual's page, made from the table of keys.

use std::fmt::Write;

use super::Config;
use super::keys::{KEYS, Key, OPEN_SECTIONS, SECTIONS};

const WIDTH: usize = 96;

fn keys_of(section: &str) -> impl Iterator<Item = (&'static Key, &'static str)> {
    KEYS.iter().filter_map(move |key| {
        let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        (parent == section).then_some((key, name))
    })
}

/// A file that says what an unconfigured server does, with every key and its meaning.
pub(crate) fn default_file() -> String {
    let mut out = String::from("# The configuration of martlet.\n#\n");
    for section in SECTIONS {
        if !section.name.is_empty() {
            out.push('\n');
        }
        comment(&mut out, section.doc);
        if !section.name.is_empty() {
            let _ = writeln!(out, "[{}]", section.name);
        }
        for (key, name) in keys_of(section.name) {
            out.push('\n');
            comment(&mut out, key.doc);
            comment(&mut out, &format!("({})", key.kind.describe().replace('`', "")));
            let _ = match (key.get)(&Config::default()) {
                Some(value) => writeln!(out, "{name} = {}", key.kind.print(&value)),
                None => writeln!(out, "# {name} = {:?}", key.example),
            };
        }
    }
    out
}

fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

/// `docs/config.md`.
pub(crate) fn manual_page() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         <!-- Made by `martlet config manual` from crates/martlet/src/config/keys.rs. -->\n\n\
         `martlet serve --config FILE` reads one [TOML](https://toml.io) file. Every key is\n\
         optional: without a file the server keeps its data in `./martlet-data` and listens on\n\
         loopback only. `martlet config default` prints a file with every key, its meaning and its\n\
         default; `martlet config check --config FILE` tells all mistakes at once, each with file, line, key\n\
         and remedy.\n\n\
         The flags `--data`, `--imap`, `--imaps` and `--lmtp` override the file; each address may\n\
         be `none`. Durations are written with `ms`, `s`, `m`, `h` or `d`, sizes with `KiB`, `MiB`\n\
         or `GiB`. Relative paths are relative to the file.\n\n\
         On SIGHUP the certificates and `log.level` are read again. The other keys are read when\n\
         the server starts.\n",
    );
    for section in SECTIONS {
        let title = match section.name {
            "" => "Top of the file".to_owned(),
            name => format!("`[{name}]`"),
        };
        let _ = writeln!(out, "\n## {title}\n\n{}", section.doc);
        if OPEN_SECTIONS.contains(&section.name) {
            continue;
        }
        out.push_str("\n| Key | Default | Holds | Meaning |\n| --- | --- | --- | --- |\n");
        for (key, name) in keys_of(section.name) {
            let default = match (key.get)(&Config::default()) {
                Some(value) => format!("`{}`", key.kind.print(&value)),
                None => "none".to_owned(),
            };
            let holds = key.kind.describe();
            let _ = writeln!(out, "| `{name}` | {default} | {holds} | {} |", key.doc);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_valid_and_says_what_an_unconfigured_server_does() {
        let config = Config::parse("martlet.toml", &default_file()).expect("valid");
        let mut plain = Config::unconfigured();
        plain.settings.data = config.settings.data.clone();
        assert_eq!(config.settings, plain.settings);
    }

    #[test]
    fn the_manual_page_is_the_one_in_docs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == manual_page(), "run `cargo run -- config manual > docs/config.md`");
    }
}
