//! A sorted map whose clone is a reference and whose change copies one block, so that a commit which
//! touches one mailbox among thousands costs little while other folds of the account are held.

use std::borrow::Borrow;
use std::sync::Arc;

/// Entries of one block at most; a fuller one is halved.
const BLOCK_ENTRIES_MAX: usize = 128;

type Block<K, V> = Arc<Vec<(K, V)>>;

/// Keys ascending, in blocks that are never empty.
#[derive(Clone, Debug)]
pub(crate) struct SortedMap<K, V> {
    blocks: Arc<Vec<Block<K, V>>>,
    len: usize,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { blocks: Arc::default(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> SortedMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The block that has `key` or would have it, and its place there.
    fn locate<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let after = self.blocks.partition_point(|block| block[0].0.borrow() <= key);
        let at = after.saturating_sub(1);
        let place = self
            .blocks
            .get(at)
            .map_or(Err(0), |block| block.binary_search_by(|(k, _)| k.borrow().cmp(key)));
        (at, place)
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (block, place) = self.locate(key);
        place.ok().map(|place| &self.blocks[block][place].1)
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (block, place) = self.locate(key);
        let place = place.ok()?;
        let block = Arc::make_mut(&mut Arc::make_mut(&mut self.blocks)[block]);
        Some(&mut block[place].1)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        let (at, place) = self.locate(&key);
        let blocks = Arc::make_mut(&mut self.blocks);
        if blocks.is_empty() {
            blocks.push(Arc::default());
        }
        let block = Arc::make_mut(&mut blocks[at]);
        match place {
            Ok(place) => block[place].1 = value,
            Err(place) => {
                block.insert(place, (key, value));
                self.len += 1;
            }
        }
        if block.len() > BLOCK_ENTRIES_MAX {
            let upper = block.split_off(block.len() / 2);
            blocks.insert(at + 1, Arc::new(upper));
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.locate(key);
        let place = place.ok()?;
        let blocks = Arc::make_mut(&mut self.blocks);
        let block = Arc::make_mut(&mut blocks[at]);
        let (_, value) = block.remove(place);
        if block.is_empty() {
            blocks.remove(at);
        }
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.blocks.iter().flat_map(|block| block.iter().map(|(key, value)| (key, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn equals_a_btree_map(steps in prop::collection::vec((0u16..900, any::<bool>()), 0..1500)) {
            let (mut map, mut model) = (SortedMap::default(), BTreeMap::new());
            let mut held = Vec::new();
            for (at, (key, remove)) in steps.into_iter().enumerate() {
                if at % 500 == 0 {
                    held.push((map.clone(), model.clone()));
                }
                if remove && key % 3 == 0 {
                    prop_assert_eq!(map.remove(&key), model.remove(&key));
                } else {
                    map.insert(key, at);
                    model.insert(key, at);
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.get_mut(&(key + 1)), model.get_mut(&(key + 1)));
            }
            held.push((map, model));
            for (map, model) in held {
                prop_assert!(map.iter().eq(model.iter()));
            }
        }
    }
}
