//! What is read with the text around it.

use bytes::Bytes;
use mailbox::Position;

use super::{account, block_on};
use crate::{Storage, Wrapping};

/// Law 4 for messages with text around them: of one that is not there, or has another size, others
/// that were read with it may be hidden, but nothing wrong is told.
pub(super) fn with_text(storage: &dyn Storage, asked: &[&(Position, Option<Bytes>)]) {
    let mut wrapping = Wrapping::default();
    let mut right = Vec::new();
    for (nth, (at, bytes)) in asked.iter().enumerate() {
        let octets = bytes.as_ref().map_or(5, |bytes| bytes.len() as u32 + u32::from(nth == 6));
        let (front, back) = (format!("<{nth}>"), "!".repeat(nth % 3));
        let text = |text: String| move |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
        wrapping.push((*at, octets), text(front.clone()), text(back.clone()));
        let bytes = bytes.as_deref().filter(|bytes| bytes.len() == octets as usize);
        right.push(bytes.map(|bytes| [front.as_bytes(), bytes, back.as_bytes()].concat()));
    }
    let mut rest = &right[..];
    for run in block_on(storage.wrapped(account(1), wrapping.clone())) {
        let (these, others) = rest.split_at(run.count);
        let whole = these.iter().cloned().collect::<Option<Vec<_>>>();
        assert_eq!(run.bytes.is_ok(), whole.is_some(), "{} messages", run.count);
        assert!(
            run.bytes.is_err() || run.bytes.ok().as_deref() == whole.map(|w| w.concat()).as_deref()
        );
        rest = others;
    }
    assert!(rest.is_empty(), "every message is answered");
    let strange = block_on(storage.wrapped(account(2), wrapping));
    assert!(strange.iter().all(|run| run.bytes.is_err()));
    assert_eq!(strange.iter().map(|run| run.count).sum::<usize>(), asked.len());
}
