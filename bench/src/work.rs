//! The workloads: each does the same work on whichever server it is given, checks every answer, and
//! says how much it did and how long that took.

mod device;
mod flags;
mod idle;
mod mixed;
mod moves;
mod reads;
mod search;
mod table;
mod writes;

pub(crate) use table::all;

use crate::imap::{Failure, Imap};
use crate::servers::{PASSWORD, Server};
use crate::watch::Measure;

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Messages in the big mailbox of `user0`.
    pub(crate) messages: usize,
    /// Deliveries and appends of one measurement.
    pub(crate) writes: usize,
    /// Messages that are copied, moved, expunged at once.
    pub(crate) bulk: usize,
    /// Idle connections.
    pub(crate) idle: usize,
    /// Idle connections of martlet alone.
    pub(crate) crowd: usize,
}

/// One measure for each row of a workload.
pub(crate) type Outcome = Result<Vec<Measure>, Failure>;

/// Whom a workload is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// Every server.
    All,
    /// martlet: the others have none of it, or take minutes.
    Martlet,
}

/// What issue 3 of the project wants.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Target {
    /// So many times better than the best durable rival.
    Times(f64),
    /// At most so much, in the measure's own unit.
    AtMost(f64),
    /// It is shown, and cannot be compared.
    Shown,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its first column.
    pub(crate) name: String,
    /// What it should be.
    pub(crate) target: Target,
}

/// What the machine can do at most, in the first row's unit.
pub(crate) struct Limit {
    /// Measures it.
    pub(crate) run: Box<dyn Fn(Scale) -> Result<f64, Failure>>,
    /// The share of it that martlet should reach.
    pub(crate) share: f64,
}

type Run = Box<dyn Fn(&mut Server, Scale) -> Outcome>;

/// One workload.
pub(crate) struct Workload {
    /// Its rows in the table.
    pub(crate) rows: Vec<Row>,
    /// How often to repeat it; 1 where it cannot be repeated.
    pub(crate) rounds: usize,
    /// For whom.
    pub(crate) who: Who,
    /// Measured beside.
    pub(crate) limit: Option<Limit>,
    /// Does it.
    pub(crate) run: Run,
}

impl Workload {
    /// Whether it makes the mailbox of the others, and so always runs.
    pub(crate) fn fills(&self) -> bool {
        self.rows.iter().any(|row| row.name == table::FILL)
    }
}

/// A wrong answer is a failure.
pub(crate) fn expect(what: &str, found: u64, wanted: u64) -> Result<(), Failure> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("{what}: {found} instead of {wanted}")),
    }
}

/// A connection that has the big mailbox selected.
fn open(server: &Server) -> Result<Imap, Failure> {
    let mut imap = Imap::login(&server.imap, "user0", PASSWORD)?;
    imap.ok("SELECT big")?;
    Ok(imap)
}

/// The first number after `word`.
pub(crate) fn number_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.split(word).nth(1)?;
    rest.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())
}

/// Messages in a mailbox, by STATUS.
fn messages_in(imap: &mut Imap, mailbox: &str) -> Result<u64, Failure> {
    imap.send(format!("STATUS {mailbox} (MESSAGES)").as_bytes())?;
    let line = imap.line_with("* STATUS")?;
    imap.answer()?;
    let number = number_after(&line, "MESSAGES").and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| format!("no MESSAGES in {line}"))
}
