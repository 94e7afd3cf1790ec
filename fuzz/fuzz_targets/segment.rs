//! A segment of the text index is a file that anything may have happened to: asking it, merging it and
//! telling its state never panics, and what it says is only that messages are excluded.
//!
//! The first byte chooses: bytes as they are (even), or a segment made of the input with good
//! checksums (odd), for no fuzzer guesses a CRC.

#![no_main]

use std::sync::Arc;

use base::{AccountId, Limits};
use bytes::Bytes;
use futures_executor::block_on;
use index::Library;
use libfuzzer_sys::fuzz_target;
use mailbox::Account;
use message::search::{Needle, Want};
use storage::{Memory, Storage};

const ID: AccountId = AccountId([1; 16]);

fuzz_target!(|input: &[u8]| {
    let Some((&mode, bytes)) = input.split_first() else { return };
    let file = if mode & 1 == 0 { bytes.to_vec() } else { segment(bytes) };
    let storage = Arc::new(Memory::new());
    let limits = Limits::default();
    block_on(async {
        storage.create(ID).await.expect("memory");
        for name in ["0000000000000000.seg", "0000000000000001.seg"] {
            storage.cache_write(ID, name, Bytes::from(file.clone())).await.expect("memory");
        }
        let library = Library::new(Arc::clone(&storage) as _, &limits, None);
        let needle = |text: &str| Needle::new(text);
        let wants = [
            Want::Body(needle("abc")),
            Want::Text(needle("a")),
            Want::Header { field: "subject".to_owned(), needle: needle("ab") },
        ];
        let answers = library.ask(ID, &wants).await;
        for nth in 0..wants.len() {
            let id = bytes.first_chunk::<16>().copied().unwrap_or_default();
            answers.excludes(nth, base::EmailId(id));
        }
        // Nothing of it is used: it is merged into nothing, or dropped.
        let state = Account::default();
        library.status(ID, &state).await.expect("memory");
        let mut go_on = |_| -> storage::Task<'static, bool> { Box::pin(std::future::ready(true)) };
        library.update(ID, &state, 1, &mut go_on).await.expect("memory");
    });
});

/// A segment whose counts, EMAILIDs and blocks are of the input.
fn segment(input: &[u8]) -> Vec<u8> {
    let (counts, rest) = input.split_at(input.len().min(2));
    let documents = usize::from(counts.first().copied().unwrap_or(0));
    let mut ids = rest.to_vec();
    ids.resize(documents * 16, 7);
    let (mut blocks, mut table) = (Vec::new(), Vec::new());
    let size = usize::from(counts.get(1).copied().unwrap_or(0)).max(8);
    for (nth, piece) in rest.chunks(size).enumerate() {
        let (key, content) = piece.split_at(piece.len().min(2));
        let low = key.iter().fold(0u32, |key, &byte| key << 8 | u32::from(byte));
        let mut block = content.to_vec();
        block.extend(crc32c::crc32c(&block).to_le_bytes());
        table.extend(((nth as u32) << 16 | low).to_le_bytes());
        table.extend((block.len() as u32).to_le_bytes());
        blocks.extend(block);
    }
    let Limits { mime_parts_max, mime_depth_max, header_bytes_max, parameters_max, .. } =
        Limits::default();
    let limits = format!("{mime_parts_max} {mime_depth_max} {header_bytes_max} {parameters_max}");
    let mut out = b"martsrch\x03\0\0\0".to_vec();
    out.extend((documents as u32).to_le_bytes());
    out.extend((table.len() as u32 / 8).to_le_bytes());
    out.extend(1000u64.to_le_bytes());
    out.extend(crc32c::crc32c(limits.as_bytes()).to_le_bytes());
    out.extend((52 + ids.len() as u64 + blocks.len() as u64).to_le_bytes());
    out.extend(crc32c::crc32c(&ids).to_le_bytes());
    out.extend(crc32c::crc32c(&table).to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    [out, ids, blocks, table].concat()
}
