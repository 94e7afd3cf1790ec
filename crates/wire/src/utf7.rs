//! Modified UTF-7, the encoding of mailbox names before UTF-8 is enabled (RFC 3501 §5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// BASE64 with `,` for `/`, without padding, and with no stray bits at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

fn is_direct(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// `name` in modified UTF-7: printable ASCII stands for itself, `&` is `&-`, the rest is UTF-16 in
/// base64.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let direct = is_direct(first);
        let end = rest.find(|c| is_direct(c) != direct).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if direct {
            out.push_str(&run.replace('&', "&-"));
        } else {
            let utf16: Vec<u8> = run.encode_utf16().flat_map(u16::to_be_bytes).collect();
            out.push('&');
            BASE64.encode_string(utf16, &mut out);
            out.push('-');
        }
        rest = after;
    }
    out
}

/// Decodes modified UTF-7; `None` unless `bytes` is the one form that [`encode`] gives the name.
/// Other forms would be other names for the same mailbox. NUL is refused.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut after_run = false;
    while let Some((&first, tail)) = rest.split_first() {
        if !is_direct(char::from(first)) {
            return None;
        }
        if first != b'&' {
            out.push(char::from(first));
            after_run = false;
            rest = tail;
            continue;
        }
        let end = memchr::memchr(b'-', tail)?;
        let run = &tail[..end];
        rest = &tail[end + 1..];
        if run.is_empty() {
            out.push('&');
            after_run = false;
            continue;
        }
        // Two runs in a row could have been one.
        if after_run {
            return None;
        }
        decode_run(run, &mut out)?;
        after_run = true;
    }
    Some(out)
}

fn decode_run(run: &[u8], out: &mut String) -> Option<()> {
    let utf16 = BASE64.decode(run).ok()?;
    if utf16.is_empty() || utf16.len() % 2 != 0 {
        return None;
    }
    let units = utf16.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    for c in char::decode_utf16(units) {
        let c = c.ok()?;
        if is_direct(c) || c == '\0' {
            return None;
        }
        out.push(c);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_names() {
        for (name, encoded) in [
            ("", ""),
            ("INBOX", "INBOX"),
            ("R&D", "R&-D"),
            ("&", "&-"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("Отправленные", "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"),
            ("😀&", "&2D3eAA-&-"),
            ("a\tb", "a&AAk-b"),
            ("a \"b\\", "a \"b\\"),
        ] {
            assert_eq!(encode(name), encoded, "{name:?}");
            assert_eq!(decode(encoded.as_bytes()).as_deref(), Some(name), "{encoded:?}");
        }
    }

    #[test]
    fn one_form_only() {
        for bad in [
            "&",          // not closed
            "&AOk",       // not closed
            "&AGE-",      // "a" needs no base64
            "&AOk-&AOk-", // two runs that should be one
            "&AOl-",      // stray bits
            "&AO-",       // half a unit
            "&2D0-",      // half a surrogate pair
            "&3gDYPQ-",   // surrogates in the wrong order
            "&AOk=-",     // padding
            "&AO/-",      // "/" is not in the alphabet
            "&AAA-",      // NUL
            "a\tb",
            "é",
            "a\u{7f}",
        ] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(name in "[^\0]{0,20}") {
            let encoded = encode(&name);
            prop_assert!(encoded.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(decode(encoded.as_bytes()), Some(name));
        }

        #[test]
        fn what_decodes_is_canonical(bytes in prop::collection::vec(
            prop_oneof![prop::sample::select(&b"&-AOkgD3e+,a "[..]), any::<u8>()], 0..24)) {
            if let Some(name) = decode(&bytes) {
                prop_assert_eq!(encode(&name).into_bytes(), bytes);
            }
        }
    }
}
