//! Every command that parses means the same after it was printed; no bytes make the parser panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::command::append::{parse_head, parse_next};
use wire::command::{AppendMessage, AppendNext};
use wire::{Syntax, parse, print_for, sasl_response};

fuzz_target!(|input: &[u8]| {
    let Some((&mode, line)) = input.split_first() else {
        return;
    };
    let cx = Syntax { utf8: mode & 1 != 0, rev2: mode & 2 != 0, nesting_max: 64 };
    match parse::command(line, &cx) {
        Ok(parsed) => {
            let printed = print_for(&parsed.command, cx.utf8);
            let again = parse::command(&[b"a ", &printed[..]].concat(), &cx);
            assert_eq!(again.map(|parsed| parsed.command), Ok(parsed.command));
        }
        Err(error) => {
            assert!(error.at <= line.len());
            assert!(error.to_string().is_ascii());
        }
    }
    let _ = parse_head(line, &cx);
    let utf8 = mode & 4 != 0;
    let after = AppendMessage { flags: base::Flags::default(), date: None, utf8 };
    if let Ok(AppendNext::Message(message, _)) = parse_next(line, &after) {
        let _ = message.flags.to_string();
    }
    let _ = sasl_response(line);
});
