//! SEARCH over columns: a program is planned once and asked of each row; what the columns cannot
//! decide is asked of the sent date, then of the message's text, and of nothing more than needed.
//!
//! RFC 9051 §6.4.4; OLDER, YOUNGER: RFC 5032; MODSEQ: RFC 7162 §3.1.5; EMAILID, THREADID:
//! RFC 8474 §5.3; SAVEDBEFORE and its like: RFC 8514 §4.3.

use base::{
    Date, DateTime, EmailId, Keyword, ModSeq, SystemFlag, SystemFlags, ThreadId, Uid, UidSet,
};

use crate::{Row, View};

mod numbered;
mod sets;

pub use sets::{Split, Texts};

/// How a date key compares days, disregarding time and time zone (RFC 9051 §6.4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Day {
    /// Earlier than the day.
    Before(Date),
    /// On the day.
    On(Date),
    /// On the day or later.
    Since(Date),
}

impl Day {
    /// Whether `date` passes.
    pub fn matches(self, date: Date) -> bool {
        match self {
            Self::Before(day) => date < day,
            Self::On(day) => date == day,
            Self::Since(day) => date >= day,
        }
    }
}

/// A key that only the message's text can answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A field with this name contains `text`; an empty text asks for the field's presence.
    Header {
        /// The field's name, in any case.
        field: String,
        /// What it contains.
        text: String,
    },
    /// The body contains the text.
    Body(String),
    /// Header or body contain the text.
    Text(String),
}

impl Content {
    /// Whether the header alone answers it.
    pub fn is_header(&self) -> bool {
        matches!(self, Self::Header { .. })
    }
}

/// A search program in which numbers, `*` and `$` are resolved to UIDs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Key {
    /// Every message.
    All,
    /// None.
    Nothing,
    /// All of these; all messages if there are none.
    And(Vec<Key>),
    /// Either.
    Or(Box<Key>, Box<Key>),
    /// Not this one.
    Not(Box<Key>),
    /// A system flag is set.
    Flag(SystemFlag),
    /// A keyword is set.
    Keyword(Keyword),
    /// The session sees it as recent.
    Recent,
    /// Internal date, in its own time zone.
    Internal(Day),
    /// The day of the `Date:` field as written. A message without a readable one never matches.
    Sent(Day),
    /// Save date, in UTC.
    Saved(Day),
    /// At least so many seconds ago.
    Older(u32),
    /// At most so many seconds ago.
    Younger(u32),
    /// More octets than.
    Larger(u64),
    /// Fewer octets than.
    Smaller(u64),
    /// One of these messages.
    Uids(UidSet),
    /// At least this mod-sequence.
    ModSeq(ModSeq),
    /// EMAILID.
    EmailId(EmailId),
    /// THREADID.
    ThreadId(ThreadId),
    /// Something only the text tells.
    Content(Content),
}

impl Key {
    /// EMAILID as a client wrote it; what is no identifier of this server matches nothing.
    pub fn email_id(text: &str) -> Self {
        let digits = text.strip_prefix('E').filter(|rest| rest.len() == 32);
        let id = digits.and_then(lower_hex).map(|n| EmailId(n.to_be_bytes()));
        id.map_or(Self::Nothing, Self::EmailId)
    }

    /// THREADID as a client wrote it; what is no identifier of this server matches nothing.
    pub fn thread_id(text: &str) -> Self {
        let digits = text.strip_prefix('T').filter(|rest| rest.len() == 16);
        let id = digits.and_then(lower_hex).and_then(|n| u64::try_from(n).ok());
        id.map_or(Self::Nothing, |id| Self::ThreadId(ThreadId(id)))
    }
}

/// Identifiers are compared byte by byte (RFC 8474 §7), so upper-case digits are other identifiers.
fn lower_hex(digits: &str) -> Option<u128> {
    let all = digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if all { u128::from_str_radix(digits, 16).ok() } else { None }
}

/// What a row does not hold but costs nothing to look up.
pub trait Marks {
    /// Whether the message has the keyword.
    fn has_keyword(&self, uid: Uid, keyword: &Keyword) -> bool;
    /// Whether the session sees it as recent.
    fn is_recent(&self, uid: Uid) -> bool;
}

impl Marks for View {
    fn has_keyword(&self, uid: Uid, keyword: &Keyword) -> bool {
        self.mailbox().has_keyword(uid, keyword)
    }

    fn is_recent(&self, uid: Uid) -> bool {
        View::is_recent(self, uid)
    }
}

/// What is known of one message so far.
#[derive(Clone, Copy)]
pub struct Facts<'a, M> {
    /// Its columns.
    pub row: &'a Row,
    /// Its other marks.
    pub marks: &'a M,
    /// The day of its `Date:` field: not looked up yet, absent, or that.
    pub sent: Option<Option<Date>>,
    /// Answers to [`Plan::contents`] as far as they are known; may be shorter.
    pub content: &'a [Option<bool>],
}

/// What a plan says of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// The sent date is needed.
    NeedsSent,
    /// Answers of [`Plan::contents`] are needed: see [`Plan::needed`].
    NeedsContent,
}

/// A search program ready to be asked: cheap keys first, keys that cannot match taken out.
#[derive(Clone, Debug)]
pub struct Plan {
    root: Node,
    contents: Vec<Content>,
    asks_sent: bool,
    /// How many nodes the program has.
    nodes: usize,
}

#[derive(Clone, Debug)]
enum Node {
    Const(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// Has all of the first flags and none of the second.
    Flags(SystemFlags, SystemFlags),
    Keyword(Keyword),
    Recent,
    Internal(Day),
    Saved(Day),
    AtOrBefore(i64),
    AtOrAfter(i64),
    Larger(u64),
    Smaller(u64),
    Uids(UidSet),
    ModSeq(ModSeq),
    EmailId(EmailId),
    ThreadId(ThreadId),
    Sent(Day),
    Content(usize),
}

impl Node {
    /// Orders siblings: sets, flags, other columns, the summary, the text.
    fn cost(&self) -> u8 {
        match self {
            Self::Const(_) => 0,
            Self::Uids(_) | Self::Recent => 1,
            Self::Flags(..) | Self::ModSeq(_) => 2,
            Self::Keyword(_) => 3,
            Self::Sent(_) => 10,
            Self::Content(_) => 20,
            Self::Not(node) => node.cost(),
            Self::And(nodes) | Self::Or(nodes) => {
                nodes.iter().map(Self::cost).max().unwrap_or(0).saturating_add(1)
            }
            _ => 4,
        }
    }

    /// How many nodes there are.
    fn count(&self) -> usize {
        match self {
            Self::Not(node) => 1 + node.count(),
            Self::And(nodes) | Self::Or(nodes) => 1 + nodes.iter().map(Self::count).sum::<usize>(),
            _ => 1,
        }
    }

    /// The flag is set, or is not.
    fn flag(flag: SystemFlag, set: bool) -> Self {
        let one = SystemFlags::EMPTY.with(flag);
        match set {
            true => Self::Flags(one, SystemFlags::EMPTY),
            false => Self::Flags(SystemFlags::EMPTY, one),
        }
    }

    /// The flag if only one is asked for, and whether it is to be set.
    fn only_flag(&self) -> Option<(SystemFlag, bool)> {
        let Self::Flags(with, without) = self else { return None };
        let mut all =
            with.iter().map(|flag| (flag, true)).chain(without.iter().map(|flag| (flag, false)));
        all.next().filter(|_| all.next().is_none())
    }

    /// All of `nodes`, or, when `or`, any of them.
    fn all(nodes: impl IntoIterator<Item = Self>, or: bool) -> Self {
        let mut flat = Vec::new();
        for node in nodes {
            match node {
                Self::Const(value) if value == or => return Self::Const(or),
                Self::Const(_) => {}
                Self::And(inner) if !or => flat.extend(inner),
                Self::Or(inner) if or => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if !or {
            merge_flags(&mut flat);
        }
        flat.sort_by_key(Self::cost);
        match flat.len() {
            0 => Self::Const(!or),
            1 => flat.swap_remove(0),
            _ if or => Self::Or(flat),
            _ => Self::And(flat),
        }
    }
}

impl Plan {
    /// Plans `key` for a mailbox that uses `keywords`, at `now` seconds since 1970 UTC. Keys nest
    /// no deeper than the parser's limit, so recursion is bounded.
    pub fn new(key: Key, keywords: &[Keyword], now: i64) -> Self {
        let mut contents = Vec::new();
        let root = build(key, keywords, now, &mut contents);
        let (asks_sent, nodes) = (has_sent(&root), root.count());
        Self { root, contents, asks_sent, nodes }
    }

    /// Whether no message can match.
    pub fn is_nothing(&self) -> bool {
        matches!(self.root, Node::Const(false))
    }

    /// Whether every message matches.
    pub fn is_everything(&self) -> bool {
        matches!(self.root, Node::Const(true))
    }

    /// The UIDs outside of which nothing can match, if the program says. `contents` tells the same
    /// of each of [`Plan::contents`], as far as that is known; it may be shorter.
    pub fn candidates(&self, contents: &[Option<UidSet>]) -> Option<UidSet> {
        candidates(&self.root, contents)
    }

    /// Whether the sent date may be asked of some message.
    pub fn asks_sent(&self) -> bool {
        self.asks_sent
    }

    /// The keys that only text answers.
    pub fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// Judges a message by what is known of it.
    pub fn verdict<M: Marks>(&self, facts: &Facts<'_, M>) -> Verdict {
        match eval(&self.root, facts) {
            Some(true) => Verdict::Yes,
            Some(false) => Verdict::No,
            None if wants_sent(&self.root, facts) => Verdict::NeedsSent,
            None => Verdict::NeedsContent,
        }
    }

    /// Marks in `wanted`, which is as long as [`Plan::contents`], the keys whose answers can still
    /// matter for the message.
    pub fn needed<M: Marks>(&self, facts: &Facts<'_, M>, wanted: &mut [bool]) {
        wanted.fill(false);
        mark_needed(&self.root, facts, wanted);
    }
}

fn build(key: Key, keywords: &[Keyword], now: i64, contents: &mut Vec<Content>) -> Node {
    match key {
        Key::All => Node::Const(true),
        Key::Nothing => Node::Const(false),
        Key::And(keys) => {
            let nodes: Vec<_> =
                keys.into_iter().map(|key| build(key, keywords, now, contents)).collect();
            Node::all(nodes, false)
        }
        Key::Or(a, b) => {
            let nodes = [build(*a, keywords, now, contents), build(*b, keywords, now, contents)];
            Node::all(nodes, true)
        }
        Key::Not(key) => match build(*key, keywords, now, contents) {
            Node::Const(value) => Node::Const(!value),
            Node::Not(inner) => *inner,
            node => match node.only_flag() {
                Some((flag, set)) => Node::flag(flag, !set),
                None => Node::Not(Box::new(node)),
            },
        },
        Key::Flag(flag) => Node::flag(flag, true),
        Key::Keyword(keyword) if !keywords.contains(&keyword) => Node::Const(false),
        Key::Keyword(keyword) => Node::Keyword(keyword),
        Key::Recent => Node::Recent,
        Key::Internal(day) => Node::Internal(day),
        Key::Sent(day) => Node::Sent(day),
        Key::Saved(day) => Node::Saved(day),
        Key::Older(seconds) => Node::AtOrBefore(now.saturating_sub(i64::from(seconds))),
        Key::Younger(seconds) => Node::AtOrAfter(now.saturating_sub(i64::from(seconds))),
        Key::Larger(octets) => Node::Larger(octets),
        Key::Smaller(octets) => Node::Smaller(octets),
        Key::Uids(uids) if uids.is_empty() => Node::Const(false),
        Key::Uids(uids) => Node::Uids(uids),
        Key::ModSeq(at) => Node::ModSeq(at),
        Key::EmailId(id) => Node::EmailId(id),
        Key::ThreadId(id) => Node::ThreadId(id),
        Key::Content(content) => {
            let at = contents.iter().position(|known| *known == content).unwrap_or_else(|| {
                contents.push(content);
                contents.len() - 1
            });
            Node::Content(at)
        }
    }
}

fn candidates(node: &Node, contents: &[Option<UidSet>]) -> Option<UidSet> {
    match node {
        Node::Uids(uids) => Some(uids.clone()),
        Node::Content(at) => contents.get(*at).cloned().flatten(),
        Node::And(nodes) => {
            let known = nodes.iter().filter_map(|node| candidates(node, contents));
            known.reduce(|a, b| a.intersection(&b))
        }
        Node::Or(nodes) => {
            let mut all = UidSet::new();
            for node in nodes {
                all = all.union(&candidates(node, contents)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// One look at the flags for all keys that ask for them.
fn merge_flags(nodes: &mut Vec<Node>) {
    let (mut with, mut without) = (SystemFlags::EMPTY, SystemFlags::EMPTY);
    let before = nodes.len();
    nodes.retain(|node| {
        let Node::Flags(more, fewer) = node else { return true };
        with = more.iter().fold(with, SystemFlags::with);
        without = fewer.iter().fold(without, SystemFlags::with);
        false
    });
    if nodes.len() < before {
        nodes.push(Node::Flags(with, without));
    }
}

fn has_flags(flags: SystemFlags, with: SystemFlags, without: SystemFlags) -> bool {
    // A flag in both is not to be set and to be set: nothing passes.
    flags.bits() & with.bits() == with.bits() && flags.bits() & without.bits() == 0
}

/// Kleene's three values: `None` where what is known does not decide.
fn eval<M: Marks>(node: &Node, facts: &Facts<'_, M>) -> Option<bool> {
    let row = facts.row;
    Some(match node {
        Node::Const(value) => *value,
        Node::And(nodes) => return eval_all(nodes, facts, false),
        Node::Or(nodes) => return eval_all(nodes, facts, true),
        Node::Not(node) => return eval(node, facts).map(|value| !value),
        Node::Flags(with, without) => has_flags(row.system, *with, *without),
        Node::Keyword(keyword) => facts.marks.has_keyword(row.uid, keyword),
        Node::Recent => facts.marks.is_recent(row.uid),
        Node::Internal(day) => day.matches(row.internal_date.date()),
        Node::Saved(day) => day.matches(DateTime::new(row.save_date, 0).date()),
        Node::AtOrBefore(at) => row.internal_date.seconds() <= *at,
        Node::AtOrAfter(at) => row.internal_date.seconds() >= *at,
        Node::Larger(octets) => u64::from(row.size) > *octets,
        Node::Smaller(octets) => u64::from(row.size) < *octets,
        Node::Uids(uids) => uids.contains(row.uid),
        Node::ModSeq(at) => row.mod_seq >= *at,
        Node::EmailId(id) => row.email_id == *id,
        Node::ThreadId(id) => row.thread_id == *id,
        Node::Sent(day) => facts.sent?.is_some_and(|date| day.matches(date)),
        Node::Content(at) => return facts.content.get(*at).copied().flatten(),
    })
}

/// One `absorbing` value decides: false for AND, true for OR.
fn eval_all<M: Marks>(nodes: &[Node], facts: &Facts<'_, M>, absorbing: bool) -> Option<bool> {
    let mut open = false;
    for node in nodes {
        match eval(node, facts) {
            Some(value) if value == absorbing => return Some(absorbing),
            Some(_) => {}
            None => open = true,
        }
    }
    if open { None } else { Some(!absorbing) }
}

fn has_sent(node: &Node) -> bool {
    match node {
        Node::Sent(_) => true,
        Node::Not(inner) => has_sent(inner),
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().any(has_sent),
        _ => false,
    }
}

fn wants_sent<M: Marks>(node: &Node, facts: &Facts<'_, M>) -> bool {
    match node {
        Node::Sent(_) => facts.sent.is_none(),
        Node::Not(inner) => wants_sent(inner, facts),
        Node::And(nodes) | Node::Or(nodes) => {
            eval(node, facts).is_none() && nodes.iter().any(|node| wants_sent(node, facts))
        }
        _ => false,
    }
}

fn mark_needed<M: Marks>(node: &Node, facts: &Facts<'_, M>, wanted: &mut [bool]) {
    match node {
        Node::Content(at) if facts.content.get(*at).copied().flatten().is_none() => {
            if let Some(wanted) = wanted.get_mut(*at) {
                *wanted = true;
            }
        }
        Node::Not(inner) => mark_needed(inner, facts, wanted),
        Node::And(nodes) | Node::Or(nodes) if eval(node, facts).is_none() => {
            nodes.iter().for_each(|node| mark_needed(node, facts, wanted));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
