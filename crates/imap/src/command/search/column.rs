//! Header keys over a whole mailbox: the field of all messages is read once and kept, and searches
//! to come look at it in memory. Answers are the same as those of reading each message.

use std::sync::Arc;

use account::memo::Field;
use base::{Uid, UidSet};
use futures_util::future::join_all;
use mailbox::Row;
use mailbox::search::{Content, Plan};
use message::column::{Column, FieldReader};
use message::search::Needle;
use storage::Error;

use super::text;
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;

/// Messages up to here are read one by one as well.
const MESSAGES_MIN: usize = 32;

/// For each key of the plan's contents the messages that have it, where a column tells. `undecided`
/// is how many messages depend on their text.
pub(super) async fn answers(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    plan: &Plan,
    undecided: u64,
) -> Result<Vec<Option<UidSet>>, No> {
    let mut answers = Vec::with_capacity(plan.contents().len());
    for content in plan.contents() {
        answers.push(match content {
            Content::Header { field, text } => {
                let column = column(cx, progress, field, undecided).await?;
                column.map(|column| column.matches(&Needle::new(text)))
            }
            Content::Body(_) | Content::Text(_) => None,
        });
    }
    Ok(answers)
}

/// The column of a field, brought up to date if that is worth while.
async fn column(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    field: &str,
    undecided: u64,
) -> Result<Option<Arc<Column>>, No> {
    let fields = &cx.shared.accounts.memo().fields;
    let key = ((cx.live.id(), cx.mailbox.id), field.to_ascii_lowercase());
    let mut kept = fields.get(&key).unwrap_or_default();
    if kept.below.is_some() && kept.column.is_none() {
        return Ok(None);
    }
    let mailbox = cx.mailbox.view.mailbox().clone();
    let total = mailbox.len() as usize;
    if kept.column.as_ref().is_some_and(|column| column.len() > 2 * total + MESSAGES_MIN) {
        // Most of its messages are gone.
        kept = Field::default();
    }
    let from = kept.below.unwrap_or(Uid::MIN);
    let new = UidSet::range(from, Uid::MAX);
    let missing =
        if from >= mailbox.uid_next() { 0 } else { mailbox.count_between(from, Uid::MAX) };
    if missing == 0 && kept.column.is_some() {
        return Ok(kept.column);
    }
    if total <= MESSAGES_MIN || missing > 2 * undecided {
        return Ok(None);
    }
    let mut column = kept.column.map_or_else(Column::default, Arc::unwrap_or_clone);
    let rows: Vec<Row> = mailbox.rows_in(&new).collect();
    let mut rest = &rows[..];
    let mut fits = true;
    while !rest.is_empty() && fits {
        let (group, more) = rest.split_at(text::group_length(rest.iter()));
        fits = read(cx, group, &key.1, &mut column).await?
            && column.memory_bytes() <= fields.value_bytes_max();
        rest = more;
        progress.tell().await?;
    }
    let column = fits.then(|| Arc::new(column));
    let bytes = column.as_ref().map_or(0, |column| column.memory_bytes());
    let below = Some(mailbox.uid_next());
    fields.put(key, Field { column: column.clone(), below }, bytes);
    Ok(column)
}

/// Adds messages to the column; false if it cannot hold them. A damaged message has no fields.
async fn read(
    cx: &Reading<'_>,
    rows: &[Row],
    field: &str,
    column: &mut Column,
) -> Result<bool, No> {
    let reads = join_all(rows.iter().map(|row| values(cx, row, field))).await;
    for (row, values) in rows.iter().zip(reads) {
        let values = match values {
            Ok(values) => values,
            Err(Error::Damaged(why)) => {
                let (account, uid) = (cx.live.id(), row.uid);
                tracing::error!(%account, %uid, why, "message cannot be searched");
                String::new()
            }
            Err(error) => return Err(error.into()),
        };
        if !column.push(row.uid, &values) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn values(cx: &Reading<'_>, row: &Row, field: &str) -> Result<String, Error> {
    let (storage, account) = (cx.shared.accounts.storage(), cx.live.id());
    let mut reader = FieldReader::new(field, &cx.shared.limits);
    if text::is_small(row) {
        reader.feed(&storage.message(account, row.position).await?);
    } else {
        let mut message = storage.open(account, row.position).await?;
        while let Some(bytes) = message.next().await? {
            reader.feed(&bytes);
            if reader.is_done() {
                break;
            }
        }
    }
    Ok(reader.finish())
}
