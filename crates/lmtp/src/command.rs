//! The commands (RFC 2033 §4, RFC 5321 §4.1.1).

use crate::address::{Address, Sender, forward_path, reverse_path};
use crate::reply::Reply;

/// One command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// LHLO: who the client is.
    Lhlo(String),
    /// MAIL FROM: a transaction begins.
    Mail {
        /// Where bounces go.
        sender: Sender,
        /// SIZE=: the message's octets as far as the client knows.
        size: Option<u64>,
        /// SMTPUTF8: addresses and headers may hold UTF-8.
        utf8: bool,
    },
    /// RCPT TO: one more recipient.
    Rcpt(Address),
    /// DATA: the message follows after the answer, with a dot at its end.
    Data,
    /// BDAT: a piece of the message follows at once (RFC 3030 §2).
    Bdat {
        /// Octets.
        size: u64,
        /// Whether it is the last one.
        last: bool,
    },
    /// RSET: the transaction is given up.
    Rset,
    /// NOOP
    Noop,
    /// VRFY
    Vrfy,
    /// HELP
    Help,
    /// QUIT
    Quit,
}

fn syntax(text: &str) -> Reply {
    Reply::new(501, "5.5.4", text)
}

/// Splits at spaces; an empty rest for the last word.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    text.split_once(' ').unwrap_or((text, ""))
}

impl Command {
    /// Reads a line without its CRLF; an answer if it is no command.
    pub fn parse(line: &[u8]) -> Result<Self, Reply> {
        let broken = || Reply::new(500, "5.5.2", "The line has a byte that may not be there");
        let line = std::str::from_utf8(line).map_err(|_| broken())?;
        if line.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(broken());
        }
        let line = line.trim_end_matches([' ', '\t']);
        let (verb, rest) = word(line);
        let rest = rest.trim_start_matches(' ');
        let alone = |command: Self| match rest {
            "" => Ok(command),
            _ => Err(syntax("This command takes no arguments")),
        };
        match verb.to_ascii_uppercase().as_str() {
            "LHLO" => lhlo(rest),
            "MAIL" => mail(rest),
            "RCPT" => rcpt(rest),
            "DATA" => alone(Self::Data),
            "BDAT" => bdat(rest),
            "RSET" => alone(Self::Rset),
            "NOOP" => Ok(Self::Noop),
            "VRFY" => Ok(Self::Vrfy),
            "HELP" => Ok(Self::Help),
            "QUIT" => alone(Self::Quit),
            // RFC 2033 §4.1: not LMTP.
            "HELO" | "EHLO" => Err(Reply::new(500, "5.5.1", "This is LMTP: say LHLO")),
            "STARTTLS" | "AUTH" | "EXPN" | "TURN" | "ETRN" => {
                Err(Reply::new(502, "5.5.1", "This command is not implemented"))
            }
            _ => Err(Reply::new(500, "5.5.1", "This command is not known")),
        }
    }
}

fn lhlo(rest: &str) -> Result<Command, Reply> {
    let (name, more) = word(rest);
    if name.is_empty() || !more.is_empty() || name.len() > 255 {
        return Err(syntax("LHLO takes one name"));
    }
    Ok(Command::Lhlo(name.to_owned()))
}

/// What follows `FROM:` or `TO:`; some clients put a space there.
fn after<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let (found, rest) = rest.split_at_checked(keyword.len())?;
    found.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

/// The parameters of MAIL and RCPT as keyword and value (RFC 5321 §4.1.2, esmtp-param).
fn parameters(rest: &str) -> Result<Vec<(String, Option<&str>)>, Reply> {
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(syntax("There is something behind the address"));
    }
    let split = |text: &'static str| syntax(text);
    let words = rest.split(' ').filter(|word| !word.is_empty());
    let mut found = Vec::new();
    for word in words {
        let (keyword, value) = match word.split_once('=') {
            Some((_, "")) => return Err(split("A parameter has an empty value")),
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let keyword = keyword.to_ascii_uppercase();
        if found.iter().any(|(other, _)| *other == keyword) {
            return Err(split("A parameter is there twice"));
        }
        found.push((keyword, value));
    }
    Ok(found)
}

fn not_ascii() -> Reply {
    Reply::new(553, "5.6.7", "An address with UTF-8 needs SMTPUTF8")
}

fn mail(rest: &str) -> Result<Command, Reply> {
    let rest = after(rest, "FROM:").ok_or_else(|| syntax("Say MAIL FROM:<address>"))?;
    let (sender, rest) = reverse_path(rest)
        .ok_or_else(|| Reply::new(501, "5.1.7", "The sender's address is malformed"))?;
    let (mut size, mut utf8) = (None, false);
    for (keyword, value) in parameters(rest)? {
        match (keyword.as_str(), value) {
            // RFC 1870 §3: up to 20 digits.
            ("SIZE", Some(value)) => {
                let digits = value.len() <= 20 && value.bytes().all(|byte| byte.is_ascii_digit());
                let number = value.parse().unwrap_or(u64::MAX);
                size = Some(if digits { number } else { return Err(syntax("SIZE is a number")) });
            }
            ("BODY", Some(value)) => match value.to_ascii_uppercase().as_str() {
                "7BIT" | "8BITMIME" => {}
                _ => return Err(Reply::new(555, "5.5.4", "This BODY is not offered")),
            },
            ("SMTPUTF8", None) => utf8 = true,
            ("SIZE" | "BODY" | "SMTPUTF8", _) => return Err(syntax("A parameter is malformed")),
            _ => return Err(Reply::new(555, "5.5.4", "A parameter is not offered")),
        }
    }
    if !utf8 && sender.as_ref().is_some_and(|sender| !sender.is_ascii()) {
        return Err(not_ascii());
    }
    Ok(Command::Mail { sender, size, utf8 })
}

fn rcpt(rest: &str) -> Result<Command, Reply> {
    let rest = after(rest, "TO:").ok_or_else(|| syntax("Say RCPT TO:<address>"))?;
    let (recipient, rest) = forward_path(rest)
        .ok_or_else(|| Reply::new(501, "5.1.3", "The recipient's address is malformed"))?;
    match parameters(rest)?.is_empty() {
        true => Ok(Command::Rcpt(recipient)),
        false => Err(Reply::new(555, "5.5.4", "A parameter is not offered")),
    }
}

fn bdat(rest: &str) -> Result<Command, Reply> {
    let (size, last) = word(rest);
    let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    let size = size.parse().ok().filter(|_| digits);
    let last = match last.trim() {
        "" => Some(false),
        word if word.eq_ignore_ascii_case("LAST") => Some(true),
        _ => None,
    };
    match (size, last) {
        (Some(size), Some(last)) => Ok(Command::Bdat { size, last }),
        _ => Err(syntax("Say BDAT octets [LAST]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(local: &str, domain: &str) -> Address {
        Address { local: local.into(), domain: Some(domain.into()) }
    }

    #[test]
    fn lines() {
        let mail = |size, utf8| Command::Mail { sender: Some(address("a", "b")), size, utf8 };
        for (line, expected) in [
            ("LHLO mx.example", Ok(Command::Lhlo("mx.example".into()))),
            ("lhlo [192.0.2.1] ", Ok(Command::Lhlo("[192.0.2.1]".into()))),
            ("LHLO", Err((501, "5.5.4"))),
            ("LHLO a b", Err((501, "5.5.4"))),
            ("EHLO a", Err((500, "5.5.1"))),
            ("HELO a", Err((500, "5.5.1"))),
            ("MAIL FROM:<a@b>", Ok(mail(None, false))),
            ("mail from: <a@b> size=10 body=8bitmime smtputf8", Ok(mail(Some(10), true))),
            ("MAIL FROM:<>", Ok(Command::Mail { sender: None, size: None, utf8: false })),
            ("MAIL FROM:<a@b> SIZE=99999999999999999999", Ok(mail(Some(u64::MAX), false))),
            ("MAIL FROM:<a@b> SIZE=-1", Err((501, "5.5.4"))),
            ("MAIL FROM:<a@b> SIZE=", Err((501, "5.5.4"))),
            ("MAIL FROM:<a@b> SIZE", Err((501, "5.5.4"))),
            ("MAIL FROM:<a@b> SIZE=1 SIZE=2", Err((501, "5.5.4"))),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", Err((555, "5.5.4"))),
            ("MAIL FROM:<a@b> RET=HDRS", Err((555, "5.5.4"))),
            ("MAIL FROM:<a@b>SIZE=1", Err((501, "5.5.4"))),
            ("MAIL FROM:<j\u{f6}rg@b>", Err((553, "5.6.7"))),
            ("MAIL FROM:a@b", Err((501, "5.1.7"))),
            ("MAIL a@b", Err((501, "5.5.4"))),
            ("MAIL \u{f6}\u{f6}\u{f6}:", Err((501, "5.5.4"))),
            ("RCPT TO:<a@b>", Ok(Command::Rcpt(address("a", "b")))),
            ("RCPT TO:<>", Err((501, "5.1.3"))),
            ("RCPT TO:<a@b> NOTIFY=NEVER", Err((555, "5.5.4"))),
            ("DATA", Ok(Command::Data)),
            ("DATA now", Err((501, "5.5.4"))),
            ("BDAT 0 last", Ok(Command::Bdat { size: 0, last: true })),
            ("BDAT 12", Ok(Command::Bdat { size: 12, last: false })),
            ("BDAT", Err((501, "5.5.4"))),
            ("BDAT +1", Err((501, "5.5.4"))),
            ("BDAT 99999999999999999999", Err((501, "5.5.4"))),
            ("BDAT 1 MORE", Err((501, "5.5.4"))),
            ("RSET", Ok(Command::Rset)),
            ("NOOP whatever", Ok(Command::Noop)),
            ("VRFY a", Ok(Command::Vrfy)),
            ("HELP", Ok(Command::Help)),
            ("QUIT", Ok(Command::Quit)),
            ("STARTTLS", Err((502, "5.5.1"))),
            ("", Err((500, "5.5.1"))),
            ("XYZZY", Err((500, "5.5.1"))),
            ("NO\0OP", Err((500, "5.5.2"))),
            ("NOOP\rQUIT", Err((500, "5.5.2"))),
        ] {
            let found = Command::parse(line.as_bytes());
            let found = found.map_err(|reply| (reply.code, reply.enhanced.unwrap_or_default()));
            assert_eq!(found, expected, "{line:?}");
        }
        // A character cut off in its middle (CVE-2020-7046).
        assert_eq!(Command::parse(b"RCPT TO:<j\xc3").map_err(|reply| reply.code), Err(500));
    }

    proptest! {
        #[test]
        fn any_line_is_read(bytes in prop::collection::vec(any::<u8>(), 0..60),
                            rest in "[ -~\u{e9}]{0,30}") {
            let _ = Command::parse(&bytes);
            for verb in ["MAIL FROM:<", "RCPT TO:<", "BDAT ", "LHLO ", "MAIL FROM:<> "] {
                let _ = Command::parse(format!("{verb}{rest}").as_bytes());
            }
        }
    }
}
