//! Passwords: asked for, or read from standard input. Never an argument, where everybody on the
//! machine can read them.

use std::io::{BufRead, stdin};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::exit::{Failure, Kind};

/// A password on its way to where it is hashed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(String);

impl Password {
    /// Wraps a text.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Reads the first line of standard input, or asks twice.
pub(crate) fn read(from_stdin: bool) -> Result<Password, Failure> {
    let line = match from_stdin {
        true => {
            let mut line = Zeroizing::new(String::new());
            stdin().lock().read_line(&mut line).map_err(Failure::failed)?;
            let text = line.strip_suffix('\n').unwrap_or(&line);
            Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned())
        }
        false => {
            let ask = |prompt: &str| {
                rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| {
                    let message = format!("{error}; without a terminal use --password-stdin");
                    Failure::new(Kind::Usage, message)
                })
            };
            let first = ask("Password: ")?;
            let second = ask("Once more: ")?;
            if first != second {
                return Err(Failure::failed("the two are not the same"));
            }
            first
        }
    };
    if line.is_empty() {
        return Err(Failure::failed("the password is empty"));
    }
    Ok(Password::new(&line))
}
