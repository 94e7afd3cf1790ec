//! Every message has an envelope and a body structure that are valid, however it arrives; and what a
//! search finds in it does not depend on that either.

#![no_main]

use base::Limits;
use libfuzzer_sys::fuzz_target;
use message::search::{Needle, Scan, Want, scan};
use message::{Parser, Summary};
use wire::abnf;
use wire::response::Encoding;

fuzz_target!(|input: &[u8]| {
    let Some((&step, text)) = input.split_first() else {
        return;
    };
    let limits = Limits::default();
    let summary = message::summarize(text, &limits);
    for utf8 in [false, true] {
        let encoding = Encoding { utf8, rev2: false };
        assert_eq!(abnf::envelope_for(&summary.envelope(utf8), encoding), Ok(()));
        assert_eq!(abnf::body_for(&summary.body(utf8), false, encoding), Ok(()));
        assert_eq!(abnf::body_for(&summary.body_structure(utf8), true, encoding), Ok(()));
    }
    let encoded = summary.encode();
    assert_eq!(Summary::decode(&encoded).map(|again| again.encode()), Some(encoded.clone()));
    let mut parser = Parser::new(&limits);
    text.chunks(usize::from(step) + 1).for_each(|chunk| parser.feed(chunk));
    assert_eq!(parser.finish().encode(), encoded, "it came in chunks of {}", step as usize + 1);
    let wants = || {
        let needle = || Needle::new("a\u{fc}");
        vec![
            Want::Body(needle()),
            Want::Text(needle()),
            Want::Text(Needle::new("b")),
            Want::Header { field: "subject".to_owned(), needle: Needle::new("c") },
        ]
    };
    let mut pieces = Scan::new(wants());
    text.chunks(usize::from(step) + 1).for_each(|chunk| pieces.feed(chunk));
    assert_eq!(pieces.finish(), scan(text, wants()));
    summary.thread_id(base::EmailId([0; 16]));
    let header = &text[..summary.root().body_start as usize];
    assert!(message::section::header_fields(header, &[], true) == header);
});
