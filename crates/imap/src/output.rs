//! Responses on their way out: a chain of [`Bytes`] with a small buffer at its end.
//!
//! Nothing here grows with the mailbox: whoever produces much calls [`Out::flow`] as it goes.

use std::io;
use std::mem;

use bytes::Bytes;
use wire::response::{Encoding, Tagged, Untagged};

use crate::transport::Sink;

/// Room behind what fills an output: most responses end in it.
const ROOM_BYTES: usize = 4096;

/// Room that answers begin with: most of them fit. A session that waits has none.
const FIRST_BYTES: usize = 512;

/// What waits to be written.
#[derive(Debug)]
pub struct Output {
    chain: Vec<Bytes>,
    tail: Vec<u8>,
    chain_bytes: usize,
    bytes_max: usize,
    encoding: Encoding,
}

impl Output {
    /// An empty output that counts as full above `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            chain: Vec::new(),
            tail: Vec::new(),
            chain_bytes: 0,
            bytes_max,
            encoding: Encoding::default(),
        }
    }

    /// How values are written from here on: follows ENABLE.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// How values are written.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Adds an untagged response.
    pub fn untagged(&mut self, response: &Untagged) {
        let encoding = self.encoding;
        response.print(self.tail(), encoding);
    }

    /// Adds a tagged response.
    pub fn tagged(&mut self, response: &Tagged) {
        let encoding = self.encoding;
        response.print(self.tail(), encoding);
    }

    /// The buffer at the end, for what is written piece by piece.
    #[inline]
    pub fn tail(&mut self) -> &mut Vec<u8> {
        if self.tail.capacity() == 0 {
            self.tail.reserve_exact(FIRST_BYTES);
        }
        &mut self.tail
    }

    /// Adds bytes without copying them; small ones are copied, which is cheaper.
    pub fn bytes(&mut self, bytes: Bytes) {
        // To copy a few KiB costs less than what a segment of its own does: two allocations, and two
        // of the few places in a vectored write.
        const COPIED_MAX: usize = ROOM_BYTES;
        if bytes.len() <= COPIED_MAX {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        self.close_tail();
        self.chain_bytes += bytes.len();
        self.chain.push(bytes);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chain_bytes += self.tail.len();
            self.chain.push(Bytes::from(mem::take(&mut self.tail)));
        }
    }

    /// A buffer for as much as is written at once. Where much was written, much follows.
    fn make_room(&mut self) {
        self.tail.reserve_exact(self.bytes_max + ROOM_BYTES);
    }

    /// Bytes that wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.chain_bytes + self.tail.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a producer should wait for the client.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() >= self.bytes_max
    }

    /// Takes all that waits.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.close_tail();
        self.chain_bytes = 0;
        mem::take(&mut self.chain)
    }
}

/// An [`Output`] together with where it goes: what commands write to.
pub struct Out<'a> {
    output: &'a mut Output,
    sink: &'a mut dyn Sink,
}

impl<'a> Out<'a> {
    /// Joins the two.
    pub fn new(output: &'a mut Output, sink: &'a mut dyn Sink) -> Self {
        Self { output, sink }
    }

    /// Adds an untagged response.
    pub fn untagged(&mut self, response: &Untagged) {
        self.output.untagged(response);
    }

    /// The buffer at the end, for what is written piece by piece.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        self.output.tail()
    }

    /// Adds bytes without copying them.
    pub fn bytes(&mut self, bytes: Bytes) {
        self.output.bytes(bytes);
    }

    /// How values are written.
    pub fn encoding(&self) -> Encoding {
        self.output.encoding()
    }

    /// Whether [`Out::flow`] has something to do: asked for each of very many small responses.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.output.is_full()
    }

    /// Waits for the client if much is waiting for it. Call it between responses, and between the
    /// pieces of a literal.
    pub async fn flow(&mut self) -> io::Result<()> {
        match self.output.is_full() {
            true => {
                let buffered = self.output.chain.is_empty();
                self.flush().await?;
                if buffered {
                    self.output.make_room();
                }
                Ok(())
            }
            false => Ok(()),
        }
    }

    /// Writes all that waits.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() || self.flush_now()? {
            return Ok(());
        }
        self.sink.send(self.output.take()).await
    }

    /// Writes a short answer if all of it is taken at once; what is left waits for [`Out::flush`].
    fn flush_now(&mut self) -> io::Result<bool> {
        let Output { chain, tail, .. } = &mut *self.output;
        if !chain.is_empty() || tail.len() > ROOM_BYTES {
            return Ok(false);
        }
        let written = self.sink.send_now(tail)?;
        let whole = written == tail.len();
        match whole {
            true => *tail = Vec::new(),
            false => drop(tail.drain(..written.min(tail.len()))),
        }
        Ok(whole)
    }

    /// The same output for a shorter time.
    pub fn reborrow(&mut self) -> Out<'_> {
        Out { output: self.output, sink: self.sink }
    }

    /// The output without its sink.
    pub fn output(&mut self) -> &mut Output {
        self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::Pin;

    use futures_util::FutureExt;

    /// Takes so many bytes at once, and all of them in the end.
    struct Taking(usize, Vec<u8>);

    impl Sink for Taking {
        fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = self.0.min(bytes.len());
            self.1.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn send(
            &mut self,
            chain: Vec<Bytes>,
        ) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + '_>> {
            chain.iter().for_each(|bytes| self.1.extend_from_slice(bytes));
            Box::pin(std::future::ready(Ok(())))
        }
    }

    #[test]
    fn what_is_not_taken_at_once_follows() {
        for (large, at_once) in
            [(0, 0), (0, 3), (0, 5), (0, 99), (9000, 0), (9000, 3), (9000, 9999)]
        {
            let (mut output, mut sink) = (Output::new(1 << 20), Taking(at_once, Vec::new()));
            let mut out = Out::new(&mut output, &mut sink);
            out.tail().extend_from_slice(b"first");
            out.bytes(Bytes::from(vec![b'x'; large]));
            out.tail().extend_from_slice(b"last");
            assert!(matches!(out.flush().now_or_never(), Some(Ok(()))));
            assert!(output.is_empty());
            let expected = [b"first", &vec![b'x'; large][..], b"last"].concat();
            assert_eq!(sink.1, expected, "{large} {at_once}");
        }
    }
}
