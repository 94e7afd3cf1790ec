//! LOGIN.
//!
//! RFC 9051 §6.2.3.

use wire::command::Login;

use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    args: Login,
) -> Result<Done, No> {
    // LOGINDISABLED is advertised: the password has crossed the wire, but is not looked at.
    if !driver.client.channel.secure {
        tracing::warn!(remote = %driver.client.channel.remote, "login refused: no TLS");
        return Err(No::PrivacyRequired);
    }
    let authenticator = driver.shared.authenticator.clone();
    let channel = driver.client.channel.clone();
    match authenticator.login(&args.user, &args.password, &channel).await {
        Ok(identity) => driver.logged_in(identity, "LOGIN completed").await,
        Err(failure) => Err(driver.not_logged_in(failure, "LOGIN").await),
    }
}
