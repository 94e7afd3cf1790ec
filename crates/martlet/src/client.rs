//! How a command reaches the data: through the server that has it, or by itself when none does.

use std::io::ErrorKind;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use server::admin::{self, Handler, Progress, Refused};
use server::{LockError, Node, OpenError};

use crate::cli::Place;
use crate::exit::{Failure, Kind};
use crate::logging;
use crate::operation::{Operations, Request};

/// How long to wait for a server that has the data and does not answer yet, or does not any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a command may make the data directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It makes it.
    Create,
    /// A mistyped path is not an empty mail store.
    Refuse,
}

/// Does what `request` asks for. `progress` hears how far it is.
pub(crate) fn call(
    place: &Place,
    missing: Missing,
    request: &Request,
    progress: impl Fn(Value) + Send + Sync + 'static,
) -> Result<Value, Failure> {
    let mut config = crate::config_at(place)?;
    let settings = &mut config.settings;
    if missing == Missing::Refuse && !settings.data.is_dir() {
        let message = format!("{}: there is no such data directory", settings.data.display());
        return Err(Failure::new(Kind::Unavailable, message));
    }
    let request = serde_json::to_value(request).map_err(Failure::failed)?;
    let progress: Progress = Arc::new(progress);
    // What a command is told goes to its terminal by other ways.
    config.log.level = "error".to_owned();
    logging::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let began = Instant::now();
    loop {
        match admin::connect(&settings.data) {
            Ok(client) => {
                let answer = client.call(&request, |value| progress(value));
                let answer = answer.map_err(|error| {
                    Failure::new(Kind::Unavailable, format!("the server went away: {error}"))
                })?;
                return answer.map_err(refused);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
            Err(error) => {
                let message = format!("the server's admin socket: {error}");
                return Err(Failure::new(Kind::Unavailable, message));
            }
        }
        match runtime.block_on(Node::open(settings.clone())) {
            Ok(node) => {
                let answer = runtime.block_on(async {
                    let answer = Operations.handle(Arc::clone(&node), request, progress).await;
                    node.close().await;
                    answer
                });
                return answer.map_err(refused);
            }
            // A server that starts or stops has the data before and after it has the socket.
            Err(OpenError::Locked { error: LockError::Held { .. }, .. })
                if began.elapsed() < PATIENCE =>
            {
                sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(Failure::new(Kind::Unavailable, error.to_string())),
        }
    }
}

fn refused(refused: Refused) -> Failure {
    let kind = match refused.kind.as_str() {
        "unavailable" => Kind::Unavailable,
        _ => Kind::Failed,
    };
    Failure::new(kind, refused.message)
}
