//! The binary forms' building blocks: varints, ranges, flags. Reading checks every bound, so that no
//! bytes can cause a panic or an allocation larger than a small multiple of their own length.

use base::{DateTime, Flags, Keyword, MailboxId, ModSeq, SystemFlags, Uid, UidSet, UidValidity};

use crate::Position;
use crate::record::Role;

/// Bytes that are not the binary form of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad binary form: {0}")]
pub struct BadRecord(pub &'static str);

type Read<T> = Result<T, BadRecord>;

/// Unsigned LEB128: seven bits a byte, low ones first, the shortest form only.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Zigzag: small magnitudes are short, whatever their sign.
pub(crate) fn put_i64(out: &mut Vec<u8>, n: i64) {
    put_u64(out, ((n << 1) ^ (n >> 63)) as u64);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_mod_seq(out: &mut Vec<u8>, at: ModSeq) {
    put_u64(out, at.get());
}

pub(crate) fn put_mailbox(out: &mut Vec<u8>, id: MailboxId) {
    put_mod_seq(out, id.created());
}

pub(crate) fn put_uid(out: &mut Vec<u8>, uid: Uid) {
    put_u64(out, u64::from(uid.get()));
}

pub(crate) fn put_date(out: &mut Vec<u8>, date: DateTime) {
    put_i64(out, date.seconds());
    put_i64(out, i64::from(date.offset_minutes()));
}

pub(crate) fn put_position(out: &mut Vec<u8>, at: Position) {
    put_u64(out, u64::from(at.segment));
    put_u64(out, u64::from(at.offset));
    put_u64(out, u64::from(at.stored_bytes));
}

/// How many ranges; then for each how far it begins behind the end of the one before it, and how
/// many numbers follow its first.
pub(crate) fn put_uids(out: &mut Vec<u8>, uids: &UidSet) {
    put_u64(out, uids.ranges().len() as u64);
    let mut before = 0;
    for &(first, last) in uids.ranges() {
        put_u64(out, u64::from(first.get() - before));
        put_u64(out, u64::from(last.get() - first.get()));
        before = last.get();
    }
}

pub(crate) fn put_flags(out: &mut Vec<u8>, flags: &Flags) {
    out.push(flags.system.bits());
    put_u64(out, flags.keywords.len() as u64);
    for keyword in &flags.keywords {
        put_bytes(out, keyword.as_str().as_bytes());
    }
}

pub(crate) fn put_roles(out: &mut Vec<u8>, roles: &[Role]) {
    put_u64(out, roles.iter().fold(0, |bits, role| bits | 1 << role.bit()));
}

/// What is left to read.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn end(&self) -> Read<()> {
        if self.bytes.is_empty() { Ok(()) } else { Err(BadRecord("more bytes than expected")) }
    }

    pub(crate) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(BadRecord("too short"))?;
        self.bytes = tail;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Read<u8> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u64(&mut self) -> Read<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(BadRecord("number above 64 bits"));
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                // One form for each number, so that equal values are equal bytes.
                let shortest = byte != 0 || shift == 0;
                return if shortest {
                    Ok(n)
                } else {
                    Err(BadRecord("number not in its shortest form"))
                };
            }
        }
        Err(BadRecord("number above 64 bits"))
    }

    pub(crate) fn i64(&mut self) -> Read<i64> {
        let n = self.u64()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    pub(crate) fn u32(&mut self) -> Read<u32> {
        u32::try_from(self.u64()?).map_err(|_| BadRecord("number above 32 bits"))
    }

    /// A number of items that follow, each at least `item_bytes_min` long.
    pub(crate) fn count(&mut self, item_bytes_min: usize) -> Read<usize> {
        usize::try_from(self.u64()?)
            .ok()
            .filter(|&count| count <= self.bytes.len() / item_bytes_min.max(1))
            .ok_or(BadRecord("count beyond the bytes that follow"))
    }

    pub(crate) fn bytes(&mut self) -> Read<&'a [u8]> {
        let count = self.count(1)?;
        self.take(count)
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BadRecord("text is not UTF-8"))
    }

    pub(crate) fn mod_seq(&mut self) -> Read<ModSeq> {
        ModSeq::new(self.u64()?).ok_or(BadRecord("position above 63 bits"))
    }

    pub(crate) fn mailbox(&mut self) -> Read<MailboxId> {
        self.mod_seq().map(MailboxId::new)
    }

    pub(crate) fn uid(&mut self) -> Read<Uid> {
        Uid::new(self.u32()?).ok_or(BadRecord("UID 0"))
    }

    pub(crate) fn uid_validity(&mut self) -> Read<UidValidity> {
        UidValidity::new(self.u32()?).ok_or(BadRecord("UIDVALIDITY 0"))
    }

    pub(crate) fn date(&mut self) -> Read<DateTime> {
        let seconds = self.i64()?;
        self.date_at(seconds)
    }

    /// The rest of a date whose seconds are known.
    pub(crate) fn date_at(&mut self, seconds: i64) -> Read<DateTime> {
        let offset = i16::try_from(self.i64()?).map_err(|_| BadRecord("time zone out of range"))?;
        let date = DateTime::new(seconds, offset);
        let whole = date.seconds() == seconds && date.offset_minutes() == offset;
        if whole { Ok(date) } else { Err(BadRecord("date out of range")) }
    }

    pub(crate) fn position(&mut self) -> Read<Position> {
        Ok(Position { segment: self.u32()?, offset: self.u32()?, stored_bytes: self.u32()? })
    }

    pub(crate) fn uids(&mut self) -> Read<UidSet> {
        let mut set = UidSet::new();
        let mut before = 0u32;
        for at in 0..self.count(2)? {
            let (gap, more) = (self.u32()?, self.u32()?);
            // Ranges that touch are one range.
            if gap < 1 + u32::from(at > 0) {
                return Err(BadRecord("ranges that touch"));
            }
            let first = before.checked_add(gap);
            let last = first.and_then(|first| first.checked_add(more));
            let range = first.and_then(Uid::new).zip(last.and_then(Uid::new));
            let (first, last) = range.ok_or(BadRecord("UID above 32 bits"))?;
            set.insert_range(first, last);
            before = last.get();
        }
        Ok(set)
    }

    pub(crate) fn keyword(&mut self) -> Read<Keyword> {
        Keyword::new(self.text()?).ok_or(BadRecord("not a keyword"))
    }

    pub(crate) fn system(&mut self) -> Read<SystemFlags> {
        SystemFlags::from_bits(self.u8()?).ok_or(BadRecord("unknown system flag"))
    }

    pub(crate) fn flags(&mut self) -> Read<Flags> {
        let system = self.system()?;
        let count = self.count(2)?;
        let keywords = (0..count).map(|_| self.keyword()).collect::<Read<Vec<_>>>()?;
        Ok(Flags { system, keywords })
    }

    pub(crate) fn roles(&mut self) -> Read<Vec<Role>> {
        let bits = self.u64()?;
        if bits >> Role::ALL.len() != 0 {
            return Err(BadRecord("unknown role"));
        }
        Ok(Role::ALL.into_iter().filter(|role| bits & 1 << role.bit() != 0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_one_form() {
        for (bytes, expected) in [
            (&[0][..], Ok(0)),
            (&[0x80, 1], Ok(128)),
            (&[0x80, 0], Err(BadRecord("number not in its shortest form"))),
            (&[0x80], Err(BadRecord("too short"))),
            (&[0xff; 11], Err(BadRecord("number above 64 bits"))),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Ok(u64::MAX)),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
                Err(BadRecord("number above 64 bits")),
            ),
        ] {
            assert_eq!(Reader::new(bytes).u64(), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_round_trip(n: u64, i: i64) {
            let mut out = Vec::new();
            put_u64(&mut out, n);
            put_i64(&mut out, i);
            let mut reader = Reader::new(&out);
            prop_assert_eq!((reader.u64(), reader.i64(), reader.end()), (Ok(n), Ok(i), Ok(())));
        }

        #[test]
        fn sets_round_trip(numbers in prop::collection::vec(1u32.., 0..50)) {
            let set: UidSet = numbers.into_iter().filter_map(Uid::new).collect();
            let mut out = Vec::new();
            put_uids(&mut out, &set);
            prop_assert_eq!(Reader::new(&out).uids(), Ok(set));
        }
    }
}
