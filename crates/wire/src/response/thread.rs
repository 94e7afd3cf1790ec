//! THREAD response.
//!
//! RFC 5256 §4. Threads nest as deep as people reply, so nothing here recurses.

use std::mem;

use crate::emit::push;

/// One thread tree (RFC 5256 §4): a message, or a hidden parent, and its replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadNode {
    /// The message's number; `None` for a missing parent.
    pub number: Option<u32>,
    /// Replies in order.
    pub children: Vec<ThreadNode>,
}

impl ThreadNode {
    /// Replies that show: a hidden node without replies is nothing.
    fn visible(nodes: &[Self]) -> impl DoubleEndedIterator<Item = &Self> {
        nodes.iter().filter(|node| node.number.is_some() || !node.children.is_empty())
    }
}

impl Drop for ThreadNode {
    /// A chain of 100,000 replies would overflow the stack if every node dropped its own.
    fn drop(&mut self) {
        let mut rest = mem::take(&mut self.children);
        while let Some(mut node) = rest.pop() {
            rest.append(&mut node.children);
        }
    }
}

enum Step<'a> {
    List(&'a ThreadNode),
    Close,
}

pub(super) fn print(threads: &[ThreadNode], out: &mut Vec<u8>) {
    out.extend_from_slice(b"THREAD");
    let mut steps: Vec<Step<'_>> = ThreadNode::visible(threads).rev().map(Step::List).collect();
    if !steps.is_empty() {
        out.push(b' ');
    }
    while let Some(step) = steps.pop() {
        match step {
            Step::Close => out.push(b')'),
            Step::List(node) => print_members(node, &mut steps, out),
        }
    }
}

/// Appends `(` and the chain of single replies; where it splits, the branches become steps.
fn print_members<'a>(mut node: &'a ThreadNode, steps: &mut Vec<Step<'a>>, out: &mut Vec<u8>) {
    out.push(b'(');
    steps.push(Step::Close);
    let mut first = true;
    loop {
        if let Some(number) = node.number {
            let space = if first { "" } else { " " };
            push(out, format_args!("{space}{number}"));
            first = false;
        }
        let mut replies = ThreadNode::visible(&node.children);
        match (replies.next(), replies.next()) {
            (None, _) => return,
            (Some(only), None) => node = only,
            (Some(_), Some(_)) => break,
        }
    }
    if !first {
        out.push(b' ');
    }
    steps.extend(ThreadNode::visible(&node.children).rev().map(Step::List));
}
