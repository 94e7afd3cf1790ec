//! Random bytes and damaged messages obey the laws of all messages.

mod laws;

use base::Limits;
use bytes::Bytes;
use message::Summary;
use message::search::{Needle, Scan, Want, scan};
use proptest::prelude::*;

/// A message with a bit of everything, to be damaged.
const MESSAGE: &str = "\
From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>
To: group: a@b, \"c d\"@e (comment);, <@route:f@g>
Date: Fri, 21 Nov 1997 09:55:06 -0600
Subject: Re: [x] =?utf-8?b?w7w=?= (fwd)
Content-Type: multipart/mixed; boundary=\"b\"; x*0*=utf-8'en'%C3%BC; x*1=y

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

gr=FC=
n
--b
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/digest; boundary=bb

--bb

Subject: m

x
--bb--
--b--
";

/// Pieces that mean something to a parser.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "\r\n",
            "\n",
            "\r",
            "\r\n\r\n",
            "--b",
            "--bb",
            "--b--",
            ": ",
            "; ",
            "=",
            "\"",
            "<",
            ">",
            "(",
            ")",
            ",",
            "=?",
            "?=",
            "=?utf-8?q?",
            "'",
            "%C3",
            "*0*=",
            "\\",
            "\0",
            "\u{fc}",
            " ",
            "Content-Type: multipart/mixed; boundary=b",
            "Content-Type: message/rfc822",
            "From: ",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

fn scans_alike(message: &[u8], size: usize) -> Result<(), TestCaseError> {
    let wants = || {
        ["n", "ü", "m"]
            .map(Needle::new)
            .into_iter()
            .flat_map(|needle| {
                [
                    Want::Body(needle.clone()),
                    Want::Text(needle.clone()),
                    Want::Header { field: "subject".to_owned(), needle },
                ]
            })
            .collect::<Vec<_>>()
    };
    let mut pieces = Scan::new(wants());
    message.chunks(size).for_each(|piece| pieces.feed(piece));
    prop_assert_eq!(pieces.finish(), scan(message, wants()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_bytes(bytes: Vec<u8>, size in 1usize..9) {
        laws::check(&bytes, "random bytes");
        scans_alike(&bytes, size)?;
    }

    #[test]
    fn random_pieces(pieces in prop::collection::vec(piece(), 0..40), size in 1usize..9) {
        let message = pieces.concat();
        laws::check(&message, "random pieces");
        scans_alike(&message, size)?;
    }

    #[test]
    fn damaged_messages(
        cuts in prop::collection::vec((0usize..900, 0usize..20, piece()), 1..6),
        parts_max in 1usize..6,
        header_max in 0usize..200,
        size in 1usize..9,
    ) {
        let mut message = MESSAGE.replace('\n', "\r\n").into_bytes();
        for (at, length, piece) in cuts {
            let at = at.min(message.len());
            let end = (at + length).min(message.len());
            message.splice(at..end, piece);
        }
        laws::check(&message, "damaged message");
        scans_alike(&message, size)?;
        let limits = Limits {
            mime_parts_max: parts_max,
            mime_depth_max: parts_max,
            header_bytes_max: header_max,
            ..Limits::default()
        };
        laws::check_with(&message, "damaged message, small limits", &limits);
    }

    #[test]
    fn any_bytes_decode_or_not(bytes: Vec<u8>, at in 0usize..400, byte: u8) {
        let _ = Summary::decode(&Bytes::from(bytes));
        let summary = message::summarize(MESSAGE.as_bytes(), &Limits::default());
        let mut encoded = summary.encode().to_vec();
        let at = at % encoded.len();
        encoded[at] = byte;
        if let Some(damaged) = Summary::decode(&Bytes::from(encoded)) {
            damaged.root();
            damaged.sort_keys();
            damaged.thread_keys();
        }
    }
}
