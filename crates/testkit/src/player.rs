//! Plays a transcript against sessions that are given to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::{env, fs};

use crate::executor::{Executor, Task};
use crate::pattern::{self, Bindings};
use crate::pipe::{Peer, Pipe, pipe};
use crate::transcript::{Step, Transcript};

/// What is tested: makes sessions, and does what a `DO` line says.
pub trait Subject {
    /// A session for a new connection; `options` stand behind its name.
    fn connect(&mut self, pipe: Pipe, options: &str) -> Task<'static>;

    /// Lines to send before the transcript goes on; what the server answers is not looked at.
    fn prologue(&self, options: &str) -> Vec<String> {
        let _ = options;
        Vec::new()
    }

    /// Does what a `DO` line says; `message` looks up a `MESSAGE`.
    fn act(&mut self, words: &[&str], message: &dyn Fn(&str) -> Vec<u8>) -> Task<'static> {
        let _ = message;
        panic!("nobody can do {words:?}")
    }

    /// Whether one complete response to a session, with its line ending and literals, is in order.
    ///
    /// # Errors
    /// Says what is wrong with it.
    fn check(&mut self, session: &str, response: &[u8]) -> Result<(), String> {
        let _ = (session, response);
        Ok(())
    }
}

struct Connected {
    peer: Peer,
    /// Output that no `S:` line has taken.
    output: Vec<u8>,
    /// Output that has not been checked.
    unchecked: Vec<u8>,
    unsent: Vec<u8>,
}

struct Player<'a> {
    subject: &'a mut dyn Subject,
    transcript: &'a Transcript,
    executor: Executor<'static>,
    sessions: BTreeMap<String, Connected>,
    current: String,
    bindings: Bindings,
}

/// Plays the transcript at `path`.
///
/// With `MARTLET_BLESS=1` in the environment the file is rewritten with what the server says, where
/// that is something else; whoever does that reads every line of the difference.
///
/// # Panics
/// When the server says something else than it should.
pub fn play(path: &Path, subject: &mut dyn Subject) {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let transcript = Transcript::parse(&text).unwrap_or_else(|why| panic!("{path:?}: {why}"));
    let bless = env::var_os("MARTLET_BLESS").is_some();
    let blessed = Rc::new(RefCell::new(Blessed::new(&text)));
    let mut player = Player {
        subject,
        transcript: &transcript,
        executor: Executor::new(),
        sessions: BTreeMap::new(),
        current: String::new(),
        bindings: Bindings::new(),
    };
    for (line, step) in &transcript.steps {
        let result = match bless {
            true => player.bless(*line, step, &mut blessed.borrow_mut()),
            false => player.step(step),
        };
        if let Err(why) = result {
            panic!("{}:{line}: {why}", path.display());
        }
    }
    match bless {
        true => {
            let rest = player.rest();
            blessed.borrow_mut().insert(usize::MAX, rest);
            fs::write(path, blessed.borrow().text()).expect("the transcript can be written");
        }
        false => {
            if let Some((name, rest)) = player.sessions.iter().find_map(|(name, session)| {
                (!session.output.is_empty()).then(|| (name, show(&session.output)))
            }) {
                panic!("{}: at the end session {name} has said more:\n{rest}", path.display());
            }
        }
    }
}

impl Player<'_> {
    fn session(&mut self) -> Result<&mut Connected, String> {
        self.sessions.get_mut(&self.current).ok_or("no SESSION yet".to_owned())
    }

    /// Runs everything until nothing moves, and takes what was said.
    fn run(&mut self) -> Result<(), String> {
        self.executor.run();
        for (name, session) in &mut self.sessions {
            let bytes = session.peer.receive();
            session.output.extend_from_slice(&bytes);
            session.unchecked.extend_from_slice(&bytes);
            let mut done = 0;
            while let Some(length) = response_length(&session.unchecked[done..]) {
                let response = &session.unchecked[done..done + length];
                self.subject
                    .check(name, response)
                    .map_err(|why| format!("{why}: {}", show(response)))?;
                done += length;
            }
            session.unchecked.drain(..done);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Session(name, options) => self.switch(name, options),
            Step::Send { text, ends, at_once } => {
                let mut bytes = self.transcript.expand(text, &self.bindings)?;
                if *ends {
                    bytes.extend_from_slice(b"\r\n");
                }
                let session = self.session()?;
                session.unsent.append(&mut bytes);
                if !at_once {
                    return Ok(());
                }
                if !session.output.is_empty() {
                    return Err(format!("the server has said more:\n{}", show(&session.output)));
                }
                let bytes = std::mem::take(&mut session.unsent);
                session.peer.send(&bytes);
                self.run()
            }
            Step::Expect { pattern, skip } => loop {
                let line = self.line()?;
                if pattern::matches(pattern, &line, &mut self.bindings) {
                    return Ok(());
                }
                if !skip {
                    let rest = show(&self.session()?.output);
                    return Err(format!("expected\n  {pattern}\nbut it says\n  {line}\n{rest}"));
                }
            },
            Step::Tick => {
                self.session()?.peer.tick();
                self.run()
            }
            Step::Eof => {
                self.session()?.peer.close();
                self.run()
            }
            Step::Closed => match self.session()?.peer.is_closed() {
                true => Ok(()),
                false => Err("the server has not closed the connection".to_owned()),
            },
            Step::Do(words) => {
                let expanded = self.transcript.expand(words, &self.bindings)?;
                let words = String::from_utf8(expanded).map_err(|error| error.to_string())?;
                let words: Vec<&str> = words.split_whitespace().collect();
                let messages = &self.transcript.messages;
                let task = self.subject.act(&words, &|name| {
                    messages.get(name).unwrap_or_else(|| panic!("no message {name}")).clone()
                });
                let task = self.executor.spawn(task);
                self.run()?;
                match self.executor.is_done(task) {
                    true => Ok(()),
                    false => Err("it never comes to an end".to_owned()),
                }
            }
        }
    }

    fn switch(&mut self, name: &str, options: &str) -> Result<(), String> {
        self.current = name.to_owned();
        if self.sessions.contains_key(name) {
            return Ok(());
        }
        let (pipe, peer) = pipe();
        self.executor.spawn(self.subject.connect(pipe, options));
        let connected =
            Connected { peer, output: Vec::new(), unchecked: Vec::new(), unsent: Vec::new() };
        self.sessions.insert(name.to_owned(), connected);
        self.run()?;
        for line in self.subject.prologue(options) {
            let session = self.session()?;
            session.output.clear();
            session.peer.send(format!("{line}\r\n").as_bytes());
            self.run()?;
            self.session()?.output.clear();
        }
        Ok(())
    }

    /// Takes one line of the current session's output.
    fn line(&mut self) -> Result<String, String> {
        let session = self.session()?;
        let end = session.output.windows(2).position(|pair| pair == b"\r\n");
        let Some(end) = end else {
            return Err(match session.output.is_empty() {
                true => "the server says nothing".to_owned(),
                false => format!("no whole line: {}", show(&session.output)),
            });
        };
        let line = String::from_utf8_lossy(&session.output[..end]).into_owned();
        session.output.drain(..end + 2);
        Ok(line)
    }

    fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line().ok()).collect()
    }

    /// Does a step and keeps what the server really says.
    fn bless(&mut self, line: usize, step: &Step, blessed: &mut Blessed) -> Result<(), String> {
        match step {
            Step::Expect { skip: true, .. } => self.step(step),
            Step::Expect { pattern, skip: false } => {
                match self.line() {
                    Ok(said) if pattern::matches(pattern, &said, &mut self.bindings) => {}
                    Ok(said) => blessed.replace(line, &said),
                    Err(_) => blessed.remove(line),
                }
                Ok(())
            }
            _ => {
                if !self.current.is_empty() {
                    let rest = self.rest();
                    blessed.insert(line, rest);
                }
                self.step(step)
            }
        }
    }
}

/// A transcript that is being rewritten: lines, and lines to put before them.
struct Blessed {
    lines: Vec<Option<String>>,
    before: BTreeMap<usize, Vec<String>>,
}

impl Blessed {
    fn new(text: &str) -> Self {
        Self {
            lines: text.lines().map(|line| Some(line.to_owned())).collect(),
            before: BTreeMap::new(),
        }
    }

    fn replace(&mut self, line: usize, said: &str) {
        self.lines[line - 1] = Some(format!("S: {said}"));
    }

    fn remove(&mut self, line: usize) {
        self.lines[line - 1] = None;
    }

    fn insert(&mut self, line: usize, said: Vec<String>) {
        // Behind the last step before `line`, so that comments stay with what follows them.
        let mut at = line.min(self.lines.len() + 1);
        let is_free = |line: &Option<String>| {
            line.as_ref().is_some_and(|l| l.trim().is_empty() || l.starts_with('#'))
        };
        while at > 1 && is_free(&self.lines[at - 2]) {
            at -= 1;
        }
        self.before.entry(at).or_default().extend(said);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for at in 1..=self.lines.len() + 1 {
            for said in self.before.get(&at).into_iter().flatten() {
                text.push_str(&format!("S: {said}\n"));
            }
            if let Some(Some(line)) = self.lines.get(at - 1) {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

/// The length of the first complete response in `bytes`: a line, with the literals it announces.
/// `None` if there is no complete one.
pub fn response_length(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + bytes.get(from..)?.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let line = &bytes[from..end - 2];
        let literal = line.strip_suffix(b"}").and_then(|line| {
            let open = line.iter().rposition(|&c| c == b'{')?;
            std::str::from_utf8(&line[open + 1..]).ok()?.parse::<usize>().ok()
        });
        match literal {
            Some(length) if end + length <= bytes.len() => from = end + length,
            Some(_) => return None,
            None => return Some(end),
        }
    }
}

fn show(bytes: &[u8]) -> String {
    bytes
        .escape_ascii()
        .to_string()
        .replace("\\r\\n", "\n")
        .replace("\\\"", "\"")
        .replace("\\\\", "\\")
}
