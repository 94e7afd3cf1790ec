//! Damage stays where it is: whatever one byte of a segment becomes, every other frame is still found,
//! and no bytes make a reader of frames, records or folds panic.
//!
//! The first byte chooses: bytes as they are (even), or frames with good checksums made of the input
//! and one byte of the segment changed (odd), for no fuzzer guesses a CRC.

#![no_main]

use base::{AccountId, ModSeq};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mailbox::{Account, Record};
use storage_files::frame::{
    ALIGN, Blocks, Commit, Encoding, FRAMES_AT, Found, HEADER_BYTES, Header, Kind, Lost, Segment,
    SegmentKind, VERSION, parse,
};

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((&mode, bytes)) if mode & 1 == 0 => {
            look(bytes);
            contents(bytes);
        }
        Some((_, bytes)) => damage(bytes),
        None => {}
    }
});

/// What is found lies in order, inside the file, on frames' boundaries.
fn look(file: &[u8]) -> Option<Vec<Found>> {
    let (segment, found) = parse(file)?;
    assert_eq!(Segment::decode(&segment.encode()), Some(segment));
    let mut end = FRAMES_AT;
    for found in &found {
        let (from, to) = match *found {
            Found::Frame(header, at) => {
                let bytes = &file[at as usize..];
                assert_eq!(header.encode(segment.seed()), bytes[..HEADER_BYTES]);
                let to = at + header.frame_bytes();
                contents(&file[at as usize + HEADER_BYTES..to as usize]);
                let _ = Blocks::decode(&header, &file[at as usize + HEADER_BYTES..to as usize]);
                (at, to)
            }
            Found::Spoiled(_, at) => (at, at + HEADER_BYTES as u64),
            Found::Gap(from, to) => (from, to),
        };
        assert!(from >= end && from <= to && to <= file.len() as u64, "{found:?}");
        assert_eq!(from % ALIGN, 0);
        end = to;
    }
    Some(found)
}

/// Readers of payloads take anything.
fn contents(payload: &[u8]) {
    if let Some(commit) = Commit::decode(&Bytes::copy_from_slice(payload)) {
        for record in &commit.records {
            one_record(record);
        }
    }
    one_record(payload);
    let _ = Lost::decode(payload);
    if let Some(account) = Account::decode(payload) {
        let again = Account::decode(&account.encode()).expect("a fold reads what it wrote");
        assert_eq!(again.encode(), account.encode());
    }
}

/// A record means the same after it was written, and a fold takes it or says why not.
fn one_record(bytes: &[u8]) {
    let Ok(record) = Record::decode(bytes) else { return };
    let mut written = Vec::new();
    record.encode(&[], &mut written).expect("what was read is stored");
    assert_eq!(Record::decode(&written).ok(), Some(record.clone()));
    let mut account = Account::default();
    let at = account.head().next();
    let before = account.encode();
    match account.apply(at, &record) {
        Ok(()) => {
            let again = Account::decode(&account.encode()).expect("a fold reads what it wrote");
            assert_eq!(again.encode(), account.encode());
        }
        Err(_) => assert_eq!(account.encode(), before),
    }
}

/// Frames cut from the input at its bytes, in a segment of which one byte changes.
fn damage(input: &[u8]) {
    let [at_low, at_high, xor, rest @ ..] = input else { return };
    let segment = Segment {
        version: VERSION,
        kind: SegmentKind::Log,
        number: 1,
        account: AccountId([7; 16]),
        // Of the input's own: no payload can hold a header that passes.
        salt: salt_of(rest),
        base: ModSeq::ZERO,
        index_at: 0,
    };
    let mut file = segment.encode();
    let mut frames = Vec::new();
    for (index, payload) in rest.chunks(41).enumerate() {
        let header = Header {
            kind: if payload[0] & 1 == 0 { Kind::Message } else { Kind::Records },
            encoding: Encoding::Raw,
            payload_bytes: payload.len() as u32,
            offset: file.len() as u32,
            durable_to: 0,
            sequence: ModSeq::new(index as u64 + 1).expect("small"),
            payload_crc: crc32c::crc32c(payload),
        };
        frames.push((file.len(), file.len() + header.frame_bytes() as usize));
        file.extend_from_slice(&header.encode(segment.seed()));
        file.extend_from_slice(payload);
        file.resize(file.len().next_multiple_of(ALIGN as usize), 0);
    }
    let hit = (usize::from(*at_high) << 8 | usize::from(*at_low)) % file.len();
    file[hit] ^= xor;
    // One copy of the segment's header is enough.
    let found = look(&file).expect("one byte does not take both copies");
    for (from, to) in frames {
        let whole = found.iter().any(|f| matches!(f, Found::Frame(_, at) if *at == from as u64));
        assert_eq!(whole, *xor == 0 || !(from..to).contains(&hit), "byte {hit}, frame at {from}");
    }
}

/// Sixteen bytes that depend on all of `bytes`.
fn salt_of(bytes: &[u8]) -> [u8; 16] {
    let mut salt = [0; 16];
    for (at, quarter) in salt.chunks_mut(4).enumerate() {
        let seed = 0x9e37_79b9_u32.wrapping_mul(at as u32 + 1);
        quarter.copy_from_slice(&crc32c::crc32c_append(seed, bytes).to_le_bytes());
    }
    salt
}
