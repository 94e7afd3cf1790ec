//! ENVELOPE (RFC 9051 §7.5.2).

use std::ops::Range;

use base::Limits;

use crate::address::{self, Address};
use crate::charset::Charset;
use crate::header;
use crate::text::{self, Seven};

/// The fields of an envelope; defaults are filled in when it is printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) date: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) from: Vec<Address>,
    sender: Vec<Address>,
    reply_to: Vec<Address>,
    pub(crate) to: Vec<Address>,
    pub(crate) cc: Vec<Address>,
    bcc: Vec<Address>,
    in_reply_to: Option<String>,
    message_id: Option<String>,
}

impl Envelope {
    /// Reads the fields of a message's header. Of a repeated field the first counts, but
    /// destination fields add up (RFC 5322 §4.5.3).
    pub(crate) fn parse(header: &[u8], fallback: Charset, limits: &Limits) -> Self {
        let mut envelope = Self::default();
        let most = limits.addresses_max;
        let set = |slot: &mut Option<String>, value: &[u8]| {
            if slot.is_none() {
                *slot = Some(text::unfold_clean(value, fallback));
            }
        };
        let first = |slot: &mut Vec<Address>, value: &[u8]| {
            if slot.is_empty() {
                *slot = address::parse_with(value, most, fallback);
            }
        };
        let add = |slot: &mut Vec<Address>, value: &[u8]| {
            let left = most.saturating_sub(slot.len());
            if left > 0 {
                slot.append(&mut address::parse_with(value, left, fallback));
                slot.truncate(most);
            }
        };
        for field in header::fields(header) {
            let value = field.value;
            match field.name.to_ascii_lowercase().as_slice() {
                b"date" => set(&mut envelope.date, value),
                b"subject" => set(&mut envelope.subject, value),
                b"from" => first(&mut envelope.from, value),
                b"sender" => first(&mut envelope.sender, value),
                b"reply-to" => first(&mut envelope.reply_to, value),
                b"to" => add(&mut envelope.to, value),
                b"cc" => add(&mut envelope.cc, value),
                b"bcc" => add(&mut envelope.bcc, value),
                b"in-reply-to" => set(&mut envelope.in_reply_to, value),
                b"message-id" => set(&mut envelope.message_id, value),
                _ => {}
            }
        }
        envelope
    }

    fn lists(&self) -> [&[Address]; 6] {
        [
            &self.from,
            if self.sender.is_empty() { &self.from } else { &self.sender },
            if self.reply_to.is_empty() { &self.from } else { &self.reply_to },
            &self.to,
            &self.cc,
            &self.bcc,
        ]
    }

    /// Writes the envelope with its parentheses. Says where the list of From is, with the space before
    /// it.
    pub(crate) fn print(&self, out: &mut Vec<u8>, utf8: bool) -> Range<usize> {
        out.push(b'(');
        text::nstring(out, self.date.as_deref(), utf8, Seven::Marks);
        out.push(b' ');
        text::nstring(out, self.subject.as_deref(), utf8, Seven::Words);
        let mut from = out.len()..out.len();
        for (nth, list) in self.lists().into_iter().enumerate() {
            if nth == 1 {
                from.end = out.len();
            }
            out.push(b' ');
            if list.is_empty() {
                out.extend_from_slice(b"NIL");
                continue;
            }
            out.push(b'(');
            list.iter().for_each(|address| address.print(out, utf8));
            out.push(b')');
        }
        out.push(b' ');
        text::nstring(out, self.in_reply_to.as_deref(), utf8, Seven::Marks);
        out.push(b' ');
        text::nstring(out, self.message_id.as_deref(), utf8, Seven::Marks);
        out.push(b')');
        from
    }

    /// Bytes that printing takes, about.
    pub(crate) fn weight(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let address = |address: &Address| {
            32 + text(&address.name)
                + text(&address.route)
                + text(&address.mailbox)
                + text(&address.host)
        };
        let lists: usize = self.lists().iter().flat_map(|list| list.iter()).map(address).sum();
        let strings = [&self.date, &self.subject, &self.in_reply_to, &self.message_id].map(text);
        lists + strings.iter().sum::<usize>()
    }
}
