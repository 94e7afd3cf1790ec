//! Dates of header fields (RFC 5322 §3.3, obsolete forms of §4.3, and what else mail has).

use base::{Date, DateTime};

use crate::text;
use crate::token::{Kind, Tokens};

/// Tokens of a date that are looked at; none has more.
const WORDS_MAX: usize = 32;

/// Reads the value of `Date:`. Tolerant: weekday, time and zone may be missing, the order may be
/// `asctime`'s or ISO 8601's, years may be short. A zone that cannot be read is UTC, a time 00:00:00
/// (RFC 5256 §2.2). `None` if there is no day.
pub fn parse(value: &[u8]) -> Option<DateTime> {
    let unfolded = text::unfold(value);
    let words = words(&unfolded);
    let mut reading = Reading::default();
    for word in &words {
        reading.word(word);
    }
    reading.finish()
}

/// Words without comments; `:` and `.` stay within them where no space sets them apart.
fn words(value: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut glue = false;
    for token in Tokens::new(value) {
        match token.kind {
            Kind::Comment => glue = false,
            Kind::Special(b',' | b';' | b'<' | b'>' | b'@') => glue = false,
            kind => {
                let text = String::from_utf8_lossy(&token.text).into_owned();
                let colon = kind == Kind::Special(b':');
                let full = words.len() == WORDS_MAX;
                match words.last_mut() {
                    // Obsolete syntax allows spaces around the colons of the time.
                    Some(last) if (glue && !token.spaced) || colon || last.ends_with(':') => {
                        last.push_str(&text);
                    }
                    _ if full => return words,
                    _ => words.push(text),
                }
                glue = true;
            }
        }
    }
    words
}

#[derive(Default)]
struct Reading {
    day: Option<u8>,
    month: Option<u8>,
    year: Option<i32>,
    time: Option<(u8, u8, u8)>,
    zone: Option<i16>,
}

impl Reading {
    fn word(&mut self, word: &str) {
        if word.contains(':') {
            self.time_word(word);
        } else if let Some(month) = word.get(..3).and_then(Date::month_from_name) {
            if self.month.is_none() {
                self.month = Some(month);
            }
        } else if word.starts_with(['+', '-']) {
            self.zone = self.zone.or_else(|| numeric_zone(word));
        } else if word.starts_with(|char: char| char.is_ascii_digit()) {
            self.number(word);
        } else if self.year.is_some() || self.time.is_some() {
            self.zone = self.zone.or_else(|| named_zone(word));
        }
    }

    /// `10:20`, `10:20:30`, `10:20:30.5`, `10:20:30+0100`, `10:20:30Z`, with `…T` before it.
    fn time_word(&mut self, word: &str) {
        let (date, time) = match word.split_once(['T', 't']) {
            Some((date, time)) if date.contains('-') => (Some(date), time),
            _ => (None, word),
        };
        if let Some(date) = date {
            self.number(date);
        }
        if self.time.is_some() {
            return;
        }
        let end = time.find(|char: char| !char.is_ascii_digit() && !matches!(char, ':' | '.'));
        let (clock, zone) = time.split_at(end.unwrap_or(time.len()));
        let mut parts = clock.split(':').map(|part| {
            let digits = part.split('.').next().unwrap_or_default();
            digits.parse::<u8>().ok()
        });
        let hour = parts.next().flatten();
        let minute = parts.next().flatten();
        let second = match parts.next() {
            Some(second) => second,
            None => Some(0),
        };
        if let (Some(hour @ 0..24), Some(minute @ 0..60), Some(second @ 0..=60)) =
            (hour, minute, second)
        {
            self.time = Some((hour, minute, second));
        }
        if !zone.is_empty() {
            self.zone = numeric_zone(zone).or_else(|| named_zone(zone));
        }
    }

    fn number(&mut self, word: &str) {
        if word.contains(['-', '/']) {
            return self.dashed(word);
        }
        let digits = word.trim_end_matches(|char: char| !char.is_ascii_digit());
        let Ok(number) = digits.parse::<i32>() else { return };
        match (self.day, u8::try_from(number)) {
            (None, Ok(day @ 1..=31)) if digits.len() <= 2 => self.day = Some(day),
            _ if self.year.is_none() => self.year = full_year(number, digits.len()),
            _ => {}
        }
    }

    /// `1-Jan-2024` and `2024-01-02`.
    fn dashed(&mut self, word: &str) {
        let parts: Vec<&str> = word.splitn(3, ['-', '/']).collect();
        let [first, second, third] = parts[..] else { return };
        if first.len() == 4 {
            self.year = first.parse().ok();
            self.month = second.parse().ok();
            self.day = third.parse().ok();
        } else if let Some(month) = Date::month_from_name(second) {
            self.day = first.parse().ok();
            self.month = Some(month);
            self.year = third.parse().ok().and_then(|year| full_year(year, third.len()));
        }
    }

    fn finish(self) -> Option<DateTime> {
        let date = Date::new(self.year?, self.month?, self.day?)?;
        DateTime::from_civil(date, self.time.unwrap_or_default(), self.zone.unwrap_or(0))
    }
}

/// RFC 5322 §4.3: two digits below 50 are after 2000, other short years after 1900.
fn full_year(number: i32, digits: usize) -> Option<i32> {
    match (number, digits) {
        (0..50, 1..=2) => Some(2000 + number),
        (50..1000, 1..=3) => Some(1900 + number),
        (0..=9999, 4) => Some(number),
        _ => None,
    }
}

/// `+0100`, `-08:00`, `+1`.
fn numeric_zone(word: &str) -> Option<i16> {
    let negative = word.starts_with('-');
    let digits: String = word.get(1..)?.chars().filter(|&char| char != ':').collect();
    if !word.starts_with(['+', '-']) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i16 = digits.parse().ok()?;
    let minutes = match digits.len() {
        1 | 2 => number.checked_mul(60)?,
        3 | 4 => number / 100 * 60 + number % 100,
        _ => return None,
    };
    let minutes = if negative { -minutes } else { minutes };
    (minutes.abs() < 24 * 60).then_some(minutes)
}

/// RFC 5322 §4.3: obs-zone. Military zones were specified wrongly and say nothing.
fn named_zone(word: &str) -> Option<i16> {
    let word = word.to_ascii_uppercase();
    Some(
        60 * match word.as_str() {
            "EDT" => -4,
            "EST" | "CDT" => -5,
            "CST" | "MDT" => -6,
            "MST" | "PDT" => -7,
            "PST" => -8,
            "BST" | "CET" | "MET" | "MEZ" => 1,
            "CEST" | "MEST" | "EET" | "MESZ" => 2,
            "EEST" | "MSK" => 3,
            "JST" | "KST" => 9,
            "UT" | "UTC" | "GMT" | "Z" | "WET" => 0,
            // `GMT+0100` as some write.
            _ => {
                return word
                    .strip_prefix("GMT")
                    .or(word.strip_prefix("UTC"))
                    .and_then(numeric_zone);
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        for (input, expected) in [
            ("Fri, 21 Nov 1997 09:55:06 -0600", "21-Nov-1997 09:55:06 -0600"),
            ("21 Nov 1997 09:55 -0600", "21-Nov-1997 09:55:00 -0600"),
            ("Tue, 1 Jul 2003 10:52:37 +0200", " 1-Jul-2003 10:52:37 +0200"),
            ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "21-Nov-1997 09:55:06 -0600"),
            (
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               \
                -0330 (Newfoundland Time)",
                "13-Feb-1969 23:32:00 -0330",
            ),
            ("21 Nov 97 09:55:06 GMT", "21-Nov-1997 09:55:06 +0000"),
            ("21 Nov 07 09:55:06 EST", "21-Nov-2007 09:55:06 -0500"),
            ("21 Nov 107 09:55:06 PDT", "21-Nov-2007 09:55:06 -0700"),
            ("Mon Jan  5 10:00:00 2024", " 5-Jan-2024 10:00:00 +0000"),
            ("Mon Jan  5 10:00:00 PST 2024", " 5-Jan-2024 10:00:00 -0800"),
            ("2024-01-05T10:00:00+01:00", " 5-Jan-2024 10:00:00 +0100"),
            ("2024-01-05 10:00:00", " 5-Jan-2024 10:00:00 +0000"),
            ("5-Jan-2024 10:00:00 +0100", " 5-Jan-2024 10:00:00 +0100"),
            ("Sat, 1 January 2000 00:00:60 Z", " 1-Jan-2000 00:01:00 +0000"),
            ("1 Jan 2000", " 1-Jan-2000 00:00:00 +0000"),
            ("1 Jan 2000 25:00:00 +0100", " 1-Jan-2000 00:00:00 +0100"),
            ("1 Jan 2000 10:00:00 +9999", " 1-Jan-2000 10:00:00 +0000"),
            ("1 Jan 2000 10:00:00 XYZ", " 1-Jan-2000 10:00:00 +0000"),
            ("Fri,21 Nov 1997 9:5:6 A", "21-Nov-1997 09:05:06 +0000"),
            ("Fri, 21 Nov 1997 09:55:06 GMT+0200", "21-Nov-1997 09:55:06 +0200"),
        ] {
            let at = parse(input.as_bytes()).unwrap_or_else(|| panic!("{input:?}"));
            assert_eq!(at.to_string(), expected, "{input:?}");
        }
        for input in ["", "today", "32 Jan 2000", "30 Feb 2000", "Jan 2000", "1 2 3", ":::", "1:"] {
            assert_eq!(parse(input.as_bytes()), None, "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0i64..4_000_000_000, offset in -720i16..840) {
            let at = DateTime::new(seconds, offset);
            prop_assert_eq!(parse(at.to_string().as_bytes()), Some(at));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
