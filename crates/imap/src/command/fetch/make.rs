//! What is not kept beside messages yet: made from them, and kept for the next time.
//!
//! No session is needed for it: it happens while a group before is written.

use account::Live;
use bytes::Bytes;
use futures_util::future::join;
use mailbox::{Position, Row};
use message::kept::HEADER_BYTES_MAX;
use message::printed;
use storage::Extract;

use super::fields::lines;
use super::{GROUP_OCTETS, is_held, kept};

/// Makes BODYSTRUCTUREs or summaries; `None` where a message cannot be read.
pub(super) async fn summaries(live: &Live, what: Extract, rows: &[Row]) -> Vec<Option<Bytes>> {
    if what != Extract::Structure {
        let summaries = live.summaries(rows).await.into_iter();
        return summaries.map(|summary| Some(summary.ok()?.encode())).collect();
    }
    let mut made = Vec::with_capacity(rows.len());
    while let Some(rest) = rows.get(made.len()..).filter(|rest| !rest.is_empty()) {
        let found = live.extracts(Extract::Summary, positions(rest)).await;
        for (nth, row) in rest.iter().enumerate().take(found.len()) {
            let structures = match found.get(nth).and_then(printed::structures) {
                Some(structures) => Some(structures),
                None => parsed_structures(live, row).await,
            };
            made.push(structures.map(Bytes::from));
        }
    }
    keep(live, what, rows, &made).await;
    made
}

async fn parsed_structures(live: &Live, row: &Row) -> Option<Vec<u8>> {
    let summary = live.summaries(std::slice::from_ref(row)).await.pop()?.ok()?;
    printed::structures(&summary.encode())
}

/// Makes headers in the form they are kept in; `None` where one is not, or cannot be read.
pub(super) async fn headers(live: &Live, what: Extract, rows: &[Row]) -> Vec<Option<Bytes>> {
    let mut made = Vec::with_capacity(rows.len());
    let mut run = first_run(rows);
    let mut read = beginnings(live, run).await;
    while !run.is_empty() {
        let next = first_run(&rows[made.len() + run.len()..]);
        let make = async {
            let header = |message: Option<Bytes>| header(&message?, what);
            made.extend(read.into_iter().map(header));
        };
        // In this order: the storage is at work while this thread looks at what was read.
        (read, ()) = join(beginnings(live, next), make).await;
        run = next;
    }
    keep(live, what, rows, &made).await;
    made
}

/// As many as may be in memory at once, or one of which the beginning is.
fn first_run(rows: &[Row]) -> &[Row] {
    let mut octets = 0;
    let fits = |row: &&Row| {
        octets += u64::from(row.size);
        is_held(row) && octets <= GROUP_OCTETS
    };
    let count = rows.iter().take_while(fits).count();
    &rows[..count.max(1).min(rows.len())]
}

/// Whole messages, or the first bytes of a large one.
async fn beginnings(live: &Live, run: &[Row]) -> Vec<Option<Bytes>> {
    match run {
        [] => Vec::new(),
        [large] if !is_held(large) => vec![beginning(live, large.position).await],
        run => {
            let messages = live.storage().messages(live.id(), positions(run)).await;
            messages.into_iter().map(Result::ok).collect()
        }
    }
}

/// Of a message that is not held in memory: enough to see all of a header that is kept.
async fn beginning(live: &Live, at: Position) -> Option<Bytes> {
    let mut message = live.storage().open(live.id(), at).await.ok()?;
    let mut bytes = Vec::new();
    while bytes.len() < HEADER_BYTES_MAX {
        bytes.extend_from_slice(&message.next().await.ok()??);
    }
    // What goes on behind it has no end here.
    let end = header_bytes(&bytes);
    (end <= HEADER_BYTES_MAX && end < bytes.len()).then(|| bytes.into())
}

/// The header of a message, in the form it is kept in.
fn header(message: &[u8], what: Extract) -> Option<Bytes> {
    match what {
        Extract::Fields => kept::fields(message),
        _ => kept::whole(&message[..header_bytes(message)]),
    }
}

/// Octets up to the empty line, that line included; all if there is none.
fn header_bytes(message: &[u8]) -> usize {
    lines(message).map(|line| line.raw().len()).sum()
}

fn positions(rows: &[Row]) -> Vec<Position> {
    rows.iter().map(|row| row.position).collect()
}

/// Puts what was made where it is found the next time.
async fn keep(live: &Live, what: Extract, rows: &[Row], made: &[Option<Bytes>]) {
    let new = rows.iter().zip(made);
    let new = new.filter_map(|(row, made)| Some((row.position, made.clone()?))).collect();
    if let Err(error) = live.storage().put_extracts(live.id(), what, new).await {
        tracing::debug!(account = %live.id(), %error, "extracts not cached");
    }
}
