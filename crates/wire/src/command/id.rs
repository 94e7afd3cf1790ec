//! ID: who is there.
//!
//! RFC 2971.

use bytes::Bytes;

use super::Command;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    if c.eat_nil() {
        return Ok(Command::Id(None));
    }
    let pairs = c.list(|c| {
        let field = c.string(true, "a field's name in quotes")?.into_owned();
        c.sp()?;
        let value = c.nstring(true)?;
        Ok((Bytes::from(field), value.map(|value| Bytes::from(value.into_owned()))))
    })?;
    Ok(Command::Id(Some(pairs)))
}

pub(super) fn print(pairs: Option<&Vec<(Bytes, Option<Bytes>)>>, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"ID ");
    let Some(pairs) = pairs else {
        out.extend_from_slice(b"NIL");
        return;
    };
    emit::list(out, pairs, |out, (field, value)| {
        emit::string(out, field, style);
        out.push(b' ');
        match value {
            Some(value) => emit::string(out, value, style),
            None => out.extend_from_slice(b"NIL"),
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn id() {
        check(&[
            ("ID NIL", Ok("ID NIL")),
            ("id nil", Ok("ID NIL")),
            ("ID ()", Ok("ID ()")),
            ("ID (\"name\" \"x\" \"os\" NIL)", Ok("ID (\"name\" \"x\" \"os\" NIL)")),
            ("ID (\"name\" {3}\r\na\"b)", Ok("ID (\"name\" \"a\\\"b\")")),
            ("ID", Err("expected a space at byte 5")),
            ("ID (\"name\")", Err("expected a space at byte 13")),
            ("ID (name \"x\")", Err("expected a field's name in quotes at byte 7")),
            ("ID (\"name\" x)", Err("expected a string or NIL at byte 14")),
            ("ID (\"name\" \"x\"", Err("expected a space or a closing parenthesis at byte 17")),
        ]);
    }
}
