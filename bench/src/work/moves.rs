//! Many messages at once: COPY, MOVE, EXPUNGE.

use super::{Outcome, Scale, expect, messages_in, open};
use crate::servers::Server;
use crate::watch::Watch;

pub(super) fn copy(server: &mut Server, scale: Scale) -> Outcome {
    let mut imap = open(server)?;
    imap.ok("CREATE copies")?;
    let watch = Watch::start(server);
    imap.ok(&format!("COPY 1:{} copies", scale.bulk))?;
    let measure = watch.stop().millis();
    expect("copies", messages_in(&mut imap, "copies")?, scale.bulk as u64)?;
    imap.ok("DELETE copies")?;
    Ok(vec![measure])
}

pub(super) fn there_and_back(server: &mut Server, scale: Scale) -> Outcome {
    let mut imap = open(server)?;
    imap.ok("CREATE moved")?;
    let watch = Watch::start(server);
    let answer = imap.ok(&format!("MOVE 1:{} moved", scale.bulk))?;
    let measure = watch.stop().millis();
    expect("EXPUNGE responses", answer.expunged, scale.bulk as u64)?;
    expect("moved messages", messages_in(&mut imap, "moved")?, scale.bulk as u64)?;
    imap.ok("SELECT moved")?;
    imap.ok("MOVE 1:* big")?;
    imap.ok("UNSELECT")?;
    expect("messages after all", messages_in(&mut imap, "big")?, scale.messages as u64)?;
    imap.ok("DELETE moved")?;
    Ok(vec![measure])
}

pub(super) fn expunge(server: &mut Server, scale: Scale) -> Outcome {
    let mut imap = open(server)?;
    imap.ok("CREATE doomed")?;
    imap.ok(&format!("COPY 1:{} doomed", scale.bulk))?;
    imap.ok("SELECT doomed")?;
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
    let watch = Watch::start(server);
    let answer = imap.ok("EXPUNGE")?;
    let measure = watch.stop().millis();
    expect("EXPUNGE responses", answer.expunged, scale.bulk as u64)?;
    imap.ok("UNSELECT")?;
    expect("messages after all", messages_in(&mut imap, "doomed")?, 0)?;
    imap.ok("DELETE doomed")?;
    Ok(vec![measure])
}
