//! REFERENCES, in the six steps of RFC 5256 §3, each in its function.

use std::collections::HashMap;

use super::{Node, Sent, ThreadTree};
use crate::keys::Links;

const NONE: usize = u32::MAX as usize;

/// Walks of ancestors that all loop checks together may take, for each link. Mail as it occurs
/// needs a handful; who crafts references to make this quadratic gets threads that stay apart.
const STEPS_PER_LINK: usize = 256;

/// A message, or a dummy for one that is only referred to.
#[derive(Clone, Copy, Debug)]
struct Message {
    number: Option<u32>,
    /// As in [`Sent::subject`].
    subject: u32,
    sent: i64,
    parent: u32,
    /// Union-find: messages with different ends were never linked, so they cannot form a loop.
    group: u32,
    is_reply: bool,
}

impl Message {
    fn parent(&self) -> usize {
        self.parent as usize
    }

    fn dummy(at: usize) -> Self {
        Self {
            number: None,
            subject: 0,
            sent: 0,
            parent: NONE as u32,
            group: at as u32,
            is_reply: false,
        }
    }
}

/// Step 1 goes on while messages come; the rest is done at the end.
#[derive(Debug)]
pub(super) struct References<'a> {
    links: &'a Links,
    messages: Vec<Message>,
    /// For each number of an id its message.
    by_id: Vec<u32>,
    /// The references of the message that comes.
    references: Vec<u32>,
    steps_left: usize,
}

impl<'a> References<'a> {
    pub(super) fn new(links: &'a Links) -> Self {
        Self {
            links,
            messages: Vec::with_capacity(links.hashes.len()),
            by_id: vec![NONE as u32; links.hashes.len()],
            references: Vec::new(),
            steps_left: 0,
        }
    }

    fn add(&mut self) -> usize {
        let at = self.messages.len();
        self.messages.push(Message::dummy(at));
        at
    }

    /// The message with this id, or a new dummy for it.
    fn with_id(&mut self, id: u32) -> usize {
        let known = self.by_id[id as usize] as usize;
        if known != NONE {
            return known;
        }
        let at = self.add();
        self.by_id[id as usize] = at as u32;
        at
    }

    /// Step 1 for one message, which is `place` in the links.
    pub(super) fn push(&mut self, sent: Sent, place: Option<usize>) {
        let mut references = std::mem::take(&mut self.references);
        references.clear();
        let (mut own, mut is_reply) = (None, false);
        if let Some(place) = place {
            self.links.references(place, &mut references);
            (own, is_reply) = (self.links.own(place), self.links.is_reply(place));
        }
        // The first message with an id has it; without one, or with one that is taken, it is as if
        // the id were unique.
        let known = own.map(|id| self.with_id(id));
        let at = known.filter(|&at| self.messages[at].number.is_none());
        let at = at.unwrap_or_else(|| self.add());
        let message = &mut self.messages[at];
        message.number = Some(sent.number);
        message.sent = sent.sent;
        message.subject = sent.subject;
        message.is_reply = is_reply;

        // A: the references, each the parent of the next, unless that has a parent already.
        let mut parent = NONE;
        for &id in &references {
            let child = self.with_id(id);
            if parent != NONE && self.messages[child].parent() == NONE {
                self.link(parent, child);
            }
            parent = child;
        }
        self.references = references;
        // B: the last reference is the parent of this message, whatever was concluded before.
        if self.messages[at].parent() != parent {
            self.messages[at].parent = NONE as u32;
            if parent != NONE {
                self.link(parent, at);
            }
        }
    }

    /// Makes `child`, which has no parent, a child of `parent` unless that would be a loop.
    fn link(&mut self, parent: usize, child: usize) {
        self.steps_left = self.steps_left.saturating_add(STEPS_PER_LINK);
        let (of_parent, of_child) = (self.group(parent), self.group(child));
        if of_parent == of_child {
            let mut above = parent;
            while above != NONE {
                if above == child || self.steps_left == 0 {
                    return;
                }
                self.steps_left -= 1;
                above = self.messages[above].parent();
            }
        }
        self.messages[of_child].group = of_parent as u32;
        self.messages[child].parent = parent as u32;
    }

    fn group(&mut self, mut at: usize) -> usize {
        while self.messages[at].group as usize != at {
            let up = self.messages[at].group as usize;
            self.messages[at].group = self.messages[up].group;
            at = self.messages[at].group as usize;
        }
        at
    }

    /// Steps 2 to 6.
    pub(super) fn finish(self) -> ThreadTree {
        let mut forest = Forest::new(self.messages);
        forest.sort_roots();
        forest.merge_subjects();
        forest.sort_all();
        forest.flatten()
    }
}

struct Forest {
    messages: Vec<Message>,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl Forest {
    /// Steps 2 and 3: roots, and no dummies but roots with several children.
    fn new(messages: Vec<Message>) -> Self {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); messages.len()];
        let mut roots = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            match children.get_mut(message.parent()) {
                Some(siblings) => siblings.push(at),
                None => roots.push(at),
            }
        }
        // Parents before children; then from the end, so that children are pruned before parents.
        let mut order = roots.clone();
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            order.extend_from_slice(&children[at]);
            next += 1;
        }
        for &at in order.iter().rev() {
            let pruned = promote(&messages, &mut children, at);
            children[at] = pruned;
        }
        let keep = |root: usize| match (messages[root].number, &*children[root]) {
            (None, []) => None,
            (None, &[only]) => Some(only),
            _ => Some(root),
        };
        let roots = roots.into_iter().filter_map(keep).collect();
        Self { messages, children, roots }
    }

    fn is_dummy(&self, at: usize) -> bool {
        self.messages[at].number.is_none()
    }

    /// The message itself, or the first child of a dummy: it stands for the dummy's date and
    /// subject. No dummy has a dummy for a child.
    fn face(&self, at: usize) -> &Message {
        let face = if self.is_dummy(at) { self.children[at].first() } else { None };
        &self.messages[face.copied().unwrap_or(at)]
    }

    /// By sent date, and by number between equals (RFC 5256 §2.2).
    fn sort(&self, siblings: &mut [usize]) {
        siblings.sort_by_key(|&at| (self.face(at).sent, self.face(at).number));
    }

    /// Step 4.
    fn sort_roots(&mut self) {
        for at in 0..self.roots.len() {
            let root = self.roots[at];
            if self.is_dummy(root) {
                self.sort_children(root);
            }
        }
        let mut roots = std::mem::take(&mut self.roots);
        self.sort(&mut roots);
        self.roots = roots;
    }

    fn sort_children(&mut self, at: usize) {
        let mut children = std::mem::take(&mut self.children[at]);
        self.sort(&mut children);
        self.children[at] = children;
    }

    /// Step 5.B: for each subject the root that the others of that subject join.
    fn subject_table(&self) -> Vec<usize> {
        let subjects = self.messages.iter().map(|message| message.subject as usize + 1).max();
        let mut table = vec![NONE; subjects.unwrap_or(0)];
        for &root in &self.roots {
            let subject = self.face(root).subject;
            if subject == 0 {
                continue;
            }
            let found = &mut table[subject as usize];
            let reply = |at: usize| self.messages[at].is_reply;
            if *found == NONE
                || !self.is_dummy(*found)
                    && (self.is_dummy(root) || (reply(*found) && !reply(root)))
            {
                *found = root;
            }
        }
        table
    }

    /// Step 5.
    fn merge_subjects(&mut self) {
        let table = self.subject_table();
        // For each root in order, the root it joins: usually itself.
        let mut joins: Vec<(usize, usize)> = Vec::with_capacity(self.roots.len());
        for &root in &self.roots {
            let found = table[self.face(root).subject as usize];
            joins.push((root, if found == NONE { root } else { found }));
        }
        drop(table);
        // Where a root's subject is now kept: a new dummy, once two of the same rank have met.
        let mut moved_to: HashMap<usize, usize> = HashMap::new();
        let mut gone = vec![false; self.messages.len()];
        for (root, joined) in joins {
            if root == joined {
                continue;
            }
            gone[root] = true;
            let target = moved_to.get(&joined).copied().unwrap_or(joined);
            match (self.is_dummy(target), self.is_dummy(root)) {
                (true, true) => {
                    let mut children = std::mem::take(&mut self.children[root]);
                    self.children[target].append(&mut children);
                }
                (true, false) => self.children[target].push(root),
                _ if self.messages[root].is_reply && !self.messages[target].is_reply => {
                    self.children[target].push(root);
                }
                _ => {
                    let dummy = self.new_dummy(target, root);
                    gone[target] = true;
                    gone.push(false);
                    moved_to.insert(joined, dummy);
                }
            }
        }
        self.roots.retain(|&root| !gone[root]);
        self.roots.extend(moved_to.into_values());
    }

    fn new_dummy(&mut self, first: usize, second: usize) -> usize {
        let at = self.messages.len();
        self.messages.push(Message::dummy(at));
        self.children.push(vec![first, second]);
        at
    }

    /// Step 6: children before roots, because a dummy root is judged by its first child.
    fn sort_all(&mut self) {
        for at in 0..self.children.len() {
            if self.children[at].len() > 1 {
                self.sort_children(at);
            }
        }
        let mut roots = std::mem::take(&mut self.roots);
        self.sort(&mut roots);
        self.roots = roots;
    }

    fn flatten(&self) -> ThreadTree {
        let mut nodes = Vec::with_capacity(self.messages.len());
        let mut stack: Vec<(usize, u32)> = self.roots.iter().rev().map(|&root| (root, 0)).collect();
        while let Some((at, depth)) = stack.pop() {
            nodes.push(Node { depth, number: self.messages[at].number });
            stack.extend(self.children[at].iter().rev().map(|&child| (child, depth + 1)));
        }
        ThreadTree { nodes }
    }
}

/// The children of `at` with each dummy replaced by its own children, which are pruned already.
/// The order does not matter yet, so the smaller list goes into the larger one.
fn promote(messages: &[Message], children: &mut [Vec<usize>], at: usize) -> Vec<usize> {
    let own = std::mem::take(&mut children[at]);
    let mut pruned: Vec<usize> = Vec::new();
    for child in own {
        if messages[child].number.is_some() {
            pruned.push(child);
            continue;
        }
        let mut promoted = std::mem::take(&mut children[child]);
        if promoted.len() > pruned.len() {
            std::mem::swap(&mut promoted, &mut pruned);
        }
        pruned.append(&mut promoted);
    }
    pruned
}
