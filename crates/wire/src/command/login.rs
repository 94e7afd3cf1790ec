//! LOGIN: a name and a password.
//!
//! RFC 9051 §6.2.3.

use std::fmt;

use bytes::Bytes;

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};

/// LOGIN. Not `Debug`-printed with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: Bytes,
    /// The password.
    pub password: Bytes,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Login> {
    c.sp()?;
    let user = Bytes::from(c.astring_8bit("a user name")?.into_owned());
    c.sp()?;
    let password = Bytes::from(c.astring_8bit("a password")?.into_owned());
    Ok(Login { user, password })
}

pub(super) fn print(login: &Login, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"LOGIN ");
    emit::astring(out, &login.user, style);
    out.push(b' ');
    emit::astring(out, &login.password, style);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::check;

    #[test]
    fn login() {
        check(&[
            ("LOGIN alice secret", Ok("LOGIN alice secret")),
            ("login \"user/shared\" \"a\\\"b\\\\c\"", Ok("LOGIN user/shared \"a\\\"b\\\\c\"")),
            ("LOGIN {5}\r\nalice {0}\r\n", Ok("LOGIN alice \"\"")),
            ("LOGIN {5+}\r\nalice {4+}\r\na\r\nb", Ok("LOGIN alice {4+}\r\na\r\nb")),
            ("LOGIN alice p]w", Ok("LOGIN alice \"p]w\"")),
            ("LOGIN \"jürgen\" pw", Ok("LOGIN {7+}\r\njürgen pw")),
            ("LOGIN alice", Err("expected a space at byte 14")),
            ("LOGIN alice ", Err("expected a password at byte 15")),
            ("LOGIN alice \"a", Err("expected a closing quote at byte 17")),
            (
                "LOGIN alice \"a\\b\"",
                Err("expected \\ or \" after a backslash in quotes at byte 18"),
            ),
            ("LOGIN alice \"a\0\"", Err("expected no NUL in quotes at byte 17")),
            ("LOGIN alice {1}\r\n\0", Err("expected no NUL in a literal at byte 20")),
            ("LOGIN alice ~{1}\r\na", Err("expected the end of the line at byte 16")),
            ("LOGIN alice a b", Err("expected the end of the line at byte 16")),
        ]);
        check_long();
    }

    fn check_long() {
        let password = "x".repeat(10_000);
        let input = format!("LOGIN alice \"{password}\"");
        let printed = format!("LOGIN alice {password}");
        check(&[(&input, Ok(&printed))]);
    }

    #[test]
    fn debug_keeps_the_password() {
        let login = Login { user: "alice".into(), password: "secret".into() };
        assert!(!format!("{login:?}").contains("secret"));
    }
}
