//! The binary form's primitives: variable-length numbers and strings with their length.

/// Writes `number` in groups of 7 bits, the lowest first (LEB128).
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what was written; `None` is damage.
pub(crate) struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(all: &'a [u8], at: usize) -> Self {
        Self { all, at }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let byte = *self.all.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn range(&mut self) -> Option<std::ops::Range<usize>> {
        let length = usize::try_from(self.number()?).ok()?;
        let end = self.at.checked_add(length).filter(|&end| end <= self.all.len())?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }

    /// A part of the input, not copied.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let range = self.range()?;
        self.all.get(range)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let range = self.range()?;
        std::str::from_utf8(&self.all[range]).ok()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            let mut reader = Reader::new(&out, 0);
            assert_eq!((reader.number(), reader.is_at_end()), (Some(number), true));
        }
        for bad in
            [&b""[..], b"\x80", &[0xff; 11], &[0xff, 0xff, 255, 255, 255, 255, 255, 255, 255, 2]]
        {
            assert_eq!(Reader::new(bad, 0).number(), None);
        }
    }
}
