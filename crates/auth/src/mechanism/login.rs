//! LOGIN: name and password, asked for one after the other.
//!
//! Never standardised (draft-murchison-sasl-login); old clients and devices know nothing else.

use std::sync::Arc;

use bytes::Bytes;

use super::{outcome, protocol};
use crate::internal::{Claim, Inner};
use crate::{Channel, Exchange, Step, Task};

enum State {
    Begin,
    AskedName,
    AskedPassword(Vec<u8>),
    Over,
}

/// A LOGIN exchange.
pub(crate) struct Login {
    inner: Arc<Inner>,
    channel: Channel,
    state: State,
}

impl Login {
    pub(crate) fn new(inner: Arc<Inner>, channel: Channel) -> Self {
        Self { inner, channel, state: State::Begin }
    }
}

impl Exchange for Login {
    fn step<'a>(&'a mut self, response: Option<&'a [u8]>) -> Task<'a, Step> {
        Box::pin(async move {
            match (std::mem::replace(&mut self.state, State::Over), response) {
                // Some clients send the name at once, some an empty initial response.
                (State::Begin, None | Some([])) => {
                    self.state = State::AskedName;
                    Step::Challenge(Bytes::from_static(b"Username:"))
                }
                (State::Begin | State::AskedName, Some(name)) => {
                    self.state = State::AskedPassword(name.to_vec());
                    Step::Challenge(Bytes::from_static(b"Password:"))
                }
                (State::AskedPassword(name), Some(password)) => {
                    let claim = Claim { authorize: b"", user: &name, password };
                    outcome(self.inner.check(claim, &self.channel).await)
                }
                (State::AskedName | State::AskedPassword(_), None) => {
                    protocol("a LOGIN exchange without an answer")
                }
                (State::Over, _) => protocol("a LOGIN exchange went on after its end"),
            }
        })
    }
}
