//! Names: of subfolders as mailboxes, of messages with flags, in lists of subscriptions.

use std::collections::HashMap;

use base::{Flags, Keyword, SystemFlag};

/// One level of a mailbox name as a directory name has it: modified UTF-7, or UTF-8 as some servers
/// are set up to write.
pub(super) fn decode_level(raw: &[u8]) -> String {
    let decoded = match wire::utf7::decode(raw) {
        Some(name) => name,
        None => String::from_utf8_lossy(raw).into_owned(),
    };
    // `/` is our separator; control characters have no place in names (RFC 9051 §5.1).
    let clean = |c: char| if c == '/' || c.is_control() { '_' } else { c };
    let clean: String = decoded.chars().map(clean).collect();
    if clean.is_empty() { "_".to_owned() } else { clean }
}

/// Levels with one separator between them, as a mailbox name.
pub(super) fn decode_path(raw: &[u8], separator: u8) -> String {
    let levels: Vec<String> = raw.split(|byte| *byte == separator).map(decode_level).collect();
    levels.join("/")
}

/// The flags in a file name, after `:2,`.
pub(super) fn flags(name: &[u8], keywords: &HashMap<u8, String>) -> Flags {
    let mut flags = Flags::default();
    let Some(info) = memchr::memmem::find(name, b":2,") else { return flags };
    for letter in &name[info + 3..] {
        let system = match letter {
            b'R' => SystemFlag::Answered,
            b'S' => SystemFlag::Seen,
            b'T' => SystemFlag::Deleted,
            b'D' => SystemFlag::Draft,
            b'F' => SystemFlag::Flagged,
            b'P' => {
                flags.keywords.extend(Keyword::new("$Forwarded"));
                continue;
            }
            letter => {
                if let Some(keyword) = keywords.get(letter).and_then(|name| Keyword::new(name)) {
                    flags.add_keyword(keyword);
                }
                continue;
            }
        };
        flags.system = flags.system.with(system);
    }
    flags
}

/// The size with CRLF that Dovecot writes into a file name: `,W=1394`.
pub(super) fn virtual_size(name: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(name, b",W=")? + 3;
    let digits = name[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&name[at..at + digits]).ok()?.parse().ok()
}

/// Names in Dovecot's `subscriptions` (both versions) or Courier's `courierimapsubscribed`.
/// `separator` is that of names in version 1.
pub(super) fn subscriptions(text: &str, separator: u8) -> Vec<String> {
    let mut lines = text.lines().peekable();
    let second = lines.next_if(|first| first.starts_with("V\t")).is_some();
    let separator = if second { b'\t' } else { separator };
    let names = lines.map(str::trim_end).filter(|line| !line.is_empty()).map(|line| {
        let name = decode_path(line.as_bytes(), separator);
        // Courier's namespace, and Dovecot's when it stands in for Courier.
        match name.strip_prefix("INBOX/") {
            Some(below) => below.to_owned(),
            None => name,
        }
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names() {
        for (raw, separator, name) in [
            (&b"Sent"[..], b'.', "Sent"),
            (b"Lists.rust", b'.', "Lists/rust"),
            (b"Entw&APw-rfe", b'.', "Entwürfe"),
            ("Entwürfe".as_bytes(), b'.', "Entwürfe"),
            (b"A&AC8-B", b'.', "A&AC8-B"),
            (b"a..b", b'.', "a/_/b"),
            (b"a&b", b'.', "a&b"),
            (b"\xff", b'.', "\u{fffd}"),
        ] {
            assert_eq!(decode_path(raw, separator), name, "{raw:?}");
        }
    }

    #[test]
    fn flags_of_file_names() {
        let keywords = HashMap::from([(b'a', "NonJunk".to_owned()), (b'b', "bad(".to_owned())]);
        for (name, expected) in [
            ("1.x.host:2,", ""),
            ("1.x.host", ""),
            ("1.x.host,S=5,W=6:2,FRS", "\\Answered \\Flagged \\Seen"),
            ("1.x.host:2,DTPab", "\\Deleted \\Draft $Forwarded NonJunk"),
        ] {
            assert_eq!(flags(name.as_bytes(), &keywords).to_string(), expected, "{name}");
        }
        assert_eq!(virtual_size(b"1.x,S=5,W=1394:2,S"), Some(1394));
        assert_eq!(virtual_size(b"1.x,W="), None);
    }

    #[test]
    fn lists_of_subscriptions() {
        assert_eq!(subscriptions("V\t2\n\nA\tB\nEntw&APw-rfe\n", b'.'), ["A/B", "Entwürfe"]);
        assert_eq!(
            subscriptions("INBOX\nINBOX.Sent\nLists.rust\n", b'.'),
            ["INBOX", "Sent", "Lists/rust"]
        );
    }
}
