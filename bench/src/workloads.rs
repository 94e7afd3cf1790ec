//! The workloads: each does the same work on whichever server it is given, checks every answer, and
//! says how much it did and how long that took.

use std::sync::OnceLock;
use std::time::Instant;

use crate::cost;
use crate::idle;
use crate::imap::{Failure, Imap};
use crate::lmtp::Lmtp;
use crate::mail::{self, Chance, Sizes, message};
use crate::mixed;
use crate::servers::{ACCOUNTS, PASSWORD, Server};

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Messages in the big mailbox of `user0`.
    pub(crate) messages: usize,
    /// Deliveries and appends of one measurement.
    pub(crate) writes: usize,
    /// Idle connections.
    pub(crate) idle: usize,
    /// Idle connections of martlet alone.
    pub(crate) crowd: usize,
}

/// What a measurement found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// What it is a measure of.
    pub(crate) unit: Unit,
    /// How many of it.
    pub(crate) value: f64,
}

/// Units, and with them whether more is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Things done a second: more is better.
    PerSecond,
    /// Milliseconds the whole took: less is better.
    Millis,
    /// Bytes: less is better.
    Bytes,
}

/// One workload.
pub(crate) struct Workload {
    /// Its row in the table.
    pub(crate) name: &'static str,
    /// How often to repeat it; 1 where it cannot be repeated.
    pub(crate) rounds: usize,
    /// Does it.
    pub(crate) run: fn(&mut Server, Scale) -> Result<Measure, Failure>,
}

/// All, in the order they have to run in: the first ones fill the mailbox of the others.
pub(crate) const ALL: &[Workload] = &[
    Workload { name: "login, 8 clients", rounds: 3, run: login },
    Workload { name: "APPEND, 1 client", rounds: 3, run: |s, n| appends(s, n.writes / 4, 1) },
    Workload { name: "APPEND, 16 clients", rounds: 3, run: |s, n| appends(s, n.writes, 16) },
    Workload { name: "APPEND, 64 clients", rounds: 3, run: |s, n| appends(s, n.writes, 64) },
    Workload { name: "LMTP, 1 client", rounds: 3, run: |s, n| deliveries(s, n.writes / 4, 1) },
    Workload { name: "LMTP, 16 clients", rounds: 3, run: |s, n| deliveries(s, n.writes, 16) },
    Workload { name: "MULTIAPPEND, 20 a command", rounds: 1, run: fill },
    Workload { name: "bytes stored a message of 2 KB", rounds: 1, run: stored },
    Workload { name: "SELECT, first after start", rounds: 3, run: select_cold },
    Workload { name: "SELECT, warm", rounds: 5, run: select_warm },
    Workload { name: "FETCH flags of all", rounds: 5, run: |s, n| fetch(s, n, "(UID FLAGS)") },
    Workload { name: "FETCH envelopes, first after start", rounds: 2, run: envelopes_cold },
    Workload { name: "FETCH envelopes", rounds: 3, run: |s, n| fetch(s, n, "(ENVELOPE)") },
    Workload {
        name: "FETCH body structures",
        rounds: 3,
        run: |s, n| fetch(s, n, "(BODYSTRUCTURE)"),
    },
    Workload {
        name: "FETCH seven header fields",
        rounds: 3,
        run: |s, n| {
            let fields =
                "(BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES)])";
            fetch(s, n, fields)
        },
    },
    Workload { name: "random bodies, 4 clients", rounds: 3, run: random_bodies },
    Workload { name: "whole download", rounds: 2, run: |s, n| fetch(s, n, "(BODY.PEEK[])") },
    Workload { name: "STORE +Seen on all, silent", rounds: 2, run: store_all },
    Workload { name: "single STORE, 1 client", rounds: 3, run: |s, n| stores(s, n, 1) },
    Workload { name: "single STORE, 16 clients", rounds: 3, run: |s, n| stores(s, n, 16) },
    Workload { name: "SEARCH UNSEEN", rounds: 3, run: |s, _| search(s, "UNSEEN") },
    Workload { name: "SEARCH FROM", rounds: 3, run: |s, _| search(s, "FROM \"Chen\"") },
    Workload { name: "SEARCH SUBJECT", rounds: 3, run: |s, _| search(s, "SUBJECT \"winter\"") },
    Workload { name: "SEARCH BODY, rare", rounds: 2, run: |s, _| body(s, mail::RARE_WORD) },
    Workload { name: "SEARCH BODY, frequent", rounds: 2, run: |s, _| body(s, mail::FREQUENT_WORD) },
    Workload { name: "SEARCH BODY, absent", rounds: 2, run: |s, _| body(s, mail::ABSENT_WORD) },
    Workload { name: "SORT DATE", rounds: 3, run: |s, n| sort(s, n, "SORT (DATE) UTF-8 ALL") },
    Workload {
        name: "SORT SUBJECT",
        rounds: 3,
        run: |s, n| sort(s, n, "SORT (SUBJECT) UTF-8 ALL"),
    },
    Workload { name: "THREAD REFERENCES", rounds: 3, run: thread },
    Workload { name: "QRESYNC, 100 changes", rounds: 3, run: qresync },
    Workload { name: "COPY of a tenth", rounds: 3, run: copy },
    Workload { name: "MOVE of a tenth", rounds: 2, run: move_there_and_back },
    Workload { name: "EXPUNGE of a tenth", rounds: 2, run: expunge },
    Workload { name: "delivery to EXISTS, median", rounds: 1, run: idle::latency },
    Workload { name: "mixed load, 64 clients", rounds: 3, run: mixed::rate },
    Workload { name: "mixed load, slowest of 100", rounds: 3, run: mixed::slowest },
    Workload {
        name: "memory of an idle connection",
        rounds: 1,
        run: |s, n| idle::memory(s, n.idle, false),
    },
    Workload {
        name: "memory of an idle connection, TLS",
        rounds: 1,
        run: |s, n| idle::memory(s, n.idle, true),
    },
];

/// For martlet alone: processes for so many connections take minutes to start.
pub(crate) const ALONE: &[Workload] = &[
    Workload {
        name: "memory of each of 10,000 idle connections",
        rounds: 1,
        run: |s, n| idle::memory(s, n.crowd, false),
    },
    Workload {
        name: "memory of each of 5,000 idle connections, TLS",
        rounds: 1,
        run: |s, n| idle::memory(s, n.crowd / 2, true),
    },
];

fn rate(count: usize, seconds: f64) -> Result<Measure, Failure> {
    Ok(Measure { unit: Unit::PerSecond, value: count as f64 / seconds })
}

fn millis(start: Instant) -> Result<Measure, Failure> {
    Ok(Measure { unit: Unit::Millis, value: start.elapsed().as_secs_f64() * 1000.0 })
}

/// A wrong answer is a failure.
pub(crate) fn expect(what: &str, found: u64, wanted: u64) -> Result<(), Failure> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("{what}: {found} instead of {wanted}")),
    }
}

/// Makes each client ready, then runs `work` for all of them at once. How long that took, in
/// seconds.
pub(crate) fn parallel<T: Send>(
    clients: usize,
    ready: impl Fn(usize) -> Result<T, Failure> + Sync,
    work: impl Fn(usize, T) -> Result<(), Failure> + Sync,
) -> Result<f64, Failure> {
    let ready = in_threads((0..clients).collect(), |_, n| ready(n))?;
    let start = Instant::now();
    in_threads(ready, work)?;
    Ok(start.elapsed().as_secs_f64())
}

/// A thread for each of `all`, which is told its place.
fn in_threads<T: Send, R: Send>(
    all: Vec<T>,
    work: impl Fn(usize, T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            all.into_iter().enumerate().map(|(n, one)| scope.spawn(move || work(n, one))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<R, Failure>>| {
            thread.join().map_err(|_| "a client panicked".to_owned())?
        };
        threads.into_iter().map(join).collect()
    })
}

/// Names an account.
pub(crate) fn user(n: usize) -> String {
    format!("user{}", n % ACCOUNTS)
}

fn open(server: &Server) -> Result<Imap, Failure> {
    let mut imap = Imap::login(&server.imap, "user0", PASSWORD)?;
    imap.ok("SELECT big")?;
    Ok(imap)
}

fn login(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    let each = scale.writes / 16;
    let address = &server.imap;
    let seconds = parallel(
        8,
        |_| Ok(()),
        |n, ()| {
            (0..each)
                .try_for_each(|_| Imap::login(address, &user(n), PASSWORD)?.ok("LOGOUT").map(drop))
        },
    )?;
    rate(each * 8, seconds)
}

fn appends(server: &mut Server, writes: usize, clients: usize) -> Result<Measure, Failure> {
    let each = (writes / clients).max(1);
    let address = &server.imap;
    let ready = |n: usize| {
        let messages: Vec<_> = (0..each).map(|at| message(n * each + at, Sizes::Mixed)).collect();
        Ok((Imap::login(address, &user(n + 1), PASSWORD)?, messages))
    };
    let seconds = parallel(clients, ready, |_, (mut imap, messages)| {
        messages
            .iter()
            .try_for_each(|message| imap.append("INBOX", std::slice::from_ref(message)).map(drop))
    })?;
    rate(each * clients, seconds)
}

fn deliveries(server: &mut Server, writes: usize, clients: usize) -> Result<Measure, Failure> {
    let each = (writes / clients).max(1);
    let address = &server.lmtp;
    let ready = |n: usize| {
        let messages: Vec<_> = (0..each).map(|at| message(n * each + at, Sizes::Mixed)).collect();
        Ok((Lmtp::connect(address)?, messages))
    };
    let seconds = parallel(clients, ready, |n, (mut lmtp, messages)| {
        messages.iter().try_for_each(|message| lmtp.deliver(&user(n + 1), message))
    })?;
    rate(each * clients, seconds)
}

fn fill(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    let mut imap = Imap::login(&server.imap, "user0", PASSWORD)?;
    imap.ok("CREATE big")?;
    let mut spent = std::time::Duration::ZERO;
    for from in (0..scale.messages).step_by(20) {
        let to = (from + 20).min(scale.messages);
        let batch: Vec<Vec<u8>> = (from..to).map(|n| message(n, Sizes::Small)).collect();
        let start = Instant::now();
        imap.append("big", &batch)?;
        spent += start.elapsed();
    }
    let exists = imap.ok("SELECT big")?.exists.unwrap_or(0);
    expect("messages after the fill", exists, scale.messages as u64)?;
    Ok(Measure { unit: Unit::PerSecond, value: scale.messages as f64 / spent.as_secs_f64() })
}

fn stored(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    // The other accounts hold the appended and delivered messages; only user0 has the big mailbox.
    let all = cost::disk_bytes(&server.mail());
    let before = all;
    let mut imap = Imap::login(&server.imap, "user9", PASSWORD)?;
    imap.ok("CREATE measure")?;
    let count = scale.messages.min(10_000);
    for from in (0..count).step_by(20) {
        let batch: Vec<Vec<u8>> = (from..from + 20).map(|n| message(n, Sizes::Small)).collect();
        imap.append("measure", &batch)?;
    }
    imap.ok("LOGOUT")?;
    let grown = cost::disk_bytes(&server.mail()).saturating_sub(before);
    Ok(Measure { unit: Unit::Bytes, value: grown as f64 / count as f64 })
}

fn select_cold(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    server.restart()?;
    let mut imap = Imap::login(&server.imap, "user0", PASSWORD)?;
    let start = Instant::now();
    let exists = imap.ok("SELECT big")?.exists.unwrap_or(0);
    let measure = millis(start);
    expect("EXISTS", exists, scale.messages as u64)?;
    measure
}

fn select_warm(server: &mut Server, _: Scale) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    let start = Instant::now();
    for _ in 0..20 {
        imap.ok("SELECT big")?;
    }
    Ok(Measure { unit: Unit::Millis, value: start.elapsed().as_secs_f64() * 1000.0 / 20.0 })
}

fn fetch(server: &mut Server, scale: Scale, items: &str) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    let start = Instant::now();
    let answer = imap.ok(&format!("FETCH 1:* {items}"))?;
    let measure = millis(start);
    expect(items, answer.fetched, scale.messages as u64)?;
    measure
}

fn envelopes_cold(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    server.restart()?;
    fetch(server, scale, "(ENVELOPE)")
}

/// The sizes of the messages in the big mailbox.
fn octets(scale: Scale) -> &'static [u64] {
    static OCTETS: OnceLock<Vec<u64>> = OnceLock::new();
    OCTETS.get_or_init(|| {
        (0..scale.messages).map(|n| message(n, Sizes::Small).len() as u64).collect()
    })
}

fn random_bodies(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    let each = scale.writes;
    let (server, octets) = (&*server, octets(scale));
    let seconds = parallel(
        4,
        |_| open(server),
        |n, mut imap| {
            let mut chance = Chance::new(n as u64);
            (0..each).try_for_each(|_| {
                let number = 1 + chance.below(scale.messages);
                let answer = imap.ok(&format!("FETCH {number} (BODY.PEEK[])"))?;
                expect("octets", answer.literal_bytes, octets.get(number - 1).copied().unwrap_or(0))
            })
        },
    )?;
    rate(each * 4, seconds)
}

fn store_all(server: &mut Server, _: Scale) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    imap.ok("STORE 1:* -FLAGS.SILENT (\\Seen)")?;
    let start = Instant::now();
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Seen)")?;
    let measure = millis(start);
    // Leave a tenth unseen for SEARCH.
    imap.ok("STORE 1:100 -FLAGS.SILENT (\\Seen)")?;
    measure
}

fn stores(server: &mut Server, scale: Scale, clients: usize) -> Result<Measure, Failure> {
    let each = (scale.writes / clients).max(1);
    let server = &*server;
    let seconds = parallel(
        clients,
        |_| open(server),
        |n, mut imap| {
            (0..each).try_for_each(|at| {
                let number = 1 + (n * each + at / 2) % scale.messages;
                let sign = if at % 2 == 0 { '+' } else { '-' };
                imap.ok(&format!("STORE {number} {sign}FLAGS.SILENT (\\Flagged)")).map(drop)
            })
        },
    )?;
    rate(each * clients, seconds)
}

fn search(server: &mut Server, key: &str) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    let start = Instant::now();
    let answer = imap.ok(&format!("SEARCH {key}"))?;
    let measure = millis(start);
    match answer.found {
        0 => Err(format!("SEARCH {key} found nothing")),
        _ => measure,
    }
}

fn body(server: &mut Server, word: &str) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    let start = Instant::now();
    let answer = imap.ok(&format!("SEARCH BODY {word}"))?;
    let measure = millis(start);
    // The rare word may be in none of a small mailbox's messages.
    match (word, answer.found) {
        (mail::ABSENT_WORD, 1..) | (mail::FREQUENT_WORD, 0) => {
            Err(format!("SEARCH BODY {word} found {}", answer.found))
        }
        _ => measure,
    }
}

fn sort(server: &mut Server, scale: Scale, command: &str) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    let start = Instant::now();
    let answer = imap.ok(command)?;
    let measure = millis(start);
    expect(command, answer.found, scale.messages as u64)?;
    measure
}

fn thread(server: &mut Server, _: Scale) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    let start = Instant::now();
    let answer = imap.ok("THREAD REFERENCES UTF-8 ALL")?;
    let measure = millis(start);
    if answer.found == 0 { Err("THREAD found nothing".into()) } else { measure }
}

/// The first number after `word`.
pub(crate) fn number_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.split(word).nth(1)?;
    rest.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())
}

fn qresync(server: &mut Server, _: Scale) -> Result<Measure, Failure> {
    let mut imap = Imap::login(&server.imap, "user0", PASSWORD)?;
    imap.ok("ENABLE QRESYNC")?;
    imap.send(b"STATUS big (UIDVALIDITY HIGHESTMODSEQ)")?;
    let line = imap.line_with("STATUS")?;
    let (validity, mod_seq) = (
        number_after(&line, "UIDVALIDITY").ok_or("no UIDVALIDITY")?.to_owned(),
        number_after(&line, "HIGHESTMODSEQ").ok_or("no HIGHESTMODSEQ")?.to_owned(),
    );
    imap.answer()?;
    imap.ok("SELECT big")?;
    for n in 0..100 {
        imap.ok(&format!("STORE {} +FLAGS.SILENT ($Bench{})", 1 + n * 3, mod_seq.len()))?;
        imap.ok(&format!("STORE {} -FLAGS.SILENT ($Bench{})", 1 + n * 3, mod_seq.len()))?;
    }
    imap.ok("UNSELECT")?;
    let start = Instant::now();
    let answer = imap.ok(&format!("SELECT big (QRESYNC ({validity} {mod_seq}))"))?;
    let measure = millis(start);
    expect("changed messages", answer.fetched, 100)?;
    measure
}

fn copy(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    imap.ok("CREATE copies")?;
    let start = Instant::now();
    imap.ok(&format!("COPY 1:{} copies", scale.messages / 10))?;
    let measure = millis(start);
    imap.ok("DELETE copies")?;
    measure
}

fn move_there_and_back(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    imap.ok("CREATE moved")?;
    let start = Instant::now();
    let answer = imap.ok(&format!("MOVE 1:{} moved", scale.messages / 10))?;
    let measure = millis(start);
    expect("EXPUNGE responses", answer.expunged, scale.messages as u64 / 10)?;
    imap.ok("SELECT moved")?;
    imap.ok("MOVE 1:* big")?;
    imap.ok("UNSELECT")?;
    imap.ok("DELETE moved")?;
    measure
}

fn expunge(server: &mut Server, scale: Scale) -> Result<Measure, Failure> {
    let mut imap = open(server)?;
    imap.ok("CREATE doomed")?;
    imap.ok(&format!("COPY 1:{} doomed", scale.messages / 10))?;
    imap.ok("SELECT doomed")?;
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
    let start = Instant::now();
    let answer = imap.ok("EXPUNGE")?;
    let measure = millis(start);
    expect("EXPUNGE responses", answer.expunged, scale.messages as u64 / 10)?;
    imap.ok("UNSELECT")?;
    imap.ok("DELETE doomed")?;
    measure
}
