//! The workloads in the order they have to run in, with what issue 3 of the project wants of each.

use super::Target::{self, AtMost, Shown, Times};
use super::reads::{
    FIELDS, download, fetch, fetch_cold, first_ever, random_bodies, select_cold, select_cold_plain,
    select_warm,
};
use super::search::{
    Key, SORT_DATE, SORT_SUBJECT, THREAD, Word, deliveries_while_indexed, index, ordered,
    ordered_after_one_more, search, search_unindexed,
};
use super::writes::{appends, deliveries, fill, login, stored};
use super::{Limit, Outcome, Row, Scale, Who, Workload, device, flags, idle, mixed, moves};
use crate::limits;
use crate::servers::Server;

/// Where nothing else is wanted.
const AHEAD: Target = Times(1.0);
/// Clients in the rows of APPEND and LMTP.
const WRITERS: [usize; 3] = [1, 8, 64];

/// All of them. The first ones fill the mailbox of the others.
pub(crate) fn all() -> Vec<Workload> {
    [writing(), asking_first(), reading(), searching(), changing(), waiting(), storing()]
        .into_iter()
        .flatten()
        .collect()
}

/// One row, for all servers.
fn one(
    (name, target): (impl Into<String>, Target),
    rounds: usize,
    run: impl Fn(&mut Server, Scale) -> Outcome + 'static,
) -> Workload {
    several(&[], rounds, run).with(name, target)
}

/// Some rows, for all servers.
fn several(
    rows: &[(&str, Target)],
    rounds: usize,
    run: impl Fn(&mut Server, Scale) -> Outcome + 'static,
) -> Workload {
    let rows = rows.iter().map(|&(name, target)| Row { name: name.to_owned(), target }).collect();
    Workload { rows, rounds, who: Who::All, limit: None, run: Box::new(run) }
}

impl Workload {
    fn with(mut self, name: impl Into<String>, target: Target) -> Self {
        self.rows.push(Row { name: name.into(), target });
        self
    }

    fn alone(self) -> Self {
        Self { who: Who::Martlet, ..self }
    }

    fn within(
        self,
        share: f64,
        run: impl Fn(Scale) -> Result<f64, crate::imap::Failure> + 'static,
    ) -> Self {
        Self { limit: Some(Limit { run: Box::new(run), share }), ..self }
    }
}

fn plural(clients: usize) -> String {
    format!("{clients} client{}", if clients == 1 { "" } else { "s" })
}

/// A single client has less to do: it waits for the disk each time.
fn writes(scale: Scale, clients: usize) -> usize {
    if clients == 1 { scale.writes / 4 } else { scale.writes }
}

fn writing() -> Vec<Workload> {
    let mut all = vec![several(
        &[("login, 8 clients", Times(3.0)), ("login, CPU of each", Times(3.0))],
        3,
        login,
    )];
    for clients in WRITERS {
        let name = format!("APPEND of 25 KB, {}", plural(clients));
        let run = move |s: &mut Server, n| appends(s, writes(n, clients), (clients, clients));
        let limit = move |n| limits::logs(writes(n, clients), clients, clients);
        all.push(one((name, Times(3.0)), 3, run).within(0.7, limit));
    }
    let run = |s: &mut Server, n: Scale| appends(s, n.writes, (8, 1));
    let of_one = one(("APPEND of 25 KB, 8 clients of one account", Times(3.0)), 3, run);
    all.push(of_one.within(0.7, |n| limits::logs(n.writes, 8, 1)));
    for clients in WRITERS {
        let name = format!("LMTP of 25 KB, {}", plural(clients));
        let run = move |s: &mut Server, n| deliveries(s, writes(n, clients), clients);
        all.push(one((name, Times(4.0)), 3, run));
    }
    all.push(one((FILL, Times(2.0)), 1, fill));
    all
}

/// The workload that always runs.
pub(crate) const FILL: &str = "MULTIAPPEND, 20 a command";

/// Right after the fill: nobody has listed the mailbox, and martlet has no index.
fn asking_first() -> Vec<Workload> {
    let fetching = |name: &str, items: &'static str| {
        one((format!("FETCH {name}, first ever"), AHEAD), 3, move |s, n| {
            first_ever(s, n, |s, n| fetch(s, n, items))
        })
    };
    let searching = |name: &str, key| {
        one((format!("SEARCH {name}, first ever"), AHEAD), 3, move |s, n| {
            first_ever(s, n, |s, n| search(s, n, key))
        })
    };
    vec![
        fetching("envelopes", "(ENVELOPE)"),
        fetching("body structures", "(BODYSTRUCTURE)"),
        fetching("seven header fields", FIELDS),
        searching("FROM", Key::From),
        searching("HEADER of an uncommon field", Key::ReturnPath),
        one(("SORT SUBJECT, first ever", AHEAD), 3, |s, n| {
            first_ever(s, n, |s, n| ordered(s, n, SORT_SUBJECT))
        }),
        one(("SEARCH BODY, rare, not yet indexed", Times(4.0)), 3, move |s, n| {
            search_unindexed(s, n, Key::Text("BODY", Word::Rare))
        }),
        // From here on martlet has an index.
        one(("messages indexed", AHEAD), 1, index).alone(),
    ]
}

fn reading() -> Vec<Workload> {
    let first = |name, items: &'static str, target| {
        one((format!("FETCH {name}, first after start"), Times(target)), 3, move |s, n| {
            fetch_cold(s, n, items)
        })
    };
    let again = |name, items: &'static str, target| {
        one((format!("FETCH {name}, again"), Times(target)), 3, move |s, n| fetch(s, n, items))
    };
    let both = |name, items, target| [first(name, items, target), again(name, items, target)];
    let mut all = vec![
        several(
            &[
                ("SELECT, first after start", Times(3.0)),
                ("login and SELECT, first after start", AHEAD),
            ],
            3,
            select_cold,
        ),
        // martlet checks a hash here, the rivals a plain password.
        one(("the same, passwords of the rivals plain", Shown), 3, select_cold_plain),
        one(("SELECT, warm", Times(3.0)), 5, select_warm),
        one(("FETCH flags of all", Times(4.0)), 5, |s, n| fetch(s, n, "(UID FLAGS)")),
    ];
    all.extend(both("envelopes", "(ENVELOPE)", 8.0));
    all.extend(both("body structures", "(BODYSTRUCTURE)", 4.0));
    all.extend(both("seven header fields", FIELDS, 4.0));
    all.push(one(("random bodies, 4 clients", Times(2.0)), 3, random_bodies));
    let third =
        one(("whole download", Times(4.0)), 3, download).within(1.0 / 3.0, limits::loopback);
    all.push(third);
    all.push(one(
        ("FETCH of 10,000 unseen bodies, which sets \\Seen", AHEAD),
        3,
        flags::read_unseen,
    ));
    all.push(one(("STORE +Seen on all, silent", Times(8.0)), 3, flags::store_all));
    all
}

fn searching() -> Vec<Workload> {
    let row = |name: &str, key, target| {
        one((format!("SEARCH {name}"), Times(target)), 3, move |s, n| search(s, n, key))
    };
    let all_of = |name, most, command: &'static str| {
        let cold = move |s: &mut Server, n| {
            s.restart()?;
            ordered(s, n, command)
        };
        let one_more = move |s: &mut Server, n| ordered_after_one_more(s, n, command);
        [
            one((format!("{name}, first after start"), AHEAD), 3, cold),
            one((format!("{name}, again"), AtMost(most)), 3, move |s, n| ordered(s, n, command)),
            one((format!("{name}, after one new message"), AHEAD), 3, one_more),
        ]
    };
    let mut all = vec![
        row("UNSEEN", Key::Unseen, 10.0),
        row("FROM", Key::From, 40.0),
        row("SUBJECT", Key::Subject, 40.0),
        row("BODY, rare", Key::Text("BODY", Word::Rare), 300.0),
        row("BODY, frequent", Key::Text("BODY", Word::Frequent), 1.0),
        row("BODY, absent", Key::Text("BODY", Word::Absent), 1.0),
        row("TEXT, rare", Key::Text("TEXT", Word::Rare), 1.0),
        row("TEXT, frequent", Key::Text("TEXT", Word::Frequent), 1.0),
        row("TEXT, absent", Key::Text("TEXT", Word::Absent), 1.0),
    ];
    all.extend(all_of("SORT DATE", 15.0, SORT_DATE));
    all.extend(all_of("SORT SUBJECT", 30.0, SORT_SUBJECT));
    all.extend(all_of("THREAD REFERENCES", 20.0, THREAD));
    // All kinds of caches are there, and no other account was written to since the fill.
    all.push(one(
        ("bytes stored a message of 2 KB, index and caches too", AtMost(1400.0)),
        1,
        stored,
    ));
    all
}

fn changing() -> Vec<Workload> {
    let stores = |clients: usize| {
        one((format!("single STORE, {}", plural(clients)), Times(3.0)), 3, move |s, n| {
            flags::stores(s, writes(n, clients), clients)
        })
    };
    vec![
        stores(1),
        stores(4),
        stores(16),
        one(("QRESYNC, 100 changes", Times(10.0)), 3, flags::qresync),
        one(("COPY of 10,000", Times(8.0)), 3, moves::copy),
        one(("MOVE of 10,000", Times(8.0)), 3, moves::there_and_back),
        one(("EXPUNGE of 10,000", Times(8.0)), 3, moves::expunge),
        several(
            &[
                ("mixed load, 64 clients", Times(5.0)),
                ("mixed load, slowest of 100", Times(3.0)),
                ("mixed load, CPU of each command", AHEAD),
            ],
            3,
            mixed::load,
        ),
    ]
}

fn waiting() -> Vec<Workload> {
    const KIB: f64 = 1024.0;
    vec![
        one(("delivery to EXISTS, median", AtMost(3.0)), 1, idle::latency),
        one(("memory with 1,000 idle connections, for each", AHEAD), 1, |s, n| {
            idle::memory(s, n.idle, false)
        }),
        one(("memory with 1,000 idle connections, for each, TLS", AHEAD), 1, |s, n| {
            idle::memory(s, n.idle, true)
        }),
        one(("memory of one more of 10,000 idle connections", AtMost(10.0 * KIB)), 1, |s, n| {
            idle::memory_of_one_more(s, n.crowd, false)
        })
        .alone(),
        one(
            ("memory of one more of 10,000 idle connections, TLS", AtMost(40.0 * KIB)),
            1,
            |s, n| idle::memory_of_one_more(s, n.crowd, true),
        )
        .alone(),
    ]
}

fn storing() -> Vec<Workload> {
    vec![
        one(
            ("LMTP of 25 KB, 8 clients, index being built", Times(4.0)),
            3,
            deliveries_while_indexed,
        ),
        one(("written to the device for a byte of mail, 20 KB each", AtMost(1.3)), 1, |s, n| {
            device::append_only(s, n)
        }),
        one(("the same when two of three were deleted and compacted", AtMost(2.0)), 1, |s, n| {
            device::with_compaction(s, n)
        }),
    ]
}
