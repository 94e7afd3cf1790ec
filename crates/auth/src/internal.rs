//! The authenticator over the server's own directory.

use std::sync::Arc;
use std::time::Duration;

use async_lock::Semaphore;
use base::{AccountId, Limits};
use futures_channel::oneshot;

use crate::cache::Cache;
use crate::directory::{Source, User};
use crate::mechanism::{External, Login, Plain, Scram};
use crate::scratch::Scratch;
use crate::throttle::{Admission, Attempt, Throttle};
use crate::{
    Authenticator, Channel, Cost, Credential, Exchange, Failure, FailureKind, Identity, Runtime,
    Secret, Task, decide, prepare,
};

/// How an [`Internal`] works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Free failures and delays.
    pub limits: Limits,
    /// What a new password costs, and what checking a user costs who does not exist.
    pub cost: Cost,
    /// Password checks that may run at the same time, each on a thread with [`Cost::memory_kib`].
    pub checks_at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), cost: Cost::default(), checks_at_once: 4 }
    }
}

/// Why no authenticator could be made.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// The operating system gives no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] crate::NoRandomness),
    /// The configured cost is not one argon2 can work with.
    #[error(transparent)]
    Cost(#[from] crate::CannotHash),
}

/// Authenticates against the [`crate::Directory`].
#[derive(Clone)]
pub struct Internal(Arc<Inner>);

pub(crate) struct Inner {
    source: Arc<dyn Source>,
    runtime: Arc<dyn Runtime>,
    throttle: Arc<Throttle>,
    cache: Cache,
    checks: Arc<Semaphore>,
    scratch: Arc<Scratch>,
    /// Checked in place of users who do not exist.
    impossible: Arc<Credential>,
    /// For salts of unknown users while the directory has no secret of its own.
    secret: [u8; 32],
    pub(crate) cost: Cost,
}

/// A password from a client, as the mechanism found it.
pub(crate) struct Claim<'a> {
    /// Who the client wants to be; empty for the user itself (RFC 4422 §3.4.1).
    pub(crate) authorize: &'a [u8],
    pub(crate) user: &'a [u8],
    pub(crate) password: &'a [u8],
}

impl Internal {
    /// Over `source`; takes as long as one password hash.
    pub fn new(
        source: Arc<dyn Source>,
        runtime: Arc<dyn Runtime>,
        options: &Options,
    ) -> Result<Self, CannotStart> {
        let (mut secrets, mut seed) = ([0; 64], [0; 64]);
        runtime.random(&mut secrets)?;
        runtime.random(&mut seed)?;
        let (mut cache, mut secret) = ([0; 32], [0; 32]);
        cache.copy_from_slice(&secrets[..32]);
        secret.copy_from_slice(&secrets[32..]);
        let scratch = Arc::new(Scratch::default());
        let derive = || Credential::impossible(options.cost, &seed, &scratch);
        let impossible = Arc::new(scratch.start(&runtime, derive)?);
        Ok(Self(Arc::new(Inner {
            source,
            runtime,
            throttle: Throttle::new(&options.limits),
            cache: Cache::new(cache),
            checks: Arc::new(Semaphore::new(options.checks_at_once.max(1))),
            scratch,
            impossible,
            secret,
            cost: options.cost,
        })))
    }

    /// Hashes a new password on a thread of its own; for account administration.
    pub async fn derive(&self, password: &[u8]) -> Result<Credential, Underivable> {
        let inner = &self.0;
        let (password, cost) = (prepare::password(password)?, inner.cost);
        let mut random = [0; 32];
        inner.runtime.random(&mut random)?;
        let derived = inner.off_thread(move || Credential::derive(&password, cost, &random)).await;
        Ok(derived.ok_or(Underivable::Interrupted)??)
    }
}

/// Why a password can't be set.
#[derive(Debug, thiserror::Error)]
pub enum Underivable {
    /// It can't be a password.
    #[error("the password cannot be used: {0}")]
    Unusable(#[from] prepare::Unusable),
    /// The operating system gives no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] crate::NoRandomness),
    /// Hashing failed.
    #[error(transparent)]
    CannotHash(#[from] crate::CannotHash),
    /// The server is stopping.
    #[error("interrupted")]
    Interrupted,
}

/// A failure without a delay.
pub(crate) fn failure(kind: FailureKind, reason: impl Into<String>) -> Failure {
    Failure { kind, reason: reason.into(), delay: Duration::ZERO }
}

impl Inner {
    /// Runs slow work on another thread, not too many at once; `None` if the thread did not answer.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // The permit goes with the work: a client that hangs up does not make room for another.
        let permit = self.checks.acquire_arc().await;
        let settles = self.scratch.settles(&self.runtime);
        let (sender, receiver) = oneshot::channel();
        self.runtime.blocking(Box::new(move || {
            let _settles = settles;
            let answer = work();
            drop(permit);
            // Nobody may be waiting any more.
            let _ = sender.send(answer);
        }));
        receiver.await.ok()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.runtime.now_ms()
    }

    pub(crate) fn random(&self, out: &mut [u8]) -> Result<(), Failure> {
        self.runtime
            .random(out)
            .map_err(|error| failure(FailureKind::Unavailable, error.to_string()))
    }

    /// The account of a name in compared form, at this moment.
    pub(crate) fn user(&self, name: &str) -> Option<Arc<User>> {
        self.source.directory().by_name(name).cloned()
    }

    pub(crate) fn user_by_id(&self, id: AccountId) -> Option<Arc<User>> {
        self.source.directory().get(id).cloned()
    }

    /// The secret behind salts of unknown users: it outlives restarts when the directory has one.
    pub(crate) fn scram_secret(&self) -> Vec<u8> {
        let directory = self.source.directory();
        directory.setting(decide::SCRAM_SECRET).map_or(self.secret.to_vec(), |s| s.to_vec())
    }

    /// Waits as long as earlier failures demand.
    pub(crate) async fn admit(&self, name: &str, channel: &Channel) -> Result<Attempt, Failure> {
        match self.throttle.admit(self.now_ms(), channel.remote, name) {
            Admission::Refused(delay) => {
                let reason = format!(
                    "too many failed logins as {} or from {}",
                    prepare::for_log(name.as_bytes()),
                    channel.remote
                );
                Err(Failure { kind: FailureKind::Unavailable, reason, delay })
            }
            Admission::Wait(wait, attempt) => {
                if !wait.is_zero() {
                    self.runtime.sleep(wait).await;
                }
                Ok(attempt)
            }
        }
    }

    /// Whether `user` may act as `authorize` (a name of the same account; empty for itself).
    pub(crate) fn authorize(&self, user: &User, authorize: &[u8]) -> Result<Identity, Failure> {
        if authorize.is_empty() {
            return Ok(user.identity());
        }
        let other = prepare::name(authorize).ok().and_then(|name| self.user(&name));
        if other.is_some_and(|other| other.id == user.id) {
            return Ok(user.identity());
        }
        let reason = format!("{} may not act as {}", user.name, prepare::for_log(authorize));
        Err(failure(FailureKind::Authorization, reason))
    }

    /// Checks a password as PLAIN, LOGIN and the LOGIN command bring it. Whether the name exists, is
    /// disabled, has no password or has another: each costs one hash and looks the same.
    pub(crate) async fn check(
        &self,
        claim: Claim<'_>,
        channel: &Channel,
    ) -> Result<Identity, Failure> {
        if !channel.secure {
            let reason = "a password on a connection without TLS";
            return Err(failure(FailureKind::NeedsTls, reason));
        }
        let shown = prepare::for_log(claim.user);
        let name = prepare::name(claim.user);
        // A name that can't be one is throttled and checked like any other.
        let counted = name.clone().unwrap_or_else(|_| shown.clone());
        let attempt = self.admit(&counted, channel).await?;
        let user = name.as_ref().ok().and_then(|name| self.user(name));
        let password = prepare::password(claim.password);
        let (outcome, guess) =
            self.judge(&counted, user.as_deref(), &password, claim.password).await?;
        let wrong = match (&user, &password) {
            (None, _) => match name {
                Ok(_) => format!("no account {shown}"),
                Err(why) => format!("{shown} cannot be a name: {why}"),
            },
            (Some(user), Err(why)) => format!("unusable password for {}: {why}", user.name),
            (Some(user), _) if user.credential.is_none() => {
                format!("{} has no password", user.name)
            }
            (Some(user), Ok(_)) if !outcome => format!("wrong password for {}", user.name),
            (Some(user), Ok(_)) if user.disabled => format!("{} is disabled", user.name),
            (Some(user), Ok(_)) => {
                attempt.succeeded(self.now_ms());
                return self.authorize(user, claim.authorize);
            }
        };
        attempt.failed(self.now_ms(), &guess);
        Err(failure(FailureKind::Credentials, wrong))
    }

    /// Runs the hash, or finds its verdict in the cache. Also gives what tells guesses apart.
    async fn judge(
        &self,
        name: &str,
        user: Option<&User>,
        password: &Result<Secret, prepare::Unusable>,
        raw: &[u8],
    ) -> Result<(bool, [u8; 32]), Failure> {
        let (credential, account, possible) = match (user, password) {
            (Some(user), Ok(_)) => match &user.credential {
                Some(credential) => (Arc::clone(credential), user.id, true),
                None => (Arc::clone(&self.impossible), user.id, false),
            },
            (user, _) => {
                let account = user.map_or(AccountId::SYSTEM, |user| user.id);
                (Arc::clone(&self.impossible), account, false)
            }
        };
        let password = match password {
            Ok(password) => password.clone(),
            Err(_) => Secret::from(&raw[..raw.len().min(prepare::PASSWORD_BYTES_MAX)]),
        };
        let key = self.cache.key(account, name, &credential.phc, &password);
        if let Some(verdict) = self.cache.get(&key, self.now_ms()) {
            return Ok((verdict && possible, key));
        }
        let scratch = Arc::clone(&self.scratch);
        let check = move || credential.verify_in(&password, &scratch);
        let verdict = self.off_thread(check).await;
        let verdict = verdict.ok_or_else(|| {
            failure(FailureKind::Unavailable, "the password check was interrupted")
        })?;
        self.cache.put(key, verdict, self.now_ms());
        Ok((verdict && possible, key))
    }
}

impl Authenticator for Internal {
    fn mechanisms(&self, channel: &Channel) -> Vec<&'static str> {
        if !channel.secure {
            return Vec::new();
        }
        let mut offered = Vec::with_capacity(5);
        if Scram::can_bind(channel) {
            offered.push("SCRAM-SHA-256-PLUS");
        }
        offered.push("SCRAM-SHA-256");
        if External::is_possible(channel) {
            offered.push("EXTERNAL");
        }
        offered.extend(["PLAIN", "LOGIN"]);
        offered
    }

    fn start(&self, mechanism: &str, channel: &Channel) -> Option<Box<dyn Exchange>> {
        let offered = self.mechanisms(channel);
        let name = offered.into_iter().find(|name| name.eq_ignore_ascii_case(mechanism))?;
        let (inner, channel) = (Arc::clone(&self.0), channel.clone());
        Some(match name {
            "SCRAM-SHA-256-PLUS" => Box::new(Scram::new(inner, channel, true)),
            "SCRAM-SHA-256" => Box::new(Scram::new(inner, channel, false)),
            "EXTERNAL" => Box::new(External::new(inner, channel)),
            "PLAIN" => Box::new(Plain::new(inner, channel)),
            _ => Box::new(Login::new(inner, channel)),
        })
    }

    fn login<'a>(
        &'a self,
        user: &'a [u8],
        password: &'a [u8],
        channel: &'a Channel,
    ) -> Task<'a, Result<Identity, Failure>> {
        Box::pin(self.0.check(Claim { authorize: b"", user, password }, channel))
    }

    fn recipient<'a>(&'a self, recipient: &'a str) -> Task<'a, Option<Identity>> {
        Box::pin(async move {
            let name = prepare::name(recipient.as_bytes()).ok()?;
            self.0.user(&name).map(|user| user.identity())
        })
    }
}
