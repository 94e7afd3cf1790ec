//! Keys for SORT and THREAD (RFC 5256, RFC 5957), taken from the message's own header.

use base::Limits;

use crate::address::Address;
use crate::charset::Charset;
use crate::encoded_word;
use crate::envelope::Envelope;
use crate::fold::fold;
use crate::{SortKeys, ThreadKeys, date, header, message_id, subject};

/// Longest sort key in bytes: longer strings compare as equal up to here. A summary is kept for
/// every message.
const KEY_BYTES_MAX: usize = 1000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) sort: SortKeys,
    pub(crate) thread: ThreadKeys,
}

impl Keys {
    pub(crate) fn of(
        header: &[u8],
        envelope: &Envelope,
        fallback: Charset,
        limits: &Limits,
    ) -> Self {
        let decoded = |text: &str| encoded_word::decode_with(text.as_bytes(), fallback);
        let subject = subject::base(&decoded(envelope.subject.as_deref().unwrap_or_default()));
        let mailbox = |list: &[Address]| {
            let mailbox = list.first().and_then(|address| address.mailbox.as_deref());
            key(mailbox.unwrap_or_default())
        };
        let display = |list: &[Address]| {
            key(&list.first().map(|address| display(address, decoded)).unwrap_or_default())
        };
        let sort = SortKeys {
            date: envelope.date.as_deref().and_then(|date| date::parse(date.as_bytes())),
            base_subject: key(&subject.text),
            is_reply: subject.is_reply,
            from: mailbox(&envelope.from),
            to: mailbox(&envelope.to),
            cc: mailbox(&envelope.cc),
            display_from: display(&envelope.from),
            display_to: display(&envelope.to),
        };
        Self { sort, thread: thread_keys(header, limits.addresses_max) }
    }
}

/// RFC 5957 §3: the DISPLAY sort value of an address.
fn display(address: &Address, decoded: impl Fn(&str) -> String) -> String {
    let name = address.name.as_deref().map(decoded).unwrap_or_default();
    if !name.is_empty() {
        return name;
    }
    match (address.mailbox.as_deref(), address.host.as_deref()) {
        (Some(mailbox), Some(host)) if !host.is_empty() => format!("{mailbox}@{host}"),
        (Some(mailbox), _) => mailbox.to_owned(),
        _ => String::new(),
    }
}

fn key(text: &str) -> String {
    let mut key = fold(text);
    if key.len() > KEY_BYTES_MAX {
        let end = (0..=KEY_BYTES_MAX).rev().find(|&at| key.is_char_boundary(at));
        key.truncate(end.unwrap_or_default());
    }
    key
}

/// RFC 5256 §3, THREAD=REFERENCES: References, or else the first identifier of In-Reply-To.
fn thread_keys(header: &[u8], most: usize) -> ThreadKeys {
    let (mut message_id, mut references, mut reply) = (None, Vec::new(), Vec::new());
    for field in header::fields(header) {
        if field.is(b"message-id") && message_id.is_none() {
            message_id = message_id::parse(field.value, 1).pop();
        } else if field.is(b"references") && references.is_empty() {
            references = message_id::parse(field.value, most.max(2));
        } else if field.is(b"in-reply-to") && reply.is_empty() {
            reply = message_id::parse(field.value, usize::MAX);
            reply.truncate(1);
        }
    }
    if references.is_empty() {
        references = reply;
    }
    ThreadKeys { message_id, references }
}
