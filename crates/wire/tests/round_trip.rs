//! What is printed means the same when it is read; and no bytes make a parser panic.

#![allow(clippy::unwrap_used)] // A test: what cannot be built here is a mistake of the test.

mod strategies;

use base::{MailboxId, ModSeq, SeqNum, UidValidity};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use strategies::{atom, command, mailbox, mod_seq, nz, special_uses, text, uids};
use wire::command::append::parse_head;
use wire::response::{
    Code, Condition, Encoding, Esearch, ListAttribute, StatusValue, ThreadNode, Untagged,
};
use wire::{Syntax, parse, print_for};

const SYNTAXES: [Syntax; 3] = [
    Syntax { utf8: false, rev2: false, nesting_max: 64 },
    Syntax { utf8: true, rev2: false, nesting_max: 64 },
    Syntax { utf8: true, rev2: true, nesting_max: 64 },
];

const ENCODINGS: [Encoding; 3] = [
    Encoding { utf8: false, rev2: false },
    Encoding { utf8: true, rev2: false },
    Encoding { utf8: true, rev2: true },
];

fn with_tag(printed: &[u8]) -> Vec<u8> {
    [b"a.1 ", printed].concat()
}

/// Words of all commands and responses, so that random lines get deep into the grammar.
const WORDS: &[&str] = &[
    "a",
    "*",
    "+",
    " ",
    " ",
    " ",
    " ",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "\"",
    "\\",
    "{3}\r\n",
    "{1+}\r\n",
    "~{2}\r\n",
    "\r\n",
    "$",
    ",",
    ":",
    ".",
    "0",
    "1",
    "5",
    "4294967295",
    "UID",
    "FETCH",
    "STORE",
    "SEARCH",
    "SORT",
    "THREAD",
    "COPY",
    "LIST",
    "SELECT",
    "APPEND",
    "STATUS",
    "ID",
    "OR",
    "NOT",
    "RETURN",
    "CHARSET",
    "UTF-8",
    "KOI8-R",
    "BODY",
    "BODY.PEEK",
    "BINARY",
    "HEADER.FIELDS",
    "FLAGS",
    "+FLAGS",
    "\\Seen",
    "\\Recent",
    "QRESYNC",
    "CHANGEDSINCE",
    "VANISHED",
    "ENVELOPE",
    "NIL",
    "OK",
    "BAD",
    "EXISTS",
    "ESEARCH",
    "NAMESPACE",
    "MODSEQ",
    "FROM",
    "ON",
    "1-Feb-1994",
    "é",
    "\0",
    "&",
    "(EARLIER)",
    "(TAG \"a\")",
    "[CAPABILITY IMAP4rev1]",
    "TEXT",
    "\"TEXT\"",
    "UTF8",
    "\" 1-Jan-2020 00:00:00 +0000\"",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        12 => select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(word, 0..24).prop_map(|words| [b"a ", &words.concat()[..], b"\r\n"].concat())
}

fn code() -> impl Strategy<Value = Code> {
    let validity = || nz().prop_map(|n| UidValidity::new(n.get()).unwrap());
    prop_oneof![
        select(vec![Code::Alert, Code::ReadOnly, Code::UnknownCte, Code::BadCharset(vec![])]),
        (validity(), uids()).prop_map(|(validity, uids)| Code::AppendUid(validity, uids)),
        (validity(), uids()).prop_map(|(v, uids)| Code::CopyUid(v, uids.clone(), uids)),
        (1u64..9).prop_map(|n| Code::HighestModSeq(ModSeq::new(n).unwrap())),
        (atom(), option::of((0u64..9, 0u64..9))).prop_map(|(tag, n)| Code::InProgress(tag, n)),
        mod_seq().prop_map(|n| Code::MailboxId(MailboxId::new(n))),
        uids().prop_map(|uids| Code::Modified(uids.to_string())),
    ]
}

fn threads() -> impl Strategy<Value = Vec<ThreadNode>> {
    let leaf = nz().prop_map(|n| ThreadNode { number: Some(n.get()), children: vec![] });
    let node = leaf.prop_recursive(6, 40, 4, |inner| {
        (option::of(nz()), vec(inner, 1..4))
            .prop_map(|(n, children)| ThreadNode { number: n.map(|n| n.get()), children })
    });
    vec(node, 0..4)
}

fn esearch() -> impl Strategy<Value = Esearch> {
    let number = || option::of(nz().prop_map(|n| n.get()));
    let rest = (option::of(any::<u32>()), option::of(1u64..9));
    let place = option::of((mailbox(), nz().prop_map(|n| n.get())));
    ((atom(), any::<bool>(), place), number(), number(), option::of(uids()), rest).prop_map(
        |((tag, uid, place), min, max, all, (count, mod_seq))| Esearch {
            tag: tag.replace('+', "x"),
            mailbox: place.and_then(|(name, n)| Some((name, UidValidity::new(n)?))),
            uid,
            min,
            max,
            all: all.map(|uids| uids.to_string()),
            count,
            mod_seq: mod_seq.and_then(ModSeq::new),
        },
    )
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let condition = select(vec![Condition::Ok, Condition::No, Condition::Bad]);
    let attributes =
        || special_uses().prop_map(|all| all.into_iter().map(ListAttribute::Use).collect());
    let child_info = || subsequence(vec!["SUBSCRIBED", "SPECIAL-USE"], 0..=2);
    let numbers = || (vec(nz().prop_map(|n| n.get()), 0..5), option::of(1u64..9));
    prop_oneof![
        (condition, option::of(code()), any::<String>())
            .prop_map(|(condition, code, text)| Untagged::Status(condition, code, text)),
        any::<String>().prop_map(|text| Untagged::Bye(None, text)),
        (attributes(), mailbox(), child_info(), option::of(mailbox())).prop_map(
            |(attributes, mailbox, child_info, old_name)| Untagged::List {
                attributes,
                mailbox,
                child_info,
                old_name,
            }
        ),
        (attributes(), mailbox()).prop_map(|(attributes, name)| Untagged::Lsub(attributes, name)),
        vec((text(), select(vec!['/', '.', '"', '\\'])), 0..3).prop_map(Untagged::Namespace),
        (mailbox(), any::<u32>(), mod_seq()).prop_map(|(name, n, mod_seq)| {
            let values = vec![StatusValue::Messages(n), StatusValue::HighestModSeq(mod_seq)];
            Untagged::StatusOf(name, values)
        }),
        option::of(vec(any::<String>().prop_map(|value| ("name", value)), 0..3))
            .prop_map(Untagged::Id),
        (any::<bool>(), uids()).prop_map(|(earlier, uids)| Untagged::Vanished { earlier, uids }),
        nz().prop_map(|n| Untagged::Expunge(SeqNum::new(n.get()).unwrap())),
        numbers().prop_map(|(n, m)| Untagged::Search(n, m.and_then(ModSeq::new))),
        numbers().prop_map(|(n, m)| Untagged::Sort(n, m.and_then(ModSeq::new))),
        esearch().prop_map(Untagged::Esearch),
        threads().prop_map(Untagged::Thread),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn commands(command in command()) {
        for cx in SYNTAXES {
            let line = with_tag(&print_for(&command, cx.utf8));
            let parsed = parse::command(&line, &cx);
            let shown = String::from_utf8_lossy(&line).into_owned();
            prop_assert!(parsed.is_ok(), "{}: {}", shown, parsed.unwrap_err());
            prop_assert_eq!(&parsed.unwrap().command, &command, "{}", shown);
        }
    }

    #[test]
    fn cut_and_changed_commands_do_no_harm(
        command in command(), at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut line = with_tag(&print_for(&command, false));
        let at = at.index(line.len());
        if cut { line.truncate(at) } else { line[at] = byte }
        for cx in SYNTAXES {
            if let Err(error) = parse::command(&line, &cx) {
                prop_assert!(error.at <= line.len());
            }
            let _ = parse_head(&line, &cx);
        }
    }

    #[test]
    fn whatever_parses_prints_the_same(line in soup()) {
        for cx in SYNTAXES {
            if let Ok(parsed) = parse::command(&line, &cx) {
                let again = parse::command(&with_tag(&print_for(&parsed.command, cx.utf8)), &cx);
                prop_assert_eq!(again.map(|p| p.command), Ok(parsed.command));
            }
            let _ = parse_head(&line, &cx);
        }
        for encoding in ENCODINGS {
            let _ = parse::response(&line, encoding);
            let _ = parse::response(&[b"* ", &line[2..]].concat(), encoding);
        }
    }

    #[test]
    fn responses_are_valid(response in untagged()) {
        for encoding in ENCODINGS {
            let mut out = Vec::new();
            response.print(&mut out, encoding);
            let parsed = parse::response(&out, encoding);
            let shown = String::from_utf8_lossy(&out).into_owned();
            prop_assert!(parsed.is_ok(), "{}: {}", shown, parsed.unwrap_err());
        }
    }
}
