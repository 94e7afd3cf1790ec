//! What to look up for a question, and what the answer is.

use message::search::Want;

use crate::gram::{Class, grams};
use crate::segment::Head;

/// Grams of a pattern that are looked up; more hardly narrow further.
const GRAMS_MAX: usize = 20;
/// Blocks that are read for the grams which begin with one or two bytes. A pattern with more is not
/// narrowed: its messages are scanned. So it is for nearly every single ASCII character.
const SPAN_BLOCKS_MAX: usize = 48;

/// So few candidates are quicker scanned than narrowed further.
const FEW: u32 = 2;

/// Documents as bits.
pub(crate) type Bits = Vec<u64>;

/// Keys from the first to the last.
type Span = (u32, u32);

/// One way for a document to match: it has a key of each span.
#[derive(Debug, PartialEq, Eq)]
struct Clause {
    always: Span,
    spans: Vec<Span>,
}

/// A question: one of the clauses. None at all: it cannot be narrowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    clauses: Vec<Clause>,
}

impl Query {
    pub(crate) fn new(want: &Want) -> Self {
        let (needle, classes) = match want {
            Want::Body(needle) => (needle, vec![Class::Body]),
            Want::Text(needle) => (needle, vec![Class::Header, Class::Body]),
            Want::Header { field, needle } => {
                let class = Class::of_field(field.as_bytes()).unwrap_or(Class::Header);
                (needle, vec![class])
            }
        };
        let folded = needle.folded();
        // The empty pattern asks for a field's presence; a zero byte stands between texts.
        if folded.is_empty() || folded.contains('\0') {
            return Self { clauses: Vec::new() };
        }
        let clause = |class: Class| {
            // Headers that are too large are told of their class, and a field is part of them.
            let always = match class {
                Class::Body => Class::Body,
                _ => Class::Header,
            };
            Clause { always: (always.always(), always.always()), spans: spans(class, folded) }
        };
        Self { clauses: classes.into_iter().map(clause).collect() }
    }

    /// Whether there is anything to look up.
    pub(crate) fn narrows(&self) -> bool {
        !self.clauses.is_empty()
    }

    /// The blocks of a segment that hold the answer.
    pub(crate) fn blocks(&self, head: &Head, blocks: &mut Vec<usize>) {
        for span in self.clauses.iter().flat_map(Clause::all) {
            let range = head.blocks_of(span.0, span.1);
            if range.len() <= SPAN_BLOCKS_MAX {
                blocks.extend(range);
            }
        }
    }

    /// The documents of a segment that may match. `block` has read all of [`Query::blocks`]. `None`
    /// if one of them is damaged.
    pub(crate) fn answer<'b>(
        &self,
        head: &Head,
        block: impl Fn(usize) -> Option<&'b [u8]>,
    ) -> Option<Bits> {
        let words = head.documents.div_ceil(64) as usize;
        let mut answer = vec![0; words];
        for clause in &self.clauses {
            let mut all: Option<Bits> = None;
            for span in clause.shortest_first(head) {
                let found = look_up(head, span, &block)?;
                // What says nothing leaves all as they are.
                let Some(found) = found else { continue };
                match &mut all {
                    None => all = Some(found),
                    Some(all) => all.iter_mut().zip(&found).for_each(|(all, found)| *all &= found),
                }
                if all.as_ref().is_some_and(|all| count(all) <= FEW) {
                    break;
                }
            }
            let all = all.unwrap_or_else(|| vec![u64::MAX; words]);
            let always = look_up(head, clause.always, &block)?;
            let always = always.unwrap_or_else(|| vec![u64::MAX; words]);
            for (answer, (all, always)) in answer.iter_mut().zip(all.iter().zip(&always)) {
                *answer |= all | always;
            }
        }
        Some(answer)
    }
}

fn count(bits: &Bits) -> u32 {
    bits.iter().map(|word| word.count_ones()).sum()
}

impl Clause {
    /// Long lists are long to read, and exclude least.
    fn shortest_first(&self, head: &Head) -> Vec<Span> {
        let bytes = |&(first, last): &Span| {
            head.blocks_of(first, last)
                .map(|block| head.place(block))
                .map(|at| at.end - at.start)
                .sum::<u64>()
        };
        let mut spans = self.spans.clone();
        spans.sort_by_cached_key(bytes);
        spans
    }

    fn all(&self) -> impl Iterator<Item = Span> + '_ {
        self.spans.iter().copied().chain([self.always])
    }
}

fn spans(class: Class, folded: &str) -> Vec<Span> {
    let bytes = folded.as_bytes();
    if let [first, rest @ ..] = bytes
        && rest.len() < 2
    {
        let low = u32::from(*first) << 16;
        return match rest {
            [second] => {
                let low = low | u32::from(*second) << 8;
                vec![(class.key(low), class.key(low | 0xff))]
            }
            _ => vec![(class.key(low), class.key(low | 0xffff))],
        };
    }
    let mut keys: Vec<u32> =
        grams(bytes).take(bytes.len() - 2).map(|gram| class.key(gram)).collect();
    keys.sort_unstable();
    keys.dedup();
    let step = keys.len().div_ceil(GRAMS_MAX);
    keys.into_iter().step_by(step).map(|key| (key, key)).collect()
}

/// The documents that have a key of the span; an inner `None` if it does not tell.
fn look_up<'b>(
    head: &Head,
    (first, last): Span,
    block: &impl Fn(usize) -> Option<&'b [u8]>,
) -> Option<Option<Bits>> {
    let range = head.blocks_of(first, last);
    if range.len() > SPAN_BLOCKS_MAX {
        return Some(None);
    }
    let mut found = vec![0u64; head.documents.div_ceil(64) as usize];
    for at in range {
        let mut entries = head.entries(at, block(at)?)?;
        while let Some((key, count)) = entries.next().ok()? {
            if key > last {
                break;
            }
            if key < first {
                continue;
            }
            if count == 0 {
                return Some(None);
            }
            let set = |doc: u32| found[(doc / 64) as usize] |= 1 << (doc % 64);
            entries.documents(set).ok()?;
        }
    }
    Some(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use message::search::Needle;

    #[test]
    fn patterns() {
        let spans = |text: &str| {
            let query = Query::new(&Want::Body(Needle::new(text)));
            query.clauses.first().map(|clause| clause.spans.clone())
        };
        assert_eq!(spans(""), None);
        assert_eq!(spans("a\0b"), None);
        assert_eq!(spans("a"), Some(vec![(0x0141_0000, 0x0141_ffff)]));
        assert_eq!(spans("ab"), Some(vec![(0x0141_4200, 0x0141_42ff)]));
        assert_eq!(spans("abc"), Some(vec![(0x0141_4243, 0x0141_4243)]));
        assert_eq!(spans("日"), Some(vec![(0x01e6_97a5, 0x01e6_97a5)]));
        assert_eq!(spans("abcabcabc").unwrap_or_default().len(), 3);
        let long: String = ('a'..='z').chain('0'..='9').collect();
        assert!((10..=20).contains(&spans(&long).unwrap_or_default().len()));
    }
}
