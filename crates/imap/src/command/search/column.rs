//! Header keys over a whole mailbox: the field of all messages is read once and kept, and searches
//! to come look at it in memory. Answers are the same as those of reading each message.

use std::sync::Arc;

use account::memo::Field;
use base::{Uid, UidSet};
use bytes::Bytes;
use mailbox::Row;
use mailbox::search::{Content, Plan};
use message::column::{Column, FieldReader};
use message::search::Needle;
use storage::{Error, Extract, Extracts};

use super::beside::Beside;
use super::groups::{Groups, Works, is_small};
use crate::command::fetch::kept::{self, Mask};
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;
use crate::session::yield_now;

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

/// Messages after which others may run.
const ROWS_IN_A_ROW: usize = 256;

/// Adds messages to columns: from the fields that are kept beside them where those are there, else
/// from their bytes. A damaged message of which nothing is kept has no fields.
async fn read(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    rows: &[Row],
    making: &mut [Making],
) -> Result<(), No> {
    let names: Vec<String> = making.iter().map(|making| making.field.clone()).collect();
    let mut reader = FieldReader::new(&names, &cx.shared.limits);
    // The charset of a header's bytes may be that of the text.
    let asked = names.iter().map(String::as_str).chain(["content-type"]);
    let asked: Vec<Bytes> = asked.map(|name| Bytes::copy_from_slice(name.as_bytes())).collect();
    let mut columns = Columns {
        bytes_max: cx.shared.accounts.memo().fields.value_bytes_max(),
        columns: making.iter_mut().map(|making| making.column.take()).collect(),
    };
    match Mask::new(&asked) {
        None => {
            add(cx, progress, (rows, &Extracts::none(0), None), (&names, &mut reader, &mut columns))
                .await?
        }
        mask => {
            let mut beside = Beside::new(cx, Extract::Fields, rows);
            while let Some((here, found)) = beside.next().await {
                add(cx, progress, (here, &found, mask), (&names, &mut reader, &mut columns))
                    .await?;
            }
        }
    }
    making.iter_mut().zip(columns.columns).for_each(|(making, column)| making.column = column);
    Ok(())
}

/// Columns that grow together.
struct Columns {
    bytes_max: usize,
    columns: Vec<Option<Column>>,
}

impl Columns {
    /// Adds what was read of a message.
    fn push<'v>(&mut self, uid: Uid, values: impl Iterator<Item = &'v str>) {
        for (column, values) in self.columns.iter_mut().zip(values) {
            let fits = column.as_mut().is_some_and(|column| {
                column.push(uid, values) && column.memory_bytes() <= self.bytes_max
            });
            if !fits {
                *column = None;
            }
        }
    }
}

/// What was read of a message on another thread.
struct Values {
    text: String,
    /// Where each field's values end.
    ends: Vec<usize>,
}

impl Values {
    fn of<'v>(values: impl Iterator<Item = &'v str>) -> Self {
        let mut text = String::new();
        let ends = values.map(|values| {
            text.push_str(values);
            text.len()
        });
        let ends = ends.collect();
        Self { text, ends }
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }
}

/// Adds messages, with the fields that are kept of the first ones.
async fn add(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    (rows, found, mask): (&[Row], &Extracts, Option<Mask>),
    (names, reader, columns): (&[String], &mut FieldReader, &mut Columns),
) -> Result<(), No> {
    let header_bytes_max = cx.shared.limits.header_bytes_max as u64;
    let kept = |nth: usize, row: &Row| {
        // Of a header that is cut when it is read more may be kept.
        let mask = mask.filter(|_| u64::from(row.size) <= header_bytes_max)?;
        kept::chosen(found.get(nth)?, mask)
    };
    let others = rows.iter().enumerate().filter(|&(nth, row)| kept(nth, row).is_none());
    let others: Vec<Row> = others.map(|(_, &row)| row).collect();
    let works: Works<Row, Values> = {
        let (names, limits) = (names.to_vec(), cx.shared.limits.clone());
        Arc::new(move || {
            let mut reader = FieldReader::new(&names, &limits);
            Box::new(move |_, message| {
                reader.feed(message);
                Values::of(reader.finish())
            })
        })
    };
    let mut groups = Groups::new(cx, &others, |row| row, works);
    // Messages whose fields have come, and were not added: how many, and the small ones of them.
    let (mut waiting, mut read) = (0, None);
    let mut header = Vec::new();
    for (nth, row) in rows.iter().enumerate() {
        if nth % ROWS_IN_A_ROW == ROWS_IN_A_ROW - 1 {
            yield_now().await;
        }
        if let Some(records) = kept(nth, row) {
            header.clear();
            records.for_each(|lines| header.extend_from_slice(lines));
            reader.header(&header);
            columns.push(row.uid, reader.finish());
            continue;
        }
        if waiting == 0 {
            progress.tell().await?;
            let Some((group, found)) = groups.next().await else { break };
            (waiting, read) = (group.len(), Some(found));
        }
        waiting -= 1;
        let result = match read.as_mut().filter(|_| is_small(row)) {
            Some(read) => read.next().map(|values| columns.push(row.uid, values.iter())),
            None => stream(cx, row, reader).await.map(|()| columns.push(row.uid, reader.finish())),
        };
        if let Err(error) = result {
            let Error::Damaged(why) = error else { return Err(error.into()) };
            let (account, uid) = (cx.live.id(), row.uid);
            tracing::error!(%account, %uid, why, "message cannot be searched");
            reader.forget();
            columns.push(row.uid, reader.finish());
        }
    }
    progress.tell().await
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
