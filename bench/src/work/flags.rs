//! Flags, and catching up with them.

use super::{Outcome, Scale, expect, number_after, open};
use std::time::Duration;

use crate::drive::{Script, drive_for};
use crate::facts::Facts;
use crate::imap::{Failure, Imap};
use crate::servers::{PASSWORD, Server};
use crate::watch::Watch;

/// Of single STOREs, for a server that needs a scan of the directory for each.
const STORES_FOR: Duration = Duration::from_secs(4);

/// Messages that are unseen after [`store_all`], and for SEARCH.
pub(super) const UNSEEN: usize = 100;

fn flagged(imap: &mut Imap, key: &str, wanted: usize) -> Result<(), Failure> {
    let found = imap.ok(&format!("SEARCH {key}"))?.numbers().count();
    expect(key, found as u64, wanted as u64)
}

/// Makes it so where it is not, in a run of only some rows.
pub(super) fn leave_unseen(imap: &mut Imap) -> Result<(), Failure> {
    imap.send(b"STATUS big (UNSEEN)")?;
    let line = imap.line_with("STATUS")?;
    imap.answer()?;
    if number_after(&line, "UNSEEN") != Some(&UNSEEN.to_string()) {
        imap.ok("STORE 1:* +FLAGS.SILENT (\\Seen)")?;
        imap.ok(&format!("STORE 1:{UNSEEN} -FLAGS.SILENT (\\Seen)"))?;
    }
    Ok(())
}

pub(super) fn store_all(server: &mut Server, scale: Scale) -> Outcome {
    let mut imap = open(server)?;
    imap.ok("STORE 1:* -FLAGS.SILENT (\\Seen)")?;
    let watch = Watch::start(server);
    let answer = imap.ok("STORE 1:* +FLAGS.SILENT (\\Seen)")?;
    let measure = watch.stop().millis();
    expect("FETCH responses to a silent STORE", answer.fetched, 0)?;
    flagged(&mut imap, "SEEN", scale.messages)?;
    // For SEARCH.
    imap.ok(&format!("STORE 1:{UNSEEN} -FLAGS.SILENT (\\Seen)"))?;
    Ok(vec![measure])
}

/// Of a new message, as a client reads it that sets \Seen by asking.
pub(super) fn read_unseen(server: &mut Server, scale: Scale) -> Outcome {
    let (mut imap, bulk) = (open(server)?, scale.bulk);
    imap.ok(&format!("STORE 1:{bulk} -FLAGS.SILENT (\\Seen)"))?;
    let watch = Watch::start(server);
    let answer = imap.ok(&format!("FETCH 1:{bulk} (BODY[])"))?;
    let measure = watch.stop().millis();
    let octets = Facts::of(scale.messages).octets.iter().take(bulk).sum();
    expect("octets", answer.literal_bytes, octets)?;
    flagged(&mut imap, &format!("1:{bulk} SEEN"), bulk)?;
    Ok(vec![measure])
}

pub(super) fn stores(server: &mut Server, count: usize, clients: usize) -> Outcome {
    let each = (count / clients).max(1);
    let mut imap = open(server)?;
    imap.ok("STORE 1:* -FLAGS.SILENT (\\Flagged)")?;
    let ready = |n: usize| {
        let script = Script::new(each, move |at, out| {
            out.clear();
            // A message of its own each: every command is a change.
            let number = 1 + at * clients + n;
            out.extend_from_slice(
                format!("a STORE {number} +FLAGS.SILENT (\\Flagged)\r\n").as_bytes(),
            );
        });
        Ok((open(server)?, script))
    };
    let mut all = (0..clients).map(ready).collect::<Result<Vec<_>, Failure>>()?;
    let watch = Watch::start(server);
    let done = drive_for(&mut all, STORES_FOR)?.len();
    let measure = watch.stop().rate(done);
    imap.ok("NOOP")?;
    flagged(&mut imap, "FLAGGED", done)?;
    imap.ok("STORE 1:* -FLAGS.SILENT (\\Flagged)")?;
    Ok(vec![measure])
}

pub(super) fn qresync(server: &mut Server, _: Scale) -> Outcome {
    const CHANGES: usize = 100;
    let mut imap = Imap::login(&server.imap, "user0", PASSWORD)?;
    imap.ok("ENABLE QRESYNC")?;
    imap.send(b"STATUS big (UIDVALIDITY HIGHESTMODSEQ)")?;
    let line = imap.line_with("STATUS")?;
    let (validity, mod_seq) = (
        number_after(&line, "UIDVALIDITY").ok_or("no UIDVALIDITY")?.to_owned(),
        number_after(&line, "HIGHESTMODSEQ").ok_or("no HIGHESTMODSEQ")?.to_owned(),
    );
    imap.answer()?;
    imap.ok("SELECT big")?;
    for n in 0..CHANGES {
        for sign in ['+', '-'] {
            imap.ok(&format!("STORE {} {sign}FLAGS.SILENT ($Bench)", 1 + n * 3))?;
        }
    }
    imap.ok("UNSELECT")?;
    let watch = Watch::start(server);
    let answer = imap.ok(&format!("SELECT big (QRESYNC ({validity} {mod_seq}))"))?;
    let measure = watch.stop().millis();
    expect("changed messages", answer.fetched, CHANGES as u64)?;
    Ok(vec![measure])
}
