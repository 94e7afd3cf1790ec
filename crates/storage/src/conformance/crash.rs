//! Law 2: a history of commits that stops anywhere, and what must be found after it.

use std::sync::Arc;

use base::{ModSeq, SystemFlag, Uid, UidSet};
use bytes::Bytes;

use super::{
    account, appended, batch, block_on, flagged, inbox, message, pages, positions, read_all, stage,
    whole,
};
use crate::{CommitError, Durability, Entry, Error, Storage};

/// What a history did and was told.
#[derive(Clone, Default)]
pub struct Told {
    /// Whether the account's creation was acknowledged.
    pub created: bool,
    /// Every entry that got a place, in order.
    pub entries: Vec<Entry>,
    /// The bytes of the messages they name, in order.
    pub messages: Vec<Bytes>,
    /// How many entries were acknowledged as durable.
    pub acknowledged: usize,
}

/// Octets of the history's messages: below and above what is large for the engine.
pub struct Sizes {
    /// Of most.
    pub small: usize,
    /// Of a few.
    pub large: usize,
}

/// Creates an account and commits to it: messages small and large, several at once, flags, lazy
/// records, waiting together, with snapshots in between. Ends at the first error.
///
/// # Errors
/// The first one.
pub fn history(storage: &Arc<dyn Storage>, sizes: &Sizes, told: &mut Told) -> Result<(), Error> {
    if !told.created {
        match block_on(storage.create(account(1))) {
            // An earlier attempt that failed may have succeeded.
            Ok(()) | Err(Error::AccountExists) => told.created = true,
            Err(error) => return Err(error),
        }
    }
    commit(storage, told, vec![], Durability::Synced)?;
    for round in 0..3u64 {
        let seed = round * 100;
        commit(storage, told, vec![message(seed, sizes.small)], Durability::Synced)?;
        commit(storage, told, vec![], Durability::Lazy)?;
        let two = vec![message(seed + 1, sizes.small), message(seed + 2, sizes.large)];
        commit(storage, told, two, Durability::Synced)?;
        let head = told.entries[told.acknowledged - 1].at;
        let state = format!("state at {head}");
        block_on(storage.save_snapshot(account(1), head, pages(state.as_bytes())))?;
        commit(storage, told, vec![message(seed + 3, sizes.small)], Durability::Synced)?;
        commit(storage, told, vec![], Durability::Synced)?;
    }
    Ok(())
}

fn commit(
    storage: &Arc<dyn Storage>,
    told: &mut Told,
    messages: Vec<Bytes>,
    durability: Durability,
) -> Result<(), Error> {
    let head = told.entries.last().map_or(ModSeq::ZERO, |entry| entry.at);
    let staged = messages.iter().map(|bytes| stage(&**storage, account(1), bytes));
    let staged = staged.collect::<Result<Vec<_>, _>>()?;
    let uid = told.messages.len() as u32 + 1;
    let record = match (head, staged.is_empty()) {
        (ModSeq::ZERO, _) => inbox(),
        (_, true) => flagged(UidSet::range(Uid::MIN, Uid::MAX), SystemFlag::Seen),
        _ => appended(uid, &staged),
    };
    let mut batch = batch(vec![record], staged);
    batch.durability = durability;
    let pending = match block_on(storage.commit(account(1), head, batch)) {
        Ok(pending) => pending,
        Err(CommitError::Storage(error)) => return Err(error),
        Err(CommitError::Conflict { head }) => panic!("nobody else writes: {head:?}"),
    };
    told.entries.extend(pending.entries);
    told.messages.extend(messages);
    block_on(pending.durable)?;
    if durability == Durability::Synced {
        told.acknowledged = told.entries.len();
    }
    Ok(())
}

/// What was acknowledged is there, whole and once; what was not is absent or whole; and the log goes
/// on. `context` says which run this is. Answers with what has to be found from here on.
pub fn check(storage: &Arc<dyn Storage>, told: &Told, context: &str) -> Told {
    let accounts = block_on(storage.accounts()).expect("accounts are listed");
    assert!(!told.created || accounts == [account(1)], "the account is lost: {context}");
    if accounts.is_empty() {
        return Told::default();
    }
    let found = read_all(&**storage, account(1));
    let found = found.unwrap_or_else(|error| panic!("cannot read: {error}: {context}"));
    assert!(found.len() >= told.acknowledged, "acknowledged records are lost: {context}");
    let known = found.len().min(told.entries.len());
    assert_eq!(found[..known], told.entries[..known], "other records: {context}");
    assert!(found.len() <= told.entries.len() + 1, "records nobody wrote: {context}");
    for (at, bytes) in positions(&found).into_iter().zip(&told.messages) {
        match block_on(storage.message(account(1), at)) {
            Ok(read) => assert_eq!(&read, bytes, "{at:?}: {context}"),
            Err(error) => panic!("message at {at:?}: {error}: {context}"),
        }
    }
    if let Some((at, state)) =
        block_on(storage.load_snapshot(account(1))).expect("snapshot").map(whole)
    {
        assert!(at <= found.last().map_or(ModSeq::ZERO, |entry| entry.at), "{context}");
        assert_eq!(state, format!("state at {at}"), "{context}");
    }
    let head = block_on(storage.head(account(1))).expect("head");
    assert_eq!(head, found.last().map_or(ModSeq::ZERO, |entry| entry.at), "{context}");
    let bytes = message(999, 700);
    let staged = vec![stage(&**storage, account(1), &bytes).expect("staged")];
    let record = appended(1_000, &staged);
    let entries = super::commit(&**storage, account(1), head, batch(vec![record], staged));
    let entries = entries.unwrap_or_else(|error| panic!("cannot go on: {error}: {context}"));
    let read = block_on(storage.message(account(1), positions(&entries)[0])).expect("message");
    assert_eq!(read, bytes, "{context}");
    let mut messages = told.messages.clone();
    messages.truncate(positions(&found).len());
    messages.push(bytes);
    let acknowledged = found.len() + entries.len();
    Told { created: true, entries: [found, entries].concat(), messages, acknowledged }
}
