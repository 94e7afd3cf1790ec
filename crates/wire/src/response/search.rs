//! SEARCH and SORT responses.
//!
//! RFC 3501 §7.2.5, RFC 5256 §4; MODSEQ: RFC 7162 §3.1.5.

use base::ModSeq;

use crate::emit::push;

/// Without numbers there is no MODSEQ either (RFC 7162 §7, mailbox-data).
pub(super) fn print(kind: &str, numbers: &[u32], mod_seq: Option<ModSeq>, out: &mut Vec<u8>) {
    out.extend_from_slice(kind.as_bytes());
    numbers.iter().for_each(|&number| spaced(out, number));
    if let Some(mod_seq) = mod_seq.filter(|_| !numbers.is_empty()) {
        push(out, format_args!(" (MODSEQ {mod_seq})"));
    }
}

/// The two digits of each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut at = 0;
    while at < 100 {
        // Digits fit.
        pairs[at] = [b'0' + (at / 10) as u8, b'0' + (at % 10) as u8];
        at += 1;
    }
    pairs
};

/// Appends a space and a number, two digits at a time: there may be millions in one answer.
pub fn spaced(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(in_digits(number, &mut [b' '; 11], true));
}

/// Appends a number.
pub(super) fn plain(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(in_digits(number, &mut [b' '; 11], false));
}

/// Appends a space and a number of up to 64 bits.
pub(super) fn spaced_long(out: &mut Vec<u8>, number: u64) {
    match u32::try_from(number) {
        Ok(number) => spaced(out, number),
        Err(_) => push(out, format_args!(" {number}")),
    }
}

/// The digits of a number at the end of `text`, which is of spaces, and one of them if wanted.
fn in_digits(number: u32, text: &mut [u8; 11], space: bool) -> &[u8] {
    let mut at = text.len();
    let mut rest = number as usize;
    while rest >= 10 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&PAIRS[rest % 100]);
        rest /= 100;
    }
    if rest > 0 || number == 0 {
        at -= 1;
        text[at] = b'0' + rest as u8;
    }
    &text[at - usize::from(space)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_formatted() {
        let powers = (0..10).map(|n| 10u32.pow(n));
        let near = powers.flat_map(|n| [n - 1, n, n + 1, n.saturating_mul(3) + 7]);
        for number in near.chain([u32::MAX, u32::MAX - 1]) {
            let mut out = b"x".to_vec();
            spaced(&mut out, number);
            plain(&mut out, number);
            spaced_long(&mut out, u64::from(number));
            spaced_long(&mut out, u64::from(number) << 20);
            let expected = format!("x {number}{number} {number} {}", u64::from(number) << 20);
            assert_eq!(String::from_utf8(out), Ok(expected));
        }
    }
}
