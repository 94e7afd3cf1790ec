//! The sink: stores what a source tells, in batches, and never twice.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use account::{Decision, Failure, Live, NewMail, Receiving};
use base::{DateTime, EmailId, MailboxId, Uid, UidValidity};
use mailbox::{Account, Record, Role};
use serde_json::json;
use server::admin::{Progress, Refused};
use storage::Durability;
use tokio::sync::mpsc;

use super::report::{MailboxReport, Report};
use super::{Event, Meta, Target};

/// One commit.
const BATCH_MESSAGES_MAX: usize = 200;
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Warnings that are kept; the rest is counted.
const WARNINGS_MAX: usize = 200;

/// Messages that are there already, each as often as it is.
type Known = HashMap<(EmailId, i64), u32>;

/// The mailbox that messages go to at the moment.
struct Current {
    id: MailboxId,
    target: Target,
    report: MailboxReport,
    known: Known,
    /// UIDNEXT as it was when the import began: UIDs below are of an earlier import.
    began_at: Uid,
    /// Messages in it when the import began.
    began_with: u32,
    batch: Vec<NewMail>,
    batch_bytes: u64,
}

/// A message on its way in.
enum Arriving {
    /// None.
    Nothing,
    /// It is stored, unless it turns out to be there already.
    Stored { meta: Meta, uid: Option<Uid>, receiving: Box<Receiving> },
    /// It is there already, or was; its bytes are not looked at.
    Passed,
}

/// Stores what a source tells.
pub(super) struct Sink {
    live: Arc<Live>,
    progress: Progress,
    report: Report,
    warnings_left_out: usize,
    current: Option<Current>,
    arriving: Arriving,
    subscribe: VecDeque<String>,
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::new("failed", error.to_string())
}

fn commit_failed(failure: Failure<&'static str>) -> Refused {
    match failure {
        Failure::Refused(why) => failed(why),
        Failure::Storage(error) => failed(error),
    }
}

impl Sink {
    /// Into this account.
    pub(super) fn new(live: Arc<Live>, progress: Progress) -> Self {
        Self {
            live,
            progress,
            report: Report::default(),
            warnings_left_out: 0,
            current: None,
            arriving: Arriving::Nothing,
            subscribe: VecDeque::new(),
        }
    }

    /// Until the source ends.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
    ) -> Result<Report, Refused> {
        while let Some(event) = events.recv().await {
            match event {
                Event::Mailbox(target) => {
                    self.end_mailbox().await?;
                    self.begin_mailbox(target).await?;
                }
                Event::Message(meta) => self.begin(meta).await?,
                Event::Bytes(bytes) => {
                    if let Arriving::Stored { receiving, .. } = &mut self.arriving {
                        receiving.write(&bytes).await.map_err(failed)?;
                    }
                }
                Event::End => self.end().await?,
                Event::Abandon(why) => {
                    self.arriving = Arriving::Nothing;
                    self.warn(why);
                    if let Some(current) = &mut self.current {
                        current.report.failed += 1;
                    }
                }
                Event::Warning(text) => self.warn(text),
                Event::Subscribed(name) => self.subscribe.push_back(name),
            }
        }
        self.end_mailbox().await?;
        self.subscribe().await?;
        if self.warnings_left_out > 0 {
            let text = format!("{} more warnings", self.warnings_left_out);
            self.report.warnings.push(text);
        }
        self.report.complete = self.report.mailboxes.iter().all(MailboxReport::is_complete);
        Ok(self.report)
    }

    fn warn(&mut self, text: String) {
        if self.report.warnings.len() < WARNINGS_MAX {
            self.report.warnings.push(text);
        } else {
            self.warnings_left_out += 1;
        }
    }

    async fn begin_mailbox(&mut self, target: Target) -> Result<(), Refused> {
        let now = self.live.now_ms().div_euclid(1000);
        let decide = |account: &Account| Ok::<_, &'static str>(prepare(account, &target, now));
        let done = self.live.commit(Vec::new(), Durability::Synced, decide).await;
        done.map_err(commit_failed)?;
        let state = self.live.state();
        let info = state.find(&target.name).ok_or_else(|| failed("the mailbox is gone"))?;
        let mailbox = info.mailbox;
        let keeps_uids = target.uid_validity == Some(mailbox.uid_validity().get());
        if target.uid_validity.is_some() && !keeps_uids {
            let text = "has mail of its own already: what comes in gets new UIDs";
            self.report.warnings.push(format!("{} {text}", info.name));
        }
        let mut known = Known::new();
        for row in mailbox.rows() {
            *known.entry((row.email_id, row.internal_date.seconds())).or_default() += 1;
        }
        let name = info.name.to_owned();
        self.current = Some(Current {
            id: info.id,
            began_at: mailbox.uid_next(),
            began_with: mailbox.len(),
            report: MailboxReport { name, keeps_uids, ..MailboxReport::default() },
            target,
            known,
            batch: Vec::new(),
            batch_bytes: 0,
        });
        self.tell_progress();
        Ok(())
    }

    fn tell_progress(&self) {
        if let Some(current) = &self.current {
            (self.progress)(json!({
                "mailbox": current.report.name,
                "done": current.report.found,
                "total": current.target.total,
            }));
        }
    }

    async fn begin(&mut self, meta: Meta) -> Result<(), Refused> {
        let Some(current) = &mut self.current else { return Err(failed("no mailbox")) };
        current.report.found += 1;
        let given = meta.uid.and_then(Uid::new).filter(|_| current.report.keeps_uids);
        let uid = match given {
            Some(uid) if uid < current.began_at => {
                let state = self.live.state();
                let row = state.get(current.id).and_then(|info| info.mailbox.get(uid));
                match row {
                    Some(row) if row.internal_date.seconds() == meta.date.seconds() => {
                        current.take(row.email_id, row.internal_date);
                        current.report.present += 1;
                        self.arriving = Arriving::Passed;
                        return Ok(());
                    }
                    // Another message has this UID: one that arrived here.
                    Some(_) => None,
                    None => {
                        current.report.expunged += 1;
                        self.arriving = Arriving::Passed;
                        return Ok(());
                    }
                }
            }
            Some(uid) => Some(uid),
            // New ones come after all that the source has given.
            None if current.report.keeps_uids => current.target.uid_next.and_then(Uid::new),
            None => None,
        };
        let receiving = self.live.incoming(meta.size_hint).await.map_err(failed)?;
        self.arriving = Arriving::Stored { meta, uid, receiving: Box::new(receiving) };
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Refused> {
        let arriving = std::mem::replace(&mut self.arriving, Arriving::Nothing);
        let Arriving::Stored { meta, uid, receiving } = arriving else { return Ok(()) };
        let received = match receiving.finish().await {
            Ok(received) => received,
            Err(error) => {
                self.warn(format!("{}: {error}", meta.label));
                if let Some(current) = &mut self.current {
                    current.report.failed += 1;
                }
                return Ok(());
            }
        };
        let Some(current) = &mut self.current else { return Ok(()) };
        let is_new = meta.uid.is_none() || uid.map(Uid::get) != meta.uid;
        if is_new && current.take(received.email_id, meta.date) {
            current.report.present += 1;
            return Ok(());
        }
        current.batch_bytes += u64::from(received.size);
        let (flags, internal_date) = (meta.flags, meta.date);
        current.batch.push(NewMail { received, flags, internal_date, uid });
        if current.batch.len() >= BATCH_MESSAGES_MAX || current.batch_bytes >= BATCH_BYTES_MAX {
            self.commit().await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Refused> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if !current.batch.is_empty() {
            let (id, batch) = (current.id, std::mem::take(&mut current.batch));
            current.batch_bytes = 0;
            let choose = |account: &Account| {
                account.get(id).map(|info| info.id).ok_or("the mailbox was deleted meanwhile")
            };
            let appended = self.live.append(choose, batch).await.map_err(commit_failed)?;
            current.report.imported += appended.uids.len() as u64;
        }
        self.tell_progress();
        Ok(())
    }

    async fn end_mailbox(&mut self) -> Result<(), Refused> {
        self.commit().await?;
        let Some(current) = self.current.take() else { return Ok(()) };
        let Current { id, target, report, began_with, .. } = current;
        if report.keeps_uids
            && let Some(next) = target.uid_next.and_then(Uid::new)
        {
            reserve_uids(&self.live, id, next).await?;
        }
        // The count check: what was committed is what the mailbox has more than before.
        let state = self.live.state();
        let now = state.get(id).map_or(0, |info| info.mailbox.len());
        if u64::from(now) < u64::from(began_with) + report.imported {
            let text = "has fewer messages than it should: some were expunged meanwhile";
            self.warn(format!("{} {text}", report.name));
        }
        if report.found != target.total {
            let text = format!("{}: {} messages, not {}", report.name, report.found, target.total);
            self.warn(text);
        }
        self.report.mailboxes.push(report);
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), Refused> {
        let names = std::mem::take(&mut self.subscribe);
        let decide = |account: &Account| {
            let new = names.iter().filter(|name| !account.is_subscribed(name));
            let records = new.map(|name| Record::Subscribed { name: name.clone() }).collect();
            Ok::<_, &'static str>(Decision { records, value: () })
        };
        let done = self.live.commit(Vec::new(), Durability::Synced, decide).await;
        done.map(drop).map_err(commit_failed)
    }
}

impl Current {
    /// Whether a message like this is there, and not yet found in the source.
    fn take(&mut self, email_id: EmailId, date: DateTime) -> bool {
        match self.known.get_mut(&(email_id, date.seconds())) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

/// What has to be written before messages can come in: the mailbox, with the source's UIDVALIDITY
/// where that breaks no promise. A mailbox that never had a message made none: it is made anew.
fn prepare(account: &Account, target: &Target, now: i64) -> Decision<()> {
    let wanted = target
        .uid_validity
        .and_then(UidValidity::new)
        .filter(|validity| account.accepts_uid_validity(*validity));
    let mut records = Vec::new();
    let existing = account.find(&target.name);
    let mut roles = match (&existing, role(&target.name)) {
        (Some(info), _) => info.roles.to_vec(),
        (None, Some(role)) => vec![role],
        (None, None) => Vec::new(),
    };
    if let Some(info) = &existing {
        let untouched = info.mailbox.is_empty() && info.mailbox.uid_next() == Uid::MIN;
        let differs = wanted.is_some_and(|wanted| wanted != info.mailbox.uid_validity());
        if !(untouched && differs) {
            return Decision { records, value: () };
        }
        records.push(Record::MailboxDeleted { mailbox: info.id });
    } else {
        // `Sent Items` takes the role from a `Sent` that nobody has used, and its place.
        for info in account.mailboxes().filter(|info| roles.iter().any(|r| info.roles.contains(r)))
        {
            if info.mailbox.is_empty() && info.mailbox.uid_next() == Uid::MIN {
                records.push(Record::MailboxDeleted { mailbox: info.id });
                records.push(Record::Unsubscribed { name: info.name.to_owned() });
            } else {
                roles.clear();
                records.clear();
                break;
            }
        }
    }
    records.push(Record::MailboxCreated {
        name: target.name.clone(),
        uid_validity: wanted.unwrap_or_else(|| account.next_uid_validity(now)),
        uid_next: Uid::MIN,
        roles,
    });
    if existing.is_none() {
        records.push(Record::Subscribed { name: target.name.clone() });
    }
    Decision { records, value: () }
}

/// What a mailbox is for, by the names that clients give.
fn role(name: &str) -> Option<Role> {
    let is = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    [
        (Role::Sent, &["Sent", "Sent Items", "Sent Messages", "Sent Mail", "Sent-Mail"][..]),
        (Role::Drafts, &["Drafts", "Draft"]),
        (Role::Trash, &["Trash", "Deleted Items", "Deleted Messages", "Bin"]),
        (Role::Junk, &["Junk", "Spam", "Junk E-mail", "Junk Email", "Junk Mail", "Bulk Mail"]),
        (Role::Archive, &["Archive", "Archives"]),
    ]
    .into_iter()
    .find(|(_, names)| is(names))
    .map(|(role, _)| role)
}

/// Makes UIDNEXT what it was at the source, so that the UID of a message that was expunged there is
/// never given to another one here.
async fn reserve_uids(live: &Live, mailbox: MailboxId, next: Uid) -> Result<(), Refused> {
    let decide = |account: &Account| {
        let behind = account.get(mailbox).is_some_and(|info| info.mailbox.uid_next() < next);
        let raised = behind.then_some(Record::UidNextRaised { mailbox, uid_next: next });
        Ok::<_, &'static str>(Decision { records: raised.into_iter().collect(), value: () })
    };
    let done = live.commit(Vec::new(), Durability::Synced, decide).await;
    done.map(drop).map_err(commit_failed)
}
