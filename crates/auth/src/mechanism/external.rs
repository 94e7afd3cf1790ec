//! EXTERNAL: the client's certificate says who it is.
//!
//! RFC 4422 appendix A. The certificate has been verified by the TLS layer. A mail address or host
//! name among its alternative names, or its common name, must be the name or an alias of an account;
//! a certificate that names no account, or several, opens none.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::{outcome, protocol};
use crate::directory::User;
use crate::internal::{Inner, failure};
use crate::{Channel, Exchange, Failure, FailureKind, Identity, Step, Task, prepare};

/// Names of one certificate that are looked at.
const NAMES_MAX: usize = 64;

/// An EXTERNAL exchange.
pub(crate) struct External {
    inner: Arc<Inner>,
    channel: Channel,
    over: bool,
}

/// The names a certificate claims, in compared form.
fn names(der: &[u8]) -> Option<BTreeSet<String>> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    let alternatives = certificate.subject_alternative_name().ok()?;
    let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
    let alternatives = alternatives.filter_map(|name| match name {
        GeneralName::RFC822Name(name) | GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let all = alternatives.chain(common).take(NAMES_MAX);
    Some(all.filter_map(|name| prepare::new_name(name).ok()).collect())
}

impl External {
    pub(crate) fn new(inner: Arc<Inner>, channel: Channel) -> Self {
        Self { inner, channel, over: false }
    }

    /// Whether there is a certificate to go by.
    pub(crate) fn is_possible(channel: &Channel) -> bool {
        channel.tls.as_ref().is_some_and(|tls| tls.client_certificate.is_some())
    }

    fn identify(&self, authorize: &[u8]) -> Result<Identity, Failure> {
        let refused = |reason: String| failure(FailureKind::Credentials, reason);
        let certificate = self.channel.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref());
        let certificate = certificate.ok_or_else(|| refused("no client certificate".into()))?;
        let names = names(certificate)
            .ok_or_else(|| refused("the client's certificate cannot be read".into()))?;
        let mut users: Vec<Arc<User>> = names.iter().filter_map(|n| self.inner.user(n)).collect();
        users.sort_by_key(|user| user.id);
        users.dedup_by_key(|user| user.id);
        let shown = || {
            let all: Vec<_> = names.iter().map(|name| prepare::for_log(name.as_bytes())).collect();
            all.join(", ")
        };
        let user = match users.as_slice() {
            [] => {
                return Err(refused(format!("the certificate names no account: {}", shown())));
            }
            [user] => user,
            _ => {
                let reason = format!("the certificate names several accounts: {}", shown());
                return Err(refused(reason));
            }
        };
        if user.disabled {
            return Err(refused(format!("{} is disabled", user.name)));
        }
        self.inner.authorize(user, authorize)
    }
}

impl Exchange for External {
    fn step<'a>(&'a mut self, response: Option<&'a [u8]>) -> Task<'a, Step> {
        Box::pin(async move {
            if self.over {
                return protocol("an EXTERNAL exchange went on after its end");
            }
            let Some(authorize) = response else { return Step::Challenge(Bytes::new()) };
            self.over = true;
            outcome(self.identify(authorize))
        })
    }
}
