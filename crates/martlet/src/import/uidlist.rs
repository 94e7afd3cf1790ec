//! Files in which other servers keep UIDs and keywords beside a Maildir.

use std::collections::HashMap;

/// UIDs of a Maildir's messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UidList {
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    /// By file name without `:2,` and what follows.
    pub(super) uids: HashMap<Vec<u8>, u32>,
}

/// The part of a file name that stays when flags change.
pub(super) fn base_name(name: &[u8]) -> &[u8] {
    let info = memchr::memmem::find(name, b":2,");
    info.or_else(|| memchr::memchr(b':', name)).map_or(name, |at| &name[..at])
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl UidList {
    /// Reads Dovecot's `dovecot-uidlist` (versions 1 and 3) and Courier's `courierimapuiddb`, which
    /// is of the same form as version 1. `None` if its first line is of neither; later lines that
    /// can't be read are left out.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = text.split(|byte| *byte == b'\n');
        let mut list = Self::header(lines.next()?)?;
        let mut taken = std::collections::HashSet::new();
        for line in lines {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some(space) = memchr::memchr(b' ', line) else { continue };
            let Some(uid) = number(&line[..space]).filter(|uid| *uid > 0) else { continue };
            // Version 3: fields such as `W2481`, then a colon and the file name.
            let name = match memchr::memmem::find(line, b" :") {
                Some(colon) => &line[colon + 2..],
                None => &line[space + 1..],
            };
            if taken.insert(uid) {
                list.uids.insert(base_name(name).to_vec(), uid);
                list.uid_next = list.uid_next.max(uid.saturating_add(1));
            }
        }
        Some(list)
    }

    fn header(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|w| !w.is_empty());
        let version = words.next()?;
        let (uid_validity, uid_next) = match version {
            b"1" => (number(words.next()?)?, number(words.next()?)?),
            b"3" => {
                let (mut validity, mut next) = (None, None);
                for word in words {
                    match word.split_first()? {
                        (b'V', rest) => validity = number(rest),
                        (b'N', rest) => next = number(rest),
                        _ => {}
                    }
                }
                (validity?, next?)
            }
            _ => return None,
        };
        (uid_validity > 0).then(|| Self { uid_validity, uid_next, uids: HashMap::new() })
    }
}

/// Dovecot's `dovecot-keywords`: `0 $Forwarded` says what the letter `a` in file names means, `1`
/// what `b` means, and so on.
pub(super) fn keywords(text: &str) -> HashMap<u8, String> {
    let line = |line: &str| {
        let (number, name) = line.split_once(' ')?;
        let letter = number.parse::<u8>().ok().filter(|number| *number < 26)? + b'a';
        Some((letter, name.trim().to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_dovecot_and_courier() {
        let v3 = b"3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n\
                   25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394\n\
                   25017 W2481 :1276533073.M242911P3632.kurkku:2,F\n\
                   nonsense\n0 :zero\n";
        let list = UidList::parse(v3).unwrap();
        assert_eq!((list.uid_validity, list.uid_next), (1_275_660_208, 25022));
        assert_eq!(list.uids.len(), 2);
        assert_eq!(list.uids[&b"1276528487.M364837P9451.kurkku,S=1355,W=1394"[..]], 25006);
        assert_eq!(list.uids[&b"1276533073.M242911P3632.kurkku"[..]], 25017);

        let v1 =
            UidList::parse(b"1 1173189136 20221\n20001 1035478339.27041_118.foo.org\n").unwrap();
        assert_eq!((v1.uid_validity, v1.uid_next), (1_173_189_136, 20221));
        assert_eq!(v1.uids[&b"1035478339.27041_118.foo.org"[..]], 20001);

        for bad in [&b""[..], b"2 1 1\n", b"3 N5\n", b"1 0 5\n", b"\xff\xfe"] {
            assert_eq!(UidList::parse(bad), None, "{bad:?}");
        }
        let low = UidList::parse(b"1 7 2\n9 a\n9 b\n").unwrap();
        assert_eq!((low.uid_next, low.uids.len()), (10, 1), "UIDNEXT is above all UIDs");
    }

    #[test]
    fn keyword_letters() {
        let map = keywords("0 $Forwarded\n1 NonJunk\n26 too-far\nx\n");
        assert_eq!(map[&b'a'], "$Forwarded");
        assert_eq!(map[&b'b'], "NonJunk");
        assert_eq!(map.len(), 2);
    }
}
