//! The configuration: one TOML file in which every key is optional.

mod check;
mod document;
mod keys;
mod value;

use std::path::{Path, PathBuf};

use server::Settings;

pub(crate) use check::Problem;
pub(crate) use document::{default_file, manual_page};
pub(crate) use value::{Kind, Value, parse_size, print_size};

/// What the file says.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// For the server.
    pub(crate) settings: Settings,
    /// For the log.
    pub(crate) log: Log,
    /// Whether the text of attached documents is searched, if martlet can read them.
    pub(crate) attachments: bool,
    host_name: Option<String>,
    /// What relative paths are relative to.
    base: PathBuf,
}

/// How the log is written.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// `error` to `trace`.
    pub(crate) level: String,
    /// For people or for machines.
    pub(crate) format: LogFormat,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people on a terminal, for machines otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        }
    }

    fn from_name(name: &str) -> Self {
        [Self::Human, Self::Json].into_iter().find(|one| one.name() == name).unwrap_or(Self::Auto)
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            log: Log::default(),
            attachments: true,
            host_name: None,
            base: PathBuf::new(),
        }
    }
}

impl Config {
    /// Reads a file. On error all that is wrong with it.
    pub(crate) fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&path.display().to_string(), &text),
            Err(error) => Err(vec![Problem::of_file(path, &error)]),
        }
    }

    /// Reads the text of a file called `name`.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let base = Path::new(name).parent().map(Path::to_path_buf).unwrap_or_default();
        let mut config = Self { base, ..Self::default() };
        let problems = check::fill(&mut config, name, text);
        config.settings.host_name = config.host_name.clone().unwrap_or_else(own_name);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// What runs without a file.
    pub(crate) fn unconfigured() -> Self {
        let mut config = Self::default();
        config.settings.host_name = own_name();
        config
    }
}

/// The machine's name; `localhost` if it has none that is fit for a header.
fn own_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if name.is_empty() || !name.chars().all(fit) { "localhost".to_owned() } else { name }
}
