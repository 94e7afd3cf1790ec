//! Sets: what parses prints the same, and the set of numbers equals a naive reading.

#![no_main]

use std::collections::BTreeSet;

use base::{Uid, UidSet};
use libfuzzer_sys::fuzz_target;
use wire::command::{Command, Copy};
use wire::value::{SequenceSet, SetEnd};
use wire::{Syntax, parse, print_for};

const SYNTAX: Syntax = Syntax { utf8: false, rev2: false, nesting_max: 64 };

fn parse_set(text: &[u8]) -> Option<Copy> {
    let line = [b"a UID COPY ", text, b" x\r\n"].concat();
    match parse::command(&line, &SYNTAX).ok()?.command {
        Command::Copy(copy) => Some(copy),
        _ => None,
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(copy) = parse_set(input) else {
        return;
    };
    let printed = print_for(&Command::Copy(copy.clone()), false);
    let again = parse::command(&[b"a ", &printed[..]].concat(), &SYNTAX);
    assert_eq!(again.map(|parsed| parsed.command), Ok(Command::Copy(copy.clone())));
    let SequenceSet::Ranges(ranges) = copy.set else {
        return;
    };
    let number = |end: SetEnd| match end {
        SetEnd::Number(n) => n.get() % 4096 + 1,
        SetEnd::Star => 4096,
    };
    let (mut set, mut naive) = (UidSet::new(), BTreeSet::new());
    for (first, last) in ranges.into_iter().take(64) {
        let (first, last) = (number(first), number(last));
        if let (Some(first), Some(last)) = (Uid::new(first), Uid::new(last)) {
            set.insert_range(first, last);
        }
        naive.extend(first.min(last)..=first.max(last));
    }
    assert!(set.iter().map(Uid::get).eq(naive.iter().copied()));
    assert_eq!(set.len(), naive.len() as u64);
});
