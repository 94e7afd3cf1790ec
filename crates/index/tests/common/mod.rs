//! An account with messages, and its index.
#![allow(dead_code, clippy::unwrap_used, reason = "tests; not every one uses all")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use base::{AccountId, EmailId, Limits};
use bytes::Bytes;
use index::{Answers, Library, Progress, Status};
use mailbox::Account;
use message::search::{DocumentKind, DocumentText, Documents, Scan, Want};
use storage::conformance::{account, appended, batch, block_on, commit, inbox, inbox_id, stage};
use storage::{Memory, Storage};

pub(crate) struct World {
    pub(crate) storage: Arc<Memory>,
    pub(crate) state: Account,
    pub(crate) messages: Vec<(EmailId, Vec<u8>)>,
    first_uid: u32,
    next_uid: u32,
    /// Another mailbox, and its next UID.
    other: Option<(base::MailboxId, u32)>,
}

/// Reads documents, which are texts; of those with a `b`, not the first time.
#[derive(Default)]
struct Reader(Mutex<HashSet<Vec<u8>>>);

impl Documents for Reader {
    fn text(&self, _: DocumentKind, bytes: &[u8]) -> DocumentText {
        let is_new = self.0.lock().unwrap().insert(bytes.to_vec());
        match bytes.contains(&b'b') && is_new {
            true => DocumentText::Unknown,
            false => DocumentText::Text(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    fn version(&self) -> u32 {
        1
    }
}

fn reader() -> Option<Arc<dyn Documents>> {
    Some(Arc::new(Reader::default()))
}

/// What a search without an index says.
fn scan(message: &[u8], want: &Want) -> bool {
    let limits = Limits::default();
    let documents = reader();
    for _ in 0..2 {
        let mut scan = Scan::with_documents(vec![want.clone()], &limits, documents.clone());
        scan.feed(message);
        if scan.finish()[0] {
            return true;
        }
    }
    false
}

pub(crate) fn id() -> AccountId {
    account(1)
}

impl World {
    pub(crate) fn new() -> Self {
        let storage = Arc::new(Memory::new());
        block_on(storage.create(id())).unwrap();
        let mut world = Self {
            storage,
            state: Account::default(),
            messages: Vec::new(),
            first_uid: 1,
            next_uid: 1,
            other: None,
        };
        world.commit(vec![inbox()], Vec::new());
        world
    }

    fn commit(&mut self, records: Vec<mailbox::Record>, staged: Vec<storage::Staged>) {
        let head = self.state.head();
        for entry in commit(&*self.storage, id(), head, batch(records, staged)).unwrap() {
            self.state.apply(entry.at, &entry.record).unwrap();
        }
    }

    pub(crate) fn append(&mut self, messages: impl IntoIterator<Item = Vec<u8>>) {
        let mut all = Vec::new();
        for message in messages {
            let staged = stage(&*self.storage, id(), &message).unwrap();
            self.messages.push((staged.email_id(), message));
            all.push(staged);
        }
        let record = appended(self.next_uid, &all);
        self.next_uid += all.len() as u32;
        self.commit(vec![record], all);
    }

    pub(crate) fn expunge(&mut self, count: u32) {
        let uid = |n| base::Uid::new(n).unwrap();
        let uids = base::UidSet::range(uid(self.first_uid), uid(self.first_uid + count - 1));
        self.commit(vec![mailbox::Record::Expunged { mailbox: inbox_id(), uids }], Vec::new());
        self.first_uid += count;
        self.messages.drain(..count as usize);
    }

    /// Moves messages into another mailbox.
    pub(crate) fn move_away(&mut self, count: u32) {
        let (to, first_uid) = match self.other {
            Some(other) => other,
            None => {
                let (name, roles) = ("Other".to_owned(), Vec::new());
                let (uid_validity, uid_next) = (self.state.next_uid_validity(1), base::Uid::MIN);
                let created =
                    mailbox::Record::MailboxCreated { name, uid_validity, uid_next, roles };
                self.commit(vec![created], Vec::new());
                (self.state.find("Other").unwrap().id, 1)
            }
        };
        self.other = Some((to, first_uid + count));
        let uid = |n| base::Uid::new(n).unwrap();
        let uids = base::UidSet::range(uid(self.first_uid), uid(self.first_uid + count - 1));
        let (from, first_uid) = (inbox_id(), uid(first_uid));
        let moved = mailbox::Record::Moved { from, uids, to, first_uid, save_date: 0 };
        self.commit(vec![moved], Vec::new());
        self.first_uid += count;
        self.messages.drain(..count as usize);
    }

    /// Deletes the other mailbox.
    pub(crate) fn delete_other(&mut self) {
        if let Some((mailbox, _)) = self.other.take() {
            self.commit(vec![mailbox::Record::MailboxDeleted { mailbox }], Vec::new());
        }
    }

    /// As after a start: nothing is in memory.
    pub(crate) fn library(&self) -> Arc<Library> {
        Library::new(Arc::clone(&self.storage) as _, &Limits::default(), reader())
    }

    pub(crate) fn update(&self, library: &Library) -> Progress {
        let mut go_on = |_| -> storage::Task<'static, bool> { Box::pin(std::future::ready(true)) };
        block_on(library.update(id(), &self.state, 1, &mut go_on)).unwrap()
    }

    /// An update that is told to end after so many steps.
    pub(crate) fn update_some(&self, library: &Library, mut steps: usize) {
        let mut few = |_| -> storage::Task<'static, bool> {
            steps = steps.saturating_sub(1);
            Box::pin(std::future::ready(steps > 0))
        };
        block_on(library.update(id(), &self.state, 1, &mut few)).unwrap();
    }

    /// What there is of the index, by a look at all messages.
    pub(crate) fn status(&self, library: &Library) -> Status {
        block_on(library.status(id(), &self.state)).unwrap()
    }

    pub(crate) fn ask(&self, library: &Library, want: &Want) -> Answers {
        block_on(library.ask(id(), std::slice::from_ref(want)))
    }

    /// How many messages match, and how many would be scanned. Fails if the index hides one.
    pub(crate) fn check(&self, library: &Library, want: &Want) -> (usize, usize) {
        let answers = self.ask(library, want);
        let mailbox = self.state.get(inbox_id()).unwrap().mailbox;
        let wants = std::slice::from_ref(want);
        let candidates = block_on(library.candidates(id(), (inbox_id(), mailbox), wants)).remove(0);
        let (mut matching, mut scanned) = (0, 0);
        for ((id, message), uid) in self.messages.iter().zip(self.first_uid..) {
            let matches = scan(message, want);
            let excluded = answers.excludes(0, *id);
            let uid = base::Uid::new(uid).unwrap();
            let named = candidates.as_ref().is_none_or(|candidates| candidates.contains(uid));
            assert_eq!(named, !excluded, "{want:?} {uid}");
            assert!(
                !(matches && excluded),
                "{want:?} is hidden in {:?}",
                String::from_utf8_lossy(message)
            );
            matching += usize::from(matches);
            scanned += usize::from(!excluded);
        }
        (matching, scanned)
    }

    /// The segments.
    pub(crate) fn files(&self) -> Vec<(String, Bytes)> {
        let mut names = block_on(self.storage.cache_list(id())).unwrap();
        names.retain(|name| name.ends_with(".seg"));
        let read = |name: String| {
            let bytes = self.whole(&name);
            (name, bytes)
        };
        names.into_iter().map(read).collect()
    }

    fn whole(&self, name: &str) -> Bytes {
        // Memory tells no lengths: the longest prefix that can be read is the file.
        let can = |end: u64| {
            let part =
                block_on(self.storage.cache_read(id(), name, std::iter::once(0..end).collect()))
                    .unwrap();
            part.map(|mut parts| parts.remove(0))
        };
        let (mut low, mut high) = (0, 1u64 << 32);
        while low + 1 < high {
            let middle = (low + high) / 2;
            match can(middle) {
                Some(_) => low = middle,
                None => high = middle,
            }
        }
        can(low).unwrap_or_default()
    }

    pub(crate) fn overwrite(&self, name: &str, bytes: Bytes) {
        block_on(self.storage.cache_write(id(), name, bytes)).unwrap();
    }
}
