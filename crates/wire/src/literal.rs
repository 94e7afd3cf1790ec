//! Literal announcements, `{310}` and its like (RFC 9051 §4.3, RFC 7888, RFC 3516).

/// What a literal's announcement says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiteralSpec {
    /// How many bytes follow the line.
    pub bytes: u64,
    /// Whether the client waits for a continuation request; false for `{n+}`.
    pub sync: bool,
    /// `~{n}`: a literal8, which may hold NUL (RFC 3516).
    pub binary: bool,
}

/// The literal that `line`, without its line ending, announces at its end, if it does.
pub fn at_line_end(line: &[u8]) -> Option<LiteralSpec> {
    let open = memchr::memrchr(b'{', line)?;
    let mut end = LineEnd::default();
    end.push(&line[open.saturating_sub(1)..]);
    end.literal()
}

/// Reads a line that is not kept, piece by piece, for the literal that it announces at its end: as
/// [`at_line_end`] does with a whole one, however the line is cut and however long it is.
#[derive(Clone, Copy, Default, Debug)]
pub struct LineEnd(Place);

/// Where in an announcement the last byte was.
#[derive(Clone, Copy, Default, Debug)]
enum Place {
    #[default]
    Outside,
    Tilde,
    Open {
        binary: bool,
    },
    /// In the digits, or behind the plus sign when it does not wait.
    Size(LiteralSpec),
    /// Behind the brace, or behind the line feed that follows it.
    Whole(LiteralSpec),
    /// Behind the carriage return that follows the brace.
    Return(LiteralSpec),
}

impl LineEnd {
    /// Reads on; the line feed may be in `piece`, nothing behind it may.
    pub fn push(&mut self, piece: &[u8]) {
        self.0 = piece.iter().fold(self.0, |place, &byte| place.next(byte));
    }

    /// What the line announces, if it ends here: with its line ending or without.
    pub fn literal(&self) -> Option<LiteralSpec> {
        match self.0 {
            Place::Whole(literal) => Some(literal),
            _ => None,
        }
    }
}

impl Place {
    fn next(self, byte: u8) -> Place {
        match (self, byte) {
            (Place::Tilde, b'{') => Place::Open { binary: true },
            (_, b'{') => Place::Open { binary: false },
            (_, b'~') => Place::Tilde,
            (Place::Open { binary }, b'0'..=b'9') => {
                Place::Size(LiteralSpec { bytes: u64::from(byte - b'0'), sync: true, binary })
            }
            (Place::Size(literal), b'0'..=b'9') if literal.sync => {
                // 63 bits: RFC 9051 §9, number64. A size above is one that nobody can take either;
                // were it no announcement, the bytes behind it would be read as commands.
                let bytes = literal.bytes.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                Place::Size(LiteralSpec { bytes: bytes.min(i64::MAX as u64), ..literal })
            }
            (Place::Size(literal), b'+') if literal.sync => {
                Place::Size(LiteralSpec { sync: false, ..literal })
            }
            (Place::Size(literal), b'}') => Place::Whole(literal),
            (Place::Whole(literal), b'\r') => Place::Return(literal),
            (Place::Whole(literal) | Place::Return(literal), b'\n') => Place::Whole(literal),
            _ => Place::Outside,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn announcements() {
        let spec = |bytes, sync, binary| Some(LiteralSpec { bytes, sync, binary });
        for (line, expected) in [
            ("a LOGIN {5}", spec(5, true, false)),
            ("a LOGIN {5+}", spec(5, false, false)),
            ("a APPEND x ~{0}", spec(0, true, true)),
            ("a APPEND x UTF8 (~{310+}", spec(310, false, true)),
            ("{9223372036854775807}", spec(i64::MAX as u64, true, false)),
            ("{007}", spec(7, true, false)),
            ("{9223372036854775808}", spec(i64::MAX as u64, true, false)),
            ("{99999999999999999999999+}", spec(i64::MAX as u64, false, false)),
            ("{}", None),
            ("{+}", None),
            ("{5-}", None),
            ("{5} ", None),
            ("{ 5}", None),
            ("{-5}", None),
            ("5}", None),
            ("\"{5}\"", None),
            ("{5++}", None),
            ("{5+5}", None),
            ("{5}\r", None),
            ("{{5}", spec(5, true, false)),
            ("~{{5}", spec(5, true, false)),
            ("~~{5}", spec(5, true, true)),
            ("{5}{6}", spec(6, true, false)),
            ("", None),
        ] {
            assert_eq!(at_line_end(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn zeros_ahead_of_a_size_count_for_nothing() {
        let line = format!("a APPEND x ~{{{}310+}}", "0".repeat(10_000));
        let expected = Some(LiteralSpec { bytes: 310, sync: false, binary: true });
        assert_eq!(at_line_end(line.as_bytes()), expected);
    }

    proptest! {
        #[test]
        fn pieces_announce_what_the_whole_line_does(
            line in "[ax ]{0,5}[~{]{0,3}[0-9]{0,25}[+]{0,2}[}]{0,2}",
            ending in prop::sample::select(vec!["", "\n", "\r\n"]),
            piece in 1_usize..9,
        ) {
            let mut end = LineEnd::default();
            for piece in format!("{line}{ending}").as_bytes().chunks(piece) {
                end.push(piece);
            }
            prop_assert_eq!(end.literal(), at_line_end(line.as_bytes()));
        }
    }
}
