//! SEARCH: which messages match.
//!
//! RFC 9051 §6.4.4, RFC 3501 §6.4.4; RETURN: RFC 4731; SAVE and `$`: RFC 5182; MODSEQ: RFC 7162
//! §3.1.5, §3.1.10. Messages that another session expunged are not found (RFC 2180 §4.3).

pub(crate) mod answer;
mod beside;
mod column;
pub(crate) mod find;
mod groups;
mod judge;
pub(crate) mod keys;
pub(crate) mod numbers;
mod resolve;
mod text;

use base::{Uid, UidSet};
use wire::command::Search;
use wire::value::{SearchKey, SearchReturn};

pub(crate) use self::resolve::asks_mod_seq;

use self::answer::Extended;
use self::find::find;
use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Search) -> Result<Done, No> {
    let returns = returns(cx, args.returns);
    let with_mod_seq = begin(cx, &args.key);
    let found = find_or_forget(cx, &args.key, returns).await?;
    let numbering = args.numbering;
    match returns {
        None => answer::plain(cx, numbering, &found, with_mod_seq).await?,
        Some(returns) => {
            let ends = (found.first(), found.last());
            save(cx, returns, &found, ends);
            let found = &found;
            let answer = Extended { place: None, numbering, returns, found, ends, with_mod_seq };
            answer::ascending(cx, answer).await?;
        }
    }
    Ok(Done::new("SEARCH completed"))
}

/// What is to be returned; with IMAP4rev2 always by ESEARCH (RFC 9051 §6.4.4). `None`: the plain
/// response.
pub(crate) fn returns(cx: &Selected<'_>, asked: Option<SearchReturn>) -> Option<SearchReturn> {
    let all = SearchReturn { all: true, ..SearchReturn::default() };
    match asked {
        // `RETURN ()` means ALL (RFC 4731 §3.1).
        Some(asked) if asked == SearchReturn::default() => Some(all),
        None if cx.client.enabled.rev2 => Some(all),
        asked => asked,
    }
}

/// What comes before every search. Returns whether mod-sequences are part of the answer, which also
/// enables CONDSTORE (RFC 7162 §3.1).
pub(crate) fn begin(cx: &mut Selected<'_>, key: &SearchKey) -> bool {
    let with_mod_seq = asks_mod_seq(key);
    if with_mod_seq {
        cx.enable_condstore();
    }
    cx.absorb();
    with_mod_seq
}

/// Searches. A search that was to be saved and failed leaves nothing saved (RFC 5182 §2.1).
pub(crate) async fn find_or_forget(
    cx: &mut Selected<'_>,
    key: &SearchKey,
    returns: Option<SearchReturn>,
) -> Result<UidSet, No> {
    let (reading, mut progress) = cx.long_work();
    let result = find(&reading, &mut progress, key).await;
    if result.is_err() && returns.is_some_and(|returns| returns.save) {
        cx.mailbox.saved = UidSet::new();
    }
    result
}

/// Remembers the result as `$`: what is returned by MIN and MAX if only they are asked, everything
/// otherwise (RFC 5182 §2.4).
pub(crate) fn save(
    cx: &mut Selected<'_>,
    returns: SearchReturn,
    found: &UidSet,
    (min, max): (Option<Uid>, Option<Uid>),
) {
    if !returns.save {
        return;
    }
    let only_ends = (returns.min || returns.max) && !returns.all && !returns.count;
    cx.mailbox.saved = match only_ends {
        true => {
            let min = min.filter(|_| returns.min);
            min.into_iter().chain(max.filter(|_| returns.max)).collect()
        }
        false => found.clone(),
    };
}

/// Whether `found` is every message, and the client numbers them as the mailbox does: then an answer
/// about them is the same for everybody.
pub(crate) fn is_whole(cx: &Selected<'_>, found: &UidSet) -> bool {
    let view = &cx.mailbox.view;
    found.len() == u64::from(view.mailbox().len()) && view.ghosts().is_empty()
}
