//! The answers are the same with the index on, off, half built, and after any damage to its files.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use base64::Engine;
use bytes::Bytes;
use common::World;
use message::search::{Needle, Want};
use proptest::prelude::*;
use storage::Storage;

/// Letters that fold, combine, or take many bytes; few of each, so that patterns are found.
const LETTERS: [&str; 28] = [
    "a",
    "b",
    "A",
    " ",
    "ß",
    "ẞ",
    "é",
    "e\u{301}",
    "İ",
    "ﬁ",
    "日",
    "本",
    "語",
    "ก",
    "ำ",
    "น้",
    "ö",
    "O",
    "я",
    "Я",
    "😀",
    "👩‍👩‍👧",
    "ｆ",
    "\r\n",
    "ą",
    "한",
    "中",
    "ﾃ",
];

fn letters(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&LETTERS[..]), 0..most)
        .prop_map(|letters| letters.concat())
}

fn quoted_printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        out.push_str(&format!("={byte:02X}"));
        if at % 20 == 19 {
            out.push_str("=\r\n");
        }
    }
    out
}

/// Charsets by the names that mail gives them.
const CHARSETS: [&str; 20] = [
    "utf-8",
    "us-ascii",
    "x-unknown",
    "utf-16le",
    "utf-16be",
    "utf-7",
    "iso-2022-jp",
    "shift_jis",
    "euc-jp",
    "gb18030",
    "gb2312",
    "big5",
    "euc-kr",
    "koi8-r",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-874",
    "iso-8859-1",
    "iso-8859-15",
];

/// `text` in a charset; what it does not have is left to the encoder.
fn encoded(text: &str, charset: &str) -> Vec<u8> {
    match charset {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "utf-7" => {
            let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(units);
            format!("+{base64}-").into_bytes()
        }
        name => match encoding_rs::Encoding::for_label(name.as_bytes()) {
            Some(encoding) => encoding.encode(text).0.into_owned(),
            None => text.as_bytes().to_vec(),
        },
    }
}

/// The same with markup: characters by number, words with tags within them.
fn marked_up(text: &str) -> String {
    let piece = |(at, char): (usize, char)| match at % 5 {
        1 => format!("&#{};", char as u32),
        2 => format!("<b class=\"x>\">{char}</b>"),
        3 if char.is_whitespace() => "<br>".to_owned(),
        _ => char.to_string(),
    };
    text.chars().enumerate().map(piece).collect()
}

/// The same as lines of a calendar, folded anywhere.
fn folded(text: &str) -> String {
    let piece = |(at, char): (usize, char)| match at % 3 {
        1 => format!("\r\n {char}"),
        _ => char.to_string(),
    };
    text.chars().enumerate().map(piece).collect()
}

/// A part's fields and body.
fn part(text: &str, encoding: usize, charset: usize) -> String {
    let charset = CHARSETS[charset % CHARSETS.len()];
    let (kind, bytes) = match encoding / 3 {
        0 => ("text/plain", encoded(text, charset)),
        1 => ("text/html", encoded(&marked_up(text), charset)),
        2 => ("text/calendar", encoded(&folded(text), charset)),
        // Read by `Reader` of the common module.
        _ => ("application/pdf", text.as_bytes().to_vec()),
    };
    let (name, body) = match encoding % 3 {
        0 => ("quoted-printable", quoted_printable(&bytes)),
        1 => {
            let line = base64::engine::general_purpose::STANDARD.encode(&bytes);
            let lines = line.as_bytes().chunks(17).map(String::from_utf8_lossy);
            ("base64", lines.collect::<Vec<_>>().join("\r\n"))
        }
        _ => ("8bit", String::from_utf8_lossy(&bytes).into_owned()),
    };
    format!(
        "Content-Type: {kind}; charset={charset}; name*=utf-8''{}\r\n\
         Content-Transfer-Encoding: {name}\r\n\r\n{body}",
        text.bytes().take(8).map(|byte| format!("%{byte:02X}")).collect::<String>(),
    )
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    (letters(6), letters(6), letters(12), letters(30), 0usize..12, 0usize..20, 0usize..4).prop_map(
        |(from, subject, first, second, encoding, charset, shape)| {
            let word = base64::engine::general_purpose::STANDARD.encode(&subject);
            let header = format!(
                "From: {} <a@b>\r\nSubject: x =?utf-8?b?{word}?=\r\n y\r\nX-{}: {}\r\n",
                from.replace("\r\n", " "),
                first.len(),
                first.replace("\r\n", "\r\n "),
            );
            let (a, b) =
                (part(&first, encoding, charset), part(&second, charset % 12, encoding + charset));
            let text = match shape {
                0 => format!("{header}{a}"),
                1 => format!(
                    "{header}Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n{a}\r\n--q\r\n\
                     {b}\r\n--q--\r\n"
                ),
                2 => format!("{header}Content-Type: message/rfc822\r\n\r\n{header}{b}"),
                _ => format!("{header}\r\n{second}"),
            };
            text.into_bytes()
        },
    )
}

fn want() -> impl Strategy<Value = Want> {
    let text = prop_oneof![
        4 => letters(4),
        1 => "[ -~]{0,3}",
        1 => prop::sample::select(&["=?utf-8", "x", "a@b", "text/plain", "\0", "名"][..])
            .prop_map(str::to_owned),
    ];
    (text, 0usize..7).prop_map(|(text, kind)| {
        let needle = Needle::new(&text);
        let field = |field: &str| Want::Header { field: field.to_owned(), needle: needle.clone() };
        match kind {
            0 | 1 => Want::Body(needle),
            2 | 3 => Want::Text(needle),
            4 => field("SUBJECT"),
            5 => field("From"),
            _ => field("x-3"),
        }
    })
}

/// What happens to the index between two questions.
#[derive(Clone, Debug)]
enum Event {
    Append(Vec<Vec<u8>>),
    Update,
    /// Ended after so many steps.
    UpdateSome(usize),
    /// Equal to messages that are there.
    Again(usize),
    Expunge(usize),
    MoveAway(usize),
    DeleteOther,
    Restart,
    Flip(usize, usize, u8),
    Cut(usize, usize),
    Lose(usize),
    Litter,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => prop::collection::vec(message(), 1..6).prop_map(Event::Append),
        3 => Just(Event::Update),
        1 => (1usize..4).prop_map(Event::UpdateSome),
        1 => any::<usize>().prop_map(Event::Again),
        2 => (1usize..20).prop_map(Event::Expunge),
        1 => (1usize..9).prop_map(Event::MoveAway),
        1 => Just(Event::DeleteOther),
        1 => Just(Event::Restart),
        3 => (any::<usize>(), any::<usize>(), 1u8..=255).prop_map(|(f, at, x)| Event::Flip(f, at, x)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(file, at)| Event::Cut(file, at)),
        1 => any::<usize>().prop_map(Event::Lose),
        1 => Just(Event::Litter),
    ]
}

fn damage(world: &World, event: &Event) {
    let files = world.files();
    let pick = |n: usize| files.get(n % files.len().max(1));
    match *event {
        Event::Flip(file, at, bits) => {
            if let Some((name, bytes)) = pick(file).filter(|(_, bytes)| !bytes.is_empty()) {
                let mut bytes = bytes.to_vec();
                let at = at % bytes.len();
                bytes[at] ^= bits;
                world.overwrite(name, bytes.into());
            }
        }
        Event::Cut(file, at) => {
            if let Some((name, bytes)) = pick(file) {
                world.overwrite(name, bytes.slice(..at % bytes.len().max(1)));
            }
        }
        Event::Lose(file) => {
            if let Some((name, _)) = pick(file) {
                let lost = world.storage.cache_remove(common::id(), name);
                storage::conformance::block_on(lost).unwrap();
            }
        }
        Event::Litter => {
            world.overwrite("00000000000000ff.seg", Bytes::from_static(b"martsrch"));
            world.overwrite("other", Bytes::new());
        }
        _ => {}
    }
}

/// Changes the mailboxes.
fn change(world: &mut World, event: &Event) {
    match *event {
        Event::Again(nth) if !world.messages.is_empty() => {
            let again = world.messages[nth % world.messages.len()].1.clone();
            world.append([again.clone(), again]);
        }
        Event::Expunge(count) if count <= world.messages.len() => world.expunge(count as u32),
        Event::MoveAway(count) if count <= world.messages.len() => world.move_away(count as u32),
        Event::DeleteOther => world.delete_other(),
        _ => {}
    }
}

/// An update looks at what is new; then nothing is missing, as a look at all messages tells.
fn update(world: &World, library: &index::Library) {
    world.update(library);
    // What was damaged is made again.
    while !library.take_damaged().is_empty() {
        world.update(library);
    }
    let status = world.status(library);
    assert_eq!((status.waiting, status.unreadable), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]
    #[test]
    fn whatever_happens_to_the_index(
        messages in prop::collection::vec(message(), 1..12),
        events in prop::collection::vec(event(), 1..12),
        wants in prop::collection::vec(want(), 1..8),
    ) {
        let mut world = World::new();
        let mut library = world.library();
        world.append(messages);
        for event in events {
            match event {
                Event::Append(messages) => world.append(messages),
                Event::Update => update(&world, &library),
                Event::UpdateSome(steps) => world.update_some(&library, steps),
                Event::Restart => library = world.library(),
                other => {
                    change(&mut world, &other);
                    damage(&world, &other);
                }
            }
            for want in &wants {
                world.check(&library, want);
            }
        }
        // What was dropped comes back.
        let library = world.library();
        for want in &wants {
            world.check(&library, want);
        }
        update(&world, &library);
        for want in &wants {
            world.check(&library, want);
        }
    }
}
