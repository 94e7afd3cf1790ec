//! A mixed load: 64 clients, each in a mailbox of its own account, with what mail programs do all
//! day.

use std::sync::Mutex;
use std::time::Instant;

use crate::imap::{Failure, Imap};
use crate::mail::{Chance, Sizes, message};
use crate::servers::{PASSWORD, Server};
use crate::workloads::{Measure, Scale, Unit, parallel, user};

const CLIENTS: usize = 64;
/// Messages each begins with.
const MESSAGES: usize = 40;

/// Commands a second over all clients.
pub(crate) fn rate(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    Ok(Measure { unit: Unit::PerSecond, value: run(server, scale)?.0 })
}

/// The time that 99 of 100 commands need at most.
pub(crate) fn slowest(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    Ok(Measure { unit: Unit::Millis, value: run(server, scale)?.1 })
}

fn run(server: &mut Server, scale: Scale) -> Result<(f64, f64), Failure> {
    let each = (scale.writes / 40).max(4);
    let address = &server.imap;
    let ready = |n: usize| {
        let mut imap = Imap::login(address, &user(n), PASSWORD)?;
        // It is there in later rounds.
        if imap.ok("SELECT mixed").is_err() {
            imap.ok("CREATE mixed")?;
            let mail: Vec<_> = (0..MESSAGES).map(|n| message(n, Sizes::Small)).collect();
            imap.append("mixed", &mail)?;
            imap.ok("SELECT mixed")?;
        }
        Ok(imap)
    };
    let times = Mutex::new(Vec::with_capacity(CLIENTS * each));
    let seconds = parallel(CLIENTS, ready, |n, mut imap| {
        let mut chance = Chance::new(n as u64 + 77);
        let mut own = Vec::with_capacity(each);
        for _ in 0..each {
            let start = Instant::now();
            command(&mut imap, &mut chance)?;
            own.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        times.lock().map_err(|error| error.to_string())?.append(&mut own);
        Ok(())
    })?;
    let mut times = times.into_inner().map_err(|error| error.to_string())?;
    times.sort_by(f64::total_cmp);
    let slow = times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN);
    Ok((times.len() as f64 / seconds, slow))
}

fn command(imap: &mut Imap, chance: &mut Chance) -> Result<(), Failure> {
    let number = 1 + chance.below(MESSAGES);
    let answer = match chance.below(100) {
        0..30 => imap.ok("FETCH 1:20 (UID FLAGS ENVELOPE)")?,
        30..50 => imap.ok(&format!("FETCH {number} (BODY.PEEK[])"))?,
        50..65 => imap.ok(&format!("STORE {number} +FLAGS (\\Seen)"))?,
        65..75 => imap.ok(&format!("STORE {number} -FLAGS (\\Seen)"))?,
        75..85 => imap.append("mixed", &[message(number, Sizes::Small)])?,
        85..90 => imap.ok("SEARCH UNSEEN")?,
        90..95 => imap.ok("STATUS INBOX (MESSAGES UNSEEN)")?,
        _ => imap.ok("NOOP")?,
    };
    drop(answer);
    Ok(())
}
