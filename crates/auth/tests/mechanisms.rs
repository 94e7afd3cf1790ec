//! The mechanisms from outside: right ones, wrong ones, broken ones.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod world;

use auth::FailureKind::{Authorization, Credentials, NeedsTls, Protocol, Unavailable};
use auth::{Authenticator, Failure, Identity, ScramKeys, Secret, Step, Tls, decide};
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use std::sync::atomic::Ordering;
use world::*;

fn alice() -> Identity {
    Identity { account: id(1), name: "alice".into() }
}

fn done(step: Step) -> Identity {
    match step {
        Step::Done(identity) => identity,
        other => panic!("not done: {other:?}"),
    }
}

#[test]
fn plain_and_login_take_names_in_any_spelling() {
    let s = server();
    for user in ["alice", "ALICE", "al", "Alice@Example.Org", "a\u{ad}lice"] {
        let mut plain = s.start("PLAIN", &tls());
        assert_eq!(challenge(wait(plain.step(None))), b"");
        let message = format!("\0{user}\0alice-pw");
        assert_eq!(done(wait(plain.step(Some(message.as_bytes())))), alice(), "{user}");
        let mut login = s.start("login", &tls());
        assert_eq!(challenge(wait(login.step(None))), b"Username:");
        assert_eq!(challenge(wait(login.step(Some(user.as_bytes())))), b"Password:");
        assert_eq!(done(wait(login.step(Some(b"alice-pw")))), alice(), "{user}");
        let mut login = s.start("LOGIN", &tls());
        assert_eq!(challenge(wait(login.step(Some(user.as_bytes())))), b"Password:");
        assert_eq!(done(wait(login.step(Some(b"alice-pw")))), alice(), "{user}");
        assert_eq!(s.login(user, "alice-pw"), Ok(alice()));
    }
}

#[test]
fn plain_failures() {
    let s = server();
    for (message, kind, reason) in [
        (&b"\0alice\0wrong"[..], Credentials, "wrong password for alice"),
        (b"\0nobody\0alice-pw", Credentials, "no account \"nobody\""),
        (b"\0dora\0dora-pw", Credentials, "dora is disabled"),
        (b"\0dora\0wrong", Credentials, "wrong password for dora"),
        (b"\0alice\0", Credentials, "unusable password for alice: it is empty"),
        (b"\0\0alice-pw", Credentials, "\"\" cannot be a name: it is empty"),
        (b"\0al\xff\0x", Credentials, "\"al\u{fffd}\" cannot be a name: it is not UTF-8"),
        (b"\0alice\0\x01", Credentials, "unusable password for alice: it has a character"),
        (b"bob\0alice\0alice-pw", Authorization, "alice may not act as \"bob\""),
        (b"nobody\0alice\0alice-pw", Authorization, "alice may not act as \"nobody\""),
        (b"bob\0alice\0wrong", Credentials, "wrong password for alice"),
        (b"alice\0alice-pw", Protocol, ""),
        (b"\0alice\0alice-pw\0", Protocol, ""),
        (b"", Protocol, ""),
    ] {
        s.world.now.fetch_add(3_600_000, Ordering::Relaxed);
        let mut plain = s.start("PLAIN", &tls());
        let (found, text) = failed(wait(plain.step(Some(message))));
        assert_eq!(found, kind, "{message:?}: {text}");
        assert!(text.contains(reason), "{message:?}: {text}");
        assert!(!text.contains("-pw"), "a password in the log: {text}");
        assert_eq!(failed(wait(plain.step(Some(b"\0alice\0alice-pw")))).0, Protocol, "went on");
    }
    let mut plain = s.start("PLAIN", &tls());
    assert_eq!(done(wait(plain.step(Some(b"al\0alice\0alice-pw")))), alice(), "an alias is alice");
}

#[test]
fn nothing_without_tls() {
    let s = server();
    let bare = channel(None, false);
    assert_eq!(s.auth.mechanisms(&bare), Vec::<&str>::new());
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256", "EXTERNAL"] {
        assert!(s.auth.start(mechanism, &bare).is_none(), "{mechanism}");
    }
    let refused = wait(s.auth.login(b"alice", b"alice-pw", &bare));
    assert_eq!(refused.map_err(|failure| failure.kind), Err(NeedsTls));
    let loopback = channel(None, true);
    assert_eq!(s.auth.mechanisms(&loopback), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]);
    assert_eq!(
        s.auth.mechanisms(&tls()),
        ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]
    );
    assert!(s.auth.start("SCRAM-SHA-256-PLUS", &loopback).is_none());
    assert!(s.auth.start("CRAM-MD5", &tls()).is_none());
}

/// Every path to "no" costs one hash; every path is the same to the client.
#[test]
fn an_unknown_user_costs_what_a_wrong_password_costs() {
    let s = server();
    for (user, password) in
        [("alice", "no"), ("nobody", "no"), ("dora", "no"), ("a\0b", "no"), ("bob", "\u{7}")]
    {
        let before = s.world.hashes.load(Ordering::Relaxed);
        let Err(Failure { kind, .. }) = s.login(user, password) else { panic!("logged in") };
        assert_eq!(kind, Credentials);
        assert_eq!(s.world.hashes.load(Ordering::Relaxed), before + 1, "{user}");
        let _ = s.login(user, password);
        assert_eq!(s.world.hashes.load(Ordering::Relaxed), before + 1, "{user}, repeated");
    }
}

#[test]
fn the_cache_saves_hashes_and_never_lies() {
    let s = server();
    let hashes = || s.world.hashes.load(Ordering::Relaxed);
    for _ in 0..1000 {
        assert_eq!(s.login("alice", "alice-pw"), Ok(alice()));
    }
    assert_eq!(hashes(), 1);
    // Another user's password is another user's.
    assert!(s.login("bob", "alice-pw").is_err());
    // A new password makes the old one wrong at once, and is right at once.
    let new = credential("new-pw", 9);
    s.change(|d| decide::set_password(d, "alice", Some(new.clone())));
    assert!(s.login("alice", "alice-pw").is_err());
    assert_eq!(s.login("alice", "new-pw"), Ok(alice()));
    // Disabled is disabled, cached or not.
    s.change(|d| decide::set_disabled(d, "alice", true));
    assert!(s.login("alice", "new-pw").is_err());
    s.change(|d| decide::set_disabled(d, "alice", false));
    // A new account of the same name is not the old one.
    s.change(|d| decide::remove_account(d, "alice"));
    s.change(|d| decide::add_account(d, id(9), "alice", Some(credential("x", 1)), 0));
    assert!(s.login("alice", "new-pw").is_err());
    // No password is no password.
    s.change(|d| decide::set_password(d, "alice", None));
    assert!(s.login("alice", "x").is_err());
    assert!(s.login("alice", "").is_err());
}

#[test]
fn guessing_becomes_slow_and_then_refused_in_parallel() {
    let s = server();
    let start = s.world.now.load(Ordering::Relaxed);
    for n in 0..30 {
        assert!(s.login("alice", &format!("guess{n}")).is_err());
    }
    let waited = s.world.now.load(Ordering::Relaxed) - start;
    assert!(waited > 250_000, "30 guesses took {waited} ms");
    // Two at the same moment: one waits, the other is refused without a look at its password.
    let mut first = s.auth.login(b"alice", b"guess-a", &TLS);
    static TLS: std::sync::LazyLock<auth::Channel> = std::sync::LazyLock::new(tls);
    let now = s.world.now.load(Ordering::Relaxed);
    let _ = futures_poll_once(&mut first);
    s.world.now.store(now, Ordering::Relaxed);
    let second = wait(s.auth.login(b"alice", b"alice-pw", &TLS));
    let failure = second.expect_err("refused");
    assert_eq!(failure.kind, Unavailable);
    assert!(!failure.delay.is_zero());
}

fn futures_poll_once<T>(future: &mut auth::Task<'_, T>) -> bool {
    let waker = std::task::Waker::noop();
    future.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
}

#[test]
fn scram_with_and_without_binding() {
    let s = server();
    for (mechanism, header, data) in [
        ("SCRAM-SHA-256", "n,,", &[][..]),
        ("SCRAM-SHA-256", "n,a=al,", &[]),
        ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", &[7; 32]),
        ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", &[8; 32]),
        ("scram-sha-256-plus", "p=tls-exporter,a=alice@example.org,", &[7; 32]),
    ] {
        let mut exchange = s.start(mechanism, &tls());
        assert_eq!(challenge(wait(exchange.step(None))), b"");
        let step = client(header, data, "Alice", "alice-pw").run(&mut *exchange);
        assert_eq!(done(step), alice(), "{header}");
    }
    // Without channel data on the server's side, 'y' is the truth.
    let mut exchange = s.start("SCRAM-SHA-256", &channel(None, true));
    assert_eq!(done(client("y,,", b"", "alice", "alice-pw").run(&mut *exchange)), alice());
    // Protocols with data on success don't get an empty answer.
    let mut exchange = s.start("SCRAM-SHA-256", &tls());
    let client = client("n,,", b"", "alice", "alice-pw");
    let first = challenge(wait(exchange.step(Some(client.first().as_bytes()))));
    let (last, expected) = client.last(&first);
    assert_eq!(challenge(wait(exchange.step(Some(last.as_bytes())))), expected.as_bytes());
    assert_eq!(done(wait(exchange.step(None))), alice());
}

#[test]
fn scram_refusals() {
    let s = server();
    let plus = "SCRAM-SHA-256-PLUS";
    let bare = "SCRAM-SHA-256";
    for (mechanism, header, data, user, password, kind, reason) in [
        // Downgrade and mixed up mechanisms.
        (bare, "y,,", &[][..], "alice", "alice-pw", Credentials, "downgrade"),
        (bare, "p=tls-exporter,,", &[7; 32], "alice", "alice-pw", Credentials, "plain"),
        (plus, "n,,", &[], "alice", "alice-pw", Credentials, "without channel binding"),
        (plus, "y,,", &[], "alice", "alice-pw", Credentials, "without channel binding"),
        // Types that are not there, data of another type, data of another connection.
        (plus, "p=tls-unique,,", &[7; 32], "alice", "alice-pw", Credentials, "type"),
        (plus, "p=TLS-EXPORTER,,", &[7; 32], "alice", "alice-pw", Credentials, "type"),
        (plus, "p=tls-exporter,,", &[8; 32], "alice", "alice-pw", Credentials, "bound"),
        (plus, "p=tls-server-end-point,,", &[7; 32], "alice", "alice-pw", Credentials, "bound"),
        (plus, "p=tls-exporter,,", &[7; 31], "alice", "alice-pw", Credentials, "bound"),
        (plus, "p=tls-exporter,,", &[], "alice", "alice-pw", Credentials, "bound"),
        (bare, "n,,", &[7; 32], "alice", "alice-pw", Credentials, "bound"),
        // Users.
        (bare, "n,,", &[], "alice", "wrong", Credentials, "wrong password"),
        (bare, "n,,", &[], "nobody", "x", Credentials, "no account"),
        (bare, "n,,", &[], "a\u{7}b", "x", Credentials, "no account"),
        (bare, "n,,", &[], "dora", "dora-pw", Credentials, "disabled"),
        (bare, "n,a=bob,", &[], "alice", "alice-pw", Authorization, "may not act"),
        (bare, "n,a=bob,", &[], "alice", "wrong", Credentials, "wrong password"),
        // Grammar.
        (bare, "n,b=x,", &[], "alice", "alice-pw", Protocol, ""),
        (bare, "n,,m=x,", &[], "alice", "alice-pw", Protocol, ""),
    ] {
        s.world.now.fetch_add(3_600_000, Ordering::Relaxed);
        let mut exchange = s.start(mechanism, &tls());
        let step = client(header, data, user, password).run(&mut *exchange);
        let (found, text) = failed(step);
        assert_eq!(found, kind, "{mechanism} {header} {user}: {text}");
        assert!(text.contains(reason), "{mechanism} {header} {user}: {text}");
    }
    // The binding is offered only where the data is.
    let end_point = Tls { end_point: Some(vec![8; 32].into()), ..Tls::default() };
    let mut exchange = s.start(plus, &channel(Some(end_point), true));
    let step = client("p=tls-exporter,,", &[0; 32], "alice", "alice-pw").run(&mut *exchange);
    assert_eq!(failed(step).0, Credentials);
}

#[test]
fn scram_messages_tampered_or_out_of_order() {
    let s = server();
    let c = client("n,,", b"", "alice", "alice-pw");
    let tampers: &[fn(String) -> String] = &[
        |m| m.replace("r=clientnonce", "r=clientnoncf"),
        |m| m.replace("c=biws", "c=eSws"),
        |m| m.replace(",p=", ",x=y,p="),
        |m| m[..m.len() - 8].to_owned(),
        |m| m[..m.len() - 4].to_owned(),
        |m| m.replace(",p=", ",q="),
        |_| String::new(),
        |_| "*".to_owned(),
        |m| format!("{m},"),
    ];
    for (at, tamper) in tampers.iter().enumerate() {
        s.world.now.fetch_add(3_600_000, Ordering::Relaxed);
        let mut exchange = s.start("SCRAM-SHA-256", &tls());
        let first = challenge(wait(exchange.step(Some(c.first().as_bytes()))));
        let (last, _) = c.last(&first);
        assert!(
            matches!(wait(exchange.step(Some(tamper(last).as_bytes()))), Step::Failed(_)),
            "{at}"
        );
        let again = c.last(&first).0;
        assert_eq!(failed(wait(exchange.step(Some(again.as_bytes())))).0, Protocol, "{at}");
    }
    // A replay of a good final message in another exchange has another nonce.
    let mut exchange = s.start("SCRAM-SHA-256", &tls());
    let first = challenge(wait(exchange.step(Some(c.first().as_bytes()))));
    let (good, _) = c.last(&first);
    let mut other = s.start("SCRAM-SHA-256", &tls());
    challenge(wait(other.step(Some(c.first().as_bytes()))));
    assert_eq!(failed(wait(other.step(Some(good.as_bytes())))).0, Protocol);
    // Data after the end.
    challenge(wait(exchange.step(Some(good.as_bytes()))));
    assert_eq!(failed(wait(exchange.step(Some(b"x")))).0, Protocol);
    // No answer at all.
    let mut exchange = s.start("SCRAM-SHA-256", &tls());
    challenge(wait(exchange.step(Some(c.first().as_bytes()))));
    assert_eq!(failed(wait(exchange.step(None))).0, Protocol);
}

#[test]
fn scram_sees_changes_between_its_messages() {
    type Change = fn(&auth::Directory) -> Result<Vec<bytes::Bytes>, decide::Refusal>;
    let changes: [(Change, &str); 3] = [
        (|d| decide::set_disabled(d, "alice", true), "disabled"),
        (|d| decide::remove_account(d, "alice"), "removed"),
        (|d| decide::set_password(d, "alice", Some(credential("new", 5))), "changed"),
    ];
    for (change, reason) in changes {
        let s = server();
        let c = client("n,,", b"", "alice", "alice-pw");
        let mut exchange = s.start("SCRAM-SHA-256", &tls());
        let first = challenge(wait(exchange.step(Some(c.first().as_bytes()))));
        s.change(change);
        let (kind, text) = failed(wait(exchange.step(Some(c.last(&first).0.as_bytes()))));
        assert_eq!(kind, Credentials);
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn a_stranger_gets_the_same_salt_each_time() {
    let (s, again) = (server(), server());
    let salt = |s: &Server, user: &str| {
        let mut exchange = s.start("SCRAM-SHA-256", &tls());
        let c = client("n,,", b"", user, "x");
        let first = challenge(wait(exchange.step(Some(c.first().as_bytes()))));
        let text = String::from_utf8(first).unwrap();
        let (_, salt) = text.split_once(",s=").unwrap();
        salt.to_owned()
    };
    assert_eq!(salt(&s, "nobody"), salt(&s, "Nobody"));
    assert_eq!(salt(&s, "nobody"), salt(&again, "nobody"), "also after a restart");
    assert_ne!(salt(&s, "nobody"), salt(&s, "nobody2"));
    assert_eq!(salt(&s, "nobody").len(), salt(&s, "alice").len());
}

/// RFC 7677 §3.
#[test]
fn rfc_7677_example() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let keys = ScramKeys::derive(&Secret::from(&b"pencil"[..]), &salt, 4096);
    let signed = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
    let signature = hmac(&keys.stored_key, signed.as_bytes());
    let client_key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    use sha2::Digest;
    assert_eq!(sha2::Sha256::digest(client_key)[..], keys.stored_key);
    let verifier = STANDARD.encode(hmac(&keys.server_key, signed.as_bytes()));
    assert_eq!(verifier, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

fn certificate(common: Option<&str>, mail: &[&str], dns: &[&str]) -> Tls {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(common) = common {
        params.distinguished_name.push(DnType::CommonName, common);
    }
    let mail = mail.iter().map(|name| SanType::Rfc822Name((*name).try_into().unwrap()));
    let dns = dns.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
    params.subject_alt_names = mail.chain(dns).collect();
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    Tls { client_certificate: Some(certificate.der().to_vec().into()), ..Tls::default() }
}

#[test]
fn external_by_certificate() {
    let s = server();
    for (tls, authorize, expected) in [
        (certificate(Some("alice"), &[], &[]), "", Ok("alice")),
        (certificate(None, &["Alice@Example.org"], &[]), "", Ok("alice")),
        (certificate(None, &[], &["bob"]), "", Ok("bob")),
        (certificate(Some("al"), &["alice@example.org"], &[]), "alice", Ok("alice")),
        (certificate(Some("alice"), &[], &[]), "al", Ok("alice")),
        (certificate(Some("alice"), &[], &[]), "bob", Err(Authorization)),
        (certificate(Some("alice"), &[], &[]), "x\0y", Err(Authorization)),
        (certificate(Some("alice"), &[], &["bob"]), "", Err(Credentials)),
        (certificate(Some("alice"), &[], &["bob"]), "alice", Err(Credentials)),
        (certificate(Some("dora"), &[], &[]), "", Err(Credentials)),
        (certificate(Some("nobody"), &[], &[]), "", Err(Credentials)),
        (certificate(None, &[], &[]), "", Err(Credentials)),
        (certificate(None, &[], &[]), "alice", Err(Credentials)),
        (
            Tls { client_certificate: Some(vec![1, 2, 3].into()), ..Tls::default() },
            "",
            Err(Credentials),
        ),
    ] {
        let channel = channel(Some(tls), true);
        assert!(s.auth.mechanisms(&channel).contains(&"EXTERNAL"));
        let mut exchange = s.start("EXTERNAL", &channel);
        assert_eq!(challenge(wait(exchange.step(None))), b"");
        let found = match wait(exchange.step(Some(authorize.as_bytes()))) {
            Step::Done(identity) => Ok(identity.name),
            other => Err(failed(other).0),
        };
        assert_eq!(found, expected.map(str::to_owned), "{authorize:?}");
        assert_eq!(failed(wait(exchange.step(Some(b"")))).0, Protocol);
    }
    assert!(s.auth.start("EXTERNAL", &world::tls()).is_none(), "no certificate");
}

#[test]
fn recipients_are_names_and_aliases() {
    let s = server();
    let find = |name: &str| wait(s.auth.recipient(name)).map(|identity| identity.name);
    assert_eq!(find("Alice@example.ORG").as_deref(), Some("alice"));
    assert_eq!(find("al").as_deref(), Some("alice"));
    assert_eq!(find("dora").as_deref(), Some("dora"), "disabled accounts get mail");
    assert_eq!(find("nobody"), None);
    assert_eq!(find(""), None);
    assert_eq!(find("\0"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever comes, in whatever order, is answered.
    #[test]
    fn any_bytes_into_every_mechanism(
        responses in prop::collection::vec(
            prop::option::of(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "[np=,yacr]{0,8}n=[a-c]{1,3},r=[a-z]{1,4}".prop_map(String::into_bytes),
                Just(b"n,,n=alice,r=x".to_vec()),
                Just(b"\0alice\0x".to_vec()),
                Just(b"c=biws,r=x,p=AAAA".to_vec()),
            ]), 0..5)
    ) {
        thread_local!(static SERVER: Server = server());
        SERVER.with(|s| {
            s.world.now.fetch_add(36_000_000, Ordering::Relaxed);
            let mut channel = tls();
            if let Some(tls) = &mut channel.tls {
                tls.client_certificate = Some(vec![48, 3, 1, 1, 1].into());
            }
            for mechanism in s.auth.mechanisms(&channel) {
                let mut exchange = s.start(mechanism, &channel);
                for response in &responses {
                    let step = wait(exchange.step(response.as_deref()));
                    prop_assert!(!matches!(step, Step::Done(_)), "{mechanism}: {responses:?}");
                }
            }
            Ok(())
        })?;
    }
}
