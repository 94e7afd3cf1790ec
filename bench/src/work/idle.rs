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

fn idle(mut imap: Imap, n: usize) -> Result<Imap, Failure> {
    imap.ok(&format!("LOGIN {} {PASSWORD}", user(n)))?;
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

/// Memory for each of so many connections that idle in a selected mailbox.
pub(super) fn memory(server: &mut Server, count: usize, tls: bool) -> Outcome {
    // Processes that wait for their next client would hide what a new one takes.
    server.restart()?;
    let connect = |n: usize| {
        let imap = if tls { Imap::connect_tls(&server.imaps) } else { Imap::connect(&server.imap) };
        imap.and_then(|imap| idle(imap, n)).map_err(|why| format!("connection {n}: {why}"))
    };
    // All accounts are in memory before, so that only connections are counted.
    let first: Result<Vec<Imap>, Failure> = (0..64).map(connect).collect();
    let _first = first?;
    // What password checks took is given back by then.
    std::thread::sleep(Duration::from_secs(1));
    let before = cost::memory_bytes(server.pid());
    let mut waiting: Vec<Socket> = Vec::with_capacity(count);
    for n in 0..count {
        waiting.push(connect(n)?.into_socket());
    }
    let after = cost::memory_bytes(server.pid());
    let each = after.saturating_sub(before) as f64 / count as f64;
    drop(waiting);
    Ok(vec![Measure::of(Unit::Bytes, each)])
}
