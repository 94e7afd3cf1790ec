//! A disk in memory that tells what is live from what is durable, fails where it is told to, and can
//! be looked at as a crash would leave it.
//!
//! What is not synced may survive a crash or not: each write by itself, in sectors (torn), in any
//! order, and space that a lost write would have filled may hold zeros or old bytes. All chance comes
//! from one seed.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, File, Open};

const SECTOR_BYTES: usize = 512;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The process dies: this operation may be done in part, and every later one fails.
    Crash,
    /// This operation alone fails.
    Once,
    /// This operation and every later one fail.
    Always,
    /// There is no space for this write, nor for a later one.
    Full,
}

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// Everything: the process died, the machine lives on.
    Everything,
    /// Any part of it, by this seed.
    Some(u64),
}

/// The simulated disk. A clone is the same disk.
#[derive(Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    nodes: Vec<Node>,
    locked: BTreeSet<String>,
    operations: u64,
    syncs: u64,
    written: u64,
    fault: Option<(u64, Fault)>,
    chance: Chance,
}

#[derive(Clone)]
enum Node {
    File(Bytes),
    Dir(Names),
}

#[derive(Clone, Default)]
struct Bytes {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Default)]
struct Names {
    live: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<NameChange>,
}

#[derive(Clone)]
enum NameChange {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

/// A small generator of chance (splitmix64): the same seed, the same run.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Chance that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % (bound.max(1) as u64)) as usize
    }

    /// True one time in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    if bytes.len() < offset + new.len() {
        bytes.resize(offset + new.len(), 0);
    }
    bytes[offset..offset + new.len()].copy_from_slice(new);
}

impl Bytes {
    fn apply(&mut self, change: Change) {
        match &change {
            Change::Write(offset, new) => put(&mut self.live, *offset, new),
            Change::Length(bytes) => self.live.resize(*bytes, 0),
        }
        self.pending.push(change);
    }

    /// Writes what is pending. What an earlier sync failed to write is not: it is forgotten.
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write(offset, new) => put(&mut self.durable, offset, &new),
                Change::Length(bytes) => self.durable.resize(bytes, 0),
            }
        }
    }

    /// The bytes after a crash.
    fn survivors(&self, left: Left, chance: &mut Chance) -> Vec<u8> {
        match left {
            Left::Nothing => self.durable.clone(),
            Left::Everything => self.live.clone(),
            Left::Some(_) => {
                let mut bytes = self.durable.clone();
                for change in &self.pending {
                    match (change, chance.below(4)) {
                        (_, 0) => {}
                        (Change::Length(length), _) => bytes.resize(*length, 0),
                        (Change::Write(offset, new), 1) => put(&mut bytes, *offset, new),
                        (Change::Write(offset, new), _) => tear(&mut bytes, *offset, new, chance),
                    }
                }
                bytes
            }
        }
    }
}

/// Writes some sectors of `new`. A sector of a file that grew without its bytes holds zeros or what
/// the disk had there before.
fn tear(bytes: &mut Vec<u8>, offset: usize, new: &[u8], chance: &mut Chance) {
    let mut from = 0;
    while from < new.len() {
        let to = ((offset + from) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset;
        let piece = &new[from..to.min(new.len())];
        match chance.below(5) {
            0 | 1 => {}
            2 if offset + from >= bytes.len() => {
                let stale: Vec<u8> = piece.iter().map(|_| chance.bits() as u8).collect();
                put(bytes, offset + from, &stale);
            }
            _ => put(bytes, offset + from, piece),
        }
        from = to;
    }
}

impl Names {
    fn apply(&mut self, change: NameChange) {
        Self::change(&mut self.live, &change);
        self.pending.push(change);
    }

    fn change(names: &mut BTreeMap<String, usize>, change: &NameChange) {
        match change {
            NameChange::Link(name, node) => {
                names.insert(name.clone(), *node);
            }
            NameChange::Unlink(name) => {
                names.remove(name);
            }
            NameChange::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }

    fn survivors(&self, left: Left, chance: &mut Chance) -> BTreeMap<String, usize> {
        let mut names = self.durable.clone();
        match left {
            Left::Nothing => {}
            Left::Everything => names.clone_from(&self.live),
            Left::Some(_) => {
                let kept = self.pending.iter().filter(|_| !chance.one_in(3));
                kept.for_each(|change| Self::change(&mut names, change));
            }
        }
        names
    }
}

fn failed(why: &'static str) -> io::Error {
    io::Error::other(why)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Inner {
    /// Counts an operation; tells whether it fails, and how.
    fn step(&mut self) -> Option<Fault> {
        self.operations += 1;
        let (at, fault) = self.fault?;
        let now = self.operations - 1;
        let hit = if fault == Fault::Once { now == at } else { now >= at };
        hit.then_some(fault)
    }

    fn check(&mut self) -> io::Result<()> {
        match self.step() {
            None | Some(Fault::Full) => Ok(()),
            Some(_) => Err(failed("simulated failure")),
        }
    }

    fn find(&self, path: &str) -> io::Result<usize> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(0, |node, name| {
            match &self.nodes[node] {
                Node::Dir(names) => names.live.get(name).copied().ok_or_else(not_found),
                Node::File(_) => Err(not_found()),
            }
        })
    }

    fn dir(&mut self, path: &str) -> io::Result<&mut Names> {
        let node = self.find(path)?;
        match &mut self.nodes[node] {
            Node::Dir(names) => Ok(names),
            Node::File(_) => Err(not_found()),
        }
    }

    fn file(&mut self, node: usize) -> &mut Bytes {
        match &mut self.nodes[node] {
            Node::File(bytes) => bytes,
            Node::Dir(_) => unreachable!("only files are opened"),
        }
    }

    fn link(&mut self, path: &str, new: Node) -> io::Result<usize> {
        let node = self.nodes.len();
        let (dir, name) = split(path);
        self.dir(dir)?.apply(NameChange::Link(name.to_owned(), node));
        self.nodes.push(new);
        Ok(node)
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        Self::over(vec![Node::Dir(Names::default())], Chance::new(seed))
    }

    fn over(nodes: Vec<Node>, chance: Chance) -> Self {
        let (locked, fault) = (BTreeSet::new(), None);
        let (operations, syncs, written) = (0, 0, 0);
        let inner = Inner { nodes, locked, operations, syncs, written, fault, chance };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock_inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the `n`-th operation from here, counted from 0, go wrong.
    pub fn fail(&self, n: u64, fault: Fault) {
        let mut inner = self.lock_inner();
        inner.fault = Some((inner.operations + n, fault));
    }

    /// No operation goes wrong from here on.
    pub fn heal(&self) {
        self.lock_inner().fault = None;
    }

    /// Whether the fault that was asked for has happened.
    pub fn has_failed(&self) -> bool {
        let inner = self.lock_inner();
        inner.fault.is_some_and(|(at, _)| inner.operations > at)
    }

    /// How many files and directories have been synced.
    pub fn syncs(&self) -> u64 {
        self.lock_inner().syncs
    }

    /// How many bytes have been written to files.
    pub fn written(&self) -> u64 {
        self.lock_inner().written
    }

    /// How many operations there have been.
    pub fn operations(&self) -> u64 {
        self.lock_inner().operations
    }

    /// The disk as a crash right here would leave it. This one stays as it is.
    #[must_use]
    pub fn crash(&self, left: Left) -> Self {
        let inner = self.lock_inner();
        let mut chance = Chance::new(if let Left::Some(seed) = left { seed } else { 0 });
        let nodes = inner.nodes.iter().map(|node| match node {
            Node::File(bytes) => {
                let kept = bytes.survivors(left, &mut chance);
                Node::File(Bytes { durable: kept.clone(), live: kept, pending: Vec::new() })
            }
            Node::Dir(names) => {
                let kept = names.survivors(left, &mut chance);
                Node::Dir(Names { durable: kept.clone(), live: kept, pending: Vec::new() })
            }
        });
        let nodes = nodes.collect();
        // Other random bytes than before the crash.
        let next = Chance::new(inner.chance.0 ^ 0x5851_f42d_4c95_7f2d);
        Self::over(nodes, next)
    }

    /// Flips one bit of a file, durably.
    pub fn flip(&self, path: &str, offset: u64, bit: u8) -> io::Result<()> {
        self.spoil(path, |bytes| {
            if let Some(byte) = bytes.get_mut(offset as usize) {
                *byte ^= 1 << (bit % 8);
            }
        })
    }

    /// Changes a file's bytes behind the engine's back, durably.
    pub fn spoil(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut inner = self.lock_inner();
        let node = inner.find(path)?;
        let file = inner.file(node);
        change(&mut file.live);
        file.durable.clone_from(&file.live);
        file.pending.clear();
        Ok(())
    }

    /// A file's live bytes.
    pub fn bytes(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut inner = self.lock_inner();
        let node = inner.find(path)?;
        Ok(inner.file(node).live.clone())
    }

    /// The paths of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let inner = self.lock_inner();
        let (mut open, mut files) = (vec![(String::new(), 0)], Vec::new());
        while let Some((path, node)) = open.pop() {
            match &inner.nodes[node] {
                Node::File(_) => files.push(path),
                Node::Dir(names) => open.extend(names.live.iter().map(|(name, &node)| {
                    let slash = if path.is_empty() { "" } else { "/" };
                    (format!("{path}{slash}{name}"), node)
                })),
            }
        }
        files.sort_unstable();
        files
    }
}

impl Disk for SimDisk {
    fn make_dir(&self, path: &str) -> io::Result<()> {
        let mut inner = self.lock_inner();
        inner.check()?;
        match inner.find(path) {
            Ok(_) => Ok(()),
            Err(_) => inner.link(path, Node::Dir(Names::default())).map(drop),
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut inner = self.lock_inner();
        inner.check()?;
        Ok(inner.dir(dir)?.live.keys().cloned().collect())
    }

    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn File>> {
        let mut inner = self.lock_inner();
        inner.check()?;
        let node = match (inner.find(path), how) {
            (Ok(_), Open::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Err(_), Open::New) => inner.link(path, Node::File(Bytes::default()))?,
            (found, _) => found?,
        };
        if matches!(inner.nodes[node], Node::Dir(_)) {
            return Err(not_found());
        }
        Ok(Arc::new(Handle { disk: self.clone(), node }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock_inner();
        inner.check()?;
        let node = inner.find(from)?;
        let ((dir, from), (same, to)) = (split(from), split(to));
        assert_eq!(dir, same, "renames stay in their directory");
        inner.dir(dir)?.apply(NameChange::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut inner = self.lock_inner();
        inner.check()?;
        inner.find(path)?;
        let (dir, name) = split(path);
        inner.dir(dir)?.apply(NameChange::Unlink(name.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.remove(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let mut inner = self.lock_inner();
        inner.check()?;
        inner.syncs += 1;
        let names = inner.dir(path)?;
        names.durable.clone_from(&names.live);
        names.pending.clear();
        Ok(())
    }

    fn lock(&self, path: &str) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut inner = self.lock_inner();
        inner.check()?;
        if !inner.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held { disk: self.clone(), path: path.to_owned() }))
    }

    fn random(&self) -> io::Result<[u8; 16]> {
        let mut inner = self.lock_inner();
        let (a, b) = (inner.chance.bits(), inner.chance.bits());
        Ok((u128::from(a) << 64 | u128::from(b)).to_le_bytes())
    }
}

struct Held {
    disk: SimDisk,
    path: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.lock_inner().locked.remove(&self.path);
    }
}

struct Handle {
    disk: SimDisk,
    node: usize,
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.lock_inner();
        inner.check()?;
        let live = &inner.file(self.node).live;
        let from = live.len().min(offset as usize);
        let count = buffer.len().min(live.len() - from);
        buffer[..count].copy_from_slice(&live[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut inner = self.disk.lock_inner();
        let fault = inner.step();
        if fault.is_none() {
            inner.written += bytes.len() as u64;
            inner.file(self.node).apply(Change::Write(offset as usize, bytes.to_vec()));
            return Ok(());
        }
        // A short write: some bytes of it are there.
        let count = inner.chance.below(bytes.len() + 1);
        inner.file(self.node).apply(Change::Write(offset as usize, bytes[..count].to_vec()));
        Err(match fault {
            Some(Fault::Full) => io::ErrorKind::StorageFull.into(),
            _ => failed("simulated failure"),
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.disk.lock_inner();
        let fault = inner.step();
        if matches!(fault, None | Some(Fault::Full)) {
            inner.syncs += 1;
            inner.file(self.node).sync();
            return Ok(());
        }
        if fault != Some(Fault::Crash) {
            // The system marks what it could not write as clean: reads still show it, a later sync
            // succeeds, and the disk has only some of it.
            let mut chance = inner.chance.clone();
            let file = inner.file(self.node);
            file.durable = file.survivors(Left::Some(0), &mut chance);
            file.pending.clear();
            inner.chance = chance;
        }
        Err(failed("simulated failure of a sync"))
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut inner = self.disk.lock_inner();
        inner.check()?;
        inner.file(self.node).apply(Change::Length(bytes as usize));
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut inner = self.disk.lock_inner();
        match inner.step() {
            None => {
                inner.file(self.node).apply(Change::Length(bytes as usize));
                Ok(())
            }
            Some(Fault::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => Err(failed("simulated failure")),
        }
    }

    fn len(&self) -> io::Result<u64> {
        let mut inner = self.disk.lock_inner();
        inner.check()?;
        Ok(inner.file(self.node).live.len() as u64)
    }
}
