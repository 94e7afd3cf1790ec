//! Keys of a mailbox's messages in columns, for SORT and THREAD: kept in memory, and from one start to
//! the next in files that are no more than a cache.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use base::{Uid, UidSet};
use mailbox::Row;
use mailbox::keys::{Checks, Column, Columns, Growing, Header, Kind, NAME_SUFFIX, Placing, name};
use message::KeysView;
use storage::{Error, Extract, Extracts};

use super::beside::Beside;
use crate::context::Reading;
use crate::error::No;
use crate::progress::Progress;
use crate::session::yield_now;

/// Fewer messages are not worth keeping anything of.
pub(crate) const KEPT_MIN: u64 = 256;
/// Fewer messages are read faster than a file of their keys is looked after.
const SAVED_MIN: u64 = 1024;
/// Less than this part of a mailbox is read on its own.
const FEW_SHARE: u64 = 16;

/// Columns that have keys of these messages, which are in the mailbox.
pub(crate) async fn columns(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    found: &UidSet,
    kinds: &[Kind],
) -> Result<Columns, No> {
    let mailbox = cx.mailbox.view.mailbox();
    let all = mailbox.uids();
    let few = all.len() < KEPT_MIN || found.len() * FEW_SHARE < all.len();
    let mut kept = Vec::with_capacity(kinds.len());
    let mut checks = Checks::default();
    for &kind in kinds {
        kept.push(self::kept(cx, kind, (!few).then_some(&mut checks)).await);
    }
    let nothing = UidSet::new();
    let lacks = |column: &Option<Arc<Column>>| {
        all.difference(column.as_ref().map_or(&nothing, |column| column.uids())).len()
    };
    let is_all = !few || kept.iter().all(|column| lacks(column) <= found.len());
    let uids = if is_all { &all } else { found };
    let mut columns = Columns::default();
    let mut growing = Vec::new();
    for (&kind, kept) in kinds.iter().zip(kept) {
        let fits = |column: &Arc<Column>| {
            has(column, uids, cx) && (!is_all || column.uids().len() <= 2 * all.len())
        };
        match kept {
            Some(column) if fits(&column) => columns.add(kind, column),
            kept => growing.push(new(cx, kind, kept, uids)),
        }
    }
    let missing = growing.iter().fold(UidSet::new(), |all, growing| all.union(growing.missing()));
    let push = |uid: Uid, keys: Option<&KeysView<'_>>| {
        growing.iter_mut().for_each(|growing| growing.push(uid, keys));
    };
    read(cx, progress, &missing, push).await?;
    for growing in growing {
        let kind = growing.kind();
        let mut column = finish(cx, progress, growing, uids).await?;
        if is_all && all.len() >= KEPT_MIN {
            save(cx, kind, &mut column).await;
        }
        let column = Arc::new(column);
        if is_all && all.len() >= KEPT_MIN {
            let key = ((cx.live.id(), cx.mailbox.id), kind);
            let memo = &cx.shared.accounts.memo().columns;
            memo.put(key, column.clone(), column.memory_bytes());
        }
        columns.add(kind, column);
    }
    Ok(columns)
}

fn has(column: &Column, uids: &UidSet, cx: &Reading<'_>) -> bool {
    let uid_validity = cx.mailbox.view.mailbox().uid_validity();
    column.uid_validity() == uid_validity && uids.difference(column.uids()).is_empty()
}

fn new(cx: &Reading<'_>, kind: Kind, kept: Option<Arc<Column>>, uids: &UidSet) -> Growing {
    let random = RandomState::new();
    let random = (random.hash_one(0), random.hash_one(1));
    let uid_validity = cx.mailbox.view.mailbox().uid_validity();
    Growing::new(kind, kept, (uid_validity, uids.clone()), random)
}

/// All that it lacks was pushed.
async fn finish(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    growing: Growing,
    uids: &UidSet,
) -> Result<Column, No> {
    let Some(mut placing) = growing.placing() else { return Ok(growing.finish(None)) };
    if place(cx, progress, &mut placing).await? {
        return Ok(growing.finish(Some(placing)));
    }
    // A message to compare with cannot be read: all are compared with each other.
    let mut growing = new(cx, growing.kind(), None, uids);
    read(cx, progress, uids, |uid, keys| growing.push(uid, keys)).await?;
    Ok(growing.finish(None))
}

/// Finds the places of new texts. False: one that it needs cannot be read.
async fn place(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    placing: &mut Placing,
) -> Result<bool, No> {
    let key = placing.key();
    loop {
        let asks = placing.asks();
        if asks.is_empty() {
            return Ok(true);
        }
        let mut texts = HashMap::new();
        let look = |uid: Uid, keys: Option<&KeysView<'_>>| {
            texts.extend(keys.map(|keys| (uid, keys.text(key).to_owned())));
        };
        read(cx, progress, &asks, look).await?;
        if !placing.tell(&texts) {
            return Ok(false);
        }
    }
}

/// Calls `each` with the keys of messages, ascending; without keys if a message cannot be read.
async fn read(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    uids: &UidSet,
    mut each: impl FnMut(Uid, Option<&KeysView<'_>>) + Send,
) -> Result<(), No> {
    let rows: Vec<Row> = cx.mailbox.view.mailbox().rows_in(uids).collect();
    let mut beside = Beside::new(cx, Extract::Summary, &rows);
    while let Some((here, found)) = beside.next().await {
        add(cx, here, &found, &mut each).await;
        progress.add(here.len());
        progress.tell().await?;
        yield_now().await;
    }
    Ok(())
}

/// Messages, with what is kept of them; the others are parsed.
async fn add(
    cx: &Reading<'_>,
    rows: &[Row],
    found: &Extracts,
    each: &mut (impl FnMut(Uid, Option<&KeysView<'_>>) + Send),
) {
    let kept: Vec<Option<KeysView<'_>>> =
        (0..rows.len()).map(|nth| found.get(nth).and_then(KeysView::read)).collect();
    let others = rows.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
    let others: Vec<Row> = others.map(|(&row, _)| row).collect();
    let parsed = if others.is_empty() { Vec::new() } else { cx.live.summaries(&others).await };
    let mut parsed = parsed.into_iter();
    for (row, kept) in rows.iter().zip(&kept) {
        if kept.is_some() {
            each(row.uid, kept.as_ref());
            continue;
        }
        let summary = parsed.next().and_then(Result::ok).map(|summary| summary.encode());
        each(row.uid, summary.as_deref().and_then(KeysView::read).as_ref());
    }
}

/// What is kept of a mailbox: in memory, or with `checks` in a file.
async fn kept(cx: &Reading<'_>, kind: Kind, checks: Option<&mut Checks>) -> Option<Arc<Column>> {
    let key = ((cx.live.id(), cx.mailbox.id), kind);
    let memo = &cx.shared.accounts.memo().columns;
    if let Some(column) = memo.get(&key) {
        return Some(column);
    }
    let is_large = u64::from(cx.mailbox.view.mailbox().len()) >= SAVED_MIN;
    let column = load(cx, kind, checks.filter(|_| is_large)?).await.unwrap_or_else(|error| {
        tracing::debug!(account = %cx.live.id(), %error, "no keys");
        None
    })?;
    let column = Arc::new(column);
    memo.put(key, column.clone(), column.memory_bytes());
    Some(column)
}

async fn load(cx: &Reading<'_>, kind: Kind, checks: &mut Checks) -> Result<Option<Column>, Error> {
    let (storage, account) = (cx.shared.accounts.storage(), cx.live.id());
    let mailbox = cx.mailbox.view.mailbox();
    let name = name(cx.mailbox.id, kind);
    let begin = Header::BYTES as u64;
    let bytes = async |from: u64, to: u64| {
        let parts = storage.cache_read(account, &name, std::iter::once(from..to).collect()).await?;
        Ok::<_, Error>(parts.and_then(|mut parts| parts.pop()))
    };
    let Some(header) = bytes(0, begin).await? else { return Ok(None) };
    let Some(header) = Header::read(&header, kind, cx.mailbox.id, mailbox) else { return Ok(None) };
    if header.payload_bytes() > cx.shared.limits.search_memory_bytes_max as u64 {
        return Ok(None);
    }
    let Some(payload) = bytes(begin, begin + header.payload_bytes()).await? else {
        return Ok(None);
    };
    Ok(Column::decode(header, &payload, kind, (mailbox, checks)))
}

/// Writes a column's file if that is worth while. Without it the next start takes longer, no more.
async fn save(cx: &Reading<'_>, kind: Kind, column: &mut Column) {
    if column.uids().len() < SAVED_MIN || !column.is_worth_saving() {
        return;
    }
    // A name is written by one at a time.
    let Some(_saving) = cx.shared.accounts.memo().saving.try_lock() else { return };
    let Some(bytes) = column.encode(kind, cx.mailbox.id, cx.mailbox.view.mailbox()) else { return };
    let (storage, account) = (cx.shared.accounts.storage(), cx.live.id());
    let name = name(cx.mailbox.id, kind);
    let write = async {
        forget_mailboxes(cx).await?;
        storage.cache_write(account, &name, bytes.into()).await
    };
    match write.await {
        Ok(()) => column.saved(),
        Err(error) => tracing::debug!(%account, %error, name, "keys not kept"),
    }
}

/// Removes the files of mailboxes that are gone.
async fn forget_mailboxes(cx: &Reading<'_>) -> Result<(), Error> {
    let (storage, account) = (cx.shared.accounts.storage(), cx.live.id());
    let names = storage.cache_list(account).await?;
    let state = cx.live.state();
    let exist: Vec<String> = state.mailboxes().map(|info| info.id.to_string()).collect();
    for name in names.iter().filter(|name| name.ends_with(NAME_SUFFIX)) {
        let of = name.split('-').next().unwrap_or_default();
        if !exist.iter().any(|id| id == of) {
            storage.cache_remove(account, name).await?;
        }
    }
    Ok(())
}
