//! `martlet demo`: a server that is gone when it ends, with mail in it to look at.

mod mail;
mod text;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use account::{Decision, NewMail};
use base::{Uid, UidValidity};
use mailbox::{Account, Record};
use server::{Addresses, Handle, Node, Server, Settings};
use storage::Durability;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Log, LogFormat};
use crate::exit::{Failure, Outcome};
use crate::operation::Operations;
use crate::{logging, process, serve};

const BATCH: usize = 100;

/// Runs until Ctrl-C.
pub(crate) fn run() -> Outcome {
    logging::start(&Log { level: "warn".to_owned(), format: LogFormat::Auto });
    process::harden();
    let home =
        tempfile::Builder::new().prefix("martlet-demo-").tempdir().map_err(Failure::failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let outcome = runtime.block_on(demo(home.path()));
    runtime.shutdown_background();
    home.close().map_err(Failure::failed)?;
    outcome
}

async fn demo(home: &std::path::Path) -> Outcome {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
    let mut settings = Settings { data: home.join("data"), ..Settings::default() };
    let listen = &mut settings.listen;
    for addresses in [&mut listen.imap, &mut listen.imaps, &mut listen.lmtp] {
        addresses.iter_mut().for_each(free);
    }
    let handle =
        Server::start(settings, Some(Arc::new(Operations))).await.map_err(serve::failure)?;
    let passwords = (password()?, password()?);
    let count = fill(handle.node(), &passwords).await?;
    println!("{}", instructions(handle.addresses(), &passwords, count));
    println!("{}", serve::ready(handle.addresses()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    end(handle).await;
    Ok(())
}

async fn end(handle: Handle) {
    println!("\nStopping; everything is removed.");
    handle.stop().await;
}

/// Another port if somebody has this one.
fn free(address: &mut SocketAddr) {
    if TcpListener::bind(*address).is_err() {
        address.set_port(0);
    }
}

fn password() -> Result<String, Failure> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(Failure::failed)?;
    // Nothing that a shell or an URL would take for something else.
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789X";
    Ok(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// Both accounts; how many messages they got.
async fn fill(node: &Arc<Node>, passwords: &(String, String)) -> Result<usize, Failure> {
    let now = account::Clock::now_ms(&**node.system()) / 1000;
    let mut count = 0;
    for (name, password, mail) in
        [("alice", &passwords.0, mail::for_alice(now)), ("bob", &passwords.1, mail::for_bob(now))]
    {
        let credential =
            node.authenticator().derive(password.as_bytes()).await.map_err(Failure::failed)?;
        let id =
            node.directory().add_account(name, Some(credential)).await.map_err(Failure::failed)?;
        let live = node.accounts().open(id).await.map_err(Failure::failed)?;
        count += mail.len();
        let mut by_mailbox: Vec<(String, Vec<mail::Mail>)> = Vec::new();
        for one in mail {
            match by_mailbox.iter_mut().find(|(name, _)| *name == one.mailbox) {
                Some((_, list)) => list.push(one),
                None => by_mailbox.push((one.mailbox.to_owned(), vec![one])),
            }
        }
        for (mailbox, list) in by_mailbox {
            store(&live, &mailbox, list).await.map_err(Failure::failed)?;
        }
    }
    Ok(count)
}

async fn store(
    live: &account::Live,
    mailbox: &str,
    mail: Vec<mail::Mail>,
) -> Result<(), storage::Error> {
    let now = live.now_ms() / 1000;
    let make = |account: &Account| {
        let records = match account.find(mailbox) {
            Some(_) => Vec::new(),
            None => created(account.next_uid_validity(now), mailbox),
        };
        Ok::<_, &'static str>(Decision { records, value: () })
    };
    settle(live.commit(Vec::new(), Durability::Synced, make).await)?;
    let mut mail = mail.into_iter().peekable();
    while mail.peek().is_some() {
        let mut batch = Vec::new();
        for one in mail.by_ref().take(BATCH) {
            let mut receiving = live.incoming(Some(one.bytes.len() as u64)).await?;
            receiving.write(&one.bytes).await?;
            let received = receiving.finish().await?;
            let (flags, internal_date) = (one.flags, base::DateTime::new(one.time, 0));
            batch.push(NewMail { received, flags, internal_date, uid: None });
        }
        let choose =
            |account: &Account| account.find(mailbox).map(|info| info.id).ok_or("it is gone");
        settle(live.append(choose, batch).await)?;
    }
    Ok(())
}

fn created(uid_validity: UidValidity, name: &str) -> Vec<Record> {
    let name = name.to_owned();
    vec![
        Record::MailboxCreated {
            name: name.clone(),
            uid_validity,
            uid_next: Uid::MIN,
            roles: Vec::new(),
        },
        Record::Subscribed { name },
    ]
}

fn settle<T>(result: Result<T, account::Failure<&'static str>>) -> Result<T, storage::Error> {
    result.map_err(|failure| match failure {
        account::Failure::Storage(error) => error,
        account::Failure::Refused(why) => storage::Error::Failed(why.into()),
    })
}

fn instructions(addresses: &Addresses, passwords: &(String, String), count: usize) -> String {
    let port = |addresses: &[SocketAddr]| addresses.first().map_or(0, SocketAddr::port);
    let (imap, imaps) = (port(&addresses.imap), port(&addresses.imaps));
    let lmtp = port(&addresses.lmtp);
    let (alice, bob) = passwords;
    format!(
        "\
A server with {count} messages is running. Ctrl-C ends it and removes everything.

Accounts
    alice   password {alice}
    bob     password {bob}

Look at it with curl (the certificate is self-signed, therefore --insecure):
    curl --insecure --user alice:{alice} 'imaps://127.0.0.1:{imaps}/'
    curl --insecure --user alice:{alice} 'imaps://127.0.0.1:{imaps}/INBOX?TEXT%20garden'
    curl --insecure --user alice:{alice} 'imaps://127.0.0.1:{imaps}/INBOX;MAILINDEX=1'

With neomutt:
    neomutt -n -F /dev/null -f imap://alice@127.0.0.1:{imap}/INBOX -e \\
        'set ssl_starttls=no ssl_force_tls=no folder=imap://alice@127.0.0.1:{imap}/ imap_pass={alice}'

With a graphical client (Thunderbird, Apple Mail, K-9, Outlook):
    incoming server   IMAP, 127.0.0.1, port {imaps}, SSL/TLS, normal password
    user name         alice
    certificate       self-signed: accept it
    outgoing server   none; martlet stores mail and does not send it

Deliver a message by LMTP, and see it arrive:
    python3 -c \"import smtplib; smtplib.LMTP('127.0.0.1', {lmtp}).sendmail('you@example.org', \\
        'alice@example.org', 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n')\"
"
    )
}
