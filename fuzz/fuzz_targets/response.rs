//! No bytes make the response parser or the validators of FETCH data panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::response::{Encoding, Untagged};
use wire::{abnf, parse, reply};

fuzz_target!(|input: &[u8]| {
    let Some((&mode, line)) = input.split_first() else {
        return;
    };
    let encoding = Encoding { utf8: mode & 1 != 0, rev2: mode & 2 != 0 };
    if let Ok(reply::Reply::Untagged(data)) = parse::response(line, encoding) {
        // What has a form on both sides reads the same after it was printed.
        let same = match &data {
            reply::Data::Search(numbers, modseq) => Untagged::Search(numbers.clone(), *modseq),
            reply::Data::Esearch(esearch) => Untagged::Esearch(esearch.clone()),
            reply::Data::Vanished { earlier, uids } => {
                Untagged::Vanished { earlier: *earlier, uids: uids.clone() }
            }
            reply::Data::Thread(threads) => Untagged::Thread(threads.clone()),
            _ => return,
        };
        let is_esearch = matches!(same, Untagged::Esearch(_));
        let mut out = Vec::new();
        same.print(&mut out, encoding);
        let again = parse::response(&out, encoding);
        // A tag from quotes may be none that a client can have.
        assert!(is_esearch || again == Ok(reply::Reply::Untagged(data)));
    }
    let _ = abnf::envelope(line);
    let _ = abnf::body(line, mode & 4 != 0);
});
