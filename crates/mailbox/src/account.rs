//! An account: the fold of its log.

use std::borrow::Cow;
use std::sync::Arc;

use base::{MailboxId, ModSeq, Uid, UidSet, UidValidity};

use crate::sorted::SortedMap;
use crate::{Content, Mailbox, NewMessage, Position, Record, Role};

/// The state of an account after the record at [`Account::head`].
///
/// A clone is a few references; a change then copies the blocks it touches, not the account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub(crate) head: ModSeq,
    /// The greatest UIDVALIDITY ever given, and the greatest of a mailbox whose name became free.
    pub(crate) uid_validity_max: u32,
    pub(crate) uid_validity_retired: u32,
    pub(crate) mailboxes: SortedMap<MailboxId, Arc<Slot>>,
    pub(crate) names: SortedMap<Arc<str>, MailboxId>,
    pub(crate) subscriptions: SortedMap<Arc<str>, ()>,
    /// Records were lost to damage: those behind them may not fit.
    pub(crate) lossy: bool,
}

/// A mailbox and what its account knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) roles: Box<[Role]>,
    pub(crate) mailbox: Mailbox,
}

/// A record that cannot follow the ones before it: the log is damaged or was written by a newer
/// version. Never caused by a client.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("record {at:?} does not fit the state before it: {why}")]
pub struct Inconsistent {
    /// The record's position.
    pub at: ModSeq,
    /// What does not fit.
    pub why: &'static str,
}

/// A mailbox's place in the hierarchy and what is known without opening it.
#[derive(Clone, Debug)]
pub struct MailboxInfo<'a> {
    /// Its identity.
    pub id: MailboxId,
    /// Full name.
    pub name: &'a str,
    /// Roles.
    pub roles: &'a [Role],
    /// Messages.
    pub mailbox: &'a Mailbox,
}

/// The form in which names are kept: `INBOX` in upper case when it is the first level, in whatever
/// case it came (RFC 9051 §5.1); everything else as given.
pub fn canonical_name(name: &str) -> Cow<'_, str> {
    let first = name.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("INBOX") && first != "INBOX" {
        Cow::Owned(format!("INBOX{}", &name[first.len()..]))
    } else {
        Cow::Borrowed(name)
    }
}

type Fits<T = ()> = Result<T, &'static str>;

impl Account {
    /// Position of the last record folded in.
    pub fn head(&self) -> ModSeq {
        self.head
    }

    /// Folds in the record at `at`, which is `head().next()`. On error nothing has changed.
    pub fn apply(&mut self, at: ModSeq, record: &Record) -> Result<(), Inconsistent> {
        let folded = if at == self.head.next() && at <= ModSeq::MAX {
            self.fold(at, record)
        } else {
            Err("not the next position")
        };
        match folded {
            Err(why) if !self.lossy || at != self.head.next() => Err(Inconsistent { at, why }),
            passed_over => {
                if passed_over.is_err() {
                    self.pass_over(record);
                }
                self.head = at;
                Ok(())
            }
        }
    }

    /// Whether records were lost to damage; then the fold is what could be saved.
    pub fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// Records of about so many bytes are gone.
    fn lose(&mut self, bytes: u64) {
        self.lossy = true;
        // Each message appended takes some 34 bytes; each copy is one of a message that was there.
        let messages: u64 =
            self.mailboxes.iter().map(|(_, slot)| u64::from(slot.mailbox.len())).sum();
        let uids = u32::try_from(bytes / 34 + messages).unwrap_or(u32::MAX).max(1);
        let ids: Vec<MailboxId> = self.mailboxes.iter().map(|(&id, _)| id).collect();
        ids.into_iter().for_each(|id| self.change(id, |slot| slot.mailbox.doubt_uids(uids)));
    }

    /// What is still true of a record that does not fit: the UIDs it gave are used.
    fn pass_over(&mut self, record: &Record) {
        if let Record::Copied { uids, to, first_uid, .. }
        | Record::Moved { uids, to, first_uid, .. } = record
        {
            let count = u32::try_from(uids.len()).unwrap_or(u32::MAX);
            let next = first_uid.get().saturating_add(count);
            self.change(*to, |slot| slot.mailbox.skip_to(Uid::new(next).unwrap_or(Uid::MAX)));
        }
    }

    /// Each arm checks first and changes then.
    fn fold(&mut self, at: ModSeq, record: &Record) -> Fits {
        match record {
            Record::MailboxCreated { name, uid_validity, uid_next, roles } => {
                let name = self.free_name(name)?;
                if !self.accepts_uid_validity(*uid_validity) {
                    return Err("UIDVALIDITY not above that of a mailbox that is gone");
                }
                let id = MailboxId::new(at);
                let mailbox = Mailbox::new(*uid_validity, *uid_next, at);
                let slot = Slot { name: name.clone(), roles: sorted_roles(roles), mailbox };
                self.uid_validity_max = self.uid_validity_max.max(uid_validity.get());
                self.mailboxes.insert(id, Arc::new(slot));
                self.names.insert(name, id);
            }
            Record::MailboxRenamed { mailbox, name } => {
                let slot = self.slot(*mailbox)?;
                if *slot.name != *canonical_name(name) {
                    let name = self.free_name(name)?;
                    self.retire_name(*mailbox);
                    self.names.insert(name.clone(), *mailbox);
                    self.change(*mailbox, |slot| slot.name = name);
                }
            }
            Record::MailboxDeleted { mailbox } => {
                self.slot(*mailbox)?;
                self.retire_name(*mailbox);
                self.mailboxes.remove(mailbox);
            }
            Record::RolesSet { mailbox, roles } => {
                self.slot(*mailbox)?;
                self.change(*mailbox, |slot| slot.roles = sorted_roles(roles));
            }
            Record::Subscribed { name } => {
                let name = valid_name(name)?;
                self.subscriptions.insert(name.as_ref().into(), ());
            }
            Record::Unsubscribed { name } => {
                self.subscriptions.remove(&*canonical_name(name));
            }
            Record::RecentClaimed { mailbox, below } => {
                if *below > self.slot(*mailbox)?.mailbox.uid_next() {
                    return Err("claims messages that are not there yet");
                }
                self.change(*mailbox, |slot| slot.mailbox.claim_recent(*below));
            }
            Record::UidNextRaised { mailbox, uid_next } => {
                self.slot(*mailbox)?;
                self.change(*mailbox, |slot| slot.mailbox.skip_to(*uid_next));
            }
            Record::Directory(_) => {}
            Record::Lost { bytes } => self.lose(*bytes),
            _ => self.fold_messages(at, record)?,
        }
        Ok(())
    }

    fn fold_messages(&mut self, at: ModSeq, record: &Record) -> Fits {
        match record {
            Record::Appended { mailbox, messages } => {
                let messages = stored(&self.slot(*mailbox)?.mailbox, messages)?;
                self.change(*mailbox, |slot| slot.mailbox.append(at, &messages));
            }
            Record::Copied { from, uids, to, first_uid, save_date } => {
                let source = self.copy_source(*from, uids, *to, *first_uid)?;
                self.change(*to, |slot| {
                    slot.mailbox.skip_to(*first_uid);
                    slot.mailbox.copy_in(at, &source, uids, *save_date);
                });
            }
            Record::Moved { from, uids, to, first_uid, save_date } => {
                let source = self.copy_source(*from, uids, *to, *first_uid)?;
                self.change(*from, |slot| slot.mailbox.expunge(at, uids));
                self.change(*to, |slot| {
                    slot.mailbox.skip_to(*first_uid);
                    slot.mailbox.copy_in(at, &source, uids, *save_date);
                });
            }
            Record::FlagsChanged { mailbox, uids, op, flags } => {
                self.slot(*mailbox)?;
                self.change(*mailbox, |slot| slot.mailbox.change_flags(at, uids, *op, flags));
            }
            Record::Expunged { mailbox, uids } => {
                self.slot(*mailbox)?;
                self.change(*mailbox, |slot| slot.mailbox.expunge(at, uids));
            }
            _ => {}
        }
        Ok(())
    }

    fn slot(&self, id: MailboxId) -> Fits<&Slot> {
        self.mailboxes.get(&id).map(|slot| &**slot).ok_or("no such mailbox")
    }

    fn change(&mut self, id: MailboxId, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.mailboxes.get_mut(&id) {
            change(Arc::make_mut(slot));
        }
    }

    /// `name` in its canonical form, if no mailbox has it.
    fn free_name(&self, name: &str) -> Fits<Arc<str>> {
        let name = valid_name(name)?;
        match self.names.get(&*name) {
            Some(_) => Err("name is taken"),
            None => Ok(name.as_ref().into()),
        }
    }

    /// Frees the mailbox's name and remembers its UIDVALIDITY, which no later mailbox may reach. One
    /// that never gave a UID promised nothing: an import may put one with a lower UIDVALIDITY there.
    fn retire_name(&mut self, id: MailboxId) {
        if let Some(slot) = self.mailboxes.get(&id) {
            if slot.mailbox.uid_next() > Uid::MIN {
                let uid_validity = slot.mailbox.uid_validity().get();
                self.uid_validity_retired = self.uid_validity_retired.max(uid_validity);
            }
            self.names.remove(&*slot.name.clone());
        }
    }

    /// The source as it is before, once it is sure that the copies fit.
    fn copy_source(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
        first_uid: Uid,
    ) -> Fits<Mailbox> {
        let (source, target) = (&self.slot(from)?.mailbox, &self.slot(to)?.mailbox);
        // Behind lost records UIDNEXT is only known from below.
        let fits = match self.lossy {
            true => first_uid >= target.uid_next_known(),
            false => first_uid == target.uid_next(),
        };
        if !fits {
            return Err("copies do not begin at UIDNEXT");
        }
        let count = uids.len();
        if count == 0 || count > u64::from(source.len()) {
            return Err("copies messages that do not exist");
        }
        let found: u64 = uids.ranges().iter().map(|&(a, b)| source.count_between(a, b)).sum();
        if found != count {
            return Err("copies messages that do not exist");
        }
        if u64::from(first_uid.get()) + count > u64::from(u32::MAX) {
            return Err("no UIDs left");
        }
        Ok(source.clone())
    }

    /// The mailbox of exactly this name. `INBOX` is matched in any case.
    pub fn find(&self, name: &str) -> Option<MailboxInfo<'_>> {
        self.get(*self.names.get(&*canonical_name(name))?)
    }

    /// A mailbox by identity.
    pub fn get(&self, id: MailboxId) -> Option<MailboxInfo<'_>> {
        let slot = self.mailboxes.get(&id)?;
        Some(MailboxInfo { id, name: &slot.name, roles: &slot.roles, mailbox: &slot.mailbox })
    }

    /// All mailboxes, by name in byte order.
    pub fn mailboxes(&self) -> impl Iterator<Item = MailboxInfo<'_>> {
        self.names.iter().filter_map(|(_, &id)| self.get(id))
    }

    /// How many mailboxes there are.
    pub fn mailbox_count(&self) -> usize {
        self.mailboxes.len()
    }

    /// All subscribed names, in byte order; some may not exist.
    pub fn subscriptions(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.iter().map(|(name, ())| &**name)
    }

    /// Whether `name` is subscribed.
    pub fn is_subscribed(&self, name: &str) -> bool {
        self.subscriptions.get(&*canonical_name(name)).is_some()
    }

    /// A UIDVALIDITY for a new mailbox: greater than every one this account ever gave, and at least
    /// `now`, seconds since 1970 UTC. The second mailbox of one batch takes the number after it.
    pub fn next_uid_validity(&self, now: i64) -> UidValidity {
        let now = u32::try_from(now.max(1)).unwrap_or(u32::MAX);
        let next = self.uid_validity_max.saturating_add(1).max(now);
        UidValidity::new(next).unwrap_or(UidValidity::MAX)
    }

    /// Whether a new mailbox may take this UIDVALIDITY, for an import that keeps UIDs: no mailbox
    /// that is gone, or lost its name, had it or a greater one (RFC 9051 §2.3.1.1).
    pub fn accepts_uid_validity(&self, uid_validity: UidValidity) -> bool {
        uid_validity.get() > self.uid_validity_retired
    }

    /// Forgets which UIDs were expunged by records before `at`: for retention. VANISHED for clients
    /// that were away since before then names every absent UID.
    pub fn forget_before(&mut self, at: ModSeq) {
        let ids: Vec<MailboxId> = self.mailboxes.iter().map(|(&id, _)| id).collect();
        for id in ids {
            self.change(id, |slot| slot.mailbox.forget_before(at));
        }
    }

    /// Memory the fold takes, in bytes, roughly.
    pub fn memory_bytes(&self) -> usize {
        let of_slot = |slot: &Slot| {
            slot.mailbox.memory_bytes() + 2 * slot.name.len() + slot.roles.len() + 200
        };
        let mailboxes: usize = self.mailboxes.iter().map(|(_, slot)| of_slot(slot)).sum();
        let subscriptions: usize = self.subscriptions().map(|name| name.len() + 40).sum();
        size_of::<Self>() + mailboxes + subscriptions
    }
}

fn valid_name(name: &str) -> Fits<Cow<'_, str>> {
    if name.is_empty() { Err("empty name") } else { Ok(canonical_name(name)) }
}

fn sorted_roles(roles: &[Role]) -> Box<[Role]> {
    Role::ALL.into_iter().filter(|role| roles.contains(role)).collect()
}

/// The messages with their positions, if their UIDs continue those of the mailbox.
fn stored<'a>(
    mailbox: &Mailbox,
    messages: &'a [NewMessage],
) -> Fits<Vec<(&'a NewMessage, Position)>> {
    if messages.is_empty() {
        return Err("no messages");
    }
    let mut next = mailbox.uid_next_known();
    let stored = messages.iter().map(|message| {
        if message.uid < next {
            return Err("UIDs do not ascend");
        }
        // The last UID is never given, so that UIDNEXT exists.
        next = message.uid.next().ok_or("no UIDs left")?;
        match message.content {
            Content::At(position) => Ok((message, position)),
            Content::Staged(_) => Err("content is not stored"),
        }
    });
    stored.collect()
}
