//! ENABLE: switch on what changes the protocol.
//!
//! RFC 9051 §6.3.1, RFC 5161.

use bytes::Bytes;

use super::Command;
use crate::cursor::{Cursor, Result};
use crate::emit;

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut names = Vec::new();
    loop {
        names.push(Bytes::copy_from_slice(c.atom("a capability")?));
        if !c.eat(b' ') {
            return Ok(Command::Enable(names));
        }
    }
}

pub(super) fn print(names: &[Bytes], out: &mut Vec<u8>) {
    out.extend_from_slice(b"ENABLE ");
    emit::spaced(out, names, |out, name| out.extend_from_slice(name));
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn enable() {
        check(&[
            ("ENABLE CONDSTORE", Ok("ENABLE CONDSTORE")),
            ("enable UTF8=ACCEPT qresync x-y", Ok("ENABLE UTF8=ACCEPT qresync x-y")),
            ("ENABLE", Err("expected a space at byte 9")),
            ("ENABLE ", Err("expected a capability at byte 10")),
            ("ENABLE A  B", Err("expected a capability at byte 12")),
        ]);
    }
}
