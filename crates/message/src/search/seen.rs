//! What a reader sees of a text with markup: HTML without tags, joined lines of calendars and cards.
//!
//! A text with markup is searched twice, as it stands and as it is seen. As it stands, because IMAP's
//! meaning is a substring of the decoded text (RFC 9051 §6.4.4), and what was found by a part of a
//! link yesterday should be found tomorrow. As it is seen, because nobody searches for
//! `Gr&uuml;&szlig;e` or `im<b>port</b>ant`.

use super::entities::ENTITIES;
use super::kind::Kind;

/// Tags that do not separate words.
const INLINE: [&str; 24] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins",
    "kbd", "mark", "s", "small", "span", "strong", "sub", "sup", "tt", "u", "wbr",
];
/// Longest name of an entity or a tag that is known; what is longer is none.
const NAME_MAX: usize = 32;

/// A streaming reader, in memory bounded by a name.
pub(super) enum Seen {
    Html(Html),
    Folded(Folded),
}

impl Seen {
    /// Of a text of this kind, if it is seen otherwise than it stands.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Html => Some(Self::Html(Html::default())),
            Kind::Folded => Some(Self::Folded(Folded::default())),
            _ => None,
        }
    }

    /// The next piece.
    pub(super) fn feed(&mut self, text: &str, out: &mut String) {
        match self {
            Self::Html(html) => text.chars().for_each(|char| html.char(char, out)),
            Self::Folded(folded) => text.chars().for_each(|char| folded.char(char, out)),
        }
    }

    /// The end.
    pub(super) fn finish(&mut self, out: &mut String) {
        match self {
            Self::Html(html) => html.finish(out),
            Self::Folded(folded) => folded.finish(out),
        }
    }
}

#[derive(Default)]
enum State {
    #[default]
    Text,
    /// After `<`.
    Open,
    Tag(Tag),
    /// After `<!`, then in a comment; how many dashes in a row came.
    Declaration(u8),
    Comment(u8),
    Entity,
    /// In a script or a style: nobody sees it.
    Hidden,
}

#[derive(Default)]
struct Tag {
    named: bool,
    closes: bool,
    /// A quote is one only after `=`.
    after_equals: bool,
    quote: Option<char>,
}

/// HTML without its tags. Tolerant: everything is read somehow.
#[derive(Default)]
pub(super) struct Html {
    state: State,
    /// The name of a tag or an entity; in hidden text, its end as far as it came.
    name: String,
    /// The element whose content is hidden.
    hidden: Option<&'static str>,
    /// White space came, and something before it.
    space: bool,
    begun: bool,
}

impl Html {
    fn char(&mut self, char: char, out: &mut String) {
        match &mut self.state {
            State::Text => match char {
                '<' => self.state = State::Open,
                '&' => self.begin_name(State::Entity),
                _ => self.show(char, out),
            },
            State::Open => match char {
                '!' => self.state = State::Declaration(0),
                'a'..='z' | 'A'..='Z' | '/' | '?' => {
                    self.begin_name(State::Tag(Tag::default()));
                    self.tag(char);
                }
                _ => {
                    self.state = State::Text;
                    self.show('<', out);
                    self.char(char, out);
                }
            },
            State::Tag(_) => self.tag(char),
            State::Declaration(dashes) => match char {
                '-' if *dashes == 1 => self.state = State::Comment(0),
                '-' if *dashes == 0 => *dashes = 1,
                '>' => self.state = State::Text,
                _ => *dashes = 2,
            },
            State::Comment(dashes) => match char {
                '-' => *dashes = (*dashes + 1).min(2),
                '>' if *dashes == 2 => self.state = State::Text,
                _ => *dashes = 0,
            },
            State::Entity => self.entity(char, out),
            State::Hidden => self.hidden(char),
        }
    }

    fn begin_name(&mut self, state: State) {
        self.name.clear();
        self.state = state;
    }

    /// White space is shown as one space, and none where nothing is.
    fn show(&mut self, char: char, out: &mut String) {
        match char {
            // Soft hyphens and characters without width are not seen.
            '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => {}
            char if char.is_whitespace() => self.space = true,
            char => {
                if self.space && self.begun {
                    out.push(' ');
                }
                (self.space, self.begun) = (false, true);
                out.push(char);
            }
        }
    }

    fn tag(&mut self, char: char) {
        let State::Tag(tag) = &mut self.state else { return };
        if let Some(quote) = tag.quote {
            if char == quote {
                tag.quote = None;
            }
            return;
        }
        match char {
            '>' => self.end_tag(),
            '/' if self.name.is_empty() => tag.closes = true,
            '"' | '\'' if tag.after_equals => (tag.quote, tag.after_equals) = (Some(char), false),
            '=' => (tag.named, tag.after_equals) = (true, true),
            char if char.is_ascii_alphanumeric() && !tag.named => {
                if self.name.len() < NAME_MAX {
                    self.name.push(char.to_ascii_lowercase());
                }
            }
            char => {
                tag.named = true;
                tag.after_equals &= char.is_whitespace();
            }
        }
    }

    fn end_tag(&mut self) {
        let State::Tag(tag) = std::mem::take(&mut self.state) else { return };
        if !INLINE.contains(&self.name.as_str()) {
            self.space = true;
        }
        let hidden = ["script", "style"].into_iter().find(|name| *name == self.name);
        if hidden.is_some() && !tag.closes {
            self.hidden = hidden;
            self.begin_name(State::Hidden);
        }
    }

    /// Until `</name`.
    fn hidden(&mut self, char: char) {
        let Some(hidden) = self.hidden else { return };
        let awaited = match self.name.len() {
            0 => Some('<'),
            1 => Some('/'),
            at => hidden.chars().nth(at - 2),
        };
        if awaited == Some(char.to_ascii_lowercase()) {
            self.name.push(char.to_ascii_lowercase());
        } else {
            self.name.clear();
            if char == '<' {
                self.name.push(char);
            }
        }
        if self.name.len() == hidden.len() + 2 {
            let tag = Tag { named: true, closes: true, ..Tag::default() };
            self.begin_name(State::Tag(tag));
        }
    }

    fn entity(&mut self, char: char, out: &mut String) {
        if (char.is_ascii_alphanumeric() || char == '#' && self.name.is_empty())
            && self.name.len() < NAME_MAX
        {
            self.name.push(char);
            return;
        }
        self.end_entity(char == ';', out);
        if char != ';' {
            self.char(char, out);
        }
    }

    /// What is no entity stands for itself.
    fn end_entity(&mut self, ended: bool, out: &mut String) {
        self.state = State::Text;
        let name = std::mem::take(&mut self.name);
        match entity(&name) {
            Some(char) => self.show(char, out),
            None => {
                let end = if ended { ";" } else { "" };
                for char in ["&", &name, end].iter().flat_map(|text| text.chars()) {
                    self.show(char, out);
                }
            }
        }
    }

    fn finish(&mut self, out: &mut String) {
        match self.state {
            State::Open => self.show('<', out),
            State::Entity => self.end_entity(false, out),
            _ => {}
        }
        self.state = State::Text;
    }
}

/// The character of an entity, by number or by name.
fn entity(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        },
        None => {
            let at = ENTITIES.binary_search_by_key(&name, |&(name, _)| name).ok()?;
            Some(ENTITIES[at].1)
        }
    };
    number.and_then(char::from_u32).filter(|&char| char != '\0')
}

/// Lines that begin with white space belong to the one before; `\n`, `\,` and `\;` are undone.
#[derive(Default)]
pub(super) struct Folded {
    /// A line's end that may be a fold.
    line_end: bool,
    backslash: bool,
}

impl Folded {
    fn char(&mut self, char: char, out: &mut String) {
        if self.line_end {
            match char {
                '\r' | '\n' => {}
                ' ' | '\t' => {
                    self.line_end = false;
                    return;
                }
                _ => {
                    self.line_end = false;
                    out.push('\n');
                }
            }
        }
        match char {
            '\r' | '\n' => self.line_end = true,
            'n' | 'N' if self.backslash => out.push('\n'),
            ',' | ';' | '\\' if self.backslash => out.push(char),
            '\\' => {
                self.backslash = true;
                return;
            }
            _ => {
                if self.backslash {
                    out.push('\\');
                }
                out.push(char);
            }
        }
        // A fold may come between a backslash and what it belongs to.
        self.backslash &= self.line_end;
    }

    fn finish(&mut self, out: &mut String) {
        if std::mem::take(&mut self.backslash) {
            out.push('\\');
        }
        self.line_end = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(kind: Kind, text: &str, size: usize) -> String {
        let (mut out, mut seen) = (String::new(), Seen::of(kind).unwrap());
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(size) {
            seen.feed(&piece.iter().collect::<String>(), &mut out);
        }
        seen.finish(&mut out);
        out
    }

    #[test]
    fn html() {
        for (html, seen) in [
            ("<p>Gr&uuml;&szlig;e</p>\r\n  <p>aus&nbsp;M&#252;nchen", "Grüße aus München"),
            ("im<b>port</b>ant<br>news", "important news"),
            ("a<script>var x = '<p>no</p>';</SCRIPT >b", "a b"),
            ("a<style type=\"x>y\">p { }</style>b", "a b"),
            ("x <!-- <b> - -- > no --> y", "x y"),
            ("<!DOCTYPE html><title>T</title>", "T"),
            ("<a href=\"x>y\" title='>'>z</a>", "z"),
            ("<p class=it's>shown</p>", "shown"),
            ("1 < 2 &amp;&amp; 3 &lt 4 &bogus; &", "1 < 2 && 3 < 4 &bogus; &"),
            ("so\u{ad}ft&shy;ly", "softly"),
            ("&#x1F600;&#0;&#xD800;", "😀&#0;&#xD800;"),
            ("<td>1</td><td>2</td>", "1 2"),
            ("<", "<"),
        ] {
            assert_eq!(read(Kind::Html, html, 1000), seen, "{html}");
        }
    }

    #[test]
    fn folded() {
        for (text, seen) in [
            ("SUMMARY:a lo\r\n ng\\, one\r\nX:y\r\n", "SUMMARY:a long, one\nX:y"),
            ("NOTE:a\\nb\\;c\\\\n \\d\\", "NOTE:a\nb;c\\n \\d\\"),
            ("a\\\r\n nb", "a\nb"),
            ("a\n\tb\n\nc", "ab\nc"),
        ] {
            assert_eq!(read(Kind::Folded, text, 1000), seen, "{text:?}");
        }
    }

    #[test]
    fn entities_are_in_order() {
        assert!(ENTITIES.is_sorted_by(|a, b| a.0 < b.0));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[<>a/!\"'=&;#x1-9 \\\\\r\n,stylecriptSTYLE-]{0,60}", size in 1usize..5) {
            for kind in [Kind::Html, Kind::Folded] {
                prop_assert_eq!(read(kind, &text, size), read(kind, &text, 1000));
            }
        }

        #[test]
        fn plain_words_stay(text in "[a-zü]{1,9}( [a-zü]{1,9}){0,9}") {
            prop_assert_eq!(read(Kind::Html, &text, 7), text);
        }
    }
}
