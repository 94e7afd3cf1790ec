//! What commands about a whole mailbox cost when it grows: they answer with all messages, or look at
//! all, so what counts is their cost for each message.

use std::path::Path;
use std::time::Instant;

use super::{USER, fill};
use crate::cost;
use crate::imap::{Answer, Failure, Imap};
use crate::mail::RARE_WORD;
use crate::servers::{Kind, NO_INDEX, PASSWORD, Server};
use crate::work::expect;

/// What happens before a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Restart,
    /// The server is restarted with a text index, which is built.
    Index,
}

use Before::{Index, Nothing, Restart};

/// Rows: each is asked once, from a connection of its own.
const ROWS: &[(&str, Before, &str)] = &[
    ("FETCH envelopes, first ever", Restart, "FETCH 1:* (ENVELOPE)"),
    ("FETCH envelopes, again", Nothing, "FETCH 1:* (ENVELOPE)"),
    ("FETCH flags of all", Nothing, "FETCH 1:* (UID FLAGS)"),
    ("SEARCH FROM, first after start", Restart, "SEARCH FROM chen"),
    ("SEARCH FROM, again", Nothing, "SEARCH FROM chen"),
    ("SEARCH SUBJECT", Nothing, "SEARCH SUBJECT winter"),
    ("SORT DATE, first after start", Restart, "SORT (DATE) UTF-8 ALL"),
    ("SORT DATE, again", Nothing, "SORT (DATE) UTF-8 ALL"),
    ("SORT SUBJECT, first after start", Restart, "SORT (SUBJECT) UTF-8 ALL"),
    ("SORT SUBJECT, again", Nothing, "SORT (SUBJECT) UTF-8 ALL"),
    ("THREAD REFERENCES, first after start", Restart, "THREAD REFERENCES UTF-8 ALL"),
    ("THREAD REFERENCES, again", Nothing, "THREAD REFERENCES UTF-8 ALL"),
    ("whole download", Restart, "FETCH 1:* (BODY.PEEK[])"),
    ("SEARCH BODY, rare, not indexed", Restart, "SEARCH BODY quetzalcoatl"),
    ("SEARCH BODY, rare, first with the index", Index, "SEARCH BODY quetzalcoatl"),
    ("SEARCH BODY, rare, again", Nothing, "SEARCH BODY quetzalcoatl"),
    ("SEARCH TEXT, rare", Nothing, "SEARCH TEXT quetzalcoatl"),
];
/// In one message of so many.
const RARE: usize = 10_000;

/// What one mailbox cost.
struct Column {
    /// Milliseconds, for each row.
    millis: Vec<f64>,
    /// To build the index.
    index_millis: f64,
    /// Its bytes for each byte of mail.
    index_share: f64,
    /// The most memory the server had since its last start, in bytes.
    memory: f64,
    /// Bytes on disk with the index and all caches.
    disk: f64,
}

/// The table.
pub(super) fn run(binary: &Path, sizes: &[usize]) -> Result<String, Failure> {
    let columns = sizes
        .iter()
        .map(|&messages| measure(binary, messages).map_err(|why| format!("{messages}: {why}")))
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(table(sizes, &columns))
}

fn measure(binary: &Path, messages: usize) -> Result<Column, Failure> {
    let mut server = Server::start_in(&std::env::temp_dir(), Kind::Martlet, binary, NO_INDEX)?;
    let octets = fill(&server, messages)?;
    let (mut millis, mut index_millis) = (Vec::new(), f64::NAN);
    for &(name, before, command) in ROWS {
        match before {
            Nothing => {}
            Restart => server.restart()?,
            Index => {
                server.restart_with("")?;
                let start = Instant::now();
                server.index()?;
                index_millis = start.elapsed().as_secs_f64() * 1e3;
            }
        }
        let mut imap = Imap::login(&server.imap, USER, PASSWORD)?;
        imap.ok("SELECT INBOX")?;
        let start = Instant::now();
        let answer = imap.ok(command)?;
        millis.push(start.elapsed().as_secs_f64() * 1e3);
        check(command, &answer, messages)?;
        eprintln!("{messages}: {name}: {:.1} ms", millis.last().unwrap_or(&f64::NAN));
    }
    let index_share = server.index_bytes()? as f64 / octets as f64;
    let memory = cost::memory_most(server.pid()) as f64;
    let disk = cost::disk_bytes(&server.mail()) as f64;
    Ok(Column { millis, index_millis, index_share, memory, disk })
}

fn check(command: &str, answer: &Answer, messages: usize) -> Result<(), Failure> {
    let found = answer.numbers().count();
    match command.split(' ').next() {
        Some("FETCH") => expect(command, answer.fetched, messages as u64),
        Some("SORT" | "THREAD") => expect(command, found as u64, messages as u64),
        _ if command.ends_with(RARE_WORD) => {
            expect(command, found as u64, (messages / RARE) as u64)
        }
        _ if found == 0 => Err(format!("{command}: nothing found")),
        _ => Ok(()),
    }
}

/// Milliseconds of each mailbox, microseconds of each message, and how many times more the last
/// mailbox needs for a message than the first.
fn table(sizes: &[usize], columns: &[Column]) -> String {
    let heads: String = sizes.iter().map(|size| format!(" {size} messages | each |")).collect();
    let rules = "--:|".repeat(sizes.len() * 2 + 1);
    let mut out = format!("| martlet |{heads} times |\n|---|{rules}\n");
    let mut row = |name: &str, value: &dyn Fn(&Column) -> f64| {
        let each = |(size, column): (&usize, &Column)| value(column) * 1e3 / *size as f64;
        let all: Vec<f64> = sizes.iter().zip(columns).map(each).collect();
        let cell =
            |(column, each): (&Column, &f64)| format!(" {:.1} ms | {each:.3} µs |", value(column));
        let cells: String = columns.iter().zip(&all).map(cell).collect();
        let times = all.last().zip(all.first()).map_or(f64::NAN, |(last, first)| last / first);
        out += &format!("| {name} |{cells} {times:.1} |\n");
    };
    for (at, (name, ..)) in ROWS.iter().enumerate() {
        row(name, &|column| column.millis.get(at).copied().unwrap_or(f64::NAN));
    }
    row("the text index, built", &|column| column.index_millis);
    let mut plain = |name: &str, value: &dyn Fn(usize, &Column) -> String| {
        let cell = |(&size, column)| format!(" {} | |", value(size, column));
        let cells: String = sizes.iter().zip(columns).map(cell).collect();
        out += &format!("| {name} |{cells} |\n");
    };
    plain("the text index, share of the mail's bytes", &|_, column| {
        format!("{:.1} %", column.index_share * 100.0)
    });
    plain("bytes stored a message, index and caches too", &|size, column| {
        format!("{:.0} B", column.disk / size as f64)
    });
    plain("most memory (VmHWM) with the index", &|_, column| {
        format!("{:.1} MB", column.memory / 1e6)
    });
    out
}
