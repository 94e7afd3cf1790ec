//! Lines of text that BINARY gives end with CRLF, however they were sent (RFC 9051 §7.5.2,
//! RFC 3516 §6).

/// Puts a CR before each LF that has none. Bytes come in pieces of any size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    after_cr: bool,
}

impl Lines {
    /// Takes the next bytes; adds to `out` what becomes of them.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (line, more) = rest.split_at(at);
            let has_cr = line.last().map_or(self.after_cr, |&last| last == b'\r');
            out.extend_from_slice(line);
            out.extend_from_slice(if has_cr { b"\n" } else { b"\r\n" });
            (rest, self.after_cr) = (&more[1..], false);
        }
        out.extend_from_slice(rest);
        if let Some(&last) = rest.last() {
            self.after_cr = last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_ends_with_crlf() {
        for (text, wanted) in [
            ("", ""),
            ("a", "a"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\nb\n\nc", "a\r\nb\r\n\r\nc"),
            ("\n\r\n\n", "\r\n\r\n\r\n"),
            ("a\rb\r\r\nc\r", "a\rb\r\r\nc\r"),
        ] {
            for piece in 1..=text.len().max(1) {
                let (mut lines, mut out) = (Lines::default(), Vec::new());
                text.as_bytes().chunks(piece).for_each(|bytes| lines.feed(bytes, &mut out));
                assert_eq!(String::from_utf8(out).unwrap(), wanted, "{text:?} by {piece}");
            }
        }
    }
}
