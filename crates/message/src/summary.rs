//! [`Summary`] and its binary form.
//!
//! A summary *is* its binary form: printed items are copied from it, the tree and the keys are read
//! from it when somebody asks. Layout: the version; a byte that says which items have a form of
//! their own for UTF-8; ENVELOPE for ASCII and for UTF-8, BODYSTRUCTURE and BODY for both (see
//! [`crate::printed`]), the tree in preorder, the keys; strings with their length, numbers of
//! variable length.

use std::sync::OnceLock;

use base::DateTime;
use bytes::Bytes;

use crate::codec::{Reader, put_bytes, put_number};
use crate::envelope::Envelope;
use crate::keys::Keys;
use crate::printed::{self, Item, OWN_ENVELOPE, OWN_STRUCTURE, VERSION};
use crate::structure::{Form, Node};
use crate::{Ids, KeysView, Part, SortKey, SortKeys, ThreadKeys, TransferEncoding};

/// Deeper trees are not made, and would overflow a stack.
const DEPTH_MAX: usize = 256;

/// Media types that are written as one byte.
const COMMON_TYPES: [(&str, &str); 12] = [
    ("text", "plain"),
    ("text", "html"),
    ("multipart", "mixed"),
    ("multipart", "alternative"),
    ("multipart", "related"),
    ("multipart", "signed"),
    ("multipart", "report"),
    ("message", "rfc822"),
    ("application", "octet-stream"),
    ("application", "pdf"),
    ("image", "jpeg"),
    ("image", "png"),
];

/// What IMAP tells of a message without looking at its bytes again. Its binary form is versioned
/// and lives in the cache.
#[derive(Clone, Debug)]
pub struct Summary {
    encoded: Bytes,
    tree_at: usize,
    keys_at: usize,
    root: OnceLock<Part>,
    keys: OnceLock<Keys>,
}

impl PartialEq for Summary {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for Summary {}

impl Summary {
    /// ENVELOPE with its parentheses (RFC 9051 §7.5.2). Without `utf8` no 8-bit byte.
    pub fn envelope(&self, utf8: bool) -> Vec<u8> {
        self.printed(Item::Envelope, utf8)
    }

    /// BODY, the non-extensible form of BODYSTRUCTURE.
    pub fn body(&self, utf8: bool) -> Vec<u8> {
        self.printed(Item::Body, utf8)
    }

    /// BODYSTRUCTURE with its parentheses.
    pub fn body_structure(&self, utf8: bool) -> Vec<u8> {
        self.printed(Item::BodyStructure, utf8)
    }

    fn printed(&self, item: Item, utf8: bool) -> Vec<u8> {
        let mut out = Vec::new();
        self.print(item, utf8, &mut out);
        out
    }

    /// Appends an item.
    pub fn print(&self, item: Item, utf8: bool, out: &mut Vec<u8>) {
        let printed = printed::print(&self.encoded, item, utf8, out);
        debug_assert!(printed, "`decode` has read it once");
    }

    /// The message as a tree.
    pub fn root(&self) -> &Part {
        self.root.get_or_init(|| {
            let mut reader = Reader::new(&self.encoded, self.tree_at);
            // `decode` has read it once.
            read_part(&mut reader, 0, DEPTH_MAX).unwrap_or_else(|| Node::empty().part())
        })
    }

    /// RFC822.SIZE: the message's length in bytes, as it is stored.
    pub fn size(&self) -> u64 {
        self.root().end
    }

    fn keys(&self) -> &Keys {
        self.keys.get_or_init(|| {
            let mut reader = Reader::new(&self.encoded, self.keys_at);
            read_keys(&mut reader).unwrap_or_default()
        })
    }

    /// Keys for SORT.
    pub fn sort_keys(&self) -> &SortKeys {
        &self.keys().sort
    }

    /// Keys for THREAD.
    pub fn thread_keys(&self) -> &ThreadKeys {
        &self.keys().thread
    }

    /// The conversation: a hash of its root's message id as the references tell it, or of the
    /// content's identity when they tell nothing.
    pub fn thread_id(&self, email_id: base::EmailId) -> base::ThreadId {
        let keys = self.thread_keys();
        let hash = match keys.references.first().or(keys.message_id.as_ref()) {
            Some(id) => blake3::hash(id.as_bytes()),
            None => blake3::hash(&email_id.0),
        };
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        base::ThreadId(u64::from_be_bytes(first))
    }

    /// The cache's form, with its version.
    pub fn encode(&self) -> Bytes {
        self.encoded.clone()
    }

    /// Reads [`Summary::encode`]'s form; `None` for any other version or bytes.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let mut reader = Reader::new(bytes, 0);
        skip_printed(&mut reader)?;
        let tree_at = reader.position();
        skip_part(&mut reader, 0, DEPTH_MAX)?;
        let keys_at = reader.position();
        skip_keys(&mut reader)?;
        let (root, keys) = (OnceLock::new(), OnceLock::new());
        let encoded = bytes.clone();
        reader.is_at_end().then_some(Self { encoded, tree_at, keys_at, root, keys })
    }
}

fn skip_printed(reader: &mut Reader<'_>) -> Option<()> {
    let own = printed::read_head(reader)?;
    (0..1 + (own & OWN_ENVELOPE)).try_for_each(|_| printed::envelope(reader, false).map(drop))?;
    (0..1 + (own >> 1 & 1))
        .try_for_each(|_| printed::structure(reader, Item::Body, false).map(drop))
}

/// The summary of a message that was read.
pub(crate) fn build(root: &Node, keys: &Keys) -> Summary {
    let none = Envelope::default();
    let envelope = root.envelope.as_ref().unwrap_or(&none);
    let envelopes = [false, true].map(|utf8| {
        let mut text = Vec::new();
        let from = envelope.print(&mut text, utf8);
        (text, from)
    });
    let structures = [false, true].map(|utf8| {
        [true, false].map(|extended| {
            let mut text = Vec::new();
            root.print(&mut text, Form { extended, utf8 });
            text
        })
    });
    let own_envelope = if envelopes[0] == envelopes[1] { 0 } else { OWN_ENVELOPE };
    let own_structure = if structures[0] == structures[1] { 0 } else { OWN_STRUCTURE };
    let mut out = vec![VERSION, own_envelope | own_structure];
    for (text, from) in &envelopes[..if own_envelope == 0 { 1 } else { 2 }] {
        printed::put_envelope(&mut out, text, from.clone());
    }
    for [extended, plain] in &structures[..if own_structure == 0 { 1 } else { 2 }] {
        printed::put_structure(&mut out, extended, plain);
    }
    put_part(&mut out, &root.part(), 0);
    put_keys(&mut out, keys);
    let bytes = Bytes::from(out);
    Summary::decode(&bytes).expect("a summary reads what it writes: the walk bounds the depth")
}

fn put_part(out: &mut Vec<u8>, part: &Part, parent_start: u64) {
    put_number(out, part.header_start.saturating_sub(parent_start));
    put_number(out, part.body_start - part.header_start);
    put_number(out, part.end - part.body_start);
    let (media, sub) = (&part.media_type.0, &part.media_type.1);
    let common = COMMON_TYPES.iter().position(|&(a, b)| a == media && b == sub);
    let encoding = match part.encoding {
        TransferEncoding::Identity => 0,
        TransferEncoding::Base64 => 1,
        TransferEncoding::QuotedPrintable => 2,
        TransferEncoding::Unknown => 3,
    };
    // Low to high: encoding, whether there is a charset, the media type (0: written out).
    let kind = common.map_or(0, |at| at as u8 + 1);
    out.push(encoding | u8::from(part.charset.is_some()) << 2 | kind << 3);
    if common.is_none() {
        put_bytes(out, media.as_bytes());
        put_bytes(out, sub.as_bytes());
    }
    if let Some(charset) = &part.charset {
        put_bytes(out, charset.as_bytes());
    }
    put_number(out, part.children.len() as u64);
    part.children.iter().for_each(|child| put_part(out, child, part.header_start));
}

/// A part without its children, borrowed.
struct Flat<'a> {
    header_start: u64,
    body_start: u64,
    end: u64,
    media_type: (&'a str, &'a str),
    charset: Option<&'a str>,
    encoding: TransferEncoding,
    children: u64,
}

fn read_flat<'a>(reader: &mut Reader<'a>, parent_start: u64) -> Option<Flat<'a>> {
    let header_start = parent_start.checked_add(reader.number()?)?;
    let body_start = header_start.checked_add(reader.number()?)?;
    let end = body_start.checked_add(reader.number()?)?;
    let head = reader.byte()?;
    let encoding = match head & 3 {
        0 => TransferEncoding::Identity,
        1 => TransferEncoding::Base64,
        2 => TransferEncoding::QuotedPrintable,
        _ => TransferEncoding::Unknown,
    };
    let media_type = match usize::from(head >> 3).checked_sub(1) {
        Some(at) => *COMMON_TYPES.get(at)?,
        None => (reader.text()?, reader.text()?),
    };
    let charset = if head & 4 != 0 { Some(reader.text()?) } else { None };
    let children = reader.number()?;
    Some(Flat { header_start, body_start, end, media_type, charset, encoding, children })
}

fn skip_part(reader: &mut Reader<'_>, parent_start: u64, depth: usize) -> Option<()> {
    let flat = read_flat(reader, parent_start)?;
    let depth = depth.checked_sub(1)?;
    (0..flat.children).try_for_each(|_| skip_part(reader, flat.header_start, depth))
}

fn read_part(reader: &mut Reader<'_>, parent_start: u64, depth: usize) -> Option<Part> {
    let flat = read_flat(reader, parent_start)?;
    let depth = depth.checked_sub(1)?;
    let mut children = Vec::new();
    for _ in 0..flat.children {
        children.push(read_part(reader, flat.header_start, depth)?);
    }
    Some(Part {
        header_start: flat.header_start,
        body_start: flat.body_start,
        end: flat.end,
        media_type: (flat.media_type.0.to_owned(), flat.media_type.1.to_owned()),
        charset: flat.charset.map(str::to_owned),
        encoding: flat.encoding,
        children,
    })
}

fn put_keys(out: &mut Vec<u8>, keys: &Keys) {
    let Keys { sort, thread } = keys;
    out.push(
        u8::from(sort.date.is_some())
            | u8::from(sort.is_reply) << 1
            | u8::from(thread.message_id.is_some()) << 2,
    );
    if let Some(date) = sort.date {
        out.extend_from_slice(&date.pack().to_be_bytes());
    }
    for text in
        [&sort.base_subject, &sort.from, &sort.to, &sort.cc, &sort.display_from, &sort.display_to]
    {
        put_bytes(out, text.as_bytes());
    }
    if let Some(id) = &thread.message_id {
        put_bytes(out, id.as_bytes());
    }
    put_number(out, thread.references.len() as u64);
    thread.references.iter().for_each(|id| put_bytes(out, id.as_bytes()));
}

fn read_date(reader: &mut Reader<'_>) -> Option<DateTime> {
    let mut packed = 0;
    for _ in 0..8 {
        packed = packed << 8 | u64::from(reader.byte()?);
    }
    Some(DateTime::unpack(packed))
}

/// As [`KeysView::read`].
pub(crate) fn view_keys(summary: &[u8]) -> Option<KeysView<'_>> {
    let mut reader = Reader::new(summary, 0);
    skip_printed(&mut reader)?;
    skip_part(&mut reader, 0, DEPTH_MAX)?;
    let head = reader.byte().filter(|head| head >> 3 == 0)?;
    let date = if head & 1 != 0 { Some(read_date(&mut reader)?) } else { None };
    let mut texts = [""; SortKey::COUNT];
    for text in &mut texts {
        *text = reader.text()?;
    }
    let message_id = if head & 4 != 0 { Some(reader.text()?) } else { None };
    let count = reader.number()?;
    let ids = Ids::Encoded(count, summary.get(reader.position()..)?);
    (0..count).try_for_each(|_| reader.text().map(drop))?;
    let sent = date.map(DateTime::seconds);
    let view = KeysView { sent, is_reply: head & 2 != 0, message_id, ids, texts };
    reader.is_at_end().then_some(view)
}

fn skip_keys(reader: &mut Reader<'_>) -> Option<()> {
    let head = reader.byte().filter(|head| head >> 3 == 0)?;
    if head & 1 != 0 {
        read_date(reader)?;
    }
    for _ in 0..6 + (head >> 2) {
        reader.text()?;
    }
    (0..reader.number()?).try_for_each(|_| reader.text().map(drop))
}

fn read_keys(reader: &mut Reader<'_>) -> Option<Keys> {
    let head = reader.byte()?;
    let mut keys = Keys::default();
    keys.sort.is_reply = head & 2 != 0;
    if head & 1 != 0 {
        keys.sort.date = Some(read_date(reader)?);
    }
    let sort = &mut keys.sort;
    for key in [
        &mut sort.base_subject,
        &mut sort.from,
        &mut sort.to,
        &mut sort.cc,
        &mut sort.display_from,
        &mut sort.display_to,
    ] {
        *key = reader.text()?.to_owned();
    }
    if head & 4 != 0 {
        keys.thread.message_id = Some(reader.text()?.to_owned());
    }
    for _ in 0..reader.number()? {
        keys.thread.references.push(reader.text()?.to_owned());
    }
    Some(keys)
}
