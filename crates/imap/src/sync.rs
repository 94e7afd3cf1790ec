//! The one place where a client is told what happened to its mailbox (RFC 9051 §5.2, §7.5).
//!
//! Every command ends here; IDLE comes here whenever something may have happened.

use std::sync::LazyLock;

use account::{Decision, Live};
use base::{Keyword, MailboxId, ModSeq, SystemFlag, SystemFlags, Uid};
use mailbox::{Event, Expunges, Record, Row, View};
use storage::Durability;
use wire::response::fetch::{self, Small};
use wire::response::search::spaced;
use wire::response::{Code, Condition, Untagged};

use crate::context::{Enabled, SelectedMailbox};
use crate::error::No;
use crate::output::Out;

/// Changes of flags that are looked up before they are written: bounds memory, not what is told.
const FLAGS_AT_ONCE: usize = 1000;

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
    loop {
        let events = mailbox.view.sync_some(expunges, FLAGS_AT_ONCE);
        if events.is_empty() {
            break;
        }
        for event in events {
            tell_one(mailbox, enabled, with_uid, event, out).await?;
            out.flow().await?;
        }
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

async fn tell_one(
    mailbox: &SelectedMailbox,
    enabled: Enabled,
    with_uid: bool,
    event: Event,
    out: &mut Out<'_>,
) -> Result<(), No> {
    match event {
        Event::Expunged { uids, .. } if enabled.qresync => {
            out.untagged(&Untagged::Vanished { earlier: false, uids });
        }
        Event::Expunged { seqs, .. } => {
            for seq in seqs {
                let tail = out.tail();
                tail.push(b'*');
                spaced(tail, seq.get());
                tail.extend_from_slice(b" EXPUNGE\r\n");
                out.flow().await?;
            }
        }
        Event::Exists(count) => out.untagged(&Untagged::Exists(count)),
        // RFC 9051 has no RECENT.
        Event::Recent(_) if enabled.rev2 => {}
        Event::Recent(count) => out.untagged(&Untagged::Recent(count)),
        Event::NewKeywords => flags_of_mailbox(mailbox, out),
        Event::Flags { seq, uid, mod_seq } => {
            let Some(flags) = flags_text(&mailbox.view, uid, enabled.rev2) else { return Ok(()) };
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
    Ok(())
}

/// Takes `\Recent` from the messages below `below` for sessions to come (RFC 3501 §2.3.2). Returns
/// the first UID that nobody had claimed before: what lies between was claimed by this call.
///
/// Never claims a message that the caller has not seen: it would be recent for nobody. A lost claim
/// costs nothing but a second `\Recent`, so it need not wait for the disk.
pub(crate) async fn claim_recent(live: &Live, id: MailboxId, below: Uid) -> Result<Uid, No> {
    let decide = |account: &mailbox::Account| {
        let mailbox = account.get(id).ok_or(No::NonExistent)?.mailbox;
        let from = mailbox.recent_from();
        let records = match from < below {
            true => vec![Record::RecentClaimed { mailbox: id, below }],
            false => vec![],
        };
        Ok::<_, No>(Decision { records, value: from })
    };
    Ok(live.commit(Vec::new(), Durability::Lazy, decide).await?.value)
}

/// `* FLAGS` and `* OK [PERMANENTFLAGS]` (RFC 9051 §7.3.5, §7.1).
pub fn flags_of_mailbox(mailbox: &SelectedMailbox, out: &mut Out<'_>) {
    let keywords = mailbox.view.mailbox().keywords();
    let system = &SYSTEM_FLAGS[usize::from(SystemFlags::ALL.bits())];
    let bytes: usize = keywords.iter().map(|keyword| 1 + keyword.as_str().len()).sum();
    let mut flags = String::with_capacity(system.len() + bytes);
    flags.push_str(system);
    for keyword in keywords {
        flags.push(' ');
        flags.push_str(keyword.as_str());
    }
    let permanent = if mailbox.read_only { String::new() } else { [&flags, " \\*"].concat() };
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
    let mut text = Vec::new();
    let row = view.by_uid(uid)?;
    print_flags(view, &row, rev2, &mut text);
    String::from_utf8(text).ok()
}

/// The text of each set of system flags, by its bits: there may be millions of them in one answer.
static SYSTEM_FLAGS: LazyLock<[String; SystemFlags::ALL.bits() as usize + 1]> =
    LazyLock::new(|| {
        std::array::from_fn(|bits| {
            let flags = SystemFlags::from_bits(bits as u8).unwrap_or_default();
            flags.iter().map(SystemFlag::name).collect::<Vec<_>>().join(" ")
        })
    });

/// Appends the same for a row of the view as it is.
pub(crate) fn print_flags(view: &View, row: &Row, rev2: bool, out: &mut Vec<u8>) {
    let mut list = FlagList::new(row.system, out);
    view.each_keyword(row.uid, |keyword| list.add(keyword.as_str()));
    if !rev2 && view.is_recent(row.uid) {
        list.add("\\Recent");
    }
}

/// Appends the same for flags that were looked up.
pub(crate) fn print_flags_of<'k>(
    system: SystemFlags,
    keywords: impl Iterator<Item = &'k Keyword>,
    recent: bool,
    out: &mut Vec<u8>,
) {
    let mut list = FlagList::new(system, out);
    keywords.for_each(|keyword| list.add(keyword.as_str()));
    if recent {
        list.add("\\Recent");
    }
}

/// Names with spaces between them.
struct FlagList<'o> {
    out: &'o mut Vec<u8>,
    from: usize,
}

impl<'o> FlagList<'o> {
    fn new(system: SystemFlags, out: &'o mut Vec<u8>) -> Self {
        let from = out.len();
        out.extend_from_slice(SYSTEM_FLAGS[usize::from(system.bits())].as_bytes());
        Self { out, from }
    }

    fn add(&mut self, name: &str) {
        if self.out.len() > self.from {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(name.as_bytes());
    }
}
