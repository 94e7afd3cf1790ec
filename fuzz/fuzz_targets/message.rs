//! Every message has an envelope and a body structure that are valid, however it arrives.

#![no_main]

use base::Limits;
use libfuzzer_sys::fuzz_target;
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
        assert_eq!(abnf::envelope_for(summary.envelope(utf8), encoding), Ok(()));
        assert_eq!(abnf::body_for(summary.body(utf8), false, encoding), Ok(()));
        assert_eq!(abnf::body_for(summary.body_structure(utf8), true, encoding), Ok(()));
    }
    let encoded = summary.encode();
    assert_eq!(Summary::decode(&encoded).map(|again| again.encode()), Some(encoded.clone()));
    let mut parser = Parser::new(&limits);
    text.chunks(usize::from(step) + 1).for_each(|chunk| parser.feed(chunk));
    assert_eq!(parser.finish().encode(), encoded, "it came in chunks of {}", step as usize + 1);
});
