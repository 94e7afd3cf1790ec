//! SORT: which messages match, in order.
//!
//! RFC 5256 §3; RETURN: RFC 5267 §3; DISPLAYFROM and DISPLAYTO: RFC 5957.

use std::sync::Arc;

use account::memo::{Answer, Messages, Order, Question};
use base::{Uid, UidSet};
use bytes::Bytes;
use mailbox::Row;
use mailbox::keys::Kind;
use mailbox::sort::{self, By, Criterion};
use wire::command::Sort;
use wire::response::search::spaced;
use wire::value::{Numbering, SortCriterion, SortKey};

use super::search::answer::{self, Extended};
use super::search::keys::{self, KEPT_MIN};
use super::search::numbers::Numbers;
use super::search::{self};
use crate::context::Selected;
use crate::error::{Done, No};

/// What an answer begins with, once it is worked out: progress is told between responses only.
const SORT: &[u8] = b"* SORT";

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Sort) -> Result<Done, No> {
    let with_mod_seq = search::begin(cx, &args.key);
    let found = search::find_or_forget(cx, &args.key, args.returns).await?;
    let criteria: Vec<Criterion> = args.criteria.iter().map(criterion).collect();
    let numbering = args.numbering;
    match args.returns.and_then(|returns| search::returns(cx, Some(returns))) {
        None => {
            plain(cx, numbering, &found, criteria).await?;
            answer::end_plain(cx, &found, with_mod_seq);
        }
        Some(returns) => {
            let order = order(cx, &found, &criteria).await?;
            // RFC 5267 §3.1: MIN and MAX are the first and the last in sort order.
            let uid = |number: Option<u32>| number.and_then(Uid::new);
            let within = |uid: &u32| Uid::new(*uid).is_some_and(|uid| found.contains(uid));
            let first = order.uids.iter().copied().find(within);
            let last = order.uids.iter().copied().rfind(within);
            let ends = (uid(first), uid(last));
            search::save(cx, returns, &found, ends);
            // RFC 5267 §3.2: a set that keeps its order; ascending runs become ranges.
            let numbers = Numbers::new(cx.mailbox, numbering, &found);
            let all = order.uids.iter().filter_map(|&uid| numbers.get(uid));
            let found = &found;
            let answer = Extended { place: None, numbering, returns, found, ends, with_mod_seq };
            answer::extended(cx, answer, all.map(|number| (number, number))).await?;
        }
    }
    Ok(Done::new("SORT completed"))
}

/// `* SORT` and its numbers. Those of a whole mailbox are kept as they are written.
async fn plain(
    cx: &mut Selected<'_>,
    numbering: Numbering,
    found: &UidSet,
    criteria: Vec<Criterion>,
) -> Result<(), No> {
    let messages = Messages::of(cx.mailbox.view.mailbox());
    let is_whole = search::is_whole(cx, found) && found.len() >= KEPT_MIN;
    let question = Question::Sort(criteria.clone(), numbering == Numbering::Uid);
    let key = ((cx.live.id(), cx.mailbox.id), question);
    let answers = &cx.shared.accounts.memo().answers;
    if is_whole && let Some(kept) = answers.get(&key).filter(|kept| kept.messages == messages) {
        return put(cx, kept.text).await;
    }
    let order = order(cx, found, &criteria).await?;
    let numbers = Numbers::new(cx.mailbox, numbering, found);
    let sorted = order.uids.iter().filter_map(|&uid| numbers.get(uid));
    // A space and up to ten digits each.
    if !is_whole || 11 * found.len() > answers.value_bytes_max() as u64 {
        cx.out.tail().extend_from_slice(SORT);
        return answer::write(cx, sorted).await;
    }
    let mut text = Vec::new();
    sorted.for_each(|number| spaced(&mut text, number));
    text.shrink_to_fit();
    let kept = Answer { messages, text: text.into() };
    answers.put(key, kept.clone(), kept.text.len());
    put(cx, kept.text).await
}

/// An answer as it was written.
async fn put(cx: &mut Selected<'_>, text: Bytes) -> Result<(), No> {
    cx.out.tail().extend_from_slice(SORT);
    cx.out.bytes(text);
    Ok(cx.out.flow().await?)
}

/// An order with all that were found; it may have others too. That of a whole mailbox is kept for the
/// next time, when only new messages are added.
async fn order(
    cx: &mut Selected<'_>,
    found: &UidSet,
    criteria: &[Criterion],
) -> Result<Arc<Order>, No> {
    let (cx, progress) = &mut cx.long_work();
    progress.aim(found.len());
    let mailbox = cx.mailbox.view.mailbox();
    let orders = &cx.shared.accounts.memo().orders;
    let key = ((cx.live.id(), cx.mailbox.id), criteria.to_vec());
    let messages = Messages::of(mailbox);
    let kept = orders.get(&key);
    if let Some(order) = kept.as_ref().filter(|order| order.messages == messages)
        && found.len() * 16 >= u64::from(mailbox.len())
    {
        return Ok(order.clone());
    }
    let found = found.intersection(&mailbox.uids());
    let kinds: Vec<Kind> = criteria.iter().filter_map(|criterion| criterion.by.kind()).collect();
    let columns = keys::columns(cx, progress, &found, &kinds).await?;
    let rows = || -> Box<dyn Iterator<Item = Row>> { Box::new(mailbox.rows_in(&found)) };
    let is_whole = found.len() == u64::from(mailbox.len()) && found.len() >= KEPT_MIN;
    let before = kept.as_ref().filter(|_| is_whole).map(|order| &order.uids[..]);
    let uids = sort::order(criteria, (&found, &rows), &columns, before);
    let order = Arc::new(Order { messages, uids });
    if is_whole {
        orders.put(key, order.clone(), size_of_val(&order.uids[..]));
    }
    Ok(order)
}

fn criterion(criterion: &SortCriterion) -> Criterion {
    let by = match criterion.key {
        SortKey::Arrival => By::Arrival,
        SortKey::Cc => By::Cc,
        SortKey::Date => By::Date,
        SortKey::From => By::From,
        SortKey::Size => By::Size,
        SortKey::Subject => By::Subject,
        SortKey::To => By::To,
        SortKey::DisplayFrom => By::DisplayFrom,
        SortKey::DisplayTo => By::DisplayTo,
    };
    Criterion { by, reverse: criterion.reverse }
}
