//! The log: lines for people on a terminal, JSON otherwise, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use crate::config::{Log, LogFormat};

/// Changes the level while the server runs.
pub(crate) struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// From here on, messages of this importance and above.
    pub(crate) fn set(&self, log: &Log) {
        // The subscriber lives as long as the process.
        let _ = self.0.reload(filter(log));
    }
}

fn filter(log: &Log) -> EnvFilter {
    // Libraries speak of their own affairs at debug; that is for those who ask by MARTLET_LOG.
    match std::env::var("MARTLET_LOG") {
        Ok(directives) => EnvFilter::new(directives),
        Err(_) => EnvFilter::new(format!("{},rustls=warn,tokio_rustls=warn", log.level)),
    }
}

/// Begins to write the log.
pub(crate) fn start(log: &Log) -> Level {
    let terminal = stderr().is_terminal();
    let (filter, handle) = reload::Layer::new(filter(log));
    let registry = tracing_subscriber::registry().with(filter);
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    // A second subscriber in one process is a test's; the first one stays.
    let _ = match json {
        true => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init()
        }
        false => registry
            .with(fmt::layer().with_target(false).with_ansi(terminal).with_writer(stderr))
            .try_init(),
    };
    Level(handle)
}
