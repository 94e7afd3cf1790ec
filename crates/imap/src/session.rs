//! A session: reads events, dispatches commands through the table, and ends each the same way.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use account::Live;
use auth::{Channel, Failure, Identity};
use bytes::Bytes;
use futures_util::future::select;
use mailbox::Expunges;
use wire::command::Command;
use wire::response::{Code, Condition, Tagged, Untagged};

use crate::capability;
use crate::command;
use crate::connection::{Connection, Event, Refusal};
use crate::context::{
    self, Authenticated, Client, Enabled, Selected, SelectedMailbox, Shared, Stopping,
};
use crate::error::{Done, Next, No};
use crate::output::{Out, Output};
use crate::progress::Pace;
use crate::sync;
use crate::table::{self, Needs, Row};
use crate::transport::{Received, Transport};

/// RFC 9051 §3.
#[derive(Default)]
pub enum Session {
    /// Nobody is logged in.
    #[default]
    NotAuthenticated,
    /// An account is open.
    Authenticated {
        /// The account.
        live: Arc<Live>,
    },
    /// A mailbox is selected.
    Selected {
        /// The account.
        live: Arc<Live>,
        /// The mailbox.
        mailbox: Box<SelectedMailbox>,
    },
    /// The connection ends.
    Logout,
}

/// A connection with its session.
pub struct Driver<T> {
    pub(crate) transport: T,
    pub(crate) connection: Connection,
    pub(crate) output: Output,
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Client,
    pub(crate) session: Session,
    stopping: Stopping,
    /// Counts this connection among its account's.
    pub(crate) guard: Option<Box<dyn Send + Sync>>,
    bad_commands: usize,
    /// Commands since the client was waited for.
    in_a_row: usize,
    began_ms: i64,
}

/// Serves one client, from the greeting to the end of the connection.
pub async fn serve<T: Transport>(transport: T, shared: Arc<Shared>) {
    let mut driver = Driver::new(transport, shared);
    if let Err(no) = driver.run().await {
        driver.farewell(&no).await;
    }
    driver.transport.shutdown().await;
}

impl<T: Transport> Driver<T> {
    fn new(transport: T, shared: Arc<Shared>) -> Self {
        let tls = transport.tls();
        let channel = Channel {
            remote: transport.remote(),
            tls,
            secure: transport.is_secure(),
            protocol: "imap",
        };
        Self {
            connection: Connection::new(&shared.limits),
            output: Output::new(shared.limits.output_bytes_max),
            client: Client {
                channel,
                can_start_tls: transport.can_start_tls(),
                identity: None,
                id_name: None,
                enabled: Enabled::default(),
            },
            session: Session::NotAuthenticated,
            stopping: Stopping::new(&shared.stop),
            guard: None,
            bad_commands: 0,
            in_a_row: 0,
            began_ms: shared.clock.now_ms(),
            transport,
            shared,
        }
    }

    /// Runs until LOGOUT or the end of the connection, which are `Ok`.
    async fn run(&mut self) -> Result<(), No> {
        let capabilities = capability::list(&self.shared, &self.client);
        self.output.untagged(&Untagged::Status(
            Condition::Ok,
            Some(Code::Capability(capabilities)),
            format!("{} ready", self.shared.settings.name),
        ));
        while !matches!(self.session, Session::Logout) {
            match self.event().await? {
                Some(event) => self.handle(event).await?,
                None => return Ok(()),
            }
        }
        self.flush().await
    }

    /// The next event that is not [`Event::NeedBytes`] or [`Event::Send`]; `None` at the end of the
    /// connection. All output is written before the client is waited for.
    pub(crate) async fn event(&mut self) -> Result<Option<Event>, No> {
        loop {
            match self.connection.next_event() {
                Event::NeedBytes => {
                    if !self.read().await? {
                        return Ok(None);
                    }
                }
                Event::Send(bytes) => self.output.tail().extend_from_slice(bytes),
                event => return Ok(Some(event)),
            }
            if self.output.is_full() {
                self.flush().await?;
            }
        }
    }

    /// Reads once; false at the end of the connection.
    async fn read(&mut self) -> Result<bool, No> {
        self.flush().await?;
        self.in_a_row = 0;
        self.shared.go_on()?;
        let timeout = self.patience()?;
        let before = self.connection.inbox().len();
        let received = {
            let mut read = std::pin::pin!(self.transport.read(self.connection.inbox(), timeout));
            let stopping = &mut self.stopping;
            let received = poll_fn(|cx| match read.as_mut().poll(cx) {
                Poll::Ready(received) => Poll::Ready(Some(received)),
                Poll::Pending => stopping.poll(cx).map(|()| None),
            });
            received.await.ok_or(No::Bye(context::STOPPING))??
        };
        let after = self.connection.inbox().len();
        self.connection.received(after.saturating_sub(before));
        match received {
            Received::Bytes => Ok(true),
            Received::Eof => Ok(false),
            Received::TimedOut => Err(No::Bye("nothing was heard for too long")),
        }
    }

    /// How long to wait for the client.
    fn patience(&self) -> Result<Duration, No> {
        let limits = &self.shared.limits;
        if self.client.identity.is_none() {
            let spent = self.shared.clock.now_ms().saturating_sub(self.began_ms).max(0);
            let left = limits.login_time.saturating_sub(Duration::from_millis(spent as u64));
            return match left.is_zero() {
                true => Err(No::Bye("time to log in is over")),
                false => Ok(left),
            };
        }
        Ok(if self.connection.is_mid_command() { limits.stall_time } else { limits.idle_time })
    }

    /// Writes all that waits.
    pub(crate) async fn flush(&mut self) -> Result<(), No> {
        Ok(Out::new(&mut self.output, &mut self.transport).flush().await?)
    }

    async fn handle(&mut self, event: Event) -> Result<(), No> {
        self.in_a_row += 1;
        if self.in_a_row > self.shared.limits.pipelined_commands_max {
            self.in_a_row = 0;
            self.flush().await?;
            yield_now().await;
        }
        match event {
            Event::Command(parsed) => {
                let row = table::find(table::verb(&parsed.command))
                    .ok_or(No::Bug("a verb without a row"))?;
                if row.takes_time {
                    // What is answered already need not wait for this one.
                    self.flush().await?;
                }
                let result = match self.may(row) {
                    Ok(()) if parsed.command == Command::Idle => command::idle::run(self).await,
                    Ok(()) => match self.begin(&parsed.tag, parsed.command) {
                        Begun::Done(result) => result,
                        Begun::Running(command) => command.await,
                    },
                    Err(no) => Err(no),
                };
                self.finish(parsed.tag, row, result).await
            }
            Event::Append(head) => {
                let row = table::find("APPEND").ok_or(No::Bug("a verb without a row"))?;
                let tag = head.tag.clone();
                let result = Box::pin(command::append::run(self, head)).await;
                self.finish(tag, row, result).await
            }
            Event::Bad(refusal) => self.refused(refusal),
            Event::Close(why) => {
                tracing::info!(remote = %self.client.channel.remote, why, "connection closed");
                self.output.take();
                self.session = Session::Logout;
                Ok(())
            }
            _ => Err(No::Bug("an event that no command asked for")),
        }
    }

    fn refused(&mut self, refusal: Refusal) -> Result<(), No> {
        let Refusal { tag, no, code, text, forgets_saved } = refusal;
        // Phones say "wrong password" whatever they were told; the log says what it was.
        if self.client.identity.is_none() {
            tracing::info!(remote = %self.client.channel.remote, why = %text, "command refused");
        }
        if let (true, Session::Selected { mailbox, .. }) = (forgets_saved, &mut self.session) {
            mailbox.saved = base::UidSet::new();
        }
        let condition = if no { Condition::No } else { Condition::Bad };
        match tag {
            Some(tag) => self.output.tagged(&Tagged { tag, condition, code, text }),
            None => self.output.untagged(&Untagged::Status(condition, code, text)),
        }
        self.count_bad()
    }

    fn count_bad(&mut self) -> Result<(), No> {
        self.bad_commands += 1;
        match self.bad_commands > self.shared.limits.bad_commands_max {
            true => Err(No::Bye("too many commands were not understood")),
            false => Ok(()),
        }
    }

    /// Whether a command is legal in this state, and offered.
    fn may(&self, row: &Row) -> Result<(), No> {
        if !row.capability.is_empty()
            && self.shared.settings.mask.hides(row.capability, &self.client)
        {
            return Err(No::Bad("unknown command"));
        }
        match (row.needs, &self.session) {
            (Needs::Nothing, _)
            | (Needs::Stranger, Session::NotAuthenticated)
            | (Needs::Account, Session::Authenticated { .. } | Session::Selected { .. })
            | (Needs::Mailbox, Session::Selected { .. }) => Ok(()),
            (Needs::Stranger, _) => Err(No::Bad("already logged in")),
            (Needs::Account | Needs::Mailbox, Session::NotAuthenticated) => {
                Err(No::Bad("log in first"))
            }
            (Needs::Mailbox, _) => Err(No::Bad("select a mailbox first")),
            (Needs::Account, Session::Logout) => Err(No::Bug("a command after LOGOUT")),
        }
    }

    /// Begins a command, or does all of it if it waits for nothing.
    fn begin<'a>(&'a mut self, tag: &'a str, command: Command) -> Begun<'a> {
        use crate::command as verb;
        macro_rules! driver {
            ($verb:ident($($args:expr),*)) => {
                running(move || verb::$verb::run(self, $($args),*))
            };
        }
        macro_rules! account {
            ($verb:ident($($args:expr),*)) => {
                running(move || async move { verb::$verb::run(&mut self.account(tag)?, $($args),*).await })
            };
        }
        macro_rules! mailbox {
            ($verb:ident($($args:expr),*)) => {
                running(move || async move { verb::$verb::run(&mut self.mailbox(tag)?, $($args),*).await })
            };
        }
        match command {
            Command::Capability => Begun::Done(verb::capability::run(self)),
            Command::Noop => Begun::Done(verb::noop::run()),
            Command::Logout => Begun::Done(verb::logout::run(self)),
            Command::Id(args) => Begun::Done(verb::id::run(self, args)),
            Command::StartTls => Begun::Done(verb::starttls::run(self)),
            Command::Authenticate(args) => driver!(authenticate(args)),
            Command::Login(args) => driver!(login(args)),
            Command::Enable(args) => Begun::Done(verb::enable::run(self, args)),
            Command::Select(args) => driver!(select(args, false)),
            Command::Examine(args) => driver!(examine(args)),
            Command::Create(args) => account!(create(args)),
            Command::Delete(name) => account!(delete(name)),
            Command::Rename(args) => account!(rename(args)),
            Command::Subscribe(name) => account!(subscribe(name)),
            Command::Unsubscribe(name) => account!(unsubscribe(name)),
            Command::List(args) => account!(list(args)),
            Command::Lsub(args) => account!(lsub(args)),
            Command::Xlist(args) => account!(xlist(args)),
            Command::Namespace => Begun::Done(
                self.account(tag).and_then(|mut account| verb::namespace::run(&mut account)),
            ),
            Command::Status(args) => Begun::Done(
                self.account(tag).and_then(|mut account| verb::status::run(&mut account, args)),
            ),
            Command::MultiSearch(args) => account!(esearch(args)),
            Command::Append(_) | Command::Idle => {
                Begun::Done(Err(No::Bug("a command in the wrong place")))
            }
            Command::Check => mailbox!(check()),
            Command::Close => mailbox!(close()),
            Command::Unselect => mailbox!(unselect()),
            Command::Expunge(set) => mailbox!(expunge(set)),
            Command::Search(args) => mailbox!(search(args)),
            Command::Sort(args) => mailbox!(sort(args)),
            Command::Thread(args) => mailbox!(thread(args)),
            Command::Fetch(args) => mailbox!(fetch(args)),
            Command::Store(args) => mailbox!(store(args)),
            Command::Copy(args) => mailbox!(copy(args)),
            Command::Move(args) => mailbox!(r#move(args)),
        }
    }

    /// Lends what a command outside a mailbox may borrow.
    pub(crate) fn account<'a>(&'a mut self, tag: &'a str) -> Result<Authenticated<'a>, No> {
        let (live, selected) = match &mut self.session {
            Session::Authenticated { live } => (&*live, None),
            Session::Selected { live, mailbox } => (&*live, Some(&mut **mailbox)),
            _ => return Err(No::Bug("a command that needs an account ran without one")),
        };
        Ok(Authenticated {
            tag,
            shared: &self.shared,
            client: &mut self.client,
            live,
            selected,
            out: Out::new(&mut self.output, &mut self.transport),
        })
    }

    /// Lends what a command in a mailbox may borrow.
    pub(crate) fn mailbox<'a>(&'a mut self, tag: &'a str) -> Result<Selected<'a>, No> {
        let Session::Selected { live, mailbox } = &mut self.session else {
            return Err(No::Bug("a command that needs a mailbox ran without one"));
        };
        Ok(Selected {
            tag,
            shared: &self.shared,
            pace: Pace::new(&self.shared, &self.client),
            client: &mut self.client,
            live,
            mailbox,
            out: Out::new(&mut self.output, &mut self.transport),
        })
    }

    /// The end of every command: what is new, then the tagged line.
    async fn finish(&mut self, tag: String, row: &Row, result: Result<Done, No>) -> Result<(), No> {
        let (condition, code, text, next) = match result {
            Ok(done) => (Condition::Ok, done.code, done.text.to_owned(), done.next),
            Err(no @ (No::Lost(_) | No::Bye(_) | No::Bug(_))) => return Err(no),
            Err(no) => {
                if let No::Unavailable(error) = &no {
                    tracing::error!(verb = row.verb, %error, "storage failed");
                }
                (no.condition(), no.code(), no.to_string(), Next::Stay)
            }
        };
        if next == Next::Unselect {
            self.unselect();
        }
        let told = match next {
            Next::Close => Ok(()),
            _ => self.sync(row.expunges, row.verb.starts_with("UID ")).await,
        };
        // What was done is said also when the mailbox is gone: a client must not do it again.
        self.output.tagged(&Tagged { tag, condition, code, text });
        told?;
        self.must_be_there()?;
        match next {
            Next::Close => self.session = Session::Logout,
            Next::StartTls => self.start_tls().await?,
            Next::Stay | Next::Unselect => {}
        }
        match (condition, &self.session) {
            // Guessing passwords ends like talking nonsense.
            (Condition::Bad, _) | (Condition::No, Session::NotAuthenticated) => self.count_bad(),
            // A connection lives for weeks: only nonsense in a row is a client that has lost its way.
            (Condition::Ok, Session::Authenticated { .. } | Session::Selected { .. }) => {
                self.bad_commands = 0;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Nothing can be done with an account that was removed, or whose storage failed: the client
    /// has to come again.
    pub(crate) fn must_be_there(&self) -> Result<(), No> {
        let (Session::Authenticated { live } | Session::Selected { live, .. }) = &self.session
        else {
            return Ok(());
        };
        match live.end() {
            None => Ok(()),
            Some(storage::Error::NoAccount) => Err(No::Bye("the account was removed")),
            Some(_) if live.is_disconnected() => {
                Err(No::Bye("the administrator has changed the account, connect again"))
            }
            Some(_) => Err(No::Bye("storage failed, connect again")),
        }
    }

    /// Tells the client what is new in its mailbox.
    pub(crate) async fn sync(&mut self, expunges: Expunges, with_uid: bool) -> Result<(), No> {
        let Session::Selected { live, mailbox } = &mut self.session else { return Ok(()) };
        let state = live.state();
        let Some(info) = state.get(mailbox.id) else {
            // RFC 2180 §3.3 allows to disconnect; no answer about a mailbox that is gone is right.
            return Err(No::Bye("the selected mailbox was deleted"));
        };
        mailbox.view.absorb(info.mailbox);
        let enabled = self.client.enabled;
        let mut out = Out::new(&mut self.output, &mut self.transport);
        sync::tell(mailbox, enabled, expunges, with_uid, &mut out).await?;
        if let Some(below) = mailbox.view.recent_claim() {
            match sync::claim_recent(live, mailbox.id, below).await {
                Ok(_) | Err(No::NonExistent) => {}
                // Not the client's concern: it costs a second `\Recent` at most.
                Err(error) => tracing::error!(%error, "could not claim recent messages"),
            }
        }
        Ok(())
    }

    /// CONDSTORE is enabled (RFC 7162 §3.1).
    pub(crate) fn enable_condstore(&mut self) {
        let selected = match &self.session {
            Session::Selected { mailbox, .. } => Some(&**mailbox),
            _ => None,
        };
        context::enable_condstore(&mut self.client, selected, &mut self.output);
    }

    /// The end of LOGIN and AUTHENTICATE, when it went well.
    pub(crate) async fn logged_in(
        &mut self,
        identity: Identity,
        text: &'static str,
    ) -> Result<Done, No> {
        let remote = self.client.channel.remote;
        let Some(guard) = self.shared.registry.enter(&identity, remote) else {
            tracing::warn!(%remote, account = %identity.name, "too many connections");
            return Err(No::Limit("too many connections of this account"));
        };
        let live = self.shared.accounts.open(identity.account).await?;
        tracing::info!(%remote, account = %identity.name, tls = self.client.channel.tls.is_some(), "login");
        self.guard = Some(guard);
        self.client.identity = Some(identity);
        self.session = Session::Authenticated { live };
        self.connection.set_logged_in();
        self.transport.logged_in();
        let capabilities = capability::list(&self.shared, &self.client);
        Ok(Done::new(text).code(Code::Capability(capabilities)))
    }

    /// The end of LOGIN and AUTHENTICATE, when it went otherwise: the log learns the reason, the
    /// client waits.
    pub(crate) async fn not_logged_in(&mut self, failure: Failure, mechanism: &str) -> No {
        let remote = self.client.channel.remote;
        tracing::warn!(%remote, mechanism, reason = %failure.reason, "login failed");
        if !failure.delay.is_zero() {
            let stop = self.shared.stop.clone();
            let sleep = std::pin::pin!(self.transport.sleep(failure.delay));
            select(sleep, std::pin::pin!(stop.wait())).await;
        }
        No::Login(failure.kind)
    }

    /// The handshake after STARTTLS. What is known from before it is forgotten (RFC 9051 §6.2.1).
    async fn start_tls(&mut self) -> Result<(), No> {
        self.flush().await?;
        let tls = self.transport.start_tls().await?;
        self.connection = Connection::new(&self.shared.limits);
        self.client.channel.tls = Some(tls);
        self.client.channel.secure = self.transport.is_secure();
        self.client.can_start_tls = false;
        self.client.id_name = None;
        Ok(())
    }

    /// No mailbox is selected any more.
    pub(crate) fn unselect(&mut self) {
        self.session = match std::mem::take(&mut self.session) {
            Session::Selected { live, .. } => Session::Authenticated { live },
            other => other,
        };
    }

    /// Follows what the client has enabled.
    pub(crate) fn enabled_changed(&mut self) {
        let encoding = self.client.enabled.encoding();
        self.output.set_encoding(encoding);
        self.connection.set_syntax(encoding.utf8, encoding.rev2);
    }

    /// The last words before a connection ends out of order.
    async fn farewell(&mut self, no: &No) {
        let remote = self.client.channel.remote;
        match no {
            No::Lost(error) => {
                tracing::debug!(%remote, %error, "connection lost");
                return;
            }
            No::Bug(what) => tracing::error!(%remote, what, "internal error"),
            no => tracing::info!(%remote, why = %no, "connection ended"),
        }
        self.output.untagged(&Untagged::Bye(no.code(), no.to_string()));
        let chain: Vec<Bytes> = self.output.take();
        let _ = self.transport.write(chain).await;
    }
}

/// A command that has begun.
enum Begun<'a> {
    Done(Result<Done, No>),
    /// Boxed: most sessions wait most of the time, and are small while they do.
    Running(Pin<Box<dyn Future<Output = Result<Done, No>> + Send + 'a>>),
}

/// Never inlined, so that each command's future is made on a stack frame of its own size: the frame of
/// them all together is 28 KiB, which a worker's first command would have to get from the system.
#[inline(never)]
fn running<'a, F>(make: impl FnOnce() -> F) -> Begun<'a>
where
    F: Future<Output = Result<Done, No>> + Send + 'a,
{
    Begun::Running(Box::pin(make()))
}

/// Lets others run.
pub(crate) async fn yield_now() {
    let mut is_second = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
