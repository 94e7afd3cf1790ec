//! `martlet serve`: the server until a signal ends it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use server::{Addresses, Server, Settings, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Place, Serve};
use crate::config::{Config, Kind as ValueKind, Value};
use crate::exit::{Failure, Kind, Outcome};
use crate::operation::Operations;
use crate::{logging, process};

/// Runs the server.
pub(crate) fn run(place: &Place, flags: &Serve) -> Outcome {
    let mut config = crate::config_at(place)?;
    let listen = &mut config.settings.listen;
    for (name, texts, addresses) in [
        ("--imap", &flags.imap, &mut listen.imap),
        ("--imaps", &flags.imaps, &mut listen.imaps),
        ("--lmtp", &flags.lmtp, &mut listen.lmtp),
    ] {
        if !texts.is_empty() {
            *addresses = parse_addresses(name, texts)?;
        }
    }
    let level = logging::start(&config.log);
    process::harden();
    let files = process::open_files();
    for line in process::bound_connections(&mut config.settings.limits, files) {
        tracing::warn!("{line}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(process::begin_thread)
        .build()
        .map_err(Failure::failed)?;
    let outcome = runtime.block_on(serve(place, config.settings, &level));
    // Everything that has to end has ended; what is left is a blocking thread at most.
    runtime.shutdown_background();
    outcome
}

fn parse_addresses(flag: &str, texts: &[String]) -> Result<Vec<SocketAddr>, Failure> {
    let mut all = Vec::new();
    for text in texts {
        match ValueKind::Addresses.read_text(text) {
            Ok(Value::Addresses(addresses)) => all.extend(addresses),
            Ok(_) => {}
            Err(wrong) => {
                let message = format!("{flag}: {}; {}", wrong.what, wrong.remedy);
                return Err(Failure::new(Kind::Usage, message));
            }
        }
    }
    Ok(all)
}

async fn serve(place: &Place, settings: Settings, level: &logging::Level) -> Outcome {
    // Before the data is open, so that no signal finds the default behind it.
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut hangup = on(SignalKind::hangup())?;
    let socket = settings.listen.lmtp_socket.clone();
    let handle = Server::start(settings, Some(Arc::new(Operations))).await.map_err(failure)?;
    let mut ready = ready(handle.addresses());
    if let Some(socket) = socket {
        ready.push_str(&format!(" lmtp={}", socket.display()));
    }
    tracing::info!("{ready}");
    // Whoever started the server may not listen.
    let _ = writeln!(std::io::stdout(), "{ready}").and_then(|()| std::io::stdout().flush());
    process::notify("READY=1");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                reload_log(place, level);
                handle.reload().await;
            }
        }
    }
    tracing::info!("stopping");
    process::notify("STOPPING=1");
    tokio::select! {
        () = handle.stop() => {}
        // Who asks twice is in a hurry; the log needs no farewell.
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopped");
    Ok(())
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(Failure::failed)
}

fn reload_log(place: &Place, level: &logging::Level) {
    let Some(path) = &place.config else { return };
    match Config::load(path) {
        Ok(config) => level.set(&config.log),
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
        }
    }
}

/// `ready imap=127.0.0.1:1143 imaps=127.0.0.1:1993 lmtp=127.0.0.1:1024`
pub(crate) fn ready(addresses: &Addresses) -> String {
    let mut line = String::from("ready");
    for (name, addresses) in
        [("imap", &addresses.imap), ("imaps", &addresses.imaps), ("lmtp", &addresses.lmtp)]
    {
        for address in addresses {
            line.push_str(&format!(" {name}={address}"));
        }
    }
    line
}

/// Why a server does not start, with the exit code for it.
pub(crate) fn failure(error: StartError) -> Failure {
    let kind = match &error {
        StartError::Open(_) => Kind::Unavailable,
        StartError::Bind(_) => Kind::Failed,
        StartError::Tls(_) => Kind::Usage,
    };
    Failure::new(kind, error.to_string())
}
