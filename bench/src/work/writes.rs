//! Logins and messages on their way in.

use super::{Outcome, Scale, expect, messages_in};
use crate::cost;
use crate::drive::{Script, Talk, drive};
use crate::imap::{Failure, Imap, append};
use crate::lmtp::{self, Lmtp};
use crate::mail::{Sizes, message};
use crate::servers::{ACCOUNTS, PASSWORD, Server, user};
use crate::watch::{Measure, Spent, Unit, Watch};

/// Rate, and processor time of each.
pub(super) fn login(server: &mut Server, scale: Scale) -> Outcome {
    const CLIENTS: usize = 8;
    let each = scale.writes / 16;
    let address = server.imap.clone();
    let again = |n: usize| {
        let (address, user) = (&address, user(n));
        move || {
            let login = |_| Imap::login(address, &user, PASSWORD)?.ok("LOGOUT").map(drop);
            (0..each).try_for_each(login)
        }
    };
    let watch = Watch::start(server);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(again(n))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a client panicked".to_owned())?)
    })?;
    let measure = watch.stop().rate(each * CLIENTS);
    Ok(vec![measure, measure.cpu_each()])
}

/// The inboxes of all accounts.
fn delivered(server: &Server) -> Result<u64, Failure> {
    (0..ACCOUNTS)
        .map(|n| messages_in(&mut Imap::login(&server.imap, &user(n), PASSWORD)?, "INBOX"))
        .sum()
}

/// Mail of 25 KB for each client's own account.
fn mail(client: usize, each: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..each).map(move |at| message(client * each + at, Sizes::Mixed))
}

/// How many of `count` each client has to do.
fn share(count: usize, clients: usize) -> usize {
    (count / clients).max(1)
}

/// Drives clients that bring in `each` messages each, and counts what arrived.
fn all_deliver<T: Talk>(
    server: &mut Server,
    mut clients: Vec<(T, Script<'_>)>,
    each: usize,
) -> Outcome {
    let count = each * clients.len();
    let before = delivered(server)?;
    let watch = Watch::start(server);
    drive(&mut clients)?;
    let measure = watch.stop().rate(count);
    expect("messages in all inboxes", delivered(server)? - before, count as u64)?;
    Ok(vec![measure])
}

/// Of so many clients, in so many accounts.
pub(super) fn appends(
    server: &mut Server,
    count: usize,
    (clients, accounts): (usize, usize),
) -> Outcome {
    let each = share(count, clients);
    let ready = |n: usize| {
        let requests = mail(n, each).map(|message| append("INBOX", &[message])).collect();
        let user = user(n % accounts + 1);
        Ok((Imap::login(&server.imap, &user, PASSWORD)?, Script::ready(requests)))
    };
    all_deliver(server, (0..clients).map(ready).collect::<Result<_, Failure>>()?, each)
}

/// Of so many clients, each in an account of its own.
pub(super) fn deliveries(server: &mut Server, count: usize, clients: usize) -> Outcome {
    let each = share(count, clients);
    let ready = |n: usize| {
        let requests = mail(n, each).flat_map(|mail| lmtp::requests(&user(n + 1), &mail));
        Ok((Lmtp::connect(&server.lmtp)?, Script::ready(requests.collect())))
    };
    all_deliver(server, (0..clients).map(ready).collect::<Result<_, Failure>>()?, each)
}

/// The fill is measured for so many seconds at most.
const FILL_SECONDS: f64 = 20.0;
/// Messages of a command.
const BATCH: usize = 20;
/// Messages of a command after what is measured: Maildir reads its directory once for each.
const LARGE_BATCH: usize = 500;

/// Fills the big mailbox, twenty messages a command. Of a server that is slow only the first part is
/// measured.
pub(super) fn fill(server: &mut Server, scale: Scale) -> Outcome {
    // What was written ahead for other accounts is given back.
    server.restart()?;
    server.bytes_before = cost::disk_bytes(&server.mail());
    let mut imap = Imap::login(&server.imap, "user0", PASSWORD)?;
    imap.ok("CREATE big")?;
    let (mut spent, mut measured) = (Spent::default(), 0);
    // A stretch at a time is made before, and said: some servers need minutes.
    for stretch in (0..scale.messages).step_by(2000) {
        let end = (stretch + 2000).min(scale.messages);
        let is_measured = spent.wall < FILL_SECONDS;
        let batch = if is_measured { BATCH } else { LARGE_BATCH };
        let command = |from| {
            let batch: Vec<_> =
                (from..end.min(from + batch)).map(|n| message(n, Sizes::Small)).collect();
            append("big", &batch)
        };
        let requests = (stretch..end).step_by(batch).map(command).collect();
        let mut all = [(imap, Script::ready(requests))];
        let watch = Watch::start(server);
        drive(&mut all)?;
        if is_measured {
            (spent, measured) = (spent.and(watch.stop()), end);
        }
        let [(after, _)] = all;
        imap = after;
        if end % 20_000 == 0 {
            let name = server.kind.name();
            eprintln!("{name}: {end} of {} messages", scale.messages);
        }
    }
    let exists = imap.ok("SELECT big")?.exists.unwrap_or(0);
    expect("messages after the fill", exists, scale.messages as u64)?;
    imap.ok("LOGOUT")?;
    server.remember_filled()?;
    Ok(vec![spent.rate(measured)])
}

/// What the big mailbox takes on disk with its indexes and caches, after all kinds of reading.
pub(super) fn stored(server: &mut Server, scale: Scale) -> Outcome {
    server.restart()?;
    let grown = cost::disk_bytes(&server.mail()).saturating_sub(server.bytes_before);
    Ok(vec![Measure::of(Unit::Bytes, grown as f64 / scale.messages as f64)])
}
