//! IDLE: what happens is told as it happens.
//!
//! RFC 9051 §6.3.13, RFC 2177. Legal without a selected mailbox, where only the heartbeat is heard.

use bytes::Bytes;
use futures_util::future::{Either, select};
use mailbox::Expunges;
use wire::response::{Condition, Continuation, Untagged};

use crate::connection::Event;
use crate::context::STOPPING;
use crate::error::{Done, No};
use crate::session::{Driver, Session};
use crate::transport::Received;

/// Runs the command, until DONE.
pub(crate) async fn run<T: crate::Transport>(driver: &mut Driver<T>) -> Result<Done, No> {
    driver.connection.expect_lines();
    let result = idle(driver).await;
    driver.connection.expect_commands();
    if let Some(line) = result? {
        driver.connection.refuse_as_command(&line, "IDLE was not ended with DONE");
        return Err(No::Bad("expected DONE"));
    }
    Ok(Done::new("IDLE completed"))
}

/// Waits for a line. `None` is DONE, anything else comes back.
async fn idle<T: crate::Transport>(driver: &mut Driver<T>) -> Result<Option<Bytes>, No> {
    let encoding = driver.output.encoding();
    Continuation(Bytes::from_static(b"idling")).print(driver.output.tail(), encoding);
    let mut silent = std::time::Duration::ZERO;
    loop {
        match driver.connection.next_event() {
            Event::Line(line) if line.eq_ignore_ascii_case(b"DONE") => return Ok(None),
            Event::Line(line) => return Ok(Some(line)),
            Event::LineTooLong => return Err(No::Bad("expected DONE")),
            Event::NeedBytes => {}
            _ => return Err(No::Bug("no line in IDLE")),
        }
        // Register first, then look, then wait: nothing that happens in between is missed.
        let news = match &driver.session {
            Session::Authenticated { live } | Session::Selected { live, .. } => live.listen(),
            _ => return Err(No::Bug("IDLE without an account")),
        };
        driver.must_be_there()?;
        driver.sync(Expunges::Tell, false).await?;
        driver.flush().await?;
        let stop = driver.shared.stop.clone();
        let interval = driver.shared.limits.idle_notify;
        let before = driver.connection.inbox().len();
        let received = {
            let read = std::pin::pin!(driver.transport.read(driver.connection.inbox(), interval));
            let stopped = std::pin::pin!(stop.wait());
            let other = select(news, stopped);
            match select(read, other).await {
                Either::Left((received, _)) => Some(received?),
                Either::Right((Either::Left(_), _)) => None,
                Either::Right((Either::Right(_), _)) => {
                    return Err(No::Bye(STOPPING));
                }
            }
        };
        let after = driver.connection.inbox().len();
        driver.connection.received(after.saturating_sub(before));
        match received {
            None => {}
            Some(Received::Bytes) => silent = std::time::Duration::ZERO,
            Some(Received::Eof) => return Err(No::Lost(std::io::ErrorKind::UnexpectedEof.into())),
            Some(Received::TimedOut) => {
                silent += interval;
                if silent >= driver.shared.limits.idle_time.max(interval) {
                    return Err(No::Bye("nothing was heard for too long"));
                }
                let text = "Still here".to_owned();
                driver.output.untagged(&Untagged::Status(Condition::Ok, None, text));
            }
        }
    }
}
