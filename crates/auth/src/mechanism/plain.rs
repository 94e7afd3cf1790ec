//! PLAIN: the password in one message.
//!
//! RFC 4616: `[authzid] NUL authcid NUL passwd`.

use std::sync::Arc;

use bytes::Bytes;

use super::{outcome, protocol};
use crate::internal::{Claim, Inner};
use crate::{Channel, Exchange, Step, Task};

/// A PLAIN exchange.
pub(crate) struct Plain {
    inner: Arc<Inner>,
    channel: Channel,
    over: bool,
}

impl Plain {
    pub(crate) fn new(inner: Arc<Inner>, channel: Channel) -> Self {
        Self { inner, channel, over: false }
    }
}

/// The three parts; `None` unless there are exactly three.
fn parse(message: &[u8]) -> Option<Claim<'_>> {
    let mut parts = message.split(|&byte| byte == 0);
    let claim = Claim { authorize: parts.next()?, user: parts.next()?, password: parts.next()? };
    parts.next().is_none().then_some(claim)
}

impl Exchange for Plain {
    fn step<'a>(&'a mut self, response: Option<&'a [u8]>) -> Task<'a, Step> {
        Box::pin(async move {
            if self.over {
                return protocol("a PLAIN exchange went on after its end");
            }
            let Some(message) = response else { return Step::Challenge(Bytes::new()) };
            self.over = true;
            match parse(message) {
                Some(claim) => outcome(self.inner.check(claim, &self.channel).await),
                None => protocol("a PLAIN message without its two NULs"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        for (message, parts) in [
            (&b"\0tim\0tanstaaftanstaaf"[..], Some(("", "tim", "tanstaaftanstaaf"))),
            (b"Ursel\0Kurt\0xipj3plmq", Some(("Ursel", "Kurt", "xipj3plmq"))),
            (b"\0\0", Some(("", "", ""))),
            (b"", None),
            (b"tim\0pass", None),
            (b"\0tim\0pass\0", None),
        ] {
            let claim = parse(message);
            let found = claim.as_ref().map(|c| (c.authorize, c.user, c.password));
            let parts = parts.map(|(a, u, p)| (a.as_bytes(), u.as_bytes(), p.as_bytes()));
            assert_eq!(found, parts, "{message:?}");
        }
    }
}
