//! [`Parser`]: the walk whose result is a [`Summary`].

use base::Limits;

use crate::envelope::Envelope;
use crate::keys;
use crate::structure::Node;
use crate::summary::{self, Summary};
use crate::walk::{Closed, Opened, Sink, Walk};

/// One pass over a message: bytes in, in pieces of any size; a [`Summary`] out. Memory is bounded by
/// the limits, whatever the message: `header_bytes_max` for the header at hand and a few times as
/// much for what the summary keeps of all of them.
pub struct Parser {
    walk: Walk<Builder>,
}

impl Parser {
    /// A parser at the first byte of a message.
    pub fn new(limits: &Limits) -> Self {
        let builder = Builder {
            limits: limits.clone(),
            open: Vec::new(),
            root: None,
            keys: keys::Keys::default(),
            // The message's own header always fits.
            budget: limits.header_bytes_max.saturating_mul(4),
        };
        Self { walk: Walk::new(limits, builder) }
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.walk.feed(bytes);
    }

    /// The end of the message.
    pub fn finish(self) -> Summary {
        let builder = self.walk.finish();
        match &builder.root {
            Some(root) => summary::build(root, &builder.keys),
            // The walk opens and closes a root for any message.
            None => summary::build(&Node::empty(), &builder.keys),
        }
    }
}

struct Builder {
    limits: Limits,
    open: Vec<Node>,
    root: Option<Node>,
    keys: keys::Keys,
    /// Bytes of header text that may still be kept. Parts that do not fit are shown without it.
    budget: usize,
}

impl Sink for Builder {
    const COUNTS_LINES: bool = true;

    fn open(&mut self, part: Opened<'_>) {
        let mut mime = std::mem::take(part.mime);
        match self.budget.checked_sub(mime.weight()) {
            Some(left) => self.budget = left,
            None => mime.slim(),
        }
        let mut envelope =
            part.is_message.then(|| Envelope::parse(part.header, mime.fallback, &self.limits));
        if let Some(full) = &envelope {
            match self.budget.checked_sub(full.weight()) {
                Some(left) => self.budget = left,
                None => envelope = Some(Envelope::default()),
            }
        }
        if self.open.is_empty()
            && let Some(envelope) = &envelope
        {
            self.keys = keys::Keys::of(part.header, envelope, mime.fallback, &self.limits);
        }
        self.open.push(Node {
            header_start: part.header_start,
            body_start: part.body_start,
            end: part.body_start,
            lines: 0,
            mime,
            envelope,
            children: Vec::new(),
        });
    }

    fn body(&mut self, _: &[u8]) {}

    fn close(&mut self, closed: Closed) {
        let Some(mut node) = self.open.pop() else { return };
        node.end = closed.end;
        node.lines = closed.lines;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
    }
}
