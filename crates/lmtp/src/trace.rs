//! The header fields that delivery adds: one copy for each recipient.

use base::DateTime;

use crate::address::{Address, Sender};

/// What all copies of a message share.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) sender: Sender,
    /// The client as it called itself.
    pub(crate) client: String,
    /// The client's address, if it has one.
    pub(crate) remote: Option<std::net::IpAddr>,
    /// This server.
    pub(crate) host: String,
    /// `LMTP`, `LMTPS`, `UTF8LMTP` or `UTF8LMTPS` (RFC 3848, RFC 6531 §4.3).
    pub(crate) with: &'static str,
    /// For whoever compares logs.
    pub(crate) id: String,
    pub(crate) date: DateTime,
}

/// `Mon, 23 Nov 2026 10:00:00 +0000` (RFC 5322 §3.3).
fn date(at: DateTime) -> String {
    let days = at.date().days_since_epoch();
    // 1970-01-01 was a Thursday.
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let name = names[usize::try_from(days.rem_euclid(7)).unwrap_or(0)];
    let day = at.date().to_string().replace('-', " ");
    let (hour, minute, second) = at.time();
    let (sign, offset) =
        (if at.offset_minutes() < 0 { '-' } else { '+' }, at.offset_minutes().unsigned_abs());
    format!(
        "{name}, {day} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
        offset / 60,
        offset % 60
    )
}

/// A name from outside in a form that fits between the spaces of `Received:`.
fn token(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || "-._:[]".contains(c);
    name.chars().map(|c| if fits(c) { c } else { '?' }).collect()
}

impl Trace {
    /// `Return-Path:`, `Delivered-To:` and `Received:` for one recipient (RFC 5321 §4.4).
    pub(crate) fn fields(&self, recipient: &Address) -> String {
        let sender = self.sender.as_ref().map(Address::to_string).unwrap_or_default();
        let remote = match self.remote {
            Some(std::net::IpAddr::V4(v4)) => format!(" ([{v4}])"),
            Some(std::net::IpAddr::V6(v6)) => format!(" ([IPv6:{v6}])"),
            None => String::new(),
        };
        format!(
            "Return-Path: <{sender}>\r\n\
             Delivered-To: <{recipient}>\r\n\
             Received: from {}{remote}\r\n\tby {} with {}\r\n\tid {}\r\n\tfor <{recipient}>; {}\r\n",
            token(&self.client),
            token(&self.host),
            self.with,
            self.id,
            date(self.date),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, expected) in [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (1_795_428_000, "Mon, 23 Nov 2026 10:00:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
        ] {
            assert_eq!(date(DateTime::new(seconds, 0)), expected);
        }
        assert_eq!(date(DateTime::new(0, -90)), "Wed, 31 Dec 1969 22:30:00 -0130");
    }

    #[test]
    fn nothing_from_outside_breaks_a_field() {
        let trace = Trace {
            sender: None,
            client: "evil (comment\r\nX: y".into(),
            remote: Some("2001:db8::1".parse().unwrap()),
            host: "mail.test".into(),
            with: "LMTP",
            id: "1".into(),
            date: DateTime::new(0, 0),
        };
        let recipient = Address { local: "a b".into(), domain: None };
        assert_eq!(
            trace.fields(&recipient),
            "Return-Path: <>\r\nDelivered-To: <\"a b\">\r\n\
             Received: from evil??comment??X:?y ([IPv6:2001:db8::1])\r\n\tby mail.test with LMTP\r\n\
             \tid 1\r\n\tfor <\"a b\">; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
        );
    }
}
