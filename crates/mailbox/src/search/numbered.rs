//! The numbers of many messages: those of a range of UIDs follow each other, so that a set costs its
//! ranges and not its messages.

use base::{Uid, UidSet};

use crate::View;

impl View {
    /// For each range of `uids`, all of which exist in the view's mailbox and are numbered by its
    /// client: the range, and the number of its first message. The others follow.
    pub fn numbered<'a>(
        &'a self,
        uids: &'a UidSet,
    ) -> impl Iterator<Item = ((Uid, Uid), u32)> + 'a {
        let mailbox = self.mailbox();
        let mut chunks = mailbox.columns.chunks.iter().peekable();
        let ghosts = self.ghosts();
        let (mut range, mut passed) = (0, 0);
        uids.ranges().iter().map(move |&(first, last)| {
            // Both ascend: neither begins from the start again.
            while chunks.next_if(|(_, chunk)| chunk.last < first).is_some() {}
            let here = chunks.peek();
            let index =
                here.map_or(mailbox.len(), |(start, chunk)| start + chunk.rank(first) as u32);
            while let Some(&(from, to)) = ghosts.ranges().get(range).filter(|r| r.1 < first) {
                passed += to.get() - from.get() + 1;
                range += 1;
            }
            // A range with existing messages only has no ghost inside.
            ((first, last), index + passed + 1)
        })
    }
}
