//! One logged-in client of a server in memory.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Arc;

use base::Limits;
use bytes::Bytes;
use storage::{Extract, Storage};
use testkit::{Executor, Peer, block_on};

use crate::common::Server;
use crate::odd_storage::Odd;

pub(crate) struct Client {
    pub(crate) executor: Executor<'static>,
    pub(crate) server: Server,
    pub(crate) storage: Arc<Odd>,
    pub(crate) peer: Peer,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::over(Arc::default(), limits)
    }

    /// A server that was started over what is stored.
    pub(crate) fn over(storage: Arc<Odd>, limits: Limits) -> Self {
        let server = Server::over(storage.clone(), limits, imap::Settings::default());
        let mut executor = Executor::new();
        let (pipe, peer) = testkit::pipe::pipe();
        executor.spawn(imap::serve(Server::wire(pipe, ""), server.shared.clone()));
        let mut client = Self { executor, server, storage, peer };
        client.ask("a LOGIN alice secret");
        client
    }

    pub(crate) fn deliver(&mut self, message: &[u8]) {
        let shared = self.server.shared.clone();
        block_on(Server::deliver(shared, "alice".into(), "INBOX".into(), message.to_vec()));
    }

    /// As if an older server had taken the messages in, which kept other header fields of them, or if
    /// what was kept had been lost.
    pub(crate) fn forget_fields(&self) {
        let account = block_on(self.storage.accounts()).expect("accounts")[0];
        let live = block_on(self.server.shared.accounts.open(account)).expect("the account");
        let state = live.state();
        let rows = state.mailboxes().flat_map(|info| info.mailbox.rows());
        let noise = |row: mailbox::Row| (row.position, Bytes::from_static(b"\0noise"));
        let new = rows.map(noise).collect();
        block_on(self.storage.put_extracts(account, Extract::Fields, new)).expect("put");
    }

    /// Sends a line and takes all that comes.
    pub(crate) fn ask(&mut self, line: &str) -> Vec<u8> {
        self.peer.send(format!("{line}\r\n").as_bytes());
        self.executor.run();
        self.peer.receive().to_vec()
    }

    pub(crate) fn text(&mut self, line: &str) -> String {
        String::from_utf8_lossy(&self.ask(line)).into_owned()
    }

    /// The literal of a FETCH of one item, and the line before and after it.
    pub(crate) fn literal(&mut self, line: &str) -> (String, Vec<u8>, String) {
        let output = self.ask(line);
        let end = output.windows(2).position(|pair| pair == b"\r\n").expect("a line") + 2;
        let head = String::from_utf8_lossy(&output[..end]).trim_end().to_owned();
        let open = head.rfind('{').unwrap_or_else(|| panic!("{head}"));
        let length: usize = head[open + 1..head.len() - 1].parse().expect("a length");
        let (literal, tail) = output[end..].split_at(length);
        (head, literal.to_vec(), String::from_utf8_lossy(tail).into_owned())
    }
}
