//! Values of the configuration in human units: read, and printed in the form they are read.

use std::net::SocketAddr;
use std::time::Duration;

use toml::de::DeValue;

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` or `false`
    Bool,
    /// Any text.
    Text,
    /// A path; relative to the configuration file.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address, several in a list, or `"none"`.
    Addresses,
    /// `"30m"`, from the first to the second.
    Duration(Duration, Duration),
    /// `"128MiB"`, in bytes from the first to the second.
    Size(u64, u64),
    /// A number from the first to the second.
    Count(u64, u64),
    /// Permissions: `"0660"`.
    Mode,
    /// A list of texts.
    Texts,
}

/// What was read. Each kind gives exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    /// Text, Path and Word.
    Text(String),
    Addresses(Vec<SocketAddr>),
    Duration(Duration),
    /// Size, Count and Mode.
    Number(u64),
    Texts(Vec<String>),
}

/// What is wrong with a value, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

fn wrong<T>(what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { what: what.into(), remedy: remedy.into() })
}

impl Kind {
    /// Reads a value from the file.
    pub(crate) fn read(self, value: &DeValue<'_>) -> Result<Value, Wrong> {
        match (self, value) {
            (Self::Bool, DeValue::Boolean(yes)) => Ok(Value::Bool(*yes)),
            (Self::Addresses | Self::Texts, DeValue::Array(list)) => {
                let mut texts = Vec::new();
                for item in list.iter() {
                    match item.get_ref().as_str() {
                        Some(text) => texts.push(text.to_owned()),
                        None => return self.wrong_type(item.get_ref()),
                    }
                }
                match self {
                    Self::Texts => Ok(Value::Texts(texts)),
                    _ => addresses(texts.iter().map(String::as_str)),
                }
            }
            (Self::Count(..) | Self::Size(..), DeValue::Integer(number)) => {
                let plain = u64::from_str_radix(number.as_str(), number.radix());
                match plain {
                    Ok(number) => self.within(number),
                    Err(_) => wrong(format!("{number} is out of range"), self.example()),
                }
            }
            (
                Self::Text
                | Self::Path
                | Self::Word(_)
                | Self::Addresses
                | Self::Duration(..)
                | Self::Size(..)
                | Self::Mode,
                DeValue::String(text),
            ) => self.read_text(text),
            _ => self.wrong_type(value),
        }
    }

    /// Reads a value written as text: in the file, or on the command line.
    pub(crate) fn read_text(self, text: &str) -> Result<Value, Wrong> {
        match self {
            Self::Text | Self::Path if text.is_empty() => {
                wrong("it is empty", "give it a value, or leave the key out")
            }
            Self::Word(words) if !words.contains(&text) => {
                let remedy = match near(text, words.iter().copied()) {
                    Some(word) => format!("did you mean \"{word}\"?"),
                    None => self.example(),
                };
                wrong(format!("\"{text}\" is not one of its words"), remedy)
            }
            Self::Text | Self::Path | Self::Word(_) => Ok(Value::Text(text.to_owned())),
            Self::Addresses if text == "none" => Ok(Value::Addresses(Vec::new())),
            Self::Addresses => addresses([text].into_iter()),
            Self::Duration(..) => match parse_duration(text) {
                Some(time) => self.within_time(time),
                None => wrong(format!("\"{text}\" is not a duration"), self.example()),
            },
            Self::Size(..) => match parse_size(text) {
                Some(size) => self.within(size),
                None => wrong(format!("\"{text}\" is not a size"), self.example()),
            },
            Self::Mode => match u32::from_str_radix(text, 8) {
                Ok(mode) if mode <= 0o777 => Ok(Value::Number(mode.into())),
                _ => wrong(format!("\"{text}\" is not a file mode"), self.example()),
            },
            Self::Bool | Self::Count(..) | Self::Texts => {
                wrong(format!("\"{text}\" is a text"), self.example())
            }
        }
    }

    fn within(self, number: u64) -> Result<Value, Wrong> {
        let (Self::Count(min, max) | Self::Size(min, max)) = self else {
            return Ok(Value::Number(number));
        };
        let print = |number| match self {
            Self::Size(..) => print_size(number),
            _ => number.to_string(),
        };
        if (min..=max).contains(&number) {
            return Ok(Value::Number(number));
        }
        let side = if number < min { "small" } else { "large" };
        wrong(
            format!("{} is too {side}", print(number)),
            format!("use {} to {}", print(min), print(max)),
        )
    }

    fn within_time(self, time: Duration) -> Result<Value, Wrong> {
        let Self::Duration(min, max) = self else { return Ok(Value::Duration(time)) };
        if (min..=max).contains(&time) {
            return Ok(Value::Duration(time));
        }
        let side = if time < min { "short" } else { "long" };
        wrong(
            format!("{} is too {side}", print_duration(time)),
            format!("use {} to {}", print_duration(min), print_duration(max)),
        )
    }

    fn wrong_type(self, value: &DeValue<'_>) -> Result<Value, Wrong> {
        wrong(format!("it is of type {}", value.type_str()), self.example())
    }

    /// How to write a value of this kind.
    pub(crate) fn example(self) -> String {
        match self {
            Self::Bool => "write true or false, without quotes".to_owned(),
            Self::Text => "write a text in quotes".to_owned(),
            Self::Path => "write a path in quotes".to_owned(),
            Self::Word(words) => format!("write one of \"{}\"", words.join("\", \"")),
            Self::Addresses => "write an IP address and a port such as \"127.0.0.1:1143\" or \
                \"[::]:143\", several in a list, or \"none\""
                .to_owned(),
            Self::Duration(..) => {
                "write a number and a unit (ms, s, m, h, d) in quotes, such as \"30m\"".to_owned()
            }
            Self::Size(..) => {
                "write a number of bytes, or one with a unit (KiB, MiB, GiB) in quotes, such as \
                 \"128MiB\""
                    .to_owned()
            }
            Self::Count(..) => "write a whole number without quotes".to_owned(),
            Self::Mode => "write an octal mode in quotes, such as \"0660\"".to_owned(),
            Self::Texts => "write a list of texts, such as [\"CONDSTORE\"]".to_owned(),
        }
    }

    /// The kind in the words of the manual.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Word(words) => format!("one of `\"{}\"`", words.join("\"`, `\"")),
            Self::Addresses => "address, list of addresses, or `\"none\"`".to_owned(),
            Self::Duration(min, max) => {
                format!("duration, {} to {}", print_duration(min), print_duration(max))
            }
            Self::Size(min, max) => format!("size, {} to {}", print_size(min), print_size(max)),
            Self::Count(min, max) => format!("number, {min} to {max}"),
            Self::Mode => "file mode in octal".to_owned(),
            Self::Texts => "list of texts".to_owned(),
        }
    }

    /// A value of this kind as the file has it.
    pub(crate) fn print(self, value: &Value) -> String {
        let quoted = |text: &str| format!("{:?}", text);
        let list = |texts: Vec<String>| match &texts[..] {
            [] if self == Self::Addresses => quoted("none"),
            [one] if self == Self::Addresses => quoted(one),
            _ => {
                let items: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", items.join(", "))
            }
        };
        match value {
            Value::Bool(yes) => yes.to_string(),
            Value::Text(text) => quoted(text),
            Value::Addresses(all) => list(all.iter().map(SocketAddr::to_string).collect()),
            Value::Duration(time) => quoted(&print_duration(*time)),
            Value::Number(number) => match self {
                Self::Size(..) => quoted(&print_size(*number)),
                Self::Mode => quoted(&format!("{number:04o}")),
                _ => number.to_string(),
            },
            Value::Texts(texts) => list(texts.clone()),
        }
    }
}

fn addresses<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Value, Wrong> {
    let mut all = Vec::new();
    for text in texts {
        match text.strip_prefix("localhost:").map_or_else(
            || text.parse::<SocketAddr>().ok(),
            |port| port.parse().ok().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port))),
        ) {
            Some(address) => all.push(address),
            None => {
                let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
                let remedy = match port {
                    Some(port) if text.starts_with(['*', ':']) || !text.contains(':') => {
                        format!("for every interface write \"[::]:{port}\"")
                    }
                    _ => Kind::Addresses.example(),
                };
                return wrong(format!("\"{text}\" is not an address with a port"), remedy);
            }
        }
    }
    Ok(Value::Addresses(all))
}

const TIMES: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let (_, factor) = TIMES.iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_millis(number.checked_mul(*factor)?))
}

/// A size as people write it: `10MiB`, `10 MiB`, `10M`, `10mb`; all of them powers of 1024.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let (_, factor) = SIZES.iter().find(|(name, _)| {
        let letter = &name[..1];
        unit.eq_ignore_ascii_case(name)
            || unit.eq_ignore_ascii_case(letter)
            || (*name != "B" && unit.eq_ignore_ascii_case(&format!("{letter}B")))
            || (*name == "B" && unit.is_empty())
    })?;
    number.checked_mul(*factor)
}

fn print_unit(number: u64, units: &[(&str, u64)]) -> String {
    let (name, factor) = units
        .iter()
        .find(|(_, factor)| number != 0 && number.is_multiple_of(*factor))
        .unwrap_or(&units[3]);
    format!("{}{name}", number / factor)
}

/// `30m`: the largest unit that needs no fraction.
pub(crate) fn print_duration(time: Duration) -> String {
    print_unit(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &TIMES)
}

/// `128MiB`: the largest unit that needs no fraction.
pub(crate) fn print_size(bytes: u64) -> String {
    print_unit(bytes, &SIZES)
}

/// The candidate that was probably meant by `word`.
pub(crate) fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = word.len() / 4 + 1;
    candidates
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, without regard to ASCII case.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = usize::from(!x.eq_ignore_ascii_case(y));
            let best = (diagonal + cost).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_print_as_they_are_read() {
        for text in ["30m", "1500ms", "31m", "2d", "90s", "1h"] {
            assert_eq!(parse_duration(text).map(print_duration).as_deref(), Some(text));
        }
        for text in ["128MiB", "1GiB", "1000B", "16KiB", "3TiB"] {
            assert_eq!(parse_size(text).map(print_size).as_deref(), Some(text));
        }
        for (text, bytes) in [("10", 10), ("1k", 1024), ("2 mb", 2 << 20), ("1gib", 1 << 30)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for bad in ["", "m", "-1s", "1 fortnight", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
        for bad in ["", "KiB", "1.5MiB", "18446744073709551615TiB"] {
            assert_eq!(parse_size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn near_finds_what_was_meant() {
        let words = ["imap", "imaps", "lmtp", "retention"];
        for (word, meant) in
            [("imsp", Some("imap")), ("retension", Some("retention")), ("pop3", None)]
        {
            assert_eq!(near(word, words.into_iter()), meant, "{word}");
        }
    }
}
