//! Replies with enhanced status codes (RFC 5321 §4.2, RFC 2034, RFC 3463).

/// A reply: its code, its enhanced code, and text for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// `class.subject.detail`; the greeting, LHLO and 354 have none (RFC 2034 §4).
    pub enhanced: Option<&'static str>,
    /// One line each.
    pub lines: Vec<String>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: u16, enhanced: &'static str, text: impl Into<String>) -> Self {
        Self { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// A reply without an enhanced code.
    pub fn bare(code: u16, lines: Vec<String>) -> Self {
        Self { code, enhanced: None, lines }
    }

    /// Whether it says yes.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// The wire's form. Text is ours or was parsed: what might still break a line is replaced.
    pub fn print(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (at, line) in self.lines.iter().enumerate() {
            let separator = if at == last { ' ' } else { '-' };
            out.extend_from_slice(format!("{}{separator}", self.code).as_bytes());
            if let Some(enhanced) = self.enhanced {
                out.extend_from_slice(enhanced.as_bytes());
                out.push(b' ');
            }
            out.extend(line.bytes().map(|byte| if byte.is_ascii_control() { b'?' } else { byte }));
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let print = |reply: Reply| {
            let mut out = Vec::new();
            reply.print(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(print(Reply::new(250, "2.0.0", "OK")), "250 2.0.0 OK\r\n");
        assert_eq!(print(Reply::bare(250, vec!["a".into(), "b".into()])), "250-a\r\n250 b\r\n");
        assert_eq!(print(Reply::new(550, "5.1.1", "a\r\nb")), "550 5.1.1 a??b\r\n");
    }
}
