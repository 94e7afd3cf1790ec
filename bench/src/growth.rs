//! How cost grows with the mailbox: martlet alone, on mailboxes of several sizes. What costs the
//! answer and not the mailbox costs the same in each.

mod whole;

use std::path::Path;
use std::time::Instant;

use crate::cost;
use crate::imap::{Failure, Imap};
use crate::lmtp::Lmtp;
use crate::mail::{Sizes, message};
use crate::report;
use crate::servers::{Kind, NO_INDEX, PASSWORD, Server};
use crate::work::{expect, number_after};

/// What is wanted of a row.
#[derive(Clone, Copy)]
enum Target {
    /// The largest mailbox costs at most so many times what the smallest does.
    Times(f64),
    /// At most so much in the largest mailbox.
    AtMost(f64),
}

use Target::{AtMost, Times};

/// Rows, the unit of their values, and what is wanted.
const ROWS: &[(&str, &str, Target)] = &[
    ("SELECT", "µs", Times(2.0)),
    ("single STORE, durable", "µs", Times(2.0)),
    ("IDLE wake-up after a STORE", "µs", Times(2.0)),
    ("QRESYNC with 100 changes", "µs", Times(2.0)),
    ("LMTP delivery into it", "µs", Times(2.0)),
    ("delivery to EXISTS", "µs", Times(2.0)),
    ("SEARCH UNSEEN, 10 found, after a change", "µs", Times(2.0)),
    ("FETCH of the last 50 envelopes", "µs", Times(2.0)),
    ("STATUS", "µs", Times(2.0)),
    ("NOOP", "µs", Times(2.0)),
    ("cold load: login and SELECT, first after start", "ms", AtMost(1000.0)),
    ("most memory (VmHWM) after the load", "MB", AtMost(100.0)),
    ("memory of the loaded mailbox, each message", "B", AtMost(100.0)),
];

/// The index would be built meanwhile, on one of the cores that are measured.
const SETTINGS: &str = NO_INDEX;
/// The account with the large mailbox: LMTP delivers into its INBOX.
const USER: &str = "user0";
/// Measurements of which the median counts.
const TIMES: usize = 101;

/// Prints what commands about all messages cost, and shows it on a page between the marks of `main`.
pub(crate) fn run_main(binary: &Path, sizes: &[usize], page: Option<&Path>) -> Result<(), Failure> {
    let table = whole::run(binary, sizes)?;
    print!("{table}");
    page.map_or(Ok(()), |page| report::between_marks(page, "main", &table))
}

/// Prints the table, and shows it on a page between the marks of `growth`.
pub(crate) fn run(binary: &Path, sizes: &[usize], page: Option<&Path>) -> Result<(), Failure> {
    let mut columns = Vec::new();
    for &messages in sizes {
        columns.push(measure(binary, messages).map_err(|why| format!("{messages}: {why}"))?);
    }
    let table = table(sizes, &columns);
    print!("{table}");
    page.map_or(Ok(()), |page| report::between_marks(page, "growth", &table))
}

fn table(sizes: &[usize], columns: &[Vec<f64>]) -> String {
    let heads: String = sizes.iter().map(|size| format!(" {size} messages |")).collect();
    let rules = "--:|".repeat(sizes.len() + 2);
    let mut out = format!("| martlet |{heads} times | target | |\n|---|{rules}:-:|\n");
    for (at, (name, unit, target)) in ROWS.iter().enumerate() {
        let values: Vec<f64> =
            columns.iter().filter_map(|column| column.get(at).copied()).collect();
        let cells: String = values.iter().map(|value| format!(" {value:.1} {unit} |")).collect();
        let (first, last) = (values.first().copied(), values.last().copied());
        let (first, last) = (first.unwrap_or(f64::NAN), last.unwrap_or(f64::NAN));
        let (times, wanted, is_met) = match *target {
            Times(times) => {
                (format!("{:.1}", last / first), format!("{times} times"), last <= first * times)
            }
            AtMost(most) => (String::new(), format!("at most {most} {unit}"), last <= most),
        };
        let met = if is_met { "met" } else { "**missed**" };
        out += &format!("| {name} |{cells} {times} | {wanted} | {met} |\n");
    }
    out
}

/// One column.
fn measure(binary: &Path, messages: usize) -> Result<Vec<f64>, Failure> {
    let mut server = Server::start_in(&std::env::temp_dir(), Kind::Martlet, binary, SETTINGS)?;
    fill(&server, messages)?;
    let (load, most, each) = cold(&mut server, messages)?;
    let mut imap = Imap::login(&server.imap, USER, PASSWORD)?;
    let select = median(|_| timed(|| imap.ok("SELECT INBOX").map(drop)))?;
    let store = median(|n| timed(|| flag(&mut imap, '+', n, messages)))?;
    let mut watcher = Imap::login(&server.imap, USER, PASSWORD)?;
    watcher.ok("SELECT INBOX")?;
    watcher.send(b"IDLE")?;
    watcher.wait_for("+")?;
    let wake_up = median(|n| {
        timed(|| {
            flag(&mut imap, '-', n, messages)?;
            watcher.wait_for("FETCH")
        })
    })?;
    imap.ok("UNSELECT")?;
    let resync = median_of(5, |n| resync(&mut imap, n, messages))?;
    let mut lmtp = Lmtp::connect(&server.lmtp)?;
    let mut exists = Vec::new();
    let deliver = median(|n| {
        let mail = message(n, Sizes::Small);
        let start = Instant::now();
        lmtp.deliver(USER, &mail)?;
        let delivered = start.elapsed().as_secs_f64() * 1e6;
        watcher.wait_for("EXISTS")?;
        exists.push(start.elapsed().as_secs_f64() * 1e6);
        Ok(delivered)
    })?;
    let mut exists = exists.into_iter();
    let exists = median(|_| exists.next().ok_or_else(|| "too few deliveries".to_owned()))?;
    // It would be told of every message, and does not listen.
    drop(watcher);
    let [unseen, envelopes, status, noop] = beginning(&mut imap, messages + TIMES)?;
    Ok(vec![
        select, store, wake_up, resync, deliver, exists, unseen, envelopes, status, noop, load,
        most, each,
    ])
}

/// What a client does when it begins, in a mailbox in which ten messages are unseen.
fn beginning(imap: &mut Imap, messages: usize) -> Result<[f64; 4], Failure> {
    imap.ok("SELECT INBOX")?;
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Seen)")?;
    let number = |n: usize| 1 + n * 7919 % messages;
    for n in 0..10 {
        imap.ok(&format!("STORE {} -FLAGS.SILENT (\\Seen)", number(n)))?;
    }
    let unseen = median(|n| {
        // Another message is unseen each time: no answer that was kept is right.
        imap.ok(&format!("STORE {} +FLAGS.SILENT (\\Seen)", number(n)))?;
        imap.ok(&format!("STORE {} -FLAGS.SILENT (\\Seen)", number(n + 10)))?;
        timed(|| expect("unseen", imap.ok("SEARCH UNSEEN")?.numbers().count() as u64, 10))
    })?;
    let last = format!("FETCH {}:{messages} (UID FLAGS ENVELOPE)", messages - 49);
    let envelopes = median(|_| timed(|| expect("envelopes", imap.ok(&last)?.fetched, 50)))?;
    let noop = median(|_| timed(|| imap.ok("NOOP").map(drop)))?;
    imap.ok("UNSELECT")?;
    let status = "STATUS INBOX (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)";
    let status = median(|_| timed(|| imap.ok(status).map(drop)))?;
    Ok([unseen, envelopes, status, noop])
}

/// Fills INBOX and says on standard error how far it is; how many octets that were.
fn fill(server: &Server, messages: usize) -> Result<u64, Failure> {
    let mut imap = Imap::login(&server.imap, USER, PASSWORD)?;
    let (start, mut octets) = (Instant::now(), 0);
    for from in (0..messages).step_by(100) {
        let to = (from + 100).min(messages);
        let batch: Vec<Vec<u8>> = (from..to).map(|n| message(n, Sizes::Small)).collect();
        octets += batch.iter().map(|mail| mail.len() as u64).sum::<u64>();
        imap.append("INBOX", &batch)?;
        if to % 100_000 == 0 {
            eprintln!("{to} of {messages} messages after {:.0} s", start.elapsed().as_secs_f64());
        }
    }
    Ok(octets)
}

/// The first login and SELECT of a server that just started, a password's check included, in
/// milliseconds; the most memory it ever had resident, in MB; and the mailbox's part in what it
/// has, in bytes a message.
fn cold(server: &mut Server, messages: usize) -> Result<(f64, f64, f64), Failure> {
    server.restart()?;
    // Checking a password takes 19 MiB for a moment, whatever is in the mailbox.
    Imap::login(&server.imap, "user1", PASSWORD)?.ok("SELECT INBOX")?;
    let before = cost::memory_bytes(server.pid());
    let start = Instant::now();
    let mut imap = Imap::login(&server.imap, USER, PASSWORD)?;
    let exists = imap.ok("SELECT INBOX")?.exists.unwrap_or(0);
    let load = start.elapsed().as_secs_f64() * 1e3;
    expect("EXISTS", exists, messages as u64)?;
    let after = cost::memory_bytes(server.pid());
    let each = after.saturating_sub(before) as f64 / messages as f64;
    Ok((load, cost::memory_most(server.pid()) as f64 / 1e6, each))
}

/// Sets (`+`) or takes away (`-`) the `n`-th message's flag.
fn flag(imap: &mut Imap, sign: char, n: usize, messages: usize) -> Result<(), Failure> {
    let number = 1 + n * 7919 % messages;
    imap.ok(&format!("STORE {number} {sign}FLAGS.SILENT (\\Flagged)")).map(drop)
}

/// Comes back to a mailbox where 100 messages changed.
fn resync(imap: &mut Imap, nth: usize, messages: usize) -> Result<f64, Failure> {
    imap.ok("ENABLE QRESYNC")?;
    imap.send(b"STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)")?;
    let line = imap.line_with("STATUS")?;
    let (validity, mod_seq) = (
        number_after(&line, "UIDVALIDITY").ok_or("no UIDVALIDITY")?.to_owned(),
        number_after(&line, "HIGHESTMODSEQ").ok_or("no HIGHESTMODSEQ")?.to_owned(),
    );
    imap.answer()?;
    imap.ok("SELECT INBOX")?;
    for n in 0..100 {
        let number = 1 + n * (messages / 100).max(1);
        imap.ok(&format!("STORE {number} +FLAGS.SILENT ($Resync{nth})"))?;
    }
    imap.ok("UNSELECT")?;
    let start = Instant::now();
    let answer = imap.ok(&format!("SELECT INBOX (QRESYNC ({validity} {mod_seq}))"))?;
    let spent = start.elapsed().as_secs_f64() * 1e6;
    expect("changed messages", answer.fetched, 100)?;
    imap.ok("UNSELECT")?;
    Ok(spent)
}

/// Microseconds.
fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

fn median(work: impl FnMut(usize) -> Result<f64, Failure>) -> Result<f64, Failure> {
    median_of(TIMES, work)
}

fn median_of(
    times: usize,
    work: impl FnMut(usize) -> Result<f64, Failure>,
) -> Result<f64, Failure> {
    let mut all = (0..times).map(work).collect::<Result<Vec<f64>, Failure>>()?;
    all.sort_by(f64::total_cmp);
    Ok(all[all.len() / 2])
}
