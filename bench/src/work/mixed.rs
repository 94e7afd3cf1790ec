//! A mixed load: 64 clients, each in a mailbox of its own account, with what mail programs do all
//! day.

use super::{Outcome, Scale, expect};
use crate::drive::{Script, drive};
use crate::imap::{Answer, Failure, Imap, append};
use crate::mail::{Chance, Sizes, message};
use crate::servers::{PASSWORD, Server, user};
use crate::watch::{Measure, Unit, Watch};

const CLIENTS: usize = 64;
/// Messages each begins with.
const MESSAGES: usize = 40;

/// Three rows: commands a second over all clients, the time that 99 of 100 commands need at most,
/// and processor time of each.
pub(super) fn load(server: &mut Server, scale: Scale) -> Outcome {
    let each = (scale.writes / 20).max(16);
    let ready = |n: usize| {
        let mut imap = Imap::login(&server.imap, &user(n), PASSWORD)?;
        // It is there in later rounds.
        if imap.ok("SELECT mixed").is_err() {
            imap.ok("CREATE mixed")?;
            let mail: Vec<_> = (0..MESSAGES).map(|n| message(n, Sizes::Small)).collect();
            imap.append("mixed", &mail)?;
            imap.ok("SELECT mixed")?;
        }
        let (mut asked, mut checked) = (Chance::new(n as u64 + 77), Chance::new(n as u64 + 77));
        let script = Script::new(each, move |_, out| *out = command(&mut asked))
            .checked(move |_, answer| check(&mut checked, answer));
        Ok((imap, script))
    };
    let mut all = (0..CLIENTS).map(ready).collect::<Result<Vec<_>, Failure>>()?;
    let watch = Watch::start(server);
    let mut times = drive(&mut all)?;
    let measure = watch.stop().rate(each * CLIENTS);
    times.sort_by(f64::total_cmp);
    let slow = times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN);
    Ok(vec![measure, Measure::of(Unit::Millis, slow), measure.cpu_each()])
}

/// Both take the same numbers from the same chance.
fn draw(chance: &mut Chance) -> (usize, usize) {
    (1 + chance.below(MESSAGES), chance.below(100))
}

fn command(chance: &mut Chance) -> Vec<u8> {
    let (number, kind) = draw(chance);
    let line = match kind {
        0..30 => "a FETCH 1:20 (UID FLAGS ENVELOPE)\r\n".to_owned(),
        30..50 => format!("a FETCH {number} (BODY.PEEK[])\r\n"),
        50..65 => format!("a STORE {number} +FLAGS (\\Seen)\r\n"),
        65..75 => format!("a STORE {number} -FLAGS (\\Seen)\r\n"),
        75..85 => return append("mixed", &[message(number, Sizes::Small)]),
        85..90 => "a SEARCH UNSEEN\r\n".to_owned(),
        90..95 => "a STATUS INBOX (MESSAGES UNSEEN)\r\n".to_owned(),
        _ => "a NOOP\r\n".to_owned(),
    };
    line.into_bytes()
}

fn check(chance: &mut Chance, answer: &Answer) -> Result<(), Failure> {
    let (number, kind) = draw(chance);
    match kind {
        0..30 => expect("envelopes", answer.fetched, 20),
        30..50 => {
            let octets = message(number - 1, Sizes::Small).len() as u64;
            expect("octets", answer.literal_bytes, octets)
        }
        _ => Ok(()),
    }
}
