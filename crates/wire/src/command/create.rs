//! CREATE, with the roles of the new mailbox.
//!
//! RFC 9051 §6.3.4; USE: RFC 6154 §3.

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::error::SyntaxErrorKind;
use crate::grammar::{self, SPECIAL_USES, name_of};
use crate::value::{MailboxName, SpecialUse};

/// CREATE (RFC 6154 §3: `(USE (...))`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Create {
    /// The new mailbox; a trailing delimiter is still there.
    pub mailbox: MailboxName,
    /// Roles asked for.
    pub special_use: Vec<SpecialUse>,
}

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Create> {
    c.sp()?;
    let mut create = Create { mailbox: grammar::mailbox(c)?, special_use: Vec::new() };
    if c.eat(b' ') {
        let mut unknown = None;
        c.list1("USE", |c| {
            c.choose(&[("USE", ())], "USE")?;
            c.sp()?;
            c.list(|c| {
                let start = c.at();
                match grammar::special_use(c)? {
                    Some(role) if !create.special_use.contains(&role) => {
                        create.special_use.push(role);
                    }
                    Some(_) => {}
                    None => unknown = Some(start),
                }
                Ok(())
            })
        })?;
        if let Some(at) = unknown {
            let mut error = c.fail_at(at, "a known special use");
            error.kind = SyntaxErrorKind::UnknownSpecialUse;
            return Err(error);
        }
    }
    Ok(create)
}

pub(super) fn print(create: &Create, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"CREATE ");
    emit::mailbox(out, &create.mailbox, style);
    if !create.special_use.is_empty() {
        out.extend_from_slice(b" (USE ");
        emit::list(out, &create.special_use, |out, role| {
            out.extend_from_slice(name_of(SPECIAL_USES, role).as_bytes());
        });
        out.push(b')');
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn create() {
        check(&[
            ("CREATE a/b/", Ok("CREATE a/b/")),
            ("CREATE x (USE (\\Sent \\drafts))", Ok("CREATE x (USE (\\Sent \\Drafts))")),
            ("CREATE x (use (\\Sent \\SENT))", Ok("CREATE x (USE (\\Sent))")),
            ("CREATE x (USE ())", Ok("CREATE x")),
            ("CREATE x (USE (\\Foo))", Err("unknown special use at byte 18")),
            ("CREATE x (USE (Sent))", Err("expected a backslash at byte 18")),
            ("CREATE x (FOO (\\Sent))", Err("expected USE at byte 13")),
            ("CREATE x ()", Err("expected USE at byte 13")),
        ]);
    }
}
