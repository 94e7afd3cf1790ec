//! SELECT: open a mailbox, with what the client remembers of it. EXAMINE has the same arguments.
//!
//! RFC 9051 §6.3.2; parameters: RFC 4466 §2.1; CONDSTORE, QRESYNC: RFC 7162 §3.1.8, §3.2.5.

use base::{ModSeq, UidSet, UidValidity};

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style, push};
use crate::grammar;
use crate::value::MailboxName;

/// SELECT and EXAMINE with their parameters, in any order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Select {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// `(CONDSTORE)` (RFC 7162 §3.1.8).
    pub condstore: bool,
    /// `(QRESYNC (...))` (RFC 7162 §3.2.5).
    pub qresync: Option<Qresync>,
}

/// What a client remembers of a mailbox (RFC 7162 §3.2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qresync {
    /// UIDVALIDITY it knows.
    pub uid_validity: UidValidity,
    /// HIGHESTMODSEQ it knows.
    pub mod_seq: ModSeq,
    /// UIDs it knows; no `*`.
    pub known_uids: Option<UidSet>,
    /// Message sequence numbers and the UIDs they had (RFC 7162 §3.2.5.2): equally many of each.
    pub seq_match: Option<(base::SeqSet, UidSet)>,
}

#[derive(Clone, Copy)]
enum Parameter {
    CondStore,
    Qresync,
}

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Select> {
    c.sp()?;
    let mut select = Select { mailbox: grammar::mailbox(c)?, condstore: false, qresync: None };
    if c.eat(b' ') {
        let table = [("CONDSTORE", Parameter::CondStore), ("QRESYNC", Parameter::Qresync)];
        c.list1("CONDSTORE or QRESYNC", |c| {
            let start = c.at();
            match c.choose(&table, "CONDSTORE or QRESYNC")? {
                Parameter::CondStore => select.condstore = true,
                Parameter::Qresync if select.qresync.is_some() => {
                    return Err(c.fail_at(start, "QRESYNC only once"));
                }
                Parameter::Qresync => {
                    c.sp()?;
                    select.qresync = Some(qresync(c)?);
                }
            }
            Ok(())
        })?;
    }
    Ok(select)
}

fn qresync(c: &mut Cursor<'_>) -> Result<Qresync> {
    c.expect(b'(', "an opening parenthesis")?;
    let at = c.at();
    let uid_validity = UidValidity::new(c.nz_number()?.get());
    let uid_validity = uid_validity.ok_or_else(|| c.fail_at(at, "a UIDVALIDITY"))?;
    c.sp()?;
    let mut qresync =
        Qresync { uid_validity, mod_seq: c.mod_seq()?, known_uids: None, seq_match: None };
    let mut more = c.eat(b' ');
    if more && c.peek() != Some(b'(') {
        qresync.known_uids = Some(grammar::known_uids(c)?);
        more = c.eat(b' ');
    }
    if more {
        let at = c.at();
        c.expect(b'(', "an opening parenthesis")?;
        let seqs = grammar::known_seqs(c)?;
        c.sp()?;
        let uids = grammar::known_uids(c)?;
        c.expect(b')', "a closing parenthesis")?;
        if seqs.len() != uids.len() {
            return Err(c.fail_at(at, "as many UIDs as sequence numbers"));
        }
        qresync.seq_match = Some((seqs, uids));
    }
    c.expect(b')', "a closing parenthesis")?;
    Ok(qresync)
}

pub(super) fn print(verb: &str, select: &Select, out: &mut Vec<u8>, style: Style) {
    push(out, format_args!("{verb} "));
    emit::mailbox(out, &select.mailbox, style);
    if !select.condstore && select.qresync.is_none() {
        return;
    }
    out.extend_from_slice(b" (");
    if select.condstore {
        out.extend_from_slice(b"CONDSTORE");
    }
    if let Some(qresync) = &select.qresync {
        let space = if select.condstore { " " } else { "" };
        let Qresync { uid_validity, mod_seq, .. } = qresync;
        push(out, format_args!("{space}QRESYNC ({uid_validity} {mod_seq}"));
        if let Some(uids) = &qresync.known_uids {
            push(out, format_args!(" {uids}"));
        }
        if let Some((seqs, uids)) = &qresync.seq_match {
            push(out, format_args!(" ({seqs} {uids})"));
        }
        out.push(b')');
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn select() {
        check(&[
            ("SELECT inbox", Ok("SELECT INBOX")),
            ("SELECT x (CONDSTORE)", Ok("SELECT x (CONDSTORE)")),
            ("select x (condstore)", Ok("SELECT x (CONDSTORE)")),
            ("SELECT x (QRESYNC (67890007 20))", Ok("SELECT x (QRESYNC (67890007 20))")),
            // eM Client sends both, in any order.
            (
                "SELECT x (QRESYNC (1 0 9,5:3) CONDSTORE)",
                Ok("SELECT x (CONDSTORE QRESYNC (1 0 3:5,9))"),
            ),
            (
                "SELECT x (QRESYNC (1 90060115194045000 41:211,214:541 (1:3 5,7,8)))",
                Ok("SELECT x (QRESYNC (1 90060115194045000 41:211,214:541 (1:3 5,7:8)))"),
            ),
            ("SELECT x (QRESYNC (1 2 (1 5)))", Ok("SELECT x (QRESYNC (1 2 (1 5)))")),
            ("SELECT x ()", Err("expected CONDSTORE or QRESYNC at byte 13")),
            ("SELECT x (FOO)", Err("expected CONDSTORE or QRESYNC at byte 13")),
            ("SELECT x (QRESYNC)", Err("expected a space at byte 20")),
            ("SELECT x (QRESYNC (0 1))", Err("expected a number from 1 to 4294967295 at byte 22")),
            ("SELECT x (QRESYNC (1 1 1:*))", Err("expected a set without * at byte 26")),
            ("SELECT x (QRESYNC (1 1 $))", Err("expected a set of numbers at byte 26")),
            (
                "SELECT x (QRESYNC (1 1 1 (1:2 5)))",
                Err("expected as many UIDs as sequence numbers at byte 28"),
            ),
            (
                "SELECT x (QRESYNC (1 1) QRESYNC (1 1))",
                Err("expected QRESYNC only once at byte 27"),
            ),
            ("SELECT", Err("expected a space at byte 9")),
        ]);
    }
}
