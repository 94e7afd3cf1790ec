//! Decoding behind the dictionary.
//!
//! Half of what a small message is made of is copied from the dictionary. Where the output lies right
//! behind it in memory, zstd takes both for one text, and copies without asking each time which of
//! the two a match begins in: that is a fifth of the time, more than the copy to where the message
//! belongs costs, and the checksum finds the message in the nearest cache.

use std::sync::{Mutex, PoisonError};

use zstd::zstd_safe::{DCtx, DDict, DParameter, FrameFormat};

use super::{DICTIONARY, DICTIONARY_OCTETS_MAX, append_with};

/// Room behind the longest message: zstd copies in steps as long as it is not at the end of its room.
const SLACK_BYTES: usize = 64;

/// Those that wait for the next call. There are as many as ever decoded at the same time, one a
/// thread, and they live as long as the process: the dictionary in them has no owner that could go.
static WAITING: Mutex<Vec<Beside>> = Mutex::new(Vec::new());

/// A context that decodes with dictionary 1, and room for a message behind its copy of it.
pub(super) struct Beside {
    context: DCtx<'static>,
    dictionary: DDict<'static>,
    room: &'static mut [u8],
}

impl Beside {
    /// One that waits, or a new one; [`Beside::give`] takes it back.
    pub(super) fn take() -> Self {
        let waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner).pop();
        waiting.unwrap_or_else(Self::new)
    }

    fn new() -> Self {
        let mut both = Vec::with_capacity(DICTIONARY.len() + DICTIONARY_OCTETS_MAX + SLACK_BYTES);
        both.extend_from_slice(DICTIONARY);
        both.resize(DICTIONARY.len() + DICTIONARY_OCTETS_MAX + SLACK_BYTES, 0);
        let (dictionary, room) = Vec::leak(both).split_at_mut(DICTIONARY.len());
        let mut context = DCtx::create();
        // Without it no frame would be decoded, which is an error for each of them.
        let _ = context.set_parameter(DParameter::Format(FrameFormat::Magicless));
        Self { context, dictionary: DDict::create_by_reference(dictionary), room }
    }

    /// Makes it wait for the next who takes one.
    pub(super) fn give(self) {
        WAITING.lock().unwrap_or_else(PoisonError::into_inner).push(self);
    }

    /// Appends the `octets` bytes that `stored` encodes; `None`, and nothing appended, if it does not.
    pub(super) fn append(&mut self, stored: &[u8], octets: usize, out: &mut Vec<u8>) -> Option<()> {
        let Self { context, dictionary, room } = self;
        if octets > DICTIONARY_OCTETS_MAX {
            // Longer than any that was encoded so: it decodes anywhere.
            return append_with(octets, out, |target| {
                context.decompress_using_ddict(target, stored, dictionary).ok()
            });
        }
        let written = context.decompress_using_ddict(*room, stored, dictionary);
        let message = room.get(..octets).filter(|_| written == Ok(octets))?;
        out.extend_from_slice(message);
        Some(())
    }
}
