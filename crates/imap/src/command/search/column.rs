//! Header keys over a whole mailbox: the field of all messages is read once and kept, and searches
//! to come look at it in memory. Answers are the same as those of reading each message.

use std::sync::Arc;

use account::memo::Field;
use base::{Uid, UidSet};
use mailbox::Row;
use mailbox::search::{Content, Plan};
use message::column::{Column, FieldReader};
use message::search::Needle;
use storage::Error;

use super::text::{self, Groups};
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

/// The fields of one pass: who looks for one of them soon looks for another.
const TOGETHER: [&str; 5] = ["from", "to", "cc", "bcc", "subject"];
/// Memory for a message's fields of [`TOGETHER`], generously.
const TOGETHER_BYTES: usize = 256;

/// The column of a field, brought up to date if that is worth while.
async fn column(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    field: &str,
    undecided: u64,
) -> Result<Option<Arc<Column>>, No> {
    let fields = &cx.shared.accounts.memo().fields;
    let field = field.to_ascii_lowercase();
    let mailbox = cx.mailbox.view.mailbox();
    let kept = kept(cx, &field);
    if kept.below.is_some() && kept.column.is_none() {
        return Ok(None);
    }
    let total = mailbox.len() as usize;
    let from = kept.below.unwrap_or(Uid::MIN);
    let missing =
        if from >= mailbox.uid_next() { 0 } else { mailbox.count_between(from, Uid::MAX) };
    if missing == 0 && kept.column.is_some() {
        return Ok(kept.column);
    }
    if total <= MESSAGES_MIN || missing > 2 * undecided {
        return Ok(None);
    }
    let mut making = vec![Making::new(field.clone(), kept)];
    if TOGETHER.contains(&&*field) && total * TOGETHER_BYTES <= fields.value_bytes_max() {
        for other in TOGETHER.into_iter().filter(|other| *other != field) {
            // Only what ends where this one does grows with it.
            let kept = self::kept(cx, other);
            if kept.below.unwrap_or(Uid::MIN) == from {
                making.push(Making::new(other.to_owned(), kept));
            }
        }
    }
    let rows: Vec<Row> = mailbox.rows_in(&UidSet::range(from, Uid::MAX)).collect();
    read(cx, progress, &rows, &mut making).await?;
    let below = Some(mailbox.uid_next());
    let mut asked = None;
    for Making { field: name, column } in making {
        let column = column.map(Arc::new);
        let bytes = column.as_ref().map_or(0, |column| column.memory_bytes());
        if name == field {
            asked.clone_from(&column);
        }
        let key = ((cx.live.id(), cx.mailbox.id), name);
        fields.put(key, Field { column, below }, bytes);
    }
    Ok(asked)
}

/// A column that grows.
struct Making {
    field: String,
    /// None: it would be too large to be kept.
    column: Option<Column>,
}

impl Making {
    fn new(field: String, kept: Field) -> Self {
        Self { field, column: Some(kept.column.map_or_else(Column::default, Arc::unwrap_or_clone)) }
    }
}

/// What is kept of a field, unless most of its messages are gone.
fn kept(cx: &Reading<'_>, field: &str) -> Field {
    let key = ((cx.live.id(), cx.mailbox.id), field.to_owned());
    let kept = cx.shared.accounts.memo().fields.get(&key).unwrap_or_default();
    let total = cx.mailbox.view.mailbox().len() as usize;
    let fits = |column: &Arc<Column>| column.len() <= 2 * total + MESSAGES_MIN;
    if kept.column.as_ref().is_none_or(fits) { kept } else { Field::default() }
}

/// Adds messages to columns. A damaged message has no fields.
async fn read(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    rows: &[Row],
    making: &mut [Making],
) -> Result<(), No> {
    let bytes_max = cx.shared.accounts.memo().fields.value_bytes_max();
    let names: Vec<&str> = making.iter().map(|making| &*making.field).collect();
    let mut reader = FieldReader::new(&names, &cx.shared.limits);
    let mut columns: Vec<Option<Column>> =
        making.iter_mut().map(|making| making.column.take()).collect();
    let mut groups = Groups::new(cx, rows, |row| row);
    while let Some((group, read)) = groups.next().await {
        let mut read = read.into_iter();
        for row in group {
            let result = match text::is_small(row) {
                true => read.next().transpose().map(|bytes| {
                    reader.feed(&bytes.unwrap_or_default());
                }),
                false => stream(cx, row, &mut reader).await,
            };
            if let Err(error) = result {
                let Error::Damaged(why) = error else { return Err(error.into()) };
                let (account, uid) = (cx.live.id(), row.uid);
                tracing::error!(%account, %uid, why, "message cannot be searched");
                reader.forget();
            }
            for (column, values) in columns.iter_mut().zip(reader.finish()) {
                let fits = column.as_mut().is_some_and(|column| {
                    column.push(row.uid, values) && column.memory_bytes() <= bytes_max
                });
                if !fits {
                    *column = None;
                }
            }
        }
        progress.tell().await?;
    }
    making.iter_mut().zip(columns).for_each(|(making, column)| making.column = column);
    Ok(())
}

async fn stream(cx: &Reading<'_>, row: &Row, reader: &mut FieldReader) -> Result<(), Error> {
    let mut message = cx.shared.accounts.storage().open(cx.live.id(), row.position).await?;
    while let Some(bytes) = message.next().await? {
        reader.feed(&bytes);
        if reader.is_done() {
            break;
        }
    }
    Ok(())
}
