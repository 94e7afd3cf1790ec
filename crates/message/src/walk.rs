//! The one pass over a message: finds headers, parts and their bodies, and tells a [`Sink`].
//!
//! Memory: one header (bounded), the boundaries of the open multiparts, and the beginning of a line
//! that may be a boundary. What is told does not depend on how the bytes are cut into pieces.

use base::Limits;

use crate::TransferEncoding;
use crate::header;
use crate::mime::{Implied, Mime, Mimes};

/// A boundary is compared up to this many bytes; RFC 2046 §5.1.1 allows 70.
const BOUNDARY_BYTES_MAX: usize = 1000;
/// A line is held back up to this many bytes while it may be a boundary.
const LINE_BYTES_MAX: usize = BOUNDARY_BYTES_MAX + 64;
/// Depth beyond which recursion over the tree could overflow a stack, whatever is configured.
const DEPTH_MAX: usize = 200;

/// What a walk finds, in the order of the message.
pub(crate) trait Sink {
    /// Whether [`Closed::lines`] matters: all line breaks are looked for then.
    const COUNTS_LINES: bool;

    /// A part's header has ended.
    fn open(&mut self, part: Opened<'_>);
    /// Bytes of the body of the part that was opened last. Not called for multiparts and messages.
    /// The line break before a boundary is among them.
    fn body(&mut self, bytes: &[u8]);
    /// The part that was opened last and not closed yet ends.
    fn close(&mut self, closed: Closed);
}

/// A part whose header is known.
pub(crate) struct Opened<'a> {
    pub(crate) header_start: u64,
    pub(crate) body_start: u64,
    /// Its header, cut at the limit.
    pub(crate) header: &'a [u8],
    /// Whether the header is a message's, not a part's.
    pub(crate) is_message: bool,
    /// May be taken.
    pub(crate) mime: &'a mut Mime,
}

/// Where a part ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    /// First byte after the body.
    pub(crate) end: u64,
    /// Line breaks in the body.
    pub(crate) lines: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Leaf,
    Message,
    Multipart,
}

struct Frame {
    kind: Kind,
    /// Of a multipart whose end was not seen yet.
    boundary: Option<Vec<u8>>,
    default: Implied,
    has_children: bool,
    body_start: u64,
    lines_before: u64,
}

/// A part whose header is being read.
struct Pending {
    header_start: u64,
    is_message: bool,
    default: Implied,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Header,
    /// At the start of a line of a body, or in the line that `line` holds back.
    LineStart,
    /// Within a line that is no boundary.
    Line,
    /// In the rest of a boundary line; a part begins after it or does not.
    Skip {
        opens: bool,
    },
}

/// A place between two lines.
#[derive(Clone, Copy, Default)]
struct Place {
    offset: u64,
    lines: u64,
    /// Bytes of the line break before it: 0 at the start, 1 or 2.
    width: u64,
}

pub(crate) struct Walk<S> {
    pub(crate) sink: S,
    limits: Limits,
    depth_max: usize,
    look_into_encoded: bool,
    mimes: Mimes,
    mode: Mode,
    stack: Vec<Frame>,
    pending: Pending,
    parts: usize,
    open_boundaries: usize,
    header: Vec<u8>,
    /// Length of `header` at the start of its last line.
    header_line_at: usize,
    line: Vec<u8>,
    line_start: Place,
    offset: u64,
    lines: u64,
    last_byte: u8,
}

impl<S: Sink> Walk<S> {
    pub(crate) fn new(limits: &Limits, sink: S) -> Self {
        Self {
            sink,
            limits: limits.clone(),
            depth_max: limits.mime_depth_max.clamp(1, DEPTH_MAX),
            look_into_encoded: true,
            mimes: Mimes::default(),
            mode: Mode::Header,
            stack: Vec::new(),
            pending: Pending { header_start: 0, is_message: true, default: Implied::Text },
            parts: 1,
            open_boundaries: 0,
            header: Vec::new(),
            header_line_at: 0,
            line: Vec::new(),
            line_start: Place::default(),
            offset: 0,
            lines: 0,
            last_byte: 0,
        }
    }

    /// Whether a message/rfc822 in base64 or quoted-printable, which RFC 2046 §5.2.1 forbids, is
    /// told as a message with the encoded text as its content (as BODYSTRUCTURE needs it), or as
    /// one body that can be decoded.
    pub(crate) fn look_into_encoded(&mut self, yes: bool) {
        self.look_into_encoded = yes;
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = match self.mode {
                Mode::Header => self.feed_header(bytes),
                Mode::LineStart => self.feed_line_start(bytes),
                Mode::Line => self.feed_line(bytes),
                Mode::Skip { opens } => self.feed_skip(bytes, opens),
            };
            bytes = &bytes[used..];
        }
    }

    pub(crate) fn finish(mut self) -> S {
        self.end();
        self.sink
    }

    /// Begins with another message. What the sink has is its own affair.
    pub(crate) fn restart(&mut self) {
        self.mode = Mode::Header;
        self.stack.clear();
        self.pending = Pending { header_start: 0, is_message: true, default: Implied::Text };
        (self.parts, self.open_boundaries) = (1, 0);
        self.header.clear();
        self.header_line_at = 0;
        self.line.clear();
        self.line_start = Place::default();
        (self.offset, self.lines, self.last_byte) = (0, 0, 0);
    }

    /// The end of the message; what follows is [`Walk::restart`].
    pub(crate) fn end(&mut self) {
        match self.mode {
            Mode::Header => {
                if let Some(hit) = self.boundary() {
                    self.header.truncate(self.header_line_at);
                    self.delimiter(hit);
                }
            }
            Mode::LineStart if !self.line.is_empty() => match self.boundary() {
                Some(hit) => self.delimiter(hit),
                None => self.release_line(),
            },
            _ => {}
        }
        if let Mode::Skip { opens: true } = self.mode {
            self.begin_part();
        }
        let place = Place { offset: self.offset, lines: self.lines, width: 0 };
        while self.mode == Mode::Header {
            self.open_part(place);
        }
        self.close_down_to(0, place);
    }

    /// Counts `bytes` as read.
    fn advance(&mut self, bytes: &[u8], breaks: usize) {
        self.offset += bytes.len() as u64;
        self.lines += breaks as u64;
        if let Some(&last) = bytes.last() {
            self.last_byte = last;
        }
    }

    /// The start of a line is here; `carriage_return` says what stands before its line feed.
    fn start_line(&mut self, carriage_return: bool) {
        self.line.clear();
        let width = 1 + u64::from(carriage_return);
        self.line_start = Place { offset: self.offset, lines: self.lines, width };
    }

    fn hold(&mut self, piece: &[u8]) {
        let room = LINE_BYTES_MAX - self.line.len();
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn feed_header(&mut self, bytes: &[u8]) -> usize {
        if self.header.is_empty()
            && self.line.is_empty()
            && let Some((length, breaks)) = header::extent(bytes)
            && length <= self.limits.header_bytes_max
        {
            let header = &bytes[..length];
            self.header.extend_from_slice(header);
            self.advance(header, breaks);
            self.start_line(header.ends_with(b"\r\n"));
            self.open_part(self.line_start);
            return length;
        }
        let end = memchr::memchr(b'\n', bytes);
        let piece = &bytes[..end.map_or(bytes.len(), |at| at + 1)];
        self.hold(piece);
        let room = self.limits.header_bytes_max.saturating_sub(self.header.len());
        self.header.extend_from_slice(&piece[..piece.len().min(room)]);
        let before = if piece.len() > 1 { piece[piece.len() - 2] } else { self.last_byte };
        self.advance(piece, usize::from(end.is_some()));
        if end.is_none() {
            return piece.len();
        }
        if matches!(self.line.as_slice(), b"\n" | b"\r\n") {
            self.start_line(self.line.len() == 2);
            self.open_part(self.line_start);
        } else if let Some(hit) = self.boundary() {
            // A part without an empty line after its header has no body.
            self.header.truncate(self.header_line_at);
            self.delimiter(hit);
            self.after_delimiter_line();
        } else {
            self.start_line(before == b'\r');
            self.header_line_at = self.header.len();
        }
        piece.len()
    }

    fn feed_line_start(&mut self, bytes: &[u8]) -> usize {
        if self.open_boundaries == 0 {
            self.release_line();
            self.mode = Mode::Line;
            return 0;
        }
        // Two bytes tell most lines from a boundary.
        let wanted = 2usize.saturating_sub(self.line.len()).min(bytes.len());
        let dashes = bytes[..wanted].iter().take_while(|&&byte| byte == b'-').count();
        if dashes < wanted {
            self.hold(&bytes[..dashes]);
            self.advance(&bytes[..dashes], 0);
            self.release_line();
            self.mode = Mode::Line;
            return dashes;
        }
        let end = memchr::memchr(b'\n', bytes);
        let length = end.map_or(bytes.len(), |at| at + 1);
        let room = LINE_BYTES_MAX - self.line.len();
        let piece = &bytes[..length.min(room)];
        let complete = end.is_some() && length <= room;
        self.hold(piece);
        self.advance(piece, usize::from(complete));
        if !complete && self.line.len() < LINE_BYTES_MAX {
            return piece.len();
        }
        match self.boundary() {
            Some(hit) => {
                self.delimiter(hit);
                if complete {
                    self.after_delimiter_line();
                }
            }
            None if complete => {
                let carriage_return = self.line.ends_with(b"\r\n");
                self.release_line();
                self.start_line(carriage_return);
            }
            None => {
                self.release_line();
                self.mode = Mode::Line;
            }
        }
        piece.len()
    }

    /// What was held back is content.
    fn release_line(&mut self) {
        if self.stack.last().is_some_and(|frame| frame.kind == Kind::Leaf) && !self.line.is_empty()
        {
            self.sink.body(&self.line);
        }
        self.line.clear();
    }

    fn feed_line(&mut self, bytes: &[u8]) -> usize {
        let is_leaf = self.stack.last().is_some_and(|frame| frame.kind == Kind::Leaf);
        let found = match self.open_boundaries {
            0 => None,
            _ => memchr::memmem::find(bytes, b"\n--"),
        };
        // The line break before a boundary may be the end of these bytes.
        let line_end = found.map(|at| at + 1).or_else(|| {
            let end = bytes.strip_suffix(b"-").unwrap_or(bytes);
            (self.open_boundaries > 0 && end.ends_with(b"\n")).then_some(end.len())
        });
        let piece = &bytes[..line_end.unwrap_or(bytes.len())];
        let before = if piece.len() > 1 { piece[piece.len() - 2] } else { self.last_byte };
        let breaks = match S::COUNTS_LINES {
            true => memchr::memchr_iter(b'\n', piece).count(),
            false => 0,
        };
        self.advance(piece, breaks);
        if is_leaf {
            self.sink.body(piece);
        }
        if line_end.is_some() {
            self.start_line(before == b'\r');
            self.mode = Mode::LineStart;
        }
        piece.len()
    }

    fn feed_skip(&mut self, bytes: &[u8], opens: bool) -> usize {
        let end = memchr::memchr(b'\n', bytes);
        let piece = &bytes[..end.map_or(bytes.len(), |at| at + 1)];
        let before = if piece.len() > 1 { piece[piece.len() - 2] } else { self.last_byte };
        self.advance(piece, usize::from(end.is_some()));
        if end.is_some() {
            self.mode = Mode::Skip { opens };
            self.line.clear();
            self.line.push(before);
            self.line.push(b'\n');
            self.after_delimiter_line();
        }
        piece.len()
    }

    /// The multipart that the line held back is a boundary of, and whether it closes it. RFC 2046
    /// §5.1.1: it is enough that the line begins with the boundary. A line that is one exactly is
    /// preferred, then the longest, then the innermost.
    fn boundary(&self) -> Option<(usize, bool)> {
        let rest = self.line.strip_prefix(b"--")?;
        if self.open_boundaries == 0 {
            return None;
        }
        let line = rest.trim_ascii_end();
        let mut best: Option<(usize, bool, usize)> = None;
        for (at, frame) in self.stack.iter().enumerate().rev() {
            let Some(boundary) = frame.boundary.as_deref() else { continue };
            let Some(after) = rest.strip_prefix(boundary) else { continue };
            let closes = after.starts_with(b"--");
            if line.len() == boundary.len() || closes && line.len() == boundary.len() + 2 {
                return self.unless_full((at, closes));
            }
            if best.is_none_or(|(_, _, length)| length < boundary.len()) {
                best = Some((at, closes, boundary.len()));
            }
        }
        best.and_then(|(at, closes, _)| self.unless_full((at, closes)))
    }

    /// When no part may be added, the last one goes on.
    fn unless_full(&self, hit: (usize, bool)) -> Option<(usize, bool)> {
        (hit.1 || self.parts < self.limits.mime_parts_max).then_some(hit)
    }

    /// The line held back is a boundary: what it ends, ends before the line break before it.
    fn delimiter(&mut self, (at, closes): (usize, bool)) {
        let place = self.line_start;
        while self.mode == Mode::Header {
            // The line break before the boundary is the boundary's, also when it ends a header.
            let offset = (place.offset - place.width).max(self.pending.header_start);
            self.open_part(Place { offset, lines: place.lines, width: 0 });
        }
        self.close_down_to(at + 1, place);
        if closes && let Some(frame) = self.stack.get_mut(at) {
            frame.boundary = None;
            self.open_boundaries -= 1;
        }
        self.mode = Mode::Skip { opens: !closes };
    }

    /// The boundary's line is complete.
    fn after_delimiter_line(&mut self) {
        let carriage_return = self.line.ends_with(b"\r\n");
        let opens = self.mode == Mode::Skip { opens: true };
        self.start_line(carriage_return);
        if opens { self.begin_part() } else { self.mode = Mode::LineStart }
    }

    /// A part of the innermost open multipart begins here.
    fn begin_part(&mut self) {
        let default = self.stack.last().map_or(Implied::Text, |frame| frame.default);
        self.pending = Pending { header_start: self.offset, is_message: false, default };
        self.parts += 1;
        self.begin_header();
    }

    fn begin_header(&mut self) {
        self.header.clear();
        self.header_line_at = 0;
        self.mode = Mode::Header;
        if let Some(frame) = self.stack.last_mut() {
            frame.has_children = true;
        }
    }

    /// The pending part's header is complete, its body begins at `place`.
    fn open_part(&mut self, place: Place) {
        let mut mimes = std::mem::take(&mut self.mimes);
        let mime = mimes.parse(&self.header, self.pending.default, &self.limits);
        let (kind, read_as) = self.kind(mime);
        let boundary = match kind {
            Kind::Multipart => mime.boundary().map(|boundary| {
                let bytes = boundary.as_bytes();
                bytes[..bytes.len().min(BOUNDARY_BYTES_MAX)].to_vec()
            }),
            _ => None,
        };
        self.open_boundaries += usize::from(boundary.is_some());
        if let Some((media, sub)) = read_as {
            mime.media_type = (media.to_owned(), sub.to_owned());
        }
        let default = if mime.is("multipart", "digest") { Implied::Message } else { Implied::Text };
        self.sink.open(Opened {
            header_start: self.pending.header_start,
            body_start: place.offset,
            header: &self.header,
            is_message: self.pending.is_message,
            mime,
        });
        if read_as.is_some() {
            mimes.forget_last();
        }
        self.mimes = mimes;
        self.stack.push(Frame {
            kind,
            boundary,
            default,
            has_children: false,
            body_start: place.offset,
            lines_before: place.lines,
        });
        self.mode = Mode::LineStart;
        if kind == Kind::Message {
            self.pending =
                Pending { header_start: place.offset, is_message: true, default: Implied::Text };
            self.parts += 1;
            self.begin_header();
        }
    }

    /// How a part is read. What cannot be looked into is told as what it then is.
    fn kind(&self, mime: &Mime) -> (Kind, Option<(&'static str, &'static str)>) {
        let container = mime.is_multipart() || mime.is_message();
        if !container {
            return (Kind::Leaf, None);
        }
        // A multipart has at least one part below it, and so has a message.
        let deep = self.stack.len() + 1 >= self.depth_max;
        let full = self.parts >= self.limits.mime_parts_max;
        if deep || full {
            return (Kind::Leaf, Some(("application", "octet-stream")));
        }
        if mime.is_message() {
            let encoded = matches!(
                mime.encoding,
                TransferEncoding::Base64 | TransferEncoding::QuotedPrintable
            );
            let opaque = encoded && !self.look_into_encoded;
            return (if opaque { Kind::Leaf } else { Kind::Message }, None);
        }
        // The content of a multipart is never encoded (RFC 2045 §6.4).
        if mime.boundary().is_none() {
            return (Kind::Leaf, Some(("text", "plain")));
        }
        (Kind::Multipart, None)
    }

    /// Closes the innermost parts until `depth` are open.
    fn close_down_to(&mut self, depth: usize, place: Place) {
        let mut end = place.offset.saturating_sub(place.width);
        while self.stack.len() > depth {
            let Some(frame) = self.stack.pop() else { return };
            self.open_boundaries -= usize::from(frame.boundary.is_some());
            // The empty line after a header is the header's, even if a boundary follows; and what is
            // around a part ends no earlier.
            end = end.max(frame.body_start);
            let breaks = place.lines - u64::from(end < place.offset);
            let lines = breaks.saturating_sub(frame.lines_before);
            if frame.kind == Kind::Multipart && !frame.has_children {
                // A multipart is never empty: RFC 9051 §9, body-type-mpart.
                self.sink.open(Opened {
                    header_start: end,
                    body_start: end,
                    header: b"",
                    is_message: false,
                    mime: &mut Mime::plain(Implied::Text),
                });
                self.sink.close(Closed { end, lines: 0 });
            }
            self.sink.close(Closed { end, lines });
        }
    }
}
