//! Makes mail that looks like mail, the same for the same seed.

/// A small generator of numbers (SplitMix64): the same on every machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    /// One of `from`, which is not empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const PEOPLE: [(&str, &str); 8] = [
    ("Ada Lovelace", "ada@example.org"),
    ("Grace Hopper", "grace@navy.example"),
    ("=?utf-8?q?Kurt_G=C3=B6del?=", "kurt@wien.example"),
    ("\"Turing, Alan\"", "alan@bletchley.example"),
    ("Emmy Noether", "emmy@goettingen.example"),
    ("", "list-owner@lists.example"),
    ("=?iso-2022-jp?b?GyRCOzNFRBsoQg==?=", "yamada@example.jp"),
    ("Barbara Liskov", "barbara@mit.example"),
];
const WORDS: [&str; 16] = [
    "invoice", "meeting", "report", "holiday", "server", "draft", "review", "photos", "contract",
    "garden", "music", "travel", "release", "question", "answer", "lunch",
];

/// A message with CRLF line ends.
pub fn message(seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let (name, address) = *dice.pick(&PEOPLE);
    let (to_name, to) = *dice.pick(&PEOPLE);
    let subject = format!("{} {}", dice.pick(&WORDS), dice.pick(&WORDS));
    let reply = seed > 0 && dice.below(3) == 0;
    let mut text = format!(
        "Return-Path: <{address}>\r\nFrom: {name} <{address}>\r\nTo: {to_name} <{to}>\r\n\
         Subject: {}{subject}\r\nDate: {:02} Jan 2026 {:02}:{:02}:{:02} +0100\r\n\
         Message-ID: <{seed}@martlet.example>\r\n",
        if reply { "Re: " } else { "" },
        1 + dice.below(28),
        dice.below(24),
        dice.below(60),
        dice.below(60),
    );
    if reply {
        let parent = seed - 1 - dice.below(seed.min(5) as usize) as u64;
        text.push_str(&format!("In-Reply-To: <{parent}@martlet.example>\r\n"));
        text.push_str(&format!("References: <{parent}@martlet.example>\r\n"));
    }
    text.push_str("MIME-Version: 1.0\r\n");
    let paragraph = paragraph(&mut dice);
    match dice.below(4) {
        0 => text.push_str(&format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{paragraph}")),
        1 => text.push_str(&format!(
            "Content-Type: multipart/alternative; boundary=\"b{seed}\"\r\n\r\n--b{seed}\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{paragraph}\r\n--b{seed}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\r\n<p>{paragraph}</p>\r\n--b{seed}--\r\n"
        )),
        2 => text.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=\"b{seed}\"\r\n\r\n--b{seed}\r\n\
             Content-Type: text/plain\r\n\r\n{paragraph}\r\n--b{seed}\r\n\
             Content-Type: application/octet-stream; name=\"{}.bin\"\r\n\
             Content-Disposition: attachment; filename=\"{}.bin\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b{seed}--\r\n",
            dice.pick(&WORDS),
            dice.pick(&WORDS),
            "bWFydGxldCA=".repeat(1 + dice.below(6)),
        )),
        _ => text.push_str(&format!("\r\n{paragraph}")),
    }
    text.into_bytes()
}

fn paragraph(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..2 + dice.below(6) {
        for _ in 0..8 {
            text.push_str(WORDS[dice.below(WORDS.len())]);
            text.push(' ');
        }
        text.push_str("end.\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_message() {
        assert_eq!(message(7), message(7));
        assert_ne!(message(7), message(8));
        assert!((0..200).all(|seed| message(seed).windows(4).any(|w| w == b"\r\n\r\n")));
    }
}
