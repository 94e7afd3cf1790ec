//! The keys of a summary where they lie: SORT and THREAD look at those of many messages.

use crate::SortKey;
use crate::codec::Reader;
use crate::summary;

/// Keys for SORT and THREAD, borrowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeysView<'a> {
    /// `Date:` in seconds since 1970 UTC, if it can be read.
    pub sent: Option<i64>,
    /// Whether the subject says reply or forward (RFC 5256 §2.1).
    pub is_reply: bool,
    /// `Message-ID:` without `<>`, normalised.
    pub message_id: Option<&'a str>,
    /// What [`KeysView::references`] gives.
    pub ids: Ids<'a>,
    /// In the order of [`SortKey`].
    pub texts: [&'a str; SortKey::COUNT],
}

/// Message ids.
#[derive(Clone, Copy, Debug)]
pub enum Ids<'a> {
    /// As many as the number says, in the form of a summary.
    Encoded(u64, &'a [u8]),
    /// As they are.
    Plain(&'a [&'a str]),
}

impl Default for Ids<'_> {
    fn default() -> Self {
        Self::Plain(&[])
    }
}

impl<'a> KeysView<'a> {
    /// The keys of a summary in its binary form; `None` if it is of another version or damaged.
    pub fn read(summary: &'a [u8]) -> Option<Self> {
        summary::view_keys(summary)
    }

    /// A text to compare.
    pub fn text(&self, key: SortKey) -> &'a str {
        self.texts[key as usize]
    }

    /// The same keys with another text.
    #[must_use]
    pub fn with_text(mut self, key: SortKey, text: &'a str) -> Self {
        self.texts[key as usize] = text;
        self
    }

    /// `References:`, or the first id of `In-Reply-To:`, without `<>`, normalised.
    pub fn references(&self) -> impl Iterator<Item = &'a str> + 'a {
        let (count, encoded, plain) = match self.ids {
            Ids::Encoded(count, encoded) => (count, encoded, &[][..]),
            Ids::Plain(plain) => (0, &[][..], plain),
        };
        let mut reader = Reader::new(encoded, 0);
        (0..count).map_while(move |_| reader.text()).chain(plain.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize;
    use base::Limits;

    #[test]
    fn the_keys_are_those_of_the_summary() {
        for message in [
            &b""[..],
            b"Subject: Re: Hello\r\nFrom: Some One <a@b>\r\nTo: c@d\r\nCc: e@f\r\n\
              Date: Mon, 1 Jan 2024 10:00:00 +0200\r\nMessage-ID: <x@y>\r\n\
              References: <p@q> <r@s>\r\n\r\nbody",
            b"Content-Type: multipart/mixed; boundary=b\r\nIn-Reply-To: <p@q>\r\n\
              Subject: =?utf-8?q?=C3=A4?=\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        ] {
            let summary = summarize(message, &Limits::default());
            let bytes = summary.encode();
            let view = KeysView::read(&bytes).unwrap();
            let (sort, thread) = (summary.sort_keys(), summary.thread_keys());
            assert_eq!(view.sent, sort.date.map(base::DateTime::seconds));
            assert_eq!(view.is_reply, sort.is_reply);
            assert_eq!(view.message_id, thread.message_id.as_deref());
            assert_eq!(view.references().collect::<Vec<_>>(), thread.references);
            for (key, text) in [
                (SortKey::Subject, &sort.base_subject),
                (SortKey::From, &sort.from),
                (SortKey::To, &sort.to),
                (SortKey::Cc, &sort.cc),
                (SortKey::DisplayFrom, &sort.display_from),
                (SortKey::DisplayTo, &sort.display_to),
            ] {
                assert_eq!(view.text(key), text, "{key:?}");
            }
            // No part of a summary is one.
            for end in 0..bytes.len() {
                assert!(KeysView::read(&bytes[..end]).is_none(), "{end}");
            }
        }
    }
}
