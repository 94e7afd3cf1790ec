//! THREAD and UID THREAD.
//!
//! RFC 5256 §3.

use super::search;
use crate::cursor::{Cursor, Result};
use crate::emit::Style;
use crate::value::{Numbering, SearchKey, ThreadAlgorithm};

/// THREAD (RFC 5256 §3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// Whether UIDs are returned.
    pub numbering: Numbering,
    /// The algorithm.
    pub algorithm: ThreadAlgorithm,
    /// Which messages.
    pub key: SearchKey,
}

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Thread> {
    c.sp()?;
    let table = [
        ("ORDEREDSUBJECT", ThreadAlgorithm::OrderedSubject),
        ("REFERENCES", ThreadAlgorithm::References),
    ];
    let algorithm = c.choose(&table, "ORDEREDSUBJECT or REFERENCES")?;
    c.sp()?;
    Ok(Thread { numbering, algorithm, key: search::criteria(c, false)? })
}

pub(super) fn print(thread: &Thread, out: &mut Vec<u8>, style: Style) {
    super::print_verb("THREAD", thread.numbering, out);
    out.extend_from_slice(match thread.algorithm {
        ThreadAlgorithm::OrderedSubject => b"ORDEREDSUBJECT UTF-8 ",
        ThreadAlgorithm::References => b"REFERENCES UTF-8 ",
    });
    search::print_program(&thread.key, out, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn thread() {
        check(&[
            ("THREAD REFERENCES UTF-8 ALL", Ok("THREAD REFERENCES UTF-8 ALL")),
            (
                "uid thread orderedsubject us-ascii since 5-MAR-2000 unseen",
                Ok("UID THREAD ORDEREDSUBJECT UTF-8 SINCE 5-Mar-2000 UNSEEN"),
            ),
            ("THREAD FOO UTF-8 ALL", Err("expected ORDEREDSUBJECT or REFERENCES at byte 10")),
            ("THREAD REFERENCES KLINGON ALL", Err("unknown charset at byte 21")),
            ("THREAD REFERENCES UTF-8", Err("expected a space at byte 26")),
        ]);
    }
}
