//! COPY, and what it shares with MOVE: one record, all messages or none.
//!
//! RFC 9051 §6.4.7; COPYUID: RFC 4315 §3.
//!
//! A message that another session expunged cannot be copied any more. COPY with message numbers is
//! refused then, as RFC 2180 §4.4.1 allows: RFC 9051 forbids to copy a part only. With UIDs the rest
//! is copied, because UIDs that do not exist are passed over (RFC 9051 §6.4.9).

use account::Decision;
use base::{Limits, MailboxId, Uid, UidSet, UidValidity};
use mailbox::{Account, Record};
use storage::Durability;
use wire::command::Copy;
use wire::response::Code;
use wire::value::{MailboxName, Numbering};

use crate::context::Selected;
use crate::error::{Done, No};
use crate::names;

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Copy) -> Result<Done, No> {
    let copied = transfer(cx, &args, false).await?;
    Ok(match copied {
        Some(copied) => Done::new("COPY completed").code(copied.code()),
        None => Done::new("COPY completed, nothing copied"),
    })
}

/// What came where.
pub(crate) struct Copied {
    uid_validity: UidValidity,
    from: UidSet,
    to: UidSet,
}

impl Copied {
    /// COPYUID; both sets pair up in ascending order.
    pub(crate) fn code(self) -> Code {
        Code::CopyUid(self.uid_validity, self.from, self.to)
    }
}

/// Copies, or moves, what `args` names. `None`: it named nothing.
pub(crate) async fn transfer(
    cx: &mut Selected<'_>,
    args: &Copy,
    and_expunge: bool,
) -> Result<Option<Copied>, No> {
    cx.absorb();
    let uids = cx.resolve(&args.set, args.numbering)?;
    let now = cx.now();
    let transfer = Transfer {
        from: cx.mailbox.id,
        uids: &uids,
        to: &args.mailbox,
        all_or_nothing: args.numbering == Numbering::Seq,
        save_date: now,
        and_expunge,
        limits: &cx.shared.limits,
    };
    let decide = |account: &Account| transfer.decide(account);
    Ok(cx.live.commit(Vec::new(), Durability::Synced, decide).await?.value)
}

struct Transfer<'a> {
    from: MailboxId,
    uids: &'a UidSet,
    to: &'a MailboxName,
    all_or_nothing: bool,
    save_date: i64,
    and_expunge: bool,
    limits: &'a Limits,
}

impl Transfer<'_> {
    fn decide(&self, account: &Account) -> Result<Decision<Option<Copied>>, No> {
        let from = account.get(self.from).ok_or(No::NonExistent)?.mailbox;
        let target = names::find(account, self.to).ok_or(No::TryCreate)?;
        let to = target.mailbox;
        let uids = from.uids_in(self.uids);
        if self.all_or_nothing && uids != *self.uids {
            return Err(No::Refused(
                Some(Code::ExpungeIssued),
                "some of the messages were expunged by another session",
            ));
        }
        if uids.is_empty() {
            return Ok(Decision { records: vec![], value: None });
        }
        let first_uid = to.uid_next();
        let count = u32::try_from(uids.len()).unwrap_or(u32::MAX);
        // The last copy's UID must leave a UIDNEXT.
        let last = first_uid.get().checked_add(count - 1).filter(|&last| last < u32::MAX);
        let last_uid = last.and_then(Uid::new).ok_or(No::Limit("the mailbox is out of UIDs"))?;
        let new = from.keywords().iter().filter(|keyword| !to.keywords().contains(keyword));
        let room = self.limits.keywords_max.saturating_sub(to.keywords().len());
        // Counted only when all of the source's keywords together would not fit.
        let new: Vec<_> = new.collect();
        if new.len() > room {
            let used =
                |keyword: &&&base::Keyword| uids.iter().any(|u| from.has_keyword(u, keyword));
            if new.iter().filter(used).count() > room {
                return Err(No::Limit("too many keywords in the target"));
            }
        }
        let (save_date, to_id) = (self.save_date, target.id);
        let record = match self.and_expunge {
            false => Record::Copied {
                from: self.from,
                uids: uids.clone(),
                to: to_id,
                first_uid,
                save_date,
            },
            true => Record::Moved {
                from: self.from,
                uids: uids.clone(),
                to: to_id,
                first_uid,
                save_date,
            },
        };
        let copied = Copied {
            uid_validity: to.uid_validity(),
            from: uids,
            to: UidSet::range(first_uid, last_uid),
        };
        Ok(Decision { records: vec![record], value: Some(copied) })
    }
}
