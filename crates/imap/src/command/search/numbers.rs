//! What messages are answered as: the numbers of those that were found, looked up at once.

use base::{Uid, UidSet};
use wire::value::Numbering;

use crate::context::SelectedMailbox;

/// Runs of numbers that are looked through for each message; with more there is a table.
const RUNS_MAX: usize = 4;

/// The numbers of the messages that were found.
pub(crate) enum Numbers {
    /// UIDs from the first to the last, and the number of the first; ascending.
    Runs(Vec<(u32, u32, u32)>),
    /// From a UID on the number of each, 0 for those that were not found.
    Table(u32, Vec<u32>),
}

impl Numbers {
    /// Those of `found`, which exist in the view's mailbox.
    pub(crate) fn new(mailbox: &SelectedMailbox, numbering: Numbering, found: &UidSet) -> Self {
        let runs = runs(mailbox, numbering, found);
        let (Some(first), Some(last)) = (found.first(), found.last()) else {
            return Self::Runs(Vec::new());
        };
        let (first, span) = (first.get(), (last.get() - first.get()) as usize + 1);
        if found.ranges().len() <= RUNS_MAX || span as u64 > 8 * found.len() {
            return Self::Runs(runs.collect());
        }
        let mut table = vec![0; span];
        for (from, to, number) in runs {
            let part = &mut table[(from - first) as usize..=(to - first) as usize];
            part.iter_mut().zip(number..).for_each(|(entry, number)| *entry = number);
        }
        Self::Table(first, table)
    }

    /// The number of the message with this UID, if it was found.
    pub(crate) fn get(&self, uid: u32) -> Option<u32> {
        match self {
            Self::Runs(runs) => {
                let at = runs.partition_point(|&(_, last, _)| last < uid);
                let &(first, _, number) = runs.get(at).filter(|&&(first, ..)| first <= uid)?;
                Some(number + (uid - first))
            }
            Self::Table(first, table) => {
                let at = uid.checked_sub(*first)?;
                table.get(at as usize).copied().filter(|&number| number != 0)
            }
        }
    }
}

/// UIDs from the first to the last, and the number of the first; the others follow.
pub(crate) fn runs<'a>(
    mailbox: &'a SelectedMailbox,
    numbering: Numbering,
    found: &'a UidSet,
) -> impl Iterator<Item = (u32, u32, u32)> + 'a {
    mailbox.view.numbered(found).map(move |((first, last), seq): ((Uid, Uid), u32)| {
        let number = match numbering {
            Numbering::Uid => first.get(),
            Numbering::Seq => seq,
        };
        (first.get(), last.get(), number)
    })
}
