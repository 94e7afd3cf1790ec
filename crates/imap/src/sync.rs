//! The one place where a client is told what happened to its mailbox (RFC 9051 §5.2, §7.5).
//!
//! Every command ends here; IDLE comes here whenever something may have happened.

use std::fmt::Write;

use account::{Decision, Live};
use base::{MailboxId, ModSeq, Uid};
use mailbox::{Event, Expunges, Record, View};
use storage::Durability;
use wire::response::fetch::{self, Small};
use wire::response::{Code, Condition, Untagged};

use crate::context::{Enabled, SelectedMailbox};
use crate::error::No;
use crate::output::Out;

/// Tells what has been absorbed and not told: expunges only if `expunges` says so. `with_uid`: a
/// UID command ends, so its FETCH responses carry UIDs (RFC 9051 §6.4.9).
pub async fn tell(
    mailbox: &mut SelectedMailbox,
    enabled: Enabled,
    expunges: Expunges,
    with_uid: bool,
    out: &mut Out<'_>,
) -> Result<(), No> {
    // RFC 7162 §3.2.4: also after any command that enables CONDSTORE.
    let with_uid = with_uid || enabled.condstore || enabled.qresync || enabled.rev2;
    for event in mailbox.view.sync(expunges) {
        match event {
            Event::Expunged { uids, .. } if enabled.qresync => {
                out.untagged(&Untagged::Vanished { earlier: false, uids });
            }
            Event::Expunged { seqs, .. } => {
                for seq in seqs {
                    out.untagged(&Untagged::Expunge(seq));
                    out.flow().await?;
                }
            }
            Event::Exists(count) => out.untagged(&Untagged::Exists(count)),
            // RFC 9051 has no RECENT.
            Event::Recent(_) if enabled.rev2 => {}
            Event::Recent(count) => out.untagged(&Untagged::Recent(count)),
            Event::NewKeywords => flags_of_mailbox(mailbox, out),
            Event::Flags { seq, uid, mod_seq } => {
                let Some(flags) = flags_text(&mailbox.view, uid, enabled.rev2) else { continue };
                let tail = out.tail();
                fetch::open(tail, seq);
                if with_uid {
                    Small::Uid(uid).print(tail);
                    tail.push(b' ');
                }
                Small::Flags(&flags).print(tail);
                if enabled.condstore && mod_seq > ModSeq::ZERO {
                    tail.push(b' ');
                    Small::ModSeq(mod_seq).print(tail);
                }
                tail.extend_from_slice(b")\r\n");
            }
        }
        out.flow().await?;
    }
    if !mailbox.view.has_news() {
        mailbox.told = mailbox.view.mailbox().highest_mod_seq();
    } else if enabled.qresync && expunges == Expunges::Hold {
        // Expunges are held back: a client that is cut off here must ask for them again, so it may
        // not remember the higher MODSEQs it saw (RFC 7162 §6).
        out.untagged(&Untagged::Status(
            Condition::Ok,
            Some(Code::HighestModSeq(mailbox.told)),
            "Expunges are delayed".to_owned(),
        ));
    }
    Ok(())
}

/// Takes `\Recent` from all messages of a mailbox for sessions to come (RFC 3501 §2.3.2).
///
/// Failure is not the client's concern: it costs a second `\Recent` at most.
pub(crate) async fn claim_recent(live: &Live, id: MailboxId) {
    let result = live
        .commit(Vec::new(), Durability::Lazy, |account| {
            let mailbox = account.get(id).ok_or(())?.mailbox;
            let claim = Record::RecentClaimed { mailbox: id, below: mailbox.uid_next() };
            let is_late = mailbox.recent_from() >= mailbox.uid_next();
            let records = if is_late { vec![] } else { vec![claim] };
            Ok::<_, ()>(Decision { records, value: () })
        })
        .await;
    if let Err(account::Failure::Storage(error)) = result {
        tracing::error!(%error, "could not claim recent messages");
    }
}

/// `* FLAGS` and `* OK [PERMANENTFLAGS]` (RFC 9051 §7.3.5, §7.1).
pub fn flags_of_mailbox(mailbox: &SelectedMailbox, out: &mut Out<'_>) {
    let mut flags = String::new();
    for flag in base::flag::SystemFlag::ALL {
        let _ = write!(flags, "{} ", flag.name());
    }
    for keyword in mailbox.view.mailbox().keywords() {
        let _ = write!(flags, "{keyword} ");
    }
    flags.truncate(flags.trim_end().len());
    let permanent = if mailbox.read_only { String::new() } else { format!("{flags} \\*") };
    out.untagged(&Untagged::Flags(flags));
    out.untagged(&Untagged::Status(
        Condition::Ok,
        Some(Code::PermanentFlags(permanent)),
        "Flags permitted".to_owned(),
    ));
}

/// A message's flags as FETCH shows them, without parentheses; `\Recent` only without IMAP4rev2.
/// `None` for a message that the client does not number.
pub fn flags_text(view: &View, uid: Uid, rev2: bool) -> Option<String> {
    let mut text = view.flags(uid)?.to_string();
    if !rev2 && view.is_recent(uid) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str("\\Recent");
    }
    Some(text)
}
