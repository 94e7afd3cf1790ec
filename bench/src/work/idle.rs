//! Clients that wait: what each costs, and how soon one hears of a delivery.

use std::time::{Duration, Instant};

use super::{Outcome, Scale};
use crate::cost;
use crate::imap::{Failure, Imap};
use crate::lmtp::Lmtp;
use crate::mail::{Sizes, message};
use crate::servers::{PASSWORD, Server, user};
use crate::watch::{Measure, Unit};
use crate::wire::Socket;

/// Until memory is looked at.
const SETTLED: Duration = Duration::from_secs(2);
/// Accounts of those who wait: each has its password checked once.
const IDLERS: usize = 8;

fn idle(mut imap: Imap, n: usize) -> Result<Imap, Failure> {
    imap.ok(&format!("LOGIN {} {PASSWORD}", user(n % IDLERS)))?;
    imap.ok("SELECT INBOX")?;
    imap.send(b"IDLE")?;
    imap.wait_for("+")?;
    Ok(imap)
}

/// From the beginning of a delivery to EXISTS at an idle watcher.
pub(super) fn latency(server: &mut Server, _: Scale) -> Outcome {
    let mut watcher = idle(Imap::connect(&server.imap)?, 5)?;
    let mut lmtp = Lmtp::connect(&server.lmtp)?;
    let mut times = Vec::new();
    for n in 0..15 {
        let start = Instant::now();
        lmtp.deliver(&user(5), &message(n, Sizes::Small))?;
        watcher.wait_for("EXISTS")?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(vec![Measure::of(Unit::Millis, times[7])])
}

/// Memory for each of so many connections that idle in a selected mailbox, with all that the server
/// takes for itself, for the accounts and for passwords.
pub(super) fn memory(server: &mut Server, count: usize, tls: bool) -> Outcome {
    // Processes that wait for their next client would hide what a new one takes.
    server.restart()?;
    let waiting = wait(server, count, tls)?;
    let all = cost::memory_bytes(server.pid());
    drop(waiting);
    Ok(vec![Measure::of(Unit::Bytes, all as f64 / count as f64)])
}

/// Memory for one more of so many connections: what the second half took. The first half uses what
/// checks of passwords left.
pub(super) fn memory_of_one_more(server: &mut Server, count: usize, tls: bool) -> Outcome {
    server.restart()?;
    let half = wait(server, count / 2, tls)?;
    let before = cost::memory_bytes(server.pid());
    let other_half = wait(server, count / 2, tls)?;
    let grown = cost::memory_bytes(server.pid()).saturating_sub(before);
    drop((half, other_half));
    Ok(vec![Measure::of(Unit::Bytes, grown as f64 / (count / 2) as f64)])
}

/// So many connections that idle.
fn wait(server: &Server, count: usize, tls: bool) -> Result<Vec<Socket>, Failure> {
    let connect = |n: usize| {
        let imap = if tls { Imap::connect_tls(&server.imaps) } else { Imap::connect(&server.imap) };
        let idle = imap.and_then(|imap| idle(imap, n));
        idle.map(Imap::into_socket).map_err(|why| format!("connection {n}: {why}"))
    };
    let all = (0..count).map(connect).collect();
    // Clients idle for half an hour: what is only kept for a moment is not theirs.
    std::thread::sleep(SETTLED);
    all
}
