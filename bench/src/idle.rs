//! Clients that wait: what each costs, and how soon one hears of a delivery.

use std::time::Instant;

use crate::cost;
use crate::imap::{Failure, Imap, Socket};
use crate::lmtp::Lmtp;
use crate::mail::{Sizes, message};
use crate::servers::{PASSWORD, Server};
use crate::workloads::{Measure, Scale, Unit, user};

fn idle(mut imap: Imap, n: usize) -> Result<Imap, Failure> {
    imap.ok(&format!("LOGIN {} {PASSWORD}", user(n)))?;
    imap.ok("SELECT INBOX")?;
    imap.send(b"IDLE")?;
    imap.wait_for("+")?;
    Ok(imap)
}

/// From the beginning of a delivery to EXISTS at an idle watcher.
pub(crate) fn latency(server: &mut Server, _: Scale) -> Result<Measure, Failure> {
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
    Ok(Measure { unit: Unit::Millis, value: times[7] })
}

/// Memory for each of so many connections that idle in a selected mailbox.
pub(crate) fn memory(server: &mut Server, count: usize, tls: bool) -> Result<Measure, Failure> {
    let connect = |n: usize| {
        let imap = if tls { Imap::connect_tls(&server.imaps) } else { Imap::connect(&server.imap) };
        idle(imap?, n)
    };
    // All accounts are in memory before, so that only connections are counted.
    let first: Result<Vec<Imap>, Failure> = (0..64).map(connect).collect();
    let _first = first?;
    let before = cost::of(server.pid()).memory_bytes;
    let mut waiting: Vec<Box<dyn Socket>> = Vec::with_capacity(count);
    for n in 0..count {
        waiting.push(connect(n)?.into_socket());
    }
    let after = cost::of(server.pid()).memory_bytes;
    let each = after.saturating_sub(before) as f64 / count as f64;
    Ok(Measure { unit: Unit::Bytes, value: each })
}
