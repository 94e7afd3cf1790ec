//! Messages on their way out.

use super::{Outcome, Scale, expect, open};
use crate::drive::{Script, drive};
use crate::facts::Facts;
use crate::imap::{Failure, Imap};
use crate::mail::Chance;
use crate::servers::{PASSWORD, Server};
use crate::watch::Watch;

/// The fields that mail programs show in lists.
pub(super) const FIELDS: &str =
    "(BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES)])";

/// Two rows: SELECT after a login, and both together. All servers check an argon2 hash.
pub(super) fn select_cold(server: &mut Server, scale: Scale) -> Outcome {
    server.restart()?;
    let mut imap = Imap::connect(&server.imap)?;
    let watch = Watch::start(server);
    imap.ok(&format!("LOGIN {} {PASSWORD}", server.hashed_user()))?;
    let login = watch.stop();
    let watch = Watch::start(server);
    let exists = imap.ok("SELECT big")?.exists.unwrap_or(0);
    let select = watch.stop();
    expect("EXISTS", exists, scale.messages as u64)?;
    Ok(vec![select.millis(), login.and(select).millis()])
}

/// Login and SELECT, where the rivals compare plain passwords.
pub(super) fn select_cold_plain(server: &mut Server, _: Scale) -> Outcome {
    server.restart()?;
    let watch = Watch::start(server);
    let imap = open(server)?;
    let measure = watch.stop().millis();
    drop(imap);
    Ok(vec![measure])
}

pub(super) fn select_warm(server: &mut Server, scale: Scale) -> Outcome {
    const TIMES: usize = 50;
    let mut imap = open(server)?;
    let watch = Watch::start(server);
    for _ in 0..TIMES {
        let exists = imap.ok("SELECT big")?.exists.unwrap_or(0);
        expect("EXISTS", exists, scale.messages as u64)?;
    }
    Ok(vec![watch.stop().millis_each(TIMES)])
}

/// Of all messages.
pub(super) fn fetch(server: &mut Server, scale: Scale, items: &str) -> Outcome {
    let mut imap = open(server)?;
    let watch = Watch::start(server);
    let answer = imap.ok(&format!("FETCH 1:* {items}"))?;
    let measure = watch.stop().millis();
    expect(items, answer.fetched, scale.messages as u64)?;
    if answer.disordered {
        return Err(format!("{items}: numbers do not ascend"));
    }
    // ENVELOPE and BODYSTRUCTURE may have literals or not; all else is the same everywhere.
    Ok(vec![if items.contains("PEEK") { measure.answered(answer.literal_bytes) } else { measure }])
}

/// Of a mailbox that was filled and never listed: nothing is kept but what was made as mail came in.
pub(super) fn first_ever(
    server: &mut Server,
    scale: Scale,
    run: impl Fn(&mut Server, Scale) -> Outcome,
) -> Outcome {
    server.restart_as_filled()?;
    run(server, scale)
}

/// The same of a server that just started.
pub(super) fn fetch_cold(server: &mut Server, scale: Scale, items: &str) -> Outcome {
    server.restart()?;
    fetch(server, scale, items)
}

pub(super) fn download(server: &mut Server, scale: Scale) -> Outcome {
    let measures = fetch(server, scale, "(BODY.PEEK[])")?;
    let octets = Facts::of(scale.messages).octets.iter().sum();
    let found = measures.first().and_then(|measure| measure.answer).unwrap_or(0);
    expect("octets of all messages", found, octets)?;
    Ok(measures)
}

pub(super) fn random_bodies(server: &mut Server, scale: Scale) -> Outcome {
    const CLIENTS: usize = 4;
    let (each, facts) = (scale.writes, Facts::of(scale.messages));
    let number = |chance: &mut Chance| 1 + chance.below(scale.messages);
    let ready = |n: usize| {
        // The same numbers for the commands and for their checks.
        let (mut asked, mut checked) = (Chance::new(n as u64), Chance::new(n as u64));
        let script = Script::new(each, move |_, out| {
            out.clear();
            let number = number(&mut asked);
            out.extend_from_slice(format!("a FETCH {number} (BODY.PEEK[])\r\n").as_bytes());
        });
        let script = script.checked(move |_, answer| {
            let octets = facts.octets.get(number(&mut checked) - 1).copied().unwrap_or(0);
            expect("octets", answer.literal_bytes, octets)
        });
        Ok((open(server)?, script))
    };
    let mut all = (0..CLIENTS).map(ready).collect::<Result<Vec<_>, Failure>>()?;
    let watch = Watch::start(server);
    drive(&mut all)?;
    Ok(vec![watch.stop().rate(each * CLIENTS)])
}
