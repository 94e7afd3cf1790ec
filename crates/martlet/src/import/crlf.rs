//! Line ends. Maildir and mbox keep messages with LF; IMAP wants CRLF (RFC 9051 §2.3, RFC 5322 §2.1).

/// Makes CRLF of bare LF; what is CRLF already, and bare CR, stays. Pieces may end anywhere.
#[derive(Debug, Default)]
pub(super) struct Crlf {
    after_cr: bool,
}

impl Crlf {
    /// The next piece, appended to `out`.
    pub(super) fn convert(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', piece) {
            let cr = if at == 0 { self.after_cr } else { piece[at - 1] == b'\r' };
            if !cr {
                out.extend_from_slice(&piece[from..at]);
                out.extend_from_slice(b"\r\n");
                from = at + 1;
            }
        }
        out.extend_from_slice(&piece[from..]);
        if let Some(last) = piece.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_lf_becomes_crlf_wherever_pieces_end() {
        for (input, expected) in [
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("\n\n", "\r\n\r\n"),
            ("a\rb\n\r\n\r", "a\rb\r\n\r\n\r"),
            ("", ""),
        ] {
            for size in 1..5 {
                let (mut crlf, mut out) = (Crlf::default(), Vec::new());
                for piece in input.as_bytes().chunks(size) {
                    crlf.convert(piece, &mut out);
                }
                assert_eq!(out, expected.as_bytes(), "{input:?} by {size}");
            }
        }
    }
}
