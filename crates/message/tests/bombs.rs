//! Messages that want to be expensive. None of these tests would end with quadratic work.

mod laws;

use base::Limits;
use message::search::{Needle, Want, scan};
use message::{Parser, Part, summarize};

fn parts(part: &Part) -> usize {
    1 + part.children.iter().map(parts).sum::<usize>()
}

fn depth(part: &Part) -> usize {
    1 + part.children.iter().map(depth).max().unwrap_or(0)
}

#[test]
fn many_parts() {
    let one = "--b\r\nContent-Type: text/plain; name=x\r\n\r\ncontent\r\n";
    let message =
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", one.repeat(10_000));
    let summary = laws::check(message.as_bytes(), "10,000 parts");
    assert_eq!(parts(summary.root()), Limits::default().mime_parts_max);
    assert_eq!(scan(message.as_bytes(), vec![Want::Body(Needle::new("nothing"))]), [false]);
}

#[test]
fn small_limits_hold() {
    let limits = Limits {
        mime_parts_max: 3,
        mime_depth_max: 3,
        header_bytes_max: 64,
        addresses_max: 2,
        parameters_max: 1,
        ..Limits::default()
    };
    let message = "To: a@b, c@d, e@f\r\nContent-Type: multipart/mixed; boundary=b; x=y\r\n\r\n\
        --b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--\r\n";
    let summary = laws::check_with(message.as_bytes(), "small limits", &limits);
    assert_eq!(parts(summary.root()), 3);
    let none = Limits {
        mime_parts_max: 0,
        mime_depth_max: 0,
        header_bytes_max: 0,
        addresses_max: 0,
        parameters_max: 0,
        ..Limits::default()
    };
    laws::check_with(message.as_bytes(), "no limits at all", &none);
}

#[test]
fn deep_multiparts() {
    let mut message = String::new();
    for level in 0..10_000 {
        message +=
            &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    let summary = laws::check(message.as_bytes(), "deep multiparts");
    assert!(depth(summary.root()) <= Limits::default().mime_depth_max);
    let wide = Limits { mime_depth_max: usize::MAX, ..Limits::default() };
    assert!(depth(summarize(message.as_bytes(), &wide).root()) <= 200);
}

#[test]
fn deep_messages() {
    let message = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    let summary = laws::check(message.as_bytes(), "deep messages");
    assert!(depth(summary.root()) <= Limits::default().mime_depth_max);
    // Headers that only a boundary ends.
    let message =
        "Content-Type: multipart/digest; boundary=b\r\n\r\n".to_owned() + &"--b\r\n".repeat(9);
    laws::check(message.as_bytes(), "digest of nothing");
}

#[test]
fn long_lines_and_headers() {
    let megabyte = "x".repeat(1 << 20);
    for (name, message) in [
        ("subject", format!("Subject: {megabyte}\r\n\r\n{megabyte}")),
        ("no colon", format!("{megabyte}\r\n\r\n{megabyte}")),
        (
            "boundary",
            format!(
                "Content-Type: multipart/mixed; boundary={megabyte}\r\n\r\n--{megabyte}\r\n\r\na\r\n--{megabyte}--\r\n"
            ),
        ),
        (
            "dashes",
            format!(
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--{megabyte}\r\n-- {megabyte}\r\n--b--"
            ),
        ),
        ("openings", format!("Subject: {}\r\n\r\n", "=?a?q?".repeat(40_000))),
        ("words", format!("Subject: {}\r\n\r\n", "=?utf-8?q?=C3?= ".repeat(16_000))),
        ("eight bit", format!("Subject: {}\r\n\r\n", "ü x ".repeat(50_000))),
    ] {
        laws::check(message.as_bytes(), name);
    }
}

#[test]
fn many_fields_addresses_and_parameters() {
    let limits = Limits::default();
    for (name, header) in [
        ("addresses", format!("To: {}", "a@b,".repeat(100_000))),
        ("to fields", "To: a@b\r\n".repeat(30_000)),
        ("no addresses", format!("To: {}", ",".repeat(200_000))),
        ("groups", format!("To: {}", "g:".repeat(100_000))),
        ("group ends", format!("To: {}", "g:;".repeat(80_000))),
        ("open angles", format!("To: {}", "<".repeat(200_000))),
        ("routes", format!("To: <{}", "@a,".repeat(80_000))),
        ("at signs", format!("To: {}", "@".repeat(200_000))),
        ("dots", format!("To: {}@b", "a .".repeat(60_000))),
        ("comments", format!("To: {}", "(".repeat(200_000))),
        ("comment pairs", format!("To: {}", "()".repeat(100_000))),
        ("quotes", format!("To: {}", "\"".repeat(200_000))),
        ("parameters", format!("Content-Type: text/plain{}", "; a=b".repeat(50_000))),
        ("equals", format!("Content-Type: text/plain; {}", "=".repeat(200_000))),
        ("spaces", format!("Content-Type: text/plain; a={}", "b ".repeat(100_000))),
        ("sections", {
            let all: String = (0..30_000).map(|n| format!(";a*{n}=b")).collect();
            format!("Content-Type: text/plain{all}")
        }),
        ("semicolons", format!("Content-Type: text/plain{}", ";".repeat(200_000))),
        ("languages", format!("Content-Language: {}", "a,".repeat(100_000))),
        ("references", format!("References: {}", "<a@b>".repeat(50_000))),
        ("open ids", format!("References: {}", "<".repeat(200_000))),
        ("date", format!("Date: {}", "1:".repeat(100_000))),
        ("date words", format!("Date: {}", "x ".repeat(100_000))),
        ("blobs", format!("Subject: {}", "[a]".repeat(80_000))),
        ("forwards", format!("Subject: {}", "[fwd:".repeat(50_000))),
        ("folds", format!("Subject: {}", "\r\n x".repeat(60_000))),
        ("empty folds", format!("Subject: {}", "\r\n ".repeat(80_000))),
    ] {
        let message = format!("{header}\r\n\r\nbody\r\n");
        let summary = laws::check(message.as_bytes(), name);
        assert!(summary.encode().len() < 16 * limits.header_bytes_max, "{name}");
        let wants = vec![Want::Text(Needle::new("not there"))];
        assert_eq!(scan(message.as_bytes(), wants), [false], "{name}");
    }
}

#[test]
fn the_summary_stays_small() {
    let limits = Limits::default();
    let value = "v".repeat(200_000);
    let part = format!("--b\r\nContent-Type: text/plain; name={value}\r\n\r\n\r\n");
    let mut parser = Parser::new(&limits);
    parser.feed(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for _ in 0..200 {
        parser.feed(part.as_bytes());
    }
    let summary = parser.finish();
    assert_eq!(parts(summary.root()), 201);
    assert!(summary.encode().len() < 16 * limits.header_bytes_max);
    assert!(wire::abnf::body(&summary.body_structure(false), true).is_ok());
}
