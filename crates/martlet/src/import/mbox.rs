//! An mbox file: mboxo, mboxrd, mboxcl and mboxcl2.
//!
//! The file is read twice: once to count its messages and to find out which form it has, once to
//! tell them. A message begins at a line `From ` with a date, at the start of the file or after an
//! empty line. Its body is as long as `Content-Length` says if another message or the end follows
//! there (mboxcl, mboxcl2), and reaches to the next `From ` line otherwise (mboxo, mboxrd).
//! `>From ` loses one `>`, except in mboxcl2, which is known by a bare `From ` inside a body.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use base::DateTime;

use super::crlf::Crlf;
use super::mbox_head::{Notes, from_line, take_notes};
use super::{Event, Meta, Outlet, Stop, Target};

/// A longer header is body from here on.
const HEADER_BYTES_MAX: usize = 1024 * 1024;
/// Lines are handled in pieces of this many bytes at most.
const PIECE_BYTES: usize = 64 * 1024;

/// What the first reading found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Survey {
    messages: u64,
    imap_base: Option<(u32, u32)>,
    /// A body whose length was announced has a bare `From ` line: mboxcl2.
    bare_from: bool,
}

/// Where what was read goes.
trait Hearer {
    fn begin(&mut self, at: u64, date: DateTime, notes: Notes) -> Result<(), Stop>;
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop>;
    fn end(&mut self) -> Result<(), Stop>;
    /// A line of a body of announced length that begins with `From `.
    fn bare_from(&mut self);
}

/// Tells all messages of `path`, for `mailbox`.
pub(super) fn tell(path: &Path, mailbox: &str, outlet: &Outlet) -> Result<(), Stop> {
    let failed = |error: io::Error| Stop::Failed(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Stop::Failed(format!("{}: this is not a file", path.display())));
    }
    let mut survey = Survey::default();
    Reader::new(&file, false).run(&mut survey).map_err(|stop| told(stop, path))?;
    outlet.tell(Event::Mailbox(Target {
        name: mailbox.to_owned(),
        uid_validity: survey.imap_base.map(|(validity, _)| validity),
        uid_next: survey.imap_base.map(|(_, last)| last.saturating_add(1)),
        total: survey.messages,
    }))?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut teller = Teller {
        outlet,
        path,
        last_uid: 0,
        uid_max: survey.imap_base.map(|(_, last)| last),
        crlf: Crlf::default(),
        skipping: false,
        fallback: DateTime::new(metadata.mtime(), 0),
    };
    Reader::new(&file, survey.bare_from).run(&mut teller).map_err(|stop| told(stop, path))
}

fn told(stop: Stop, path: &Path) -> Stop {
    match stop {
        Stop::Failed(why) => Stop::Failed(format!("{}: {why}", path.display())),
        gone => gone,
    }
}

impl Hearer for Survey {
    fn begin(&mut self, _: u64, _: DateTime, notes: Notes) -> Result<(), Stop> {
        if self.messages == 0 && self.imap_base.is_none() {
            self.imap_base = notes.imap_base;
        }
        self.messages += u64::from(!notes.is_internal);
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    fn bare_from(&mut self) {
        self.bare_from = true;
    }
}

struct Teller<'a> {
    outlet: &'a Outlet,
    path: &'a Path,
    last_uid: u32,
    /// The last UID given, if the file keeps UIDs.
    uid_max: Option<u32>,
    crlf: Crlf,
    /// In a message that nobody wrote.
    skipping: bool,
    fallback: DateTime,
}

impl Hearer for Teller<'_> {
    fn begin(&mut self, at: u64, date: DateTime, notes: Notes) -> Result<(), Stop> {
        self.crlf = Crlf::default();
        self.skipping = notes.is_internal;
        if self.skipping {
            return Ok(());
        }
        // UIDs count only if they ascend and were given (RFC 9051 §2.3.1.1); else they are new.
        let fits = |uid: &u32| self.uid_max.is_some_and(|max| *uid > self.last_uid && *uid <= max);
        let uid = notes.uid.filter(fits);
        self.last_uid = uid.unwrap_or(self.last_uid);
        Ok(self.outlet.tell(Event::Message(Meta {
            label: format!("{}, at byte {at}", self.path.display()),
            uid,
            flags: notes.flags,
            date: if date.seconds() == 0 { self.fallback } else { date },
            size_hint: None,
        }))?)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.skipping || bytes.is_empty() {
            return Ok(());
        }
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16);
        self.crlf.convert(bytes, &mut out);
        Ok(self.outlet.tell(Event::Bytes(out))?)
    }

    fn end(&mut self) -> Result<(), Stop> {
        if self.skipping { Ok(()) } else { Ok(self.outlet.tell(Event::End)?) }
    }

    fn bare_from(&mut self) {}
}

struct Reader<'a> {
    file: &'a File,
    lines: BufReader<&'a File>,
    /// Bytes read from `lines`.
    at: u64,
    /// The file is mboxcl2.
    verbatim: bool,
    /// The next line, or the first piece of it.
    line: Vec<u8>,
    /// Output that waits to be worth sending.
    held: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a File, verbatim: bool) -> Self {
        let lines = BufReader::with_capacity(PIECE_BYTES, file);
        Self { file, lines, at: 0, verbatim, line: Vec::new(), held: Vec::new() }
    }

    /// Reads a line with its end into `line`, or a piece of a long one; false at the end of file.
    fn next_line(&mut self) -> Result<bool, Stop> {
        self.line.clear();
        let mut limited = io::Read::take(&mut self.lines, PIECE_BYTES as u64);
        let read = limited.read_until(b'\n', &mut self.line);
        let count = read.map_err(|error| Stop::Failed(error.to_string()))?;
        self.at += count as u64;
        Ok(count > 0)
    }

    fn run(mut self, target: &mut impl Hearer) -> Result<(), Stop> {
        let mut more = self.next_line()?;
        while more && is_empty(&self.line) {
            more = self.next_line()?;
        }
        if !more {
            return Ok(());
        }
        let no_mbox = || Stop::Failed("this is not an mbox: no `From ` line".to_owned());
        let mut date = from_line(&self.line).ok_or_else(no_mbox)?;
        loop {
            let at = self.at - self.line.len() as u64;
            let (header, in_body) = self.header()?;
            let (kept, notes) = take_notes(&header);
            let length = notes.content_length.filter(|_| in_body);
            target.begin(at, date, notes)?;
            target.bytes(&kept)?;
            let counted = length.filter(|length| self.is_boundary(*length));
            if let Some(length) = counted {
                self.counted_body(length, target)?;
            }
            let next = self.body(in_body && counted.is_none(), target)?;
            target.end()?;
            match next {
                Some(found) => date = found,
                None => return Ok(()),
            }
        }
    }

    /// The header with the empty line at its end; whether that line was found. A header that ends at
    /// a `From ` line ends the message: then that line is left for [`Reader::body`].
    fn header(&mut self) -> Result<(Vec<u8>, bool), Stop> {
        let mut header = Vec::new();
        while header.len() < HEADER_BYTES_MAX {
            if !self.next_line()? {
                return Ok((header, false));
            }
            header.extend_from_slice(&self.line);
            if is_empty(&self.line) {
                break;
            }
        }
        Ok((header, true))
    }

    /// Whether a body of `length` bytes from here is followed by another message or by the end.
    fn is_boundary(&self, length: u64) -> bool {
        let Some(end) = self.at.checked_add(length) else { return false };
        let mut after = [0; 512];
        let Ok(count) = self.file.read_at(&mut after, end) else { return false };
        let after = &after[..count];
        let newline = after.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let next = &after[newline..];
        if next.is_empty() {
            // At the end, or beyond it, which is a lie.
            let size = self.file.metadata().map_or(0, |metadata| metadata.len());
            return end <= size;
        }
        let line = next.split(|byte| *byte == b'\n').next().unwrap_or(next);
        newline > 0 && from_line(line).is_some()
    }

    /// A body whose length is known.
    fn counted_body(&mut self, length: u64, target: &mut impl Hearer) -> Result<(), Stop> {
        let end = self.at + length;
        let mut line_start = true;
        while self.at < end {
            let room = usize::try_from(end - self.at).unwrap_or(usize::MAX).min(PIECE_BYTES);
            self.line.clear();
            let mut limited = io::Read::take(&mut self.lines, room as u64);
            let read = limited.read_until(b'\n', &mut self.line);
            let count = read.map_err(|error| Stop::Failed(error.to_string()))?;
            if count == 0 {
                break;
            }
            self.at += count as u64;
            if line_start && self.line.starts_with(b"From ") {
                target.bare_from();
            }
            let skip = usize::from(line_start && !self.verbatim && is_quoted_from(&self.line));
            self.held.extend_from_slice(&self.line[skip..]);
            line_start = self.line.ends_with(b"\n");
            self.flush(PIECE_BYTES, target)?;
        }
        self.flush(0, target)
    }

    /// A body up to the next `From ` line, whose date it gives; `None` at the end of the file. With
    /// `keep` unset what is left is only what stands between two messages.
    fn body(&mut self, keep: bool, target: &mut impl Hearer) -> Result<Option<DateTime>, Stop> {
        // The empty line before `From ` belongs to the mbox, not to the message.
        let mut empty: Option<Vec<u8>> = None;
        let mut line_start = true;
        let mut after_empty = true;
        loop {
            if !self.next_line()? {
                self.flush(0, target)?;
                return Ok(None);
            }
            if line_start
                && after_empty
                && let Some(date) = from_line(&self.line)
            {
                self.flush(0, target)?;
                return Ok(Some(date));
            }
            if let Some(empty) = empty.take() {
                self.held.extend_from_slice(&empty);
            }
            after_empty = line_start && is_empty(&self.line);
            if after_empty && keep {
                empty = Some(self.line.clone());
            } else if keep {
                let skip = usize::from(line_start && is_quoted_from(&self.line));
                self.held.extend_from_slice(&self.line[skip..]);
            }
            line_start = self.line.ends_with(b"\n");
            self.flush(PIECE_BYTES, target)?;
        }
    }

    fn flush(&mut self, above: usize, target: &mut impl Hearer) -> Result<(), Stop> {
        if self.held.len() > above {
            target.bytes(&self.held)?;
            self.held.clear();
        }
        Ok(())
    }
}

fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// `>From `, `>>From ` and so on.
fn is_quoted_from(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    quotes > 0 && line[quotes..].starts_with(b"From ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    #[derive(Default)]
    struct Collected(Vec<(i64, Notes, Vec<u8>)>, bool);

    impl Hearer for Collected {
        fn begin(&mut self, _: u64, date: DateTime, notes: Notes) -> Result<(), Stop> {
            self.0.push((date.seconds(), notes, Vec::new()));
            Ok(())
        }
        fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
            self.0.last_mut().unwrap().2.extend_from_slice(bytes);
            Ok(())
        }
        fn end(&mut self) -> Result<(), Stop> {
            Ok(())
        }
        fn bare_from(&mut self) {
            self.1 = true;
        }
    }

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let run = |verbatim| {
            (&file).seek(SeekFrom::Start(0)).unwrap();
            let mut all = Collected::default();
            match Reader::new(&file, verbatim).run(&mut all) {
                Ok(()) => Ok(all),
                Err(Stop::Failed(why)) => Err(why),
                Err(Stop::Gone) => Err("gone".to_owned()),
            }
        };
        let first = run(false)?;
        let all = if first.1 { run(true)? } else { first };
        Ok(all.0.into_iter().map(|(_, _, text)| String::from_utf8(text).unwrap()).collect())
    }

    const FROM: &str = "From a@b Mon Nov 23 10:02:54 2026\n";

    #[test]
    fn messages_are_told_apart() {
        for (parts, expected) in [
            (
                &[FROM, "A: 1\n\nx\n\n", FROM, "B: 2\n\ny\n"][..],
                &["A: 1\n\nx\n", "B: 2\n\ny\n"][..],
            ),
            // Only a `From ` line with a date, after an empty line, begins a message.
            (
                &[FROM, "A: 1\n\nFrom here on\n\nFrom me\n", FROM, "z\n"],
                &["A: 1\n\nFrom here on\n\nFrom me\nFrom a@b Mon Nov 23 10:02:54 2026\nz\n"],
            ),
            // mboxrd, and mboxo
            (
                &[FROM, "A: 1\n\n>From x\n>>From y\n> From z\n"],
                &["A: 1\n\nFrom x\n>From y\n> From z\n"],
            ),
            // Empty lines in a body stay, but for the last one.
            (&[FROM, "A: 1\n\nx\n\n\n\n", FROM, "\n\n"], &["A: 1\n\nx\n\n\n", "\n"]),
            (&[FROM, "A: 1\r\n\r\nx\r\n\r\n", FROM, "B: 1\n"], &["A: 1\r\n\r\nx\r\n", "B: 1\n"]),
            // mboxcl2: what looks like a message is text.
            (
                &[FROM, "Content-Length: 39\nA: 1\n\n\n", FROM, ">From\n\n", FROM, "B: 2\n\ny\n"],
                &["A: 1\n\n\nFrom a@b Mon Nov 23 10:02:54 2026\n>From\n", "B: 2\n\ny\n"],
            ),
            // mboxcl
            (
                &[FROM, "Content-Length: 8\n\n>From x\n\n", FROM, "B: 2\n\ny\n"],
                &["\nFrom x\n", "B: 2\n\ny\n"],
            ),
            // A Content-Length that lies is not believed.
            (
                &[FROM, "Content-Length: 1\n\nx y\n\n", FROM, "Content-Length: 99\n\nb\n"],
                &["\nx y\n", "\nb\n"],
            ),
            (&[""], &[]),
            (&["\n\n"], &[]),
        ] {
            let mut text = parts.concat();
            // The length of the mboxcl2 body, computed rather than counted by hand.
            text = text
                .replace("Content-Length: 39", &format!("Content-Length: {}", 1 + FROM.len() + 6));
            assert_eq!(
                read(&text).as_deref(),
                Ok(expected)
                    .map(|e| e.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
                    .as_deref(),
                "{text:?}"
            );
        }
        assert!(read("Subject: no mbox\n\nx\n").is_err());
    }

    #[test]
    fn long_lines_and_headers_stay_bounded() {
        let long = "x".repeat(3 * PIECE_BYTES + 17);
        let text = format!("{FROM}A: {long}\n\n{long}\n\n{FROM}B: 2\n\ny\n");
        let expected = [format!("A: {long}\n\n{long}\n"), "B: 2\n\ny\n".to_owned()];
        assert_eq!(read(&text).unwrap(), expected);
    }

    /// As mboxrd has it: every line that looks like `From ` behind any number of `>` gets one more.
    fn write(messages: &[Vec<String>]) -> String {
        let mut text = String::new();
        for lines in messages {
            text.push_str(FROM);
            text.push_str("Subject: x\n\n");
            for line in lines {
                let quote = line.trim_start_matches('>').starts_with("From ");
                text.push_str(&format!("{}{line}\n", if quote { ">" } else { "" }));
            }
            text.push('\n');
        }
        text
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            Just(FROM.trim_end().to_owned()),
            Just("From here".to_owned()),
            Just(format!(">{}", FROM.trim_end())),
            Just(">>From ".to_owned()),
            "[ -~]{0,10}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_written_is_read(
            messages in prop::collection::vec(prop::collection::vec(line(), 0..8), 0..5)
        ) {
            let expected: Vec<String> = messages
                .iter()
                .map(|lines| lines.iter().fold("Subject: x\n\n".to_owned(), |all, line| all + line + "\n"))
                .collect();
            prop_assert_eq!(read(&write(&messages)), Ok(expected));
        }

        #[test]
        fn nothing_panics(text in prop::collection::vec(
            prop_oneof![line(), Just("Content-Length: 7".to_owned()), Just("X-IMAP: 5 6".to_owned())], 0..12
        )) {
            let _ = read(&text.join("\n"));
            let _ = read(&format!("{FROM}{}", text.join("\n")));
        }
    }
}
