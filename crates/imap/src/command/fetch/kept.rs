//! Headers as they are kept beside their messages ([`storage::Extract`]).

pub(in crate::command) use message::kept::{Mask, chosen};
pub(super) use message::kept::{fields, header, is_current, whole};

#[cfg(test)]
mod tests {
    use super::super::fields::FieldFilter;
    use super::*;
    use bytes::Bytes;
    use message::kept::KEPT_BYTES_MAX;
    use proptest::prelude::*;

    fn filtered(header: &[u8], names: &[Bytes], not: bool) -> Vec<u8> {
        let mut filter = FieldFilter::new(names, not);
        let mut out = Vec::new();
        filter.feed(header, &mut out);
        filter.finish(&mut out);
        out
    }

    fn check(header: &[u8], names: &[Bytes]) {
        let kept = fields(header).expect("small");
        let mask = Mask::new(names).expect("kept names");
        let found: Vec<u8> =
            chosen(&kept, mask).expect("this version").flatten().copied().collect();
        assert_eq!(found, filtered(header, names, false));
        for not in [false, true] {
            let mut found = Vec::new();
            super::super::fields::select(header, names, not, &mut found);
            assert_eq!(found, filtered(header, names, not));
        }
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let line = |bytes: usize| format!("Subject: {}\r\n\r\n", "a".repeat(bytes)).into_bytes();
        for bytes in [0, 1000, KEPT_BYTES_MAX - 100] {
            check(&line(bytes), &[Bytes::from_static(b"subject")]);
            assert!(whole(&line(bytes)).is_some());
        }
        for bytes in [KEPT_BYTES_MAX, 100_000] {
            assert_eq!((fields(&line(bytes)), whole(&line(bytes))), (None, None));
        }
        let many = "To: a\r\n".repeat(10_000).into_bytes();
        assert_eq!(fields(&many), None);
        let folded = [&b"To: a\r\n"[..], " b\r\n".repeat(10_000).as_bytes()].concat();
        assert_eq!(fields(&folded), None);
        let others = [&b"X: a\r\n"[..], " b\r\n".repeat(10_000).as_bytes(), b"To: c\r\n"].concat();
        check(&others, &[Bytes::from_static(b"to")]);
    }

    fn piece() -> impl Strategy<Value = &'static [u8]> {
        prop::sample::select(vec![
            &b"From: a <b@c>\r\n"[..],
            b"from : odd\n",
            b"TO:\r\n",
            b"To",
            b"To: no end",
            b": no name\r\n",
            b"no colon\r\n",
            b" folded\r\n",
            b"\tfolded: too\n",
            b" ",
            b"\r\n",
            b"\n",
            b"\r",
            b"X-Other: y\r\n",
            b"Received: from a\r\n\tby b\r\n",
            b"Subject: \xc3\xa4 \x00\r\n",
            b"subject: again\r\n",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn kept_fields_answer_as_the_header_does(
            pieces in prop::collection::vec(piece(), 0..12),
            asked in prop::collection::vec(prop::sample::select(vec!["FROM", "to", "Subject", "bcc"]), 1..4),
        ) {
            let names: Vec<Bytes> = asked.iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
            check(&pieces.concat(), &names);
        }

        #[test]
        fn any_bytes_do_as_well(header in prop::collection::vec(prop::sample::select(b"to:\r\n \tx".to_vec()), 0..60)) {
            check(&header, &[Bytes::from_static(b"to")]);
        }
    }
}
