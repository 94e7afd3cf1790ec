//! Numbers as bits: small ones take few. Elias' gamma code, and Rice's for gaps between documents,
//! which is within a tenth of what is possible for lists without structure.

/// Appends bits, the first ones highest.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Bits that were not appended yet, the lowest ones, and how many: below 32.
    rest: u64,
    held: u32,
}

impl Writer {
    /// The lowest `count` bits of `value`, which has no others; at most 32.
    fn bits(&mut self, value: u64, count: u32) {
        self.rest = self.rest << count | value;
        self.held += count;
        if self.held >= 32 {
            self.held -= 32;
            self.bytes.extend_from_slice(&((self.rest >> self.held) as u32).to_be_bytes());
        }
    }

    /// Any number below 2³²-1.
    pub(crate) fn gamma(&mut self, value: u32) {
        let value = u64::from(value) + 1;
        let width = value.ilog2();
        if width < 16 {
            return self.bits(value, 2 * width + 1);
        }
        self.bits(0, width);
        // The highest bit is a one.
        self.bits(1, 1);
        self.bits(value ^ 1 << width, width);
    }

    /// A number in Rice's code with parameter `k`, below 32.
    pub(crate) fn rice(&mut self, value: u32, k: u32) {
        let mut quotient = value >> k;
        let rest = u64::from(value) & ((1 << k) - 1);
        if quotient + 1 + k <= 32 {
            let ones = (1u64 << (quotient + 1)) - 2;
            return self.bits(ones << k | rest, quotient + 1 + k);
        }
        while quotient >= 16 {
            self.bits(0xffff, 16);
            quotient -= 16;
        }
        self.bits((1 << (quotient + 1)) - 2, quotient + 1);
        self.bits(rest, k);
    }

    /// Whole bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + (self.held / 8) as usize
    }

    /// The bytes; the last one is filled up by zeros.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let rest = ((self.rest << 32 >> self.held) as u32).to_be_bytes();
        self.bytes.extend_from_slice(&rest[..self.held.div_ceil(8) as usize]);
        self.bytes
    }
}

/// Bits that [`Writer::gamma`] takes.
pub(crate) fn gamma_bits(value: u32) -> u64 {
    2 * u64::from((u64::from(value) + 1).ilog2()) + 1
}

/// Bits that [`Writer::rice`] takes.
pub(crate) fn rice_bits(value: u32, k: u32) -> u64 {
    u64::from(value >> k) + 1 + u64::from(k)
}

/// Reads what a [`Writer`] wrote; `None` at the end, and for what nobody wrote.
pub(crate) struct Reader<B> {
    bytes: B,
    at: usize,
    /// The next bits, highest first, and how many of them count.
    rest: u64,
    held: u32,
}

impl<B: AsRef<[u8]>> Reader<B> {
    /// Reads from an offset on.
    pub(crate) fn new(bytes: B, at: usize) -> Self {
        Self { bytes, at, rest: 0, held: 0 }
    }

    /// Holds 56 bits at least, unless the end is near.
    fn fill(&mut self) {
        let bytes = self.bytes.as_ref();
        if let Some(next) = bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            // What does not count yet is the same again the next time.
            self.rest |= u64::from_be_bytes(*next) >> self.held;
            let more = (63 - self.held) / 8;
            self.at += more as usize;
            self.held += more * 8;
            return;
        }
        while self.held < 56 {
            let Some(&byte) = bytes.get(self.at) else { return };
            self.rest |= u64::from(byte) << (56 - self.held);
            self.at += 1;
            self.held += 8;
        }
    }

    /// Leaves out `count` bits, which are held; at most 63.
    fn skip(&mut self, count: u32) {
        self.rest <<= count;
        self.held -= count;
    }

    /// At most 32 bits.
    fn bits(&mut self, count: u32) -> Option<u64> {
        if self.held < count {
            self.fill();
        }
        if count == 0 || self.held < count {
            return (count == 0).then_some(0);
        }
        let bits = self.rest >> (64 - count);
        self.skip(count);
        Some(bits)
    }

    pub(crate) fn gamma(&mut self) -> Option<u32> {
        self.fill();
        let width = self.rest.leading_zeros();
        if width > 32 || width >= self.held {
            return None;
        }
        self.skip(width + 1);
        let rest = self.bits(width)?;
        u32::try_from((1 << width | rest) - 1).ok()
    }

    pub(crate) fn rice(&mut self, k: u32) -> Option<u32> {
        if self.held < 32 {
            self.fill();
        }
        let ones = (!self.rest).leading_zeros();
        // Nearly always all of it is held.
        if ones + 1 + k <= self.held {
            let rest = self.rest << (ones + 1) >> 1 >> (63 - k);
            self.skip(ones + 1 + k);
            return u32::try_from(u64::from(ones) << k | rest).ok();
        }
        self.long_rice(k)
    }

    fn long_rice(&mut self, k: u32) -> Option<u32> {
        let mut quotient = 0u64;
        loop {
            if self.held <= k + 1 {
                self.fill();
            }
            let ones = (!self.rest).leading_zeros().min(self.held);
            quotient += u64::from(ones);
            self.skip(ones.min(63));
            if ones == 0 && self.held == 0 {
                return None;
            }
            if self.held > 0 && self.rest >> 63 == 0 {
                self.skip(1);
                break;
            }
        }
        let rest = self.bits(k)?;
        u32::try_from(quotient << k | rest).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_is_read(
            numbers in prop::collection::vec((any::<u32>(), 0u32..32, 0u32..24), 0..50),
        ) {
            let mut writer = Writer::default();
            let mut bits = 0;
            // Parameters fit the numbers, as they do in lists.
            let numbers: Vec<_> = numbers
                .into_iter()
                .map(|(value, shift, k)| (value >> shift, k.max((32 - shift).saturating_sub(8))))
                .filter(|&(value, _)| value < u32::MAX)
                .collect();
            for &(value, k) in &numbers {
                writer.gamma(value);
                writer.rice(value, k);
                bits += gamma_bits(value) + rice_bits(value, k);
            }
            let bytes = writer.finish();
            prop_assert_eq!(bytes.len() as u64, bits.div_ceil(8));
            let mut reader = Reader::new(&bytes, 0);
            for (value, k) in numbers {
                prop_assert_eq!(reader.gamma(), Some(value));
                prop_assert_eq!(reader.rice(k), Some(value));
            }
            prop_assert!(reader.bits(8).is_none());
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..40), k in 0u32..32) {
            let mut reader = Reader::new(&bytes, 0);
            while reader.rice(k).is_some() && reader.gamma().is_some() {}
        }
    }
}
