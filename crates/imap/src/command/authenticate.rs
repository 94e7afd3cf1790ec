//! AUTHENTICATE: a SASL exchange over continuation lines.
//!
//! RFC 9051 §6.2.2; initial response: RFC 4959.

use auth::{Exchange, Failure, FailureKind, Identity, Step};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use wire::command::Authenticate;
use wire::response::Continuation;

use crate::connection::Event;
use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    args: Authenticate,
) -> Result<Done, No> {
    let channel = &driver.client.channel;
    let Some(mut exchange) = driver.shared.authenticator.start(&args.mechanism, channel) else {
        let (remote, mechanism) = (channel.remote, args.mechanism.escape_debug());
        tracing::warn!(%remote, %mechanism, tls = channel.tls.is_some(), "login refused");
        return Err(match channel.secure {
            true => No::Cannot("mechanism is not offered"),
            false => No::PrivacyRequired,
        });
    };
    driver.connection.expect_lines();
    let result = converse(driver, exchange.as_mut(), args.initial).await;
    driver.connection.expect_commands();
    match result? {
        Ok(identity) => driver.logged_in(identity, "AUTHENTICATE completed").await,
        Err(failure) => Err(driver.not_logged_in(failure, &args.mechanism).await),
    }
}

/// Steps until the mechanism has decided.
async fn converse<T: crate::Transport>(
    driver: &mut Driver<T>,
    exchange: &mut dyn Exchange,
    initial: Option<Bytes>,
) -> Result<Result<Identity, Failure>, No> {
    let mut response = initial;
    loop {
        match exchange.step(response.as_deref()).await {
            Step::Done(identity) => return Ok(Ok(identity)),
            Step::Failed(failure) => return Ok(Err(failure)),
            Step::Challenge(challenge) => {
                let encoding = driver.output.encoding();
                let text = Bytes::from(STANDARD.encode(&challenge));
                Continuation(text).print(driver.output.tail(), encoding);
            }
        }
        let failure = |kind, reason: &str| {
            Ok(Err(Failure { kind, reason: reason.to_owned(), delay: std::time::Duration::ZERO }))
        };
        let line = match driver.event().await? {
            Some(Event::Line(line)) => line,
            Some(Event::LineTooLong) => return failure(FailureKind::Protocol, "line too long"),
            Some(Event::Close(why)) => return Err(No::Bye(why)),
            Some(_) => return Err(No::Bug("no line in a SASL exchange")),
            None => return Err(No::Lost(std::io::ErrorKind::UnexpectedEof.into())),
        };
        response = match wire::sasl_response(&line) {
            Ok(Some(response)) => Some(response),
            Ok(None) => return failure(FailureKind::Cancelled, "cancelled"),
            Err(_) => return failure(FailureKind::Protocol, "not base64"),
        };
    }
}
