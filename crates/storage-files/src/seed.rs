//! A segment without a header can still be read: its frames' checks tell what they began with.
//!
//! CRC32C is linear. For a frame's header whose bytes are known, each bit of the seed flips certain
//! bits of the check; so the seed is the solution of 32 linear equations. Payloads are checked
//! without the seed, which shows that a header is one.

use crate::frame::{ALIGN, FRAMES_AT, HEADER_BYTES, Header, Seed, padded, u32_at};

/// The seed of the frames in a segment's bytes, if at least two frames agree on one.
pub(crate) fn find(bytes: &[u8]) -> Option<Seed> {
    let mut candidates: Vec<Seed> = Vec::new();
    let mut at = FRAMES_AT as usize;
    while at + HEADER_BYTES <= bytes.len() {
        if let Some(seed) = candidate(bytes, at) {
            if candidates.contains(&seed) {
                return Some(seed);
            }
            candidates.push(seed);
            // What is inside a frame was written by others, who may have put frames there.
            let bytes = u32_at(bytes, at + 4).map_or(0, u64::from) + HEADER_BYTES as u64;
            at += padded(bytes) as usize;
            continue;
        }
        at += ALIGN as usize;
    }
    None
}

fn candidate(bytes: &[u8], at: usize) -> Option<Seed> {
    if bytes.get(at..at + 2)? != b"mf" {
        return None;
    }
    let payload_bytes = u32_at(bytes, at + 4)? as usize;
    let from = at + HEADER_BYTES;
    let payload = bytes.get(from..from.checked_add(payload_bytes)?)?;
    if crc32c::crc32c(payload) != u32_at(bytes, at + 24)? {
        return None;
    }
    let seed = solve(&bytes[at..at + 28], u32_at(bytes, at + 28)?)?;
    Header::decode(&bytes[at..], seed).map(|_| seed)
}

/// The seed with which the check of `data` is `crc`.
fn solve(data: &[u8], crc: u32) -> Option<Seed> {
    let constant = crc32c::crc32c_append(0, data);
    // Rows of the equations: the left half is a bit of the check, the right half bits of the seed.
    let mut basis: Vec<(u32, u32)> = Vec::with_capacity(32);
    for bit in 0..32 {
        let mut column = crc32c::crc32c_append(1 << bit, data) ^ constant;
        let mut seed = 1u32 << bit;
        for &(other, bits) in &basis {
            if column ^ other < column {
                column ^= other;
                seed ^= bits;
            }
        }
        if column != 0 {
            basis.push((column, seed));
            basis.sort_unstable_by(|a, b| b.cmp(a));
        }
    }
    let (mut rest, mut seed) = (crc ^ constant, 0);
    for (column, bits) in basis {
        if rest ^ column < rest {
            rest ^= column;
            seed ^= bits;
        }
    }
    (rest == 0).then_some(Seed(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_can_be_found_again() {
        let data: Vec<u8> = (0..28).collect();
        for seed in [0, 1, 2, 0x8000_0000, 0xdead_beef, u32::MAX] {
            let crc = crc32c::crc32c_append(seed, &data);
            assert_eq!(solve(&data, crc), Some(Seed(seed)));
        }
    }
}
