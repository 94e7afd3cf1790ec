//! One message to all its recipients, in bounded memory.
//!
//! A message that fits into [`SPOOL_BYTES_MAX`] waits in memory until it is complete; then its copies
//! are written, a few at a time. A larger one streams to all recipients' storage as it comes in. Each
//! recipient has a fate of its own (RFC 2033 §4.2).

use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream;

use crate::address::Address;
use crate::header::Filter;
use crate::target::{Delivered, Error, Receiving, Store, Task};
use crate::trace::Trace;

/// A message of up to this many octets waits in memory.
pub const SPOOL_BYTES_MAX: usize = 512 * 1024;
/// Copies of a small message that are written at the same time.
const COPIES_AT_ONCE: usize = 8;

/// Somebody who was accepted with RCPT.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// As given.
    pub address: Address,
    /// Whose it is.
    pub identity: auth::Identity,
    /// The mailbox that plus-addressing names.
    pub detail: Option<String>,
}

type Stream = Result<Box<dyn Receiving>, Error>;

enum Spool {
    Memory(BytesMut),
    Streaming(Vec<Stream>),
    TooLarge,
}

/// A message on its way to its recipients. Dropping it delivers nothing.
pub(crate) struct Delivery {
    store: Arc<dyn Store>,
    recipients: Arc<[Recipient]>,
    trace: Trace,
    filter: Filter,
    spool: Spool,
    size: u64,
    size_max: u64,
    size_hint: Option<u64>,
}

impl Delivery {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        recipients: Arc<[Recipient]>,
        trace: Trace,
        size_max: u64,
        size_hint: Option<u64>,
    ) -> Self {
        let (filter, spool) = (Filter::new(), Spool::Memory(BytesMut::new()));
        Self { store, recipients, trace, filter, spool, size: 0, size_max, size_hint }
    }

    /// Octets that came in.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether there were more octets than allowed; the rest is thrown away.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self.spool, Spool::TooLarge)
    }

    /// Adds bytes of the message.
    pub(crate) async fn write(&mut self, bytes: Bytes) {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.size_max {
            self.spool = Spool::TooLarge;
            return;
        }
        let mut pieces = Vec::new();
        self.filter.feed(bytes, |piece| pieces.push(piece));
        for piece in pieces {
            self.keep(&piece).await;
        }
    }

    async fn keep(&mut self, bytes: &[u8]) {
        match &mut self.spool {
            Spool::TooLarge => {}
            Spool::Streaming(streams) => write_all(streams, bytes).await,
            Spool::Memory(held) if held.len() + bytes.len() <= SPOOL_BYTES_MAX => {
                held.extend_from_slice(bytes);
            }
            Spool::Memory(held) => {
                let held = mem::take(held);
                let mut streams = Vec::with_capacity(self.recipients.len());
                for recipient in self.recipients.iter() {
                    let hint = self.size_hint.map(|size| size.max(self.size));
                    streams.push(begin(&*self.store, recipient, &self.trace, hint).await);
                }
                write_all(&mut streams, &held).await;
                write_all(&mut streams, bytes).await;
                self.spool = Spool::Streaming(streams);
            }
        }
    }

    /// The message is complete: delivers it. One outcome for each recipient, in order.
    pub(crate) async fn finish(mut self) -> Vec<Result<Delivered, Error>> {
        let held = self.filter.finish();
        self.keep(&held).await;
        let Self { store, recipients, trace, spool, .. } = self;
        let copies: Vec<Task<'static, Result<Delivered, Error>>> = match spool {
            Spool::TooLarge => return recipients.iter().map(|_| Err(Error::TooLarge)).collect(),
            Spool::Streaming(streams) => streams.into_iter().map(finish_one).collect(),
            Spool::Memory(body) => {
                let body = body.freeze();
                let copy = |recipient: &Recipient| Copy {
                    store: Arc::clone(&store),
                    recipient: recipient.clone(),
                    trace: trace.clone(),
                    body: body.clone(),
                };
                let deliver = |copy: Copy| -> Task<'static, _> { Box::pin(copy.deliver()) };
                recipients.iter().map(copy).map(deliver).collect()
            }
        };
        // Together: accounts sync in parallel.
        stream::iter(copies).buffered(COPIES_AT_ONCE).collect().await
    }
}

fn finish_one(stream: Stream) -> Task<'static, Result<Delivered, Error>> {
    match stream {
        Ok(receiving) => receiving.finish(),
        Err(error) => Box::pin(async { Err(error) }),
    }
}

/// One copy of a message that waits in memory.
struct Copy {
    store: Arc<dyn Store>,
    recipient: Recipient,
    trace: Trace,
    body: Bytes,
}

impl Copy {
    async fn deliver(self) -> Result<Delivered, Error> {
        let hint = Some(self.body.len() as u64);
        let mut receiving = begin(&*self.store, &self.recipient, &self.trace, hint).await?;
        receiving.write(&self.body).await?;
        receiving.finish().await
    }
}

async fn begin(
    store: &dyn Store,
    recipient: &Recipient,
    trace: &Trace,
    body: Option<u64>,
) -> Stream {
    let fields = trace.fields(&recipient.address);
    let hint = body.map(|size| size.saturating_add(fields.len() as u64));
    let account = recipient.identity.account;
    let mut receiving = store.begin(account, recipient.detail.as_deref(), hint).await?;
    receiving.write(fields.as_bytes()).await?;
    Ok(receiving)
}

/// One recipient's failure is not the others'.
async fn write_all(streams: &mut [Stream], bytes: &[u8]) {
    for stream in streams {
        if let Ok(receiving) = stream
            && let Err(error) = receiving.write(bytes).await
        {
            *stream = Err(error);
        }
    }
}
