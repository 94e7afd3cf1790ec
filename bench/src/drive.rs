//! Many clients from one thread: each sends its next request as soon as the one before is answered.
//! A thread for each would fight the server for the processor.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use crate::imap::{Answer, Failure};
use crate::wire::{Wire, text};

/// A server that is silent for so long is a failure.
const PATIENCE: Timespec = Timespec { tv_sec: 120, tv_nsec: 0 };

/// A connection that understands answers.
pub(crate) trait Talk {
    /// Its bytes.
    fn wire(&mut self) -> &mut Wire;
    /// The next answer in what was read, if it is whole.
    fn advance(&mut self) -> Result<Option<Answer>, Failure>;
}

/// What a client has to say: so many requests, each made when it is due, and checks of the answers.
pub(crate) struct Script<'a> {
    at: usize,
    count: usize,
    text: Vec<u8>,
    make: Make<'a>,
    check: Check<'a>,
}

type Make<'a> = Box<dyn FnMut(usize, &mut Vec<u8>) + 'a>;
type Check<'a> = Box<dyn FnMut(usize, &Answer) -> Result<(), Failure> + 'a>;

impl<'a> Script<'a> {
    /// `make` puts the n-th request into a vector that has another or none.
    pub(crate) fn new(count: usize, make: impl FnMut(usize, &mut Vec<u8>) + 'a) -> Self {
        let check = Box::new(|_, _: &Answer| Ok(()));
        Self { at: 0, count, text: Vec::new(), make: Box::new(make), check }
    }

    /// Requests that are made before.
    pub(crate) fn ready(mut requests: Vec<Vec<u8>>) -> Self {
        Self::new(requests.len(), move |n, text| std::mem::swap(text, &mut requests[n]))
    }

    /// Answers have to be OK, and right.
    pub(crate) fn checked(
        mut self,
        check: impl FnMut(usize, &Answer) -> Result<(), Failure> + 'a,
    ) -> Self {
        self.check = Box::new(check);
        self
    }
}

struct Client<'a, 'b, T> {
    talk: &'a mut T,
    script: &'a mut Script<'b>,
    /// Bytes of the request that are sent.
    sent: usize,
    since: Instant,
    until: Option<Instant>,
}

impl<T: Talk> Client<'_, '_, T> {
    /// Makes the next request; `false` if there is none, or no time for it.
    fn begin(&mut self) -> bool {
        self.sent = 0;
        let in_time = self.until.is_none_or(|until| Instant::now() < until);
        let more = in_time && self.script.at < self.script.count;
        if more {
            (self.script.make)(self.script.at, &mut self.script.text);
            self.since = Instant::now();
        }
        more
    }

    /// Sends as much as the socket takes; `true` if that was all.
    fn send(&mut self) -> Result<bool, Failure> {
        while self.sent < self.script.text.len() {
            match self.talk.wire().socket.write(&self.script.text[self.sent..]) {
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(text(error)),
            }
        }
        Ok(true)
    }

    /// Reads once; `true` when the request is answered.
    fn receive(&mut self, times: &mut Vec<f64>) -> Result<bool, Failure> {
        match self.talk.wire().fill() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            filled => filled.map_err(text)?,
        }
        let Some(answer) = self.talk.advance()? else { return Ok(false) };
        times.push(self.since.elapsed().as_secs_f64() * 1e3);
        if !answer.is_ok() {
            let start = &self.script.text[..self.script.text.len().min(60)];
            return Err(format!("{}: {}", String::from_utf8_lossy(start), answer.tagged));
        }
        (self.script.check)(self.script.at, &answer)?;
        self.script.at += 1;
        Ok(true)
    }
}

/// Runs all scripts at once. How long each request took, in milliseconds.
pub(crate) fn drive<T: Talk>(all: &mut [(T, Script<'_>)]) -> Result<Vec<f64>, Failure> {
    drive_until(all, None)
}

/// The same, but no request begins after so long.
pub(crate) fn drive_for<T: Talk>(
    all: &mut [(T, Script<'_>)],
    most: Duration,
) -> Result<Vec<f64>, Failure> {
    drive_until(all, Some(Instant::now() + most))
}

fn drive_until<T: Talk>(
    all: &mut [(T, Script<'_>)],
    until: Option<Instant>,
) -> Result<Vec<f64>, Failure> {
    let mut times = Vec::with_capacity(all.iter().map(|(_, script)| script.count).sum());
    let since = Instant::now();
    let ready = |(talk, script)| Client { talk, script, sent: 0, since, until };
    let mut clients: Vec<_> = all.iter_mut().map(|(talk, script)| ready((talk, script))).collect();
    if let [client] = clients.as_mut_slice() {
        while client.begin() {
            client.send()?;
            while !client.receive(&mut times)? {}
        }
        return Ok(times);
    }
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(text)?;
    let mut open = 0;
    for (n, client) in clients.iter_mut().enumerate() {
        if client.begin() {
            open += 1;
            client.talk.wire().socket.tcp().set_nonblocking(true).map_err(text)?;
            let wanted = wanted(client.send()?);
            let data = epoll::EventData::new_u64(n as u64);
            epoll::add(&poll, client.talk.wire().socket.tcp(), data, wanted).map_err(text)?;
        }
    }
    let mut events = Vec::with_capacity(clients.len());
    while open > 0 {
        events.clear();
        let room = rustix::buffer::spare_capacity(&mut events);
        if epoll::wait(&poll, room, Some(&PATIENCE)).map_err(text)? == 0 {
            return Err("the server does not answer".to_owned());
        }
        for event in &events {
            let data = event.data;
            // It was the place in `clients`.
            let client = &mut clients[data.u64() as usize];
            let was_whole = client.sent == client.script.text.len();
            let mut is_whole = client.send()?;
            if is_whole && client.receive(&mut times)? {
                if !client.begin() {
                    open -= 1;
                    continue;
                }
                is_whole = client.send()?;
            }
            if was_whole != is_whole {
                let tcp = client.talk.wire().socket.tcp();
                epoll::modify(&poll, tcp, data, wanted(is_whole)).map_err(text)?;
            }
        }
    }
    for client in &mut clients {
        client.talk.wire().socket.tcp().set_nonblocking(false).map_err(text)?;
    }
    Ok(times)
}

fn wanted(is_whole: bool) -> epoll::EventFlags {
    if is_whole { epoll::EventFlags::IN } else { epoll::EventFlags::OUT }
}
