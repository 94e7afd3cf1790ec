//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: the password never crosses the wire, and the client learns
//! that the server knows it too.
//!
//! RFC 5802, RFC 7677; channel bindings `tls-exporter` (RFC 9266) and `tls-server-end-point`
//! (RFC 5929 §4).

use std::sync::Arc;

use base::AccountId;
use bytes::Bytes;

use super::protocol;
use super::scram_message::{
    Binding, ClientFinal, ClientFirst, nonce_from, server_final, server_first,
};
use crate::directory::User;
use crate::internal::{Inner, failure};
use crate::password::{hmac_sha256, proves};
use crate::secret::equal;
use crate::{Channel, Exchange, Failure, FailureKind, Identity, ScramKeys, Step, Task, prepare};

/// Bytes of the server's nonce before base64.
const NONCE_BYTES: usize = 18;

/// What is kept between the client's two messages.
struct Sent {
    /// The user's name in compared form, for the counters; of one that can't be a name, what it is.
    name: String,
    /// Whose keys these are; `None` for keys made up for somebody unknown.
    account: Option<AccountId>,
    keys: ScramKeys,
    /// Expected `c=`.
    binding: Vec<u8>,
    nonce: String,
    authorize: String,
    /// Client-first-message-bare, a comma, server-first-message, a comma.
    signed: String,
    /// Why this exchange can't succeed whatever the proof, for the log.
    hopeless: Option<String>,
}

enum State {
    Begin,
    Sent(Box<Sent>),
    /// The client's proof was right; it has been told the server's.
    Proven(Identity),
    Over,
}

/// A SCRAM exchange.
pub(crate) struct Scram {
    inner: Arc<Inner>,
    channel: Channel,
    /// Whether the client chose the mechanism's PLUS form.
    plus: bool,
    state: State,
}

impl Scram {
    pub(crate) fn new(inner: Arc<Inner>, channel: Channel, plus: bool) -> Self {
        Self { inner, channel, plus, state: State::Begin }
    }

    /// Whether the PLUS form is offered on this channel.
    pub(crate) fn can_bind(channel: &Channel) -> bool {
        channel.tls.as_ref().is_some_and(|tls| tls.exporter.is_some() || tls.end_point.is_some())
    }

    /// The channel's data for what the client says of binding, or why that can't be.
    fn binding(&self, asked: Binding<'_>) -> Result<&[u8], Failure> {
        let refused = |reason: &str| Err(failure(FailureKind::Credentials, reason));
        let tls = self.channel.tls.as_ref();
        let data = match (self.plus, asked) {
            (true, Binding::Used("tls-exporter")) => {
                tls.and_then(|tls| tls.exporter.as_ref()).map(|bytes| &bytes[..])
            }
            (true, Binding::Used("tls-server-end-point")) => {
                tls.and_then(|tls| tls.end_point.as_deref())
            }
            (true, Binding::Used(_)) => None,
            (true, _) => return refused("SCRAM-SHA-256-PLUS without channel binding"),
            (false, Binding::Used(_)) => {
                return refused("channel binding with plain SCRAM-SHA-256");
            }
            // RFC 5802 §6: somebody took PLUS out of the list of mechanisms the client saw.
            (false, Binding::NotOffered) if Self::can_bind(&self.channel) => {
                return refused("SCRAM downgrade: the client did not see that PLUS is offered");
            }
            (false, _) => Some(&[][..]),
        };
        data.map_or_else(|| refused("a channel binding type this connection does not have"), Ok)
    }

    fn first(&self, message: &[u8]) -> Result<Sent, Failure> {
        let first =
            ClientFirst::parse(message).map_err(|reason| failure(FailureKind::Protocol, reason))?;
        let data = self.binding(first.binding)?;
        let binding = [first.gs2_header.as_bytes(), data].concat();
        let mut random = [0; NONCE_BYTES];
        self.inner.random(&mut random)?;
        let nonce = format!("{}{}", first.nonce, nonce_from(&random));
        let shown = prepare::for_log(first.user.as_bytes());
        let (name, user) = match prepare::name(first.user.as_bytes()) {
            Ok(name) => (name.clone(), self.inner.user(&name)),
            Err(_) => (shown.clone(), None),
        };
        let keys = user.as_ref().and_then(|user| user.credential.as_ref()?.scram.clone());
        let hopeless = match (&user, &keys) {
            (None, _) => Some(format!("no account {shown}")),
            (Some(user), None) => Some(format!("{} has no SCRAM keys", user.name)),
            (Some(_), Some(_)) => None,
        };
        let keys = keys.unwrap_or_else(|| self.made_up(&name));
        let reply = server_first(&nonce, &keys.salt, keys.iterations);
        Ok(Sent {
            signed: format!("{},{reply},", first.bare),
            account: user.map(|user| user.id),
            authorize: first.authorize,
            name,
            keys,
            binding,
            nonce,
            hopeless,
        })
    }

    /// Keys for a user without any: the same each time, as a real user's would be, and matched by
    /// no password.
    fn made_up(&self, name: &str) -> ScramKeys {
        let secret = self.inner.scram_secret();
        let derive = |what: &[u8]| hmac_sha256(&secret, &[what, &[0], name.as_bytes()]);
        ScramKeys {
            salt: derive(b"salt")[..16].to_vec(),
            iterations: self.inner.cost.scram_iterations,
            stored_key: derive(b"stored"),
            server_key: derive(b"server"),
        }
    }

    /// The server's signature and who it is, or why not.
    async fn last(&self, sent: &Sent, message: &[u8]) -> Result<(Identity, [u8; 32]), Failure> {
        let last =
            ClientFinal::parse(message).map_err(|reason| failure(FailureKind::Protocol, reason))?;
        if !equal(last.nonce.as_bytes(), sent.nonce.as_bytes()) {
            return Err(failure(FailureKind::Protocol, "a SCRAM nonce that is not ours"));
        }
        let attempt = self.inner.admit(&sent.name, &self.channel).await?;
        let signed = [sent.signed.as_bytes(), last.without_proof.as_bytes()];
        let signature = hmac_sha256(&sent.keys.stored_key, &signed);
        let proven = proves(&sent.keys.stored_key, &signature, &last.proof);
        let bound = equal(&last.binding, &sent.binding);
        // The account may have changed while the client computed.
        let user = sent.account.and_then(|id| self.inner.user_by_id(id));
        let outcome = judge(sent, user.as_deref(), proven, bound);
        match outcome {
            Ok(user) => {
                attempt.succeeded(self.inner.now_ms());
                let identity = self.inner.authorize(user, sent.authorize.as_bytes())?;
                Ok((identity, hmac_sha256(&sent.keys.server_key, &signed)))
            }
            Err(reason) => {
                // Each proof differs, also for the same password: SCRAM guesses always count.
                attempt.failed(self.inner.now_ms(), &last.proof);
                Err(failure(FailureKind::Credentials, reason))
            }
        }
    }
}

fn judge<'a>(
    sent: &Sent,
    user: Option<&'a User>,
    proven: bool,
    bound: bool,
) -> Result<&'a User, String> {
    if let Some(reason) = &sent.hopeless {
        return Err(reason.clone());
    }
    let user = user.ok_or_else(|| format!("{} was removed meanwhile", sent.name))?;
    let current = user.credential.as_ref().and_then(|credential| credential.scram.as_ref());
    if !proven {
        Err(format!("wrong password for {}", user.name))
    } else if !bound {
        Err(format!("the channel of {} is bound to something else: relayed or tampered", user.name))
    } else if user.disabled {
        Err(format!("{} is disabled", user.name))
    } else if current != Some(&sent.keys) {
        Err(format!("the password of {} changed meanwhile", user.name))
    } else {
        Ok(user)
    }
}

impl Exchange for Scram {
    fn step<'a>(&'a mut self, response: Option<&'a [u8]>) -> Task<'a, Step> {
        Box::pin(async move {
            match (std::mem::replace(&mut self.state, State::Over), response) {
                (State::Begin, None) => {
                    self.state = State::Begin;
                    Step::Challenge(Bytes::new())
                }
                (State::Begin, Some(message)) => match self.first(message) {
                    Ok(sent) => {
                        let reply =
                            server_first(&sent.nonce, &sent.keys.salt, sent.keys.iterations);
                        self.state = State::Sent(Box::new(sent));
                        Step::Challenge(reply.into())
                    }
                    Err(failure) => Step::Failed(failure),
                },
                (State::Sent(sent), Some(message)) => match self.last(&sent, message).await {
                    Ok((identity, signature)) => {
                        self.state = State::Proven(identity);
                        Step::Challenge(server_final(&signature).into())
                    }
                    Err(failure) => Step::Failed(failure),
                },
                // Protocols that carry data with success have sent the last challenge that way and
                // get no answer to it; IMAP's client answers with nothing (RFC 4422 §3.3).
                (State::Proven(identity), None | Some([])) => Step::Done(identity),
                (State::Proven(_), Some(_)) => protocol("data after the end of a SCRAM exchange"),
                (State::Sent(_), None) => protocol("a SCRAM exchange without an answer"),
                (State::Over, _) => protocol("a SCRAM exchange went on after its end"),
            }
        })
    }
}
