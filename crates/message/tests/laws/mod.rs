//! What holds for any bytes taken as a message.

use std::num::NonZeroU32;

use base::{EmailId, Limits};
use bytes::Bytes;
use message::printed::{self, Item};
use message::section::{self, Kind};
use message::{Parser, Part, Summary, summarize};

/// Checks all laws for `message`; `name` says which it is.
pub(crate) fn check(message: &[u8], name: &str) -> Summary {
    check_with(message, name, &Limits::default())
}

/// Checks all laws under `limits`.
pub(crate) fn check_with(message: &[u8], name: &str, limits: &Limits) -> Summary {
    let summary = summarize(message, limits);
    pieces_do_not_matter(message, name, limits, &summary);
    printed_items_are_valid(&summary, name);
    encodes_and_decodes(&summary, name);
    ranges_nest(summary.root(), 0, message.len() as u64, name);
    assert_eq!((summary.root().header_start, summary.size()), (0, message.len() as u64), "{name}");
    sections_lie_within(message, &summary, name);
    summary.thread_id(EmailId([7; 16]));
    summary
}

fn pieces_do_not_matter(message: &[u8], name: &str, limits: &Limits, whole: &Summary) {
    let sizes: &[usize] = if message.len() < 30_000 { &[1, 2, 3, 7, 64, 1000] } else { &[5, 4096] };
    for &size in sizes {
        let mut parser = Parser::new(limits);
        message.chunks(size).for_each(|piece| parser.feed(piece));
        assert!(parser.finish() == *whole, "{name}: pieces of {size}");
    }
}

fn printed_items_are_valid(summary: &Summary, name: &str) {
    for utf8 in [false, true] {
        let items = [summary.envelope(utf8), summary.body(utf8), summary.body_structure(utf8)];
        let encoding = wire::response::Encoding { utf8, rev2: utf8 };
        let verdicts = [
            wire::abnf::envelope_for(&items[0], encoding),
            wire::abnf::body_for(&items[1], false, encoding),
            wire::abnf::body_for(&items[2], true, encoding),
        ];
        for (item, verdict) in items.iter().zip(verdicts) {
            let text = String::from_utf8_lossy(item);
            assert!(verdict.is_ok(), "{name}: {verdict:?} in {text}");
            assert!(utf8 || item.is_ascii(), "{name}: 8-bit in {text}");
            assert!(std::str::from_utf8(item).is_ok(), "{name}: not UTF-8: {text}");
            assert!(!text.contains(char::is_control), "{name}: control character in {text}");
        }
    }
}

fn encodes_and_decodes(summary: &Summary, name: &str) {
    let again = Summary::decode(&summary.encode()).unwrap_or_else(|| panic!("{name}: decodes"));
    assert_eq!(&again, summary, "{name}");
    assert_eq!(again.root(), summary.root(), "{name}");
    assert_eq!(again.sort_keys(), summary.sort_keys(), "{name}");
    assert_eq!(again.thread_keys(), summary.thread_keys(), "{name}");
    assert_eq!(again.body_structure(true), summary.body_structure(true), "{name}");
    extracts_print_the_same(summary, name);
    let cut = summary.encode().slice(..summary.encode().len() - 1);
    assert_eq!(Summary::decode(&cut), None, "{name}");
}

fn extracts_print_the_same(summary: &Summary, name: &str) {
    let structures = printed::structures(&summary.encode()).expect(name);
    for utf8 in [false, true] {
        for (item, expected) in [
            (Item::Envelope, summary.envelope(utf8)),
            (Item::Body, summary.body(utf8)),
            (Item::BodyStructure, summary.body_structure(utf8)),
        ] {
            let mut found = Vec::new();
            assert!(printed::print(&summary.encode(), item, utf8, &mut found), "{name}");
            assert_eq!(found, expected, "{name}: {item:?}");
            found.clear();
            let has = printed::print_structure(&structures, item, utf8, &mut found);
            assert_eq!(has, item != Item::Envelope, "{name}");
            assert!(!has || found == expected, "{name}: {item:?} of the structure alone");
        }
    }
    for damaged in [&b""[..], b"\x02", b"\x01\0", b"\x02\xff", &structures[..structures.len() - 1]]
    {
        assert_eq!(printed::structures(damaged), None, "{name}");
        assert!(!printed::print_structure(damaged, Item::Body, true, &mut Vec::new()), "{name}");
    }
}

fn ranges_nest(part: &Part, start: u64, end: u64, name: &str) {
    let ordered = start <= part.header_start
        && part.header_start <= part.body_start
        && part.body_start <= part.end
        && part.end <= end;
    assert!(ordered, "{name}: {part:?}");
    let mut from = part.body_start;
    for child in &part.children {
        ranges_nest(child, from, part.end, name);
        from = child.end;
    }
    let multipart = part.media_type.0 == "multipart";
    assert!(!multipart || !part.children.is_empty(), "{name}: an empty multipart");
    let message =
        matches!(part.media_type.1.as_str(), "rfc822" | "global") && part.media_type.0 == "message";
    assert!(!message || part.children.len() == 1, "{name}: a message without its message");
}

fn sections_lie_within(message: &[u8], summary: &Summary, name: &str) {
    let number = |n: u32| NonZeroU32::new(n).expect("not 0");
    let paths: Vec<Vec<NonZeroU32>> = vec![
        vec![],
        vec![number(1)],
        vec![number(2)],
        vec![number(1), number(1)],
        vec![number(1), number(2), number(1)],
        vec![number(u32::MAX)],
    ];
    for path in paths {
        for kind in [Kind::Whole, Kind::Header, Kind::Text, Kind::Mime] {
            let Some(found) = section::locate(summary.root(), &path, kind) else { continue };
            let bytes = &message[found.start as usize..found.end as usize];
            if kind == Kind::Header {
                let nothing =
                    section::header_fields(bytes, &[Bytes::from_static(b"no-such")], true);
                assert_eq!(nothing, bytes, "{name}: all fields but none are the header");
            }
        }
    }
    assert!(section::locate(summary.root(), &[number(1)], Kind::Mime).is_some(), "{name}");
}
