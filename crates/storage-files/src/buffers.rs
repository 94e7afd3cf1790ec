//! Buffers of messages on their way to the disk, used again: what is allocated on one thread and freed
//! on another, tens of kilobytes a message, is given back to the system and faulted in again all the
//! time.

use std::sync::{Mutex, PoisonError};

/// Buffers that are kept; with [`KEPT_BYTES_MAX`] at most a megabyte.
const KEPT_MAX: usize = 8;
/// Larger ones are given back: few messages need them.
const KEPT_BYTES_MAX: usize = 128 * 1024;
/// Smaller ones cost the allocator nothing.
const KEPT_BYTES_MIN: usize = 8 * 1024;

/// Empty buffers for the next who needs one.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty buffer with room for so many bytes.
    pub(crate) fn take(&self, bytes: usize) -> Vec<u8> {
        let wanted = (KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&bytes);
        let kept = if wanted { self.lock().pop() } else { None };
        match kept {
            Some(buffer) if buffer.capacity() >= bytes => buffer,
            // What is kept grows to what is needed.
            _ if wanted => Vec::with_capacity(bytes.next_multiple_of(16 * 1024)),
            _ => Vec::with_capacity(bytes),
        }
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        if (KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            let mut kept = self.lock();
            if kept.len() < KEPT_MAX {
                kept.push(buffer);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_are_few() {
        let buffers = Buffers::default();
        buffers.give(vec![7; 20_000]);
        let again = buffers.take(10_000);
        assert!(again.is_empty() && again.capacity() >= 20_000);
        assert!(buffers.lock().is_empty());
        (0..20).for_each(|_| buffers.give(vec![7; 20_000]));
        assert_eq!(buffers.lock().len(), KEPT_MAX);
        // Neither the tiny nor the huge are kept, and too small a one does not come back.
        let buffers = Buffers::default();
        buffers.give(vec![7; 100]);
        buffers.give(vec![7; 200_000]);
        assert!(buffers.lock().is_empty());
        buffers.give(vec![7; 9000]);
        assert!(buffers.take(100_000).capacity() >= 100_000);
    }
}
