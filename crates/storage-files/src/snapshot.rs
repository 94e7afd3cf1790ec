//! `cache/state`: the newest snapshot of the fold, and how to find the log's end quickly.
//!
//! A snapshot is disposable. It is written only of what is durable, so it is never ahead of the log.

use std::io;
use std::sync::Arc;

use base::{AccountId, ModSeq};
use bytes::Bytes;
use storage::disk::{File, Open};
use storage::{Error, Pages, Snapshot};

use crate::frame::{u32_at, u64_at};
use crate::log::{Log, Place};
use crate::{Shared, failed};

const MAGIC: [u8; 8] = *b"martstat";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 64;
/// What is read and written at once.
const PAGE_BYTES: usize = 256 * 1024;

/// A larger one is synced before it takes the place of the last: without any, after a crash, the log is
/// folded again, which takes a moment for some hundred messages. A server that stops has one to write for
/// each account, and a sync costs the disk ten blocks.
const UNSYNCED_BYTES_MAX: u64 = 32 * 1024;

/// A snapshot's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The fold's position.
    pub(crate) at: ModSeq,
    /// A commit at or before that position.
    pub(crate) mark: Option<Place>,
    /// Where the log ended when the snapshot was written, all of it durable.
    pub(crate) durable: Option<Place>,
    payload_crc: u32,
}

impl Hint {
    /// The mark if it is in this segment, and the snapshot's position.
    pub(crate) fn mark_in(&self, segment: u32) -> Option<(ModSeq, u64)> {
        let mark = self.mark.filter(|mark| mark.segment == segment)?;
        Some((self.at, mark.offset))
    }

    fn encode(&self, account: AccountId) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 2]);
        header.extend_from_slice(&self.payload_crc.to_le_bytes());
        header.extend_from_slice(&account.0);
        header.extend_from_slice(&self.at.get().to_le_bytes());
        for place in [self.mark, self.durable] {
            let place = place.unwrap_or(Place { segment: 0, offset: 0 });
            header.extend_from_slice(&place.segment.to_le_bytes());
            header.extend_from_slice(&(place.offset as u32).to_le_bytes());
        }
        header.extend_from_slice(&[0; 4]);
        let crc = crc32c::crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        header
    }

    fn decode(header: &[u8], account: AccountId) -> Option<Self> {
        let header = header.get(..HEADER_BYTES)?;
        let whole = u32_at(header, 60)? == crc32c::crc32c(&header[..60]);
        let ours = header[16..32] == account.0;
        if !whole || !ours || header[..8] != MAGIC || header[8..10] != VERSION.to_le_bytes() {
            return None;
        }
        let place = |at: usize| {
            let (segment, offset) = (u32_at(header, at)?, u64::from(u32_at(header, at + 4)?));
            Some((segment != 0).then_some(Place { segment, offset }))
        };
        Some(Self {
            at: ModSeq::new(u64_at(header, 32)?)?,
            mark: place(40)?,
            durable: place(48)?,
            payload_crc: u32_at(header, 12)?,
        })
    }
}

fn path(dir: &str) -> String {
    format!("{dir}/cache/state")
}

/// The header of an account's snapshot; nothing if there is none to be used.
pub(crate) fn read_hint(shared: &Shared, dir: &str, account: AccountId) -> Hint {
    let mut header = [0; HEADER_BYTES];
    let read =
        shared.disk.open(&path(dir), Open::Read).and_then(|file| file.read_at(&mut header, 0));
    read.ok().and_then(|_| Hint::decode(&header, account)).unwrap_or_default()
}

fn read(file: &dyn File, account: AccountId) -> io::Result<Option<Snapshot>> {
    let mut header = [0; HEADER_BYTES];
    let count = file.read_at(&mut header, 0)?;
    let Some(hint) = Hint::decode(&header[..count], account) else { return Ok(None) };
    let (mut pages, mut crc, mut offset) = (Vec::new(), 0, HEADER_BYTES as u64);
    loop {
        let left = file.len()?.saturating_sub(offset).min(PAGE_BYTES as u64);
        let mut page = vec![0; left as usize];
        let count = file.read_at(&mut page, offset)?;
        if count == 0 {
            break;
        }
        page.truncate(count);
        crc = crc32c::crc32c_append(crc, &page);
        offset += count as u64;
        pages.push(Bytes::from(page));
    }
    Ok((crc == hint.payload_crc).then_some((hint.at, pages)))
}

/// The snapshot whatever the log says of it; an error in words if there is a file and no snapshot.
pub(crate) fn read_whole(log: &Log) -> Result<Option<Snapshot>, String> {
    match log.shared.disk.open(&path(&log.dir), Open::Read) {
        Ok(file) => match read(&*file, log.id) {
            Ok(Some(snapshot)) => Ok(Some(snapshot)),
            Ok(None) => Err("the snapshot is damaged".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

impl Log {
    /// The newest snapshot that fits the log: the cached one, or the checkpoint that it begins with.
    pub(crate) fn load_snapshot(&self) -> Result<Option<Snapshot>, Error> {
        let (head, begin) = {
            let state = self.lock();
            (state.written.0, state.begin)
        };
        let path = path(&self.dir);
        let cached = match self.shared.disk.open(&path, Open::Read) {
            Ok(file) => read(&*file, self.id).unwrap_or_else(|error| {
                tracing::warn!(path, %error, "cannot read the snapshot");
                None
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&path, &error)),
        };
        match cached.filter(|&(at, _)| begin <= at && at <= head) {
            Some(cached) => Ok(Some(cached)),
            None => Ok(self.read_begin()?.map(|(at, bytes)| (at, vec![bytes]))),
        }
    }

    /// The size of the cached snapshot's file.
    pub(crate) fn snapshot_bytes(&self) -> Result<u64, Error> {
        let path = path(&self.dir);
        match self.shared.disk.open(&path, Open::Read).and_then(|file| file.len()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            other => other.map_err(|error| failed(&path, &error)),
        }
    }

    /// Writes a snapshot of the fold at `at`, which is durable.
    pub(crate) fn write_snapshot(&self, at: ModSeq, pages: Pages) -> Result<(), Error> {
        let mut hint = {
            let state = self.lock();
            if at > state.durable.0 {
                return Err(Error::Failed("a snapshot of what is not durable".into()));
            }
            let near = state.index.partition_point(|&(first, _)| first <= at);
            let mark = near.checked_sub(1).and_then(|near| state.index.get(near));
            Hint {
                at,
                mark: mark.map(|&(_, place)| place),
                durable: Some(state.durable.1),
                payload_crc: 0,
            }
        };
        let path = path(&self.dir);
        let newer = read_hint(&self.shared, &self.dir, self.id).at;
        if newer > at {
            return Ok(());
        }
        let write = || {
            let disk = &self.shared.disk;
            disk.make_dir(&self.path("cache"))?;
            let temporary = format!("{path}.tmp");
            if let Err(error) = disk.remove(&temporary)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let file = disk.open(&temporary, Open::New)?;
            let name = || {
                hint.payload_crc = write_pages(&*file, pages)?;
                file.write_at(&hint.encode(self.id), 0)?;
                // Without this a crash could leave the new name with the old bytes of the disk. They
                // have another check sum; where little is lost by that, there is no waiting.
                if file.len()? > UNSYNCED_BYTES_MAX {
                    file.sync_data()?;
                }
                disk.rename(&temporary, &path)
            };
            name().inspect_err(|_| drop(disk.remove(&temporary)))
        };
        write().map_err(|error| failed(&path, &error))
    }

    pub(crate) async fn save_snapshot(
        self: &Arc<Self>,
        at: ModSeq,
        pages: Pages,
    ) -> Result<(), Error> {
        if at > self.lock().durable.0 {
            self.sync().await?;
        }
        let log = self.clone();
        self.shared.pool.run(move || log.write_snapshot(at, pages)).await
    }
}

/// Writes pages behind the header. Answers with their CRC.
fn write_pages(file: &dyn File, pages: Pages) -> io::Result<u32> {
    let (mut waiting, mut crc, mut offset) = (Vec::new(), 0, HEADER_BYTES as u64);
    let mut put = |waiting: &mut Vec<u8>| {
        crc = crc32c::crc32c_append(crc, waiting);
        file.write_at(waiting, offset)?;
        offset += waiting.len() as u64;
        waiting.clear();
        Ok::<(), io::Error>(())
    };
    for page in pages {
        waiting.extend_from_slice(&page);
        if waiting.len() >= PAGE_BYTES {
            put(&mut waiting)?;
        }
    }
    put(&mut waiting)?;
    Ok(crc)
}
