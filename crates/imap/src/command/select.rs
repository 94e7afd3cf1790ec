//! SELECT and EXAMINE.
//!
//! RFC 9051 §6.3.2 and §6.3.3, RFC 3501 §6.3.1; CONDSTORE and QRESYNC: RFC 7162 §3.1.8, §3.2.5;
//! MAILBOXID: RFC 8474 §4.2.

use std::sync::Arc;

use account::Live;
use base::{MailboxId, SeqNum, Uid, UidSet};
use mailbox::{View, resync};
use wire::command::{Qresync, Select};
use wire::response::fetch::{self, Small};
use wire::response::{Code, Condition, Untagged};
use wire::value::MailboxName;

use crate::context::SelectedMailbox;
use crate::error::{Done, No};
use crate::names;
use crate::output::Out;
use crate::session::{Driver, Session};
use crate::sync;

/// Runs the command. A SELECT that fails leaves no mailbox selected (RFC 9051 §6.3.2); one that is
/// BAD changes nothing.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    args: Select,
    read_only: bool,
) -> Result<Done, No> {
    if args.qresync.is_some() && !driver.client.enabled.qresync {
        return Err(No::Bad("ENABLE QRESYNC first"));
    }
    if args.condstore || args.qresync.is_some() {
        driver.client.enabled.condstore = true;
    }
    let enabled = driver.client.enabled;
    // RFC 7162 §3.2.11: from a server that offers CONDSTORE, whether or not this client enabled it.
    let mask = &driver.shared.settings.mask;
    let offers = ["CONDSTORE", "QRESYNC"].iter().any(|name| !mask.hides(name, &driver.client));
    if matches!(driver.session, Session::Selected { .. }) && (offers || enabled.rev2) {
        driver.output.untagged(&Untagged::Status(
            Condition::Ok,
            Some(Code::Closed),
            "Previous mailbox is closed".to_owned(),
        ));
    }
    driver.unselect();
    let Session::Authenticated { live } = &driver.session else {
        return Err(No::Bug("SELECT without an account"));
    };
    let live = live.clone();
    let id = names::find(&live.state(), &args.mailbox).ok_or(No::NonExistent)?.id;
    let claims_recent = !read_only && !enabled.rev2;
    let recent_from = recent(&live, id, claims_recent).await?;
    let state = live.state();
    let info = state.get(id).ok_or(No::NonExistent)?;
    let mailbox = SelectedMailbox {
        id,
        view: View::new(info.mailbox.clone(), recent_from, claims_recent),
        read_only,
        saved: UidSet::new(),
        claims_recent,
        told: info.mailbox.highest_mod_seq(),
    };
    let mut out = Out::new(&mut driver.output, &mut driver.transport);
    describe(&mailbox, enabled.rev2, &mut out);
    if enabled.rev2 {
        let attributes = names::attributes(&state, info.name);
        out.untagged(&Untagged::List {
            attributes,
            mailbox: MailboxName(info.name.to_owned()),
            child_info: Vec::new(),
            old_name: names::old_name(&args.mailbox, info.name),
        });
    }
    if let Some(known) = &args.qresync {
        resynchronize(&mailbox, known, enabled.rev2, &mut out).await?;
    }
    driver.session = Session::Selected { live, mailbox: Box::new(mailbox) };
    Ok(match read_only {
        false => Done::new("SELECT completed").code(Code::ReadWrite),
        true => Done::new("EXAMINE completed").code(Code::ReadOnly),
    })
}

/// The first UID that is `\Recent` in this session; claims them all if the session may
/// (RFC 3501 §2.3.2).
async fn recent(live: &Arc<Live>, id: MailboxId, claim: bool) -> Result<Uid, No> {
    let state = live.state();
    let mailbox = state.get(id).ok_or(No::NonExistent)?.mailbox.clone();
    if !claim || mailbox.recent_from() >= mailbox.uid_next() {
        return Ok(mailbox.recent_from());
    }
    match sync::claim_recent(live, id, mailbox.uid_next()).await {
        // Mail can be read when nothing can be written.
        Err(No::Unavailable(error)) => {
            tracing::debug!(%error, "recent messages are not claimed");
            Ok(mailbox.recent_from())
        }
        claimed => claimed,
    }
}

/// What every successful SELECT tells.
fn describe(selected: &SelectedMailbox, rev2: bool, out: &mut Out<'_>) {
    let (view, mailbox) = (&selected.view, selected.view.mailbox());
    sync::flags_of_mailbox(selected, out);
    out.untagged(&Untagged::Exists(view.exists()));
    if !rev2 {
        out.untagged(&Untagged::Recent(view.recent()));
    }
    let mut ok = |code, text: &str| {
        out.untagged(&Untagged::Status(Condition::Ok, Some(code), text.to_owned()));
    };
    if let Some(unseen) = mailbox.first_unseen().filter(|_| !rev2).and_then(|uid| view.seq_of(uid))
    {
        ok(Code::Unseen(unseen), "First unseen");
    }
    ok(Code::UidValidity(mailbox.uid_validity()), "UIDs valid");
    ok(Code::UidNext(mailbox.uid_next()), "Predicted next UID");
    ok(Code::HighestModSeq(mailbox.highest_mod_seq()), "Highest");
    ok(Code::MailboxId(selected.id), "Mailbox id");
}

/// What has changed since the client was here last (RFC 7162 §3.2.5).
async fn resynchronize(
    selected: &SelectedMailbox,
    known: &Qresync,
    rev2: bool,
    out: &mut Out<'_>,
) -> Result<(), No> {
    let mailbox = selected.view.mailbox();
    let known = resync::Known {
        uid_validity: known.uid_validity,
        mod_seq: known.mod_seq,
        uids: known.known_uids.as_ref(),
        matches: known.seq_match.as_ref().map(|(seqs, uids)| (seqs, uids)),
    };
    let Some(missed) = resync::resync(mailbox, &known) else { return Ok(()) };
    if !missed.vanished.is_empty() {
        out.untagged(&Untagged::Vanished { earlier: true, uids: missed.vanished });
    }
    // The view was made a moment ago: it numbers all messages, and no others.
    for row in mailbox.hot_rows_in(&missed.changed) {
        let Some(seq) = SeqNum::new(row.index + 1) else { continue };
        let recent = !rev2 && selected.view.is_recent(row.uid);
        let tail = out.tail();
        fetch::open(tail, seq);
        Small::Uid(row.uid).print(tail);
        tail.extend_from_slice(b" FLAGS (");
        sync::print_flags_of(row.system, row.keywords(), recent, tail);
        tail.extend_from_slice(b") ");
        Small::ModSeq(row.mod_seq).print(tail);
        tail.extend_from_slice(b")\r\n");
        out.flow().await?;
    }
    Ok(())
}
