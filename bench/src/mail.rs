//! Deterministic, realistic messages: the n-th message is the same on every machine.

/// A small, fast, seeded generator of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A generator that always gives the same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is above 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // A remainder below a usize fits one.
        (self.number() % bound as u64) as usize
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// How large the messages are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sizes {
    /// About 2 KB each: the mailbox of 100,000.
    Small,
    /// 25 KB on average: mostly 2 to 8 KB, some with attachments, a few of megabytes.
    Mixed,
    /// About 20 KB each.
    Middle,
}

const WORDS: &[&str] = &[
    "account", "after", "agenda", "answer", "archive", "attached", "before", "budget", "build",
    "calendar", "change", "client", "comment", "contract", "copy", "customer", "deadline",
    "delivery", "design", "document", "draft", "error", "estimate", "evening", "feature", "file",
    "finally", "forward", "garden", "hardware", "house", "invoice", "issue", "kernel", "letter",
    "lunch", "machine", "mailbox", "manager", "meeting", "message", "monday", "morning", "network",
    "number", "office", "order", "package", "patch", "payment", "people", "picture", "plan",
    "please", "problem", "project", "question", "quarter", "reason", "release", "report",
    "request", "result", "review", "schedule", "school", "server", "storage", "summer", "system",
    "table", "team", "thanks", "ticket", "travel", "update", "version", "weather", "weekend",
    "window", "winter",
];

/// In one message of twenty.
pub(crate) const FREQUENT_WORD: &str = "harbour";
/// In one message of ten thousand, the first of them the 1243rd.
pub(crate) const RARE_WORD: &str = "quetzalcoatl";
/// In no message.
pub(crate) const ABSENT_WORD: &str = "xylophonist";

const NAMES: &[&str] = &[
    "Anna Berg",
    "Bruno Castelli",
    "Chen Wei",
    "Dana Novak",
    "Erik Larsen",
    "Fatima Haddad",
    "Grace Okafor",
    "Hugo Martin",
    "Ines Pereira",
    "Jonas Keller",
    "Kofi Mensah",
    "Lena Fischer",
    "Marta Kowalska",
    "Nils Andersen",
    "Olga Petrova",
    "Pablo Ruiz",
    "Quentin Dubois",
    "Rosa Silva",
];

const ENCODED_NAMES: &[&str] =
    &["=?UTF-8?Q?J=C3=BCrgen_M=C3=BCller?=", "=?ISO-8859-1?Q?Andr=E9?=", "=?UTF-8?B?5bGx55Sw?="];

/// The `n`-th message, with CRLF line ends.
pub(crate) fn message(n: usize, sizes: Sizes) -> Vec<u8> {
    let mut chance = Chance::new(n as u64 ^ 0x6d61_7274_6c65_7421);
    let mut out = Vec::with_capacity(4096);
    head(&mut out, n, &mut chance);
    let kind = chance.below(100);
    // In a thousand, each rank comes once: few messages have the mean of many.
    let rank = n * 619 % 1000;
    let (text, attachment) = match sizes {
        Sizes::Small => (700 + chance.below(900), (kind < 10).then_some(600)),
        Sizes::Middle => (2000, Some(17_000)),
        Sizes::Mixed => match rank {
            0..700 => (1200 + chance.below(6000), None),
            700..980 => (2000, Some(8_000 + chance.below(63_000))),
            980..999 => (2000, Some(150_000 + chance.below(300_000))),
            _ => (2000, Some(4_000_000)),
        },
    };
    match attachment {
        None => {
            let charset = if kind.is_multiple_of(7) { "iso-8859-1" } else { "utf-8" };
            push(&mut out, &format!("Content-Type: text/plain; charset={charset}\r\n"));
            push(&mut out, "Content-Transfer-Encoding: 8bit\r\n\r\n");
            body(&mut out, n, text, &mut chance);
        }
        Some(bytes) => multipart(&mut out, n, (text, bytes), &mut chance),
    }
    out
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn head(out: &mut Vec<u8>, n: usize, chance: &mut Chance) {
    // Threads of about five: a message answers one of the few before it.
    let answers = (!n.is_multiple_of(5)).then(|| n - 1 - chance.below(n % 5));
    let root = n - n % 5;
    let name = if chance.below(6) == 0 { chance.pick(ENCODED_NAMES) } else { chance.pick(NAMES) };
    let local = chance.pick(NAMES).split(' ').next().unwrap_or("someone").to_ascii_lowercase();
    let mut topics = Chance::new(root as u64);
    let topic = [topics.pick(WORDS), topics.pick(WORDS), topics.pick(WORDS)].join(" ");
    let reply = if answers.is_some() { "Re: " } else { "" };
    let (day, hour, minute) = (1 + n / 1440 % 28, n / 60 % 24, n % 60);
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"][n / 40_320 % 6];
    push(out, &format!("Return-Path: <{local}@example.org>\r\n"));
    push(
        out,
        &format!(
            "Received: from mx{}.example.net (mx.example.net [192.0.2.{}])\r\n\tby mail.example.org \
             with ESMTPS id {:012x};\r\n\t{day} {month} 2025 {hour:02}:{minute:02}:30 +0000\r\n",
            n % 9,
            n % 250,
            chance.number() >> 16
        ),
    );
    push(out, &format!("From: {name} <{local}@example.org>\r\n"));
    push(out, "To: Alice Example <alice@example.com>, team@example.com\r\n");
    if n.is_multiple_of(4) {
        push(out, &format!("Cc: {} <copy{}@example.com>\r\n", chance.pick(NAMES), n % 50));
    }
    push(out, &format!("Subject: {reply}{topic}\r\n"));
    push(out, &format!("Date: {day:2} {month} 2025 {hour:02}:{minute:02}:00 +0000\r\n"));
    push(out, &format!("Message-ID: <m{n}@bench.example.org>\r\n"));
    if let Some(parent) = answers {
        push(out, &format!("In-Reply-To: <m{parent}@bench.example.org>\r\n"));
        push(out, &format!("References: <m{root}@bench.example.org>\r\n"));
        if parent != root {
            push(out, &format!("\t<m{parent}@bench.example.org>\r\n").replace("\r\n\t", "\r\n "));
        }
    }
    push(out, "MIME-Version: 1.0\r\n");
}

fn body(out: &mut Vec<u8>, n: usize, bytes: usize, chance: &mut Chance) {
    let end = out.len() + bytes;
    push(out, "Hello,\r\n\r\n");
    if n % 20 == 7 {
        push(out, &format!("we meet at the {FREQUENT_WORD}.\r\n"));
    }
    if n % 10_000 == 1242 {
        push(out, &format!("and talk about {RARE_WORD}.\r\n"));
    }
    while out.len() < end {
        let mut width = 0;
        while width < 68 {
            let word = chance.pick(WORDS);
            width += word.len() + 1;
            push(out, word);
            push(out, " ");
        }
        push(out, "\r\n");
    }
    push(out, "\r\nRegards\r\n");
}

fn multipart(out: &mut Vec<u8>, n: usize, (text, file): (usize, usize), chance: &mut Chance) {
    let boundary = format!("=_bench_{n:08x}");
    push(out, &format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n"));
    push(out, &format!("--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"));
    body(out, n, text, chance);
    push(
        out,
        &format!(
            "--{boundary}\r\nContent-Type: application/pdf; name=\"paper{n}.pdf\"\r\n\
             Content-Disposition: attachment; filename=\"paper{n}.pdf\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        ),
    );
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let end = out.len() + file;
    while out.len() < end {
        for _ in 0..19 {
            let number = chance.number();
            out.extend((0..4).map(|at| DIGITS[(number >> (at * 8) & 63) as usize]));
        }
        push(out, "\r\n");
    }
    push(out, &format!("--{boundary}--\r\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_same_every_time() {
        for n in 0..200 {
            assert_eq!(message(n, Sizes::Mixed), message(n, Sizes::Mixed));
        }
    }

    #[test]
    fn sizes_are_what_they_promise() {
        let mean = |sizes| (0..2000).map(|n| message(n, sizes).len()).sum::<usize>() / 2000;
        assert!((1_700..2_500).contains(&mean(Sizes::Small)), "{}", mean(Sizes::Small));
        assert!((24_000..26_000).contains(&mean(Sizes::Mixed)), "{}", mean(Sizes::Mixed));
        assert!((19_000..21_000).contains(&mean(Sizes::Middle)), "{}", mean(Sizes::Middle));
    }
}
