//! Addresses (RFC 5322 §3.4, with the obsolete forms of §4.4), as ENVELOPE shows them.

use crate::charset::Charset;
use crate::text::{self, Seven};
use crate::token::{Kind, Token, Tokens};

/// One address structure of ENVELOPE (RFC 9051 §7.5.2). A group begins with one that has no host
/// and whose mailbox is the group's name, and ends with one that has neither.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Address {
    /// Display name; encoded-words are not decoded.
    pub name: Option<String>,
    /// Source route.
    pub route: Option<String>,
    /// Local part without quotes, or the group's name.
    pub mailbox: Option<String>,
    /// Domain; the empty string if an address has none.
    pub host: Option<String>,
}

impl Address {
    /// Whether this begins or ends a group.
    pub fn is_group_mark(&self) -> bool {
        self.host.is_none()
    }

    /// Writes the address structure.
    pub(crate) fn print(&self, out: &mut Vec<u8>, utf8: bool) {
        out.push(b'(');
        // A group's name is a phrase, where encoded-words may stand.
        let seven = if self.is_group_mark() { Seven::Words } else { Seven::Marks };
        text::nstring(out, self.name.as_deref(), utf8, Seven::Words);
        out.push(b' ');
        text::nstring(out, self.route.as_deref(), utf8, Seven::Marks);
        out.push(b' ');
        text::nstring(out, self.mailbox.as_deref(), utf8, seven);
        out.push(b' ');
        text::nstring(out, self.host.as_deref(), utf8, Seven::Marks);
        out.push(b')');
    }
}

/// The addresses of a field's value, at most `most`. Tolerant: everything gives some list.
pub fn parse(value: &[u8], most: usize) -> Vec<Address> {
    parse_with(value, most, Charset::Guess)
}

pub(crate) fn parse_with(value: &[u8], most: usize, fallback: Charset) -> Vec<Address> {
    let unfolded = text::unfold(value);
    let mut parser =
        Parser { out: Vec::new(), most, fallback, in_group: false, words: Vec::new(), angle: None };
    for token in Tokens::new(&unfolded) {
        if parser.out.len() >= most {
            break;
        }
        parser.token(token);
    }
    parser.finish();
    parser.out
}

struct Parser {
    out: Vec<Address>,
    most: usize,
    fallback: Charset,
    in_group: bool,
    /// Tokens since the last separator, outside of `<>`.
    words: Vec<Token>,
    /// Tokens since `<`.
    angle: Option<Angle>,
}

#[derive(Default)]
struct Angle {
    tokens: Vec<Token>,
    closed: bool,
    /// How many of the words stand before `<`.
    words_before: usize,
}

impl Parser {
    fn token(&mut self, token: Token) {
        if let Some(angle) = &mut self.angle
            && !angle.closed
        {
            match token.kind {
                Kind::Special(b'>') => angle.closed = true,
                Kind::Special(b'<') | Kind::Comment => {}
                // A route has commas and a colon; elsewhere they end what has no `>`.
                Kind::Special(b',' | b';') if !is_route(&angle.tokens) => {
                    self.separator(&token);
                }
                _ => angle.tokens.push(token),
            }
            return;
        }
        match token.kind {
            Kind::Special(b'<') => {
                // Without a comma between them the words since the last `>` are the next name.
                if let Some(angle) = &self.angle {
                    let words = self.words.split_off(angle.words_before);
                    self.address();
                    self.words = words;
                }
                let words_before = self.words.len();
                self.angle = Some(Angle { words_before, ..Angle::default() });
            }
            Kind::Special(b'>') => {}
            Kind::Special(b',' | b';') => self.separator(&token),
            Kind::Special(b':') if !self.in_group && self.angle.is_none() => {
                let name = self.phrase(&self.words);
                self.words.clear();
                self.in_group = true;
                self.push(Address { mailbox: Some(name), ..Address::default() });
            }
            _ => self.words.push(token),
        }
    }

    fn separator(&mut self, token: &Token) {
        self.address();
        if token.kind == Kind::Special(b';') && self.in_group {
            self.in_group = false;
            self.push(Address::default());
        }
    }

    fn finish(&mut self) {
        self.address();
        if self.in_group {
            // Every group has its end, even if it is one more than allowed.
            self.out.truncate(self.most.saturating_sub(1).max(1));
            self.out.push(Address::default());
        }
    }

    fn push(&mut self, address: Address) {
        if self.out.len() < self.most {
            self.out.push(address);
        }
    }

    fn clean(&self, bytes: &[u8]) -> String {
        text::clean(bytes.trim_ascii(), self.fallback)
    }

    /// A phrase: words with single spaces between them, comments left out.
    fn phrase(&self, tokens: &[Token]) -> String {
        let mut bytes = Vec::new();
        for token in tokens.iter().filter(|token| token.kind != Kind::Comment) {
            if token.spaced && !bytes.is_empty() {
                bytes.push(b' ');
            }
            bytes.extend_from_slice(&token.text);
        }
        self.clean(&bytes)
    }

    /// The last comment, which old mail uses for the name.
    fn comment(&self, tokens: &[Token]) -> Option<String> {
        let token = tokens.iter().rev().find(|token| token.kind == Kind::Comment)?;
        Some(self.clean(&token.text)).filter(|name| !name.is_empty())
    }

    /// What stands between two separators.
    fn address(&mut self) {
        let words = std::mem::take(&mut self.words);
        let address = match self.angle.take() {
            Some(angle) => {
                let (route, spec) = split_route(&angle.tokens);
                let (mailbox, host) = self.spec(spec);
                let (before, after) = words.split_at(angle.words_before.min(words.len()));
                let name = Some(self.phrase(before)).filter(|name| !name.is_empty());
                let name = name.or_else(|| self.comment(&words));
                let after = Some(self.phrase(after)).filter(|name| !name.is_empty());
                let route = Some(self.join(route)).filter(|route| !route.is_empty());
                Address { name: name.or(after), route, mailbox: Some(mailbox), host: Some(host) }
            }
            None => match self.bare(&words) {
                Some(address) => address,
                None => return,
            },
        };
        self.push(address);
    }

    /// An address without `<>`; what stands before it is a name.
    fn bare(&self, tokens: &[Token]) -> Option<Address> {
        let comment = self.comment(tokens);
        let words: Vec<Token> =
            tokens.iter().filter(|token| token.kind != Kind::Comment).cloned().collect();
        if words.is_empty() {
            return None;
        }
        let at_sign = words.iter().rposition(|token| token.kind == Kind::Special(b'@'));
        let Some(at_sign) = at_sign else {
            let phrase = self.phrase(&words);
            // One word is a local mailbox, several are a name.
            let (name, mailbox) = if words.iter().skip(1).any(|token| token.spaced) {
                (Some(phrase), String::new())
            } else {
                (comment, phrase)
            };
            return Some(Address {
                name,
                route: None,
                mailbox: Some(mailbox),
                host: Some(String::new()),
            });
        };
        let start = local_part_start(&words[..at_sign]);
        let end = domain_end(&words, at_sign);
        let name = Some(self.phrase(&words[..start])).filter(|name| !name.is_empty());
        let (mailbox, host) = self.spec(&words[start..end]);
        Some(Address {
            name: name.or(comment),
            route: None,
            mailbox: Some(mailbox),
            host: Some(host),
        })
    }

    /// Local part and domain.
    fn spec(&self, tokens: &[Token]) -> (String, String) {
        match tokens.iter().rposition(|token| token.kind == Kind::Special(b'@')) {
            Some(at_sign) => (self.join(&tokens[..at_sign]), self.join(&tokens[at_sign + 1..])),
            None => (self.join(tokens), String::new()),
        }
    }

    fn join(&self, tokens: &[Token]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.text.iter().copied()).collect();
        self.clean(&bytes)
    }
}

fn is_route(tokens: &[Token]) -> bool {
    tokens.first().is_some_and(|token| token.kind == Kind::Special(b'@'))
        && !tokens.iter().any(|token| token.kind == Kind::Special(b':'))
        // Keeps the look-back short: no real route has as many hops.
        && tokens.len() < 200
}

/// `@one,@two:` and what follows it (RFC 5322 §4.4, obs-route).
fn split_route(tokens: &[Token]) -> (&[Token], &[Token]) {
    let first = tokens.first().is_some_and(|token| token.kind == Kind::Special(b'@'));
    let colon = tokens.iter().position(|token| token.kind == Kind::Special(b':'));
    match colon {
        Some(colon) if first => (&tokens[..colon], &tokens[colon + 1..]),
        _ => (&[], tokens),
    }
}

/// Where the local part begins that ends `tokens`: at the last word that does not touch the one
/// before it, dots with spaces around them set aside (RFC 5322 §4.4, obs-local-part).
fn local_part_start(tokens: &[Token]) -> usize {
    let mut start = tokens.len().saturating_sub(1);
    while start > 0 {
        let dotted = tokens[start].kind == Kind::Special(b'.')
            || tokens[start - 1].kind == Kind::Special(b'.');
        if tokens[start].spaced && !dotted {
            break;
        }
        start -= 1;
    }
    start
}

/// Where the domain ends that begins after `at_sign`.
fn domain_end(tokens: &[Token], at_sign: usize) -> usize {
    let mut end = (at_sign + 2).min(tokens.len());
    while end < tokens.len() {
        let dotted =
            tokens[end].kind == Kind::Special(b'.') || tokens[end - 1].kind == Kind::Special(b'.');
        if tokens[end].spaced && !dotted {
            break;
        }
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(value: &str) -> String {
        let mut out = Vec::new();
        parse(value.as_bytes(), 8).iter().for_each(|address| address.print(&mut out, true));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses() {
        for (input, expected) in [
            ("a@b", r#"(NIL NIL "a" "b")"#),
            ("<a@b>", r#"(NIL NIL "a" "b")"#),
            (
                "Joe Q. Public <john.q.public@example.com>",
                r#"("Joe Q. Public" NIL "john.q.public" "example.com")"#,
            ),
            (r#""Joe \"J\" Doe" <a@b>"#, r#"("Joe \"J\" Doe" NIL "a" "b")"#),
            ("Mary <a@b>, c@d", r#"("Mary" NIL "a" "b")(NIL NIL "c" "d")"#),
            ("a@b (Real Name)", r#"("Real Name" NIL "a" "b")"#),
            ("(x) a@b", r#"("x" NIL "a" "b")"#),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                r#"("Pete" NIL "pete" "silly.test")"#,
            ),
            // Groups.
            (
                "A Group:Ed <e@x>,j@y;",
                r#"(NIL NIL "A Group" NIL)("Ed" NIL "e" "x")(NIL NIL "j" "y")(NIL NIL NIL NIL)"#,
            ),
            (
                "undisclosed-recipients:;",
                r#"(NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)"#,
            ),
            ("g: a@b", r#"(NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)"#),
            (
                "g: a@b;, h: c@d;",
                r#"(NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)(NIL NIL "h" NIL)(NIL NIL "c" "d")(NIL NIL NIL NIL)"#,
            ),
            // Routes and obsolete forms.
            ("<@route:user@domain>", r#"(NIL "@route" "user" "domain")"#),
            ("<@a,@b:user@domain>", r#"(NIL "@a,@b" "user" "domain")"#),
            ("john . doe @ example . com", r#"(NIL NIL "john.doe" "example.com")"#),
            ("a@b,,c@d,", r#"(NIL NIL "a" "b")(NIL NIL "c" "d")"#),
            (r#""john doe"@x"#, r#"(NIL NIL "john doe" "x")"#),
            ("a@[127.0.0.1]", r#"(NIL NIL "a" "[127.0.0.1]")"#),
            // Mistakes.
            ("", ""),
            (" , ;", ""),
            ("root", r#"(NIL NIL "root" "")"#),
            ("John Doe", r#"("John Doe" NIL "" "")"#),
            ("John Doe john@x.org", r#"("John Doe" NIL "john" "x.org")"#),
            ("a@b <c@d>", r#"("a@b" NIL "c" "d")"#),
            ("A B <a@b> C D <c@d>", r#"("A B" NIL "a" "b")("C D" NIL "c" "d")"#),
            ("Name <a@b> junk", r#"("Name" NIL "a" "b")"#),
            ("<a@b> Name", r#"("Name" NIL "a" "b")"#),
            ("<a@b> <c@d>", r#"(NIL NIL "a" "b")(NIL NIL "c" "d")"#),
            ("Name <a@b", r#"("Name" NIL "a" "b")"#),
            ("Name <a@b, c@d", r#"("Name" NIL "a" "b")(NIL NIL "c" "d")"#),
            ("\"unterminated <a@b>", r#"(NIL NIL "unterminated <a@b>" "")"#),
            ("<>", r#"(NIL NIL "" "")"#),
            ("=?utf-8?q?Doe,_John?= <a@b>", r#"("=?utf-8?q?Doe,_John?=" NIL "a" "b")"#),
            ("a@b c@d", r#"("a@b" NIL "c" "d")"#),
            ("(only a comment)", ""),
            ("ü <ä@ö>", r#"("ü" NIL "ä" "ö")"#),
        ] {
            assert_eq!(print(input), expected, "{input:?}");
        }
    }

    #[test]
    fn the_limit_holds_and_groups_end() {
        let many = "a@b,".repeat(100);
        assert_eq!(parse(many.as_bytes(), 8).len(), 8);
        let group = format!("g: {many};");
        let list = parse(group.as_bytes(), 8);
        assert_eq!((list.len(), list.last()), (8, Some(&Address::default())));
    }

    #[test]
    fn to_ascii() {
        let mut out = Vec::new();
        parse("ü <ä@ö>".as_bytes(), 8)[0].print(&mut out, false);
        assert_eq!(String::from_utf8(out).unwrap(), r#"("=?utf-8?b?w7w=?=" NIL "?" "?")"#);
    }
}
