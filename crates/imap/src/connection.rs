//! Framing: bytes in, events out. No socket, no clock, no mailbox.
//!
//! Finds the ends of commands through inline literals (RFC 9051 §4.3, RFC 7888), hands out APPEND's
//! messages in pieces, and keeps every buffer within its limit. What is too big is refused before
//! the client sends it, or skipped without being interpreted.

mod event;

use base::Limits;
use bytes::{Buf, Bytes, BytesMut};
use wire::command::append::{AppendNext, parse_head, parse_next};
use wire::command::{AppendMessage, Command};
use wire::literal::LineEnd;
use wire::response::Code;
use wire::{LiteralSpec, Parsed, Syntax, SyntaxError};

pub use self::event::{Event, Refusal};

/// The largest non-synchronizing literal before login (RFC 7888 §5, LITERAL-).
const LITERAL_MINUS_MAX: u64 = 4096;

#[derive(Debug)]
enum State {
    /// Collecting a line of a command.
    Line,
    /// Collecting a literal of a command.
    Literal { left: usize },
    /// APPEND waits for [`Connection::accept`] or [`Connection::refuse`].
    Verdict { literal: LiteralSpec, message: AppendMessage },
    /// Handing out a message.
    Message { left: u64, message: AppendMessage },
    /// Collecting the line after a message.
    AfterMessage { message: AppendMessage },
    /// Skipping a literal.
    SkipLiteral { left: u64, then: Event },
    /// Skipping a line, whose end may announce a literal.
    SkipLine { end: LineEnd, then: Event },
    /// All that had to be skipped is.
    Over { then: Event },
    /// Lines that are no commands: SASL and IDLE.
    Lines,
}

/// One client's byte stream, taken apart.
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    syntax: Syntax,
    logged_in: bool,
    greeted: bool,
    received: u64,
    /// How many of these had been taken from the inbox when it was last made small.
    taken: u64,
    state: State,
    inbox: BytesMut,
    /// Bytes of `inbox` in which no line ends.
    scanned: usize,
    /// The command so far.
    frame: BytesMut,
    /// Bytes of `frame` that came as literals.
    literal_bytes: usize,
    /// The next command is answered BAD with this.
    refuse_next: Option<&'static str>,
}

impl Connection {
    /// A connection at its first byte.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            syntax: Syntax { utf8: false, rev2: false, nesting_max: limits.nesting_max },
            logged_in: false,
            greeted: false,
            received: 0,
            taken: 0,
            state: State::Line,
            inbox: BytesMut::new(),
            scanned: 0,
            frame: BytesMut::new(),
            literal_bytes: 0,
            refuse_next: None,
        }
    }

    /// Limits are those after login from here on.
    pub fn set_logged_in(&mut self) {
        self.logged_in = true;
    }

    /// How commands are read from here on: follows ENABLE.
    pub fn set_syntax(&mut self, utf8: bool, rev2: bool) {
        (self.syntax.utf8, self.syntax.rev2) = (utf8, rev2);
    }

    /// Where [`crate::Transport::read`] puts bytes; tell of them with [`Connection::received`].
    pub fn inbox(&mut self) -> &mut BytesMut {
        // A connection that waits holds no buffer, or one no larger than what is in it: not all that
        // was read with the beginning of a command. Copied once, however slowly the rest comes.
        let taken = self.received.wrapping_sub(self.inbox.len() as u64);
        if taken != self.taken {
            self.taken = taken;
            self.inbox = BytesMut::from(&self.inbox[..]);
        }
        &mut self.inbox
    }

    /// So many bytes were added to the inbox.
    pub fn received(&mut self, count: usize) {
        self.received += count as u64;
    }

    /// Adds bytes.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.received(bytes.len());
    }

    /// Whether bytes wait that are no part of a command yet.
    pub fn has_more(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Bytes that are held: of the command so far, and of what comes after it.
    pub fn held_bytes(&self) -> usize {
        self.inbox.len() + self.frame.len()
    }

    /// Whether a command has begun and not ended.
    pub fn is_mid_command(&self) -> bool {
        !self.frame.is_empty() || !matches!(self.state, State::Line | State::Lines)
    }

    /// Lines from here on are no commands (AUTHENTICATE, IDLE).
    pub fn expect_lines(&mut self) {
        self.state = State::Lines;
    }

    /// Lines from here on are commands again.
    pub fn expect_commands(&mut self) {
        self.state = State::Line;
    }

    /// The line that [`Event::Line`] just gave was a command after all; it will be answered BAD with
    /// `why`, under its own tag, once it is complete.
    pub fn refuse_as_command(&mut self, line: &Bytes, why: &'static str) {
        let mut inbox = BytesMut::with_capacity(line.len() + 2 + self.inbox.len());
        inbox.extend_from_slice(line);
        inbox.extend_from_slice(b"\r\n");
        inbox.extend_from_slice(&self.inbox);
        (self.inbox, self.scanned) = (inbox, 0);
        self.refuse_next = Some(why);
        self.expect_commands();
    }

    /// Takes the message that [`Event::Append`] or [`Event::AppendNext`] announced. The answer is
    /// what has to be sent at once.
    pub fn accept(&mut self) -> Option<&'static [u8]> {
        let State::Verdict { literal, message } = &self.state else { return None };
        let (literal, message) = (*literal, message.clone());
        self.state = State::Message { left: literal.bytes, message };
        literal.sync.then_some(CONTINUE)
    }

    /// Does not take it. [`Event::Skipped`] follows when the answer can be sent.
    pub fn refuse(&mut self) {
        if let State::Verdict { literal, .. } = &self.state {
            let literal = *literal;
            self.skip_literal(literal, Event::Skipped);
        }
    }

    /// Gives up the rest of an APPEND whose message is being handed out, likewise.
    pub fn abandon(&mut self) {
        let left = match &self.state {
            State::Message { left, .. } => *left,
            State::AfterMessage { .. } => 0,
            _ => return,
        };
        self.state = State::SkipLiteral { left, then: Event::Skipped };
    }

    /// What comes next.
    pub fn next_event(&mut self) -> Event {
        loop {
            if !self.logged_in && self.received > self.bytes_max_before_login() {
                return Event::Close("too many bytes before login");
            }
            if let Some(event) = self.step() {
                return event;
            }
        }
    }

    fn bytes_max_before_login(&self) -> u64 {
        // Room for many honest attempts to log in; no room for a stranger's traffic.
        64 * (self.limits.line_bytes_max_before_login + self.limits.command_bytes_max_before_login)
            as u64
    }

    fn line_bytes_max(&self) -> usize {
        match self.logged_in {
            true => self.limits.line_bytes_max,
            false => self.limits.line_bytes_max_before_login,
        }
    }

    fn command_bytes_max(&self) -> usize {
        match self.logged_in {
            true => self.limits.command_bytes_max,
            false => self.limits.command_bytes_max_before_login,
        }
    }

    fn step(&mut self) -> Option<Event> {
        match &mut self.state {
            State::Line => self.line(),
            State::Literal { left } => {
                let count = (*left).min(self.inbox.len());
                *left -= count;
                let done = *left == 0;
                self.frame.extend_from_slice(&self.inbox.split_to(count));
                match done {
                    true => self.state = State::Line,
                    false => return Some(Event::NeedBytes),
                }
                None
            }
            State::Verdict { .. } => Some(Event::NeedBytes),
            State::Message { left: 0, message } => {
                self.state = State::AfterMessage { message: message.clone() };
                Some(Event::MessageEnd)
            }
            State::Message { .. } if self.inbox.is_empty() => Some(Event::NeedBytes),
            State::Message { left, .. } => {
                let room = usize::try_from(*left).unwrap_or(usize::MAX);
                let chunk = self.inbox.split_to(room.min(self.inbox.len())).freeze();
                *left -= chunk.len() as u64;
                Some(Event::Chunk(chunk))
            }
            State::AfterMessage { .. } => self.after_message(),
            State::SkipLiteral { .. } | State::SkipLine { .. } | State::Over { .. } => self.skip(),
            State::Lines => self.plain_line(),
        }
    }

    /// Takes a line with its ending from the inbox, if a whole one is there.
    fn take_line(&mut self) -> Option<BytesMut> {
        match memchr::memchr(b'\n', &self.inbox[self.scanned..]) {
            Some(at) => {
                let line = self.inbox.split_to(self.scanned + at + 1);
                self.scanned = 0;
                Some(line)
            }
            None => {
                self.scanned = self.inbox.len();
                None
            }
        }
    }

    fn line(&mut self) -> Option<Event> {
        let used = self.frame.len() - self.literal_bytes;
        let Some(line) = self.take_line() else {
            if used + self.inbox.len() <= self.line_bytes_max() {
                return Some(Event::NeedBytes);
            }
            if self.frame.is_empty() && !self.greeted && is_foreign(&self.inbox) {
                return Some(Event::Close("not IMAP"));
            }
            self.greeted = true;
            self.frame.extend_from_slice(&self.inbox[..self.inbox.len().min(TAG_BYTES_MAX + 1)]);
            let refusal = Refusal::bad(tag_of(&self.frame), "line is too long");
            self.skip_line(Event::Bad(refusal));
            return None;
        };
        if self.frame.is_empty() && without_ending(&line).is_empty() {
            return None;
        }
        if self.frame.is_empty() && !self.greeted {
            self.greeted = true;
            if is_foreign(&line) {
                return Some(Event::Close("not IMAP"));
            }
        }
        let literal = wire::literal::at_line_end(without_ending(&line));
        let (too_long, nul) =
            (used + line.len() > self.line_bytes_max(), memchr::memchr(0, &line).is_some());
        match self.frame.is_empty() && literal.is_none() {
            true => self.frame = line,
            // What has to wait for its literal does not keep all that was read with it.
            false => self.frame.extend_from_slice(&line),
        }
        if too_long || nul {
            let text = if too_long { "line is too long" } else { "NUL is not allowed" };
            let event = Event::Bad(Refusal::bad(tag_of(&self.frame), text));
            return self.end_with(literal, event);
        }
        match literal {
            Some(literal) => self.literal(literal),
            None => Some(self.command()),
        }
    }

    fn command(&mut self) -> Event {
        let frame = self.clear_frame();
        if let Some(why) = self.refuse_next.take() {
            return Event::Bad(Refusal::bad(tag_of(&frame), why));
        }
        match wire::parse::command(&frame, &self.syntax) {
            Ok(Parsed { tag, command: Command::Append(_) }) => {
                Event::Bad(Refusal::bad(Some(tag), "APPEND needs a message literal"))
            }
            Ok(parsed) => Event::Command(parsed),
            Err(error) => Event::Bad(refusal(error, &frame)),
        }
    }

    fn clear_frame(&mut self) -> BytesMut {
        self.literal_bytes = 0;
        std::mem::take(&mut self.frame)
    }

    /// A line of a command announced a literal.
    fn literal(&mut self, literal: LiteralSpec) -> Option<Event> {
        if self.logged_in && self.refuse_next.is_none() {
            match parse_head(&self.frame, &self.syntax) {
                Ok(None) => {}
                Ok(Some(head)) => {
                    self.clear_frame();
                    self.state =
                        State::Verdict { literal: head.literal, message: head.message.clone() };
                    return Some(Event::Append(head));
                }
                Err(error) => {
                    let event = Event::Bad(refusal(error, &self.frame));
                    return self.end_with(Some(literal), event);
                }
            }
        }
        if self.literal_bytes == 0 && tag_of(&self.frame).is_none() {
            // Nobody who is in his senses waits for a go-ahead here.
            let event = Event::Bad(Refusal::bad(None, "expected a tag"));
            return self.end_with(Some(literal), event);
        }
        let room = (self.command_bytes_max() - self.literal_bytes) as u64;
        let minus = !self.logged_in && !literal.sync && literal.bytes > LITERAL_MINUS_MAX;
        if literal.bytes > room || minus {
            let mut refusal = Refusal::bad(tag_of(&self.frame), "literal is too big");
            (refusal.no, refusal.code) = (!minus, (!minus).then_some(Code::TooBig));
            return self.end_with(Some(literal), Event::Bad(refusal));
        }
        // Fits in memory: it is at most `room`.
        let left = literal.bytes as usize;
        self.literal_bytes += left;
        self.state = State::Literal { left };
        literal.sync.then_some(Event::Send(CONTINUE))
    }

    /// The command ends here with `event`; what its client sends of it without being asked is
    /// skipped first.
    fn end_with(&mut self, literal: Option<LiteralSpec>, event: Event) -> Option<Event> {
        self.clear_frame();
        self.refuse_next = None;
        match literal {
            Some(literal) => self.skip_literal(literal, event),
            None => {
                self.state = State::Line;
                return Some(event);
            }
        }
        None
    }

    fn skip_literal(&mut self, literal: LiteralSpec, then: Event) {
        self.state = match literal.sync {
            // The client waits for our answer; nothing of the literal will come.
            true => State::Over { then },
            false => State::SkipLiteral { left: literal.bytes, then },
        };
    }

    fn skip_line(&mut self, then: Event) {
        self.clear_frame();
        self.refuse_next = None;
        self.scanned = 0;
        self.state = State::SkipLine { end: LineEnd::default(), then };
    }

    fn skip(&mut self) -> Option<Event> {
        let next = match &mut self.state {
            State::SkipLiteral { left, then } => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(self.inbox.len());
                self.inbox.advance(count);
                *left -= count as u64;
                if *left > 0 {
                    return Some(Event::NeedBytes);
                }
                State::SkipLine { end: LineEnd::default(), then: take(then) }
            }
            State::SkipLine { end, then } => {
                let found = memchr::memchr(b'\n', &self.inbox);
                let count = found.map_or(self.inbox.len(), |at| at + 1);
                end.push(&self.inbox.split_to(count));
                if found.is_none() {
                    return Some(Event::NeedBytes);
                }
                match end.literal() {
                    // A line that is no command announces nothing.
                    Some(LiteralSpec { bytes, sync: false, .. }) if *then != Event::LineTooLong => {
                        State::SkipLiteral { left: bytes, then: take(then) }
                    }
                    _ => State::Over { then: take(then) },
                }
            }
            State::Over { then } => {
                let event = take(then);
                self.state = State::Line;
                return Some(event);
            }
            _ => return None,
        };
        self.scanned = 0;
        self.state = next;
        None
    }

    fn after_message(&mut self) -> Option<Event> {
        let Some(line) = self.take_line() else {
            if self.inbox.len() > self.line_bytes_max() {
                self.skip_line(Event::AppendBad(Refusal::bad(None, "line is too long")));
                return None;
            }
            return Some(Event::NeedBytes);
        };
        if line.len() > self.line_bytes_max() {
            let literal = wire::literal::at_line_end(without_ending(&line));
            let refusal = Refusal::bad(None, "line is too long");
            return self.end_with(literal, Event::AppendBad(refusal));
        }
        let State::AfterMessage { message } = &self.state else { return None };
        match parse_next(&line, message) {
            Ok(AppendNext::End) => {
                self.state = State::Line;
                Some(Event::AppendEnd)
            }
            Ok(AppendNext::Message(message, literal)) => {
                self.state = State::Verdict { literal, message: message.clone() };
                Some(Event::AppendNext(message, literal))
            }
            Err(error) => {
                let literal = wire::literal::at_line_end(without_ending(&line));
                self.end_with(literal, Event::AppendBad(error.into()))
            }
        }
    }

    fn plain_line(&mut self) -> Option<Event> {
        if let Some(line) = self.take_line() {
            let length = without_ending(&line).len();
            return Some(match line.len() > self.line_bytes_max() {
                true => Event::LineTooLong,
                false => Event::Line(line.freeze().slice(..length)),
            });
        }
        if self.inbox.len() > self.line_bytes_max() {
            self.skip_line(Event::LineTooLong);
            return None;
        }
        Some(Event::NeedBytes)
    }
}

const CONTINUE: &[u8] = b"+ OK\r\n";
/// The longest tag that an answer repeats when nothing else of the command was understood.
const TAG_BYTES_MAX: usize = 128;

fn take(event: &mut Event) -> Event {
    std::mem::replace(event, Event::NeedBytes)
}

fn without_ending(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn refusal(error: SyntaxError, frame: &[u8]) -> Refusal {
    let mut refusal = Refusal::from(error);
    refusal.tag = refusal.tag.or_else(|| tag_of(frame));
    refusal
}

/// The tag at the beginning of a command that may be damaged (RFC 9051 §9, tag).
fn tag_of(frame: &[u8]) -> Option<String> {
    let end = frame.iter().position(|c| b" \r\n".contains(c))?;
    let tag = std::str::from_utf8(&frame[..end]).ok()?;
    let fits = |c: u8| c.is_ascii_graphic() && !b"(){%*\"\\+".contains(&c);
    (!tag.is_empty() && tag.len() <= TAG_BYTES_MAX && tag.bytes().all(fits)).then(|| tag.to_owned())
}

/// Whether a connection's first line belongs to HTTP or SMTP: a browser that was lured here must not
/// have its request answered line by line (ALPACA).
fn is_foreign(line: &[u8]) -> bool {
    const VERBS: [&[u8]; 12] = [
        b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH",
        b"PRI", b"EHLO", b"HELO",
    ];
    let mut words = without_ending(line).split(|&c| c == b' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    VERBS.contains(&first)
        && !crate::table::TABLE.iter().any(|row| row.verb.as_bytes().eq_ignore_ascii_case(second))
}
