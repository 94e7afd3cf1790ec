//! What sessions share, and what a command may borrow of its session.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use account::{Accounts, Clock, Live};
use auth::{Authenticator, Channel, Identity};
use base::{Limits, MailboxId, ModSeq, SeqNum, SeqSet, Uid, UidSet};
use event_listener::{Event, EventListener};
use mailbox::View;
use wire::response::{Code, Condition, Encoding, Untagged};
use wire::value::{Numbering, SequenceSet, SetEnd};

use crate::capability::Mask;
use crate::error::No;
use crate::output::{Out, Output};
use crate::progress::{Pace, Progress};

/// What all sessions share.
pub struct Shared {
    /// The mail.
    pub accounts: Arc<Accounts>,
    /// Who is who.
    pub authenticator: Arc<dyn Authenticator>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The bounds.
    pub limits: Limits,
    /// What an operator chooses.
    pub settings: Settings,
    /// Tells which messages a search need not read, if there is one.
    pub index: Option<Arc<index::Library>>,
    /// Reads attached documents for searches, if somebody does.
    pub documents: Option<Arc<dyn message::search::Documents>>,
    /// Counts connections.
    pub registry: Arc<dyn Registry>,
    /// Set for a graceful stop.
    pub stop: Stop,
}

/// What an operator chooses.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The product, in the greeting and ID.
    pub name: String,
    /// Its version, in ID after login.
    pub version: String,
    /// Capabilities that are not offered.
    pub mask: Mask,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "martlet".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mask: Mask::default(),
        }
    }
}

impl Shared {
    /// The end of a session when the server stops. A command that takes long asks between messages:
    /// nothing that it has told or done becomes wrong by its end.
    pub(crate) fn go_on(&self) -> Result<(), No> {
        match self.stop.is_set() {
            true => Err(No::Bye(STOPPING)),
            false => Ok(()),
        }
    }
}

/// The last words of a server that stops.
pub(crate) const STOPPING: &str = "server is shutting down";

/// Counts the connections of accounts.
pub trait Registry: Send + Sync {
    /// A client logged in. The guard lives as long as its session; `None`: the account has too many
    /// connections.
    fn enter(&self, identity: &Identity, remote: IpAddr) -> Option<Box<dyn Send + Sync>>;
}

/// A registry that counts nothing.
#[derive(Debug)]
pub struct Uncounted;

impl Registry for Uncounted {
    fn enter(&self, _: &Identity, _: IpAddr) -> Option<Box<dyn Send + Sync>> {
        Some(Box::new(()))
    }
}

/// A graceful stop: sessions end their command, say `* BYE` and close.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<(AtomicBool, Event)>,
}

impl Stop {
    /// Ends all sessions.
    pub fn set(&self) {
        self.inner.0.store(true, Ordering::SeqCst);
        self.inner.1.notify(usize::MAX);
    }

    /// Whether sessions are to end.
    pub fn is_set(&self) -> bool {
        self.inner.0.load(Ordering::SeqCst)
    }

    /// Resolves when sessions are to end.
    pub async fn wait(&self) {
        while !self.is_set() {
            let listener: EventListener = self.inner.1.listen();
            if !self.is_set() {
                listener.await;
            }
        }
    }
}

/// Hears of a [`Stop`] again and again, registered once: a session waits after each command.
#[derive(Debug)]
pub(crate) struct Stopping {
    stop: Stop,
    listener: Option<EventListener>,
}

impl Stopping {
    pub(crate) fn new(stop: &Stop) -> Self {
        Self { stop: stop.clone(), listener: None }
    }

    /// Resolves when sessions are to end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.stop.is_set() {
            let listener = self.listener.get_or_insert_with(|| self.stop.inner.1.listen());
            // Registered first, then looked.
            if self.stop.is_set() {
                break;
            }
            ready!(Pin::new(listener).poll(cx));
            self.listener = None;
        }
        Poll::Ready(())
    }
}

/// What is known of the client at the other end.
#[derive(Debug)]
pub struct Client {
    /// The connection it came over.
    pub channel: Channel,
    /// Whether STARTTLS would work.
    pub can_start_tls: bool,
    /// Who it is.
    pub identity: Option<Identity>,
    /// `name` of its ID command.
    pub id_name: Option<String>,
    /// What it has enabled.
    pub enabled: Enabled,
}

/// What a client has enabled (RFC 5161), or used in a way that enables it (RFC 7162 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Enabled {
    /// UTF8=ACCEPT (RFC 6855)
    pub utf8: bool,
    /// CONDSTORE (RFC 7162)
    pub condstore: bool,
    /// QRESYNC (RFC 7162); implies CONDSTORE.
    pub qresync: bool,
    /// IMAP4rev2 (RFC 9051)
    pub rev2: bool,
}

impl Enabled {
    /// How responses are written for this client.
    pub fn encoding(self) -> Encoding {
        Encoding { utf8: self.utf8 || self.rev2, rev2: self.rev2 }
    }
}

/// A mailbox as one session has it selected.
#[derive(Debug)]
pub struct SelectedMailbox {
    /// Which.
    pub id: MailboxId,
    /// What the client has been told of it.
    pub view: View,
    /// EXAMINE.
    pub read_only: bool,
    /// The saved search result, `$` (RFC 5182).
    pub saved: UidSet,
    /// Whether this session takes `\Recent` from new messages.
    pub claims_recent: bool,
    /// HIGHESTMODSEQ when the client knew all there was to know.
    pub told: ModSeq,
}

impl SelectedMailbox {
    /// The UIDs of the messages that a command names.
    ///
    /// `*` is the last message (RFC 9051 §9, seq-number). UIDs that name nothing are left out; a
    /// message number that numbers nothing is an error of the client.
    pub fn resolve(&self, set: &SequenceSet, numbering: Numbering) -> Result<UidSet, No> {
        match (set, numbering) {
            (SequenceSet::Saved, _) => Ok(self.view.known(&self.saved)),
            (SequenceSet::Ranges(ranges), Numbering::Seq) => {
                let exists = SeqNum::new(self.view.exists());
                let end = |end: SetEnd| match end {
                    SetEnd::Star => exists,
                    SetEnd::Number(n) => SeqNum::new(n.get()).filter(|n| Some(*n) <= exists),
                };
                let mut seqs = SeqSet::new();
                for &(a, b) in ranges {
                    let (Some(a), Some(b)) = (end(a), end(b)) else {
                        return Err(No::Bad("no message has that number"));
                    };
                    seqs.insert_range(a, b);
                }
                self.view.uids_of(&seqs).ok_or(No::Bad("no message has that number"))
            }
            (SequenceSet::Ranges(ranges), Numbering::Uid) => {
                Ok(self.view.known(&self.uid_ranges(ranges)))
            }
        }
    }

    /// Ranges of UIDs, whether messages have them or not.
    pub fn uid_ranges(&self, ranges: &[(SetEnd, SetEnd)]) -> UidSet {
        // `*` in an empty mailbox is the next UID: it names nothing (RFC 9051 §9).
        let last = SeqNum::new(self.view.exists()).and_then(|last| self.view.by_seq(last));
        let star = last.map_or(self.view.mailbox().uid_next(), |row| row.uid);
        let end = |end: SetEnd| match end {
            SetEnd::Star => star,
            SetEnd::Number(n) => Uid::new(n.get()).unwrap_or(Uid::MIN),
        };
        ranges.iter().map(|&(a, b)| (end(a).min(end(b)), end(a).max(end(b)))).collect()
    }
}

/// What a command outside a mailbox may borrow.
pub struct Authenticated<'a> {
    /// The command's tag.
    pub tag: &'a str,
    /// What sessions share.
    pub shared: &'a Shared,
    /// The client.
    pub client: &'a mut Client,
    /// The account.
    pub live: &'a Arc<Live>,
    /// The selected mailbox, if there is one.
    pub selected: Option<&'a mut SelectedMailbox>,
    /// Responses.
    pub out: Out<'a>,
}

impl Authenticated<'_> {
    /// The client used CONDSTORE: it is enabled (RFC 7162 §3.1).
    pub fn enable_condstore(&mut self) {
        enable_condstore(self.client, self.selected.as_deref(), self.out.output());
    }

    /// Seconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        self.shared.clock.now_ms().div_euclid(1000)
    }
}

/// What a command in a mailbox may borrow.
pub struct Selected<'a> {
    /// The command's tag.
    pub tag: &'a str,
    /// What sessions share.
    pub shared: &'a Shared,
    /// The client.
    pub client: &'a mut Client,
    /// The account.
    pub live: &'a Arc<Live>,
    /// The mailbox.
    pub mailbox: &'a mut SelectedMailbox,
    /// Responses.
    pub out: Out<'a>,
    /// How far the command is.
    pub pace: Pace,
}

/// What a long command reads while it tells how far it is.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) live: &'a Arc<Live>,
    pub(crate) mailbox: &'a SelectedMailbox,
}

impl Reading<'_> {
    /// Seconds since 1970 UTC.
    pub(crate) fn now(&self) -> i64 {
        self.shared.clock.now_ms().div_euclid(1000)
    }
}

impl Selected<'_> {
    /// For a command that takes long: what it reads, and how it tells how far it is.
    pub(crate) fn long_work(&mut self) -> (Reading<'_>, Progress<'_>) {
        let Self { tag, shared, live, mailbox, out, pace, .. } = self;
        let reading = Reading { shared, live, mailbox };
        (reading, Progress { pace, tag, shared, out: out.reborrow() })
    }

    /// Seconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        self.shared.clock.now_ms().div_euclid(1000)
    }

    /// Refuses to change a mailbox that was EXAMINEd (RFC 9051 §6.3.3).
    pub fn must_be_writable(&self) -> Result<(), No> {
        if self.mailbox.read_only { Err(No::ReadOnly) } else { Ok(()) }
    }

    /// Takes in what happened since the last look, without telling it: before a command decides
    /// anything about the mailbox.
    pub fn absorb(&mut self) {
        let state = self.live.state();
        if let Some(info) = state.get(self.mailbox.id) {
            self.mailbox.view.absorb(info.mailbox);
        }
    }

    /// The UIDs of the messages that a command names; see [`SelectedMailbox::resolve`].
    pub fn resolve(&self, set: &SequenceSet, numbering: Numbering) -> Result<UidSet, No> {
        self.mailbox.resolve(set, numbering)
    }

    /// The client used CONDSTORE: it is enabled (RFC 7162 §3.1).
    pub fn enable_condstore(&mut self) {
        enable_condstore(self.client, Some(self.mailbox), self.out.output());
    }
}

/// The first command that enables CONDSTORE in a mailbox is answered with HIGHESTMODSEQ
/// (RFC 7162 §3.1).
pub(crate) fn enable_condstore(
    client: &mut Client,
    selected: Option<&SelectedMailbox>,
    output: &mut Output,
) {
    if client.enabled.condstore {
        return;
    }
    client.enabled.condstore = true;
    if let Some(mailbox) = selected {
        output.untagged(&Untagged::Status(
            Condition::Ok,
            Some(Code::HighestModSeq(mailbox.told)),
            "Highest".to_owned(),
        ));
    }
}
