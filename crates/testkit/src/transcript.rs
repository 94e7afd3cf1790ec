//! The form of transcripts: plain text, one step a line.
//!
//! ```text
//! # A comment.
//! MESSAGE plain            a message that later lines name
//! | From: a@example.org
//! |
//! | Text.
//! SESSION 1 alice INBOX    the first time: a connection with these options; then: switch to it
//! C: a NOOP                the client sends this line
//! C+: b NOOP               this one too, in one piece with the line after it
//! C-: c NO                 this, without a line ending
//! S: a OK <any>            the server must send this line: see `pattern`
//! S..: b OK <any>          and this one, after lines that do not matter
//! TICK                     the session's read times out
//! EOF                      the client ends the connection
//! CLOSED                   the server has ended it
//! DO deliver alice plain   the test's own doing
//! ```
//! What the client sends may hold `<msg:plain>`, `<len:plain>`, `<hex:00ff>`, `<fill:1000:x>`,
//! `<crlf>`, and `<x:name>` for a value the server sent.

use std::collections::HashMap;

use crate::pattern::Bindings;

/// One line of a transcript.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// `SESSION name options`
    Session(String, String),
    /// `C:`, `C+:` and `C-:`
    Send {
        /// What is sent.
        text: String,
        /// Whether a line ending follows.
        ends: bool,
        /// Whether it is sent at once, with all that waits.
        at_once: bool,
    },
    /// `S:` and `S..:`
    Expect {
        /// What the line must look like.
        pattern: String,
        /// Whether lines before it do not matter.
        skip: bool,
    },
    /// `TICK`
    Tick,
    /// `EOF`
    Eof,
    /// `CLOSED`
    Closed,
    /// `DO words`
    Do(String),
}

/// A transcript taken apart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transcript {
    /// Steps with their line numbers, from 1.
    pub steps: Vec<(usize, Step)>,
    /// Messages by name, with CRLF.
    pub messages: HashMap<String, Vec<u8>>,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// Says which line is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut transcript = Self::default();
        let mut message: Option<String> = None;
        for (at, line) in text.lines().enumerate() {
            if let Some(body) = line.strip_prefix('|') {
                let name = message.as_ref().ok_or(format!("line {}: no MESSAGE", at + 1))?;
                let body = body.strip_prefix(' ').unwrap_or(body);
                let bytes = transcript.messages.entry(name.clone()).or_default();
                bytes.extend_from_slice(body.as_bytes());
                bytes.extend_from_slice(b"\r\n");
                continue;
            }
            message = None;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix("MESSAGE ") {
                message = Some(name.trim().to_owned());
                continue;
            }
            let step = step(line).ok_or(format!("line {}: what is {line:?}?", at + 1))?;
            transcript.steps.push((at + 1, step));
        }
        Ok(transcript)
    }

    /// The bytes that a `C:` line stands for.
    ///
    /// # Errors
    /// It names a message or a value that is not there.
    pub fn expand(&self, text: &str, bindings: &Bindings) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('<') {
            out.extend_from_slice(&rest.as_bytes()[..open]);
            let after = &rest[open + 1..];
            let bytes = match after.find('>') {
                Some(close) => self.macro_bytes(&after[..close], bindings)?.map(|b| (b, close)),
                None => None,
            };
            match bytes {
                Some((bytes, close)) => {
                    out.extend_from_slice(&bytes);
                    rest = &after[close + 1..];
                }
                None => {
                    out.push(b'<');
                    rest = after;
                }
            }
        }
        out.extend_from_slice(rest.as_bytes());
        Ok(out)
    }

    fn macro_bytes(&self, name: &str, bindings: &Bindings) -> Result<Option<Vec<u8>>, String> {
        if name == "crlf" {
            return Ok(Some(b"\r\n".to_vec()));
        }
        let Some((kind, argument)) = name.split_once(':') else { return Ok(None) };
        let message = || self.messages.get(argument).ok_or(format!("no message {argument:?}"));
        Ok(Some(match kind {
            "msg" => message()?.clone(),
            "len" => message()?.len().to_string().into_bytes(),
            "x" => {
                let value = bindings.get(argument).ok_or(format!("no value {argument:?}"))?;
                value.clone().into_bytes()
            }
            "hex" => (0..argument.len() / 2)
                .map(|at| u8::from_str_radix(&argument[2 * at..2 * at + 2], 16))
                .collect::<Result<_, _>>()
                .map_err(|error| error.to_string())?,
            "fill" => {
                let (count, text) = argument.split_once(':').ok_or("fill needs count and text")?;
                text.repeat(count.parse().map_err(|_| "fill needs a count")?).into_bytes()
            }
            _ => return Ok(None),
        }))
    }
}

fn step(line: &str) -> Option<Step> {
    let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
    let send = |ends, at_once| Step::Send { text: rest.to_owned(), ends, at_once };
    Some(match keyword {
        "SESSION" => {
            let (name, options) = rest.split_once(' ').unwrap_or((rest, ""));
            Step::Session(name.to_owned(), options.trim().to_owned())
        }
        "C:" => send(true, true),
        "C+:" => send(true, false),
        "C-:" => send(false, true),
        "S:" => Step::Expect { pattern: rest.to_owned(), skip: false },
        "S..:" => Step::Expect { pattern: rest.to_owned(), skip: true },
        "TICK" => Step::Tick,
        "EOF" => Step::Eof,
        "CLOSED" => Step::Closed,
        "DO" => Step::Do(rest.to_owned()),
        _ => return None,
    })
}
