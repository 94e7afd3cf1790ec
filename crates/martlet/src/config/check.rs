//! Reading the file against the table of keys. Everything that is wrong is told at once.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::Config;
use super::keys::{KEYS, OPEN_SECTIONS, SECTIONS};
use super::value::{Kind, Value, Wrong, near};

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file as it was named.
    pub(crate) file: String,
    /// From 1; 0 where no line is to blame.
    pub(crate) line: usize,
    /// The key; empty for broken syntax.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

impl Problem {
    /// The file itself can't be read.
    pub(crate) fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self {
            file: path.display().to_string(),
            line: 0,
            key: String::new(),
            what: format!("cannot be read: {error}"),
            remedy: "check the path and its permissions; `martlet config default` prints a file \
                     to begin with"
                .to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    /// `file:line: key: what is wrong; remedy`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

struct Checker<'a> {
    config: &'a mut Config,
    name: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

/// Puts what `text` says into `config` and answers what is wrong with it, by line.
pub(super) fn fill(config: &mut Config, name: &str, text: &str) -> Vec<Problem> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut checker = Checker { config, name, text, problems: Vec::new() };
    for error in errors {
        let wrong = Wrong {
            what: error.message().replace('\n', ", "),
            remedy: "the file is TOML: see https://toml.io".to_owned(),
        };
        checker.problem(error.span().unwrap_or(0..0), "", wrong);
    }
    let broken: Vec<usize> = checker.problems.iter().map(|problem| problem.line).collect();
    checker.table("", table.get_ref());
    checker.cross_check(table.get_ref());
    let mut problems = checker.problems;
    // What the parser made of a broken line is not the user's mistake.
    problems.retain(|problem| problem.key.is_empty() || !broken.contains(&problem.line));
    problems.sort_by_key(|problem| problem.line);
    problems
}

impl Checker<'_> {
    fn problem(&mut self, span: Range<usize>, key: &str, wrong: Wrong) {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        self.problems.push(Problem {
            file: self.name.to_owned(),
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            key: key.to_owned(),
            what: wrong.what,
            remedy: wrong.remedy,
        });
    }

    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            if let Some(key) = KEYS.iter().find(|key| key.path == path) {
                match key.kind.read(value.get_ref()) {
                    Ok(value) => (key.set)(self.config, value),
                    Err(wrong) => self.problem(value.span(), &path, wrong),
                }
            } else if OPEN_SECTIONS.contains(&section) {
                self.mask(section, name.get_ref(), value.span(), value.get_ref());
            } else if SECTIONS.iter().any(|section| section.name == path) {
                match value.get_ref() {
                    DeValue::Table(table) => self.table(&path, table),
                    _ => {
                        let wrong = Wrong {
                            what: "it is a section".to_owned(),
                            remedy: format!("write [{path}] and its keys below it"),
                        };
                        self.problem(value.span(), &path, wrong);
                    }
                }
            } else {
                self.problem(name.span(), &path, unknown(section, &path));
            }
        }
    }

    fn mask(&mut self, section: &str, name: &str, span: Range<usize>, value: &DeValue<'_>) {
        match Kind::Texts.read(value) {
            Ok(Value::Texts(list)) => {
                let mask = &mut self.config.settings.mask;
                let map = match section {
                    "capabilities.account" => &mut mask.accounts,
                    _ => &mut mask.clients,
                };
                map.insert(name.to_owned(), list);
            }
            Ok(_) => {}
            Err(wrong) => self.problem(span, &format!("{section}.{name}"), wrong),
        }
    }

    /// What no key can tell alone.
    fn cross_check(&mut self, table: &DeTable<'_>) {
        let tls = self.config.settings.tls.clone();
        let alone = match (&tls.certificate, &tls.key) {
            (Some(_), None) => Some(("certificate", "key")),
            (None, Some(_)) => Some(("key", "certificate")),
            _ => None,
        };
        let span = table.get("tls").map_or(0..0, |section| section.span());
        if let Some((there, missing)) = alone {
            // A broken value was told already.
            let wrote = section_has(table, "tls", missing);
            if !wrote {
                let wrong = Wrong {
                    what: format!("there is no tls.{missing} with it"),
                    remedy: format!("give both, or neither for a self-signed one (add {missing})"),
                };
                let span = key_span(table, "tls", there).unwrap_or(span.clone());
                self.problem(span, &format!("tls.{there}"), wrong);
            }
        }
        for (key, path) in [
            ("certificate", tls.certificate),
            ("key", tls.key),
            ("client_authorities", tls.client_authorities),
        ] {
            let Some(path) = path else { continue };
            if let Err(error) = std::fs::File::open(&path) {
                let wrong = Wrong {
                    what: format!("{} cannot be read: {error}", path.display()),
                    remedy: "check the path and its permissions".to_owned(),
                };
                let span = key_span(table, "tls", key).unwrap_or(span.clone());
                self.problem(span, &format!("tls.{key}"), wrong);
            }
        }
        self.same_address_twice(table);
    }

    fn same_address_twice(&mut self, table: &DeTable<'_>) {
        let listen = self.config.settings.listen.clone();
        let all = [("imap", listen.imap), ("imaps", listen.imaps), ("lmtp", listen.lmtp)];
        let mut seen = Vec::new();
        for (key, addresses) in all {
            for address in addresses {
                if address.port() != 0 && seen.contains(&address) {
                    let wrong = Wrong {
                        what: format!("{address} is used twice"),
                        remedy: "give each protocol a port of its own".to_owned(),
                    };
                    let span = key_span(table, "listen", key).unwrap_or(0..0);
                    self.problem(span, &format!("listen.{key}"), wrong);
                }
                seen.push(address);
            }
        }
    }
}

fn section_has(table: &DeTable<'_>, section: &str, key: &str) -> bool {
    key_span(table, section, key).is_some()
}

fn key_span(table: &DeTable<'_>, section: &str, key: &str) -> Option<Range<usize>> {
    Some(table.get(section)?.get_ref().as_table()?.get(key)?.span())
}

/// A key that is not in the table: what may have been meant.
fn unknown(section: &str, path: &str) -> Wrong {
    let paths = || {
        let sections = SECTIONS.iter().map(|section| section.name);
        KEYS.iter().map(|key| key.path).chain(sections.filter(|name| !name.is_empty()))
    };
    let last = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    let name = path.rsplit('.').next().unwrap_or(path);
    let here = paths().filter(|other| other.rsplit_once('.').map_or("", |(a, _)| a) == section);
    let remedy = if let Some(meant) = near(name, here.map(last)) {
        format!("did you mean {meant}?")
    } else if let Some(meant) = paths().find(|other| last(other) == name) {
        match meant.rsplit_once('.') {
            Some((section, _)) => format!("did you mean {meant}, in section [{section}]?"),
            None => format!("{meant} belongs at the top of the file, before the first section"),
        }
    } else {
        "remove it; `martlet config default` prints all keys".to_owned()
    };
    Wrong { what: "there is no such key".to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match Config::parse("martlet.toml", text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(Problem::to_string).collect(),
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_line_key_and_remedy() {
        let text = "daat = \"x\"\n\
                    [listen]\n\
                    imap = \"143\"\n\
                    imaps = 993\n\
                    lmtp = [\"127.0.0.1:24\", \"*:25\"]\n\
                    [limits]\n\
                    idle_time = \"5m\"\n\
                    login_time = \"soon\"\n\
                    message_bytes_max = \"1 MB\"\n\
                    retention = \"3d\"\n\
                    [log]\n\
                    level = \"inof\"\n\
                    [tls]\n\
                    key = \"/nonexistent/key.pem\"\n\
                    [capabilities.account]\n\
                    alice = \"UIDONLY\"\n";
        let found = problems(text);
        for (line, parts) in [
            (1, ["daat", "no such key", "did you mean data?"]),
            (3, ["listen.imap", "not an address", "\"[::]:143\""]),
            (4, ["listen.imaps", "of type integer", "write an IP address"]),
            (5, ["listen.lmtp", "\"*:25\" is not an address", "\"[::]:25\""]),
            (7, ["limits.idle_time", "5m is too short", "use 30m to 30d"]),
            (8, ["limits.login_time", "not a duration", "such as \"30m\""]),
            (10, ["limits.retention", "no such key", "storage.retention, in section [storage]"]),
            (12, ["log.level", "\"inof\"", "did you mean \"info\"?"]),
            (14, ["tls.key", "no tls.certificate", "give both"]),
            (14, ["tls.key", "/nonexistent/key.pem cannot be read", "check the path"]),
            (16, ["capabilities.account.alice", "of type string", "list of texts"]),
        ] {
            let start = format!("martlet.toml:{line}: {}: ", parts[0]);
            let hit = found.iter().any(|problem| {
                problem.starts_with(&start) && parts.iter().all(|part| problem.contains(part))
            });
            assert!(hit, "{start} {parts:?} in\n{}", found.join("\n"));
        }
        assert_eq!(found.len(), 11, "{}", found.join("\n"));
    }

    #[test]
    fn broken_syntax_does_not_hide_the_rest() {
        let found = problems("data = \n[listen]\nimap = 1\n");
        assert!(found[0].starts_with("martlet.toml:1: "), "{found:?}");
        assert!(
            found.iter().any(|one| one.starts_with("martlet.toml:3: listen.imap")),
            "{found:?}"
        );
    }

    #[test]
    fn values_arrive() {
        let text = "data = \"mail\"\nhost_name = \"mx.example.org\"\n[listen]\nimap = \"none\"\n\
                    imaps = [\"[::]:993\", \"localhost:1993\"]\nlmtp_socket_mode = \"0600\"\n\
                    [limits]\nmessage_bytes_max = 1_000_000\nidle_time = \"1h\"\n\
                    [capabilities]\ndisable = [\"UIDONLY\"]\n\
                    [capabilities.client]\n\"Some Client\" = [\"NOTIFY\"]\n";
        let config = Config::parse("/etc/martlet/martlet.toml", text).expect("valid");
        let settings = config.settings;
        assert_eq!(settings.data, Path::new("/etc/martlet/mail"));
        assert_eq!(settings.host_name, "mx.example.org");
        assert!(settings.listen.imap.is_empty());
        assert_eq!(settings.listen.imaps.len(), 2);
        assert_eq!(settings.listen.lmtp_socket_mode, 0o600);
        assert_eq!(settings.limits.message_bytes_max, 1_000_000);
        assert_eq!(settings.limits.idle_time.as_secs(), 3600);
        assert_eq!(settings.mask.all, ["UIDONLY"]);
        assert_eq!(settings.mask.clients["Some Client"], ["NOTIFY"]);
    }
}
