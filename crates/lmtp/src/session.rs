//! A session: answers commands, takes messages in, reports each recipient's fate.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use account::Clock;
use auth::Authenticator;
use base::{DateTime, Limits};
use bytes::Bytes;

use crate::address::{Address, Sender};
use crate::command::Command;
use crate::connection::{Connection, Next};
use crate::delivery::{Delivery, Recipient};
use crate::reply::Reply;
use crate::target::{Delivered, Error, Store};
use crate::trace::Trace;
use crate::transport::{Received, Transport};

/// The longest command line, in bytes. RFC 5321 §4.5.3.1.4 and the extensions' additions stay below
/// 1,200; addresses in UTF-8 are longer.
const LINE_BYTES_MAX: usize = 4096;
/// Replies that wait for a client that pipelines, before they are written.
const OUTBOX_BYTES_MAX: usize = 16 * 1024;

/// What all sessions of a server share.
pub struct Host {
    /// The server's name: in the greeting and in `Received:`.
    pub name: String,
    /// Who there is.
    pub authenticator: Arc<dyn Authenticator>,
    /// Where mail goes.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The bounds.
    pub limits: Limits,
}

/// Numbers the messages of this process, for `Received:` and the log.
static MESSAGES: AtomicU64 = AtomicU64::new(1);

#[derive(Default)]
struct Transaction {
    /// Outer `None`: no MAIL yet.
    sender: Option<Sender>,
    utf8: bool,
    size: Option<u64>,
    recipients: Vec<Recipient>,
    /// Between the first BDAT and the last.
    delivery: Option<Delivery>,
    /// A chunk was refused: only RSET helps (RFC 3030 §2).
    spoilt: bool,
}

/// What a chunk or message that comes in is for.
enum Body {
    Dots(Box<Delivery>),
    Chunk { last: bool, refused: Option<Reply> },
}

struct Session<T> {
    host: Arc<Host>,
    transport: T,
    connection: Connection,
    outbox: Vec<u8>,
    client: Option<String>,
    transaction: Transaction,
    body: Option<Body>,
    bad_commands: usize,
}

enum Flow {
    GoOn,
    Close,
}

/// Serves one connection to its end. An error is the connection's, not a message's.
pub async fn serve<T: Transport>(host: Arc<Host>, transport: T) -> io::Result<()> {
    let mut session = Session {
        host,
        transport,
        connection: Connection::new(LINE_BYTES_MAX),
        outbox: Vec::new(),
        client: None,
        transaction: Transaction::default(),
        body: None,
        bad_commands: 0,
    };
    let greeting = format!("{} LMTP martlet ready", session.host.name);
    session.say(&Reply::bare(220, vec![greeting]));
    while let Flow::GoOn = session.turn().await? {
        // A client that pipelines without reading is held back.
        if session.outbox.len() > OUTBOX_BYTES_MAX {
            session.flush().await?;
        }
    }
    session.flush().await?;
    session.transport.shutdown().await;
    Ok(())
}

fn out_of_order(text: &str) -> Reply {
    Reply::new(503, "5.5.1", text)
}

fn too_large() -> Reply {
    Reply::new(552, "5.3.4", "The message is too large")
}

impl<T: Transport> Session<T> {
    fn say(&mut self, reply: &Reply) {
        reply.print(&mut self.outbox);
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        self.transport.write(Bytes::from(std::mem::take(&mut self.outbox))).await
    }

    fn end(&mut self, code: u16, enhanced: &'static str, text: &str) -> Flow {
        let text = format!("{} {text}", self.host.name);
        self.say(&Reply::new(code, enhanced, text));
        Flow::Close
    }

    async fn turn(&mut self) -> io::Result<Flow> {
        match self.connection.advance() {
            Next::NeedBytes => return self.read().await,
            Next::Command(command) => return self.command(command).await,
            Next::Bad(reply) => {
                self.say(&reply);
                self.bad_commands += 1;
                if self.bad_commands >= self.host.limits.bad_commands_max {
                    return Ok(self.end(421, "4.7.0", "Too many commands that make no sense"));
                }
            }
            Next::Broken(reply) => {
                self.say(&reply);
                return Ok(Flow::Close);
            }
            Next::Data(bytes) => match &mut self.body {
                Some(Body::Dots(delivery)) => delivery.write(bytes).await,
                Some(Body::Chunk { refused: None, .. }) => {
                    if let Some(delivery) = &mut self.transaction.delivery {
                        delivery.write(bytes).await;
                    }
                }
                _ => {}
            },
            Next::DataEnd => match self.body.take() {
                Some(Body::Dots(delivery)) => self.deliver(*delivery).await,
                Some(Body::Chunk { last, refused }) => self.chunk_end(last, refused).await,
                None => {}
            },
        }
        Ok(Flow::GoOn)
    }

    async fn read(&mut self) -> io::Result<Flow> {
        // RFC 2920 §3.2: what is answered goes out before waiting.
        self.flush().await?;
        let timeout = self.host.limits.stall_time;
        Ok(match self.transport.read(self.connection.inbox(), timeout).await? {
            Received::Bytes => Flow::GoOn,
            Received::Eof => Flow::Close,
            Received::TimedOut => self.end(421, "4.4.2", "Nothing came for too long"),
            Received::Stopping => self.end(421, "4.3.2", "The server stops; try again soon"),
        })
    }

    async fn command(&mut self, command: Command) -> io::Result<Flow> {
        match command {
            Command::Lhlo(client) => self.lhlo(client),
            Command::Mail { sender, size, utf8 } => self.mail(sender, size, utf8),
            Command::Rcpt(address) => {
                let reply = self.rcpt(address).await;
                self.say(&reply);
            }
            Command::Data => self.data(),
            Command::Bdat { size, last } => self.bdat(size, last),
            Command::Rset => {
                self.transaction = Transaction::default();
                self.say(&Reply::new(250, "2.0.0", "OK"));
            }
            Command::Noop => self.say(&Reply::new(250, "2.0.0", "OK")),
            Command::Vrfy => {
                self.say(&Reply::new(252, "2.1.5", "Send the mail, and you will know"));
            }
            Command::Help => {
                let verbs = "LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT";
                self.say(&Reply::new(214, "2.0.0", verbs));
            }
            Command::Quit => {
                return Ok(self.end(221, "2.0.0", "Bye"));
            }
        }
        Ok(Flow::GoOn)
    }

    fn lhlo(&mut self, client: String) {
        self.client = Some(client);
        self.transaction = Transaction::default();
        let size = format!("SIZE {}", self.host.limits.message_bytes_max);
        let lines = [
            self.host.name.as_str(),
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            &size,
            "CHUNKING",
        ];
        self.say(&Reply::bare(250, lines.map(str::to_owned).to_vec()));
    }

    fn mail(&mut self, sender: Sender, size: Option<u64>, utf8: bool) {
        let reply = if self.client.is_none() {
            out_of_order("Say LHLO first")
        } else if self.transaction.sender.is_some() {
            out_of_order("There is a sender already")
        } else if size.is_some_and(|size| size > self.host.limits.message_bytes_max) {
            too_large()
        } else {
            self.transaction =
                Transaction { sender: Some(sender), utf8, size, ..Transaction::default() };
            Reply::new(250, "2.1.0", "Sender OK")
        };
        self.say(&reply);
    }

    async fn rcpt(&mut self, address: Address) -> Reply {
        let transaction = &self.transaction;
        if transaction.sender.is_none() {
            return out_of_order("Say MAIL first");
        }
        if transaction.delivery.is_some() || transaction.spoilt {
            return out_of_order("The message has begun");
        }
        if !transaction.utf8 && !address.is_ascii() {
            return Reply::new(553, "5.6.7", "An address with UTF-8 needs SMTPUTF8");
        }
        if transaction.recipients.len() >= self.host.limits.recipients_max {
            return Reply::new(452, "4.5.3", "Too many recipients; send it again to the others");
        }
        let Some((identity, detail)) = find(&*self.host.authenticator, &address).await else {
            return Reply::new(550, "5.1.1", format!("<{address}> is not known here"));
        };
        let reply = Reply::new(250, "2.1.5", format!("<{address}> OK"));
        self.transaction.recipients.push(Recipient { address, identity, detail });
        reply
    }

    /// Why no message may come, if so.
    fn refuse_message(&self) -> Option<Reply> {
        if self.transaction.sender.is_none() {
            return Some(out_of_order("Say MAIL first"));
        }
        // RFC 2033 §4.2: not 554.
        self.transaction.recipients.is_empty().then(|| out_of_order("There is no recipient"))
    }

    fn begin(&mut self) -> Delivery {
        let now = self.host.clock.now_ms();
        let number = MESSAGES.fetch_add(1, Ordering::Relaxed);
        let transaction = &mut self.transaction;
        let with = match (transaction.utf8, self.transport.is_tls()) {
            (false, false) => "LMTP",
            (false, true) => "LMTPS",
            (true, false) => "UTF8LMTP",
            (true, true) => "UTF8LMTPS",
        };
        let trace = Trace {
            sender: transaction.sender.clone().flatten(),
            client: self.client.clone().unwrap_or_default(),
            remote: self.transport.remote(),
            host: self.host.name.clone(),
            with,
            id: format!("{now:x}.{number:x}"),
            date: DateTime::new(now.div_euclid(1000), 0),
        };
        let recipients = transaction.recipients.clone().into();
        let store = Arc::clone(&self.host.store);
        let size_max = self.host.limits.message_bytes_max;
        Delivery::new(store, recipients, trace, size_max, transaction.size)
    }

    fn data(&mut self) {
        if let Some(reply) = self.refuse_message() {
            return self.say(&reply);
        }
        if self.transaction.delivery.is_some() || self.transaction.spoilt {
            return self.say(&out_of_order("The message has begun with BDAT"));
        }
        self.body = Some(Body::Dots(Box::new(self.begin())));
        self.connection.begin_data();
        self.say(&Reply::bare(354, vec!["Send it, with CR LF . CR LF at its end".into()]));
    }

    fn bdat(&mut self, size: u64, last: bool) {
        // The chunk comes whatever the answer (RFC 3030 §2).
        let refused = match self.transaction.spoilt {
            true => Some(out_of_order("A chunk was refused; say RSET")),
            false => self.refuse_message(),
        };
        if refused.is_none() && self.transaction.delivery.is_none() {
            self.transaction.delivery = Some(self.begin());
        }
        self.body = Some(Body::Chunk { last, refused });
        self.connection.begin_chunk(size);
    }

    async fn chunk_end(&mut self, last: bool, refused: Option<Reply>) {
        if let Some(reply) = refused {
            self.transaction.spoilt = self.transaction.sender.is_some();
            return self.say(&reply);
        }
        if last {
            if let Some(delivery) = self.transaction.delivery.take() {
                self.deliver(delivery).await;
            }
            return;
        }
        let delivery = self.transaction.delivery.as_ref();
        if delivery.is_some_and(Delivery::is_too_large) {
            self.transaction.delivery = None;
            self.transaction.spoilt = true;
            return self.say(&too_large());
        }
        let size = delivery.map_or(0, Delivery::size);
        self.say(&Reply::new(250, "2.0.0", format!("{size} octets so far")));
    }

    /// The message is complete: one reply for each recipient, in order (RFC 2033 §4.2).
    async fn deliver(&mut self, delivery: Delivery) {
        let transaction = std::mem::take(&mut self.transaction);
        let outcomes = delivery.finish().await;
        for (recipient, outcome) in transaction.recipients.iter().zip(outcomes) {
            let reply = report(recipient, transaction.sender.as_ref(), outcome);
            self.say(&reply);
        }
    }
}

/// The account that mail for `address` goes to, and the mailbox its detail asks for. An exact name or
/// alias comes first, then the name without detail; the full address before the local part alone.
async fn find(
    authenticator: &dyn Authenticator,
    address: &Address,
) -> Option<(auth::Identity, Option<String>)> {
    let without = address.split_detail();
    let base = without.as_ref().map(|(base, detail)| (base, Some((*detail).to_owned())));
    let exact = (address, None);
    for (address, detail) in [Some(exact.clone()), base.clone()].into_iter().flatten() {
        if let Some(identity) = authenticator.recipient(&address.plain()).await {
            return Some((identity, detail));
        }
    }
    for (address, detail) in [Some(exact), base].into_iter().flatten() {
        if address.domain.is_some()
            && let Some(identity) = authenticator.recipient(&address.local).await
        {
            return Some((identity, detail));
        }
    }
    None
}

/// The log line of one delivery, and the answer.
fn report(
    recipient: &Recipient,
    sender: Option<&Sender>,
    outcome: Result<Delivered, Error>,
) -> Reply {
    let to = recipient.address.to_string();
    let from = sender.and_then(|sender| sender.as_ref()).map(Address::to_string);
    let from = from.unwrap_or_default();
    let account = &recipient.identity.name;
    match outcome {
        Ok(delivered) => {
            // Addresses hold no control characters; what else is from outside is escaped.
            let message_id = delivered.message_id.unwrap_or_default();
            tracing::info!(
                recipient = %to, %account, mailbox = %delivered.mailbox.escape_debug(),
                uid = %delivered.uid, size = delivered.size,
                message_id = %message_id.escape_debug(), sender = %from, "delivered"
            );
            Reply::new(250, "2.0.0", format!("<{to}> delivered"))
        }
        Err(error) => {
            tracing::warn!(recipient = %to, %account, sender = %from, %error, "not delivered");
            match error {
                Error::TooLarge => too_large(),
                Error::Full(_) => Reply::new(452, "4.3.1", format!("<{to}> There is no room")),
                Error::Unavailable(_) => {
                    Reply::new(451, "4.3.0", format!("<{to}> Try again later"))
                }
            }
        }
    }
}
