//! Messages for the demonstration: threads, alternatives in HTML, attachments, charsets, lists,
//! forwards, invitations, all from one seed.

use std::fmt::Write;

use base::{Date, Flags, Keyword, SystemFlag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::text::{PEOPLE, TOPICS, Topic};

const DAY: i64 = 86_400;

/// A message and where it lies.
pub(super) struct Mail {
    pub(super) mailbox: &'static str,
    pub(super) flags: Flags,
    /// Seconds since 1970 UTC.
    pub(super) time: i64,
    pub(super) bytes: Vec<u8>,
}

/// How the text is wrapped up.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Latin1,
    Koi8,
    Japanese,
    Utf8Base64,
    Html,
    Attachment,
    Forward,
    Invitation,
}

const FORMS: [Form; 12] = [
    Form::Plain,
    Form::Html,
    Form::Plain,
    Form::Latin1,
    Form::Attachment,
    Form::Plain,
    Form::Utf8Base64,
    Form::Html,
    Form::Koi8,
    Form::Forward,
    Form::Japanese,
    Form::Invitation,
];

struct Maker {
    seed: u64,
    count: u32,
    now: i64,
    owner: (&'static str, &'static str),
    mail: Vec<Mail>,
}

/// About three hundred.
pub(super) fn for_alice(now: i64) -> Vec<Mail> {
    let mut maker = Maker::new(now, 1, ("Alice Archer", "alice@example.org"));
    for week in 0..9 {
        for topic in TOPICS {
            maker.thread(topic, now - (9 - week) * 7 * DAY);
        }
    }
    for day in 0..20 {
        maker.newsletter(now - day * 2 * DAY - 3600);
    }
    maker.junk(now - 5 * DAY);
    maker.draft(now - 3600);
    maker.mail.sort_by_key(|mail| mail.time);
    maker.mail
}

/// Some dozens.
pub(super) fn for_bob(now: i64) -> Vec<Mail> {
    let mut maker = Maker::new(now, 2, PEOPLE[0]);
    for topic in TOPICS {
        maker.thread(topic, now - 20 * DAY);
    }
    maker.newsletter(now - DAY);
    maker.mail.sort_by_key(|mail| mail.time);
    maker.mail
}

fn address((name, address): (&str, &str)) -> String {
    format!("{name} <{address}>")
}

/// RFC 5322 §3.3
fn date(time: i64) -> String {
    let days = time.div_euclid(DAY);
    let (year, month, day) = Date::from_days_since_epoch(days).ymd();
    let seconds = time.rem_euclid(DAY);
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let weekday = DAYS[usize::try_from(days.rem_euclid(7)).unwrap_or(0)];
    let month = usize::from(month - 1) * 3;
    let month = &MONTHS[month..month + 3];
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

fn base64(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines = text.as_bytes().chunks(76).map(String::from_utf8_lossy);
    lines.fold(String::new(), |all, line| all + &line + "\r\n")
}

impl Maker {
    fn new(now: i64, seed: u64, owner: (&'static str, &'static str)) -> Self {
        Self { seed, count: 0, now, owner, mail: Vec::new() }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
        (self.seed >> 33) % below
    }

    fn person(&mut self) -> (&'static str, &'static str) {
        let others = PEOPLE.iter().filter(|person| person.1 != self.owner.1);
        let others: Vec<_> = others.copied().collect();
        let at = usize::try_from(self.random(others.len() as u64)).unwrap_or(0);
        others[at]
    }

    fn flags(&mut self, time: i64) -> Flags {
        let mut flags = Flags::default();
        if self.now - time > 3 * DAY || self.random(2) == 0 {
            flags.system = flags.system.with(SystemFlag::Seen);
            if self.random(4) == 0 {
                flags.system = flags.system.with(SystemFlag::Answered);
            }
        }
        match self.random(12) {
            0 => flags.system = flags.system.with(SystemFlag::Flagged),
            1 => flags.keywords.extend(Keyword::new("$Forwarded")),
            2 => flags.keywords.extend(Keyword::new("$label1")),
            _ => {}
        }
        flags
    }

    fn push(&mut self, mailbox: &'static str, time: i64, text: String, flags: Flags) {
        self.mail.push(Mail { mailbox, flags, time, bytes: text.into_bytes() });
    }

    /// One message for each line of a topic, each an answer to an earlier one.
    fn thread(&mut self, topic: &Topic, start: i64) {
        let (mut references, mut time) = (Vec::<String>::new(), start);
        for (nth, line) in topic.lines.iter().enumerate() {
            time += 1200 + i64::try_from(self.random(6 * 3600)).unwrap_or(0);
            let mine = nth > 0 && self.random(4) == 0;
            let from = if mine { self.owner } else { self.person() };
            self.count += 1;
            let id = format!("<{}.{}@{}>", self.count, start, "demo.example.org");
            let reply = if nth > 0 { "Re: " } else { "" };
            let mut head = format!(
                "From: {}\r\nTo: {}\r\nSubject: {reply}{}\r\nDate: {}\r\nMessage-ID: {id}\r\n",
                address(from),
                if mine { address(PEOPLE[1]) } else { address(self.owner) },
                topic.subject,
                date(time),
            );
            if topic.mailbox.starts_with("Lists/") {
                let list = topic.mailbox.rsplit('/').next().unwrap_or_default();
                let _ = write!(head, "List-Id: <{list}.lists.example.org>\r\nPrecedence: list\r\n");
            }
            if let Some(last) = references.last() {
                let all = references.join("\r\n ");
                let _ = write!(head, "In-Reply-To: {last}\r\nReferences: {all}\r\n");
            }
            let quoted = match nth {
                0 => String::new(),
                _ => format!("> {}\r\n\r\n", topic.lines[nth - 1]),
            };
            let body = self.body(&format!("{quoted}{line}\r\n"));
            let flags = self.flags(time);
            let mailbox = if mine { "Sent" } else { topic.mailbox };
            self.push(mailbox, time, format!("{head}MIME-Version: 1.0\r\n{body}"), flags);
            references.push(id);
        }
    }

    /// The text in one of the forms, with its Content fields.
    fn body(&mut self, text: &str) -> String {
        let at = usize::try_from(self.random(FORMS.len() as u64)).unwrap_or(0);
        let plain = format!("Content-Type: text/plain; charset=us-ascii\r\n\r\n{text}");
        let quoted = |charset: &str, end: &str| {
            format!(
                "Content-Type: text/plain; charset={charset}\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n{end}\r\n"
            )
        };
        match FORMS[at] {
            Form::Plain => plain,
            Form::Latin1 => quoted("ISO-8859-1", "Sch=F6ne Gr=FC=DFe"),
            Form::Koi8 => quoted("KOI8-R", "=F0=D2=C9=D7=C5=D4!"),
            Form::Japanese => format!(
                "Content-Type: text/plain; charset=ISO-2022-JP\r\n\r\n\
                 \x1b$B$3$s$K$A$O\x1b(B\r\n\r\n{text}"
            ),
            Form::Utf8Base64 => format!(
                "Content-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n{}",
                base64(format!("{text}\r\n– Viele Grüße ☀️\r\n").as_bytes())
            ),
            Form::Html => self.multipart("alternative", &[&plain, &html(text)]),
            Form::Attachment => {
                let rows = (1..=31).map(|day| format!("{day};{}\r\n", self.random(1000)));
                let table = format!("day;count\r\n{}", rows.collect::<String>());
                let file = format!(
                    "Content-Type: text/csv; name=\"table.csv\"\r\n\
                     Content-Disposition: attachment; filename*=UTF-8''%C3%9Cbersicht.csv\r\n\
                     Content-Transfer-Encoding: base64\r\n\r\n{}",
                    base64(table.as_bytes())
                );
                self.multipart("mixed", &[&plain, &file])
            }
            Form::Forward => {
                let inner = format!(
                    "Content-Type: message/rfc822\r\n\r\nFrom: {}\r\nSubject: What I meant\r\n\
                     Date: {}\r\n\r\nThis is the message that is forwarded.\r\n",
                    address(PEOPLE[1]),
                    date(self.now - 30 * DAY),
                );
                self.multipart("mixed", &[&plain, &inner])
            }
            Form::Invitation => {
                let event = "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n\
                     BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
                     UID:demo@example.org\r\nDTSTART:20300101T090000Z\r\nSUMMARY:Breakfast\r\n\
                     END:VEVENT\r\nEND:VCALENDAR\r\n";
                self.multipart("alternative", &[&plain, event])
            }
        }
    }

    fn multipart(&mut self, kind: &str, parts: &[&str]) -> String {
        let boundary = format!("=_{:08x}", self.random(1 << 32));
        let mut out = format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n");
        for part in parts {
            let _ = write!(out, "--{boundary}\r\n{part}\r\n");
        }
        let _ = write!(out, "--{boundary}--\r\n");
        out
    }

    fn newsletter(&mut self, time: i64) {
        self.count += 1;
        let head = format!(
            "From: The Daily Martlet <news@example.net>\r\nTo: {}\r\n\
             Subject: =?UTF-8?Q?Today_in_birds_=E2=80=94_no._{}?=\r\nDate: {}\r\n\
             Message-ID: <news.{}@example.net>\r\n\
             List-Unsubscribe: <https://example.net/leave>\r\nMIME-Version: 1.0\r\n",
            address(self.owner),
            self.count,
            date(time),
            self.count,
        );
        let plain = "Content-Type: text/plain; charset=utf-8\r\n\r\nSwifts sleep on the wing.\r\n";
        let body = self.multipart("alternative", &[plain, &html("Swifts sleep on the wing.")]);
        let flags = self.flags(time);
        self.push("INBOX", time, head + &body, flags);
    }

    fn junk(&mut self, time: i64) {
        for nth in 0..8 {
            let text = format!(
                "From: Prince <prince{nth}@example.biz>\r\nTo: undisclosed-recipients:;\r\n\
                 Subject: You won ${nth}000000\r\nDate: {}\r\n\r\nSend us your account number.\r\n",
                date(time + nth)
            );
            let flags =
                Flags { keywords: Keyword::new("$Junk").into_iter().collect(), ..Flags::default() };
            self.push("Junk", time + nth, text, flags);
        }
    }

    fn draft(&mut self, time: i64) {
        let text = format!(
            "From: {}\r\nTo: {}\r\nSubject: Holidays\r\nDate: {}\r\n\r\nDear Carol,\r\n\r\n",
            address(self.owner),
            address(PEOPLE[1]),
            date(time)
        );
        let mut flags = Flags::default();
        flags.system = flags.system.with(SystemFlag::Draft).with(SystemFlag::Seen);
        self.push("Drafts", time, text, flags);
    }
}

fn html(text: &str) -> String {
    let lines = text.trim().replace("> ", "&gt; ").replace("\r\n", "<br>\r\n");
    format!(
        "Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>{lines}</p>\
         <p style=\"color: #888\">Sent from a browser.</p></body></html>\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_hundred_messages_of_many_kinds() {
        let now = 1_795_428_174;
        let (alice, bob) = (for_alice(now), for_bob(now));
        assert!(alice.len() > 250 && bob.len() > 20, "{} and {}", alice.len(), bob.len());
        for mail in alice.iter().chain(&bob) {
            let text = String::from_utf8_lossy(&mail.bytes);
            assert!(text.starts_with("From: ") && text.contains("\r\n\r\n"), "{text}");
            assert!(!text.replace("\r\n", "").contains('\n'), "bare LF in {text}");
            assert!(mail.time <= now + DAY);
        }
        let all: String = alice.iter().map(|mail| String::from_utf8_lossy(&mail.bytes)).collect();
        for part in [
            "multipart/mixed",
            "multipart/alternative",
            "message/rfc822",
            "KOI8-R",
            "ISO-2022-JP",
            "text/calendar",
            "References:",
            "filename*=",
        ] {
            assert!(all.contains(part), "{part}");
        }
        assert_eq!(date(1_795_428_174), "Mon, 23 Nov 2026 10:02:54 +0000");
    }
}
